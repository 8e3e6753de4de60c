-- name: put_web_ad
-- A nonce for an ad on a website; gives the time until which it is answered.
INSERT INTO skan_web_ads (nonce, network, source_identifier, store_app, source_domain)
VALUES ($1, $2, $3, $4, $5) RETURNING issued_at + make_interval(days => $6::int);

-- name: web_ad
-- The ad of a nonce that was issued at most so many days ago.
SELECT network, source_identifier, store_app, source_domain FROM skan_web_ads
WHERE nonce = $1 AND issued_at > now() - make_interval(days => $2::int);

-- name: forget_web_ads
-- Nonces that are answered no more.
DELETE FROM skan_web_ads WHERE issued_at < now() - make_interval(days => $1::int);
