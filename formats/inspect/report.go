package inspect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sigillo/formats/legible"
)

// Ruleset names the edition of the rules. It is stored with every report, so
// that years later one can tell what a given "allow" had looked at.
const Ruleset = "2026-11-22"

// A Verdict is both the severity of one finding and the outcome of a report.
type Verdict string

const (
	Allow   Verdict = "allow"   // nothing to decide; findings of this severity are only recorded
	Confirm Verdict = "confirm" // the holder must be shown the findings and accept them
	Refuse  Verdict = "refuse"  // the document must not be signed as it is
)

// weight orders verdicts; what is not a verdict weighs as a refusal.
func (v Verdict) weight() int {
	switch v {
	case Allow:
		return 0
	case Confirm:
		return 1
	}
	return 2
}

// graver gives the graver of two verdicts.
func graver(a, b Verdict) Verdict {
	if b.weight() > a.weight() {
		return b
	}
	return a
}

// Text is one sentence for the holder in both languages of the product.
type Text struct {
	It string `json:"it"`
	En string `json:"en"`
}

// A Finding is one thing the rules have something to say about.
type Finding struct {
	Rule     string  `json:"rule"`     // key of the rule table, such as "pdf.javascript"
	Severity Verdict `json:"severity"` // as the policy has it
	Where    string  `json:"where"`    // object, part, line or page; "" for the whole document
	Quote    string  `json:"quote"`    // at most 80 characters of the document, control characters made visible
	Text     Text    `json:"text"`     // what it is and what to do
}

// A Report is the result of one inspection.
type Report struct {
	Format    string    `json:"format"`    // "pdf", "docx", "text", …; "unknown" if none was recognised
	MediaType string    `json:"mediaType"` // IANA media type of Format
	Verdict   Verdict   `json:"verdict"`
	Findings  []Finding `json:"findings"`          // never nil; of each rule that has any the first at least
	Omitted   int       `json:"omitted,omitempty"` // findings beyond the limits
	Ruleset   string    `json:"ruleset"`
	Policy    string    `json:"policy"` // its name; of a user's own also the SHA-256 of its file
}

// Check tells whether the report is one that Inspect could have made: known
// rules with the severity of the standard policy, a verdict that follows from the
// findings, and texts within bounds. It is what the parent of a worker process runs
// on what the worker says, since a subverted worker may say anything.
func (r Report) Check() error {
	if r.Format == "" || len(r.Format) > 32 || len(r.MediaType) > 128 || r.Ruleset != Ruleset || r.Policy != standard.id {
		return &Error{Kind: Invalid, Msg: "the report lacks its format or is of other rules"}
	}
	if r.Findings == nil || len(r.Findings) > maxFindings+len(rules) || r.Omitted < 0 {
		return &Error{Kind: Invalid, Msg: "the report has no list of findings or too long a one"}
	}
	worst := Allow
	for _, f := range r.Findings {
		rule, ok := ruleByID[f.Rule]
		if !ok || standard.Severity(f.Rule) != f.Severity || rule.Text != f.Text {
			return &Error{Kind: Invalid, Msg: "the report names a rule that does not exist or changes one"}
		}
		if utf8.RuneCountInString(f.Quote) > maxQuote || utf8.RuneCountInString(f.Where) > maxWhere {
			return &Error{Kind: Invalid, Msg: "the report has an overlong quotation"}
		}
		if f.Quote != clean(f.Quote, maxQuote) || f.Where != clean(f.Where, maxWhere) {
			return &Error{Kind: Invalid, Msg: "the report has control characters in it"}
		}
		worst = graver(worst, f.Severity)
	}
	if r.Verdict != worst {
		return &Error{Kind: Invalid, Msg: "the verdict does not follow from the findings"}
	}
	return nil
}

// Failed is the report for a document that could not be inspected at all: a
// refusal with the finding "inspect.failed". The worker's parent uses it when
// the worker crashes, takes too long or talks nonsense.
func Failed(reason string) Report {
	rep := newReport()
	rep.add("inspect.failed", "", reason)
	return *rep.Report
}

// Elsewhere is the report on a document that was not seen here, of which only the
// digest is signed: by is who looked for active content in it, as those say who sent
// the digest.
func Elsewhere(by string) Report {
	rep := newReport()
	rep.Format = "digest"
	rep.add("inspect.elsewhere", "", by)
	return *rep.Report
}

// Infected is the report with the finding "virus": another program than this one
// has found in the document what it calls name.
func (r Report) Infected(name string) Report {
	r.Findings = slices.Clone(r.Findings)
	rep := &report{Report: &r, perRule: map[string]int{}}
	rep.add("virus", "", name)
	return r
}

// report collects findings under the limits.
type report struct {
	*Report
	perRule map[string]int
}

func newReport() *report {
	return &report{
		Report: &Report{
			Format: "unknown", MediaType: "application/octet-stream",
			Verdict: Allow, Findings: []Finding{}, Ruleset: Ruleset, Policy: standard.id,
		},
		perRule: map[string]int{},
	}
}

// add records a finding. A rule the table does not know counts as a refusal:
// a slip of the programmer must not open the door.
func (r *report) add(rule, where, quote string) {
	known, ok := ruleByID[rule]
	if !ok {
		known = ruleByID["inspect.failed"]
		quote = "rule " + rule
	}
	severity := standard.Severity(known.ID)
	r.Verdict = graver(r.Verdict, severity)
	// The first of a rule is listed always, so that any policy can judge the list.
	r.perRule[known.ID]++
	if n := r.perRule[known.ID]; n > maxFindingsPerRule || n > 1 && len(r.Findings) >= maxFindings {
		r.Omitted++
		return
	}
	r.Findings = append(r.Findings, Finding{
		Rule: known.ID, Severity: severity, Text: known.Text,
		Where: clean(where, maxWhere), Quote: clean(quote, maxQuote),
	})
}

// clean makes a piece of an untrusted document fit to be shown: valid UTF-8,
// control, direction-changing and invisible characters by their numbers, white space
// folded, at most max characters.
func clean(s string, max int) string {
	var b strings.Builder
	n, space := 0, false
	for _, c := range s {
		if unicode.IsSpace(c) {
			space = n > 0
			continue
		}
		if space {
			if n++; n >= max {
				break
			}
			b.WriteByte(' ')
			space = false
		}
		shown := legible.Line(string(c))
		if n += utf8.RuneCountInString(shown); n >= max {
			b.WriteRune('…')
			return b.String()
		}
		b.WriteString(shown)
	}
	return strings.TrimRight(b.String(), " ")
}

// A Kind says what sort of failure an Error is.
type Kind string

const (
	Read    Kind = "read"    // the document could not be read
	Invalid Kind = "invalid" // a report is not one that Inspect makes
	// BadPolicy: a policy's file has a mistake that its author has to mend
	BadPolicy Kind = "bad-policy"
)

// Error is the typed error of this room.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("inspect: %s: %v", e.Msg, e.Err)
	}
	return "inspect: " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err, or "" if it is not of this room.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}
