package vault

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/hsm"
)

// BenchmarkSignHash is Sign as an application uses it, with a SAD for each activation,
// through the socket, by 1, 8 and 32 clients, one digest or a hundred at once. Beside
// it, in the same run and in turns, a moment each, by as many goroutines: what the
// token alone takes to derive, unwrap and sign; for the hundreds, bare signatures with
// a key that rests in the token. The SADs are minted before, with the vault's keys:
// what an authorisation costs is the password's stretching, and BenchmarkBatch has it.
func BenchmarkSignHash(b *testing.B) {
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.RSA3072} {
		b.Run(string(kt), func(b *testing.B) {
			g := newSignBench(b, kt)
			for _, n := range []int{1, 100} {
				for _, clients := range []int{1, 8, 32} {
					b.Run(fmt.Sprintf("n%d/c%d", n, clients), func(b *testing.B) { g.run(b, n, clients) })
				}
			}
		})
	}
}

// signBench is a vault with a credential, and the same token beside it.
type signBench struct {
	r      *rig
	h      *holder
	tok    *hsm.Token
	mint   *mint
	d      [32]byte
	scheme string
	bare   *hsm.Signer
}

func newSignBench(b *testing.B, kt hsm.KeyType) *signBench {
	r := newRig(b)
	h := r.enrol("h")
	c, _, err := r.c.CreateCredential(b.Context(), NewCredential{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp()},
		ID: "cred", Type: kt, MaxDigests: 100})
	if err != nil {
		b.Fatal(err)
	}
	h.cred = c
	pin, err := os.ReadFile(r.cfg.PINFile)
	if err != nil {
		b.Fatal(err)
	}
	g := &signBench{r: r, h: h, d: secret(&h.factors, &c, goodPassword), scheme: schemeECDSA}
	if rsa, _ := isRSA(kt); rsa {
		g.scheme = schemePKCS1
	}
	g.tok, err = hsm.Open(hsm.Config{Module: r.cfg.Module, Token: r.cfg.Token, PIN: []byte(strings.TrimSpace(string(pin)))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { g.tok.Close() })
	if g.bare, err = g.tok.GenerateSigner(context.Background(), "bare", kt); err != nil {
		b.Fatal(err)
	}
	keys := &server{cfg: r.cfg, tok: g.tok}
	mac, err1 := keys.deriveKey(b.Context(), "sad jws")
	seal, err2 := keys.deriveKey(b.Context(), "sad seal")
	if g.mint, err = newMint(r.cfg.Node, &mac, &seal); firstError(err1, err2, err) != nil {
		b.Fatal(firstError(err1, err2, err))
	}
	return g
}

// activation is one with a SAD of its own.
func (g *signBench) activation(b *testing.B, n int) Activation {
	c, now := &g.h.cred, g.r.clock.now()
	var id [16]byte
	rand.Read(id[:])
	ds := digests(n)
	d := g.d
	s, err := g.mint.issue(claims{Subject: c.Holder, Credential: c.ID, Epoch: c.Epoch, Key: thumbprint(c.PublicKey), Hash: "SHA-256",
		Digests: sorted(ds), Count: n, AMR: []string{"pwd", "otp"}, Client: "bench", Authorised: now.Unix(), ID: hex.EncodeToString(id[:])}, &d, now)
	if err != nil {
		b.Fatal(err)
	}
	return Activation{SAD: s.Token, Credential: *c, Hash: "SHA-256", Digests: ds, Scheme: g.scheme, Request: "r"}
}

func (g *signBench) run(b *testing.B, n, clients int) {
	digest := make32()
	var ours, unwrapped, bare turn
	ready := make(chan Activation, 4096)
	for b.Loop() {
		for len(ready) < cap(ready)/max(n/4, 1) {
			ready <- g.activation(b, n)
		}
		ours.take(b, clients, func() error {
			select {
			case a := <-ready:
				_, err := g.r.c.Sign(context.Background(), a)
				return err
			default:
				return errOut
			}
		})
		unwrapped.take(b, clients, func() error {
			d := g.d
			return g.tok.UseWrapped(context.Background(), keyMaster, d, g.h.cred.wrapped(), func(key crypto.Signer) error {
				for range n {
					if _, err := key.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
						return err
					}
				}
				return nil
			})
		})
		bare.take(b, clients, func() error {
			_, err := g.bare.SignContext(context.Background(), digest, crypto.SHA256)
			return err
		})
	}
	k := float64(n)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours.rate()*k, "signatures/s")
	b.ReportMetric(unwrapped.rate()*k, "unwrapped/s")
	b.ReportMetric(bare.rate(), "bare/s")
	b.ReportMetric(ours.rate()/unwrapped.rate(), "share-unwrapped")
	b.ReportMetric(ours.rate()*k/bare.rate(), "share-bare")
	b.ReportMetric(ours.each(), "cpu-us/activation")
	b.ReportMetric(unwrapped.each(), "cpu-us/unwrapped")
}

var errOut = fail(Failed, "the benchmark has no SADs left; mint more")

// BenchmarkSAD is what it costs to check a SAD: its MAC, its claims, and to open what
// it seals. Beside it, the bare HMAC over as many bytes.
func BenchmarkSAD(b *testing.B) {
	m := testMint(b, "node", 1)
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint("n", n), func(b *testing.B) {
			c := testClaims()
			c.Digests, c.Count = sorted(digests(n)), n
			s, err := m.issue(c, &[32]byte{1}, noon)
			if err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			for range 1000 {
				m.tag(s.Token)
			}
			floor := time.Since(began) / 1000
			for b.Loop() {
				c, err := m.read(s.Token)
				if err == nil {
					_, err = m.secret(c)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(floor.Nanoseconds()), "ns/hmac")
		})
	}
}

// BenchmarkFactors is the vault's check of a password and an OTP, with the stretching
// of the password as good as left out: the token's MACs, the secrets opened, and the
// commit that uses the OTP up. Beside it, that stretching with its real cost.
func BenchmarkFactors(b *testing.B) {
	r := newRig(b)
	h := r.enrol("h")
	v, done := r.direct()
	defer done()
	began := time.Now()
	auth.DefaultArgon2.Stretch([]byte(goodPassword), h.factors.Salt)
	floor := time.Since(began)
	n := 0
	for b.Loop() {
		n++
		a := Authentication{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp(), Client: "bench"}}
		if _, err := v.authenticate(b.Context(), fmt.Sprint("sign-in-", n), &a); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(floor.Nanoseconds()), "ns/stretching")
}
