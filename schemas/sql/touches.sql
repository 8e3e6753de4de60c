-- name: owners
-- Partner and campaign of links, those of now.
SELECT l.id AS link, c.partner, l.campaign
FROM links l LEFT JOIN campaigns c ON c.id = l.campaign
WHERE l.id = ANY($1::text[]);

-- name: stage
-- A session's scratch table: COPY cannot say ON CONFLICT.
CREATE TEMP TABLE IF NOT EXISTS stage_touches (LIKE touches) ON COMMIT DELETE ROWS;

-- name: insert
-- Stage → touches; a hit that stands already changes nothing.
INSERT INTO touches SELECT * FROM stage_touches
ON CONFLICT DO NOTHING
RETURNING id;

-- name: more_keys
-- Further identifiers of touches.
INSERT INTO touch_more_keys (key, touched_at, touch)
SELECT k.key, timestamptz 'epoch' + k.touched_us * interval '1 microsecond', k.touch
FROM unnest($1::bigint[], $2::bigint[], $3::uuid[]) AS k (key, touched_us, touch)
ON CONFLICT DO NOTHING;

-- name: partitions
-- Bounds of the week partitions, as text: FOR VALUES FROM ('…') TO ('…').
SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'touches'::regclass AND c.relname <> 'touches_default'
ORDER BY c.relname;

-- name: lock_partitions
-- One process at a time makes partitions.
SELECT pg_advisory_xact_lock(7406002);
