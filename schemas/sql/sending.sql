-- name: lanes
-- The lanes ($1: after this one; at most $2) in which postbacks wait, with the first due time and how they are sent.
WITH RECURSIVE found AS (
    (SELECT lane, partner, due_at FROM postbacks WHERE state = 'waiting' AND lane > $1 ORDER BY lane, due_at LIMIT 1)
    UNION ALL
    SELECT n.lane, n.partner, n.due_at
    FROM found f CROSS JOIN LATERAL (
        SELECT lane, partner, due_at FROM postbacks WHERE state = 'waiting' AND lane > f.lane ORDER BY lane, due_at LIMIT 1
    ) n
)
SELECT f.lane, f.partner, f.due_at, p.sending
FROM (SELECT * FROM found LIMIT $2) f LEFT JOIN partners p ON p.id = f.partner;

-- name: claim
-- Lease ($4: until) what is due ($3: now) in these lanes ($1), of each at most so many ($2).
WITH found AS (
    SELECT f.id
    FROM unnest($1::text[], $2::int[]) AS asked (lane, room)
    CROSS JOIN LATERAL (
        SELECT p.id FROM postbacks p
        WHERE p.lane = asked.lane AND p.state = 'waiting' AND p.due_at <= $3
          AND (p.leased_until IS NULL OR p.leased_until <= $3)
        ORDER BY p.due_at LIMIT asked.room FOR UPDATE SKIP LOCKED
    ) f
)
UPDATE postbacks p SET leased_until = $4 FROM found WHERE p.id = found.id
RETURNING p.id, p.lane, p.method, p.url, p.body, p.key, p.due_at, p.first_at, p.leased_until;

-- name: record
-- What came of attempts: what was delivered is sent, whatever was decided meanwhile; a delivery of what was superseded
-- meanwhile is followed once more, so that it is taken back. Each postback once in $1; an attempt that stands already,
-- because its record was answered too late, is not written twice.
WITH asked AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::int[], $5::int[], $6::bytea[], $7::text[],
                         $8::timestamptz[], $9::timestamptz[])
        AS a (id, state, at, status, latency_ms, answer, error, due_at, leased_until)
    WHERE NOT EXISTS (SELECT FROM postback_attempts t WHERE t.postback = a.id AND t.at = a.at)
), standing AS (
    SELECT p.id, p.state AS stood, p.conversion FROM postbacks p WHERE p.id = ANY($1::bigint[]) ORDER BY p.id FOR UPDATE
), told AS (
    UPDATE postbacks p
    SET attempts = p.attempts + 1,
        first_at = coalesce(p.first_at, a.at),
        leased_until = CASE WHEN p.leased_until <> a.leased_until THEN p.leased_until END,
        state = CASE WHEN a.state = 'sent' OR s.stood = 'waiting' THEN a.state ELSE s.stood END,
        due_at = coalesce(a.due_at, p.due_at)
    FROM asked a JOIN standing s USING (id)
    WHERE p.id = a.id
    RETURNING p.id, p.attempts, a.at, a.status, a.latency_ms, a.answer, a.error, a.state, s.stood, s.conversion
), again AS (
    INSERT INTO outcomes (conversions, silent)
    SELECT array_agg(conversion), false FROM told
    WHERE state = 'sent' AND stood = 'superseded' AND conversion IS NOT NULL HAVING count(*) > 0
)
INSERT INTO postback_attempts (postback, number, at, status, latency_ms, answer, error)
SELECT id, attempts, at, status, latency_ms, answer, error FROM told;

-- name: give_up
-- What has waited since $2 in a lane ($1) that is down: dead without a further request, at most $4 at a time. $3: now,
-- $5: what is noted as its attempt.
WITH over AS (
    SELECT id FROM postbacks
    WHERE lane = $1 AND state = 'waiting' AND due_at <= $2 AND (leased_until IS NULL OR leased_until <= $3)
    ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
), dead AS (
    UPDATE postbacks p SET state = 'dead', attempts = attempts + 1 FROM over WHERE p.id = over.id RETURNING p.id, p.attempts
)
INSERT INTO postback_attempts (postback, number, at, latency_ms, error) SELECT id, attempts, $3, 0, $5 FROM dead;

-- name: count_waiting
-- How many are due ($2: now) in each of these lanes ($1); counts up to $3.
SELECT asked.lane, (
    SELECT count(*) FROM (
        SELECT FROM postbacks p WHERE p.lane = asked.lane AND p.state = 'waiting' AND p.due_at <= $2 LIMIT $3
    ) due
) AS waiting
FROM unnest($1::text[]) AS asked (lane);

-- name: forget_old
-- Postbacks made before $1 that wait no more, at most $2, with their attempts.
WITH old AS (
    SELECT id FROM postbacks WHERE created_at < $1 AND state <> 'waiting' ORDER BY created_at LIMIT $2
), attempts AS (
    DELETE FROM postback_attempts a USING old WHERE a.postback = old.id
)
DELETE FROM postbacks p USING old WHERE p.id = old.id;

-- name: release
-- Leases ($2) of postbacks ($1) that were not asked for.
UPDATE postbacks p SET leased_until = NULL
FROM unnest($1::bigint[], $2::timestamptz[]) AS one (id, leased_until)
WHERE p.id = one.id AND p.leased_until = one.leased_until;

-- name: list
-- Postbacks, the latest first: ($1) of an app, ($2) of a partner, ($3) in a state, ($4) before this id; at most $5.
SELECT id, template, conversion, touch, reversal, app, partner, event, key, method, url, body, state, due_at, attempts,
       first_at, created_at
FROM postbacks
WHERE ($1::text IS NULL OR app = $1) AND ($2::text IS NULL OR partner = $2) AND ($3::text IS NULL OR state = $3)
  AND ($4::bigint IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5;

-- name: show
-- One postback.
SELECT id, template, conversion, touch, reversal, app, partner, event, key, method, url, body, state, due_at, attempts,
       first_at, created_at, coalesce(leased_until > now(), false) AS leased
FROM postbacks WHERE id = $1;

-- name: attempts
-- The latest attempts ($2 at most) of a postback, in their order.
SELECT number, at, status, latency_ms, answer, error
FROM (SELECT * FROM postback_attempts WHERE postback = $1 ORDER BY number DESC LIMIT $2) latest ORDER BY number;

-- name: resend
-- Due now, with another 24 hours to be taken; unless it is superseded or is being asked for just now.
UPDATE postbacks SET state = 'waiting', due_at = now(), first_at = NULL, leased_until = NULL
WHERE id = $1 AND state <> 'superseded' AND (state <> 'waiting' OR leased_until IS NULL OR leased_until <= now())
RETURNING id;
