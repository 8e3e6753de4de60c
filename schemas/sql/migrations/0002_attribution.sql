-- Rules of attribution of an app, every version that ever held: a decision names the one it was made by.
CREATE TABLE app_rules (
    app        text NOT NULL REFERENCES apps,
    version    int NOT NULL,
    preset     text,                -- null: rules of the operator's own
    rules      jsonb NOT NULL,      -- [{"method", "touch_kind", "window_hours"}], in their order
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app, version)
);

-- Installs that share a key with a touch stored after they came: to be decided again. Never unique on purpose:
-- a mark that is deleted must not take with it one that another transaction is about to commit.
CREATE TABLE marks (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    install uuid NOT NULL
);

CREATE INDEX marks_install ON marks (install);

-- A pre-installed app has a link and no touch.
ALTER TABLE decisions DROP CONSTRAINT decisions_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_touch CHECK ((method IN ('organic', 'preinstall')) = (touch IS NULL));
