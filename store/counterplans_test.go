package store

import (
	"strings"
	"testing"
)

// TestCounterPlans: what the clock asks every few seconds, and each tablet with each look,
// does not go through all rows of the house.
func TestCounterPlans(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	for name, c := range map[string]struct {
		query, index string
		args         []any
	}{
		"withdrawn": {withoutConsent, "consents_withdrawn", []any{"counter-signature", MaxRows}},
		"of one":    {withoutConsentOf, "credentials_holder", []any{"counter-signature", "holder-1", MaxRows}},
		"tablet":    {counterSessionAt, "counter_sessions_at", []any{"tablet-1"}},
	} {
		rows, err := db.read.Query(`EXPLAIN QUERY PLAN `+c.query, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(plan, "; ")
		if !strings.Contains(all, c.index) || strings.Contains(all, "SCAN") {
			t.Errorf("%s: %s", name, all)
		}
	}
}
