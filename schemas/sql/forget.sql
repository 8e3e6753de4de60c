-- name: state
-- The salt, and the number of the last change of `forgotten`.
SELECT salt, change FROM forgetting;

-- name: since
-- Keys that came or changed after change $1; `until` in Unix microseconds, null: for ever.
SELECT key, (extract(epoch FROM until) * 1000000)::bigint AS until_us FROM forgotten WHERE change > $1;

-- name: keep
-- Keys to know a device by again, up to $2 (null: for ever). The row lock makes changes commit in order.
WITH turn AS (UPDATE forgetting SET change = change + 1 RETURNING change)
INSERT INTO forgotten AS f (key, until, change)
SELECT k.key, $2::timestamptz, turn.change FROM unnest($1::bigint[]) AS k (key), turn
ON CONFLICT (key) DO UPDATE SET change = excluded.change,
    until = CASE WHEN f.until IS NOT NULL AND excluded.until IS NOT NULL THEN greatest(f.until, excluded.until) END;

-- name: open_until
-- The next transaction's number: whoever wrote before it may not know of the keys that were just kept.
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint;

-- name: ended
-- Whether every transaction below $1 that writes has ended.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1;

-- name: apps
-- Every app there ever was, or ($1) one.
SELECT id FROM apps WHERE $1::text IS NULL OR id = $1 ORDER BY id;

-- name: apps_of_links
-- The apps that touches of links may belong to: the link's own, and those of its targets.
SELECT id AS link, array_append(ARRAY(SELECT t ->> 'app' FROM jsonb_array_elements(targets) AS t WHERE t ? 'app'), app)
    AS apps
FROM links WHERE id = ANY($1::text[]);

-- name: stage_touches
-- Touches of the device, for as long as the session lasts. Those that only visits name do not lead to the visits.
CREATE TEMP TABLE IF NOT EXISTS found_touches (id uuid PRIMARY KEY, leads boolean NOT NULL DEFAULT true);

-- name: stage_installs
-- Installs of the device, likewise.
CREATE TEMP TABLE IF NOT EXISTS found_installs (id uuid PRIMARY KEY);

-- name: stage_visits
-- Visits of the device, and those of its visitors; only the former lead to the visitors.
CREATE TEMP TABLE IF NOT EXISTS found_visits (id uuid PRIMARY KEY, leads boolean NOT NULL);

-- name: touches_by_key
-- Touches that stand under one of these device keys.
INSERT INTO found_touches
SELECT id FROM touches WHERE device_sha1_key = ANY($1::bigint[])
UNION SELECT id FROM touches WHERE device_md5_key = ANY($1::bigint[])
UNION SELECT touch FROM touch_more_keys WHERE key = ANY($1::bigint[])
ON CONFLICT DO NOTHING;

-- name: touches_end
-- Last id of the page of $2 touches after $1; none: it is the last page.
SELECT id FROM touches WHERE id > $1 ORDER BY id OFFSET $2 - 1 LIMIT 1;

-- name: touches_by_text
-- Touches after $1 up to $2, of apps $3, in which one of these texts (lower case) stands, or may stand: nobody needs to
-- escape letters, digits and dashes, and some do.
INSERT INTO found_touches
SELECT t.id FROM touches t
WHERE t.id > $1 AND t.id <= $2 AND t.app = ANY($3::text[]) AND (
    t.query ~* '%(2d|3[0-9]|[46][1-9a-f]|[57][0-9a])'
    OR EXISTS (SELECT FROM unnest($4::text[]) AS f (form) WHERE strpos(lower(t.query), f.form) > 0))
ON CONFLICT DO NOTHING;

-- name: found_touches
-- The next page of them, and of what leads or does not. Retention may have dropped some.
SELECT id FROM found_touches WHERE id > $1 AND leads = $2 ORDER BY id LIMIT $3;

