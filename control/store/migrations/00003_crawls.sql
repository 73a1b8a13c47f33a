-- +goose Up

-- What crawls found: the last ones of each host and category. details and
-- sightings are JSON; only the newest that has sightings keeps them.
CREATE TABLE crawls (
    host        TEXT NOT NULL,
    category    TEXT NOT NULL,
    at          BIGINT NOT NULL,
    mode        TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    held        TEXT NOT NULL,
    method      TEXT NOT NULL,
    took        BIGINT NOT NULL,
    holds       BIGINT NOT NULL,
    lacks       BIGINT NOT NULL,
    unknown     BIGINT NOT NULL,
    requests    BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    details     TEXT NOT NULL,
    sightings   TEXT NOT NULL,
    PRIMARY KEY (host, category, at)
);
CREATE INDEX crawls_at ON crawls (at);

-- How each host and category stands with the crawls: when those of each mode
-- were, how many failed in a row, since when it is out of all lists (0: it is
-- not), and since when it is suspended.
CREATE TABLE standings (
    host         TEXT NOT NULL,
    category     TEXT NOT NULL,
    full_at      BIGINT NOT NULL,
    quick_at     BIGINT NOT NULL,
    metadata_at  BIGINT NOT NULL,
    canary_at    BIGINT NOT NULL,
    failures     BIGINT NOT NULL,
    out_at       BIGINT NOT NULL,
    suspended_at BIGINT NOT NULL,
    held_at      BIGINT NOT NULL,
    reason       TEXT NOT NULL,
    PRIMARY KEY (host, category)
);

-- When people were told of something last that they are not to be told of again
-- and again.
CREATE TABLE told (
    event TEXT NOT NULL,
    about TEXT NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (event, about)
);
