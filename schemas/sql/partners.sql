-- name: put
-- A new partner.
INSERT INTO partners (id, title) VALUES ($1, $2);

-- name: set
-- What a partner is: (id, title, profile, parameters, protection, sending).
UPDATE partners SET title = $2, profile = $3, parameters = $4::text::jsonb, protection = $5::text::jsonb,
                    sending = $6::text::jsonb
WHERE id = $1;

-- name: delete
-- The row stays: touches, money and reports name it.
UPDATE partners SET deleted_at = now() WHERE id = $1;

-- name: lock
-- Nobody else changes it meanwhile; how many campaigns it has.
SELECT p.id, (SELECT count(*) FROM campaigns c WHERE c.partner = p.id AND c.deleted_at IS NULL) AS campaigns
FROM partners p WHERE p.id = $1 AND p.deleted_at IS NULL FOR UPDATE OF p;

-- name: standing
-- A partner that a campaign may belong to.
SELECT id FROM partners WHERE id = $1 AND deleted_at IS NULL;

-- name: partners
-- Partners, by id: ($1) one, ($2) deleted ones too, ($3) whose links lead to these apps, ($4) this alone, ($5) after
-- this id; at most $6.
SELECT p.id, p.title, p.profile, p.parameters, p.protection, p.sending, p.created_at, p.deleted_at
FROM partners p
WHERE ($1::text IS NULL OR p.id = $1) AND ($2 OR p.deleted_at IS NULL)
  AND ($3::text[] IS NULL
       OR EXISTS (SELECT FROM links l JOIN campaigns c ON c.id = l.campaign
                  WHERE c.partner = p.id AND l.app = ANY ($3)))
  AND ($4::text IS NULL OR p.id = $4) AND ($5::text IS NULL OR p.id > $5)
ORDER BY p.id LIMIT $6;
