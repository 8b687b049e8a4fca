package inspect_test

import (
	"fmt"
	"strings"

	"sigillo/formats/inspect"
)

func ExampleInspect() {
	page := `<html><body><p>Contratto</p><script>document.title = Date()</script></body></html>`
	report, err := inspect.Inspect(strings.NewReader(page), int64(len(page)), "contratto.html")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Format, report.Verdict)
	for _, f := range report.Findings {
		fmt.Println(f.Rule, f.Where, f.Quote)
		fmt.Println(f.Text.En)
	}
	// Output:
	// html refuse
	// html.script line 1 <script>
	// The page contains code that the browser runs: remove it or convert to PDF/A.
}