-- name: touches
-- What tells whether these are the device's: the keys are hashes.
SELECT t.id, t.app, t.kind, t.query, t.device_sha1_key, t.device_md5_key, t.click_key, t.external_click_key,
       t.print_key
FROM touches t WHERE t.id = ANY($1::uuid[]) AND NOT 'forgotten' = ANY(t.flags);

-- name: drop_touches
-- These are not.
DELETE FROM found_touches WHERE id = ANY($1::uuid[]);

-- name: touches_of_ids
-- As touches: those that decisions of these installs name as certain winners.
SELECT t.id, t.app, t.kind, t.query, t.device_sha1_key, t.device_md5_key, t.click_key, t.external_click_key,
       t.print_key
FROM touches t
WHERE t.id IN (SELECT touch FROM decisions WHERE conversion = ANY($1::uuid[]) AND method IN ('identifier', 'referrer'))
AND NOT 'forgotten' = ANY(t.flags);

-- name: blank_touches
-- What was counted stays: link, owners, times, kind, operating system, country.
UPDATE touches SET click_id = NULL, external_click_id = NULL, ip = NULL, ua = '', os_version = '', brand = '',
    model = '', browser = '', language = '', query = '', headers = '{}',
    device_sha1_key = NULL, device_md5_key = NULL, click_key = NULL, external_click_key = NULL, print_key = NULL,
    flags = array_append(array_remove(flags, 'forgotten'), 'forgotten')
WHERE id = ANY($1::uuid[])
RETURNING id;

-- name: delete_more_keys
-- Further identifiers of touches: (key, touch).
DELETE FROM touch_more_keys m USING unnest($1::bigint[], $2::uuid[]) AS k (key, touch)
WHERE m.key = k.key AND m.touch = k.touch
RETURNING m.key;

-- name: delete_new_keys
-- Nor does anybody look for them among the installs any more. Print keys stay: others behind the address share them.
UPDATE new_keys n SET keys = ARRAY(SELECT key FROM unnest(n.keys) AS k (key) WHERE key <> ALL($1::bigint[]))
WHERE n.keys && $1::bigint[];

-- name: delete_lone_keys
-- Keys of touches that retention has dropped.
DELETE FROM touch_more_keys m WHERE m.key = ANY($1::bigint[]) AND NOT EXISTS (SELECT FROM touches t WHERE t.id = m.touch)
RETURNING m.key;

-- name: blank_touches_in_decisions
-- Click ids of touches $2, in decisions of any install that shares a key ($1) with them.
UPDATE decisions d SET
    click_id = CASE WHEN d.touch = ANY($2::uuid[]) THEN NULL ELSE d.click_id END,
    candidates = coalesce((
        SELECT jsonb_agg(CASE WHEN (c ->> 'touch_id')::uuid = ANY($2) THEN c || '{"click_id": null}' ELSE c END ORDER BY n)
        FROM jsonb_array_elements(d.candidates) WITH ORDINALITY AS e (c, n)), '[]')
WHERE d.conversion IN (SELECT conversion FROM conversion_keys WHERE key = ANY($1::bigint[]))
AND ((d.touch = ANY($2) AND d.click_id IS NOT NULL) OR EXISTS (
    SELECT FROM jsonb_array_elements(d.candidates) AS c
    WHERE (c ->> 'touch_id')::uuid = ANY($2) AND c ->> 'click_id' IS NOT NULL))
RETURNING d.conversion;

-- name: blank_postbacks
-- What partners were told, or were to be told, of these conversions. Whom, when and of what kind stays.
UPDATE postbacks p SET url = '', body = NULL, state = CASE state WHEN 'waiting' THEN 'superseded' ELSE state END
WHERE (p.conversion = ANY($1::uuid[]) OR p.install = ANY($1::uuid[])) AND p.url <> ''
RETURNING p.id;

