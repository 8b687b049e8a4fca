package oauth_test

import (
	"testing"

	"sigillo/store"
)

// BenchmarkAccess is what each call of the API costs for its token, beside one row read
// from the same database.
func BenchmarkAccess(b *testing.B) {
	d := newDesk(b)
	service, order := d.tokens("app", asked()), d.tokens("app", ordered())
	for _, c := range []struct{ name, token string }{{"service", service.Access}, {"credential", order.Access}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := d.srv.Access(b.Context(), c.token, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			err := d.db.Read(b.Context(), func(tx *store.Tx) error { _, err := tx.OAuthClient("app"); return err })
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
