-- name: conversions
-- What partners may be told of these installs, returns and events: a row for each, with all that macros stand for. An
-- event that is a return as well has two. Those of no known install, and returns that are none, are missing.
WITH asked AS MATERIALIZED (SELECT unnest($1::uuid[]) AS id), told AS (
    SELECT s.install AS conversion, s.install,
           CASE WHEN d.method = 'reinstall' THEN 're-install' ELSE 'install' END AS kind,
           s.decided, s.test, s.method, s.touch, s.touch_kind, s.link, s.campaign, s.partner
    FROM asked a
    CROSS JOIN LATERAL (SELECT * FROM standing_attributions WHERE install = a.id OFFSET 0) s
    LEFT JOIN LATERAL (SELECT method FROM decisions WHERE conversion = a.id ORDER BY number DESC LIMIT 1) d ON true
    UNION ALL
    SELECT c.event, c.install, 'event', c.decided, c.test, c.method, c.touch, c.touch_kind, c.link, c.campaign, c.partner
    FROM asked a CROSS JOIN LATERAL (SELECT * FROM credited_events WHERE event = a.id OFFSET 0) c
    UNION ALL
    SELECT d.conversion, v.install, 're-engagement', true, d.test, d.method, d.touch, d.touch_kind, d.link, d.campaign,
           d.partner
    FROM asked a CROSS JOIN LATERAL (
        SELECT * FROM decisions WHERE conversion = a.id ORDER BY number DESC LIMIT 1) d
    CROSS JOIN LATERAL (SELECT install FROM event_installs WHERE event = a.id OFFSET 0) v
    WHERE d.kind = 're-engagement' AND d.method <> 'active'
)
SELECT o.conversion, o.install, o.kind, e.name, o.decided, o.method, o.touch, o.touch_kind,
       o.link, o.campaign, o.partner,
       o.test OR 'sandbox' = ANY(coalesce(e.flags, i.flags)) AS test,
       'forgotten' = ANY(coalesce(e.flags, '{}') || coalesce(i.flags, '{}')) AS forgotten,
       coalesce(e.app, i.app) AS app, a.title AS app_title, a.stores,
       coalesce(e.at, conversion_time(i.installed_at, i.id)) AS at,
       e.params, e.ids AS event_ids, e.revenue_micros, e.currency,
       i.install_id, coalesce(e.user_id, i.user_id) AS user_id, i.ids, i.os, i.device, i.app_version, i.country,
       host(i.ip) AS install_ip, conversion_time(i.installed_at, i.id) AS installed_at,
       t.touched_at, t.click_id, host(t.ip) AS touch_ip, t.ua AS touch_ua, t.query,
       l.title AS link_title, c.title AS campaign_title, c.kind AS campaign_kind, c.traffic AS campaign_traffic,
       p.title AS partner_title
FROM told o
LEFT JOIN LATERAL (SELECT * FROM installs WHERE id = o.install OFFSET 0) i ON true
LEFT JOIN LATERAL (SELECT * FROM events WHERE id = o.conversion OFFSET 0) e ON true
LEFT JOIN LATERAL (SELECT * FROM touches WHERE id = o.touch OFFSET 0) t ON true
LEFT JOIN links l ON l.id = o.link
LEFT JOIN campaigns c ON c.id = o.campaign
LEFT JOIN partners p ON p.id = o.partner
LEFT JOIN apps a ON a.id = coalesce(e.app, i.app)
ORDER BY o.conversion, o.kind;
