package appliance

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigillo/hsm"
	"sigillo/tsa"
	"sigillo/tsa/clock"
	"sigillo/vault"
)

// series is the row of units of policies that name none.
const series = "tsu"

// stampHashes are the digests that a policy may name.
var stampHashes = map[string]crypto.Hash{
	"SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512,
	"SHA3-256": crypto.SHA3_256, "SHA3-384": crypto.SHA3_384, "SHA3-512": crypto.SHA3_512,
}

func (c Config) checkTSA() error {
	t := c.TSA
	unverified := t.Clock == string(clock.Unverified)
	switch {
	case !unverified && t.Clock != string(clock.System):
		return errors.New(`appliance: tsa.clock must be "system" or "unverified"`)
	case t.AccuracyMS < 2 || t.AccuracyMS > 1000:
		return errors.New("appliance: tsa.accuracy_ms must be between 2 and 1000")
	case t.GraceSeconds < 0 || t.GraceSeconds > 300:
		return errors.New("appliance: tsa.grace_seconds must be between 0 and 300")
	case t.Node > 127:
		return errors.New("appliance: tsa.node must be between 0 and 127")
	case !slices.Contains(unitKeys, hsm.KeyType(t.Key)):
		return fmt.Errorf("appliance: tsa.key must be one of %v", unitKeys)
	case t.RollDays < 0 || t.RollDays > 60:
		return errors.New("appliance: tsa.roll_days must be between 0 and 60")
	case t.Page != "" && t.Page != "holders" && t.Page != "public":
		return errors.New(`appliance: tsa.page must be "holders", "public" or empty`)
	case t.Page == "public" && !t.Anonymous:
		return errors.New("appliance: a public page needs tsa.anonymous")
	case len(t.Policies) == 0:
		return errors.New("appliance: the time-stamping authority needs a policy: [[tsa.policies]] with name and oid")
	case slices.ContainsFunc(t.Policies, func(p StampPolicy) bool { return p.Qualified }) && !c.PKI.Qualified:
		return errors.New("appliance: qualified time-stamps need pki.qualified")
	}
	if _, err := ParseOID(t.UnverifiedPolicy); err != nil {
		return fmt.Errorf("appliance: tsa.unverified_policy: %w", err)
	}
	_, err := t.configured()
	return err
}

var unitKeys = []hsm.KeyType{hsm.P256, hsm.P384, hsm.RSA2048, hsm.RSA3072, hsm.RSA4096, hsm.Ed25519}

func (c TSA) accuracy() time.Duration { return time.Duration(c.AccuracyMS) * time.Millisecond }

// policies are those the authority stamps under: with a clock that nobody vouches
// for, the one that says so and no other. It takes the digests of the first; those of
// 2013 are for a policy of their own, and today's stand in for them.
func (c TSA) policies() ([]tsa.Policy, error) {
	all, err := c.configured()
	if err != nil || c.Clock == string(clock.System) {
		return all, err
	}
	oid, err := ParseOID(c.UnverifiedPolicy)
	hashes := all[0].Hashes
	if slices.Contains(hashes, crypto.SHA1) {
		hashes = nil
	}
	return []tsa.Policy{{Name: "unverified", OID: oid, Hashes: hashes, Accuracy: c.accuracy(), Series: all[0].Series}}, err
}

// seriesFor is the series of a new unit: the first policy's for none. One that no
// policy in service names is refused, with the reason.
func (c TSA) seriesFor(name string) (string, error) {
	served, err := c.policies()
	if err != nil {
		return "", err
	}
	if name == "" {
		return served[0].Series, nil
	}
	names := func(p tsa.Policy) bool { return p.Series == name }
	if slices.ContainsFunc(served, names) {
		return name, nil
	}
	configured, err := c.configured()
	if err == nil && slices.ContainsFunc(configured, names) {
		return "", fmt.Errorf(`appliance: with tsa.clock = "unverified" stamps are made under tsa.unverified_policy alone, by units of the series %s; the policies of the series %s are served with tsa.clock = "system", make its units then`, served[0].Series, name)
	}
	return "", fmt.Errorf("appliance: no policy names the series %.40q; name one in [[tsa.policies]] with series", name)
}

func (c TSA) configured() ([]tsa.Policy, error) {
	var out []tsa.Policy
	for _, p := range c.Policies {
		oid, err := ParseOID(p.OID)
		if err != nil {
			return nil, err
		}
		if p.Series == "" {
			p.Series = series
		}
		policy := tsa.Policy{Name: p.Name, OID: oid, Accuracy: c.accuracy(), Series: p.Series, Qualified: p.Qualified}
		switch {
		case p.Profile == "2013" && len(p.Hashes) == 0 && !p.Qualified:
			policy = tsa.Policy2013(p.Name, oid, c.accuracy(), p.Series)
		case p.Profile != "":
			return nil, fmt.Errorf(`appliance: policy %s: profile must be "2013", without hashes and not qualified, or empty`, p.Name)
		}
		for _, name := range p.Hashes {
			h := stampHashes[name]
			if h == 0 {
				return nil, fmt.Errorf("appliance: policy %s: there is no digest %q; use SHA-256, SHA-384, SHA-512, SHA3-256, SHA3-384 or SHA3-512", p.Name, name)
			}
			policy.Hashes = append(policy.Hashes, h)
		}
		out = append(out, policy)
	}
	return out, nil
}

// backend is the vault's share of the configuration.
func (c TSA) backend() (*vault.TSAConfig, error) {
	policies, err := c.policies()
	if err != nil {
		return nil, err
	}
	return &vault.TSAConfig{
		Node: c.Node, Policies: policies, PSS: c.PSS, NameInToken: true, PassphraseFile: c.PassphraseFile,
		Clock: clock.Config{Mode: clock.Mode(c.Clock), Accuracy: c.accuracy(), Chrony: c.Chrony, Second: c.SecondChrony,
			Grace: time.Duration(c.GraceSeconds) * time.Second},
	}, nil
}
