package policy

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
)

func rsaKey(bits uint) *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}
}

func ecKey(c elliptic.Curve) *ecdsa.PublicKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return &k.PublicKey
}

func TestDefault(t *testing.T) {
	t.Parallel()
	p := Default()
	if p.Name == "" || p.Source == "" || p.Version == "" {
		t.Error("the built-in policy does not say what it is")
	}
	for _, c := range []struct {
		scheme cms.Scheme
		hash   crypto.Hash
		key    crypto.PublicKey
		until  string // "": no end, "-": never good
	}{
		{cms.PKCS1, crypto.SHA256, rsaKey(512), "-"},
		{cms.PKCS1, crypto.SHA256, rsaKey(1024), "2019-10-01"},
		{cms.PKCS1, crypto.SHA256, rsaKey(2048), "2029-01-01"},
		{cms.PKCS1, crypto.SHA1, rsaKey(2048), "2012-08-01"},
		{cms.PSS, crypto.SHA256, rsaKey(2048), "2029-01-01"},
		{cms.PSS, crypto.SHA512, rsaKey(3072), ""},
		{cms.ECDSA, crypto.SHA256, ecKey(elliptic.P224()), "2021-10-01"},
		{cms.ECDSA, crypto.SHA384, ecKey(elliptic.P256()), ""},
		{cms.ECDSA, crypto.MD5, ecKey(elliptic.P256()), "-"},
		{cms.Ed25519, crypto.SHA512, ed25519.PublicKey{}, ""},
		{"dsa", crypto.SHA256, rsaKey(2048), "-"},
	} {
		v := p.Algorithm(cms.Algorithm{Scheme: c.scheme, Hash: c.hash}, c.key, Signature)
		got := "-"
		if v.Known {
			if got = ""; !v.Until.IsZero() {
				got = v.Until.Format(time.DateOnly)
			}
		}
		if got != c.until {
			t.Errorf("%s %v %d bits: until %q, want %q", c.scheme, c.hash, Bits(c.key), got, c.until)
		}
	}
	until := p.Digest(crypto.SHA1, Revocation)
	if end := until.Until; !until.At(end.Add(-time.Second)) || until.At(end) {
		t.Error("the day of the end is not the first bad one")
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte("name='x'\n[[digest]]\nalgorithm='SHA-1'\nuses=['revocation']\n[[digest]]\nalgorithm='SHA-1'\nuntil=2010-01-01\n[revocation]\nmax-age='36h'\n[[signature-policy]]\noid='1.2.3'\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if !p.Digest(crypto.SHA1, Revocation).At(now) || p.Digest(crypto.SHA1, Signature).At(now) {
		t.Error("uses are not kept apart")
	}
	if time.Duration(p.Revocation.MaxAge) != 36*time.Hour || p.SignaturePolicy("1.2.3") == nil || p.SignaturePolicy("1.2.4") != nil {
		t.Errorf("got %+v", p)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"not TOML":                 "name = ",
		"no name":                  "version='1'",
		"misspelt field":           "name='x'\n[[digest]]\nalgorithm='SHA-1'\nuntill=2010-01-01",
		"unknown digest":           "name='x'\n[[digest]]\nalgorithm='SHA-0'",
		"unknown scheme":           "name='x'\n[[signature]]\nscheme='rot13'\nbits=13",
		"no bits":                  "name='x'\n[[signature]]\nscheme='pss'",
		"unknown use":              "name='x'\n[[digest]]\nalgorithm='SHA-1'\nuses=['fun']",
		"policy without algorithm": "name='x'\n[[signature-policy]]\noid='1.2'\ndigest='00'",
		"policy without name":      "name='x'\n[[signature-policy]]\nname='x'",
		"unknown signers":          "name='x'\n[revocation]\nexpired-signer='perhaps'",
		"negative age":             "name='x'\n[revocation]\nmax-age='-1h'",
		"unknown handling":         "name='x'\nunknown-signature-policy='perhaps'",
		"too long":                 "name='x'\n#" + strings.Repeat(" ", maxText),
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := Parse(Text()); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Text())
	f.Add([]byte("name='x'\n[[signature]]\nscheme='pss'\nbits=1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err == nil {
			p.Algorithm(cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA256}, rsaKey(2048), Timestamp)
		}
	})
}

func ExamplePolicy_Digest() {
	v := Default().Digest(crypto.SHA1, Signature)
	fmt.Println(v.Until.Format(time.DateOnly), v.At(time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)))
	// Output: 2012-08-01 true
}
