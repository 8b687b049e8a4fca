package store

import "time"

// OAuthClient is an application that is known to the authorization server.
type OAuthClient struct {
	ID      string
	Record  []byte // what is registered of it, opaque here
	Created time.Time
}

func oauthClientRow(c *OAuthClient) []any { return []any{&c.ID, &c.Record, at(&c.Created)} }

// PutOAuthClient stores a new application; Conflict if the ID is taken.
func (tx *Tx) PutOAuthClient(c OAuthClient) error {
	return tx.put("put application", `INSERT INTO oauth_clients (id, record, created) VALUES (?, ?, ?)`, c.ID, bytes(c.Record), ms(c.Created))
}

// OAuthClient returns the application with this ID.
func (tx *Tx) OAuthClient(id string) (OAuthClient, error) {
	return one(tx, "application", oauthClientRow, `SELECT id, record, created FROM oauth_clients WHERE id = ?`, id)
}

// OAuthClients returns all applications, by ID.
func (tx *Tx) OAuthClients() ([]OAuthClient, error) {
	return many(tx, "applications", oauthClientRow, `SELECT id, record, created FROM oauth_clients ORDER BY id LIMIT ?`, MaxRows)
}

// DeleteOAuthClient removes an application with all that was granted to it.
func (tx *Tx) DeleteOAuthClient(id string) error {
	return tx.change("delete application", `DELETE FROM oauth_clients WHERE id = ?`, id)
}

// OAuthGrant is what a holder has granted to an application: the family that its
// access and refresh tokens belong to.
type OAuthGrant struct {
	ID          string
	Client      string
	Holder      string // "": the application acts for itself
	Certificate []byte // SHA-256 of the TLS client certificate that the tokens are bound to; empty: to none
	Created     time.Time
	Expires     time.Time
	Used        time.Time // last, noted once a minute; zero: not yet
}

const oauthGrantColumns = `id, client, holder, certificate, created, expires, used`

func oauthGrantRow(g *OAuthGrant) []any {
	return []any{&g.ID, &g.Client, &g.Holder, &g.Certificate, at(&g.Created), at(&g.Expires), at(&g.Used)}
}

// PutOAuthGrant stores a new grant; Conflict if the application does not exist.
func (tx *Tx) PutOAuthGrant(g OAuthGrant) error {
	return tx.put("put grant", `INSERT INTO oauth_grants (`+oauthGrantColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		g.ID, g.Client, g.Holder, bytes(g.Certificate), ms(g.Created), ms(g.Expires), ms(g.Used))
}

// PutOwnOAuthGrant stores a new grant of an application that acts for itself. No more than
// most may be in force at now: Conflict beyond that.
func (tx *Tx) PutOwnOAuthGrant(g OAuthGrant, now time.Time, most int) error {
	n, err := tx.exec("put grant", `INSERT INTO oauth_grants (`+oauthGrantColumns+`) SELECT ?, ?, '', ?, ?, ?, 0
		WHERE (SELECT count(*) FROM oauth_grants WHERE client = ? AND holder = '' AND expires > ?) < ?`,
		g.ID, g.Client, bytes(g.Certificate), ms(g.Created), ms(g.Expires), g.Client, ms(now), most)
	if err == nil && n == 0 {
		return errorf(Conflict, "store: put grant: too many are in force")
	}
	return err
}

// OAuthGrant returns the grant with this ID.
func (tx *Tx) OAuthGrant(id string) (OAuthGrant, error) {
	return one(tx, "grant", oauthGrantRow, `SELECT `+oauthGrantColumns+` FROM oauth_grants WHERE id = ?`, id)
}

// OAuthGrantsOf returns what a holder has granted, the newest first.
func (tx *Tx) OAuthGrantsOf(holder string) ([]OAuthGrant, error) {
	return many(tx, "grants of holder", oauthGrantRow,
		`SELECT `+oauthGrantColumns+` FROM oauth_grants WHERE holder = ? AND holder <> '' ORDER BY created DESC, id LIMIT ?`, holder, MaxRows)
}

// TouchOAuthGrant notes that what was granted is used; NotFound when it has ended.
func (tx *Tx) TouchOAuthGrant(id string, now time.Time) error {
	return tx.change("touch grant", `UPDATE oauth_grants SET used = ? WHERE id = ?`, ms(now), id)
}

// DeleteOAuthGrant ends a grant with all its tokens; NotFound when there is none.
func (tx *Tx) DeleteOAuthGrant(id string) error {
	return tx.change("delete grant", `DELETE FROM oauth_grants WHERE id = ?`, id)
}

// DeleteOAuthGrantsOf ends all that a holder has granted, for one whose factors have
// changed hands, and returns how many there were.
func (tx *Tx) DeleteOAuthGrantsOf(holder string) (int64, error) {
	return tx.exec("delete grants of holder", `DELETE FROM oauth_grants WHERE holder = ? AND holder <> ''`, holder)
}

