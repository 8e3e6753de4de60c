-- Websites: what is advertised may be a shop in the web, whose conversions begin with visits.
ALTER TABLE apps
    ADD COLUMN kind text NOT NULL DEFAULT 'mobile' CHECK (kind IN ('mobile', 'web')),
    ADD COLUMN origins text[] NOT NULL DEFAULT '{}',        -- https://shop.example: whose pages may report
    ADD COLUMN visit_window_hours int NOT NULL DEFAULT 720 CHECK (visit_window_hours BETWEEN 1 AND 2160);

-- A web key stands in pages for everybody to read: it may report visits and events of the app's origins only.
ALTER TABLE app_keys DROP CONSTRAINT app_keys_kind_check;
ALTER TABLE app_keys ADD CONSTRAINT app_keys_kind_check CHECK (kind IN ('sdk', 'server', 'web'));

CREATE TABLE visits (
    app         text NOT NULL,
    visit_id    text NOT NULL,
    id          uuid NOT NULL UNIQUE,   -- of the record: carries the time of receipt
    visitor_id  text NOT NULL,          -- first-party: the same person's browser, as long as it keeps it
    url         text NOT NULL,
    referer     text NOT NULL,
    touch       uuid,                   -- the click whose landing this is
    link        text,                   -- named by the landing itself, without a click on record
    occurred_at timestamptz NOT NULL,
    ip          inet,
    ua          text NOT NULL,
    language    text NOT NULL,
    country     text,
    flags       text[] NOT NULL,
    PRIMARY KEY (app, visit_id)
);

CREATE INDEX visits_visitor ON visits (app, visitor_id, occurred_at DESC, id DESC);