-- name: blank_postbacks_of_touches
-- Likewise of touches $2, of any conversion that shares a key ($1) with them.
UPDATE postbacks p SET url = '', body = NULL, state = CASE state WHEN 'waiting' THEN 'superseded' ELSE state END
WHERE (p.conversion = ANY(ARRAY(SELECT conversion FROM conversion_keys WHERE key = ANY($1::bigint[])))
       OR p.install = ANY(ARRAY(SELECT conversion FROM conversion_keys WHERE key = ANY($1::bigint[]))))
AND p.touch = ANY($2::uuid[]) AND p.url <> ''
RETURNING p.id;

-- name: blank_attempts
-- What was answered may repeat what was asked.
UPDATE postback_attempts SET answer = '', error = NULL
WHERE postback = ANY($1::bigint[]) AND (answer <> '' OR error IS NOT NULL) RETURNING postback;

-- name: installs_end
-- Last id of the page of $2 installs after $1; none: it is the last page.
SELECT id FROM installs WHERE id > $1 ORDER BY id OFFSET $2 - 1 LIMIT 1;

-- name: installs_named
-- Installs after $1 up to $2, of apps $3: by user id $4, (app $5, install id $6), text $7 or key $8; those not found before.
INSERT INTO found_installs
SELECT i.id FROM installs i
WHERE i.id > $1 AND i.id <= $2 AND i.app = ANY($3::text[]) AND (
    i.user_id = ANY($4::text[])
    OR EXISTS (SELECT FROM unnest($5::text[], $6::text[]) AS n (app, install_id)
               WHERE n.app = i.app AND n.install_id = i.install_id)
    OR EXISTS (SELECT FROM unnest($7::text[]) AS f (form)
               WHERE strpos(lower(concat_ws(' ', i.ids, i.referrer, i.user_id, i.install_id)), f.form) > 0)
    OR i.id IN (SELECT conversion FROM conversion_keys WHERE key = ANY($8::bigint[])))
ON CONFLICT DO NOTHING
RETURNING id;

-- name: installs
-- What these installs call their device, locked: a decision that is being made ends first.
SELECT id, app, install_id, ids FROM installs WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE;

-- name: found_installs
-- The next page of them.
SELECT id FROM found_installs WHERE id > $1 ORDER BY id LIMIT $2;

-- name: blank_decisions
-- Method, link, campaign and touch stay, and with them every count.
UPDATE decisions d SET click_id = NULL, candidates = coalesce((
        SELECT jsonb_agg(c || '{"click_id": null}' ORDER BY n)
        FROM jsonb_array_elements(d.candidates) WITH ORDINALITY AS e (c, n)), '[]')
WHERE d.conversion = ANY($1::uuid[]) AND (d.click_id IS NOT NULL OR EXISTS (
    SELECT FROM jsonb_array_elements(d.candidates) AS c WHERE c ->> 'click_id' IS NOT NULL))
RETURNING d.conversion;

-- name: delete_keys
-- They look for nothing any more.
DELETE FROM conversion_keys WHERE conversion = ANY($1::uuid[]) RETURNING key;

-- name: delete_marks
-- Nor are they decided again.
DELETE FROM marks WHERE conversion = ANY($1::uuid[]);

-- name: make_way
-- (id, pseudonym of the install id). A sender's retry may have come in under it meanwhile: it gets one of its own.
UPDATE installs i SET install_id = i.install_id || '-' || i.id
FROM unnest($1::uuid[], $2::text[]) AS n (id, install_id)
WHERE i.app = (SELECT app FROM installs WHERE id = n.id) AND i.install_id = n.install_id AND i.id <> n.id;

-- name: blank_installs
-- (id, pseudonym of the install id). The operating system stays; so does the pre-install label, which is a link.
UPDATE installs i SET install_id = n.install_id, ids = '{}', user_id = NULL, ip = NULL, ua = '', referrer = NULL,
    device = jsonb_build_object('os', i.device -> 'os'), device_keys = '{}',
    flags = array_append(array_remove(i.flags, 'forgotten'), 'forgotten')
