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

-- name: too_many_from
-- The newest body that does not count and has $1 newer ones; null while there are fewer.
SELECT id FROM skan_postbacks WHERE verdict <> 'valid' ORDER BY id DESC OFFSET $1 LIMIT 1;

-- name: forget_others
-- Bodies that do not count, up to the id $1, at most $2 at a time; they leave the accounting too. Gives how many.
WITH gone AS (
    DELETE FROM skan_postbacks WHERE id IN (
        SELECT id FROM skan_postbacks WHERE verdict <> 'valid' AND id <= $1 ORDER BY id LIMIT $2)
    RETURNING framework, (('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 3600000)::int AS hour
), counted AS (
    SELECT framework, hour, count(*) AS records FROM gone GROUP BY 1, 2
), taken AS (
    UPDATE received r SET records = r.records - c.records FROM counted c
    WHERE r.topic = 'skan' AND r.subject = c.framework AND r.hour = c.hour
)
SELECT coalesce(sum(records), 0)::bigint FROM counted;
