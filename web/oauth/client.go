package oauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sigillo/audit"
	"sigillo/store"
)

// How a client shows who it is (RFC 7591 §2, RFC 8705). A client secret may come as
// client_secret_basic or client_secret_post, as it likes.
const (
	ClientSecret  = "client_secret"
	PrivateKeyJWT = "private_key_jwt"
	TLSClientAuth = "tls_client_auth"
	SelfSignedTLS = "self_signed_tls_client_auth"
	None          = "none" // a public client: an application on somebody's telephone
)

// Limits of a registration.
const (
	maxRedirects = 20
	maxKeys      = 10
	maxName      = 100
	maxID        = 100
	maxAddress   = 1000
)

// Client is a registered application.
type Client struct {
	ID        string    `json:"-"`
	Created   time.Time `json:"-"`
	Name      string    `json:"name"` // shown to holders
	Method    string    `json:"method"`
	Secret    []byte    `json:"secret,omitempty"` // SHA-256 of it; the secret is 256 random bits
	Redirects []string  `json:"redirects,omitempty"`

	// Keys are the public keys of a client of PrivateKeyJWT.
	Keys *jose.JSONWebKeySet `json:"keys,omitempty"`
	// Certificates are the SHA-256 of those of a client of SelfSignedTLS.
	Certificates [][]byte `json:"certificates,omitempty"`
	// Authorities are the authorities, in DER, whose certificates name a client of
	// TLSClientAuth as Subject or DNS: all of the chain above the client's own, for that
	// alone is taken from the connection.
	Authorities [][]byte `json:"authorities,omitempty"`
	Subject     string   `json:"subject,omitempty"` // RFC 2253, as x509 writes it
	DNS         string   `json:"dns,omitempty"`

	// WithoutProofKey is for applications of CSC v1, which does not know PKCE. They are
	// confidential.
	WithoutProofKey bool `json:"without_proof_key,omitempty"`
	// ForItself lets the client have tokens of its own (client_credentials).
	ForItself bool `json:"for_itself,omitempty"`
}

// confidential says that nobody else can speak as this client.
func (c *Client) confidential() bool { return c.Method != None }

// tls says that the client's tokens are bound to its certificate (RFC 8705 §3).
func (c *Client) tls() bool { return c.Method == TLSClientAuth || c.Method == SelfSignedTLS }

