-- The counters of banks and insurers: where members of the staff work, tablets, what
-- customers have consented to, and what is done at a counter. Times are unix milliseconds
-- UTC, 0 = never. Only types and clauses that SQLite and PostgreSQL share (BLOB aside).

-- +goose Up
ALTER TABLE staff ADD COLUMN centre TEXT NOT NULL DEFAULT '';

-- code is the verifier of the code that the tablet is registered with, and token that of
-- what the tablet shows with each request; both are empty where there is none.
CREATE TABLE tablets (
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    centre       TEXT   NOT NULL,
    class        TEXT   NOT NULL,
    state        TEXT   NOT NULL CHECK (state IN ('invited', 'pending', 'active', 'revoked')),
    code         BLOB   NOT NULL,
    code_expires BIGINT NOT NULL,
    token        BLOB   NOT NULL,
    public_key   BLOB   NOT NULL,
    invited_by   TEXT   NOT NULL,
    confirmed_by TEXT   NOT NULL,
    created      BIGINT NOT NULL,
    changed      BIGINT NOT NULL
);
CREATE INDEX tablets_centre ON tablets (centre, name);
CREATE UNIQUE INDEX tablets_code ON tablets (code) WHERE state = 'invited';
CREATE UNIQUE INDEX tablets_token ON tablets (token) WHERE state IN ('pending', 'active');

-- Explicit consent to the processing of one's handwritten signatures (GDPR art. 9 par. 2
-- lit. a): to which text, when and before whom. A holder has one that is not withdrawn.
CREATE TABLE consents (
    id           TEXT   NOT NULL PRIMARY KEY,
    holder       TEXT   NOT NULL REFERENCES holders (id),
    session      TEXT   NOT NULL,
    text         TEXT   NOT NULL,
    sha256       BLOB   NOT NULL,
    witness      TEXT   NOT NULL REFERENCES staff (id),
    given        BIGINT NOT NULL,
    withdrawn    BIGINT NOT NULL,
    withdrawn_by TEXT   NOT NULL
);
CREATE INDEX consents_holder ON consents (holder, given);
CREATE INDEX consents_withdrawn ON consents (withdrawn) WHERE withdrawn > 0;
CREATE UNIQUE INDEX consents_in_force ON consents (holder) WHERE withdrawn = 0;

-- The documents that were brought at a counter: nobody signs others there.
CREATE TABLE counter_documents (
    document   TEXT   NOT NULL PRIMARY KEY REFERENCES documents (id),
    centre     TEXT   NOT NULL,
    brought_by TEXT   NOT NULL REFERENCES staff (id),
    at         BIGINT NOT NULL
);

-- A session at a counter. data is JSON: documents with the pages that were shown, or how
-- far an enrolment is. capture is what the vault has opened for it; csr is there while a
-- key has no certificate yet.
CREATE TABLE counter_sessions (
    id             TEXT    NOT NULL PRIMARY KEY,
    purpose        TEXT    NOT NULL CHECK (purpose IN ('enrol', 'sign')),
    state          TEXT    NOT NULL CHECK (state IN ('open', 'reading', 'signing', 'matched', 'done', 'refused', 'failed', 'cancelled', 'expired')),
    why            TEXT    NOT NULL,
    holder         TEXT    NOT NULL REFERENCES holders (id),
    operator       TEXT    NOT NULL REFERENCES staff (id),
    second         TEXT    NOT NULL,
    centre         TEXT    NOT NULL,
    tablet         TEXT    NOT NULL REFERENCES tablets (id),
    locale         TEXT    NOT NULL,
    reference      TEXT    NOT NULL,
    request        TEXT    NOT NULL,
    capture        TEXT    NOT NULL,
    transaction_id TEXT    NOT NULL,
    credential     TEXT    NOT NULL,
    csr            BLOB,
    tries          INTEGER NOT NULL,
    data           BLOB    NOT NULL,
    created        BIGINT  NOT NULL,
    changed        BIGINT  NOT NULL,
    expires        BIGINT  NOT NULL,
    CHECK (second <> operator)
);
CREATE INDEX counter_sessions_at ON counter_sessions (tablet, created);
CREATE INDEX counter_sessions_centre ON counter_sessions (centre, created);
-- A tablet shows one session, and a customer sits at one tablet.
CREATE UNIQUE INDEX counter_sessions_tablet ON counter_sessions (tablet) WHERE state IN ('open', 'reading', 'signing', 'matched');
CREATE UNIQUE INDEX counter_sessions_holder ON counter_sessions (holder) WHERE state IN ('open', 'reading', 'signing', 'matched');

-- What an application is told of the end of a session. due is 0 until then.
CREATE TABLE counter_callbacks (
    session TEXT    NOT NULL PRIMARY KEY REFERENCES counter_sessions (id),
    address TEXT    NOT NULL,
    state   TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'given-up')),
    tries   INTEGER NOT NULL,
    due     BIGINT  NOT NULL
);
CREATE INDEX counter_callbacks_due ON counter_callbacks (state, due);

-- +goose Down
DROP TABLE counter_callbacks;
DROP TABLE counter_sessions;
DROP TABLE counter_documents;
DROP TABLE consents;
DROP TABLE tablets;
ALTER TABLE staff DROP COLUMN centre;
