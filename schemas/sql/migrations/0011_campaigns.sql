-- Who manages, what campaigns cost, and what partners are told.

-- Management -----------------------------------------------------------------------------------

CREATE TABLE tokens (
    id         text PRIMARY KEY CHECK (id <> ''),   -- short and public: in lists, and in the audit
    hash       text NOT NULL UNIQUE CHECK (hash ~ '^[0-9a-f]{64}$'),  -- SHA-256 of the token
    title      text NOT NULL,
    role       text NOT NULL CHECK (role IN ('read', 'manage', 'admin')),
    apps       text[],                              -- null: all
    partner    text REFERENCES partners,            -- sees what is this partner's only
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    used_at    timestamptz
);

CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL,                          -- id of a token, or shell:USER
    action  text NOT NULL,
    kind    text NOT NULL,
    subject text NOT NULL,
    before  jsonb,
    after   jsonb
);

CREATE INDEX audit_subject ON audit (kind, subject, id);

ALTER TABLE apps ADD COLUMN stores jsonb NOT NULL DEFAULT '{}';  -- {"google_play": "com.example.shop", …}: schemas.links

ALTER TABLE partners
    ADD COLUMN profile    text,                     -- name of the partner's profile; null: none
    ADD COLUMN parameters jsonb NOT NULL DEFAULT '{}',  -- our name → the partner's macro, beside or instead of the profile's
    ADD COLUMN protection jsonb,                    -- of its S2S pings: schemas.links
    ADD COLUMN sending    jsonb NOT NULL DEFAULT '{}',  -- concurrency, rate, hold, secret: schemas.postbacks
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN change     bigint UNIQUE;

UPDATE partners SET change = nextval('changes');
ALTER TABLE partners ALTER COLUMN change SET NOT NULL;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON partners FOR EACH ROW EXECUTE FUNCTION stamp_change();

-- The edges know of each link whose it is.
CREATE FUNCTION campaign_has_another_partner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE links SET campaign = campaign WHERE campaign = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER partner_of_links AFTER UPDATE OF partner ON campaigns FOR EACH ROW
    WHEN (OLD.partner IS DISTINCT FROM NEW.partner) EXECUTE FUNCTION campaign_has_another_partner();

ALTER TABLE campaigns
    ADD COLUMN kind       text NOT NULL DEFAULT 'ad' CHECK (kind IN ('ad', 'preinstall')),
    ADD COLUMN traffic    text NOT NULL DEFAULT 'other',
    ADD COLUMN cost       text NOT NULL DEFAULT 'tariffs' CHECK (cost IN ('tariffs', 'partner', 'both')),
    ADD COLUMN deleted_at timestamptz;

ALTER TABLE links
    DROP CONSTRAINT links_kind_check,
    ADD CONSTRAINT links_kind_check CHECK (kind IN ('redirect', 'tracking', 's2s', 'preinstall')),
    ADD COLUMN windows jsonb,                       -- instead of the app's: [{"method", "touch", "hours"}]; fixed at creation
    ADD COLUMN host    text;                        -- of its own addresses; null: TOUCHLINE_PUBLIC_URL

-- The longest window that any link of an app has of its own: so far back touches of it are looked for. It only grows.
CREATE TABLE app_windows (
    app    text NOT NULL,
    method text NOT NULL,
    touch  text NOT NULL,
    hours  int NOT NULL,
    PRIMARY KEY (app, method, touch)
);

CREATE FUNCTION link_has_windows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app_windows (app, method, touch, hours)
    SELECT a.app, w.method, w.touch, max(w.hours)
    FROM (SELECT NEW.app AS app UNION
          SELECT target ->> 'app' FROM jsonb_array_elements(NEW.targets) AS target WHERE target ? 'app') a,
         jsonb_to_recordset(NEW.windows) AS w (method text, touch text, hours int)
    GROUP BY a.app, w.method, w.touch ORDER BY a.app, w.method, w.touch
    ON CONFLICT (app, method, touch) DO UPDATE SET hours = excluded.hours WHERE app_windows.hours < excluded.hours;
    RETURN NULL;
END $$;