// check refuses a registration that would not work or not be safe.
func (c *Client) check() error {
	switch {
	case c.ID == "" || len(c.ID) > maxID || strings.Trim(c.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != "":
		return fail(InvalidRequest, "an ID has 1 to 100 letters, digits, hyphens, dots and underscores")
	case c.Name == "" || len(c.Name) > maxName:
		return fail(InvalidRequest, "a name has 1 to 100 bytes")
	case len(c.Redirects) > maxRedirects:
		return fail(InvalidRequest, fmt.Sprintf("a client has at most %d redirect URIs", maxRedirects))
	case len(c.Redirects) == 0 && !c.ForItself:
		return fail(InvalidRequest, "a client needs a redirect URI, or the right to act for itself")
	case !c.confidential() && (c.ForItself || c.WithoutProofKey):
		return fail(InvalidRequest, "a public client cannot act for itself, nor do without a proof key: anybody could be it")
	}
	for _, uri := range c.Redirects {
		if err := checkRedirect(uri); err != nil {
			return err
		}
	}
	return c.checkMethod()
}

func (c *Client) checkMethod() error {
	keys := 0
	if c.Keys != nil {
		keys = len(c.Keys.Keys)
	}
	switch {
	case c.Method == ClientSecret && len(c.Secret) == sha256.Size, c.Method == None:
	case c.Method == PrivateKeyJWT && keys > 0 && keys <= maxKeys:
		for _, k := range c.Keys.Keys {
			if r, ok := k.Key.(*rsa.PublicKey); !k.Valid() || !k.IsPublic() || ok && r.N.BitLen() < 2048 {
				return fail(InvalidRequest, "a key must be a public one, EC, Ed25519 or RSA of 2048 bits and more")
			}
		}
	case c.Method == SelfSignedTLS && len(c.Certificates) > 0 && len(c.Certificates) <= maxKeys:
	case c.Method == TLSClientAuth && len(c.Authorities) > 0 && len(c.Authorities) <= maxKeys && (c.Subject == "") != (c.DNS == ""):
	default:
		return fail(InvalidRequest, "the method and what belongs to it do not fit: private_key_jwt needs keys, "+
			"self_signed_tls_client_auth a certificate, tls_client_auth authorities and either a subject or a DNS name")
	}
	return nil
}

// forbiddenSchemes would have the browser run or show something of ours.
var forbiddenSchemes = []string{"javascript", "data", "vbscript", "file", "blob", "about", "view-source", "ws", "wss", "filesystem"}

// checkRedirect refuses an address that answers must not be sent to (RFC 9700 §2.1, RFC
// 8252 §7): https, http on this machine, or a scheme of an application's own.
func checkRedirect(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || len(uri) > maxAddress || u.Scheme == "" || strings.ContainsAny(uri, " \t\r\n\\\"'<>;,"):
		return fail(InvalidRequest, "a redirect URI must be an absolute address of at most 1000 characters")
	case u.Fragment != "" || strings.Contains(uri, "#"):
		return fail(InvalidRequest, "a redirect URI has no fragment")
	case u.User != nil:
		return fail(InvalidRequest, "a redirect URI has no user name")
	case u.Scheme == "https" && u.Host != "":
	case u.Scheme == "http" && (u.Hostname() == "localhost" || loopback(u)):
	case u.Scheme == "http" || u.Scheme == "https" || slices.Contains(forbiddenSchemes, u.Scheme):
		return fail(InvalidRequest, "a redirect URI is https, http on this machine, or of an application's own scheme")
	}
	return nil
}

// loopback says that an address is on the machine of the browser, by number: a name can
// be made to lead elsewhere.
func loopback(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.IsLoopback()
}

// redirect says whether uri is one of the client's. They are compared byte by byte. Only
// of one on a loopback address, http and by number, the port is free: the application
// learns it when it starts (RFC 8252 §7.3).
func (c *Client) redirect(uri string) bool {
	if slices.Contains(c.Redirects, uri) {
		return true
	}
	asked, err := url.Parse(uri)
	if err != nil || asked.Scheme != "http" || !loopback(asked) || strings.Contains(uri, "#") || asked.User != nil {
		return false
	}
	return slices.ContainsFunc(c.Redirects, func(known string) bool {
		u, err := url.Parse(known)
		return err == nil && u.Scheme == "http" && loopback(u) && portless(known, u) == portless(uri, asked)
	})
}

// portless is an address as it is written, without its port.
func portless(text string, u *url.URL) string {
	host := u.Host
	if port := u.Port(); port != "" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return strings.Replace(text, "//"+u.Host, "//"+host, 1)
}

// Registry keeps the applications. What is changed here is known to a running server at
// once.
type Registry struct {
	db  *store.DB
	now func() time.Time
}

// NewRegistry returns the registry kept in the appliance's database.
func NewRegistry(db *store.DB, now func() time.Time) *Registry {
	if now == nil {
		now = time.Now
	}
	return &Registry{db: db, now: now}
}

// Add registers an application. For a client of ClientSecret it makes the secret, which
// is told here once and never again. actor is who does it, for the journal.
func (r *Registry) Add(ctx context.Context, c Client, actor string) (secret string, err error) {
	if c.Method == ClientSecret {
		secret = newToken()
		c.Secret = digest(secret)
	}
	if err := c.check(); err != nil {
		return "", err
	}
	record, err := json.Marshal(c)
	if err != nil {
		return "", &Error{Kind: InvalidRequest, Msg: "the client cannot be written down", Err: err}
	}
	err = r.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutOAuthClient(store.OAuthClient{ID: c.ID, Record: record, Created: r.now()}); err != nil {
			return err
		}
		detail := map[string]string{"name": c.Name, "method": c.Method}
		for i, uri := range c.Redirects {
			detail[fmt.Sprintf("redirect.%d", i+1)] = uri
		}
		return audit.Append(tx, r.now(), audit.Event{Actor: actor, Event: "oauth.client-added", Subject: c.ID, Detail: detail})
	})
	if store.KindOf(err) == store.Conflict {
		return "", &Error{Kind: InvalidRequest, Msg: "there is a client of this ID already", Err: err}
	}
	return secret, fromStore(err)
}

