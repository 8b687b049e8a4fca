-- Signature tablets, captures of handwritten signatures and the profiles these are
-- compared with. The records are the vault's, in JSON, each under a MAC; templates are
-- encrypted, each under a key of its own that only the token opens.

-- +goose Up
CREATE TABLE counter_rows (
    kind    TEXT   NOT NULL CHECK (kind IN ('tablet', 'capture', 'profile')),
    id      TEXT   NOT NULL,
    state   TEXT   NOT NULL,
    holder  TEXT   NOT NULL,
    about   TEXT   NOT NULL,
    due     BIGINT NOT NULL,
    version BIGINT NOT NULL,
    record  BLOB   NOT NULL,
    mac     BLOB   NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX counter_rows_holder ON counter_rows (kind, holder);
CREATE INDEX counter_rows_about ON counter_rows (kind, state, about);
CREATE INDEX counter_rows_due ON counter_rows (due) WHERE due > 0;

CREATE TABLE templates (
    credential TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    class      TEXT   NOT NULL,
    algorithm  TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    wrapped    BLOB   NOT NULL,
    sealed     BLOB   NOT NULL,
    mac        BLOB   NOT NULL,
    PRIMARY KEY (credential, version)
);

-- Keyed hashes of signatures that were looked at: none is good twice.
CREATE TABLE fingerprints (
    print BLOB   NOT NULL PRIMARY KEY,
    time  BIGINT NOT NULL
);

CREATE TABLE counts (
    name TEXT   NOT NULL PRIMARY KEY,
    n    BIGINT NOT NULL
);