CREATE TRIGGER windows_of_app AFTER INSERT OR UPDATE OF app, targets ON links FOR EACH ROW
    WHEN (NEW.windows IS NOT NULL) EXECUTE FUNCTION link_has_windows();

CREATE FUNCTION windows_are_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE check_violation USING MESSAGE = 'the windows of link ' || NEW.id || ' are fixed: decisions were made by them';
END $$;

CREATE TRIGGER windows_stay BEFORE UPDATE OF windows ON links FOR EACH ROW
    WHEN (OLD.windows IS DISTINCT FROM NEW.windows) EXECUTE FUNCTION windows_are_fixed();
CREATE INDEX links_created_at ON links (created_at, id);
CREATE INDEX links_app ON links (app);
CREATE INDEX links_campaign ON links (campaign, app);
CREATE INDEX campaigns_partner ON campaigns (partner);

-- What follows from decisions ------------------------------------------------------------------

-- Installs, returns and events of which something new is known: written in the transaction in which they are decided or
-- stored, taken by whoever prices them and tells partners. One row holds those of one transaction.
CREATE TABLE outcomes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversions uuid[] NOT NULL,
    silent      boolean NOT NULL                    -- priced, and partners are not told: of a replay
);

-- Money ----------------------------------------------------------------------------------------
-- Costs are nano-units of their currency: a thousandth of a micro-unit, so that CPM needs no rounding.

CREATE TABLE tariffs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign   text NOT NULL REFERENCES campaigns,
    app        text REFERENCES apps,                -- null: every app of the campaign
    model      text NOT NULL CHECK (model IN ('cpi', 'cpa', 'cpc', 'cpm', 'share', 'other')),
    event      text,                                -- of cpa: re-install, re-engagement, first payment, or an event's name
    micros     bigint CHECK (micros >= 0),          -- of one; cpm: of a thousand
    share_ppm  int CHECK (share_ppm BETWEEN 0 AND 1000000),  -- of share: millionths of the revenue …
    days       int CHECK (days > 0),                -- … within so many days of the install; null: without end
    currency   text CHECK (currency ~ '^[A-Z]{3}$'),    -- null: share (the payment's own) and other
    starts_on  date NOT NULL,                       -- UTC, inclusive, as the end
    ends_on    date CHECK (ends_on >= starts_on),
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CHECK (model IN ('share', 'other') OR (micros IS NOT NULL AND currency IS NOT NULL)),
    CHECK (model <> 'share' OR share_ppm IS NOT NULL),
    CHECK ((model = 'cpa') = (event IS NOT NULL))
);

CREATE INDEX tariffs_campaign ON tariffs (campaign);

-- Every batch of touches asks for these.
CREATE INDEX tariffs_touches ON tariffs (campaign) WHERE model IN ('cpc', 'cpm') AND deleted_at IS NULL;

-- What a campaign brought begins with the conversions that are its own.
CREATE INDEX decisions_campaign ON decisions (campaign, conversion) WHERE campaign IS NOT NULL;

-- Clicks and impressions that a tariff prices, by the hour of the touch.
CREATE TABLE touch_costs (
    tariff bigint NOT NULL REFERENCES tariffs,
    link   text NOT NULL,
    app    text NOT NULL,
    hour   int NOT NULL,                            -- hours since 1970
    count  bigint NOT NULL,
    PRIMARY KEY (tariff, link, app, hour)
);

-- What partners say that their clicks and impressions cost (mt_cost_*), likewise.
CREATE TABLE partner_costs (
    link     text NOT NULL,
    app      text NOT NULL,
    hour     int NOT NULL,
    currency text NOT NULL,
    nanos    numeric NOT NULL,
    PRIMARY KEY (link, app, hour, currency)
);

-- What installs and events cost: never edited, the sum of a conversion's rows of a tariff stands.
CREATE TABLE conversion_costs (
    conversion uuid NOT NULL,
    tariff     bigint NOT NULL,                     -- 0: the partner's word, of a touch that says what an install costs
    number     int NOT NULL,                        -- 1, 2, …
    link       text NOT NULL,
    app        text NOT NULL,
    hour       int NOT NULL,                        -- of the conversion
    currency   text NOT NULL,
    nanos      numeric NOT NULL,                    -- below zero: takes an earlier row back
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversion, tariff, number)
);

