-- name: note
-- Who changed what: (actor, action, kind, subject, before, after).
INSERT INTO audit (actor, action, kind, subject, before, after) VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::text::jsonb);
