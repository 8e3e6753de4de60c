-- name: insert_installs
-- New installs, which wait from now on; an install_id that stands already changes nothing.
WITH new AS (
INSERT INTO installs (app, install_id, id, installed_at, user_id, preinstall_link, ids, os, device,
                      app_version, referrer, ip, ua, country, flags, device_keys, test)
SELECT i.app, i.install_id, i.id, timestamptz 'epoch' + i.installed_us * interval '1 microsecond',
       i.user_id, i.preinstall_link, i.ids::jsonb, i.os, i.device::jsonb, i.app_version,
       i.referrer::jsonb, i.ip::inet, i.ua, i.country, coalesce(string_to_array(nullif(i.flags, ''), ','), '{}'),
       i.device_keys::bigint[], i.test
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
            $17::boolean[])
    AS i (app, install_id, id, installed_us, user_id, preinstall_link, ids, os, device,
          app_version, referrer, ip, ua, country, flags, device_keys, test)
ON CONFLICT DO NOTHING
RETURNING id
), waits AS (INSERT INTO waiting (conversion) SELECT id FROM new)
SELECT id FROM new;

-- name: insert_events
-- New events; an event_id that stands already changes nothing.
INSERT INTO events (app, event_id, id, name, occurred_at, install_id, ids, user_id, revenue_micros, currency,
                    params, ip, ua, flags, device_keys)
SELECT e.app, e.event_id, e.id, e.name, timestamptz 'epoch' + e.occurred_us * interval '1 microsecond',
       e.install_id, e.ids::jsonb, e.user_id, e.revenue_micros, e.currency, e.params::jsonb, e.ip::inet, e.ua,
       coalesce(string_to_array(nullif(e.flags, ''), ','), '{}'), e.device_keys::bigint[]
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
            $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
    AS e (app, event_id, id, name, occurred_us, install_id, ids, user_id, revenue_micros, currency,
          params, ip, ua, flags, device_keys)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: test_devices
-- Which of these installs are test devices': (install, app, kind of identifier, SHA-1, received at).
SELECT DISTINCT i.install
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS i (install, app, kind, sha1, at)
JOIN test_devices t ON t.app = i.app AND t.kind = i.kind AND t.sha1 = i.sha1 AND t.created_at <= i.at;

-- name: standing
-- Which of these records stand already: a replay of ours, not a sender's retry.
SELECT id FROM installs WHERE id = ANY($1::uuid[])
UNION ALL
SELECT id FROM events WHERE id = ANY($1::uuid[])
UNION ALL
SELECT id FROM visits WHERE id = ANY($1::uuid[]);

-- name: insert_keys
-- What new installs look for.
INSERT INTO conversion_keys (key, conversion)
SELECT * FROM unnest(string_to_array($1, ',')::bigint[], string_to_array($2, ',')::uuid[])
ON CONFLICT DO NOTHING;

-- name: without_barrier
-- What waits for a barrier.
SELECT conversion FROM waiting WHERE barrier IS NULL ORDER BY conversion LIMIT $1;

-- name: new_barrier
-- The ends of the hits' log, read after these conversions were committed.
WITH made AS (INSERT INTO barriers (ends) VALUES ($1::text::jsonb) RETURNING id)
UPDATE waiting SET barrier = made.id FROM made WHERE conversion = ANY($2::uuid[]) AND barrier IS NULL;

-- name: drop_open_barriers
-- What waits for them gets a new barrier, which can only lie further on.
UPDATE waiting SET barrier = NULL WHERE barrier IN (SELECT id FROM barriers WHERE passed_at IS NULL);

-- name: open_barriers
-- Barriers that touches have not passed yet, the oldest first; only those that somebody waits for.
SELECT id, ends FROM barriers b WHERE passed_at IS NULL
AND EXISTS (SELECT FROM waiting w WHERE w.barrier = b.id) ORDER BY id LIMIT 100;

-- name: touches_positions
-- How far the touches consumer has come.
SELECT log, partition, next_offset FROM log_positions WHERE consumer = 'touches';

-- name: pass_barrier
-- What waits for it may be decided.
UPDATE barriers SET passed_at = now() WHERE id = $1;