CREATE INDEX conversion_costs_tariff ON conversion_costs (tariff, link, hour);

CREATE TABLE corrections (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign    text NOT NULL REFERENCES campaigns,
    app         text NOT NULL REFERENCES apps,
    micros      bigint NOT NULL,                    -- may be negative
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    starts_on   date NOT NULL,                      -- in the zone, inclusive, as the end
    ends_on     date NOT NULL CHECK (ends_on >= starts_on),
    zone        text NOT NULL,                      -- IANA
    description text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz
);

CREATE INDEX corrections_campaign ON corrections (campaign);

-- Its parts: they sum to the correction exactly.
CREATE TABLE correction_hours (
    correction bigint NOT NULL REFERENCES corrections,
    hour       int NOT NULL,
    micros     bigint NOT NULL,
    PRIMARY KEY (correction, hour)
);

-- Units of a currency for one unit of the base currency (EUR) on a day.
CREATE TABLE rates (
    day      date NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    rate     numeric NOT NULL CHECK (rate > 0),
    source   text NOT NULL DEFAULT '',
    PRIMARY KEY (currency, day)
);

-- Postbacks ------------------------------------------------------------------------------------

CREATE TABLE postback_templates (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app        text NOT NULL REFERENCES apps,
    partner    text REFERENCES partners,            -- null: the operator's own
    event      text NOT NULL,                       -- install, re-install, re-engagement, registration, payment, or any name
    mode       text NOT NULL CHECK (mode IN ('off', 'attributed', 'all')),
    first_only boolean NOT NULL DEFAULT false,      -- of an install's events only the first
    method     text NOT NULL CHECK (method IN ('GET', 'POST')),
    url        text NOT NULL,
    body       text,                                -- of POST: a JSON text with macros
    reversal_url text,                              -- asked for when the attribution is taken back; null: nobody is told
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

CREATE INDEX postback_templates_app ON postback_templates (app);

CREATE TABLE postbacks (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    template    bigint REFERENCES postback_templates,   -- null: a trial
    conversion  uuid,                               -- of the install, return or event
    install     uuid,                               -- that it belongs to; null: a website's
    touch       uuid,
    link        text,                               -- of the attribution that is told; null: it is told without one
    reversal    boolean NOT NULL DEFAULT false,
    app         text NOT NULL,
    partner     text,                               -- null: the operator's own
    event       text NOT NULL,
    key         text NOT NULL UNIQUE,               -- the Idempotency-Key
    method      text NOT NULL,
    url         text NOT NULL,                      -- macros replaced
    body        text,
    -- Whose slowness delays whom: a partner's, or for the operator's own those of one host.
    lane        text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
                    CASE WHEN partner IS NOT NULL THEN 'partner:' || partner
                         ELSE 'host:' || coalesce(left(substring(lower(url) FROM '^https?://([^/?#]*)'), 260), '') END
                ) STORED,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead', 'superseded', 'refused')),
    due_at      timestamptz NOT NULL,
    leased_until timestamptz,
    attempts    int NOT NULL DEFAULT 0,
    first_at    timestamptz,                        -- of the first attempt
    created_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);                           -- a lease is written beside its row, without touching an index

CREATE INDEX postbacks_due ON postbacks (lane, due_at) WHERE state = 'waiting';
CREATE INDEX postbacks_conversion ON postbacks (conversion);
CREATE INDEX postbacks_install ON postbacks (install, template) WHERE install IS NOT NULL;
CREATE INDEX postbacks_created ON postbacks (created_at);

CREATE TABLE postback_attempts (
    postback   bigint NOT NULL REFERENCES postbacks,
    number     int NOT NULL,
    at         timestamptz NOT NULL,
    status     int,                                 -- of HTTP; null: there was no answer, see error
    latency_ms int NOT NULL,
    answer     bytea NOT NULL DEFAULT '',           -- its first bytes
    error      text,
    PRIMARY KEY (postback, number)
);
