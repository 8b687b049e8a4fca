package pki

import (
	"strings"
	"testing"

	"sigillo/hsm"
)

func TestCeremonyAndIssueLintClean(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{testConfig(), qualifiedConfig()} {
		h := newHouse(t, cfg)
		cert, err := h.Issue(t.Context(), h.enrol(t, "1", hsm.P256))
		if err != nil {
			t.Fatal(err)
		}
		list := map[string][]byte{ProfileSignature: cert.Raw}
		for _, s := range ceremonyPlan(h.cfg) {
			if s.profile != "" {
				list[s.label] = h.CA(s.label).Raw
			}
		}
		for what, der := range list {
			_, found, err := findings(what, der)
			if err != nil || len(found) > 0 {
				t.Errorf("%s (qualified %v): %v\n%s", what, cfg.Qualified, err, strings.Join(found, "\n"))
			}
		}
		if !cfg.Qualified {
			t.Log(h.record)
		}
	}
}
