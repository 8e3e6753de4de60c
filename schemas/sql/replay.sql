-- name: replayed
-- Installs after $1 (of app $2) with their standing decision, at most $3, in the order of their receipt.
SELECT i.*, d.method, d.touch, d.link, d.campaign, d.candidates, d.more, d.earlier,
       EXISTS (SELECT FROM marks m WHERE m.conversion = i.id) AS marked
FROM installs i
LEFT JOIN LATERAL (SELECT * FROM decisions WHERE conversion = i.id ORDER BY number DESC LIMIT 1) d ON true
WHERE i.id > $1 AND ($2::text IS NULL OR i.app = $2) AND NOT 'forgotten' = ANY(i.flags)
ORDER BY i.id LIMIT $3;

-- name: replayed_locked
-- The same, and nobody else decides them meanwhile.
SELECT i.*, d.method, d.touch, d.link, d.campaign, d.candidates, d.more, d.earlier,
       EXISTS (SELECT FROM marks m WHERE m.conversion = i.id) AS marked
FROM installs i
LEFT JOIN LATERAL (SELECT * FROM decisions WHERE conversion = i.id ORDER BY number DESC LIMIT 1) d ON true
WHERE i.id > $1 AND ($2::text IS NULL OR i.app = $2) AND NOT 'forgotten' = ANY(i.flags)
ORDER BY i.id LIMIT $3 FOR UPDATE OF i;

-- name: left_alone
-- How many decided events there are after $1 (of app $2): replay decides installs.
SELECT count(DISTINCT d.conversion) FROM decisions d JOIN events e ON e.id = d.conversion
WHERE d.conversion > $1 AND d.kind <> 'install' AND ($2::text IS NULL OR e.app = $2);

-- name: rules_today
-- The rules that an app has now.
SELECT version, rules FROM app_rules WHERE app = $1 ORDER BY version DESC LIMIT 1;

-- name: revenue
-- What the events of installs brought, by currency, and those of the device's reinstalls, which stand on the decision
-- about the first one; without tests.
WITH RECURSIVE theirs AS (
    SELECT id, id AS install FROM unnest($1::uuid[]) AS i (id)
    UNION
    SELECT t.id, d.conversion FROM theirs t JOIN decisions d ON d.earlier = t.install AND d.method = 'reinstall'
    WHERE d.conversion <> ALL($1)
    AND NOT EXISTS (SELECT FROM decisions l WHERE l.conversion = d.conversion AND l.number > d.number)
)
SELECT t.id, e.currency, sum(e.revenue_micros)::bigint AS micros
FROM theirs t CROSS JOIN LATERAL (
    SELECT * FROM credited_events c WHERE c.install = t.install AND NOT c.test AND c.currency IS NOT NULL OFFSET 0) e
GROUP BY 1, 2;

-- name: received_before
-- Whether anything was received before this hour (since 1970).
SELECT EXISTS (SELECT FROM received WHERE topic = 'hits' AND hour < $1);

-- name: published_since
-- Days from $1 on by which installs were judged.
SELECT DISTINCT day FROM published_days WHERE day >= $1 ORDER BY day;

-- name: day_changed
-- Whether the last version of a day judges any link in another way than the one before.
WITH last AS (SELECT max(version) AS version FROM published_days WHERE day = $1),
judged AS (
    SELECT d.link, d.version = last.version AS is_last, flooding, delays FROM link_days d, last
    WHERE d.day = $1 AND d.version >= last.version - 1 AND (flooding OR delays)
)
SELECT EXISTS (SELECT FROM judged GROUP BY link, flooding, delays HAVING count(*) = 1);
