-- Conversions whose outcome could not be followed: apart, so that those behind them go on.
CREATE TABLE set_aside (
    conversion uuid PRIMARY KEY,
    silent     boolean NOT NULL,
    why        text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);
