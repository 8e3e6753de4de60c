-- name: changes
-- What changed after number $1, oldest first, at most $2 rows: (kind, change, JSON of schemas.links).
SELECT * FROM (
    (SELECT 'link' AS kind, change, jsonb_strip_nulls(jsonb_build_object(
        'id', id, 'app', app, 'kind', kind, 'targets', targets, 'fallback_url', fallback_url,
        'paused', paused OR deleted_at IS NOT NULL,
        'partner', (SELECT partner FROM campaigns WHERE campaigns.id = links.campaign))) AS body
     FROM links WHERE change > $1 ORDER BY change LIMIT $2)
    UNION ALL
    (SELECT 'app', change, jsonb_strip_nulls(jsonb_build_object(
        'id', id, 'fallback_url', fallback_url, 'coppa', coppa, 'truncate_addresses', truncate_addresses,
        'kind', kind, 'origins', origins, 'stores', CASE WHEN deleted_at IS NULL THEN stores END))
     FROM apps WHERE change > $1 ORDER BY change LIMIT $2)
    UNION ALL
    (SELECT 'key', change, jsonb_build_object(
        'hash', hash, 'app', app, 'kind', kind, 'revoked', revoked_at IS NOT NULL)
     FROM app_keys WHERE change > $1 ORDER BY change LIMIT $2)
    UNION ALL
    (SELECT 'partner', change, jsonb_strip_nulls(jsonb_build_object(
        'id', id, 'protection', CASE WHEN deleted_at IS NULL THEN protection END))
     FROM partners WHERE change > $1 ORDER BY change LIMIT $2)
) AS changed ORDER BY change LIMIT $2;
