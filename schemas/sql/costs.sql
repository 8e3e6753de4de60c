-- name: priced
-- Whether any tariff ever priced events, and any a first payment: deleted ones too, what they asked for is taken back.
SELECT EXISTS (SELECT FROM tariffs WHERE model IN ('cpa', 'share')) AS events,
       EXISTS (SELECT FROM tariffs WHERE event = 'first payment') AS first_payments;

-- name: installs
-- The installs among these, and the reinstalls that stand on what was decided about them.
WITH RECURSIVE theirs AS (
    SELECT id FROM installs WHERE id = ANY($1::uuid[])
    UNION
    SELECT d.conversion FROM theirs t JOIN decisions d ON d.earlier = t.id AND d.method = 'reinstall'
    WHERE NOT EXISTS (SELECT FROM decisions l WHERE l.conversion = d.conversion AND l.number > d.number)
)
SELECT id FROM theirs ORDER BY id;

-- name: events
-- The next page: at most $4 of the events among $1, and of those of installs $2, after $3.
SELECT id FROM (
    SELECT id FROM events WHERE id = ANY($1::uuid[])
    UNION
    SELECT v.event FROM unnest($2::uuid[]) AS i (id)
    CROSS JOIN LATERAL (SELECT event FROM event_installs WHERE install = i.id OFFSET 0) v
) e WHERE id > $3 ORDER BY id LIMIT $4;

-- name: lock_installs
-- Two processes never price the same at once.
SELECT id FROM installs WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: lock_events
-- Likewise.
SELECT id FROM events WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: standing_installs
-- Installs with the attribution that stands, and with what its touch said when that may have been a cost.
SELECT s.install AS id, s.app, s.link, s.campaign, s.decided AND NOT s.test AS counts,
       'forgotten' = ANY(i.flags) AS forgotten, conversion_time(i.installed_at, i.id) AS at,
       o.method = 'reinstall' AS again,
       s.touch IS NULL OR (t.id IS NOT NULL AND NOT 'forgotten' = ANY(t.flags)) AS touch_known,
       CASE WHEN strpos(t.query, 'cost') > 0 THEN t.query END AS query
FROM unnest($1::uuid[]) AS n (id)
CROSS JOIN LATERAL (SELECT * FROM standing_attributions WHERE install = n.id OFFSET 0) s
JOIN installs i ON i.id = s.install
LEFT JOIN LATERAL (SELECT method FROM decisions WHERE conversion = n.id ORDER BY number DESC LIMIT 1) o ON true
LEFT JOIN touches t ON t.id = s.touch;

-- name: standing_events
-- Events with the attribution that stands for them; of those that bring a user back also the one of the return. A share
-- of revenue may end some days after the install that was attributed: of a reinstall the first one.
SELECT e.id, e.app, e.name, e.revenue_micros, e.currency, e.at, 'forgotten' = ANY(e.flags) AS forgotten,
       c.link, c.campaign, c.decided AND NOT c.test AS counts, conversion_time(i.installed_at, i.id) AS installed_at,
       r.link AS return_link, r.campaign AS return_campaign
FROM unnest($1::uuid[]) AS n (id)
JOIN events e ON e.id = n.id
LEFT JOIN LATERAL (SELECT * FROM credited_events WHERE event = n.id OFFSET 0) c ON true
LEFT JOIN LATERAL (
    WITH RECURSIVE chain AS (
        SELECT c.install AS id, 1 AS step
        UNION ALL
        SELECT d.earlier, h.step + 1 FROM chain h CROSS JOIN LATERAL (
            SELECT method, earlier FROM decisions WHERE conversion = h.id ORDER BY number DESC LIMIT 1) d
        WHERE d.method = 'reinstall' AND h.step < 1000)
    SELECT id FROM chain ORDER BY step DESC LIMIT 1) f ON true
LEFT JOIN installs i ON i.id = f.id
LEFT JOIN LATERAL (
    SELECT kind, method, link, campaign, test FROM decisions WHERE conversion = n.id ORDER BY number DESC LIMIT 1
) r ON r.kind = 're-engagement' AND r.method <> 'active' AND NOT r.test;

-- name: first_payments
-- Of the users whose events these are: the first payment, and those that were priced as the first. Reinstalls are of the
-- same user; visitors of websites share a key.
WITH RECURSIVE asked AS (
    SELECT DISTINCT v.install FROM unnest($1::uuid[]) AS n (id)
    CROSS JOIN LATERAL (SELECT install FROM event_installs WHERE event = n.id AND revenue_micros > 0 OFFSET 0) v
), up AS (
    SELECT install, install AS member FROM asked
    UNION
    SELECT u.install, d.earlier FROM up u CROSS JOIN LATERAL (
        SELECT method, earlier FROM decisions WHERE conversion = u.member ORDER BY number DESC LIMIT 1) d
    WHERE d.method = 'reinstall'
), members AS (
    SELECT * FROM up
    UNION
    SELECT m.install, d.conversion FROM members m JOIN decisions d ON d.earlier = m.member AND d.method = 'reinstall'
    WHERE NOT EXISTS (SELECT FROM decisions l WHERE l.conversion = d.conversion AND l.number > d.number)
), visitors AS (
    SELECT DISTINCT e.app, e.ids ->> 'visitor_id' AS visitor, k.key
    FROM unnest($1::uuid[]) AS n (id) JOIN events e ON e.id = n.id AND e.revenue_micros > 0
    JOIN apps a ON a.id = e.app AND a.kind = 'web' JOIN conversion_keys k ON k.conversion = e.id
    WHERE e.ids ? 'visitor_id'
), payments AS (
    SELECT m.install::text AS payer, p.event, p.at FROM members m JOIN installs i ON i.id = m.member AND NOT i.test
    CROSS JOIN LATERAL (
        SELECT event, at FROM event_installs
        WHERE install = m.member AND revenue_micros > 0 AND NOT 'sandbox' = ANY(flags) OFFSET 0) p
    UNION
    SELECT v.app || ' ' || v.visitor, e.id, e.at FROM visitors v JOIN conversion_keys k ON k.key = v.key
    JOIN events e ON e.id = k.conversion AND e.app = v.app AND e.ids ->> 'visitor_id' = v.visitor
    WHERE e.revenue_micros > 0 AND NOT 'sandbox' = ANY(e.flags)
)
SELECT (array_agg(event ORDER BY at, event))[1] AS first,
       array_agg(event) FILTER (WHERE EXISTS (
           SELECT FROM conversion_costs k JOIN tariffs t ON t.id = k.tariff
           WHERE k.conversion = p.event AND t.event = 'first payment')) AS priced
