-- Where a session was opened, by what means, and what it is bound to, so that its
-- holder can see and end it. Those there were are over: their holders sign in again.

-- +goose Up
DROP TABLE sessions;
CREATE TABLE sessions (
    id      BLOB   NOT NULL PRIMARY KEY,
    holder  TEXT   NOT NULL REFERENCES holders (id),
    created BIGINT NOT NULL,
    seen    BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    face    TEXT   NOT NULL,
    methods TEXT   NOT NULL,
    client  TEXT   NOT NULL,
    agent   TEXT   NOT NULL,
    label   TEXT   NOT NULL,
    binding BLOB   NOT NULL,
    epoch   BLOB   NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);
CREATE INDEX sessions_holder ON sessions (holder, seen);
