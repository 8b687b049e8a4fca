package signing

import (
	"testing"

	"sigillo/store"
)

// What a customer will be asked to accept on a tablet is not journalled as accepted when the
// operator puts the dossier together.
func TestNotConfirmedYet(t *testing.T) {
	t.Parallel()
	c := &confirmation{Document: "aa", Ruleset: "r", Rules: []string{"pdf.script"}}
	for counter, want := range map[bool]string{false: "confirmed", true: "to-confirm"} {
		d := preparedEvent("holder-1", counter, store.Transaction{}, store.Item{}, store.Document{}, c).Detail
		if d[want] != "pdf.script" || d["confirmed"] != "" && counter {
			t.Errorf("at a counter %v: %v", counter, d)
		}
	}
}
