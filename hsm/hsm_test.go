package hsm_test

import (
	"context"
	"testing"

	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
)

func open(t testing.TB) *hsm.Token {
	t.Helper()
	tok, err := hsm.Open(hsmtest.Token(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tok.Close(); err != nil {
			t.Error(err)
		}
	})
	return tok
}

func TestSelfTest(t *testing.T) {
	t.Parallel()
	r, err := open(t).SelfTest(context.Background())
	for _, c := range r.Checks {
		t.Logf("ok=%v required=%v %s: %s", c.OK, c.Required, c.Name, c.Detail)
	}
	if err != nil {
		t.Fatal(err)
	}
}
