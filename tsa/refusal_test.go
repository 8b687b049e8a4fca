package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// Each reason to refuse gives its failure bit, and a token never leaves.
func TestRefusals(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.TSU(t, "p256")
	now := time.Now()
	good := request(t, crypto.SHA256, []byte("x"), true)
	other, err := (&cms.TimestampRequest{Hash: crypto.SHA256, Imprint: digest(crypto.SHA256, nil), Policy: asn1.ObjectIdentifier{1, 2, 3}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		req    []byte
		change func(*tsa.Config, *ledger)
		want   cms.FailureInfo
		kind   tsa.Kind
	}{
		{"noise", []byte("GET / HTTP/1.1"), nil, cms.BadDataFormat, tsa.BadRequest},
		{"nothing", nil, nil, cms.BadDataFormat, tsa.BadRequest},
		{"SHA-1", request(t, crypto.SHA1, []byte("x"), true), nil, cms.BadAlg, tsa.UnacceptedHash},
		{"digest not configured", request(t, crypto.SHA384, []byte("x"), true), func(c *tsa.Config, _ *ledger) { c.Hashes = []crypto.Hash{crypto.SHA256} }, cms.BadAlg, tsa.UnacceptedHash},
		{"other policy", other, nil, cms.UnacceptedPolicy, tsa.UnacceptedPolicy},
		{"clock not proven", good, func(c *tsa.Config, _ *ledger) { c.Clock = &fixed{err: errors.New("not synchronised")} }, cms.TimeNotAvailable, tsa.TimeNotAvailable},
		{"clock before the last stamp", good, func(c *tsa.Config, _ *ledger) { c.Last = now.Add(time.Hour) }, cms.TimeNotAvailable, tsa.TimeNotAvailable},
		{"before the certificate", good, func(c *tsa.Config, _ *ledger) { c.Clock = &fixed{t: id.Certificate.NotBefore.Add(-time.Second)} }, cms.SystemFailure, tsa.NotValid},
		{"after the certificate", good, func(c *tsa.Config, _ *ledger) { c.Clock = &fixed{t: id.Certificate.NotAfter.Add(time.Second)} }, cms.SystemFailure, tsa.NotValid},
		{"serial numbers fail", good, func(_ *tsa.Config, l *ledger) { l.reserveErr = errors.New("disk full") }, cms.SystemFailure, tsa.Unavailable},
		{"serial numbers not positive", good, func(_ *tsa.Config, l *ledger) { l.next = -1 }, cms.SystemFailure, tsa.Unavailable},
		{"archive fails", good, func(_ *tsa.Config, l *ledger) { l.putErr = errors.New("disk full") }, cms.SystemFailure, tsa.Unavailable},
		{"key fails", good, func(c *tsa.Config, _ *ledger) { c.Signer = brokenKey{c.Signer, false} }, cms.SystemFailure, tsa.Unavailable},
		{"key signs wrongly", good, func(c *tsa.Config, _ *ledger) { c.Signer = brokenKey{c.Signer, true} }, cms.SystemFailure, tsa.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := &ledger{}
			cfg := config(id, l)
			var noted error
			cfg.OnRefusal = func(_ context.Context, account string, err error) { noted = err }
			if c.change != nil {
				c.change(&cfg, l)
			}
			token, refusal := ask(t, newUnit(t, cfg), c.req)
			if token != nil || refusal.FailureInfo != c.want || refusal.Text == "" {
				t.Fatalf("got token %v, refusal %+v, want %v", token, refusal, c.want)
			}
			if tsa.KindOf(noted) != c.kind || len(l.tokens) != 0 {
				t.Fatalf("noted %v (kind %s), archived %d", noted, tsa.KindOf(noted), len(l.tokens))
			}
			if strings.Contains(refusal.Text, "disk full") {
				t.Fatal("the requester is told of the inside")
			}
		})
	}
}

// brokenKey is a key device that fails or gives values that do not verify.
type brokenKey struct {
	crypto.Signer
	lies bool
}

func (k brokenKey) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if !k.lies {
		return nil, errors.New("device removed")
	}
	other := bytes.Clone(digest)
	other[0] ^= 1
	return k.Signer.Sign(r, other, o)
}

// A unit that could not keep its word is not set up.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.TSU(t, "p256")
	with := func(change func(*x509.Certificate)) func(*tsa.Config) {
		return func(c *tsa.Config) {
			template := &x509.Certificate{
				Subject: pkix.Name{CommonName: "TSU"}, KeyUsage: x509.KeyUsageDigitalSignature,
				ExtraExtensions: []pkix.Extension{cmstest.TimeStampingEKU(true)},
			}
			change(template)
			c.Certificate = pki.Identity(t, id.Key, template).Certificate
		}
	}
	for name, change := range map[string]func(*tsa.Config){
		"no name":             func(c *tsa.Config) { c.Name = "" },
		"no key":              func(c *tsa.Config) { c.Signer = nil },
		"no certificate":      func(c *tsa.Config) { c.Certificate = nil },
		"no clock":            func(c *tsa.Config) { c.Clock = nil },
		"no serial numbers":   func(c *tsa.Config) { c.Serials = nil },
		"no archive":          func(c *tsa.Config) { c.Archive = nil },
		"no policy":           func(c *tsa.Config) { c.Policy = nil },
		"accuracy too fine":   func(c *tsa.Config) { c.Accuracy = time.Microsecond },
		"accuracy too coarse": func(c *tsa.Config) { c.Accuracy = 2 * time.Second },
		"weak digest":         func(c *tsa.Config) { c.Hashes = []crypto.Hash{crypto.SHA1} },
		"lax clock":           func(c *tsa.Config) { c.Clock = tsa.System{Accuracy: time.Second} },
		"key of another":      func(c *tsa.Config) { c.Signer = cmstest.Key(t, "p256") },
		"chain of another":    func(c *tsa.Config) { c.Chain = []*x509.Certificate{pki.Root} },
		"PSS with ECDSA":      func(c *tsa.Config) { c.PSS = true },
		"signer certificate": func(c *tsa.Config) {
			c.Certificate = pki.Identity(t, id.Key, &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature}).Certificate
		},
		"usage not critical": with(func(x *x509.Certificate) { x.ExtraExtensions = []pkix.Extension{cmstest.TimeStampingEKU(false)} }),
		"two usages": with(func(x *x509.Certificate) {
			x.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x14, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1}}}
		}),
		"certificate authority": with(func(x *x509.Certificate) { x.IsCA, x.BasicConstraintsValid = true, true }),
		"wrong key usage":       with(func(x *x509.Certificate) { x.KeyUsage |= x509.KeyUsageKeyEncipherment }),
		"broken period": with(func(x *x509.Certificate) {
			x.ExtraExtensions = append(x.ExtraExtensions, pkix.Extension{Id: []int{2, 5, 29, 16}, Value: []byte{0x30, 2, 0x85, 0}})
		}),
	} {
		cfg := config(id, &ledger{})
		change(&cfg)
		if _, err := tsa.New(cfg); tsa.KindOf(err) != tsa.BadConfig {
			t.Errorf("%s: got %v, want kind %s", name, err, tsa.BadConfig)
		}
	}
}