// Remove ends an application and all tokens it has.
func (r *Registry) Remove(ctx context.Context, id, actor string) error {
	err := r.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteOAuthClient(id); err != nil {
			return err
		}
		return audit.Append(tx, r.now(), audit.Event{Actor: actor, Event: "oauth.client-removed", Subject: id})
	})
	if store.KindOf(err) == store.NotFound {
		return &Error{Kind: UnknownClient, Msg: "there is no such client", Err: err}
	}
	return fromStore(err)
}

// List gives all applications, by ID.
func (r *Registry) List(ctx context.Context) ([]Client, error) {
	var out []Client
	err := r.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.OAuthClients()
		for _, row := range rows {
			c, err := readClient(row)
			if err != nil {
				return err
			}
			out = append(out, *c)
		}
		return err
	})
	return out, fromStore(err)
}

// Client gives one application; UnknownClient when there is none.
func (r *Registry) Client(ctx context.Context, id string) (*Client, error) {
	if id == "" || len(id) > maxID {
		return nil, fail(UnknownClient, "there is no such client")
	}
	var row store.OAuthClient
	err := r.db.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.OAuthClient(id)
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound:
		return nil, &Error{Kind: UnknownClient, Msg: "there is no such client", Err: err}
	case err != nil:
		return nil, fromStore(err)
	}
	return readClient(row)
}

func readClient(row store.OAuthClient) (*Client, error) {
	c := &Client{ID: row.ID, Created: row.Created}
	if err := json.Unmarshal(row.Record, c); err != nil {
		return nil, &Error{Kind: ServerError, Msg: "the client's registration cannot be read", Err: err}
	}
	return c, nil
}

// ReadKeys reads the public keys of a client: a JSON Web Key Set, or a PEM file with
// public keys or certificates.
func ReadKeys(data []byte) (*jose.JSONWebKeySet, error) {
	set := &jose.JSONWebKeySet{}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		if err := json.Unmarshal(data, set); err != nil || len(set.Keys) == 0 {
			return nil, &Error{Kind: InvalidRequest, Msg: "not a JSON Web Key Set with keys", Err: err}
		}
		for i, k := range set.Keys {
			set.Keys[i] = k.Public() // whoever sent us a private key has one less
		}
		return set, nil
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if block.Type == "CERTIFICATE" {
			var cert *x509.Certificate
			if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
				key = cert.PublicKey
			}
		}
		if err != nil {
			return nil, &Error{Kind: InvalidRequest, Msg: "not a public key or certificate", Err: err}
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key})
	}
	if len(set.Keys) == 0 {
		return nil, fail(InvalidRequest, "no public key is in there")
	}
	return set, nil
}

// ReadCertificates reads the certificates of a PEM file, as DER.
func ReadCertificates(data []byte) ([][]byte, error) {
	var out [][]byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); block.Type != "CERTIFICATE" || err != nil {
			return nil, &Error{Kind: InvalidRequest, Msg: "not a certificate", Err: err}
		}
		out = append(out, block.Bytes)
	}
	if len(out) == 0 {
		return nil, fail(InvalidRequest, "no certificate is in there")
	}
	return out, nil
}

// newToken gives 256 random bits in base64url.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// digest is what is kept of a secret with 256 bits of chance: nothing can be tried on
// it. It is also the key of account tokens (CSC v1 §8.3.2).
func digest(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
