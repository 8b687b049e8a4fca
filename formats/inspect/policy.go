package inspect

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

//go:embed policies/*.toml
var policies embed.FS

var (
	standard = builtIn("standard", nil)
	strict   = builtIn("strict", map[string]*Policy{"standard": standard})
)

// Policy says what is done about what the rules find. The scanners do not know it:
// they report every finding, and a policy judges the report.
type Policy struct {
	name     string
	id       string
	severity map[string]Verdict
}

// Standard is the policy of the house; [Inspect] reports under it.
func Standard() *Policy { return standard }

// Strict refuses all that [Standard] lets the holder confirm.
func Strict() *Policy { return strict }

// policyFile is a policy as it is written (TOML). Rules that it names nowhere are
// judged as by Base; without one they are refused.
type policyFile struct {
	Name string `toml:"name"`
	Base string `toml:"base"` // "standard", "strict" or ""
	// ConfirmIs "refuse" turns what Base lets the holder confirm into refusals.
	ConfirmIs Verdict  `toml:"confirm_is"`
	Refuse    []string `toml:"refuse"`
	Confirm   []string `toml:"confirm"`
	Allow     []string `toml:"allow"`
}

// maxPolicy is how long a policy's file may be, in bytes.
const maxPolicy = 64 << 10

var policyName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// ParsePolicy reads a user's own policy. It refuses rules and keys that do not exist,
// rules that are named twice, the names of the built-in policies, and to do anything
// but refuse where a document was not inspected to its end. Errors are of kind BadPolicy and say what
// to change.
func ParsePolicy(r io.Reader) (*Policy, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPolicy+1))
	switch {
	case err != nil:
		return nil, &Error{Kind: BadPolicy, Msg: "the policy cannot be read", Err: err}
	case len(text) > maxPolicy:
		return nil, &Error{Kind: BadPolicy, Msg: "the policy is longer than 64 KB"}
	}
	p, err := parsePolicy(text, map[string]*Policy{"standard": standard, "strict": strict})
	if err != nil {
		return nil, &Error{Kind: BadPolicy, Msg: "the policy cannot be used", Err: err}
	}
	if p.name == standard.name || p.name == strict.name {
		return nil, &Error{Kind: BadPolicy, Msg: "the name " + p.name + " is taken by a policy of the house; choose another"}
	}
	sum := sha256.Sum256(text)
	p.id += " sha256:" + hex.EncodeToString(sum[:])
	return p, nil
}

// OpenPolicy gives a policy of the house by its name, "standard" or "strict", or else
// reads the file of that name. Kind: BadPolicy.
func OpenPolicy(name string) (*Policy, error) {
	switch name {
	case standard.name:
		return standard, nil
	case strict.name:
		return strict, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, &Error{Kind: BadPolicy, Msg: "the policy is neither \"standard\" nor \"strict\" nor a file that can be read", Err: err}
	}
	defer f.Close()
	p, err := ParsePolicy(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func builtIn(name string, bases map[string]*Policy) *Policy {
	text, err := policies.ReadFile("policies/" + name + ".toml")
	if err != nil {
		panic(err)
	}
	p, err := parsePolicy(text, bases)
	if err != nil {
		panic(err)
	}
	return p
}

func parsePolicy(text []byte, bases map[string]*Policy) (*Policy, error) {
	var f policyFile
	if err := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields().Decode(&f); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) {
			return nil, errors.New("unknown key:\n" + unknown.String())
		}
		return nil, err
	}
	switch {
	case !policyName.MatchString(f.Name):
		return nil, fmt.Errorf("name is %q; it has small letters, digits and hyphens, at most 32", f.Name)
	case f.ConfirmIs != "" && f.ConfirmIs != Refuse:
		return nil, fmt.Errorf("confirm_is is %q; it is %q or left out", f.ConfirmIs, Refuse)
	}
	p := &Policy{name: f.Name, id: f.Name, severity: map[string]Verdict{}}
	base := bases[f.Base]
	if base == nil && f.Base != "" {
		return nil, fmt.Errorf("base is %q; it is \"standard\", \"strict\" or left out", f.Base)
	}
	p.begin(base, f.ConfirmIs)
	return p, p.change(f)
}

// begin gives the rules the severities of base; nil refuses all.
func (p *Policy) begin(base *Policy, confirmIs Verdict) {
	for _, r := range rules {
		v := base.Severity(r.ID)
		if v == Confirm && confirmIs != "" {
			v = confirmIs
		}
		p.severity[r.ID] = v
	}
}

// change applies the lists of the file.
func (p *Policy) change(f policyFile) error {
	seen := map[string]bool{}
	for _, list := range []struct {
		verdict Verdict
		rules   []string
	}{{Refuse, f.Refuse}, {Confirm, f.Confirm}, {Allow, f.Allow}} {
		for _, id := range list.rules {
			switch {
			case ruleByID[id].ID == "":
				return fmt.Errorf("there is no rule %q", id)
			case seen[id]:
				return fmt.Errorf("the rule %q is named twice", id)
			case alwaysRefused(id) && list.verdict != Refuse:
				return fmt.Errorf("%q is always refused: such a document is not inspected to its end, or is known to be bad", id)
			}
			seen[id] = true
			p.severity[id] = list.verdict
		}
	}
	return nil
}

// alwaysRefused are the rules after which the rest of a document was not looked at:
// to let it pass would be to let anything pass. A format that is not known, or an
// archive, is another matter: who lets those pass knows that nothing was looked at.
func alwaysRefused(rule string) bool {
	switch rule {
	case "inspect.failed", "virus", "empty", "size", "zip.bomb":
		return true
	}
	return strings.HasSuffix(rule, ".malformed") || strings.HasSuffix(rule, ".limit") || strings.HasSuffix(rule, ".encrypted")
}

// ID is what reports and the journal call the policy: its name, of a user's own also
// the SHA-256 of its file.
func (p *Policy) ID() string { return p.id }

// Severity is what the policy does about one rule; a refusal if it does not know it.
func (p *Policy) Severity(rule string) Verdict {
	if p != nil && p.severity[rule] != "" {
		return p.severity[rule]
	}
	return Refuse
}

// Judge gives the report with the severities of the policy and the verdict that
// follows from them. r is not changed.
func (p *Policy) Judge(r Report) Report {
	findings := make([]Finding, len(r.Findings))
	r.Verdict, r.Policy = Allow, p.id
	for i, f := range r.Findings {
		f.Severity = p.Severity(f.Rule)
		r.Verdict = graver(r.Verdict, f.Severity)
		findings[i] = f
	}
	r.Findings = findings
	return r
}
