package inspect

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// The file of the standard policy names every rule; none falls to the refusal of what
// is named nowhere by an oversight.
func TestStandardNamesEveryRule(t *testing.T) {
	t.Parallel()
	text, err := policies.ReadFile("policies/standard.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Rules() {
		if n := bytes.Count(text, []byte(`"`+r.ID+`"`)); n != 1 {
			t.Errorf("the rule %s is named %d times", r.ID, n)
		}
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	confirmed := 0
	for _, r := range Rules() {
		want := Standard().Severity(r.ID)
		if want == Confirm {
			want = Refuse
			confirmed++
		}
		if got := Strict().Severity(r.ID); got != want {
			t.Errorf("%s: %s, want %s", r.ID, got, want)
		}
	}
	if confirmed == 0 {
		t.Error("the standard policy lets nothing be confirmed")
	}
}

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"name = \"banca\"\n": "link refuse, formula refuse, pdf.xfa refuse",
		"name = \"banca\"\nbase = \"standard\"\nrefuse = [\"link\"]":                                        "link refuse, formula confirm, pdf.xfa refuse",
		"name = \"banca\"\nbase = \"standard\"\nconfirm_is = \"refuse\"":                                    "link allow, formula refuse, pdf.xfa refuse",
		"name = \"banca\"\nbase = \"strict\"\nallow = [\"formula\"]\nconfirm = [\"pdf.xfa\"]":               "link allow, formula allow, pdf.xfa confirm",
		"name = \"banca\"\nallow = [\"link\"] # nothing else":                                               "link allow, formula refuse, pdf.xfa refuse",
		"name = \"banca\"\nbase = \"standard\"\nconfirm_is = \"refuse\"\nconfirm = [\"formula\"]\n# a note": "link allow, formula confirm, pdf.xfa refuse",
	} {
		p, err := ParsePolicy(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := fmt.Sprintf("link %s, formula %s, pdf.xfa %s", p.Severity("link"), p.Severity("formula"), p.Severity("pdf.xfa"))
		if got != want || !strings.HasPrefix(p.ID(), "banca sha256:") || p.Severity("no.such.rule") != Refuse || p.Severity("inspect.failed") != Refuse {
			t.Errorf("%s: %s; want %s", text, got, want)
		}
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":                                        "name",
		"name = \"Banca Rossi\"":                  "name",
		"name = \"standard\"":                     "taken",
		"name = \"strict\"\nbase = \"strict\"":    "taken",
		"name = \"a\"\nbase = \"lax\"":            "base",
		"name = \"a\"\nconfirm_is = \"allow\"":    "confirm_is",
		"name = \"a\"\nallow = [\"pdf.no-such\"]": "pdf.no-such",
		"name = \"a\"\nallow = [\"link\"]\nrefuse = [\"link\"]":         "twice",
		"name = \"a\"\nallow = [\"inspect.failed\"]":                    "inspect.failed",
		"name = \"a\"\nallow = [\"pdf.malformed\"]":                     "pdf.malformed",
		"name = \"a\"\nconfirm = [\"cfb.encrypted\"]":                   "cfb.encrypted",
		"name = \"a\"\nallow = [\"pdf.limit\", \"size\"]":               "pdf.limit",
		"name = \"a\"\nallow = [\"virus\"]":                             "virus",
		"name = \"a\"\nalow = [\"link\"]":                               "alow",
		"name = \"a\"\nallow = \"link\"":                                "",
		"name = \"a\"\n# " + strings.Repeat("x", maxPolicy):             "64 KB",
		"name = \"a\"\nconfirm = [\"link\", \"link\"]\nbase=\"strict\"": "twice",
	} {
		_, err := ParsePolicy(strings.NewReader(text))
		if KindOf(err) != BadPolicy || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60q: %v, want an error that names %q", text, err, says)
		}
	}
}

// A report is judged by a policy as if it had been made under it.
func TestJudge(t *testing.T) {
	t.Parallel()
	page := []byte(`<html><p style="display:none">nascosto</p><a href="https://example.it/">x</a></html>`)
	rep := look(t, "x.html", page)
	if rep.Verdict != Confirm || rep.Policy != "standard" {
		t.Fatalf("%+v", rep)
	}
	if strict := Strict().Judge(rep); strict.Verdict != Refuse || strict.Policy != "strict" || strict.Findings[0].Severity != Refuse {
		t.Errorf("%+v", strict)
	}
	if rep.Verdict != Confirm || rep.Findings[0].Severity != Confirm {
		t.Errorf("judging has changed the report: %+v", rep)
	}
	own, err := ParsePolicy(strings.NewReader("name = \"own\"\nallow = [\"html.hidden\", \"link\"]"))
	if err != nil {
		t.Fatal(err)
	}
	if rep := own.Judge(rep); rep.Verdict != Allow || !strings.HasPrefix(rep.Policy, "own sha256:") || len(rep.Policy) != len("own sha256:")+64 {
		t.Errorf("%+v", rep)
	}
	if rep := own.Judge(Failed("")); rep.Verdict != Refuse {
		t.Errorf("%+v", rep)
	}
}

// A document that was inspected elsewhere is never signed without being asked for, and
// under the strict policy not at all; who inspected it is told.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	rep := Elsewhere("Ufficio protocollo, anti-macro 3.1")
	if err := rep.Check(); err != nil || rep.Verdict != Confirm || rep.Findings[0].Quote != "Ufficio protocollo, anti-macro 3.1" {
		t.Errorf("%+v, %v", rep, err)
	}
	if Strict().Judge(rep).Verdict != Refuse {
		t.Error("the strict policy lets it pass")
	}
}

// However many findings there are, a policy sees at least one of each rule.
func TestEveryRuleIsListed(t *testing.T) {
	t.Parallel()
	rep := newReport()
	for _, r := range Rules() {
		for range 30 {
			rep.add(r.ID, "", "")
		}
	}
	for _, r := range Rules() {
		if !has(*rep.Report, r.ID) {
			t.Errorf("%s is not listed", r.ID)
		}
	}
	if err := rep.Check(); err != nil || rep.Omitted == 0 {
		t.Errorf("%v, %d omitted", err, rep.Omitted)
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add("name = \"banca\"\nbase = \"standard\"\nconfirm_is = \"refuse\"\nallow = [\"link\"]")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy(strings.NewReader(text))
		if err != nil {
			if KindOf(err) != BadPolicy {
				t.Fatalf("the error %v has no kind", err)
			}
			return
		}
		if p.Judge(Failed("")).Verdict != Refuse {
			t.Fatalf("a failed inspection is let through by %q", text)
		}
	})
}
