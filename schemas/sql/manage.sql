-- name: put_app
-- A new app.
INSERT INTO apps (id, title, fallback_url) VALUES ($1, $2, $3);

-- name: set_app
-- What an app is: (id, title, fallback_url, kind, origins, visit_window_hours, stores, coppa, truncate_addresses).
UPDATE apps SET title = $2, fallback_url = $3, kind = $4, origins = $5, visit_window_hours = $6,
                stores = $7::text::jsonb, coppa = $8, truncate_addresses = $9
WHERE id = $1;

-- name: delete_app
-- The row stays: its installs and reports name it.
UPDATE apps SET deleted_at = now() WHERE id = $1;

-- name: put_key
-- A new key of an app, by its SHA-256.
INSERT INTO app_keys (hash, app, kind, title) VALUES ($1, $2, $3, $4);

-- name: revoke_keys
-- Revoke the keys of an app ($1), or ($2) the one whose digest begins so; gives their digests.
UPDATE app_keys SET revoked_at = now()
WHERE app = $1 AND ($2::text IS NULL OR left(hash, 12) = $2) AND revoked_at IS NULL RETURNING hash;

-- name: apps
-- Apps with what is known of their keys, by id: ($1) one, ($2) deleted ones too, ($3) of these apps, ($4) to which a
-- link of this partner leads, ($5) after this id; at most $6.
SELECT a.id, a.title, a.fallback_url, a.coppa, a.truncate_addresses, a.kind, a.origins, a.stores,
       a.visit_window_hours, a.created_at, a.deleted_at,
       coalesce((SELECT jsonb_agg(jsonb_build_object('id', left(k.hash, 12), 'kind', k.kind, 'title', k.title,
                                                     'created_at', k.created_at)
                                  ORDER BY k.created_at, k.kind)
                 FROM app_keys k WHERE k.app = a.id AND k.revoked_at IS NULL), '[]') AS keys
FROM apps a
WHERE ($1::text IS NULL OR a.id = $1) AND ($2 OR a.deleted_at IS NULL)
  AND ($3::text[] IS NULL OR a.id = ANY ($3))
  AND ($4::text IS NULL
       OR EXISTS (SELECT FROM links l JOIN campaigns c ON c.id = l.campaign WHERE l.app = a.id AND c.partner = $4))
  AND ($5::text IS NULL OR a.id > $5)
ORDER BY a.id LIMIT $6;

-- name: app
-- An app that a link or a key may belong to.
SELECT id, fallback_url, kind FROM apps WHERE id = $1 AND deleted_at IS NULL;

-- name: lock_app
-- Nobody else changes it meanwhile; how many links lead to it, and how many sources of SKAdNetwork it has.
SELECT a.id, (SELECT count(*) FROM links l WHERE l.app = a.id AND l.deleted_at IS NULL) AS links,
       (SELECT count(*) FROM skan_sources s WHERE s.app = a.id AND s.deleted_at IS NULL) AS sources
FROM apps a WHERE a.id = $1 AND a.deleted_at IS NULL FOR UPDATE OF a;

-- name: put_partner
-- A partner, created on first mention.
INSERT INTO partners (id, title) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: put_campaign
-- A campaign, created on first mention.
INSERT INTO campaigns (id, title, partner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: put_link
-- A new tracking link: (id, app, campaign, title, kind, targets, fallback_url, host, windows).
INSERT INTO links (id, app, campaign, title, kind, targets, fallback_url, host, windows)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8, $9::text::jsonb);

-- name: set_link
-- What a link is: (id, campaign, title, targets, fallback_url, host, paused). Its windows stay.
UPDATE links SET campaign = $2, title = $3, targets = $4::text::jsonb, fallback_url = $5, host = $6, paused = $7
WHERE id = $1;

-- name: lock_link
-- Nobody else changes it meanwhile.
SELECT id FROM links WHERE id = $1 AND deleted_at IS NULL FOR UPDATE;

-- name: links
-- Links, the newest first: ($1) one, ($2) of an app, ($3) deleted ones too, ($4) of a campaign, ($5) of these apps,
-- ($6) of a partner, ($7) after this id; at most $8. is_skan: a campaign-id or source identifier stands for its campaign,
-- by the next one in the index: for EXISTS the table is read whole, once a link, where few campaigns have many of them.
SELECT l.id, l.app, l.campaign, c.partner, l.title, l.kind, l.targets, l.fallback_url, l.host, l.windows, l.created_at,
       CASE WHEN l.deleted_at IS NOT NULL THEN 'deleted' WHEN l.paused THEN 'paused' ELSE 'active' END AS state,
       a.fallback_url AS app_fallback_url, a.stores ->> 'app_store' AS app_store, p.profile, p.parameters,
       coalesce(l.campaign = (SELECT s.campaign FROM skan_sources s WHERE s.campaign >= l.campaign
                              AND s.deleted_at IS NULL ORDER BY s.campaign LIMIT 1), false) AS is_skan
FROM links l JOIN apps a ON a.id = l.app LEFT JOIN campaigns c ON c.id = l.campaign
LEFT JOIN partners p ON p.id = c.partner
WHERE ($1::text IS NULL OR l.id = $1) AND ($2::text IS NULL OR l.app = $2) AND ($3 OR l.deleted_at IS NULL)
  AND ($4::text IS NULL OR l.campaign = $4) AND ($5::text[] IS NULL OR l.app = ANY ($5))
  AND ($6::text IS NULL OR c.partner = $6)
  AND ($7::text IS NULL OR (l.created_at, l.id) < (SELECT o.created_at, o.id FROM links o WHERE o.id = $7))
ORDER BY l.created_at DESC, l.id DESC LIMIT $8;

-- name: delete_link
-- The row stays: its touches and reports name it, and its address still leads to the fallback.
UPDATE links SET deleted_at = now() WHERE id = $1;

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
