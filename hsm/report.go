package hsm

import (
	"fmt"
	"strings"
)

// Report is the outcome of SelfTest.
type Report struct {
	Module       string  `json:"module"`
	Manufacturer string  `json:"manufacturer"`
	Label        string  `json:"label"`
	Serial       string  `json:"serial"`
	Firmware     string  `json:"firmware"`
	Checks       []Check `json:"checks"`
}

// Check is one thing that was tried on the token.
type Check struct {
	Name string `json:"name"` // states what is the case if OK
	OK   bool   `json:"ok"`
	// Required checks are those this program's claims rest on; the others are
	// there to be known.
	Required bool `json:"required"`
	// House checks are those of them that the signing keys of the house (authorities,
	// time-stamping units, journal) rest on, which stay in the token and are never
	// wrapped. A token that passes these alone holds such keys well, and no holder's.
	House  bool   `json:"house"`
	Detail string `json:"detail"` // what the token answered
}

// Missing are the names of the required checks that failed: with one of them the
// token is not fit for holders' keys.
func (r Report) Missing() []string { return r.missing(func(c Check) bool { return c.Required }) }

// MissingHouse are those that the signing keys of the house rest on.
func (r Report) MissingHouse() []string { return r.missing(func(c Check) bool { return c.House }) }

func (r Report) missing(counts func(Check) bool) (names []string) {
	for _, c := range r.Checks {
		if counts(c) && !c.OK {
			names = append(names, c.Name)
		}
	}
	return names
}

// Table is the report for a reader: a line for each check, then what the token is
// fit for.
func (r Report) Table() string {
	var b strings.Builder
	for _, c := range r.Checks {
		verdict, weight := "yes", "to be known"
		if !c.OK {
			verdict = "NO "
		}
		switch {
		case c.House:
			weight = "all keys"
		case c.Required:
			weight = "holders' keys"
		}
		fmt.Fprintf(&b, "%s  %-13s  %s\n", verdict, weight, c.Name)
	}
	fmt.Fprintf(&b, "\nfit for holders' keys               %s\n", fitness(r.Missing()))
	fmt.Fprintf(&b, "fit for the house's signing keys    %s\n", fitness(r.MissingHouse()))
	return b.String()
}

func fitness(missing []string) string {
	if len(missing) == 0 {
		return "yes"
	}
	return fmt.Sprintf("NO, %d reasons", len(missing))
}
