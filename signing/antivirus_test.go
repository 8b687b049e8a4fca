package signing

import (
	"context"
	"log/slog"
	"testing"

	"sigillo/formats/inspect"
	"sigillo/signing/clamd"
)

// The virus scanner can only refuse: silence and praise leave the verdict as the
// inspection made it, and the journal is told each time that it was asked.
func TestAntivirus(t *testing.T) {
	t.Parallel()
	clean := inspect.Report{Format: "text", MediaType: "text/plain", Verdict: inspect.Allow, Findings: []inspect.Finding{}, Ruleset: inspect.Ruleset}
	refused := inspect.Failed("")
	for name, c := range map[string]struct {
		before inspect.Report
		answer clamd.Answer
		want   inspect.Verdict
		rule   string
		said   string // "" if it is not to be asked
	}{
		"clean":           {clean, clamd.Answer{Result: clamd.Clean, Engine: "ClamAV 1"}, inspect.Allow, "", "clean"},
		"found":           {clean, clamd.Answer{Result: clamd.Found, Signature: "Eicar", Engine: "ClamAV 1"}, inspect.Refuse, "virus", "found Eicar"},
		"silent":          {clean, clamd.Answer{Result: clamd.NoAnswer, Reason: "it takes too long"}, inspect.Allow, "", "no-answer: it takes too long"},
		"refused already": {refused, clamd.Answer{Result: clamd.Clean}, inspect.Refuse, "inspect.failed", ""},
	} {
		asked := false
		s := &Service{turns: newTurns(1), cfg: Config{Log: slog.New(slog.DiscardHandler), Policy: inspect.Standard(),
			Inspect:   func(context.Context, string, string) inspect.Report { return c.before },
			Antivirus: func(context.Context, string) clamd.Answer { asked = true; return c.answer },
		}}
		report, said, err := s.inspect(t.Context(), "", upload{})
		if err != nil || report.Verdict != c.want || report.Check() != nil || c.rule != "" && report.Findings[0].Rule != c.rule {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
		if asked != (c.said != "") || said["antivirus"] != c.said || said["antivirus-engine"] != c.answer.Engine {
			t.Errorf("%s: asked %v, journal %v", name, asked, said)
		}
	}
}
