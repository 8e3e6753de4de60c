-- name: insert_visits
-- New visits; a visit_id that stands already changes nothing.
INSERT INTO visits (app, visit_id, id, visitor_id, url, referer, touch, link, occurred_at, ip, ua, language,
                    country, flags)
SELECT v.app, v.visit_id, v.id, v.visitor_id, v.url, v.referer, v.touch, v.link,
       timestamptz 'epoch' + v.occurred_us * interval '1 microsecond', v.ip::inet, v.ua, v.language, v.country,
       coalesce(string_to_array(nullif(v.flags, ''), ','), '{}')
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[],
            $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
    AS v (app, visit_id, id, visitor_id, url, referer, touch, link, occurred_us, ip, ua, language, country, flags)
ON CONFLICT DO NOTHING
RETURNING id;
