package appliance

import "errors"

// Counter configures the counters, where holders sign with a pen.
type Counter struct {
	// Policy is what is demanded of a handwritten signature: "standard", "high" or
	// "highest"; docs/graphometry.md has what each costs. Empty: standard. It is read
	// when the vault starts.
	Policy string `toml:"policy,omitempty"`
}

func (c Counter) check() error {
	switch c.Policy {
	case "", "standard", "high", "highest":
		return nil
	}
	return errors.New(`appliance: counter.policy must be "standard", "high" or "highest"`)
}