// Kinds of an [OAuthToken].
const (
	OAuthAccess  = "access"
	OAuthRefresh = "refresh"
)

// OAuthToken is a token of a grant.
type OAuthToken struct {
	ID      []byte // SHA-256 of the token
	Grant   string
	Kind    string
	Used    time.Time // when a refresh token was exchanged; zero: it was not
	Expires time.Time
}

func oauthTokenRow(t *OAuthToken) []any {
	return []any{&t.ID, &t.Grant, &t.Kind, at(&t.Used), at(&t.Expires)}
}

// PutOAuthToken stores a new token; Conflict if its grant does not exist.
func (tx *Tx) PutOAuthToken(t OAuthToken) error {
	return tx.put("put token", `INSERT INTO oauth_tokens (id, grant_id, kind, used, expires) VALUES (?, ?, ?, ?, ?)`,
		bytes(t.ID), t.Grant, t.Kind, ms(t.Used), ms(t.Expires))
}

// OAuthToken returns the token with this ID, used or expired or not.
func (tx *Tx) OAuthToken(id []byte) (OAuthToken, error) {
	return one(tx, "token", oauthTokenRow, `SELECT id, grant_id, kind, used, expires FROM oauth_tokens WHERE id = ?`, bytes(id))
}

// OAuthTokensOf is how many tokens a grant has had that are kept.
func (tx *Tx) OAuthTokensOf(grant string) (int64, error) {
	return one(tx, "tokens of grant", func(n *int64) []any { return []any{n} }, `SELECT count(*) FROM oauth_tokens WHERE grant_id = ?`, grant)
}

// UseOAuthToken notes that a refresh token was exchanged; NotFound when it was
// before.
func (tx *Tx) UseOAuthToken(id []byte, now time.Time) error {
	return tx.change("use token", `UPDATE oauth_tokens SET used = ? WHERE id = ? AND kind = ? AND used = 0`, ms(now), bytes(id), OAuthRefresh)
}

// DeleteOAuthToken removes a token; NotFound when there is none.
func (tx *Tx) DeleteOAuthToken(id []byte) error {
	return tx.change("delete token", `DELETE FROM oauth_tokens WHERE id = ?`, bytes(id))
}

// OAuthRequest is an authorization request that an application has pushed.
type OAuthRequest struct {
	ID         []byte // SHA-256 of the request_uri
	Client     string
	Parameters []byte
	Expires    time.Time
}

func oauthRequestRow(r *OAuthRequest) []any {
	return []any{&r.ID, &r.Client, &r.Parameters, at(&r.Expires)}
}

// PutOAuthRequest stores a pushed request. Of one application no more than most may
// wait at now: Conflict beyond that.
func (tx *Tx) PutOAuthRequest(r OAuthRequest, now time.Time, most int) error {
	if _, err := tx.exec("delete expired requests", `DELETE FROM oauth_requests WHERE client = ? AND expires <= ?`, r.Client, ms(now)); err != nil {
		return err
	}
	n, err := tx.exec("put request", `INSERT INTO oauth_requests (id, client, parameters, expires)
		SELECT ?, ?, ?, ? WHERE (SELECT count(*) FROM oauth_requests WHERE client = ?) < ?`,
		bytes(r.ID), r.Client, bytes(r.Parameters), ms(r.Expires), r.Client, most)
	if err == nil && n == 0 {
		return errorf(Conflict, "store: put request: too many are waiting")
	}
	return err
}

// OAuthRequest returns the pushed request with this ID, expired or not.
func (tx *Tx) OAuthRequest(id []byte) (OAuthRequest, error) {
	return one(tx, "request", oauthRequestRow, `SELECT id, client, parameters, expires FROM oauth_requests WHERE id = ?`, bytes(id))
}

// DeleteOAuthRequest uses a pushed request up; NotFound when it was before.
func (tx *Tx) DeleteOAuthRequest(id []byte) error {
	return tx.change("delete request", `DELETE FROM oauth_requests WHERE id = ?`, bytes(id))
}

// PutOAuthAssertion notes that an assertion was presented; Conflict when it was
// before.
func (tx *Tx) PutOAuthAssertion(id []byte, expires time.Time) error {
	return tx.put("put assertion", `INSERT INTO oauth_assertions (id, expires) VALUES (?, ?)`, bytes(id), ms(expires))
}

// DeleteExpiredOAuth removes what is over at now: grants, tokens, pushed requests and
// assertions. Exchanged refresh tokens stay with their grant, so that one that is
// presented again is known.
func (tx *Tx) DeleteExpiredOAuth(now time.Time) error {
	for _, table := range []string{"oauth_grants", "oauth_tokens", "oauth_requests", "oauth_assertions"} {
		if _, err := tx.exec("delete expired", `DELETE FROM `+table+` WHERE expires <= ?`, ms(now)); err != nil {
			return err
		}
	}
	return nil
}
