package main

import (
	"context"
	"fmt"
	"strings"
)

// pyHanko judges PDF and CMS signatures by EN 319 102-1 and what later
// revisions of a PDF changed, but not the profiles: it does not tell a level.
type pyHanko struct{ server }

func (p *pyHanko) name() string { return "pyHanko" }

func (p *pyHanko) missing() string {
	if len(p.command) == 0 {
		return "pyHanko was not set up"
	}
	return ""
}

func (p *pyHanko) can(s sample) bool {
	return s.form == padesForm || s.form == cadesForm && !strings.Contains(s.levels, "counter:") && !strings.Contains(s.levels, "-LT")
}

func (p *pyHanko) limit(s sample) string {
	if strings.HasPrefix(s.kind, "ghostscript-encrypted") {
		return "cannot read the metadata of PDFs that ghostscript 10.0 encrypts, who leaves them clear without saying so"
	}
	return ""
}

func (p *pyHanko) judge(ctx context.Context, s sample) opinion {
	content := ""
	if len(s.contents) > 0 {
		content = s.contents[0]
	}
	col, err := p.answer(ctx, s.path, orDash(content), "-", orDash(s.password))
	if err != nil {
		return doubt("%v", err)
	}
	saw := fmt.Sprintf("%s %s %s: %s", col[1], col[2], col[3], col[4])
	if col[2] == "TOTAL_FAILED" && (col[3] == "HASH_FAILURE" || col[3] == "SIG_CRYPTO_FAILURE") {
		return refuse(saw)
	}
	if col[2] != "TOTAL_PASSED" {
		return doubt("%s", saw)
	}
	if want := lacks(col[1], s.levels); want != "" && !s.altered {
		return doubt("%s, without %s", saw, want)
	}
	return accept(saw)
}

// lacks says which part of a level pyHanko did not find in the file.
func lacks(found, levels string) string {
	if strings.Count(found, ",") != strings.Count(levels, ",") {
		return "all signatures"
	}
	if levels == "TIMESTAMP" {
		return ""
	}
	parts := []struct{ level, words string }{{"-T", "timestamp"}, {"-LT", "DSS"}, {"-LTA", "DocTimeStamp"}}
	for _, p := range parts {
		pades := strings.HasPrefix(levels, "PAdES")
		if strings.HasSuffix(levels, p.level) && (pades || p.level == "-T") && !strings.Contains(strings.ToLower(found), strings.ToLower(p.words)) {
			return p.words
		}
	}
	return ""
}
