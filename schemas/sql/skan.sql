-- name: of_transaction
-- Every stored body of a transaction, the first received first; null: of none that could be read.
SELECT id, framework, transaction, verdict, reason, version, body, key FROM skan_postbacks
WHERE transaction = $1 ORDER BY id LIMIT $2;

-- name: turn
-- One consumer judges at a time, until its transaction ends.
SELECT pg_advisory_xact_lock(7406006);

-- name: standing_ids
-- Which of the records are stored already.
SELECT id FROM skan_postbacks WHERE id = ANY ($1::uuid[]);

-- name: standing
-- What counts of each (framework, transaction) so far.
SELECT framework, transaction, id, hash FROM skan_postbacks
WHERE (framework, transaction) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND verdict = 'valid';

-- name: displace
-- An earlier body of the transaction, with the hash $3, came by a slower way: those that stand do not count.
UPDATE skan_postbacks
SET verdict = CASE WHEN hash = $3 THEN 'duplicate' ELSE 'changed' END, reason = CASE WHEN hash = $3 THEN $4 ELSE $5 END
WHERE framework = $1 AND transaction = $2 AND verdict <> 'invalid';

-- name: forget_others
-- Bodies that do not count, received before the id $1, a few at a time.
DELETE FROM skan_postbacks WHERE id IN (
    SELECT id FROM skan_postbacks WHERE verdict <> 'valid' AND id < $1 ORDER BY id LIMIT $2)
RETURNING 1;
