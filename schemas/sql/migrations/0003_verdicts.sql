-- The rules of an app became an object: beside the list stand the threshold, the modes of verdicts, reattribution.
UPDATE app_rules SET rules = jsonb_build_object('rules', rules) WHERE jsonb_typeof(rules) = 'array';

-- Keys of touches that were stored and not yet looked for among the installs. One row holds the keys of touches of
-- about one time; whoever decides takes it once it is committed, so that no mark can be missed.
CREATE TABLE new_keys (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    since     uuid NOT NULL,                -- the lowest id of an install that they may concern
    keys      bigint[] NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);

-- What a link did on a closed day of receipt (UTC). A day is published once, before any install of a later day is
-- decided, and never edited: replay publishes a higher version.
CREATE TABLE link_days (
    link         text NOT NULL,
    day          date NOT NULL,
    version      int NOT NULL,
    app          text NOT NULL,
    clicks       bigint NOT NULL,
    installs     bigint NOT NULL,           -- received on that day and attributed to the link
    first_hour   bigint NOT NULL,           -- of these, within an hour of their touch
    week_clicks   bigint NOT NULL,          -- of the seven days up to this one
    week_installs bigint NOT NULL,
    flooding     boolean NOT NULL,
    delays       boolean NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (link, day, version)
);

CREATE TABLE published_days (
    day          date NOT NULL,
    version      int NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, version)
);

ALTER TABLE decisions
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',       -- verdicts on the winner that did not make it fall
    ADD COLUMN more jsonb NOT NULL DEFAULT '{}',        -- reason → candidates that are counted and not listed
    ADD COLUMN earlier uuid,                            -- the device's install before this one
    ADD COLUMN replayed boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT decisions_touch,
    ADD CONSTRAINT decisions_touch CHECK ((method IN ('organic', 'preinstall', 'reinstall')) = (touch IS NULL));

-- A touch that concerns it came later than a decision can still change.
ALTER TABLE installs ADD COLUMN too_late boolean NOT NULL DEFAULT false;
