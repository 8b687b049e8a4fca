package vault

import (
	"context"
	"testing"

	"sigillo/auth"
)

// counting counts what the token is asked.
type counting struct {
	token
	macs, seals int // to seal takes as long as to unseal
}

func (c *counting) MAC(ctx context.Context, label string, data []byte) ([]byte, error) {
	c.macs++
	return c.token.MAC(ctx, label, data)
}

func (c *counting) Seal(ctx context.Context, label string, aad, plain []byte) ([]byte, error) {
	c.seals++
	return c.token.Seal(ctx, label, aad, plain)
}

func (c *counting) Unseal(ctx context.Context, label string, aad, sealed []byte) ([]byte, error) {
	c.seals++
	return c.token.Unseal(ctx, label, aad, sealed)
}

// TestTokenCostsTheSame: whoever is asked about, unknown, known with few or many
// devices, with a right or a wrong code, or locked out, the token is asked the same.
// With the Argon2id, which TestLockedCostsTheSame sees, it is what takes time.
func TestTokenCostsTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	few, many, locked := r.enrol("few"), r.enrol("many"), r.enrol("locked")
	for range MaxDevices - 1 {
		many.addDevice(NewDevice{Kind: HOTP})
	}
	for range auth.FreeFailures + 1 {
		want(t, locked.authenticate("wrong", "000000"), WrongPassword)
	}
	v, done := r.direct()
	defer done()
	c := &counting{token: v.tok}
	v.tok = c
	for _, otp := range []string{"000000", "", "0000-0000-0000-0000", "right"} {
		for name, f := range map[string]Factors{"unknown": {}, "few": few.factors, "many": many.factors, "locked out": locked.factors} {
			c.macs, c.seals = 0, 0
			e := Evidence{Password: []byte("wrong"), OTP: otp, Client: "test"}
			if otp == "right" {
				e.OTP = many.otp()
			}
			_, err := v.authenticate(context.Background(), name+otp, &Authentication{Factors: f, Evidence: e})
			if k := KindOf(err); k != WrongPassword && k != Locked {
				t.Errorf("%s: %v", name, err)
			}
			wantMACs := 2
			if otp == "0000-0000-0000-0000" {
				wantMACs = 3
			}
			if c.macs != wantMACs || c.seals != 1 {
				t.Errorf("%s, %q: %d MACs, %d seals", name, otp, c.macs, c.seals)
			}
		}
	}
}
