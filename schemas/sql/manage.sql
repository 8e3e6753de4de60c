-- name: put_app
-- A new app.
INSERT INTO apps (id, title, fallback_url) VALUES ($1, $2, $3);

-- name: put_key
-- A new key of an app, by its SHA-256.
INSERT INTO app_keys (hash, app, kind, title) VALUES ($1, $2, $3, $4);

-- name: apps
-- All apps with what is known of their keys, or ($1) one.
SELECT a.id, a.title, a.fallback_url, a.coppa, a.truncate_addresses, a.kind, a.origins,
       a.visit_window_hours, a.created_at,
       coalesce((SELECT jsonb_agg(jsonb_build_object('kind', k.kind, 'title', k.title, 'created_at', k.created_at)
                                  ORDER BY k.created_at, k.kind)
                 FROM app_keys k WHERE k.app = a.id AND k.revoked_at IS NULL), '[]') AS keys
FROM apps a WHERE a.deleted_at IS NULL AND ($1::text IS NULL OR a.id = $1) ORDER BY a.id LIMIT $2;

-- name: app
-- An app that a link or a key may belong to.
SELECT id, fallback_url, kind FROM apps WHERE id = $1 AND deleted_at IS NULL;

-- name: set_privacy
-- What the edge leaves out of an app's records ($2 coppa, $3 truncate_addresses); null: as it is.
UPDATE apps SET coppa = coalesce($2, coppa), truncate_addresses = coalesce($3, truncate_addresses)
WHERE id = $1 AND deleted_at IS NULL RETURNING id;

-- name: set_website
-- What makes a website of an app ($2 kind, $3 origins, $4 visit_window_hours); null: as it is.
UPDATE apps SET kind = coalesce($2, kind), origins = coalesce($3, origins),
                visit_window_hours = coalesce($4, visit_window_hours)
WHERE id = $1 AND deleted_at IS NULL RETURNING id;

-- name: put_partner
-- A partner, created on first mention.
INSERT INTO partners (id, title) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: put_campaign
-- A campaign, created on first mention.
INSERT INTO campaigns (id, title, partner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: campaign_partner
-- Whose campaign it is.
SELECT partner FROM campaigns WHERE id = $1;

-- name: put_link
-- A new tracking link.
INSERT INTO links (id, app, campaign, title, kind, targets, fallback_url)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7);

-- name: links
-- Links, the newest first: ($1) one, ($2) those of an app, ($3) deleted ones too; at most $4.
SELECT l.id, l.app, l.campaign, c.partner, l.title, l.kind, l.targets, l.fallback_url, l.host, l.created_at,
       CASE WHEN l.deleted_at IS NOT NULL THEN 'deleted' WHEN l.paused THEN 'paused' ELSE 'active' END AS state,
       a.fallback_url AS app_fallback_url
FROM links l JOIN apps a ON a.id = l.app LEFT JOIN campaigns c ON c.id = l.campaign
WHERE ($1::text IS NULL OR l.id = $1) AND ($2::text IS NULL OR l.app = $2) AND ($3 OR l.deleted_at IS NULL)
ORDER BY l.created_at DESC, l.id LIMIT $4;

-- name: pause_link
-- Pause ($2) a link or let it lead on; a deleted one stays as it is.
UPDATE links SET paused = $2 WHERE id = $1 AND deleted_at IS NULL RETURNING id;

-- name: delete_link
-- The row stays: its touches and reports name it, and its address still leads to the fallback.
UPDATE links SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING id;

-- name: rules
-- Every version of an app's rules, the latest first.
SELECT version, preset, rules, created_at FROM app_rules WHERE app = $1 ORDER BY version DESC;

-- name: put_rules
-- The next version of an app's rules; two at once: one of them fails on the key.
INSERT INTO app_rules (app, version, preset, rules)
SELECT $1, coalesce(max(version), 0) + 1, $2, $3::text::jsonb FROM app_rules WHERE app = $1
RETURNING version;

-- name: put_test_device
-- A test device; one that is known gets the title ($4), if there is one.
INSERT INTO test_devices AS t (app, kind, sha1, title) VALUES ($1, $2, $3, $4)
ON CONFLICT (app, kind, sha1) DO UPDATE SET title = coalesce(nullif(excluded.title, ''), t.title)
RETURNING app, kind, sha1, title, created_at;

-- name: test_devices
-- Test devices of an app, the newest first.
SELECT app, kind, sha1, title, created_at FROM test_devices WHERE app = $1 ORDER BY created_at DESC, kind, sha1;

-- name: delete_test_device
-- Its installs from now on are like any other's.
DELETE FROM test_devices WHERE app = $1 AND kind = $2 AND sha1 = $3 RETURNING app, kind, sha1, title, created_at;
