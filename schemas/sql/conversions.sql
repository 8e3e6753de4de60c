-- name: insert_installs
-- New installs; an install_id that stands already changes nothing.
INSERT INTO installs (app, install_id, id, installed_at, user_id, preinstall_link, ids, os, device,
                      app_version, referrer, ip, ua, country, flags)
SELECT i.app, i.install_id, i.id, timestamptz 'epoch' + i.installed_us * interval '1 microsecond',
       i.user_id, i.preinstall_link, i.ids::jsonb, i.os, i.device::jsonb, i.app_version,
       i.referrer::jsonb, i.ip::inet, i.ua, i.country, coalesce(string_to_array(nullif(i.flags, ''), ','), '{}')
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
    AS i (app, install_id, id, installed_us, user_id, preinstall_link, ids, os, device,
          app_version, referrer, ip, ua, country, flags)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: insert_events
-- New events; an event_id that stands already changes nothing.
INSERT INTO events (app, event_id, id, name, occurred_at, install_id, ids, user_id, revenue_micros, currency,
                    params, ip, ua, flags)
SELECT e.app, e.event_id, e.id, e.name, timestamptz 'epoch' + e.occurred_us * interval '1 microsecond',
       e.install_id, e.ids::jsonb, e.user_id, e.revenue_micros, e.currency, e.params::jsonb, e.ip::inet, e.ua,
       coalesce(string_to_array(nullif(e.flags, ''), ','), '{}')
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
            $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
    AS e (app, event_id, id, name, occurred_us, install_id, ids, user_id, revenue_micros, currency,
          params, ip, ua, flags)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: standing
-- Which of these records stand already: a replay of ours, not a sender's retry.
SELECT id FROM installs WHERE id = ANY($1::uuid[])
UNION ALL
SELECT id FROM events WHERE id = ANY($1::uuid[])
UNION ALL
SELECT id FROM visits WHERE id = ANY($1::uuid[]);

-- name: insert_keys
-- What new installs look for.
INSERT INTO conversion_keys (key, install) SELECT * FROM unnest($1::bigint[], $2::uuid[])
ON CONFLICT DO NOTHING;

-- name: without_barrier
-- Installs that wait for a barrier.
SELECT id FROM installs WHERE barrier IS NULL AND NOT decided ORDER BY id LIMIT $1;

-- name: new_barrier
-- The ends of the hits' log, read after these installs were committed.
WITH made AS (INSERT INTO barriers (ends) VALUES ($1::text::jsonb) RETURNING id)
UPDATE installs SET barrier = made.id FROM made WHERE installs.id = ANY($2::uuid[]) AND barrier IS NULL
RETURNING installs.id;

-- name: drop_open_barriers
-- Their installs get a new barrier, which can only lie further on.
WITH dropped AS (UPDATE installs SET barrier = NULL WHERE NOT decided AND barrier IN
                 (SELECT id FROM barriers WHERE passed_at IS NULL) RETURNING barrier)
SELECT count(*) FROM dropped;

-- name: open_barriers
-- Barriers that touches have not passed yet, the oldest first; only those that somebody waits for.
SELECT id, ends FROM barriers b WHERE passed_at IS NULL
AND EXISTS (SELECT FROM installs i WHERE i.barrier = b.id AND NOT i.decided) ORDER BY id LIMIT 100;

-- name: touches_positions
-- How far the touches consumer has come.
SELECT log, partition, next_offset FROM log_positions WHERE consumer = 'touches';

-- name: pass_barrier
-- Its installs may be decided.
UPDATE barriers SET passed_at = now() WHERE id = $1;

-- name: forget_barriers
-- Barriers whose installs are all decided are of no use any more.
DELETE FROM barriers b WHERE created_at < now() - interval '1 hour'
AND NOT EXISTS (SELECT FROM installs i WHERE i.barrier = b.id AND NOT i.decided);

-- name: take_ready
-- Installs to decide now; those another process decides are left to it.
SELECT i.* FROM installs i JOIN barriers b ON b.id = i.barrier
WHERE NOT i.decided AND b.passed_at IS NOT NULL
ORDER BY i.id LIMIT $1 FOR UPDATE OF i SKIP LOCKED;

-- name: waiting
-- How many installs wait.
SELECT count(*) FROM installs WHERE NOT decided;

-- name: rules
-- The rules that hold for apps; those without any of their own are missing.
SELECT DISTINCT ON (app) app, version, rules FROM app_rules WHERE app = ANY($1::text[]) ORDER BY app, version DESC;

