-- name: templates
-- Every template, deleted ones too, of the apps of these installs and events; partners' hold time in seconds.
SELECT t.id, t.app, t.partner, t.event, t.first_only, t.method, t.url, t.body, t.reversal_url, t.created_at,
       CASE WHEN t.deleted_at IS NULL AND p.deleted_at IS NULL THEN t.mode ELSE 'off' END AS mode,
       coalesce((p.sending ->> 'hold_s')::int, 0) AS hold_s
FROM postback_templates t LEFT JOIN partners p ON p.id = t.partner
WHERE t.app IN (SELECT app FROM installs WHERE id = ANY($1::uuid[]) UNION SELECT app FROM events WHERE id = ANY($1::uuid[]))
ORDER BY t.id;

-- name: family
-- Installs that these conversions belong to, and those which are reinstalls of them: `whole` when the attribution of the
-- install itself may be new, so that all its events are looked at.
WITH RECURSIVE whole AS (
    SELECT id FROM installs WHERE id = ANY($1::uuid[])
    UNION
    SELECT d.conversion FROM whole w JOIN decisions d ON d.earlier = w.id AND d.method = 'reinstall'
)
SELECT id, true AS whole FROM whole
UNION
SELECT v.install, false FROM unnest($1::uuid[]) AS n (id)
CROSS JOIN LATERAL (SELECT install FROM event_installs WHERE event = n.id OFFSET 0) v
WHERE NOT EXISTS (SELECT FROM whole w WHERE w.id = v.install);

-- name: lock_installs
-- One at a time plans for an install: of two events at once, the first alone may be told.
SELECT id FROM installs WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: lock_events
-- The same for events; of websites they have no install.
SELECT id FROM events WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: events_of
-- The next page of $4 events of these installs, after ($2, $3), in the order of their time.
SELECT v.event, v.at FROM unnest($1::uuid[]) AS n (id)
CROSS JOIN LATERAL (SELECT event, at FROM event_installs WHERE install = n.id AND (at, event) > ($2, $3) OFFSET 0) v
ORDER BY v.at, v.event LIMIT $4;

-- name: postbacks
-- What was planned for these conversions, in its order. Not locked: of one that is claimed meanwhile and superseded here,
-- the sender has the conversion followed again when it was delivered.
SELECT id, template, conversion, touch, link, reversal, state, url,
       state <> 'refused' AND (attempts > 0 OR leased_until IS NOT NULL OR state = 'sent') AS perhaps_received
FROM postbacks WHERE conversion = ANY($1::uuid[]) AND template IS NOT NULL
ORDER BY id;

-- name: lost
-- Clicks and links ($1 numbers them: touch, link, conversion, install) that an attribution was taken from, as macros of
-- a reversal tell them.
SELECT n.number, n.touch, t.kind AS touch_kind, n.link, t.touched_at, t.click_id, host(t.ip) AS touch_ip, t.ua AS touch_ua,
       t.query, l.title AS link_title, c.id AS campaign, c.title AS campaign_title, c.kind AS campaign_kind,
       c.traffic AS campaign_traffic, p.id AS partner, p.title AS partner_title,
       (SELECT method FROM decisions d WHERE d.conversion IN (n.conversion, n.install) AND d.touch = n.touch
        ORDER BY d.conversion <> n.conversion, d.number DESC LIMIT 1) AS method
FROM unnest($1::int[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[]) AS n (number, touch, link, conversion, install)
LEFT JOIN LATERAL (SELECT * FROM touches WHERE id = n.touch OFFSET 0) t ON true
LEFT JOIN links l ON l.id = n.link
LEFT JOIN campaigns c ON c.id = coalesce(t.campaign, l.campaign)
LEFT JOIN partners p ON p.id = coalesce(t.partner, c.partner)
ORDER BY n.number;

-- name: told_first
-- Which event of an install these templates, of `first_only`, told first.
SELECT DISTINCT ON (template, install) template, install, conversion
FROM postbacks
WHERE install = ANY($1::uuid[]) AND template = ANY($2::bigint[]) AND NOT reversal AND state <> 'superseded'
ORDER BY template, install, id;

-- name: supersede
-- Nobody is told any more.
UPDATE postbacks SET state = 'superseded' WHERE id = ANY($1::bigint[]) AND state = 'waiting';

-- name: revive
-- (id, seconds to hold). It is to be told after all.
UPDATE postbacks p SET state = 'waiting', due_at = now() + r.hold_s * interval '1 second', leased_until = NULL
FROM unnest($1::bigint[], $2::int[]) AS r (id, hold_s) WHERE p.id = r.id AND p.state = 'superseded';

-- name: plan
-- New postbacks; one whose key stands is planned already.
INSERT INTO postbacks (template, conversion, install, touch, link, reversal, app, partner, event, key, method, url, body,
                       due_at)
SELECT template, conversion, install, touch, link, reversal, app, partner, event, key, method, url, body,
       now() + hold_s * interval '1 second'
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::boolean[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::text[], $12::text[], $13::text[], $14::int[])
    AS n (template, conversion, install, touch, link, reversal, app, partner, event, key, method, url, body, hold_s)
ON CONFLICT (key) DO NOTHING;
