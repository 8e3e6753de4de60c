-- name: websites
-- Which of these apps are websites.
SELECT id FROM apps WHERE id = ANY($1::text[]) AND kind = 'web';

-- name: websites_wait
-- New events of websites wait from now on.
INSERT INTO waiting (conversion, kind) SELECT unnest($1::uuid[]), 'web' ON CONFLICT DO NOTHING;

-- name: new_activity
-- Events and installs of apps that nobody has looked at yet.
INSERT INTO activities (conversions) VALUES ($1::uuid[]);

-- name: take_activities
-- The next of them.
DELETE FROM activities WHERE id IN (SELECT id FROM activities ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING conversions;

-- name: concerned
-- Events whose return may hang on these new events and installs: an event itself and the next one of its install; of an
-- install every first event after a day's rest, its own and those of the installs from which it may take events or of
-- whose device it is. Those that wait or were decided are always among them. OFFSET 0: each is asked for by itself, by
-- the indexes, however many there seem to be.
WITH told AS MATERIALIZED (
    SELECT v.event, v.at, i.* FROM unnest($1::uuid[]) AS n (id)
    CROSS JOIN LATERAL (SELECT event, at, install FROM event_installs WHERE event = n.id OFFSET 0) v
    CROSS JOIN LATERAL (
        SELECT id AS install, app, install_id, user_id, device_keys FROM installs WHERE id = v.install OFFSET 0) i
), fresh AS MATERIALIZED (
    SELECT i.* FROM unnest($1::uuid[]) AS n (id)
    CROSS JOIN LATERAL (SELECT id, app, user_id, device_keys FROM installs WHERE id = n.id OFFSET 0) i
    CROSS JOIN LATERAL (SELECT FROM events e WHERE e.app = i.app ORDER BY e.app, e.event_id LIMIT 1) e
), family AS MATERIALIZED (
    SELECT id FROM fresh
    UNION
    SELECT before.id FROM fresh f CROSS JOIN LATERAL (
        SELECT i.id FROM installs i WHERE i.app = f.app AND i.user_id = f.user_id AND i.id < f.id
        ORDER BY i.id DESC LIMIT 1) before
    UNION
    SELECT i.id FROM (
        SELECT device_keys FROM fresh
        UNION
        SELECT e.device_keys FROM fresh f CROSS JOIN LATERAL (
            SELECT device_keys FROM events
            WHERE app = f.app AND user_id = f.user_id AND install_id IS NULL OFFSET 0) e
        UNION
        SELECT e.device_keys FROM fresh f CROSS JOIN LATERAL (
            SELECT device_keys FROM events WHERE device_keys && f.device_keys AND install_id IS NULL OFFSET 0) e
    ) named CROSS JOIN LATERAL (SELECT id FROM installs WHERE device_keys && named.device_keys OFFSET 0) i
)
SELECT event FROM told
UNION
SELECT next.id FROM told t CROSS JOIN LATERAL (
    SELECT s.id FROM (
        (SELECT e.id, e.at FROM events e
         WHERE e.app = t.app AND e.install_id = t.install_id AND (e.at, e.id) > (t.at, t.event)
         ORDER BY e.at, e.id LIMIT 1)
        UNION ALL
        (SELECT u.id, u.at FROM (
            SELECT e.id, e.at FROM events e
            WHERE e.app = t.app AND e.user_id = t.user_id AND e.install_id IS NULL AND (e.at, e.id) > (t.at, t.event)
            ORDER BY e.at, e.id OFFSET 0) u
         WHERE (SELECT v.install FROM event_installs v WHERE v.event = u.id) = t.install LIMIT 1)
        UNION ALL
        (SELECT d.id, d.at FROM (
            SELECT e.id, e.at FROM events e
            WHERE e.device_keys && t.device_keys AND e.install_id IS NULL AND (e.at, e.id) > (t.at, t.event)
            ORDER BY e.at, e.id OFFSET 0) d
         WHERE (SELECT v.install FROM event_installs v WHERE v.event = d.id) = t.install LIMIT 1)) s
    ORDER BY s.at, s.id LIMIT 1) next
UNION
SELECT event FROM (
    SELECT v.event, v.at - lag(v.at) OVER (PARTITION BY v.install ORDER BY v.at, v.event) AS rest
    FROM family f CROSS JOIN LATERAL (
        SELECT event, at, install FROM event_installs WHERE install = f.id OFFSET 0) v) theirs
WHERE rest IS NULL OR rest > interval '1 day'
   OR (SELECT d.conversion FROM decisions d WHERE d.conversion = theirs.event LIMIT 1) IS NOT NULL
   OR (SELECT w.conversion FROM waiting w WHERE w.conversion = theirs.event) IS NOT NULL;

-- name: returns
-- Events ($1) with their install, and the last activity before them: an event of the install, the install itself, or
-- another one of its device. Those that were forgotten, and those of no known install, are missing.
SELECT e.id, e.app, e.at, e.ids, e.params ->> 'touchline_id' AS touch_id, e.ip, i.ids AS install_ids, i.device,
       i.test OR 'sandbox' = ANY(e.flags) AS test,
       (SELECT w.conversion FROM waiting w WHERE w.conversion = e.id) IS NOT NULL AS waits,
       (SELECT d.conversion FROM decisions d WHERE d.conversion = e.id LIMIT 1) IS NOT NULL AS decided,
       greatest(conversion_time(i.installed_at, i.id), (
           SELECT b.at FROM events b
           WHERE b.app = i.app AND b.install_id = i.install_id AND (b.at, b.id) < (e.at, e.id)
           ORDER BY b.at DESC, b.id DESC LIMIT 1
       ), (
           SELECT u.at FROM (
               SELECT b.id, b.at FROM events b
               WHERE b.app = i.app AND b.user_id = i.user_id AND b.install_id IS NULL AND (b.at, b.id) < (e.at, e.id)
               ORDER BY b.at DESC, b.id DESC OFFSET 0) u
           WHERE (SELECT o.install FROM event_installs o WHERE o.event = u.id) = i.id LIMIT 1
       ), (
           SELECT d.at FROM (
               SELECT b.id, b.at FROM events b
               WHERE b.device_keys && i.device_keys AND b.install_id IS NULL AND (b.at, b.id) < (e.at, e.id)
               ORDER BY b.at DESC, b.id DESC OFFSET 0) d
           WHERE (SELECT o.install FROM event_installs o WHERE o.event = d.id) = i.id LIMIT 1
       ), (
           SELECT max(conversion_time(o.installed_at, o.id)) FILTER (
               WHERE o.id <> i.id AND conversion_time(o.installed_at, o.id) < e.at)
           FROM installs o WHERE o.device_keys && i.device_keys
       )) AS active_at
FROM unnest($1::uuid[]) AS n (id)
CROSS JOIN LATERAL (SELECT event, install FROM event_installs WHERE event = n.id OFFSET 0) v
CROSS JOIN LATERAL (SELECT * FROM events WHERE id = v.event OFFSET 0) e
CROSS JOIN LATERAL (SELECT * FROM installs WHERE id = v.install OFFSET 0) i
WHERE NOT 'forgotten' = ANY(e.flags);

-- name: returns_wait
-- Returns that nobody knew of yet.
INSERT INTO waiting (conversion, kind) SELECT unnest($1::uuid[]), 're-engagement' ON CONFLICT DO NOTHING;

-- name: mark
-- To be decided again, also those that wait: the decision may be under way.
INSERT INTO marks (conversion) SELECT unnest($1::uuid[]);

-- name: take_ready
-- Events to decide now; those another process decides are left to it.
SELECT e.id, e.app, e.ids ->> 'visitor_id' AS visitor_id, e.at, e.flags, coalesce(a.kind = 'web', false) AS web,
       NULL AS decided_by
FROM events e LEFT JOIN apps a ON a.id = e.app
WHERE e.id = ANY(ARRAY(
    SELECT w.conversion FROM waiting w JOIN barriers b ON b.id = w.barrier
    WHERE b.passed_at IS NOT NULL AND w.kind <> 'install' ORDER BY w.conversion LIMIT $1 FOR UPDATE OF w SKIP LOCKED))
ORDER BY e.id FOR KEY SHARE OF e SKIP LOCKED;

-- name: take_marked
-- Events to decide again, those from $2 on, with the rules they were decided by. What waits is decided first; what was
-- forgotten keeps its decision.
SELECT e.id, e.app, e.ids ->> 'visitor_id' AS visitor_id, e.at, e.flags, coalesce(a.kind = 'web', false) AS web,
       (SELECT rules FROM decisions d WHERE d.conversion = e.id ORDER BY number DESC LIMIT 1) AS decided_by
FROM events e LEFT JOIN apps a ON a.id = e.app
WHERE NOT 'forgotten' = ANY(e.flags) AND e.id IN (SELECT conversion FROM marks WHERE conversion >= $2)
AND NOT EXISTS (SELECT FROM waiting w WHERE w.conversion = e.id)
ORDER BY e.id LIMIT $1 FOR UPDATE OF e SKIP LOCKED;

-- name: visits
-- All visits of these visitors ($1 numbers them), each with the touch that it names, when this is of the website itself,
-- and with the owners of the link that it names, likewise.
SELECT p.number, v.id, conversion_time(v.occurred_at, v.id) AS at, v.touch AS named, t.id AS touch, t.kind, t.link,
       t.campaign, t.partner, t.touched_at, t.click_id, t.external_click_id,
       l.id AS own_link, l.campaign AS own_campaign, c.partner AS own_partner
FROM unnest($1::int[], $2::text[], $3::text[]) AS p (number, app, visitor_id)
JOIN visits v ON v.app = p.app AND v.visitor_id = p.visitor_id
LEFT JOIN touches t ON t.id = v.touch AND t.app = v.app
LEFT JOIN links l ON l.id = v.link AND l.app = v.app
LEFT JOIN campaigns c ON c.id = l.campaign;

-- name: windows
-- For how many hours a visit counts, of each of these websites.
SELECT id, visit_window_hours FROM apps WHERE id = ANY($1::text[]);
