-- What the edge leaves out before it writes anything down: for apps of children identifiers and whoever
-- the person is, and for both kinds the last part of addresses.
ALTER TABLE apps
    ADD COLUMN coppa boolean NOT NULL DEFAULT false,
    ADD COLUMN truncate_addresses boolean NOT NULL DEFAULT false;
