package vault

import (
	"context"
	"time"
)

// SADChain is how long after the holder authorised it a SAD can be good, however
// often it is extended.
const SADChain = 15 * time.Minute

// Extension asks for a fresh SAD in the place of one that is good still and has not
// signed everything (CSC API, credentials/extendTransaction). Digests are some of
// those not signed yet; none stand for all of them. New digests want the holder's
// factors.
type Extension struct {
	SAD        string     `json:"sad"`
	Credential Credential `json:"credential"`
	Digests    [][]byte   `json:"digests,omitempty"`
	Client     string     `json:"client"`
	Request    string     `json:"request"`
}

// ExtendSAD consumes a SAD and mints another, for what the first has not signed, or
// some of it. The new one is good for five minutes at most and never longer than
// [SADChain] after the holder authorised the first. Sent again under the same Request
// it gets the same SAD. SpentSAD when nothing is left, or not these digests;
// ExpiredSAD when the SAD or the chain is too old.
func (c *Client) ExtendSAD(ctx context.Context, e Extension) (s SAD, err error) {
	return s, c.call(ctx, opExtendSAD, e, &s)
}