-- name: labels
-- Tracking links that apps came with, and whose they are.
SELECT l.id AS link, l.app, l.campaign, c.partner FROM links l LEFT JOIN campaigns c ON c.id = l.campaign
WHERE l.id = ANY($1::text[]);

-- name: candidates
-- Touches under the keys of installs: (install's number, method, column, key, floor of ids, latest touched_at).
-- Each column has its own index, so each has its own branch. $7: at most so many per key.
WITH p AS (
    SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::uuid[], $6::timestamptz[])
        AS p (number, method, col, key, floor, top)
), found AS (
    SELECT p.number, p.method, p.col, p.key, t.id FROM p CROSS JOIN LATERAL (
        SELECT id FROM touches WHERE device_sha1_key = p.key AND id >= p.floor AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT $7) t WHERE p.col = 'device_sha1_key'
    UNION ALL
    SELECT p.number, p.method, p.col, p.key, t.id FROM p CROSS JOIN LATERAL (
        SELECT id FROM touches WHERE device_md5_key = p.key AND id >= p.floor AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT $7) t WHERE p.col = 'device_md5_key'
    UNION ALL
    SELECT p.number, p.method, p.col, p.key, t.id FROM p CROSS JOIN LATERAL (
        SELECT id FROM touches WHERE click_key = p.key AND id >= p.floor AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT $7) t WHERE p.col = 'click_key'
    UNION ALL
    SELECT p.number, p.method, p.col, p.key, t.id FROM p CROSS JOIN LATERAL (
        SELECT id FROM touches WHERE external_click_key = p.key AND id >= p.floor AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT $7) t WHERE p.col = 'external_click_key'
    UNION ALL
    SELECT p.number, p.method, p.col, p.key, t.id FROM p CROSS JOIN LATERAL (
        SELECT id FROM touches WHERE print_key = p.key AND id >= p.floor AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT $7) t WHERE p.col = 'print_key'
    UNION ALL
    SELECT p.number, p.method, p.col, p.key, t.touch FROM p CROSS JOIN LATERAL (
        SELECT touch FROM touch_more_keys WHERE key = p.key AND touched_at <= p.top
        ORDER BY touched_at DESC, touch DESC LIMIT $7) t WHERE p.col = 'more'
)
SELECT found.number, found.method, found.col, found.key, t.id, t.kind, t.app, t.link, t.campaign, t.partner,
       t.touched_at, t.click_id, t.external_click_id, t.params, t.ip, t.os_version, t.model, t.language, t.ua, t.flags
FROM found JOIN touches t ON t.id = found.id
ORDER BY found.number, t.touched_at DESC, t.id DESC;

-- name: by_id
-- Touches that a store's referrer names by our own id.
SELECT n.number, 'referrer' AS method, 'id' AS col, 0::bigint AS key, t.id, t.kind, t.app, t.link, t.campaign,
       t.partner, t.touched_at, t.click_id, t.external_click_id, t.params, t.ip, t.os_version, t.model, t.language,
       t.ua, t.flags
FROM unnest($1::int[], $2::uuid[]) AS n (number, id) JOIN touches t ON t.id = n.id;

-- name: take_marked
-- Decided installs that a later touch concerns; those another process decides are left to it.
SELECT i.* FROM installs i WHERE i.decided AND i.id IN (SELECT install FROM marks)
ORDER BY i.id LIMIT $1 FOR UPDATE OF i SKIP LOCKED;

-- name: unmark
-- Before their candidates are read: whatever marks them from here on is seen next time.
DELETE FROM marks WHERE install = ANY($1::uuid[]);

-- name: forget_marks
-- Of installs that came too long ago to be decided again.
DELETE FROM marks WHERE install < $1;

-- name: decide
-- Decisions with their candidates. A later decision of an install has a higher number; an equal one is none.
INSERT INTO decisions (install, number, method, touch, touch_kind, link, campaign, partner, click_id,
                       confidence, candidates, rules)
SELECT d.install, coalesce(o.number, 0) + 1,
       d.method, d.touch, d.touch_kind, d.link, d.campaign, d.partner, d.click_id, d.confidence,
       d.candidates::jsonb, d.rules
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::float8[], $10::text[], $11::text[])
    AS d (install, method, touch, touch_kind, link, campaign, partner, click_id, confidence, candidates, rules)
LEFT JOIN LATERAL (SELECT * FROM decisions o WHERE o.install = d.install ORDER BY o.number DESC LIMIT 1) o ON true
WHERE (o.method, o.touch, o.candidates) IS DISTINCT FROM (d.method, d.touch, d.candidates::jsonb);

-- name: mark_decided
-- They wait no longer.
UPDATE installs SET decided = true WHERE id = ANY($1::uuid[]);
