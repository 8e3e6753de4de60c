-- name: of_install
-- An app's own install and its current decision (nulls while undecided), with what the touch said.
SELECT i.install_id, d.method, d.touch_kind, d.link, d.campaign, d.partner, d.click_id,
       d.confidence, t.ua, t.query
FROM installs i
LEFT JOIN LATERAL (
    SELECT * FROM decisions WHERE conversion = i.id ORDER BY number DESC LIMIT 1
) d ON true
LEFT JOIN touches t ON t.id = d.touch
WHERE i.app = $1 AND i.install_id = $2;
