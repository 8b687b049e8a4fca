package vault

import (
	"context"
	"time"
)

// NewTablet makes a signature tablet known to the vault: a signature that is not signed
// with a known tablet's key is not looked at. It wants the factors of a member of the staff
// as [NewDevice] does.
type NewTablet struct {
	Factors Factors `json:"factors"`
	Evidence
	ID     string `json:"id"`
	Name   string `json:"name"`
	Centre string `json:"centre"`
	// Class is the kind of device, as graphometric.Device has it: a profile is compared with
	// signatures of its own class only.
	Class     string `json:"class"`
	PublicKey []byte `json:"publicKey"` // SubjectPublicKeyInfo of a P-256 key, DER
	Request   string `json:"request"`
}

// Tablet is one that is, or was, known.
type Tablet struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Centre     string    `json:"centre"`
	Class      string    `json:"class"`
	PublicKey  []byte    `json:"publicKey"`
	Registered time.Time `json:"registered"`
	By         string    `json:"by"`
	Revoked    time.Time `json:"revoked,omitzero"`
}

// RegisterTablet makes a tablet known. NotAllowed when there is, or was, one of this ID or
// with this key. n.Password is wiped.
func (c *Client) RegisterTablet(ctx context.Context, n NewTablet) error {
	defer clear(n.Password)
	return c.call(ctx, opRegisterTablet, n, nil)
}

// RevokeTablet makes a tablet unknown for ever, and closes its capture. No factors are
// asked for: a revocation takes power away. One that was revoked is no error.
func (c *Client) RevokeTablet(ctx context.Context, id, by, reason string) error {
	return c.call(ctx, opRevokeTablet, tabletRequest{ID: id, By: by, Reason: reason}, nil)
}

// Tablets lists up to a thousand tablets, those in use first.
func (c *Client) Tablets(ctx context.Context) (ts []Tablet, err error) {
	return ts, c.call(ctx, opTablets, nil, &ts)
}

type tabletRequest struct {
	ID     string `json:"id"`
	By     string `json:"by"`
	Reason string `json:"reason"`
}