-- name: forget_barriers
-- Barriers that nothing waits for are of no use any more.
DELETE FROM barriers b WHERE created_at < now() - interval '1 hour'
AND NOT EXISTS (SELECT FROM waiting w WHERE w.barrier = b.id);

-- name: take_ready
-- Installs to decide now; those another process decides are left to it.
-- Whoever forgets one of them waits until it is decided.
SELECT * FROM installs WHERE id = ANY(ARRAY(
    SELECT w.conversion FROM waiting w JOIN barriers b ON b.id = w.barrier
    WHERE b.passed_at IS NOT NULL AND w.kind = 'install' ORDER BY w.conversion LIMIT $1
    FOR UPDATE OF w SKIP LOCKED))
ORDER BY id FOR KEY SHARE SKIP LOCKED;

-- name: waiting
-- How many conversions wait.
SELECT count(*) FROM waiting;

-- name: rules
-- The rules of installs' apps: a version ($3), else those that held when the install was received ($4).
-- Those of an app that had none are missing.
SELECT p.number, r.version, r.rules
FROM unnest($1::int[], $2::text[], $3::int[], $4::timestamptz[]) AS p (number, app, version, at)
CROSS JOIN LATERAL (
    SELECT version, rules FROM app_rules
    WHERE app = p.app AND CASE WHEN p.version IS NULL THEN created_at <= p.at ELSE version = p.version END
    ORDER BY version DESC LIMIT 1) r;

-- name: longest_windows
-- The longest window that any link of these apps has of its own, per method and kind of touch.
SELECT app, method, touch, hours FROM app_windows WHERE app = ANY($1::text[]);

-- name: link_windows
-- The windows of those of these links that have their own.
SELECT id, windows FROM links WHERE id = ANY($1::text[]) AND windows IS NOT NULL;

-- name: labels
-- Tracking links that apps came with, and whose they are.
SELECT l.id AS link, l.app, l.campaign, c.partner FROM links l LEFT JOIN campaigns c ON c.id = l.campaign
WHERE l.id = ANY($1::text[]);

-- name: candidates
-- Touches under the keys of conversions: (conversion's number, method, at most so many of a key, bounds of ids, latest
-- touched_at in Unix microseconds, arrays of keys: of SHA-1s, of MD5s, of click ids, of prints). Each column has
-- its own index, so each has its own branch. Lists are joined with semicolons: drivers take an array apart value by value.
WITH p AS (
    SELECT number, method, low, high, timestamptz 'epoch' + top_us * interval '1 microsecond' AS top, rows,
           sha1::bigint[] AS sha1, md5::bigint[] AS md5, clicks::bigint[] AS clicks, prints::bigint[] AS prints
    FROM unnest(string_to_array($1, ';')::int[], string_to_array($2, ';'), string_to_array($3, ';')::int[],
                string_to_array($4, ';')::uuid[], string_to_array($5, ';')::uuid[],
                string_to_array($6, ';')::bigint[], string_to_array($7, ';'), string_to_array($8, ';'),
                string_to_array($9, ';'), string_to_array($10, ';'))
        AS p (number, method, rows, low, high, top_us, sha1, md5, clicks, prints)
), found AS (
    SELECT p.number, p.method, k.key, t.* FROM p CROSS JOIN LATERAL unnest(p.sha1) AS k (key) CROSS JOIN LATERAL (
        SELECT * FROM touches WHERE device_sha1_key = k.key AND id >= p.low AND id < p.high AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT p.rows) t
    UNION ALL
    SELECT p.number, p.method, k.key, t.* FROM p CROSS JOIN LATERAL unnest(p.md5) AS k (key) CROSS JOIN LATERAL (
        SELECT * FROM touches WHERE device_md5_key = k.key AND id >= p.low AND id < p.high AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT p.rows) t
    UNION ALL
    SELECT p.number, p.method, k.key, t.* FROM p CROSS JOIN LATERAL unnest(p.clicks) AS k (key) CROSS JOIN LATERAL (
        SELECT * FROM touches WHERE click_key = k.key AND id >= p.low AND id < p.high AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT p.rows) t
    UNION ALL
    SELECT p.number, p.method, k.key, t.* FROM p CROSS JOIN LATERAL unnest(p.clicks) AS k (key) CROSS JOIN LATERAL (
        SELECT * FROM touches WHERE external_click_key = k.key AND id >= p.low AND id < p.high AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT p.rows) t
    UNION ALL
    SELECT p.number, p.method, k.key, t.* FROM p CROSS JOIN LATERAL unnest(p.prints) AS k (key) CROSS JOIN LATERAL (
        SELECT * FROM touches WHERE print_key = k.key AND id >= p.low AND id < p.high AND touched_at <= p.top
        ORDER BY touched_at DESC, id DESC LIMIT p.rows) t
    UNION ALL
    SELECT p.number, p.method, k.key, t.* FROM p CROSS JOIN LATERAL unnest(p.sha1 || p.md5) AS k (key) CROSS JOIN LATERAL (
        SELECT touch FROM touch_more_keys WHERE key = k.key AND touched_at <= p.top
        ORDER BY touched_at DESC, touch DESC LIMIT p.rows) m CROSS JOIN LATERAL (
        SELECT * FROM touches WHERE id = m.touch OFFSET 0) t
)
SELECT t.number, t.method, t.key, t.id, t.kind, t.app, t.link, t.campaign, t.partner, t.touched_at, t.click_id, t.external_click_id,
       CASE WHEN coalesce(t.device_sha1_key, t.device_md5_key) IS NOT NULL THEN t.query END AS query,
       t.ip, t.os, t.os_version, t.model, t.language, t.ua, t.flags, t.device_sha1_key, t.device_md5_key,
       t.click_key, t.print_key
