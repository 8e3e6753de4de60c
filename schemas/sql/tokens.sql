-- name: put
-- A new token: (id, hash, title, role, apps, partner, expires_at).
INSERT INTO tokens (id, hash, title, role, apps, partner, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: put_first
-- The first admin token (id, hash, title), unless there was one ever; gives its id.
INSERT INTO tokens (id, hash, title, role)
SELECT $1, $2, $3, 'admin' WHERE NOT EXISTS (SELECT FROM tokens WHERE role = 'admin') RETURNING id;

-- name: holder
-- What the token with this digest may do, and whether that it was used is to be written down.
SELECT id, role, apps, partner, used_at IS NULL OR used_at < now() - interval '1 minute' AS unnoticed
FROM tokens WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- name: used
-- It was used just now.
UPDATE tokens SET used_at = now() WHERE id = $1;

-- name: rotate
-- Another secret for a token, and until when it is good; the old one is worth nothing from now on.
UPDATE tokens SET hash = $2, expires_at = $3, used_at = NULL WHERE id = $1;

-- name: revoke
-- The row stays: the audit names it.
UPDATE tokens SET revoked_at = now() WHERE id = $1;

-- name: lock
-- Nobody else changes it meanwhile.
SELECT id FROM tokens WHERE id = $1 AND revoked_at IS NULL FOR UPDATE;

-- name: tokens
-- Tokens, by id: ($1) one, ($2) revoked ones too, ($3) after this id; at most $4.
SELECT id, title, role, apps, partner, created_at, expires_at, revoked_at, used_at
FROM tokens
WHERE ($1::text IS NULL OR id = $1) AND ($2 OR revoked_at IS NULL) AND ($3::text IS NULL OR id > $3)
ORDER BY id LIMIT $4;
