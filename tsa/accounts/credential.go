package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"sigillo/auth"
	"sigillo/store"
)

// CredentialKind is how a credential is shown.
type CredentialKind string

// The kinds of credential.
const (
	Password    CredentialKind = "password"    // HTTP Basic
	Bearer      CredentialKind = "bearer"      // a token of 256 random bits
	Certificate CredentialKind = "certificate" // exactly this TLS client certificate
	Key         CredentialKind = "key"         // any TLS client certificate with this public key
)

// Credential is what is told about one; its secret is not.
type Credential struct {
	ID      string
	Account string
	Kind    CredentialKind
	Name    string // user name of a password; else for people
	Created time.Time
	Expires time.Time // zero: never
	Revoked time.Time // zero: it is not
}

// Credentials returns those of an account, the revoked ones too.
func (b *Book) Credentials(ctx context.Context, account string) ([]Credential, error) {
	var r rows
	if err := b.cfg.DB.Read(ctx, r.read); err != nil {
		return nil, stored(err, "the credentials cannot be read")
	}
	var list []Credential
	for _, c := range r.credentials {
		if c.Account == account {
			list = append(list, Credential{c.ID, c.Account, CredentialKind(c.Kind), shown(c.Name), c.Created, c.Expires, c.Revoked})
		}
	}
	return list, nil
}

// SetPassword gives an account a user name and a password; with no password one is
// made of 120 random bits and returned, once. One account may have several. A user
// name that is in force is not given again; revoke it first.
func (b *Book) SetPassword(ctx context.Context, actor, account, username string, pw []byte, expires time.Time) (c Credential, made string, err error) {
	if username == "" || len(username) > maxUsername || strings.ContainsFunc(username, func(r rune) bool {
		return r == ':' || unicode.IsSpace(r) // RFC 7617 §2: no colon
	}) {
		return c, "", bad("a user name has 1 to %d bytes, no space and no colon", maxUsername)
	}
	if err := goodText("the user name", username); err != nil {
		return c, "", err
	}
	if b.current.Load().users[username] != nil {
		return c, "", fail(Conflict, nil, "the user name %s is in use; choose another, or revoke its credential first", username)
	}
	if len(pw) == 0 {
		var random [15]byte
		if _, err := rand.Read(random[:]); err != nil {
			return c, "", fail(Failed, err, "no random numbers")
		}
		made = base64.RawURLEncoding.EncodeToString(random[:])
		pw = []byte(made)
		defer clear(pw)
	} else if err := auth.CheckPasswordBytes(pw, username); err != nil {
		return c, "", fail(BadChange, err, "the password cannot be used")
	}
	secret, err := newPassword(b.cfg.Argon2, pw)
	if err != nil {
		return c, "", err
	}
	verifier, err := json.Marshal(secret)
	if err != nil {
		return c, "", fail(Failed, err, "encode the password's verifier")
	}
	c, err = b.give(ctx, actor, account, Password, username, verifier, expires)
	if err != nil {
		return c, "", err
	}
	return c, made, nil
}

// bearerPrefix lets scanners for leaked secrets know one of ours.
const bearerPrefix = "sigillo_tsa_"

// IssueBearer makes a bearer token. It is returned this once; what is stored is its
// SHA-256.
func (b *Book) IssueBearer(ctx context.Context, actor, account, name string, expires time.Time) (c Credential, token string, err error) {
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return c, "", fail(Failed, err, "no random numbers")
	}
	defer clear(random[:])
	token = bearerPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(token))
	if c, err = b.give(ctx, actor, account, Bearer, name, sum[:], expires); err != nil {
		return c, "", err
	}
	return c, token, nil
}

// AddCertificate lets an account be known by a TLS client certificate: exactly this
// one, or with key any with its public key, so that a renewal goes unnoticed. Who
// issued it does not matter: the handshake proves the key. It counts in its time
// only.
func (b *Book) AddCertificate(ctx context.Context, actor, account, name string, cert *x509.Certificate, key bool, expires time.Time) (Credential, error) {
	if cert == nil || len(cert.Raw) == 0 || len(cert.RawSubjectPublicKeyInfo) == 0 {
		return Credential{}, bad("there is no certificate")
	}
	if b.cfg.Now().After(cert.NotAfter) {
		return Credential{}, bad("the certificate has expired")
	}
	kind, sum := Certificate, sha256.Sum256(cert.Raw)
	if key {
		kind, sum = Key, sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	}
	return b.give(ctx, actor, account, kind, name, sum[:], expires)
}

func (b *Book) give(ctx context.Context, actor, account string, kind CredentialKind, name string, verifier []byte, expires time.Time) (Credential, error) {
	b.change.Lock()
	defer b.change.Unlock()
	a, err := b.Account(account)
	switch {
	case err != nil:
		return Credential{}, err
	case account == House || account == Anonymous:
		return Credential{}, bad("the account %s has no credentials: nobody can be it by showing one", account)
	case a.State == Closed:
		return Credential{}, bad("the account %s is closed", account)
	}
	if err := goodText("the name of the credential", name); err != nil {
		return Credential{}, err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return Credential{}, fail(Failed, err, "no random numbers")
	}
	now := b.cfg.Now().UTC().Truncate(time.Millisecond)
	c := Credential{
		ID: hex.EncodeToString(random[:]), Account: account, Kind: kind, Name: name, Created: now,
		Expires: expires.UTC().Truncate(time.Millisecond),
	}
	if !c.Expires.IsZero() && !c.Expires.After(now) {
		return Credential{}, bad("the credential would have expired before it is made")
	}
	change := Change{actor, "stamp-credential.added", account, map[string]string{
		"credential": c.ID, "kind": string(kind), "name": name, "expires": day(c.Expires),
	}}
	if kind == Certificate || kind == Key {
		change.Detail["sha256"] = hex.EncodeToString(verifier)
	}
	return c, b.edit(ctx, change, func(tx *store.Tx, _ time.Time) error {
		return tx.PutStampCredential(store.StampCredential{
			ID: c.ID, Account: account, Kind: string(kind), Name: name, Verifier: verifier, Created: c.Created, Expires: c.Expires,
		})
	})
}

// Revoke ends a credential at once.
func (b *Book) Revoke(ctx context.Context, actor, account, id string) error {
	b.change.Lock()
	defer b.change.Unlock()
	c := Change{actor, "stamp-credential.revoked", account, map[string]string{"credential": id}}
	return b.edit(ctx, c, func(tx *store.Tx, now time.Time) error { return tx.RevokeStampCredential(account, id, now) })
}