FROM found t;

-- name: by_id
-- Touches that a store's referrer names by our own id; none of after the install was received ($3).
SELECT n.number, 'referrer' AS method, NULL::bigint AS key, t.id, t.kind, t.app, t.link, t.campaign,
       t.partner, t.touched_at, t.click_id, t.external_click_id, NULL AS query, t.ip, t.os, t.os_version, t.model,
       t.language, t.ua, t.flags, t.device_sha1_key, t.device_md5_key, t.click_key, t.print_key
FROM unnest($1::int[], $2::uuid[], $3::timestamptz[]) AS n (number, id, top)
JOIN touches t ON t.id = n.id AND t.touched_at <= n.top;

-- name: duplicates
-- Per touch the last one before it with its click id on its link, within $9 days.
SELECT p.touch, e.id AS earlier
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::uuid[], $8::uuid[])
    AS p (touch, key, link, partner, click_id, touched_at, low, high)
CROSS JOIN LATERAL (
    SELECT id FROM touches
    WHERE click_key = p.key AND id >= p.low AND id < p.high AND touched_at >= p.touched_at - $9::int * interval '1 day'
      AND touched_at <= p.touched_at AND (touched_at, id) < (p.touched_at, p.touch)
      AND link = p.link AND partner IS NOT DISTINCT FROM p.partner AND click_id = p.click_id
    ORDER BY touched_at DESC, id DESC LIMIT 1) e;

-- name: repeats
-- Per touch the last one before it from its address and agent on its link, within $9 seconds.
SELECT p.touch, e.id AS earlier
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[]::inet[], $6::timestamptz[], $7::uuid[],
            $8::uuid[])
    AS p (touch, key, link, ua, ip, touched_at, low, high)
CROSS JOIN LATERAL (
    SELECT id FROM touches
    WHERE print_key = p.key AND id >= p.low AND id < p.high
      AND touched_at >= p.touched_at - $9::int * interval '1 second'
      AND touched_at <= p.touched_at AND (touched_at, id) < (p.touched_at, p.touch)
      AND link = p.link AND ua = p.ua AND ip = p.ip
    ORDER BY touched_at DESC, id DESC LIMIT 1) e;

-- name: earlier_installs
-- Installs that share a device's key and came before, no tests, the latest of each key first: (number, key, install).
SELECT p.number, i.id, i.installed_at, i.ids
FROM unnest(string_to_array($1, ',')::int[], string_to_array($2, ',')::bigint[], string_to_array($3, ',')::uuid[])
    AS p (number, key, install)
CROSS JOIN LATERAL (
    SELECT o.id FROM conversion_keys k JOIN installs o ON o.id = k.conversion
    WHERE k.key = p.key AND k.conversion < p.install AND NOT o.test
    ORDER BY k.conversion DESC LIMIT 3) c
