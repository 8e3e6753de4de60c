-- name: campaign
-- A campaign, and of what its cost consists.
SELECT id, cost, deleted_at FROM campaigns WHERE id = $1;

-- name: app
-- Whether there is such an app.
SELECT EXISTS (SELECT FROM apps WHERE id = $1 AND deleted_at IS NULL);

-- name: put_tariff
-- A new tariff.
INSERT INTO tariffs (campaign, app, model, event, micros, share_ppm, days, currency, starts_on, ends_on)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING *;

-- name: tariffs
-- Tariffs of campaign $1, or ($2) one, deleted ones too ($3); at most $4, the newest before $5.
SELECT * FROM tariffs
WHERE ($1::text IS NULL OR campaign = $1) AND ($2::bigint IS NULL OR id = $2) AND ($3 OR deleted_at IS NULL)
  AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC LIMIT $4;

-- name: lock_tariff
-- A tariff that is about to change.
SELECT * FROM tariffs WHERE id = $1 FOR UPDATE;

-- name: end_tariff
-- Its last day; null: it does not end.
UPDATE tariffs SET ends_on = $2 WHERE id = $1 RETURNING *;

-- name: delete_tariff
-- What it priced stays until somebody prices again.
UPDATE tariffs SET deleted_at = now() WHERE id = $1 RETURNING *;

-- name: put_correction
-- A new correction.
INSERT INTO corrections (campaign, app, micros, currency, starts_on, ends_on, zone, description)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *;

-- name: put_correction_hours
-- Its parts.
INSERT INTO correction_hours (correction, hour, micros) SELECT $1, * FROM unnest($2::int[], $3::bigint[]);

-- name: corrections
-- Corrections of campaign $1, or ($2) one, deleted ones too ($3); at most $4, the newest before $5.
SELECT c.*, (SELECT count(*) FROM correction_hours h WHERE h.correction = c.id) AS hours FROM corrections c
WHERE ($1::text IS NULL OR campaign = $1) AND ($2::bigint IS NULL OR id = $2) AND ($3 OR deleted_at IS NULL)
  AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC LIMIT $4;

-- name: delete_correction
-- It counts no more, and stays listed. Nothing when it is deleted already.
UPDATE corrections SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING id;

-- name: put_rates
-- Rates of days; those that are known are replaced.
INSERT INTO rates (day, currency, rate, source)
SELECT day, currency, rate, $4 FROM unnest($1::date[], $2::text[], $3::numeric[]) AS r (day, currency, rate)
ON CONFLICT (currency, day) DO UPDATE SET rate = excluded.rate, source = excluded.source;

-- name: rates
-- Rates of currency $1 (null: all) from day $2 (null: the first), the newest first, at most $3.
SELECT day, currency, rate, source FROM rates
WHERE ($1::text IS NULL OR currency = $1) AND ($2::date IS NULL OR day >= $2)
ORDER BY day DESC, currency LIMIT $3;

-- name: rates_between
-- All rates of these currencies from $2 to $3, and the last ones before.
SELECT r.currency, r.day, r.rate FROM unnest($1::text[]) AS c (currency) CROSS JOIN LATERAL (
    SELECT currency, day, rate FROM rates
    WHERE currency = c.currency AND day <= $3 AND day >= coalesce((
        SELECT max(day) FROM rates WHERE currency = c.currency AND day <= $2), $2)) r;

-- name: touches
-- Clicks and impressions of a campaign, in app $2 (null: any), touched from $3 up to $4, among ids from $5 on.
SELECT count(*) FILTER (WHERE kind = 'click') AS clicks, count(*) FILTER (WHERE kind = 'impression') AS impressions
FROM touches
WHERE campaign = $1 AND ($2::text IS NULL OR app = $2) AND touched_at >= $3 AND touched_at < $4 AND id >= $5;

-- name: installs
-- Installs that are credited to a campaign now, without tests; of app $2 (null: any), from $3 up to $4.
SELECT count(*) FROM (SELECT DISTINCT conversion FROM decisions WHERE campaign = $1 AND kind = 'install') c
CROSS JOIN LATERAL (
    SELECT campaign FROM decisions WHERE conversion = c.conversion ORDER BY number DESC LIMIT 1) d
