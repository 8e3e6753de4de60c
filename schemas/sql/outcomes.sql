-- name: leave
-- Installs, returns and events of which something new is known, for those who follow; silent ($2): partners are not told.
INSERT INTO outcomes (conversions, silent) VALUES ($1::uuid[], $2);

-- name: take
-- The next of them, at most $1 transactions'.
DELETE FROM outcomes WHERE id IN (SELECT id FROM outcomes ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING conversions, silent;

-- name: set_aside
-- One conversion that could not be followed, and why; told aloud when any of its outcomes was to be.
INSERT INTO set_aside AS s (conversion, silent, why) VALUES ($1, $2, $3)
ON CONFLICT (conversion) DO UPDATE SET silent = s.silent AND excluded.silent, why = excluded.why, at = excluded.at;

-- name: try_again
-- What was set aside is to be followed once more: at every start, for then it may be another version.
WITH again AS (DELETE FROM set_aside RETURNING conversion, silent)
INSERT INTO outcomes (conversions, silent) SELECT ARRAY[conversion], silent FROM again;

-- name: count_set_aside
-- How many conversions could not be followed.
SELECT count(*) FROM set_aside;