JOIN installs i ON i.id = c.id;

-- name: standing_links
-- The links to which installs belong now, of those that belong to one.
SELECT install, link FROM standing_attributions WHERE install = ANY($1::uuid[]) AND link IS NOT NULL;

-- name: new_keys
-- Keys that nobody has looked for among the installs yet.
INSERT INTO new_keys (since, keys) VALUES ($1, $2);

-- name: turn
-- Deciding and marking take turns: a decision that was read before a touch came must be kept before its mark is made.
SELECT pg_advisory_xact_lock_shared(7406003);

-- name: alone
-- Likewise, of the one that marks.
SELECT pg_advisory_xact_lock(7406003);

-- name: mark
-- Conversions that look for one of the new keys, and came later than its touch or install, are decided again; those
-- that wait see it anyway. What was forgotten keeps its decision.
WITH taken AS (
    DELETE FROM new_keys WHERE id IN (SELECT id FROM new_keys ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING since, keys
), wanted AS MATERIALIZED (  -- so that the index is asked by both, key and since
    SELECT since, unnest(keys) AS key FROM taken
), marked AS (
    INSERT INTO marks (conversion)
    SELECT DISTINCT c.conversion FROM wanted w
    JOIN conversion_keys c ON c.key = w.key AND c.conversion > w.since
    LEFT JOIN installs i ON i.id = c.conversion
    WHERE 'forgotten' = ANY(i.flags) IS NOT TRUE
    AND NOT EXISTS (SELECT FROM waiting WHERE waiting.conversion = c.conversion)
    RETURNING 1
)
SELECT (SELECT count(*) FROM taken) AS taken, (SELECT count(*) FROM marked) AS marked;

-- name: forget_new_keys
-- Of touches stored so long ago that every install they concern is past deciding.
DELETE FROM new_keys WHERE stored_at < now() - $1::int * interval '1 second';

-- name: published
-- Which of these days have been published.
SELECT DISTINCT day FROM published_days WHERE day = ANY($1::date[]);

-- name: lock_days
-- One process at a time publishes.
SELECT pg_advisory_xact_lock(7406004);

-- name: undecided_before
-- Whether installs received before $1 are to be decided now.
SELECT EXISTS (SELECT FROM waiting w JOIN barriers b ON b.id = w.barrier
               WHERE b.passed_at IS NOT NULL AND w.conversion < $1 AND w.kind = 'install');

-- name: publish_day
-- The figures of every link on a closed day of receipt (ids from $2 up to $3), as the next version of the day:
-- clicks; installs received then (no tests) that one of its touches caused, or would have if nobody judged links; of
-- these, those within an hour. A link is judged by the week up to the day ($4 days): it floods when it brings less than a share ($6)
-- of what the app's other links would have brought ($7 at least), or next to nothing ($8 a click) of very many ($9).
WITH version AS (
    INSERT INTO published_days (day, version)
    SELECT $1, coalesce(max(version), 0) + 1 FROM published_days WHERE day = $1 RETURNING version
), clicks AS (
    SELECT link, app, count(*) AS clicks FROM touches
    WHERE id >= $2 AND id < $3 AND kind = 'click' GROUP BY link, app
), led AS (
    SELECT c.link, i.app, count(DISTINCT i.id) AS installs,
           count(DISTINCT i.id) FILTER (WHERE c.age_seconds <= 3600) AS first_hour
    FROM installs i
    CROSS JOIN LATERAL (SELECT candidates FROM decisions WHERE conversion = i.id ORDER BY number DESC LIMIT 1) d
    CROSS JOIN LATERAL jsonb_to_recordset(d.candidates)
        AS c (link text, verdict text, would_have_won boolean, age_seconds bigint)
    WHERE i.id >= $2 AND i.id < $3 AND NOT i.test AND (c.verdict = 'won' OR c.would_have_won)
    GROUP BY c.link, i.app
), before AS (
    SELECT link, app, sum(clicks) AS clicks, sum(installs) AS installs FROM (
        SELECT DISTINCT ON (link, day) link, app, clicks, installs FROM link_days
        WHERE day > $1 - $4::int AND day < $1 ORDER BY link, day, version DESC) d
    GROUP BY link, app
), links AS (
    SELECT link, app, coalesce(c.clicks, 0) AS clicks, coalesce(led.installs, 0) AS installs,
           coalesce(first_hour, 0) AS first_hour,
           coalesce(c.clicks, 0) + coalesce(b.clicks, 0) AS week_clicks,
           coalesce(led.installs, 0) + coalesce(b.installs, 0) AS week_installs
    FROM clicks c FULL JOIN led USING (link, app) FULL JOIN before b USING (link, app)
), rated AS (
    SELECT *, coalesce((sum(week_installs) OVER app - week_installs)
                       / nullif(sum(week_clicks) OVER app - week_clicks, 0), 0) * week_clicks AS expected
    FROM links WINDOW app AS (PARTITION BY app)
)
INSERT INTO link_days (link, day, version, app, clicks, installs, first_hour, week_clicks, week_installs, flooding,
                       delays)
SELECT link, $1, version, app, clicks, installs, first_hour, week_clicks, week_installs,
       clicks >= $5 AND (expected >= $7 AND week_installs < expected * $6::float8
                         OR week_clicks >= $9 AND week_installs <= week_clicks * $8::float8),
       installs >= $10 AND first_hour < installs * $11::float8
FROM rated, version WHERE clicks > 0 OR installs > 0
ON CONFLICT DO NOTHING;

-- name: link_days
-- The latest figures of links on days.
SELECT DISTINCT ON (d.link, d.day) d.link, d.day, d.installs, d.first_hour, d.week_clicks, d.week_installs,
       d.flooding, d.delays
FROM link_days d JOIN unnest($1::text[], $2::date[]) AS p (link, day) ON d.link = p.link AND d.day = p.day
ORDER BY d.link, d.day, d.version DESC;

-- name: take_marked
-- Decided installs that a later touch concerns, those from $2 on, with the rules they were decided by; those another
-- process decides are left to it. What was forgotten keeps its decision: its touches could not be found again.
SELECT i.*, d.rules AS decided_by
FROM installs i
CROSS JOIN LATERAL (SELECT rules FROM decisions WHERE conversion = i.id ORDER BY number DESC LIMIT 1) d
WHERE NOT 'forgotten' = ANY(i.flags) AND i.id IN (SELECT conversion FROM marks WHERE conversion >= $2)
ORDER BY i.id LIMIT $1 FOR UPDATE OF i SKIP LOCKED;

-- name: unmark
-- Before their candidates are read: whatever marks them from here on is seen next time.
DELETE FROM marks WHERE conversion = ANY($1::uuid[]);

-- name: too_late
-- Marks of installs that came too long ago to be decided again: it is on record that a touch came too late for them.
WITH old AS (DELETE FROM marks WHERE conversion < $1 RETURNING conversion)
UPDATE installs SET too_late = true WHERE id IN (SELECT conversion FROM old);

-- name: decide
-- Decisions with their candidates. A later decision of a conversion has a higher number; an equal one is none.
INSERT INTO decisions (conversion, number, method, touch, touch_kind, link, campaign, partner, click_id,
                       confidence, candidates, more, tags, earlier, rules, test, replayed, kind)
SELECT d.conversion, coalesce(o.number, 0) + 1,
       d.method, d.touch, d.touch_kind, d.link, d.campaign, d.partner, d.click_id, d.confidence,
       d.candidates::jsonb, d.more::jsonb, coalesce(string_to_array(nullif(d.tags, ''), ','), '{}'), d.earlier,
       d.rules, d.test, $16, $17
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::float8[], $10::text[], $11::text[], $12::text[], $13::uuid[], $14::text[],
            $15::boolean[])
    AS d (conversion, method, touch, touch_kind, link, campaign, partner, click_id, confidence, candidates, more, tags,
          earlier, rules, test)
LEFT JOIN LATERAL (SELECT * FROM decisions o WHERE o.conversion = d.conversion ORDER BY o.number DESC LIMIT 1) o ON true
WHERE (o.method, o.touch, o.candidates, o.more, o.earlier, o.test)
      IS DISTINCT FROM (d.method, d.touch, d.candidates::jsonb, d.more::jsonb, d.earlier, d.test);

-- name: wait_no_longer
-- They are decided.
DELETE FROM waiting WHERE conversion = ANY($1::uuid[]);
