package xades

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"

	"sigillo/formats/cms"
)

// An RSA key of a size that would keep the reader busy is not tried.
func TestHugeRSAKeyIsRefused(t *testing.T) {
	t.Parallel()
	odd := func(bits uint) *big.Int { n := new(big.Int).Lsh(big.NewInt(1), bits-1); return n.SetBit(n, 0, 1) }
	for _, c := range []struct {
		name string
		key  *rsa.PublicKey
		kind Kind
	}{
		{"largest", &rsa.PublicKey{N: odd(16384), E: 65537}, ""},
		{"modulus", &rsa.PublicKey{N: odd(16385), E: 65537}, Unsupported},
		{"exponent", &rsa.PublicKey{N: odd(2048), E: 1<<31 + 1}, Unsupported},
	} {
		for _, scheme := range []cms.Scheme{cms.PKCS1, cms.PSS} {
			a := cms.Algorithm{Scheme: scheme, Hash: crypto.SHA256, SaltLength: 32}
			ok, err := check(a, c.key, make([]byte, 32), make([]byte, c.key.Size()))
			if ok || KindOf(err) != c.kind {
				t.Errorf("%s: got %v, %v", c.name, ok, err)
			}
		}
	}
}

// RSA-PSS with its parameters written out is read too, with the defaults where
// they are left out, and nothing but MGF1 over the same digest.
func TestPSSParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "rsa2048-pss")
	digest := `<ds:DigestMethod Algorithm="` + digestURIs[crypto.SHA256] + `"/>`
	other := `<ds:DigestMethod Algorithm="` + digestURIs[crypto.SHA512] + `"/>`
	mask := func(inner string) string {
		return `<p:MaskGenerationFunction Algorithm="` + mgf1 + `">` + inner + `</p:MaskGenerationFunction>`
	}
	salt, trailer := "<p:SaltLength>32</p:SaltLength>", "<p:TrailerField>1</p:TrailerField>"
	for _, c := range []struct {
		params string
		kind   Kind
	}{
		{digest + mask(digest) + salt + trailer, ""},
		{"", ""},
		{digest + mask(other) + salt + trailer, Unsupported},
		{other + mask(other) + salt + trailer, SignatureFailure},
		{digest + mask(digest) + "<p:SaltLength>20</p:SaltLength>", SignatureFailure},
		{digest + mask(digest) + "<p:SaltLength>-1</p:SaltLength>", Malformed},
		{digest + strings.Replace(mask(digest), "MGF1\"", "MGF2\"", 1), Unsupported},
		{digest + mask(digest) + salt + "<p:TrailerField>2</p:TrailerField>", Unsupported},
		{"<p:Other/>", Malformed},
	} {
		o := w.options(by)
		p, err := Prepare(strings.NewReader("<a/>"), 4, o)
		if err != nil {
			t.Fatal(err)
		}
		p.SignedInfo = swap(t, p.SignedInfo, methodXML(p.Algorithm()), `<ds:SignatureMethod Algorithm="`+pssMethod+`"><p:RSAPSSParams xmlns:p="`+pssNamespace+`">`+c.params+`</p:RSAPSSParams></ds:SignatureMethod>`)
		if err := only(t, finish(t, p, by, []byte("<a/>"))).Verify(); KindOf(err) != c.kind {
			t.Errorf("%s: got %v, want %q", c.params, err, c.kind)
		}
	}
}

// The two numbers of an ECDSA value may lack leading zeros, both as many.
func TestShortECDSA(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, data := cms.Algorithm{Scheme: cms.ECDSA, Hash: crypto.SHA512}, []byte("data")
	for {
		der, err := key.Sign(rand.Reader, digestOf(a.Hash, data), a.Hash)
		if err != nil {
			t.Fatal(err)
		}
		value, err := cms.RawECDSA(der, &key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if value[0] != 0 || value[66] != 0 {
			continue
		}
		short := append(bytes.Clone(value[1:66]), value[67:]...)
		for _, c := range []struct {
			value []byte
			good  bool
		}{{value, true}, {short, true}, {short[1:], false}, {nil, false}, {append([]byte{0, 0}, value...), false}} {
			if ok, err := check(a, &key.PublicKey, data, c.value); err != nil || ok != c.good {
				t.Errorf("%x: %v, %v", c.value, ok, err)
			}
		}
		return
	}
}