FROM unnest($1::uuid[], $2::text[]) AS n (id, install_id) WHERE i.id = n.id
RETURNING i.id;

-- name: events_end
-- Last id of the page of $2 events after $1; none: it is the last page.
SELECT id FROM events WHERE id > $1 ORDER BY id OFFSET $2 - 1 LIMIT 1;

-- name: events_named
-- Events after $1 up to $2, of apps $3: by user id $4, (app $5, install id $6), (app $7, visitor id $8) or text $9.
-- An event that names no install belongs to that of its user or device, as long as these are known.
SELECT e.id, e.app, e.event_id, coalesce(e.install_id, (
           SELECT i.install_id FROM event_installs o JOIN installs i ON i.id = o.install WHERE o.event = e.id
       )) AS install_id,
       e.ids ->> 'visitor_id' AS visitor_id,
       e.install_id IS NULL OR EXISTS (
           SELECT FROM installs i WHERE i.app = e.app AND i.install_id = e.install_id) AS install_stands,
       EXISTS (SELECT FROM visits v WHERE v.app = e.app AND v.visitor_id = e.ids ->> 'visitor_id') AS visitor_stands
FROM events e
WHERE e.id > $1 AND e.id <= $2 AND e.app = ANY($3::text[]) AND (
    e.user_id = ANY($4::text[])
    OR EXISTS (SELECT FROM unnest($5::text[], $6::text[]) AS n (app, install_id)
               WHERE n.app = e.app AND n.install_id = e.install_id)
    OR EXISTS (SELECT FROM unnest($7::text[], $8::text[]) AS n (app, visitor_id)
               WHERE n.app = e.app AND n.visitor_id = e.ids ->> 'visitor_id')
    OR EXISTS (SELECT FROM unnest($9::text[]) AS f (form)
               WHERE strpos(lower(concat_ws(' ', e.ids, e.params, e.user_id, e.event_id)), f.form) > 0));

-- name: blank_events
-- (id, pseudonyms of event id, install id and visitor id). Name, time and money stay. A sender's retry may have come in
-- under the event's pseudonym meanwhile.
UPDATE events e SET install_id = n.install_id,
    event_id = CASE WHEN EXISTS (SELECT FROM events o WHERE o.app = e.app AND o.event_id = n.event_id AND o.id <> e.id)
        THEN n.event_id || '-' || e.id ELSE n.event_id END,
    ids = CASE WHEN n.visitor_id IS NULL THEN '{}' ELSE jsonb_build_object('visitor_id', n.visitor_id) END,
    user_id = NULL, params = '{}', ip = NULL, ua = '', device_keys = '{}',
    flags = array_append(array_remove(e.flags, 'forgotten'), 'forgotten')
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS n (id, event_id, install_id, visitor_id)
WHERE e.id = n.id
RETURNING e.id;

-- name: wait_no_longer
-- Blanked events are not decided any more: their touches may not be blanked yet.
DELETE FROM waiting WHERE conversion = ANY($1::uuid[]);

-- name: visits_end
-- Last id of the page of $2 visits after $1; none: it is the last page.
SELECT id FROM visits WHERE id > $1 ORDER BY id OFFSET $2 - 1 LIMIT 1;

