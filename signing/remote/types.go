package remote

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"time"

	"sigillo/hsm"
)

// Name is the name of a hash function for people, "SHA-256".
func (r Request) Name() string { return r.Order.Hash.String() }

// Fingerprints are the digests in lower hex.
func (r Request) Fingerprints() []string {
	out := make([]string, len(r.Order.Digests))
	for i, d := range r.Order.Digests {
		out[i] = hex.EncodeToString(d)
	}
	return out
}

// The limits of texts that an application sends along, in bytes.
const (
	MaxDescription = 2000
	MaxApplication = 200
)

// Order is what a holder authorises: digests that one credential will sign.
type Order struct {
	Credential string
	Hash       crypto.Hash // SHA-256, SHA-384 or SHA-512
	// Digests is a multiset: each is signed as often as it is in it. 1 to as many as
	// the credential signs at once.
	Digests [][]byte
	// Documents: the digests are of documents that will be signed here (signDoc),
	// not of data to be signed. See [Service.SignDocuments].
	Documents   bool
	Description string // by the application, for the holder and the journal
	Application string // who asks: a registered client, or the face
}

// Grant is a holder's authorisation in an application's hands.
type Grant struct {
	// Handle is what the application presents, 43 characters of base64url. It is
	// set only in the answer that gives the grant.
	Handle      string
	ID          string // what the journal calls it; no secret
	Holder      string
	Application string
	Credential  string
	Hash        crypto.Hash
	Documents   bool
	Left        int // digests that are not signed yet
	Description string
	Expires     time.Time
	Delegation  string // under which it was given; "": the holder's factors were
}

// Activation asks for the signatures over digests of a grant, in the order given.
type Activation struct {
	Credential string // must be the grant's; "" is the grant's
	Hash       crypto.Hash
	Digests    [][]byte
	Scheme     Scheme
}

// Scheme is how a key signs.
type Scheme string

// The schemes. ECDSA signatures are DER (RFC 3279 §2.2.3).
const (
	PKCS1 Scheme = "pkcs1" // RSASSA-PKCS1-v1_5
	PSS   Scheme = "pss"   // RSASSA-PSS, MGF1 with the same hash, salt as long as the hash
	ECDSA Scheme = "ecdsa"
)

// Fits says whether a key of type kt signs so.
func (s Scheme) Fits(kt hsm.KeyType) bool {
	switch kt {
	case hsm.RSA2048, hsm.RSA3072, hsm.RSA4096:
		return s == PKCS1 || s == PSS
	case hsm.P256, hsm.P384:
		return s == ECDSA
	}
	return false
}

// Status of a credential's certificate.
type Status string

// The statuses. None: there is no certificate yet.
const (
	Valid     Status = "valid"
	Suspended Status = "suspended"
	Revoked   Status = "revoked"
	Expired   Status = "expired"
	None      Status = "none"
)

// Credential is a key of a holder with its certificate. What it points to is shared:
// do not change it.
type Credential struct {
	ID          string
	KeyType     hsm.KeyType
	MaxDigests  int               // of one authorisation
	Certificate *x509.Certificate // nil: none yet
	Chain       []*x509.Certificate
	Status      Status
	Created     time.Time
	Automatic   bool // for the automatic procedure, and for nothing else
	Counter     bool // for counters, and for nothing else
}

// Usable says whether the credential may sign now (SIG-5).
func (c Credential) Usable() bool { return c.Status == Valid }
