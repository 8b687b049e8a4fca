package pki

import (
	"bytes"
	"context"
	"crypto"
	"strings"
	"testing"
	"time"

	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
)

// tokenKeys are keys in a real token, without the vault before it.
type tokenKeys struct{ *hsm.Token }

func (k tokenKeys) CreateKey(ctx context.Context, label string, kt hsm.KeyType) (crypto.PublicKey, error) {
	s, err := k.GenerateSigner(ctx, label, kt)
	if err != nil {
		return nil, err
	}
	return s.Public(), nil
}

func (k tokenKeys) Signer(_ context.Context, label string) (crypto.Signer, error) {
	s, err := k.Token.Signer(label)
	if err != nil {
		return nil, err // a nil *hsm.Signer would be no nil crypto.Signer
	}
	return s, nil
}

// The whole house in a token: ceremony, certificate, list, status.
func TestSoftHSM(t *testing.T) {
	t.Parallel()
	token, err := hsm.Open(hsmtest.Token(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = token.Close() })
	keys, clock := tokenKeys{token}, &clock{t: time.Now()}
	h := &house{db: openStore(t), clock: clock}
	var record bytes.Buffer
	if err := Ceremony(t.Context(), h.db, keys, testConfig(), clock.now, &record); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(record.String(), "Token ") {
		t.Errorf("the self-test is not in the record:\n%s", record.String())
	}
	if h.Authority, err = Open(t.Context(), h.db, keys, testConfig(), clock.now); err != nil {
		t.Fatal(err)
	}
	cert := h.issue(t, "1")
	if err := h.Suspend(t.Context(), serialOf(cert), 6, "ra"); err != nil {
		t.Fatal(err)
	}
	if h.listing(t, serialOf(cert)) == "" || h.ask(t, IssuingCA, cert).RevocationReason != 6 {
		t.Error("the suspension is not to be seen")
	}
}
