-- Test devices: their installs are decided like others, and stay out of reports and money.
CREATE TABLE test_devices (
    app        text NOT NULL REFERENCES apps,
    kind       text NOT NULL,               -- of identifier: google_aid, ios_ifa, …
    sha1       text NOT NULL CHECK (sha1 ~ '^[0-9a-f]{40}$'),  -- of the identifier in its vendor's case
    title      text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app, kind, sha1)
);

ALTER TABLE installs
    ADD COLUMN test boolean NOT NULL DEFAULT false,         -- as it was when it was received: never edited
    ADD COLUMN device_keys bigint[] NOT NULL DEFAULT '{}';  -- match keys of the identifiers, as touches carry them
ALTER TABLE events ADD COLUMN device_keys bigint[] NOT NULL DEFAULT '{}';   -- only of those without an install_id
ALTER TABLE decisions ADD COLUMN test boolean NOT NULL DEFAULT false;

CREATE INDEX installs_user ON installs (app, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX installs_device ON installs USING gin (device_keys) WITH (fastupdate = off);
CREATE INDEX events_user ON events (app, user_id) WHERE install_id IS NULL AND user_id IS NOT NULL;
CREATE INDEX events_device ON events USING gin (device_keys) WITH (fastupdate = off) WHERE install_id IS NULL;
CREATE INDEX decisions_reinstall ON decisions (earlier) WHERE method = 'reinstall';

-- The lowest id that anything received after an event can have; a device's clock may be five minutes behind ours.
CREATE FUNCTION received_after(occurred_at timestamptz) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM occurred_at + interval '5 minutes') * 1000)::bigint), 12, '0')
            || '7000' || repeat('0', 16))::uuid
$$;

-- Which install an event belongs to: the one it names; else the last one of its user received before it; else the
-- last one of its device. An event of no known install is missing.
CREATE VIEW event_installs AS
SELECT e.id AS event, e.app, e.name, e.occurred_at, e.revenue_micros, e.currency, e.flags, i.id AS install
FROM events e JOIN installs i ON i.app = e.app AND i.install_id = e.install_id
UNION ALL
SELECT e.id, e.app, e.name, e.occurred_at, e.revenue_micros, e.currency, e.flags, i.id
FROM events e JOIN installs i ON i.app = e.app AND i.user_id = e.user_id
WHERE e.install_id IS NULL AND i.id = (
    SELECT id FROM installs l WHERE l.app = e.app AND l.user_id = e.user_id AND l.id < received_after(e.occurred_at)
    ORDER BY id DESC LIMIT 1)
UNION ALL
SELECT e.id, e.app, e.name, e.occurred_at, e.revenue_micros, e.currency, e.flags, i.id
FROM events e JOIN installs i ON i.device_keys && e.device_keys
-- aggregates read every match, and so by the keys' index: else the planner may look for one by the order of ids
WHERE e.install_id IS NULL AND i.id = (
    SELECT (array_agg(l.id ORDER BY l.id DESC) FILTER (WHERE l.id < received_after(e.occurred_at)))[1]
    FROM installs l WHERE l.device_keys && e.device_keys)
AND NOT EXISTS (SELECT FROM installs u WHERE u.app = e.app AND u.user_id = e.user_id
                AND u.id < received_after(e.occurred_at));

-- Whom an install belongs to now: its last decision; of a reinstall, that of the device's earlier install, and so on.
CREATE VIEW standing_attributions AS
SELECT i.id AS install, i.app, i.test, s.method IS NOT NULL AND s.method <> 'reinstall' AS decided,
       coalesce(nullif(s.method, 'reinstall'), 'organic') AS method,
       s.touch, s.touch_kind, s.link, s.campaign, s.partner, coalesce(s.tags, '{}') AS tags
FROM installs i LEFT JOIN LATERAL (
    WITH RECURSIVE chain AS (
        (SELECT method, touch, touch_kind, link, campaign, partner, tags, earlier, 1 AS step
         FROM decisions WHERE install = i.id ORDER BY number DESC LIMIT 1)
        UNION ALL
        SELECT d.*, c.step + 1 FROM chain c CROSS JOIN LATERAL (
            SELECT method, touch, touch_kind, link, campaign, partner, tags, earlier
            FROM decisions WHERE install = c.earlier ORDER BY number DESC LIMIT 1) d
        WHERE c.method = 'reinstall' AND c.step < 1000)
    SELECT * FROM chain ORDER BY step DESC LIMIT 1) s ON true;

-- Events with the attribution that stands for their install. What is a test counts in no report and no money.
CREATE VIEW credited_events AS
SELECT e.event, e.app, e.name, e.occurred_at, e.revenue_micros, e.currency, e.install,
       s.test OR 'sandbox' = ANY(e.flags) AS test, s.decided, s.method, s.touch, s.touch_kind, s.link, s.campaign,
       s.partner, s.tags
FROM event_installs e JOIN standing_attributions s ON s.install = e.install;

-- Events that no install is known for, or not yet: by the same rules.
CREATE VIEW uncredited_events AS
SELECT e.* FROM events e
WHERE CASE WHEN e.install_id IS NOT NULL
      THEN NOT EXISTS (SELECT FROM installs i WHERE i.app = e.app AND i.install_id = e.install_id)
      ELSE NOT EXISTS (SELECT FROM installs i WHERE i.app = e.app AND i.user_id = e.user_id
                       AND i.id < received_after(e.occurred_at))
           AND (SELECT bool_or(i.id < received_after(e.occurred_at)) FROM installs i
                WHERE i.device_keys && e.device_keys) IS NOT TRUE END;
