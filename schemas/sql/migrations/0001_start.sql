-- Management ---------------------------------------------------------------------------------
-- Every row the edge needs carries a change number. The advisory lock makes numbers commit in
-- order: without it a reader that asks "what came after 7?" can miss a 6 that commits late.

CREATE SEQUENCE changes;

CREATE FUNCTION stamp_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7406001);
    NEW.change := nextval('changes');
    PERFORM pg_notify('touchline_changes', NEW.change::text);
    RETURN NEW;
END $$;

CREATE TABLE apps (
    id           text PRIMARY KEY CHECK (id <> ''),
    title        text NOT NULL,
    fallback_url text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    deleted_at   timestamptz,
    change       bigint NOT NULL UNIQUE
);

CREATE TABLE app_keys (
    hash       text PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),  -- SHA-256 of the key
    app        text NOT NULL REFERENCES apps,
    kind       text NOT NULL CHECK (kind IN ('sdk', 'server')),
    title      text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    change     bigint NOT NULL UNIQUE
);

CREATE TABLE partners (
    id         text PRIMARY KEY CHECK (id <> ''),
    title      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE campaigns (
    id         text PRIMARY KEY CHECK (id <> ''),
    title      text NOT NULL,
    partner    text REFERENCES partners,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE links (
    id           text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    app          text NOT NULL REFERENCES apps,
    campaign     text REFERENCES campaigns,
    title        text NOT NULL DEFAULT '',
    kind         text NOT NULL DEFAULT 'redirect' CHECK (kind IN ('redirect', 'tracking', 's2s')),
    targets      jsonb NOT NULL DEFAULT '[]',  -- [{"store", "url", "deep_link"}]
    fallback_url text,
    paused       boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    deleted_at   timestamptz,
    change       bigint NOT NULL UNIQUE
);

CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON apps FOR EACH ROW EXECUTE FUNCTION stamp_change();
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON app_keys FOR EACH ROW EXECUTE FUNCTION stamp_change();
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON links FOR EACH ROW EXECUTE FUNCTION stamp_change();

-- The log --------------------------------------------------------------------------------------

CREATE TABLE log_positions (
    consumer    text NOT NULL,
    log         text NOT NULL,      -- journal:UUID, or kafka:CLUSTER:TOPIC:EPOCH
    partition   int NOT NULL,
    next_offset bigint NOT NULL,    -- journals: segment << 32 | byte
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, log, partition)
);

CREATE TABLE log_holes (
    consumer  text NOT NULL,
    log       text NOT NULL,
    partition int NOT NULL,
    start     bigint NOT NULL,
    stop      bigint NOT NULL,
    found_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, log, partition, start)
);

CREATE TABLE topic_epochs (
    cluster    text NOT NULL,
    topic      text NOT NULL,
    epoch      int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cluster, topic)
);

-- Batches whose tally was counted; old rows are folded into the ranges of `batch_ranges`.
CREATE TABLE batches (
    journal    uuid NOT NULL,
    boot       int NOT NULL,
    number     bigint NOT NULL,
    topic      text NOT NULL,
    hour_from  int NOT NULL,        -- hours since 1970 of receipt, first and last of the batch
    hour_to    int NOT NULL,
    stored_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (journal, boot, number)
);

CREATE INDEX batches_stored_at ON batches (stored_at);

CREATE TABLE batch_ranges (
    journal uuid NOT NULL,
    boot    int NOT NULL,
    topic   text NOT NULL,
    numbers int8multirange NOT NULL,
    hour_to int NOT NULL,
    PRIMARY KEY (journal, boot)
);

-- What the edge says it received: the left side of the accounting.
CREATE TABLE received (
    topic   text NOT NULL,
    subject text NOT NULL,          -- link; app for conversions
    hour    int NOT NULL,
    records bigint NOT NULL,
    PRIMARY KEY (topic, subject, hour)
);

CREATE TABLE rejects (
    id        uuid NOT NULL,        -- of the record; made up when it could not be read
    consumer  text NOT NULL,        -- edge, touches, attribution
    subject   text,                 -- link; app for conversions
    hour      int,
    reason    text NOT NULL,
    parameter text,
    detail    text NOT NULL DEFAULT '',
    record    bytea NOT NULL,       -- whole, as it stood in the log
    log       text NOT NULL,
    partition int NOT NULL,
    "offset"  bigint NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, id)
);

CREATE INDEX rejects_subject ON rejects (subject, hour);
CREATE INDEX rejects_stored_at ON rejects (stored_at);

-- Touches --------------------------------------------------------------------------------------
-- Partitioned by id, which carries the time of receipt: by touched_at one id could stand twice.

