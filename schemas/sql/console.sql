-- name: answers
-- Whether there is a Postgres.
SELECT 1;

-- name: explained
-- Installs of this install_id (in app $2 only) with their current decision; nulls while undecided.
SELECT i.app, i.install_id, i.id, w.conversion IS NULL AS decided, i.too_late, b.passed_at IS NOT NULL AS touches_read,
       EXISTS (SELECT FROM marks m WHERE m.conversion = i.id) AS marked,
       d.number, d.method, d.touch, d.touch_kind, d.link, d.campaign, d.partner, d.click_id, d.confidence,
       d.candidates, d.more, d.tags, d.earlier, e.install_id AS earlier_install_id, d.rules, d.decided_at, d.replayed
FROM installs i
LEFT JOIN waiting w ON w.conversion = i.id
LEFT JOIN barriers b ON b.id = w.barrier
LEFT JOIN LATERAL (SELECT * FROM decisions WHERE conversion = i.id ORDER BY number DESC LIMIT 1) d ON true
LEFT JOIN installs e ON e.id = d.earlier
WHERE i.install_id = $1 AND ($2::text IS NULL OR i.app = $2)
ORDER BY i.app LIMIT 20;

-- name: reengagements
-- The newest $2 returns of the user of an install, with the current decision about each; nulls while it waits.
SELECT e.event_id, e.name, e.at, b.passed_at IS NOT NULL AS touches_read,
       EXISTS (SELECT FROM marks m WHERE m.conversion = e.id) AS marked,
       d.number, d.method, d.touch, d.touch_kind, d.link, d.campaign, d.partner, d.click_id, d.confidence,
       d.candidates, d.more, d.tags, d.rules, d.decided_at, d.test
FROM event_installs v JOIN events e ON e.id = v.event
LEFT JOIN waiting w ON w.conversion = e.id
LEFT JOIN barriers b ON b.id = w.barrier
LEFT JOIN LATERAL (SELECT * FROM decisions WHERE conversion = e.id ORDER BY number DESC LIMIT 1) d ON true
WHERE v.install = $1 AND (w.conversion IS NOT NULL OR d.kind = 're-engagement') AND d.method IS DISTINCT FROM 'active'
ORDER BY e.at DESC, e.id DESC LIMIT $2;

-- name: newest_touches
-- The newest $5 touches (of link $3) with ids from $1 up to $2, among the newest $4 of any link:
-- no index leads from a link to its touches, so the bound is on what is looked through.
SELECT t.id, t.kind, t.mode, t.link, t.app, t.touched_at, t.click_id, abbrev(t.ip) AS ip, t.country, t.flags, t.query
FROM (SELECT * FROM touches WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $4) t
WHERE $3::text IS NULL OR t.link = $3
ORDER BY t.id DESC LIMIT $5;

-- name: newest_rejects
-- The newest $6 rejects of each consumer (of link $4), likewise: (consumer, lowest id), ids below $3.
SELECT r.id, r.consumer, r.subject, r.reason, r.parameter, r.detail, r.record
FROM unnest($1::text[], $2::uuid[]) AS c (consumer, floor) CROSS JOIN LATERAL (
    SELECT n.* FROM (
        SELECT * FROM rejects WHERE consumer = c.consumer AND id >= c.floor AND id < $3
        ORDER BY id DESC LIMIT $5) n
    WHERE $4::text IS NULL OR (n.subject = $4 AND n.consumer <> 'attribution')
    ORDER BY n.id DESC LIMIT $6) r;

-- name: newest_ids
-- The highest id below $1 of the touches (without a consumer) and of the rejects of each consumer of $2.
SELECT NULL AS consumer, (SELECT id FROM touches WHERE id < $1 ORDER BY id DESC LIMIT 1) AS id
UNION ALL
SELECT c.consumer, (SELECT id FROM rejects WHERE consumer = c.consumer AND id < $1 ORDER BY id DESC LIMIT 1)
FROM unnest($2::text[]) AS c (consumer);

-- name: positions
-- How far every consumer has come in every log.
SELECT consumer, log, partition, next_offset, updated_at FROM log_positions ORDER BY consumer, log, partition;

-- name: holes
-- Stretches of logs that were gone before they were read.
SELECT count(*) FROM log_holes;

-- name: waiting
-- Conversions without a decision, and the oldest of them.
SELECT count(*) AS conversions, (SELECT conversion FROM waiting ORDER BY conversion LIMIT 1) AS oldest FROM waiting;

-- name: touches_between
-- How many touches have ids from $1 up to $2; counts up to $3.
SELECT count(*) FROM (SELECT FROM touches WHERE id >= $1 AND id < $2 LIMIT $3) t;

-- name: credited
-- The newest $2 events of an install with the attribution that stands for it.
SELECT name, occurred_at, revenue_micros, currency, test, decided, method, link, campaign, partner
FROM credited_events WHERE install = $1 ORDER BY occurred_at DESC, event LIMIT $2;

-- name: credited_sums
-- How many events an install has, and what they brought without tests, by currency (null: those without revenue).
SELECT currency, count(*) AS events, coalesce(sum(revenue_micros) FILTER (WHERE NOT test), 0)::bigint AS micros
FROM credited_events WHERE install = $1 GROUP BY currency ORDER BY currency;
