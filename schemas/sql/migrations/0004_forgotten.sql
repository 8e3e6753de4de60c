-- Devices whose owners asked to be forgotten: how they are known again, and nothing else of them. See docs/privacy.md.

-- One row. The salt makes what could be guessed (user ids, install ids) unreadable in `forgotten` and in pseudonyms;
-- the change number tells consumers, inside their own transactions, that there are new keys.
CREATE TABLE forgetting (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    salt   bytea NOT NULL,
    change bigint NOT NULL DEFAULT 0
);

INSERT INTO forgetting (salt)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

CREATE TABLE forgotten (
    key    bigint PRIMARY KEY,  -- schemas/forgetting.py
    until  timestamptz,         -- records received up to then; null: for ever
    at     timestamptz NOT NULL DEFAULT now(),
    change bigint NOT NULL
);

CREATE INDEX forgotten_change ON forgotten (change);
