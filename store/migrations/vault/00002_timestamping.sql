-- The state of the time-stamping service: what it is, in one row, and its units.
-- The records are the vault's, in JSON, each under a MAC.

-- +goose Up
CREATE TABLE tsa_root (
    id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    version BIGINT  NOT NULL,
    record  BLOB    NOT NULL,
    mac     BLOB    NOT NULL
);

CREATE TABLE tsa_units (
    name   TEXT   NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    record BLOB   NOT NULL,
    mac    BLOB   NOT NULL
);