-- name: visits_leading
-- Visitors of the visits after $1 up to $2, of apps $3, that name a touch of the device or have text $4 in their
-- address. A touch of another app is a mistake: anybody can write one into an address.
WITH theirs AS (
    INSERT INTO found_visits
    SELECT v.id, true FROM visits v
    WHERE v.id > $1 AND v.id <= $2 AND v.app = ANY($3::text[]) AND (
        EXISTS (SELECT FROM unnest($4::text[]) AS f (form)
                WHERE strpos(lower(concat_ws(' ', v.url, v.referer)), f.form) > 0)
        OR EXISTS (SELECT FROM touches t WHERE t.id = v.touch AND t.app = v.app AND (
            t.id IN (SELECT id FROM found_touches)
            OR t.id IN (SELECT d.touch FROM decisions d JOIN found_installs i ON i.id = d.conversion
                        WHERE d.method IN ('identifier', 'referrer')))))
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT DISTINCT v.app, v.visitor_id FROM visits v JOIN theirs ON theirs.id = v.id;

-- name: visits_of_visitors
-- All visits of (app, visitor id).
INSERT INTO found_visits
SELECT v.id, false FROM unnest($1::text[], $2::text[]) AS n (app, visitor_id)
JOIN visits v ON v.app = n.app AND v.visitor_id = n.visitor_id
ON CONFLICT DO NOTHING;

-- name: touches_of_visitors
-- Touches that visits of (app, visitor id, or its pseudonym) name, also those that have not been stored yet.
INSERT INTO found_touches
SELECT v.touch, false FROM unnest($1::text[], $2::text[]) AS n (app, visitor_id)
JOIN visits v ON v.app = n.app AND v.visitor_id = n.visitor_id
WHERE v.touch IS NOT NULL AND NOT EXISTS (SELECT FROM touches t WHERE t.id = v.touch AND t.app <> v.app)
ON CONFLICT DO NOTHING;

-- name: found_visits
-- The next page of them after ($1, $2): those that lead to others come last.
SELECT f.leads, v.id, v.app, v.visit_id, v.visitor_id, v.url
FROM (SELECT id, leads FROM found_visits WHERE (leads, id) > ($1, $2) ORDER BY leads, id LIMIT $3) f
JOIN visits v ON v.id = f.id
ORDER BY f.leads, f.id;

-- name: blank_visits
-- (id, pseudonyms of visit id and visitor id, page). Touch, link, time and country stay. A sender's retry may have
-- come in under the visit's pseudonym meanwhile.
UPDATE visits v SET visitor_id = n.visitor_id, url = n.url, referer = '', language = '', ip = NULL, ua = '',
    visit_id = CASE WHEN EXISTS (SELECT FROM visits o WHERE o.app = v.app AND o.visit_id = n.visit_id AND o.id <> v.id)
        THEN n.visit_id || '-' || v.id ELSE n.visit_id END,
    flags = array_append(array_remove(v.flags, 'forgotten'), 'forgotten')
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS n (id, visit_id, visitor_id, url) WHERE v.id = n.id
RETURNING v.id;

-- name: delete_test_devices
-- The device among the test devices of apps $1: (kind, SHA-1).
DELETE FROM test_devices t USING unnest($2::text[], $3::text[]) AS d (kind, sha1)
WHERE t.app = ANY($1::text[]) AND t.kind = d.kind AND t.sha1 = d.sha1
RETURNING t.app;

-- name: rejects_end
-- Last (consumer, id) of the page of $3 rejects after ($1, $2); none: it is the last page.
SELECT consumer, id FROM rejects WHERE (consumer, id) > ($1::text, $2::uuid)
ORDER BY consumer, id OFFSET $3 - 1 LIMIT 1;

-- name: rejects_with
-- Rejects after ($1, $2) up to ($3, $4; null: the end) in which one of these texts (lower case, escaped) stands.
SELECT r.consumer, r.id, r.subject, r.record FROM rejects r
WHERE (r.consumer, r.id) > ($1::text, $2::uuid) AND ($3::text IS NULL OR (r.consumer, r.id) <= ($3, $4::uuid))
AND EXISTS (SELECT FROM unnest($5::text[]) AS f (form) WHERE strpos(lower(encode(r.record, 'escape')), f.form) > 0);

-- name: blank_rejects
-- (consumer, id); $3 takes the place of the record. The detail may quote it.
UPDATE rejects r SET record = $3, detail = ''
FROM unnest($1::text[], $2::uuid[]) AS n (consumer, id) WHERE r.consumer = n.consumer AND r.id = n.id
RETURNING r.id;
