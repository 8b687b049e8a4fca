-- The vault's own record: small, local, nothing of the holders' data.
-- Times are unix milliseconds UTC, 0 = never.

-- +goose Up
CREATE TABLE otp_states (
    holder       TEXT    NOT NULL PRIMARY KEY,
    step         BIGINT  NOT NULL,
    request      TEXT    NOT NULL,
    failures     INTEGER NOT NULL,
    locked_until BIGINT  NOT NULL,
    mac          BLOB    NOT NULL
);

CREATE TABLE spent (
    jti        TEXT   NOT NULL PRIMARY KEY,
    request    TEXT   NOT NULL,
    holder     TEXT   NOT NULL,
    credential TEXT   NOT NULL,
    binding    BLOB   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('intent', 'done')),
    signatures BLOB,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL
);
CREATE INDEX spent_state ON spent (state, created);
CREATE INDEX spent_expires ON spent (expires);
CREATE INDEX spent_request ON spent (request);

CREATE TABLE journal (
    seq     BIGINT NOT NULL PRIMARY KEY,
    time    BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    event   TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    detail  BLOB   NOT NULL,
    prev    BLOB   NOT NULL,
    hash    BLOB   NOT NULL
);
CREATE INDEX journal_subject ON journal (subject, seq);

CREATE TABLE checkpoints (
    seq       BIGINT NOT NULL,
    time      BIGINT NOT NULL,
    hash      BLOB   NOT NULL,
    signature BLOB   NOT NULL,
    key       TEXT   NOT NULL,
    PRIMARY KEY (seq, key)
);

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);