FROM payments p GROUP BY payer;

-- name: tariffs
-- By which conversions of these campaigns are priced.
SELECT id, campaign, app, model, event, micros, share_ppm, days, currency, starts_on, ends_on
FROM tariffs WHERE campaign = ANY($1::text[]) AND model IN ('cpi', 'cpa', 'share') AND deleted_at IS NULL;

-- name: standing
-- What these conversions cost so far.
SELECT conversion, tariff, link, app, hour, currency, sum(nanos) AS nanos, max(number) AS number
FROM conversion_costs WHERE conversion = ANY($1::uuid[]) GROUP BY 1, 2, 3, 4, 5, 6;

-- name: add
-- Rows that make it what it is now.
INSERT INTO conversion_costs (conversion, tariff, number, link, app, hour, currency, nanos)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::int[], $7::text[], $8::numeric[]);

-- name: campaign_tariffs
-- All tariffs that a campaign ever had, the earliest first.
SELECT id, model, event, app, micros, share_ppm, currency, starts_on, ends_on, deleted_at FROM tariffs
WHERE campaign = $1 ORDER BY id;

-- name: has_campaign
-- Whether there is such a campaign.
SELECT EXISTS (SELECT FROM campaigns WHERE id = $1);

-- name: stage_conversions
-- What is to be priced again, for as long as the session lasts.
CREATE TEMP TABLE IF NOT EXISTS repriced (id uuid PRIMARY KEY);

-- name: find_conversions
-- Of a campaign: those that were ever decided to be its own, and those that its tariffs priced.
INSERT INTO repriced
SELECT conversion FROM decisions WHERE campaign = $1
UNION SELECT k.conversion FROM tariffs t JOIN conversion_costs k ON k.tariff = t.id WHERE t.campaign = $1
ON CONFLICT DO NOTHING;

-- name: found_conversions
-- The next page of them.
SELECT id FROM repriced WHERE id > $1 ORDER BY id LIMIT $2;

-- name: hold_touches
-- Until the transaction ends no batch of touches counts costs.
LOCK TABLE touch_costs IN SHARE ROW EXCLUSIVE MODE;

-- name: touches_again
-- The touches of campaign $1 since $2, among ids from $3 on, as its tariffs of today would count them, beside what was
-- counted (null: nothing). A touch with the click id of an earlier one of the same link within $4 days is a duplicate;
-- the keys tell apps and kinds apart.
WITH seen AS (
    SELECT kind, link, app, touched_at, click_key IS NOT NULL AND touched_at - lag(touched_at) OVER (
               PARTITION BY click_key, link, partner, click_id ORDER BY touched_at, id) <= $4::int * interval '1 day' AS duplicate
    FROM touches
    WHERE campaign = $1 AND touched_at >= $2::timestamptz - $4::int * interval '1 day' AND id >= $3
), again AS (
    SELECT t.id AS tariff, s.link, s.app, s.hour, count(*) AS count
    FROM (SELECT *, floor(extract(epoch FROM touched_at) / 3600)::int AS hour FROM seen
          WHERE touched_at >= $2 AND duplicate IS NOT TRUE) s
    JOIN tariffs t ON t.campaign = $1 AND t.deleted_at IS NULL AND (t.app IS NULL OR t.app = s.app)
        AND t.model = CASE s.kind WHEN 'click' THEN 'cpc' ELSE 'cpm' END
        AND (s.touched_at AT TIME ZONE 'UTC')::date BETWEEN t.starts_on AND coalesce(t.ends_on, 'infinity')
    GROUP BY 1, 2, 3, 4
), before AS (
    SELECT c.* FROM tariffs t JOIN touch_costs c ON c.tariff = t.id
    WHERE t.campaign = $1 AND c.hour >= extract(epoch FROM $2::timestamptz) / 3600
)
SELECT tariff, link, app, hour, coalesce(a.count, 0) AS count, coalesce(b.count, 0) AS before
FROM again a FULL JOIN before b USING (tariff, link, app, hour)
WHERE a.count IS DISTINCT FROM b.count;

-- name: put_touches
-- What is counted from now on, by tariff, link, app and hour.
INSERT INTO touch_costs (tariff, link, app, hour, count)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::bigint[])
ON CONFLICT (tariff, link, app, hour) DO UPDATE SET count = excluded.count;
