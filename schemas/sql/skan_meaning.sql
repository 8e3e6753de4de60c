-- name: lock_app
-- An app whose conversion values get another meaning: one at a time.
SELECT id FROM apps WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: put_schema
-- The next version; it holds from the moment it is written.
INSERT INTO skan_schemas (app, version, schema, created_at)
SELECT $1, coalesce(max(version), 0) + 1, $2::text::jsonb, clock_timestamp() FROM skan_schemas WHERE app = $1
RETURNING app, version, schema, created_at;

-- name: schema
-- The newest of an app.
SELECT app, version, schema, created_at FROM skan_schemas WHERE app = $1 ORDER BY version DESC LIMIT 1;

-- name: schemas
-- All of these apps that held some time up to $3 and from $2 on, each app's the oldest first.
SELECT s.app, s.version, s.schema, s.created_at FROM skan_schemas s
WHERE s.app = ANY ($1) AND s.created_at < $3
  AND NOT EXISTS (SELECT FROM skan_schemas n WHERE n.app = s.app AND n.version > s.version AND n.created_at <= $2)
ORDER BY s.app, s.version;

-- name: put_source
-- A source, unless there is the same: (app, network, kind, source, campaign).
INSERT INTO skan_sources (app, network, kind, source, campaign) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (app, network, kind, source) WHERE deleted_at IS NULL DO NOTHING RETURNING id;

-- name: sources
-- Sources by id: of app $1, of campaign $2, or ($3) one; of these apps ($4), of campaigns of partner $5; deleted ones
-- too ($6); after id $7, at most $8.
SELECT s.* FROM skan_sources s JOIN campaigns c ON c.id = s.campaign
WHERE ($1::text IS NULL OR s.app = $1) AND ($2::text IS NULL OR s.campaign = $2) AND ($3::bigint IS NULL OR s.id = $3)
  AND ($4::text[] IS NULL OR s.app = ANY ($4)) AND ($5::text IS NULL OR c.partner = $5)
  AND ($6 OR s.deleted_at IS NULL) AND ($7::bigint IS NULL OR s.id > $7)
ORDER BY s.id LIMIT $8;

-- name: delete_source
-- It stands for nothing any more. Nothing when it is deleted already.
UPDATE skan_sources SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING id;

-- name: entries
-- What the sources of these apps stand for now.
SELECT app, kind, source, network, campaign FROM skan_sources WHERE app = ANY ($1) AND deleted_at IS NULL;

-- name: campaign_apps
-- Apps some of whose sources stand for a campaign.
SELECT DISTINCT app FROM skan_sources WHERE campaign = $1 AND deleted_at IS NULL;

-- name: is_campaign
-- Whether there is such a campaign, or was.
SELECT EXISTS (SELECT FROM campaigns WHERE id = $1);

-- name: numbered_apps
-- Apps with a number in the App Store, the oldest first: an older one has it before a younger one.
SELECT stores ->> 'app_store' AS number, id FROM apps
WHERE deleted_at IS NULL AND stores ->> 'app_store' ~ '^[0-9]{1,18}$' ORDER BY created_at, id;

-- name: is_app
-- Whether there is such an app.
SELECT EXISTS (SELECT FROM apps WHERE id = $1 AND deleted_at IS NULL);

-- name: store_apps
-- Of which apps there are postbacks that count: one look into the index for each, not for each postback; at most $1.
WITH RECURSIVE numbers AS (
    (SELECT store_app FROM skan_postbacks WHERE verdict = 'valid' ORDER BY store_app LIMIT 1)
    UNION ALL
    SELECT (SELECT store_app FROM skan_postbacks
            WHERE verdict = 'valid' AND store_app > n.store_app ORDER BY store_app LIMIT 1)
    FROM numbers n WHERE n.store_app IS NOT NULL
)
SELECT store_app FROM numbers WHERE store_app IS NOT NULL LIMIT $1;

-- name: told_sources
-- Sources of postbacks that count, of these apps in the App Store ($1), with ids from $2 up to $3; at most $4.
SELECT DISTINCT store_app, network, source_kind, source FROM skan_postbacks
WHERE verdict = 'valid' AND store_app = ANY ($1::bigint[]) AND id >= $2 AND id < $3 LIMIT $4;

-- name: counts
-- Postbacks that count, of these apps in the App Store ($1), with ids from $2 up to $3; `span`: how many of the ids $4,
-- in their order, are not above theirs; told apart by framework, network and source if $5, $6, $7. $8 to $13: which
-- campaign sources lead to, or several; of campaign $14 only (null: any).
SELECT store_app, width_bucket(id, $4::uuid[]) AS span, CASE WHEN $5 THEN framework END AS framework,
       CASE WHEN $6 THEN network END AS network, CASE WHEN $7 THEN source_kind END AS source_kind,
       CASE WHEN $7 THEN source END AS source, campaign, coalesce(ambiguous, false) AS ambiguous, sequence, did_win,
       conversion, fine, coarse, count(*) AS postbacks
FROM skan_postbacks LEFT JOIN unnest($8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bool[])
     AS told (store_app, network, source_kind, source, campaign, ambiguous)
     USING (store_app, network, source_kind, source)
WHERE verdict = 'valid' AND store_app = ANY ($1::bigint[]) AND id >= $2 AND id < $3
  AND ($14::text IS NULL OR campaign = $14)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13;

-- name: device_installs
-- Installs on iOS that are credited now to one of the campaigns $1, without tests, by campaign, app and UTC day; of app
-- $2 (null: any), from $3 up to $4; their ids are from $5 up to $6.
SELECT c.campaign, i.app, (conversion_time(i.installed_at, i.id) AT TIME ZONE 'UTC')::date AS day, count(*) AS installs
FROM (SELECT DISTINCT campaign, conversion FROM decisions
      WHERE campaign = ANY ($1) AND kind = 'install' AND conversion >= $5 AND conversion < $6) c
CROSS JOIN LATERAL (
    SELECT campaign FROM decisions WHERE conversion = c.conversion ORDER BY number DESC LIMIT 1) d
JOIN installs i ON i.id = c.conversion
WHERE d.campaign = c.campaign AND NOT i.test AND i.os = 'ios' AND ($2::text IS NULL OR i.app = $2)
  AND conversion_time(i.installed_at, i.id) >= $3 AND conversion_time(i.installed_at, i.id) < $4
GROUP BY 1, 2, 3;
