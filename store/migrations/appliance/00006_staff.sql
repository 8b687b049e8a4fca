-- The people who run the appliance, what needs two of them, and the codes that are
-- given to holders. Times are unix milliseconds UTC, 0 = never.
-- Only types and clauses that SQLite and PostgreSQL share (BLOB aside).

-- +goose Up
CREATE TABLE staff (
    id          TEXT   NOT NULL PRIMARY KEY,
    username    TEXT   NOT NULL,
    given_name  TEXT   NOT NULL,
    surname     TEXT   NOT NULL,
    fiscal_code TEXT   NOT NULL,
    email       TEXT   NOT NULL,
    role        TEXT   NOT NULL CHECK (role IN ('security', 'certification', 'technical', 'logistic', 'audit',
                                                'registration-operator', 'registration-officer')),
    state       TEXT   NOT NULL CHECK (state IN ('appointed', 'active', 'removed')),
    factors     BLOB,
    created     BIGINT NOT NULL,
    changed     BIGINT NOT NULL,
    CHECK (factors IS NOT NULL OR state <> 'active')
);
-- A person has one role, never two.
CREATE UNIQUE INDEX staff_person ON staff (fiscal_code) WHERE state <> 'removed';
CREATE UNIQUE INDEX staff_username ON staff (username) WHERE state <> 'removed';

CREATE TABLE staff_sessions (
    id      BLOB   NOT NULL PRIMARY KEY,
    staff   TEXT   NOT NULL REFERENCES staff (id),
    created BIGINT NOT NULL,
    seen    BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    binding BLOB   NOT NULL
);
CREATE INDEX staff_sessions_expires ON staff_sessions (expires);

-- proposer and approver are members of the staff; parameters is JSON. digest is what
-- the proposer has proposed; the journal has it too.
CREATE TABLE proposals (
    id            TEXT   NOT NULL PRIMARY KEY,
    act           TEXT   NOT NULL,
    subject       TEXT   NOT NULL,
    parameters    BLOB   NOT NULL,
    digest        BLOB   NOT NULL,
    proposer      TEXT   NOT NULL REFERENCES staff (id),
    proposer_role TEXT   NOT NULL,
    created       BIGINT NOT NULL,
    expires       BIGINT NOT NULL,
    state         TEXT   NOT NULL CHECK (state IN ('open', 'approved', 'executed', 'failed', 'cancelled', 'expired')),
    approver      TEXT   NOT NULL,
    decided       BIGINT NOT NULL,
    claimed       BIGINT NOT NULL,
    result        TEXT   NOT NULL,
    CHECK (approver <> proposer OR state = 'cancelled')
);
CREATE INDEX proposals_state ON proposals (state, created);

CREATE TABLE emergency_codes (
    certificate TEXT   NOT NULL PRIMARY KEY REFERENCES certificates (serial),
    verifier    BLOB   NOT NULL,
    created     BIGINT NOT NULL
);

-- Somebody who is to choose a password and show that an authenticator works: a holder
-- who was registered ('register'), one who was recovered ('recover'), a member of the
-- staff ('staff'). order holds what else is needed, as JSON; csr is there once the key is.
CREATE TABLE activations (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('register', 'recover', 'staff')),
    subject    TEXT    NOT NULL,
    verifier   BLOB    NOT NULL UNIQUE,
    state      TEXT    NOT NULL CHECK (state IN ('open', 'enrolled', 'keyed', 'done', 'void')),
    terms      BLOB    NOT NULL,
    credential TEXT    NOT NULL,
    csr        BLOB,
    tries      INTEGER NOT NULL,
    created    BIGINT  NOT NULL,
    expires    BIGINT  NOT NULL,
    actor      TEXT    NOT NULL
);
CREATE INDEX activations_subject ON activations (subject, created);
CREATE UNIQUE INDEX activations_open ON activations (subject) WHERE state NOT IN ('done', 'void');

CREATE TABLE identifications (
    id            TEXT   NOT NULL PRIMARY KEY,
    holder        TEXT   NOT NULL REFERENCES holders (id),
    document      TEXT   NOT NULL,
    number        TEXT   NOT NULL,
    issuer        TEXT   NOT NULL,
    expires       BIGINT NOT NULL,
    identified_by TEXT   NOT NULL,
    at            BIGINT NOT NULL
);
CREATE INDEX identifications_holder ON identifications (holder, at);

-- Holders are looked up by who they are.
CREATE INDEX holders_fiscal_code ON holders (fiscal_code);

-- +goose Down
DROP INDEX holders_fiscal_code;
DROP TABLE identifications;
DROP TABLE activations;
DROP TABLE emergency_codes;
DROP TABLE proposals;
DROP TABLE staff_sessions;
DROP TABLE staff;
