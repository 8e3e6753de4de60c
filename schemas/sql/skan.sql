-- name: of_transaction
-- Every stored body of a transaction, the first received first; null: of none that could be read.
SELECT id, framework, transaction, verdict, reason, version, body, key FROM skan_postbacks
WHERE transaction = $1 ORDER BY id LIMIT $2;
