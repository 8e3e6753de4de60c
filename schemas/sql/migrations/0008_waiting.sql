-- Partitions of weeks instead of days: a look-back window of seven days meets two of them instead of eight.
DO $$
DECLARE
    week record;
    day text;
    low text;
    high text;
BEGIN
    FOR week IN
        SELECT date_trunc('week', to_date(right(c.relname, 8), 'YYYYMMDD'))::date AS monday,
               array_agg(c.relname::text ORDER BY c.relname) AS days
        FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
        WHERE h.inhparent = 'touches'::regclass AND c.relname ~ '^touches_\d{8}$' GROUP BY 1
    LOOP
        low := lpad(to_hex((week.monday - date '1970-01-01') * 86400000::bigint), 12, '0') || '7' || repeat('0', 19);
        high := lpad(to_hex((week.monday + 7 - date '1970-01-01') * 86400000::bigint), 12, '0') || '7' || repeat('0', 19);
        EXECUTE 'CREATE TABLE touches_week (LIKE touches INCLUDING DEFAULTS INCLUDING CONSTRAINTS)';
        FOREACH day IN ARRAY week.days LOOP
            EXECUTE format('ALTER TABLE touches DETACH PARTITION %I', day);
            EXECUTE format('INSERT INTO touches_week SELECT * FROM %I', day);
            EXECUTE format('DROP TABLE %I', day);
        END LOOP;
        EXECUTE format('WITH moved AS (DELETE FROM touches_default WHERE id >= %L AND id < %L RETURNING *)'
                       ' INSERT INTO touches_week SELECT * FROM moved', low::uuid, high::uuid);
        EXECUTE format('ALTER TABLE touches ATTACH PARTITION touches_week FOR VALUES FROM (%L) TO (%L)',
                       low::uuid, high::uuid);
        EXECUTE format('ALTER TABLE touches_week RENAME TO %I', 'touches_' || to_char(week.monday, 'YYYYMMDD'));
    END LOOP;
END $$;

-- What waits to be decided. A queue of its own: an install itself is never updated for it, with all its indexes.
CREATE TABLE waiting (
    conversion uuid PRIMARY KEY,    -- goes when it is decided
    barrier    bigint               -- null: it has none yet
);

CREATE INDEX waiting_barrier ON waiting (barrier);

INSERT INTO waiting SELECT id, barrier FROM installs WHERE NOT decided;
ALTER TABLE installs DROP COLUMN decided, DROP COLUMN barrier;

-- Decisions are about conversions: installs first, and whatever else an ad may have led to.
ALTER TABLE decisions DROP CONSTRAINT decisions_install_fkey;
ALTER TABLE decisions RENAME COLUMN install TO conversion;
ALTER TABLE conversion_keys RENAME COLUMN install TO conversion;
ALTER TABLE marks RENAME COLUMN install TO conversion;
ALTER INDEX marks_install RENAME TO marks_conversion;
