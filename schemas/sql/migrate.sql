-- name: table
-- Which migrations were applied.
CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());

-- name: lock
-- One process migrates at a time.
SELECT pg_advisory_xact_lock(7406005);

-- name: claim
-- The name, when the migration was not applied yet.
INSERT INTO migrations (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING name;

-- name: now
-- The database's clock, UTC.
SELECT now() AT TIME ZONE 'UTC';