CREATE TABLE touches (
    id                    uuid NOT NULL,
    kind                  text NOT NULL CHECK (kind IN ('click', 'impression')),
    mode                  text NOT NULL,
    link                  text NOT NULL,
    app                   text NOT NULL,
    partner               text,
    campaign              text,
    touched_at            timestamptz NOT NULL,
    click_id              text,
    external_click_id     text,
    ip                    inet,
    ua                    text NOT NULL,
    os                    text NOT NULL,
    os_version            text NOT NULL,
    brand                 text NOT NULL,
    model                 text NOT NULL,
    browser               text NOT NULL,
    language              text NOT NULL,
    country               text,
    query                 text NOT NULL,     -- byte for byte
    params                jsonb NOT NULL,    -- decoded, first value of each name
    headers               jsonb NOT NULL,
    flags                 text[] NOT NULL,
    device_sha1_key       bigint,
    device_md5_key        bigint,
    click_key             bigint,
    external_click_key    bigint,
    print_key             bigint,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE TABLE touches_default PARTITION OF touches DEFAULT;

CREATE INDEX touches_device_sha1 ON touches (device_sha1_key, touched_at DESC, id DESC) WHERE device_sha1_key IS NOT NULL;
CREATE INDEX touches_device_md5 ON touches (device_md5_key, touched_at DESC, id DESC) WHERE device_md5_key IS NOT NULL;
CREATE INDEX touches_click ON touches (click_key, touched_at DESC, id DESC) WHERE click_key IS NOT NULL;
CREATE INDEX touches_external_click ON touches (external_click_key, touched_at DESC, id DESC) WHERE external_click_key IS NOT NULL;
CREATE INDEX touches_print ON touches (print_key, touched_at DESC, id DESC) WHERE print_key IS NOT NULL;

-- Identifiers of a touch beyond its first one, and the other form of it.
CREATE TABLE touch_more_keys (
    key        bigint NOT NULL,
    touched_at timestamptz NOT NULL,
    touch      uuid NOT NULL,
    PRIMARY KEY (key, touched_at, touch)
);

-- Conversions ----------------------------------------------------------------------------------

CREATE TABLE barriers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ends       jsonb NOT NULL,      -- [[log, partition, end of hits], …]
    created_at timestamptz NOT NULL DEFAULT now(),
    passed_at  timestamptz
);

CREATE TABLE installs (
    app             text NOT NULL,
    install_id      text NOT NULL,
    id              uuid NOT NULL UNIQUE,   -- of the record: carries the time of receipt
    installed_at    timestamptz NOT NULL,   -- the device's word
    user_id         text,
    preinstall_link text,
    ids             jsonb NOT NULL,
    os              text NOT NULL,
    device          jsonb NOT NULL,
    app_version     text NOT NULL,
    referrer        jsonb,
    ip              inet,
    ua              text NOT NULL,
    country         text,
    flags           text[] NOT NULL,
    barrier         bigint REFERENCES barriers,
    decided         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (app, install_id)
);

CREATE INDEX installs_waiting ON installs (id) WHERE NOT decided;
CREATE INDEX installs_barrier ON installs (barrier) WHERE NOT decided;
CREATE INDEX installs_install_id ON installs (install_id);

-- What an install looks for, so that a later touch finds the installs it concerns.
CREATE TABLE conversion_keys (
    key     bigint NOT NULL,
    install uuid NOT NULL,
    PRIMARY KEY (key, install)
);

CREATE TABLE events (
    app            text NOT NULL,
    event_id       text NOT NULL,
    id             uuid NOT NULL UNIQUE,
    name           text NOT NULL,
    occurred_at    timestamptz NOT NULL,
    install_id     text,
    ids            jsonb NOT NULL,
    user_id        text,
    revenue_micros bigint,
    currency       text,
    params         jsonb NOT NULL,
    ip             inet,
    ua             text NOT NULL,
    flags          text[] NOT NULL,
    CHECK ((revenue_micros IS NULL) = (currency IS NULL)),
    PRIMARY KEY (app, event_id)
);

CREATE INDEX events_install ON events (app, install_id);

-- Decisions are never edited: a later one of the same install has a higher number.
CREATE TABLE decisions (
    install     uuid NOT NULL REFERENCES installs (id),
    number      int NOT NULL,
    method      text NOT NULL,
    touch       uuid,
    touch_kind  text,
    link        text,
    campaign    text,
    partner     text,
    click_id    text,
    confidence  double precision,
    candidates  jsonb NOT NULL,
    rules       text NOT NULL,
    decided_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((method = 'organic') = (touch IS NULL)),
    PRIMARY KEY (install, number)
);
