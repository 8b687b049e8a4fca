package vault

import (
	"context"
	"time"
)

// The bounds of a delegation.
const (
	// MaxDelegated is the most signatures one delegation may be for.
	MaxDelegated = 1_000_000
	// DelegationLife is the longest a delegation may be good for.
	DelegationLife = 366 * 24 * time.Hour
	// MaxActive is how many delegations of one holder are in force at once.
	MaxActive = 50
	// MaxKinds is how many kinds of documents a delegation names, MaxKind how many bytes
	// one of their names has.
	MaxKinds = 16
	MaxKind  = 64
)

// NewDelegation gives a credential of the automatic procedure into the hands of the
// service, within bounds. The holder authenticates once, for this; the credential must
// have been made with Automatic. It wants the factors as [NewDevice] does. Request names
// the transaction, as in [Authorisation].
type NewDelegation struct {
	Factors    Factors    `json:"factors"`
	Credential Credential `json:"credential"`
	Evidence
	ID      string    `json:"id"`
	Count   int       `json:"count"`   // signatures, 1 to [MaxDelegated]
	Expires time.Time `json:"expires"` // at most [DelegationLife] from now
	// ClientCertificate is the SHA-256 of the DER of the certificate with which the
	// application that may use the delegation signs in.
	ClientCertificate []byte   `json:"clientCertificate"`
	Kinds             []string `json:"kinds"` // of documents, 1 to 16 names
	Request           string   `json:"request"`
}

// The states of a [Delegation].
const (
	DelegationActive  = "active"
	DelegationUsedUp  = "used-up"
	DelegationExpired = "expired"
	DelegationRevoked = "revoked" // by somebody, or with its credential
)

// Delegation is what the vault keeps of one.
type Delegation struct {
	ID                string    `json:"id"`
	Holder            string    `json:"holder"`
	Credential        string    `json:"credential"`
	Count             int       `json:"count"`
	Used              int       `json:"used"` // signatures that were authorised, made or not
	Created           time.Time `json:"created"`
	Expires           time.Time `json:"expires"`
	ClientCertificate []byte    `json:"clientCertificate"`
	Kinds             []string  `json:"kinds"`
	State             string    `json:"state"`
}

// DelegatedAuthorisation asks for a SAD under a delegation. That the application
// presented ClientCertificate (SHA-256 of its DER), and that the documents are of
// this Kind, the service asserts; the vault compares them with the bounds.
type DelegatedAuthorisation struct {
	Delegation        string     `json:"delegation"`
	Credential        Credential `json:"credential"`
	ClientCertificate []byte     `json:"clientCertificate"`
	Kind              string     `json:"kind"`
	Hash              string     `json:"hash"`
	Digests           [][]byte   `json:"digests"`
	Client            string     `json:"client"`
	Request           string     `json:"request"`
}

// Delegate gives a delegation. NotAllowed when the credential is not for the automatic
// procedure. n.Password is wiped.
func (c *Client) Delegate(ctx context.Context, n NewDelegation) (d Delegation, err error) {
	defer clear(n.Password)
	return d, c.call(ctx, opDelegate, n, &d)
}

// Delegations lists the delegations of a holder, at most 100: first all that are in force,
// then those that are over, the newest of each first.
func (c *Client) Delegations(ctx context.Context, holder string) (ds []Delegation, err error) {
	return ds, c.call(ctx, opDelegations, delegationsRequest{Holder: holder}, &ds)
}

// RevokeDelegation ends a delegation at once: what gave the key into the vault's hands
// is erased, and SADs minted under it sign nothing any more. No factors are asked for:
// a revocation takes power away.
func (c *Client) RevokeDelegation(ctx context.Context, id, by, reason string) error {
	return c.call(ctx, opRevokeDelegation, delegationsRequest{ID: id, By: by, Reason: reason}, nil)
}

// AuthoriseDelegated mints a SAD within the bounds of a delegation and counts its
// digests. Sent again with the same content it gets the same SAD, counted once.
func (c *Client) AuthoriseDelegated(ctx context.Context, a DelegatedAuthorisation) (s SAD, err error) {
	return s, c.call(ctx, opAuthoriseDelegated, a, &s)
}

type delegationsRequest struct {
	Holder string `json:"holder,omitempty"`
	ID     string `json:"id,omitempty"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}
