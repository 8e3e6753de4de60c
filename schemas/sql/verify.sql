-- name: unseen
-- Batch numbers from 1 to $2 of a journal that were never counted, as ranges [from, to).
SELECT lower(r) AS first, upper(r) - 1 AS last FROM unnest(
    int8multirange(int8range(1, $2::bigint + 1))
    - coalesce((SELECT range_agg(int8range(number, number + 1)) FROM batches WHERE journal = $1), '{}')
    - coalesce((SELECT range_agg(n) FROM batch_ranges, unnest(numbers) AS n WHERE journal = $1), '{}')
) AS r ORDER BY 1;

-- name: seen_journals
-- Every journal that ever arrived, with its topic and highest number.
SELECT journal, max(topic) AS topic, max(last) AS last FROM (
    SELECT journal, topic, max(number) AS last FROM batches GROUP BY journal, topic
    UNION ALL
    SELECT journal, topic, max(upper(numbers) - 1) FROM batch_ranges GROUP BY journal, topic
) AS seen GROUP BY journal;

-- name: hour_before
-- Hour of the last counted batch below a number.
SELECT coalesce(
    (SELECT hour_to FROM batches WHERE journal = $1 AND number < $2 ORDER BY number DESC LIMIT 1),
    (SELECT max(hour_to) FROM batch_ranges WHERE journal = $1 AND numbers << int8range($2, NULL)));

-- name: hour_after
-- Hour of the first counted batch above a number.
SELECT hour_from FROM batches WHERE journal = $1 AND number > $2 ORDER BY number LIMIT 1;

-- name: positions
-- Every consumer's positions.
SELECT consumer, log, partition, next_offset FROM log_positions;

-- name: holes
-- Holes on record.
SELECT consumer, log, partition, start, stop, found_at FROM log_holes ORDER BY found_at;

-- name: links
-- Per link and hour of receipt: what the edge received, what is stored.
WITH stored AS (
    SELECT link AS subject, (('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 3600000)::int
        AS hour, count(*) AS records
    FROM touches WHERE id >= $1 GROUP BY 1, 2
), said AS (
    SELECT subject, hour, sum(records) AS records FROM received
    WHERE topic IN ('hits', 'rejects') AND hour >= $2 GROUP BY 1, 2
)
SELECT subject, hour, coalesce(said.records, 0)::bigint AS received, coalesce(stored.records, 0) AS stored
FROM said FULL JOIN stored USING (subject, hour) ORDER BY hour, subject;

-- name: apps
-- Per app and hour of receipt: installs, events and visits received and stored.
WITH stored AS (
    SELECT app AS subject, (('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 3600000)::int
        AS hour, count(*) AS records
    FROM (SELECT app, id FROM installs WHERE id >= $1 UNION ALL SELECT app, id FROM events WHERE id >= $1
          UNION ALL SELECT app, id FROM visits WHERE id >= $1) AS conversions
    GROUP BY 1, 2
), said AS (
    SELECT subject, hour, sum(records) AS records FROM received
    WHERE topic = 'conversions' AND hour >= $2 GROUP BY 1, 2
)
SELECT subject, hour, coalesce(said.records, 0)::bigint AS received, coalesce(stored.records, 0) AS stored
FROM said FULL JOIN stored USING (subject, hour) ORDER BY hour, subject;

-- name: frameworks
-- Per framework of Apple's and hour of receipt: postbacks received and stored.
WITH stored AS (
    SELECT framework AS subject, (('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 3600000)::int
        AS hour, count(*) AS records
    FROM skan_postbacks WHERE id >= $1 GROUP BY 1, 2
), said AS (
    SELECT subject, hour, sum(records) AS records FROM received
    WHERE topic = 'skan' AND hour >= $2 GROUP BY 1, 2
)
SELECT subject, hour, coalesce(said.records, 0)::bigint AS received, coalesce(stored.records, 0) AS stored
FROM said FULL JOIN stored USING (subject, hour) ORDER BY hour, subject;

-- name: rejected
-- Rejects by subject, hour and reason; those of conversions and of Apple's postbacks apart.
SELECT CASE consumer WHEN 'attribution' THEN 'apps' WHEN 'skan' THEN 'frameworks' ELSE 'links' END AS of, subject, hour, reason, count(*) AS records
FROM rejects WHERE hour >= $1 OR hour IS NULL GROUP BY 1, 2, 3, 4;

-- name: first_hour
-- Hour of the oldest partition: retention drops rows and keeps the counts before it.
SELECT min(substr(c.relname, 9)) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'touches'::regclass AND c.relname <> 'touches_default';

-- name: uncredited
-- Events received since that belong to no known install, or not yet.
SELECT count(*) FROM uncredited_events WHERE id >= $1;
