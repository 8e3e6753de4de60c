-- name: put
-- A new campaign: (id, title, kind, traffic, partner, cost).
INSERT INTO campaigns (id, title, kind, traffic, partner, cost) VALUES ($1, $2, $3, $4, $5, $6);

-- name: set
-- What a campaign is: (id, title, kind, traffic, partner, cost).
UPDATE campaigns SET title = $2, kind = $3, traffic = $4, partner = $5, cost = $6 WHERE id = $1;

-- name: delete
-- The row stays: touches, money and reports name it.
UPDATE campaigns SET deleted_at = now() WHERE id = $1;

-- name: lock
-- Nobody else changes it meanwhile; how many links it has, and how many sources of SKAdNetwork stand for it.
SELECT c.id, c.kind, c.partner,
       (SELECT count(*) FROM links l WHERE l.campaign = c.id AND l.deleted_at IS NULL) AS links,
       (SELECT count(*) FROM skan_sources s WHERE s.campaign = c.id AND s.deleted_at IS NULL) AS sources
FROM campaigns c WHERE c.id = $1 AND c.deleted_at IS NULL FOR UPDATE OF c;

-- name: campaigns
-- Campaigns, by id: ($1) one, ($2) deleted ones too, ($3) of a partner, ($4) with a link to these apps, ($5) of this
-- partner alone, ($6) after this id; at most $7.
SELECT c.id, c.title, c.kind, c.traffic, c.partner, c.cost, c.created_at, c.deleted_at,
       (SELECT count(*) FROM links l WHERE l.campaign = c.id AND l.deleted_at IS NULL
            AND ($4::text[] IS NULL OR l.app = ANY ($4))) AS links
FROM campaigns c
WHERE ($1::text IS NULL OR c.id = $1) AND ($2 OR c.deleted_at IS NULL) AND ($3::text IS NULL OR c.partner = $3)
  AND ($4::text[] IS NULL OR EXISTS (SELECT FROM links l WHERE l.campaign = c.id AND l.app = ANY ($4)))
  AND ($5::text IS NULL OR c.partner = $5) AND ($6::text IS NULL OR c.id > $6)
ORDER BY c.id LIMIT $7;
