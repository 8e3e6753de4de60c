-- name: stage
-- A session's scratch table: COPY cannot say ON CONFLICT.
CREATE TEMP TABLE IF NOT EXISTS stage_touches (
    id uuid, kind text, mode text, link text, app text, touched_us bigint, click_id text, external_click_id text,
    ip text, ua text, os text, os_version text, brand text, model text, browser text, language text, country text,
    query text, params text, headers text, flags text[],
    device_sha1_key bigint, device_md5_key bigint, click_key bigint, external_click_key bigint, print_key bigint
) ON COMMIT DELETE ROWS;

-- name: insert
-- Stage → touches; a hit that stands already changes nothing. Partner and campaign are the link's of now.
INSERT INTO touches (id, kind, mode, link, app, partner, campaign, touched_at, click_id, external_click_id,
    ip, ua, os, os_version, brand, model, browser, language, country, query, params, headers, flags,
    device_sha1_key, device_md5_key, click_key, external_click_key, print_key)
SELECT s.id, s.kind, s.mode, s.link, s.app, c.partner, l.campaign,
    timestamptz 'epoch' + s.touched_us * interval '1 microsecond', s.click_id, s.external_click_id,
    s.ip::inet, s.ua, s.os, s.os_version, s.brand, s.model, s.browser, s.language, s.country, s.query,
    s.params::jsonb, s.headers::jsonb, s.flags,
    s.device_sha1_key, s.device_md5_key, s.click_key, s.external_click_key, s.print_key
FROM stage_touches s
LEFT JOIN links l ON l.id = s.link
LEFT JOIN campaigns c ON c.id = l.campaign
ON CONFLICT DO NOTHING
RETURNING id;

-- name: more_keys
-- Further identifiers of touches.
INSERT INTO touch_more_keys (key, touched_at, touch)
SELECT k.key, timestamptz 'epoch' + k.touched_us * interval '1 microsecond', k.touch
FROM unnest($1::bigint[], $2::bigint[], $3::uuid[]) AS k (key, touched_us, touch)
ON CONFLICT DO NOTHING;

-- name: partitions
-- Bounds of the day partitions, as text: FOR VALUES FROM ('…') TO ('…').
SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'touches'::regclass AND c.relname <> 'touches_default'
ORDER BY c.relname;

-- name: lock_partitions
-- One process at a time makes partitions.
SELECT pg_advisory_xact_lock(7406002);
