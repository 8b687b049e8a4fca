-- Signature activation data that is used in parts, the credentials the vault knows,
-- and delegations of the automatic procedure.
--
-- What was in the table before is forgotten: activation data of the programs of then
-- is not read any more, and could not be used again.

-- +goose Up
DROP TABLE spent;

CREATE TABLE spent (
    jti        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    request    TEXT    NOT NULL,
    holder     TEXT    NOT NULL,
    credential TEXT    NOT NULL,
    taken      BLOB    NOT NULL,
    binding    BLOB    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('intent', 'done')),
    signatures BLOB,
    created    BIGINT  NOT NULL,
    expires    BIGINT  NOT NULL,
    PRIMARY KEY (jti, seq),
    UNIQUE (jti, request)
);
CREATE INDEX spent_intent ON spent (created, jti) WHERE state = 'intent';
CREATE INDEX spent_expires ON spent (expires);

CREATE TABLE credential_states (
    id      TEXT    NOT NULL PRIMARY KEY,
    holder  TEXT    NOT NULL,
    request TEXT    NOT NULL,
    epoch   INTEGER NOT NULL,
    record  BLOB    NOT NULL,
    state   TEXT    NOT NULL CHECK (state IN ('active', 'destroyed')),
    changed BIGINT  NOT NULL,
    mac     BLOB    NOT NULL
);

CREATE TABLE delegations (
    id         TEXT   NOT NULL PRIMARY KEY,
    holder     TEXT   NOT NULL,
    credential TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    due        BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    record     BLOB   NOT NULL,
    mac        BLOB   NOT NULL
);
CREATE INDEX delegations_holder ON delegations (holder, created);
CREATE INDEX delegations_credential ON delegations (credential);
CREATE INDEX delegations_due ON delegations (due) WHERE due > 0;
