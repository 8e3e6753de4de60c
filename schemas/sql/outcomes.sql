-- name: leave
-- Installs, returns and events of which something new is known, for those who follow; silent ($2): partners are not told.
INSERT INTO outcomes (conversions, silent) VALUES ($1::uuid[], $2);

-- name: take
-- The next of them, at most $1 transactions'.
DELETE FROM outcomes WHERE id IN (SELECT id FROM outcomes ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING conversions, silent;
