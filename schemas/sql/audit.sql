-- name: note
-- Who changed what: (actor, action, kind, subject, before, after).
INSERT INTO audit (actor, action, kind, subject, before, after) VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::text::jsonb);

-- name: audit
-- What was changed, the latest first: ($1) of a kind, ($2) of one thing, ($3) before this number; at most $4.
SELECT id, at, actor, action, kind, subject, before, after
FROM audit
WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR subject = $2) AND ($3::bigint IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4;
