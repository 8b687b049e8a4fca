-- The appliance's own record. Times are unix milliseconds UTC, 0 = never.
-- Only types and clauses that SQLite and PostgreSQL share (BLOB aside).

-- +goose Up
CREATE TABLE holders (
    id          TEXT   NOT NULL PRIMARY KEY,
    username    TEXT   NOT NULL UNIQUE,
    given_name  TEXT   NOT NULL,
    surname     TEXT   NOT NULL,
    fiscal_code TEXT   NOT NULL,
    email       TEXT   NOT NULL,
    locale      TEXT   NOT NULL,
    factors     BLOB,
    created     BIGINT NOT NULL
);

CREATE TABLE credentials (
    id          TEXT   NOT NULL PRIMARY KEY,
    holder      TEXT   NOT NULL REFERENCES holders (id),
    key_type    TEXT   NOT NULL,
    record      BLOB   NOT NULL,
    certificate TEXT   NOT NULL,
    created     BIGINT NOT NULL
);
CREATE INDEX credentials_holder ON credentials (holder, created);

-- holder and credential are empty for the certificates of the house itself,
-- so they cannot be foreign keys.
CREATE TABLE certificates (
    serial     TEXT    NOT NULL PRIMARY KEY,
    issuer     TEXT    NOT NULL,
    profile    TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    holder     TEXT    NOT NULL,
    credential TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('intent', 'valid', 'suspended', 'revoked', 'presumed-issued')),
    tbs        BLOB    NOT NULL,
    der        BLOB,
    not_before BIGINT  NOT NULL,
    not_after  BIGINT  NOT NULL,
    intent     BIGINT  NOT NULL,
    issued     BIGINT  NOT NULL,
    status_at  BIGINT  NOT NULL,
    reason     INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    CHECK (der IS NOT NULL OR state IN ('intent', 'presumed-issued'))
);
CREATE INDEX certificates_issuer ON certificates (issuer, state);
CREATE INDEX certificates_state ON certificates (state, intent);
CREATE INDEX certificates_holder ON certificates (holder, intent);

CREATE TABLE crls (
    issuer      TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    der         BLOB   NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    published   BIGINT NOT NULL,
    timestamp   BLOB,
    PRIMARY KEY (issuer, number)
);

CREATE TABLE documents (
    id         TEXT    NOT NULL PRIMARY KEY,
    holder     TEXT    NOT NULL REFERENCES holders (id),
    name       TEXT    NOT NULL,
    format     TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    size       BIGINT  NOT NULL,
    sha256     BLOB    NOT NULL,
    path       TEXT    NOT NULL,
    report     BLOB,
    verdict    TEXT    NOT NULL,
    pages      INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    created    BIGINT  NOT NULL
);
CREATE INDEX documents_holder ON documents (holder, created, id);

CREATE TABLE transactions (
    id         TEXT   NOT NULL PRIMARY KEY,
    holder     TEXT   NOT NULL REFERENCES holders (id),
    credential TEXT   NOT NULL REFERENCES credentials (id),
    state      TEXT   NOT NULL,
    hash       TEXT   NOT NULL,
    certificate TEXT  NOT NULL,
    error      TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    updated    BIGINT NOT NULL
);
CREATE INDEX transactions_holder ON transactions (holder, created, id);
CREATE INDEX transactions_state ON transactions (state, created);

CREATE TABLE items (
    transaction_id TEXT    NOT NULL REFERENCES transactions (id),
    seq            INTEGER NOT NULL,
    document       TEXT    NOT NULL REFERENCES documents (id),
    form           TEXT    NOT NULL,
    level          TEXT    NOT NULL,
    digest         BLOB    NOT NULL,
    prepared       BLOB    NOT NULL,
    signature      BLOB,
    token          BLOB,
    output         TEXT    NOT NULL,
    output_name    TEXT    NOT NULL,
    output_sha256  BLOB,
    report         BLOB,
    PRIMARY KEY (transaction_id, seq)
);

CREATE TABLE sessions (
    id      BLOB   NOT NULL PRIMARY KEY,
    holder  TEXT   NOT NULL REFERENCES holders (id),
    created BIGINT NOT NULL,
    seen    BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE tokens (
    serial   TEXT   NOT NULL PRIMARY KEY,
    unit     TEXT   NOT NULL,
    hash     TEXT   NOT NULL,
    imprint  BLOB   NOT NULL,
    gen_time BIGINT NOT NULL,
    account  TEXT   NOT NULL,
    der      BLOB   NOT NULL
);
CREATE INDEX tokens_imprint ON tokens (imprint, gen_time);
CREATE INDEX tokens_unit ON tokens (unit, gen_time);

CREATE TABLE serials (
    unit TEXT   NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);

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