JOIN installs i ON i.id = c.conversion
WHERE d.campaign = $1 AND NOT i.test AND ($2::text IS NULL OR i.app = $2)
AND conversion_time(i.installed_at, i.id) >= $3 AND conversion_time(i.installed_at, i.id) < $4;

-- name: revenue
-- What was paid by whom it brought, by currency and day, without tests: events of its installs, of the reinstalls that
-- stand on them, and of websites; of app $2 (null: any), from $3 up to $4.
WITH RECURSIVE own AS (
    SELECT c.conversion AS id, d.kind
    FROM (SELECT DISTINCT conversion FROM decisions WHERE campaign = $1) c
    CROSS JOIN LATERAL (
        SELECT campaign, kind FROM decisions WHERE conversion = c.conversion ORDER BY number DESC LIMIT 1) d
    WHERE d.campaign = $1
), theirs AS (
    SELECT id FROM own WHERE kind = 'install'
    UNION
    SELECT d.conversion FROM theirs t JOIN decisions d ON d.earlier = t.id AND d.method = 'reinstall'
    WHERE NOT EXISTS (SELECT FROM decisions l WHERE l.conversion = d.conversion AND l.number > d.number)
), paid AS (
    SELECT e.app, e.currency, e.revenue_micros, e.at
    FROM theirs t JOIN installs i ON i.id = t.id AND NOT i.test
    CROSS JOIN LATERAL (
        SELECT app, currency, revenue_micros, at, flags FROM event_installs WHERE install = t.id OFFSET 0) e
    WHERE NOT 'sandbox' = ANY(e.flags)
    UNION ALL
    SELECT e.app, e.currency, e.revenue_micros, e.at
    FROM own o JOIN events e ON e.id = o.id WHERE o.kind = 'web' AND NOT 'sandbox' = ANY(e.flags)
)
SELECT currency, (at AT TIME ZONE 'UTC')::date AS day, sum(revenue_micros) * 1000 AS nanos FROM paid
WHERE currency IS NOT NULL AND ($2::text IS NULL OR app = $2) AND at >= $3 AND at < $4 GROUP BY 1, 2;

-- name: cost_by_tariffs
-- Nano-units that a campaign's tariffs ask for, by currency and day (since 1970); of app $2, hours from $3 up to $4.
SELECT currency, day, sum(nanos) AS nanos FROM (
    SELECT t.currency, div(c.hour, 24)::int AS day,
           c.count::numeric * t.micros * CASE t.model WHEN 'cpc' THEN 1000 ELSE 1 END AS nanos
    FROM tariffs t JOIN touch_costs c ON c.tariff = t.id
    WHERE t.campaign = $1 AND ($2::text IS NULL OR c.app = $2) AND c.hour >= $3 AND c.hour < $4
    UNION ALL
    SELECT k.currency, div(k.hour, 24)::int, k.nanos
    FROM tariffs t JOIN conversion_costs k ON k.tariff = t.id
    WHERE t.campaign = $1 AND ($2::text IS NULL OR k.app = $2) AND k.hour >= $3 AND k.hour < $4
) c GROUP BY 1, 2;

-- name: cost_from_partner
-- Likewise what the partner says that its touches, and the installs that they brought, cost.
SELECT currency, day, sum(nanos) AS nanos FROM (
    SELECT p.currency, div(p.hour, 24)::int AS day, p.nanos
    FROM links l JOIN partner_costs p ON p.link = l.id
    WHERE l.campaign = $1 AND ($2::text IS NULL OR p.app = $2) AND p.hour >= $3 AND p.hour < $4
    UNION ALL
    SELECT k.currency, div(k.hour, 24)::int, k.nanos
    FROM links l JOIN conversion_costs k ON k.tariff = 0 AND k.link = l.id
    WHERE l.campaign = $1 AND ($2::text IS NULL OR k.app = $2) AND k.hour >= $3 AND k.hour < $4
) c GROUP BY 1, 2;

-- name: cost_corrections
-- Corrections that count, by currency, zone and hour (since 1970).
SELECT c.currency, c.zone, h.hour, sum(h.micros) * 1000 AS nanos
FROM corrections c JOIN correction_hours h ON h.correction = c.id
WHERE c.campaign = $1 AND c.deleted_at IS NULL AND ($2::text IS NULL OR c.app = $2) AND h.hour >= $3 AND h.hour < $4
GROUP BY 1, 2, 3;
