-- SKAdNetwork and AdAttributionKit: what Apple's devices report of installs, and what it means.

-- Every body that came, whole. One that verifies counts once: `valid` is the first that was received of its id, others
-- of the id are `duplicate` or, with another content, `changed`; one that does not verify claims nothing.
CREATE TABLE skan_postbacks (
    id           uuid PRIMARY KEY,                  -- of the record: carries the time of receipt
    framework    text NOT NULL CHECK (framework IN ('skadnetwork', 'adattributionkit')),
    transaction  text,                              -- transaction-id or postback-identifier, lower case; null: it has none
    verdict      text NOT NULL CHECK (verdict IN ('valid', 'invalid', 'duplicate', 'changed')),
    reason       text NOT NULL,
    version      text,                              -- of SKAdNetwork, as the body says it
    hash         bytea NOT NULL,                    -- SHA-256 of the content, however its JSON is spelt
    body         bytea NOT NULL,
    -- what a body says that verifies
    key          text,                              -- name of the key
    network      text,                              -- lower case
    store_app    bigint,                            -- number of the advertised app in the App Store
    source_kind  text CHECK (source_kind IN ('campaign_id', 'source_identifier')),
    source       text,                              -- 1 to 100, or two to four digits
    sequence     smallint CHECK (sequence BETWEEN 0 AND 2),
    did_win      boolean,                           -- null: before 3.0 only winners are told
    conversion   text CHECK (conversion IN ('download', 'redownload', 're-engagement')),
    interaction  text CHECK (interaction IN ('click', 'view')),
    source_app   bigint,
    source_domain text,
    fine         smallint CHECK (fine BETWEEN 0 AND 63),
    coarse       text CHECK (coarse IN ('low', 'medium', 'high')),
    country      text,
    CHECK (verdict = 'invalid' OR (transaction IS NOT NULL AND key IS NOT NULL AND network IS NOT NULL
                                   AND store_app IS NOT NULL AND source IS NOT NULL AND source_kind IS NOT NULL))
);

CREATE UNIQUE INDEX skan_postbacks_claims ON skan_postbacks (framework, transaction) WHERE verdict = 'valid';
CREATE INDEX skan_postbacks_transaction ON skan_postbacks (transaction, id);
-- The report counts these without reading the bodies.
CREATE INDEX skan_postbacks_valid ON skan_postbacks (store_app, id)
    INCLUDE (framework, network, source_kind, source, sequence, did_win, conversion, fine, coarse)
    WHERE verdict = 'valid';
CREATE INDEX skan_postbacks_others ON skan_postbacks (id) WHERE verdict <> 'valid';

-- What conversion values mean, a row a version: schemas.skan.values. It holds for postbacks received from then on.
CREATE TABLE skan_schemas (
    app        text NOT NULL REFERENCES apps,
    version    int NOT NULL CHECK (version > 0),
    schema     jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app, version)
);

-- Which campaign a campaign-id (1 to 100) or a source identifier (its last two, three or all four digits) stands for.
CREATE TABLE skan_sources (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app        text NOT NULL REFERENCES apps,
    network    text,                                -- lower case; null: of every network
    kind       text NOT NULL CHECK (kind IN ('campaign_id', 'source_identifier')),
    source     text NOT NULL,
    campaign   text NOT NULL REFERENCES campaigns,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CHECK (CASE kind WHEN 'campaign_id' THEN source ~ '^([1-9][0-9]?|100)$' ELSE source ~ '^[0-9]{2,4}$' END)
);

CREATE UNIQUE INDEX skan_sources_one ON skan_sources (app, network, kind, source) NULLS NOT DISTINCT
    WHERE deleted_at IS NULL;
CREATE INDEX skan_sources_campaign ON skan_sources (campaign) WHERE deleted_at IS NULL;

-- Web ads that may be tapped: a device asks for the signature by the nonce in the ad's link.
CREATE TABLE skan_web_ads (
    nonce             uuid PRIMARY KEY,
    network           text NOT NULL,
    source_identifier int NOT NULL CHECK (source_identifier BETWEEN 0 AND 9999),
    store_app         bigint NOT NULL,
    source_domain     text,                         -- null: on every site
    issued_at         timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX skan_web_ads_issued_at ON skan_web_ads (issued_at);
