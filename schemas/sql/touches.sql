-- name: owners
-- Partner and campaign of links, those of now, and the tariffs of the campaign's clicks and impressions (null: none).
WITH owned AS MATERIALIZED (
    SELECT l.id AS link, c.partner, l.campaign
    FROM links l LEFT JOIN campaigns c ON c.id = l.campaign
    WHERE l.id = ANY($1::text[])
), priced AS (
    SELECT t.campaign, jsonb_agg(jsonb_build_object('id', t.id, 'app', t.app, 'model', t.model,
                                                    'starts_on', t.starts_on, 'ends_on', t.ends_on)) AS tariffs
    FROM tariffs t
    WHERE t.campaign IN (SELECT campaign FROM owned) AND t.model IN ('cpc', 'cpm') AND t.deleted_at IS NULL
    GROUP BY 1
)
SELECT o.link, o.partner, o.campaign, p.tariffs FROM owned o LEFT JOIN priced p ON p.campaign = o.campaign;

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

-- name: costs
-- Touches counted by tariff, link, app and hour ($1 to $5); what partners say of theirs by link, app, hour and currency.
WITH said AS (
    INSERT INTO partner_costs AS p (link, app, hour, currency, nanos)
    SELECT * FROM unnest($6::text[], $7::text[], $8::int[], $9::text[], $10::numeric[])
    ON CONFLICT (link, app, hour, currency) DO UPDATE SET nanos = p.nanos + excluded.nanos
)
INSERT INTO touch_costs AS t (tariff, link, app, hour, count)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::bigint[])
ON CONFLICT (tariff, link, app, hour) DO UPDATE SET count = t.count + excluded.count;

-- name: partitions
-- Bounds of the week partitions, as text: FOR VALUES FROM ('…') TO ('…').
SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'touches'::regclass AND c.relname <> 'touches_default'
ORDER BY c.relname;

-- name: lock_partitions
-- One process at a time makes partitions.
SELECT pg_advisory_xact_lock(7406002);
