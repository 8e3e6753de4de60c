-- name: app
-- Whether a token for some apps ($2; null: all) or for a partner ($3; null: all) may name the app ($1): a link of the
-- partner leads to it.
SELECT true FROM apps a
WHERE a.id = $1 AND ($2::text[] IS NULL OR a.id = ANY ($2))
  AND ($3::text IS NULL
       OR EXISTS (SELECT FROM links l JOIN campaigns c ON c.id = l.campaign WHERE l.app = a.id AND c.partner = $3));

-- name: partner
-- Likewise the partner: one of its links leads to one of the apps.
SELECT true FROM partners p
WHERE p.id = $1 AND ($3::text IS NULL OR p.id = $3)
  AND ($2::text[] IS NULL
       OR EXISTS (SELECT FROM links l JOIN campaigns c ON c.id = l.campaign
                  WHERE c.partner = p.id AND l.app = ANY ($2)));

-- name: campaign
-- Likewise the campaign: one of its links leads to one of the apps.
SELECT true FROM campaigns c
WHERE c.id = $1 AND ($3::text IS NULL OR c.partner = $3)
  AND ($2::text[] IS NULL OR EXISTS (SELECT FROM links l WHERE l.campaign = c.id AND l.app = ANY ($2)));

-- name: link
-- Likewise the link.
SELECT true FROM links l LEFT JOIN campaigns c ON c.id = l.campaign
WHERE l.id = $1 AND ($2::text[] IS NULL OR l.app = ANY ($2)) AND ($3::text IS NULL OR c.partner = $3);

-- name: tariff
-- Likewise the tariff, as its campaign; one for an app only if that is among them.
SELECT true FROM tariffs t JOIN campaigns c ON c.id = t.campaign
WHERE t.id::text = $1 AND ($3::text IS NULL OR c.partner = $3)
  AND ($2::text[] IS NULL OR t.app = ANY ($2)
       OR t.app IS NULL AND EXISTS (SELECT FROM links l WHERE l.campaign = c.id AND l.app = ANY ($2)));

-- name: correction
-- Likewise the correction.
SELECT true FROM corrections k JOIN campaigns c ON c.id = k.campaign
WHERE k.id::text = $1 AND ($2::text[] IS NULL OR k.app = ANY ($2)) AND ($3::text IS NULL OR c.partner = $3);

-- name: postback_template
-- Likewise the template of postbacks.
SELECT true FROM postback_templates t
WHERE t.id::text = $1 AND ($2::text[] IS NULL OR t.app = ANY ($2)) AND ($3::text IS NULL OR t.partner = $3);

-- name: postback
-- Likewise the postback.
SELECT true FROM postbacks b
WHERE b.id::text = $1 AND ($2::text[] IS NULL OR b.app = ANY ($2)) AND ($3::text IS NULL OR b.partner = $3);

-- name: skan_source
-- Likewise the source of Apple's postbacks.
SELECT true FROM skan_sources s JOIN campaigns c ON c.id = s.campaign
WHERE s.id::text = $1 AND ($2::text[] IS NULL OR s.app = ANY ($2)) AND ($3::text IS NULL OR c.partner = $3);
