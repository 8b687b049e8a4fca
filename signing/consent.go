package signing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"sigillo/formats/inspect"
	"sigillo/store"
)

// confirmation is what a holder has confirmed of one document: that these very bytes
// have findings of these rules (SIG-4). It is in the journal when the signature is
// prepared, and its hash in the SAD and the journal of the vault: who checks them
// later can tell what the holder knew when the key was used.
type confirmation struct {
	Document string   `json:"document"` // SHA-256, hexadecimal
	Ruleset  string   `json:"ruleset"`
	Policy   string   `json:"policy"`
	Rules    []string `json:"rules"`
}

// consent applies the verdict of the inspection and gives what the holder confirms,
// nil where there is nothing to confirm.
func consent(d store.Document, confirmed bool) (*confirmation, error) {
	switch inspect.Verdict(d.Verdict) {
	case inspect.Allow:
		return nil, nil
	case inspect.Confirm:
		if !confirmed {
			return nil, fail(Unconfirmed, "the findings need the holder's confirmation", nil)
		}
		var r inspect.Report
		if err := json.Unmarshal(d.Report, &r); err != nil {
			return nil, fail(Internal, "the stored report cannot be read", err)
		}
		return &confirmation{Document: hex.EncodeToString(d.SHA256), Ruleset: r.Ruleset, Policy: r.Policy, Rules: ruleNames(r, inspect.Confirm)}, nil
	}
	return nil, fail(Refused, "the inspection refuses this document", nil)
}

// confirmed hashes what the holder has confirmed of all documents of a transaction, in
// its order: SHA-256 over the JSON array of the confirmations; nil for none. Without
// confirmation nothing is prepared, so what is prepared was confirmed.
func (s *Service) confirmed(ctx context.Context, holder string, items []store.Item) ([]byte, error) {
	var all []*confirmation
	for _, it := range items {
		d, err := s.document(ctx, holder, it.Document)
		if err != nil {
			return nil, err
		}
		c, err := consent(d, true)
		if err != nil {
			return nil, err
		}
		if c != nil {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(all)
	if err != nil {
		return nil, fail(Internal, "what was confirmed cannot be encoded", err)
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}
