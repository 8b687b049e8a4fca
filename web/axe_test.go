package web

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// readAxe gives the source of axe-core, which examines pages in a browser. It
// is a tool of the tests alone: the pages neither ship nor load it.
func readAxe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("assets/node_modules/axe-core/axe.min.js")
	if errors.Is(err, fs.ErrNotExist) {
		t.Run("axe", func(t *testing.T) {
			t.Skip("web/assets/node_modules/axe-core is missing: run 'npm ci --ignore-scripts' in web/assets")
		})
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// violation is one rule that a page breaks.
type violation struct {
	Rule   string   `json:"rule"`
	Impact string   `json:"impact"`
	Help   string   `json:"help"`
	Where  []string `json:"where"` // selectors, each with what is wrong there
}

const runAxe = `axe.run(document, {
	runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] },
	resultTypes: ["violations"],
}).then((r) => r.violations.map((v) => ({ rule: v.id, impact: v.impact || "", help: v.help,
	where: v.nodes.map((n) => n.target.join(" ") + ": " + (n.failureSummary || "").replace(/\s+/g, " ")) })))`

// audit has axe-core examine the page that is shown, for WCAG 2.1 A and AA and
// good practice. What the debugger evaluates is not subject to the page's
// content policy.
func (s *stroll) audit(name string) {
	s.t.Helper()
	if s.axe == "" {
		return
	}
	eval[bool](s, s.axe+"\n;true")
	found, err := chromedp.Run(s.ctx, chromedp.Evaluate[[]violation](runAxe, chromedp.EvalAwaitPromise))
	if err != nil {
		s.t.Fatalf("%s: axe-core: %v", name, err)
	}
	for _, v := range found {
		s.t.Errorf("%s: %s (%s): %s\n\t%s", name, v.Rule, v.Impact, v.Help, strings.Join(v.Where, "\n\t"))
	}
}
