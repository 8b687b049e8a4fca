package vault

import "context"

// Destruction asks that a credential never be used again. By and Reason are for the
// journal.
type Destruction struct {
	Credential Credential `json:"credential"`
	By         string     `json:"by"`
	Reason     string     `json:"reason"`
}

// DestroyCredential has the vault refuse a credential for ever, whichever record of it
// is presented, also one from a backup; its SADs and delegations end with it. To erase
// the wrapped key where it is kept is for the caller. A credential that is destroyed
// already is no error.
func (c *Client) DestroyCredential(ctx context.Context, d Destruction) error {
	return c.call(ctx, opDestroyCredential, d, nil)
}
