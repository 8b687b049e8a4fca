package appliance

import "errors"

// Signatures configures how handwritten signatures are compared, at counters where holders
// sign with a pen.
type Signatures struct {
	// Policy is what is demanded of a handwritten signature: "standard", "high" or
	// "highest"; docs/graphometry.md has what each costs. Empty: standard. It is read
	// when the vault starts.
	Policy string `toml:"policy,omitempty"`
	// Impostors has each signature that matched compared with the profile of another
	// holder, drawn at random, so that the report can say how often strangers would
	// match. Only counts are kept. It is a use of biometric data of its own: holders must
	// have agreed to it.
	Impostors bool `toml:"impostors,omitempty"`
}

func (s Signatures) check() error {
	switch s.Policy {
	case "", "standard", "high", "highest":
		return nil
	}
	return errors.New(`appliance: signatures.policy must be "standard", "high" or "highest"`)
}
