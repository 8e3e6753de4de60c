-- Events become conversions: of an app those that bring a user back, of a website every one.

-- T of a conversion: what its sender said when it lies up to 24 h before the receipt, which the id carries, else this.
CREATE FUNCTION conversion_time(said timestamptz, id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN said BETWEEN at - interval '24 hours' AND at THEN said ELSE at END
    FROM (SELECT to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0) AS at) r
$$;

ALTER TABLE events ADD COLUMN at timestamptz NOT NULL GENERATED ALWAYS AS (conversion_time(occurred_at, id)) STORED;

-- The events before and after one of the same install are found by their time.
DROP INDEX events_install;
DROP INDEX events_user;
CREATE INDEX events_install ON events (app, install_id, at, id);
CREATE INDEX events_user ON events (app, user_id, at, id) WHERE install_id IS NULL AND user_id IS NOT NULL;

-- As before, with the events' T.
CREATE OR REPLACE VIEW event_installs AS
SELECT e.id AS event, e.app, e.name, e.occurred_at, e.revenue_micros, e.currency, e.flags, i.id AS install, e.at
FROM events e JOIN installs i ON i.app = e.app AND i.install_id = e.install_id
UNION ALL
SELECT e.id, e.app, e.name, e.occurred_at, e.revenue_micros, e.currency, e.flags, i.id, e.at
FROM events e JOIN installs i ON i.app = e.app AND i.user_id = e.user_id
WHERE e.install_id IS NULL AND i.id = (
    SELECT id FROM installs l WHERE l.app = e.app AND l.user_id = e.user_id AND l.id < received_after(e.occurred_at)
    ORDER BY id DESC LIMIT 1)
UNION ALL
SELECT e.id, e.app, e.name, e.occurred_at, e.revenue_micros, e.currency, e.flags, i.id, e.at
FROM events e JOIN installs i ON i.device_keys && e.device_keys
WHERE e.install_id IS NULL AND i.id = (
    SELECT (array_agg(l.id ORDER BY l.id DESC) FILTER (WHERE l.id < received_after(e.occurred_at)))[1]
    FROM installs l WHERE l.device_keys && e.device_keys)
AND NOT EXISTS (SELECT FROM installs u WHERE u.app = e.app AND u.user_id = e.user_id
                AND u.id < received_after(e.occurred_at));

-- New events and installs of apps, not yet looked at: whether they bring somebody back, or change who was. One row
-- holds those of one transaction; whoever decides takes it once it is committed, so that of two that were stored at
-- once the later look sees both.
CREATE TABLE activities (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversions uuid[] NOT NULL
);

ALTER TABLE waiting ADD COLUMN kind text NOT NULL DEFAULT 'install'
    CHECK (kind IN ('install', 're-engagement', 'web'));

ALTER TABLE decisions
    ADD COLUMN kind text NOT NULL DEFAULT 'install' CHECK (kind IN ('install', 're-engagement', 'web')),
    DROP CONSTRAINT decisions_touch,
    -- a visit may name a link without a touch
    ADD CONSTRAINT decisions_touch CHECK (
        method = 'visit' OR (method IN ('organic', 'preinstall', 'reinstall', 'active')) = (touch IS NULL));

-- As before; and the events of websites, each with the decision about itself.
CREATE OR REPLACE VIEW credited_events AS
SELECT e.event, e.app, e.name, e.occurred_at, e.revenue_micros, e.currency, e.install,
       s.test OR 'sandbox' = ANY(e.flags) AS test, s.decided, s.method, s.touch, s.touch_kind, s.link, s.campaign,
       s.partner, s.tags
FROM event_installs e JOIN standing_attributions s ON s.install = e.install
UNION ALL
SELECT e.id, e.app, e.name, e.occurred_at, e.revenue_micros, e.currency, NULL::uuid, 'sandbox' = ANY(e.flags),
       d.method IS NOT NULL, coalesce(d.method, 'organic'), d.touch, d.touch_kind, d.link, d.campaign, d.partner,
       coalesce(d.tags, '{}')
FROM apps a JOIN events e ON e.app = a.id
LEFT JOIN LATERAL (
    SELECT * FROM decisions WHERE conversion = e.id ORDER BY number DESC LIMIT 1) d ON true
WHERE a.kind = 'web' AND NOT EXISTS (SELECT FROM event_installs i WHERE i.event = e.id);

CREATE OR REPLACE VIEW uncredited_events AS
SELECT e.* FROM events e
WHERE CASE WHEN e.install_id IS NOT NULL
      THEN NOT EXISTS (SELECT FROM installs i WHERE i.app = e.app AND i.install_id = e.install_id)
      ELSE NOT EXISTS (SELECT FROM installs i WHERE i.app = e.app AND i.user_id = e.user_id
                       AND i.id < received_after(e.occurred_at))
           AND (SELECT bool_or(i.id < received_after(e.occurred_at)) FROM installs i
                WHERE i.device_keys && e.device_keys) IS NOT TRUE END
AND NOT EXISTS (SELECT FROM apps a WHERE a.id = e.app AND a.kind = 'web');

-- Events of websites that were stored before websites had decisions.
INSERT INTO waiting (conversion, kind)
SELECT e.id, 'web' FROM events e JOIN apps a ON a.id = e.app WHERE a.kind = 'web';
