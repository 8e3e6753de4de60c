-- name: owners
-- The kind of app $1, when there is one, and whether partner $2 exists.
SELECT (SELECT kind FROM apps WHERE id = $1 AND deleted_at IS NULL) AS app_kind,
       EXISTS (SELECT FROM partners WHERE id = $2 AND deleted_at IS NULL) AS has_partner;

-- name: profile
-- Of a partner: the name of its profile, null without one.
SELECT profile FROM partners WHERE id = $1 AND deleted_at IS NULL;

-- name: create
-- A new postback template.
INSERT INTO postback_templates (app, partner, event, mode, first_only, method, url, body, reversal_url)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *;

-- name: list
-- Templates, the newest first: ($1) one, ($2) those of an app, ($3) of a partner, ($4) deleted ones too; at most $5,
-- before $6.
SELECT * FROM postback_templates
WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR app = $2) AND ($3::text IS NULL OR partner = $3)
AND ($4 OR deleted_at IS NULL) AND ($6::bigint IS NULL OR id < $6) ORDER BY id DESC LIMIT $5;

-- name: lock
-- One that is about to change.
SELECT * FROM postback_templates WHERE id = $1 AND deleted_at IS NULL FOR UPDATE;

-- name: change
-- What may change of it; whom it is for stays.
UPDATE postback_templates SET mode = $2, first_only = $3, method = $4, url = $5, body = $6, reversal_url = $7
WHERE id = $1 RETURNING *;

-- name: delete
-- The row stays: its postbacks name it.
UPDATE postback_templates SET deleted_at = now() WHERE id = $1 RETURNING *;

-- name: stop
-- What waits is not sent any more.
UPDATE postbacks SET state = 'superseded' WHERE template = $1 AND state = 'waiting';

-- name: install
-- An install ($2) of an app.
SELECT id FROM installs WHERE app = $1 AND install_id = $2;

-- name: last_events
-- Its last events, at most $2.
SELECT event FROM event_installs WHERE install = $1 ORDER BY at DESC, event DESC LIMIT $2;

-- name: put_trial
-- A postback that was asked for by hand, due at once.
INSERT INTO postbacks (conversion, install, app, partner, event, key, method, url, body, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now()) RETURNING id;
