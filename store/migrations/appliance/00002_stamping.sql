-- Time-stamping: who may have stamps, and where the ledger's entries are.
-- Times are unix milliseconds UTC, 0 = never, but gen_time: nanoseconds.
-- Only types and clauses that SQLite and PostgreSQL share (BLOB aside).

-- +goose Up
CREATE TABLE stamp_accounts (
    id        TEXT    NOT NULL PRIMARY KEY,
    name      TEXT    NOT NULL,
    state     TEXT    NOT NULL CHECK (state IN ('active', 'suspended', 'closed')),
    policies  TEXT    NOT NULL,
    networks  TEXT    NOT NULL,
    by_network INTEGER NOT NULL CHECK (by_network IN (0, 1)),
    unlimited INTEGER NOT NULL CHECK (unlimited IN (0, 1)),
    rate      BIGINT  NOT NULL,
    burst     BIGINT  NOT NULL,
    low       BIGINT  NOT NULL,
    note      TEXT    NOT NULL,
    created   BIGINT  NOT NULL,
    changed   BIGINT  NOT NULL
);

CREATE TABLE stamp_lots (
    account   TEXT   NOT NULL REFERENCES stamp_accounts (id),
    id        TEXT   NOT NULL,
    quantity  BIGINT NOT NULL CHECK (quantity > 0),
    bought    BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    note      TEXT   NOT NULL,
    PRIMARY KEY (account, id)
);

-- name is the user name of a password, unique among all that are in force.
CREATE TABLE stamp_credentials (
    id       TEXT   NOT NULL PRIMARY KEY,
    account  TEXT   NOT NULL REFERENCES stamp_accounts (id),
    kind     TEXT   NOT NULL CHECK (kind IN ('password', 'bearer', 'certificate', 'key')),
    name     TEXT   NOT NULL,
    verifier BLOB   NOT NULL,
    created  BIGINT NOT NULL,
    expires  BIGINT NOT NULL,
    revoked  BIGINT NOT NULL
);
CREATE INDEX stamp_credentials_account ON stamp_credentials (account, created);
CREATE UNIQUE INDEX stamp_credentials_user ON stamp_credentials (name) WHERE kind = 'password' AND revoked = 0;
CREATE UNIQUE INDEX stamp_credentials_verifier ON stamp_credentials (kind, verifier) WHERE revoked = 0;

-- The places of the ledger's entries. The ledger is the truth: this can be thrown
-- away and is filled in again. (seq is SQLite's own number of the row, which saves
-- an index; it has 64 bits there, and is BIGINT elsewhere.)
CREATE TABLE stamps (
    seq      INTEGER NOT NULL PRIMARY KEY,
    unit     TEXT   NOT NULL,
    serial   BIGINT NOT NULL,
    gen_time BIGINT NOT NULL,
    account  TEXT   NOT NULL,
    imprint  BLOB   NOT NULL,
    segment  BIGINT NOT NULL,
    place    BIGINT NOT NULL
);
CREATE INDEX stamps_imprint ON stamps (imprint);
CREATE UNIQUE INDEX stamps_serial ON stamps (serial, unit);
CREATE INDEX stamps_account ON stamps (account, seq);

CREATE TABLE stamp_segments (
    segment  BIGINT NOT NULL PRIMARY KEY,
    last     BIGINT NOT NULL,
    next     BIGINT NOT NULL,
    earliest BIGINT NOT NULL,
    latest   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE stamp_segments;
DROP TABLE stamps;
DROP TABLE stamp_credentials;
DROP TABLE stamp_lots;
DROP TABLE stamp_accounts;
