-- What the vault remembers of each holder: devices, counters, failures, which record
-- of the factors counts. The records are the vault's, in JSON, each under a MAC. Rows
-- of otp_states become such records when their holder is next heard of.

-- +goose Up
CREATE TABLE holder_states (
    holder  TEXT   NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    record  BLOB   NOT NULL,
    mac     BLOB   NOT NULL
);
CREATE INDEX credential_states_holder ON credential_states (holder);
