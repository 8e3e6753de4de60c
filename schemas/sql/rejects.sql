-- name: insert
-- What the edge refused; the hour of receipt is in the id.
INSERT INTO rejects (id, consumer, subject, hour, reason, parameter, detail, record, log, partition, "offset")
SELECT r.id, 'edge', r.subject,
       (('x' || substr(replace(r.id::text, '-', ''), 1, 12))::bit(48)::bigint / 3600000)::int,
       r.reason, r.parameter, r.detail, r.record, '', 0, r."offset"
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bigint[])
    AS r (id, subject, reason, parameter, detail, record, "offset")
ON CONFLICT DO NOTHING
RETURNING id;
