-- name: put_app
-- A new app.
INSERT INTO apps (id, title, fallback_url) VALUES ($1, $2, $3);

-- name: put_key
-- A new key of an app, by its SHA-256.
INSERT INTO app_keys (hash, app, kind, title) VALUES ($1, $2, $3, $4);

-- name: apps
-- All apps with their keys' kinds.
SELECT a.id, a.title, a.fallback_url, a.created_at, a.deleted_at,
       coalesce((SELECT jsonb_agg(jsonb_build_object('kind', k.kind, 'title', k.title, 'created_at', k.created_at)
                                  ORDER BY k.created_at)
                 FROM app_keys k WHERE k.app = a.id AND k.revoked_at IS NULL), '[]') AS keys
FROM apps a WHERE $1::text IS NULL OR a.id = $1 ORDER BY a.id;

-- name: put_partner
-- A partner, created on first mention.
INSERT INTO partners (id, title) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: put_campaign
-- A campaign, created on first mention.
INSERT INTO campaigns (id, title, partner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: put_link
-- A new tracking link.
INSERT INTO links (id, app, campaign, title, kind, targets, fallback_url)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7);

-- name: links
-- All links, or one.
SELECT l.id, l.app, l.campaign, c.partner, l.title, l.kind, l.targets, l.fallback_url, l.paused,
       l.created_at, l.deleted_at
FROM links l LEFT JOIN campaigns c ON c.id = l.campaign
WHERE $1::text IS NULL OR l.id = $1 ORDER BY l.created_at, l.id LIMIT $2;
