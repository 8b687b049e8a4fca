-- Applications that are known, what holders have granted them, and the tokens of it.
-- Of every secret only the SHA-256 is kept. What a holder authorises for signatures is
-- not here: it lives in memory, with the activation data.

-- +goose Up
CREATE TABLE oauth_clients (
	id      TEXT PRIMARY KEY,
	record  BLOB NOT NULL, -- JSON of web/oauth
	created INTEGER NOT NULL
);

CREATE TABLE oauth_grants (
	id          TEXT PRIMARY KEY,
	client      TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	holder      TEXT NOT NULL, -- '': the application itself
	certificate BLOB NOT NULL, -- SHA-256 of the TLS certificate that the tokens are bound to, may be empty
	created     INTEGER NOT NULL,
	expires     INTEGER NOT NULL
);
CREATE INDEX oauth_grants_client ON oauth_grants (client);
CREATE INDEX oauth_grants_holder ON oauth_grants (holder);
CREATE INDEX oauth_grants_expires ON oauth_grants (expires);

CREATE TABLE oauth_tokens (
	id       BLOB PRIMARY KEY, -- SHA-256 of the token
	grant_id TEXT NOT NULL REFERENCES oauth_grants (id) ON DELETE CASCADE,
	kind     TEXT NOT NULL,    -- access, refresh
	used     INTEGER NOT NULL, -- when a refresh token was exchanged, 0: it was not
	expires  INTEGER NOT NULL
);
CREATE INDEX oauth_tokens_grant ON oauth_tokens (grant_id);
CREATE INDEX oauth_tokens_expires ON oauth_tokens (expires);

CREATE TABLE oauth_requests (
	id         BLOB PRIMARY KEY, -- SHA-256 of the request_uri
	client     TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	parameters BLOB NOT NULL,    -- as a query
	expires    INTEGER NOT NULL
);
CREATE INDEX oauth_requests_client ON oauth_requests (client);

CREATE TABLE oauth_assertions (
	id      BLOB PRIMARY KEY, -- SHA-256 of client and jti
	expires INTEGER NOT NULL
);
