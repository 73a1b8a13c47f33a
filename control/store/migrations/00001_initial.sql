-- One list of migrations for all databases: types and statements are those that
-- SQLite, PostgreSQL and CockroachDB have in common. Times are milliseconds
-- since 1970. BYTEA is SQLite's BLOB, too: it keeps bytes as they are.

-- +goose Up

-- Numbers that only grow: the last change of the registry, and the last numbers
-- given to a directory and a host. Who raises one holds its row until the
-- transaction ends: so changes follow one another.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('change', 0), ('directory', 0), ('host', 0);

-- The registry: objects as JSON. revision is the change that wrote it.
CREATE TABLE objects (
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    revision   BIGINT NOT NULL,
    doc        TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (kind, key)
);

-- Who changed what, when; item numbers the objects of one change.
CREATE TABLE audit (
    change  BIGINT NOT NULL,
    item    BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    who     TEXT NOT NULL,
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    before  TEXT NOT NULL,
    after   TEXT NOT NULL,
    PRIMARY KEY (change, item)
);
CREATE INDEX audit_of_object ON audit (kind, key, change);

-- Numbers of directories, never given twice, so that bitmaps stay true.
CREATE TABLE directories (
    number BIGINT PRIMARY KEY,
    path   TEXT NOT NULL UNIQUE
);

-- Long values, in parts.
CREATE TABLE blobs (
    name TEXT NOT NULL,
    part BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (name, part)
);

-- What masters hold; the blob tree/CATEGORY.
CREATE TABLE trees (
    category   TEXT PRIMARY KEY,
    scanned_at BIGINT NOT NULL
);

-- What hosts hold.
CREATE TABLE listings (
    host     TEXT NOT NULL,
    category TEXT NOT NULL,
    seen_at  BIGINT NOT NULL,
    data     BYTEA NOT NULL,
    PRIMARY KEY (host, category)
);

-- Versions of metadata files, for the alternates of metalinks; since is when
-- a version became the current one.
CREATE TABLE file_history (
    path   TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    since  BIGINT NOT NULL,
    size   BIGINT NOT NULL,
    mtime  BIGINT NOT NULL,
    md5    TEXT NOT NULL,
    sha1   TEXT NOT NULL,
    sha512 TEXT NOT NULL,
    PRIMARY KEY (path, sha256)
);

-- Published snapshots: sections, each in the blob section/SHA256, and manifests.
CREATE TABLE sections (
    sha256    TEXT PRIMARY KEY,
    size      BIGINT NOT NULL,
    stored_at BIGINT NOT NULL
);
CREATE TABLE manifests (
    version    BIGINT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    data       BYTEA NOT NULL
);
CREATE TABLE manifest_sections (
    version BIGINT NOT NULL REFERENCES manifests (version) ON DELETE CASCADE,
    sha256  TEXT NOT NULL REFERENCES sections (sha256),
    PRIMARY KEY (version, sha256)
);
CREATE INDEX manifests_of_section ON manifest_sections (sha256);

-- Counts of what edges answered, by minute (span 60) and, later, day (86400).
CREATE TABLE statistics (
    span      BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    category  TEXT NOT NULL,
    dimension TEXT NOT NULL,
    name      TEXT NOT NULL,
    count     BIGINT NOT NULL,
    PRIMARY KEY (span, at, category, dimension, name)
);

-- Work to do. ready_at is when a queued job may start, and when a running one
-- may be taken over since its lease ran out; 2^62 when it is over. The index on
-- it is not a partial one: PostgreSQL without statistics would sort all ready
-- jobs to find the first.
CREATE TABLE jobs (
    id           BIGINT PRIMARY KEY,
    kind         TEXT NOT NULL,
    key          TEXT NOT NULL,
    payload      TEXT NOT NULL,
    state        TEXT NOT NULL,
    ready_at     BIGINT NOT NULL,
    worker       TEXT NOT NULL,
    attempts     BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    result       TEXT NOT NULL,
    changed_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX jobs_queued ON jobs (kind, key) WHERE state = 'queued';
CREATE UNIQUE INDEX jobs_running ON jobs (kind, key) WHERE state = 'running';
CREATE INDEX jobs_ready ON jobs (ready_at);
CREATE INDEX jobs_expiring ON jobs (ready_at) WHERE state = 'running';
CREATE INDEX jobs_over ON jobs (changed_at);

-- What only one process at a time may do; fence grows with every holder.
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    fence  BIGINT NOT NULL,
    until  BIGINT NOT NULL
);
