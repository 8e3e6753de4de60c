-- name: first_position
-- Where a consumer starts in a partition it never read: ($4) the first offset there is.
INSERT INTO log_positions (consumer, log, partition, next_offset) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING;

-- name: position
-- Where the consumer goes on in a partition.
SELECT next_offset FROM log_positions WHERE consumer = $1 AND log = $2 AND partition = $3;

-- name: move_position
-- Compare and set: no row means that another member was first, and nothing of the batch may stay.
UPDATE log_positions SET next_offset = $5, updated_at = now()
WHERE consumer = $1 AND log = $2 AND partition = $3 AND next_offset = $4
RETURNING 1;

-- name: hole
-- Put a hole on record, once.
INSERT INTO log_holes (consumer, log, partition, start, stop) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING;

-- name: epoch
-- The epoch of a topic; 1 until `touchline topics` says that it was made anew.
INSERT INTO topic_epochs (cluster, topic, epoch) VALUES ($1, $2, 1)
ON CONFLICT (cluster, topic) DO UPDATE SET epoch = topic_epochs.epoch
RETURNING epoch;

-- name: new_epoch
-- The topic was made anew: positions of the old one do not count for it.
INSERT INTO topic_epochs (cluster, topic, epoch) VALUES ($1, $2, 1)
ON CONFLICT (cluster, topic) DO UPDATE SET epoch = topic_epochs.epoch + 1, created_at = now()
RETURNING epoch;

-- name: count_batches
-- Tallies that were not counted before: (journal, boot, number).
INSERT INTO batches (journal, boot, number, topic, hour_from, hour_to)
SELECT b.journal, b.boot, b.number, b.topic, b.hour_from, b.hour_to
FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::text[], $5::int[], $6::int[])
    AS b (journal, boot, number, topic, hour_from, hour_to)
WHERE NOT EXISTS (
    SELECT FROM batch_ranges r WHERE r.journal = b.journal AND r.boot = b.boot AND r.numbers @> b.number)
ON CONFLICT DO NOTHING
RETURNING journal, boot, number;

-- name: add_received
-- What the new tallies say, added up; the caller sorts, so that two members never wait for each other.
INSERT INTO received (topic, subject, hour, records)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[])
ON CONFLICT (topic, subject, hour) DO UPDATE SET records = received.records + excluded.records;

-- name: fold_batches
-- Batches counted more than an hour ago become ranges: the table stays small for ever.
WITH old AS (
    DELETE FROM batches WHERE stored_at < now() - interval '1 hour'
    RETURNING journal, boot, topic, number, hour_to
), ranges AS (
    SELECT journal, boot, min(topic) AS topic, range_agg(int8range(number, number + 1)) AS numbers,
           max(hour_to) AS hour_to
    FROM old GROUP BY journal, boot
)
INSERT INTO batch_ranges AS r (journal, boot, topic, numbers, hour_to)
SELECT journal, boot, topic, numbers, hour_to FROM ranges
ON CONFLICT (journal, boot) DO UPDATE
SET numbers = r.numbers + excluded.numbers, hour_to = greatest(r.hour_to, excluded.hour_to);

-- name: reject
-- Rejects, whole; the same record again changes nothing.
INSERT INTO rejects (id, consumer, subject, hour, reason, parameter, detail, record, log, partition, "offset")
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[],
                     $8::bytea[], $9::text[], $10::int[], $11::bigint[])
ON CONFLICT DO NOTHING
RETURNING consumer, reason;
