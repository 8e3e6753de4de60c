-- name: apps
-- Apps of these names that links may belong to: (id, kind).
SELECT id, kind FROM apps WHERE id = ANY($1::text[]) AND deleted_at IS NULL;

-- name: campaigns
-- Campaigns of these names: (id, partner, kind); of deleted ones too.
SELECT id, partner, kind, deleted_at IS NOT NULL AS deleted FROM campaigns WHERE id = ANY($1::text[]);

-- name: partners
-- Partners of these names, deleted ones too.
SELECT id, deleted_at IS NOT NULL AS deleted FROM partners WHERE id = ANY($1::text[]);

-- name: taken
-- Which of these ids links have already.
SELECT id FROM links WHERE id = ANY($1::text[]);

-- name: put_partners
-- New partners, by their names.
INSERT INTO partners (id, title) SELECT id, id FROM unnest($1::text[]) AS id;

-- name: put_campaigns
-- New campaigns: (name, partner, kind).
INSERT INTO campaigns (id, title, partner, kind)
SELECT id, id, partner, kind FROM unnest($1::text[], $2::text[], $3::text[]) AS c (id, partner, kind);

-- name: put_links
-- New links.
INSERT INTO links (id, app, campaign, title, kind, targets, fallback_url, paused, host, windows)
SELECT id, app, campaign, title, kind, targets::jsonb, fallback_url, paused, host, windows::jsonb
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],
            $9::text[], $10::text[])
    AS l (id, app, campaign, title, kind, targets, fallback_url, paused, host, windows);

-- name: links
-- Links that are not deleted (of app $1), from id $2 on, at most $3, by their ids.
SELECT l.id, l.app, l.campaign, c.partner, l.title, l.kind, l.targets, l.fallback_url, l.paused, l.host, l.windows
FROM links l LEFT JOIN campaigns c ON c.id = l.campaign
WHERE l.deleted_at IS NULL AND ($1::text IS NULL OR l.app = $1) AND l.id > $2
ORDER BY l.id LIMIT $3;

-- name: sheet
-- What a link's integration sheet says, with its partner's macros and protection.
SELECT l.id, l.title, l.app, a.title AS app_title, l.host, p.title AS partner_title, p.profile, p.parameters, p.protection
FROM links l JOIN apps a ON a.id = l.app
LEFT JOIN campaigns c ON c.id = l.campaign LEFT JOIN partners p ON p.id = c.partner
WHERE l.id = $1;
