package certpath

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/ades"
	"sigillo/formats/certpath/policy"
	"sigillo/formats/cms"
)

// TestCheck breaks one rule after the other.
func TestCheck(t *testing.T) {
	t.Parallel()
	unknown := asn1.ObjectIdentifier{1, 2, 3, 4}
	limit := func(n int) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 }
	}
	for _, tc := range []struct {
		name            string
		root, sub, leaf []func(*x509.Certificate)
		at              time.Time
		c               Constraints
		want            []FaultKind
	}{
		{name: "right"},
		{name: "before", at: noon.Add(-200 * day), want: []FaultKind{NotYetValid, NotYetValid}},
		{name: "after", at: noon.Add(2000 * day), want: []FaultKind{Expired, Expired}},
		{name: "at no time", at: time.Time{}.Add(1)}, // replaced by zero below
		{name: "the anchor's dates do not count", root: shape(func(c *x509.Certificate) { c.NotAfter = noon.Add(-day) })},
		{name: "sub without basicConstraints", sub: shape(func(c *x509.Certificate) { c.BasicConstraintsValid = false }), want: []FaultKind{NotCA}},
		{name: "sub that is no authority", sub: shape(func(c *x509.Certificate) { c.IsCA = false }), want: []FaultKind{NotCA}},
		{name: "root that is no authority", root: shape(func(c *x509.Certificate) { c.IsCA = false }), want: []FaultKind{NotCA}},
		{name: "keyUsage", sub: shape(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), want: []FaultKind{KeyUsage}},
		{name: "no keyUsage", sub: shape(func(c *x509.Certificate) { c.KeyUsage = 0 })},
		{name: "path length enough", root: shape(limit(1)), sub: shape(limit(0))},
		{name: "path length of the anchor", root: shape(limit(0)), want: []FaultKind{PathLength}},
		{name: "unknown critical", leaf: shape(with(true, []byte{5, 0}, unknown...)), want: []FaultKind{Critical}},
		{name: "unknown", leaf: shape(with(false, []byte{5, 0}, unknown...))},
		{name: "critical and known to the caller", leaf: shape(with(true, []byte{5, 0}, unknown...)), c: Constraints{Extensions: []asn1.ObjectIdentifier{unknown}}},
		{name: "explicit policy", c: Constraints{RequireExplicitPolicy: true}, want: []FaultKind{NoPolicy}},
		{name: "broken policies", leaf: shape(with(false, []byte{0x30, 1, 0}, 2, 5, 29, 36)), want: []FaultKind{BadExtension}},
		{name: "initial names", c: Constraints{Names: []byte("\x30\x07\xa1\x05\x30\x03\x82\x01x")}},
		{name: "broken initial names", c: Constraints{Names: []byte{0x30, 0}}, want: []FaultKind{BadExtension}},
		{name: "excluded from above", root: shape(func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"it"} }),
			leaf: shape(func(c *x509.Certificate) { c.DNSNames = []string{"prova.it"} }), want: []FaultKind{NameConstraints}},
		{name: "not permitted by both", root: shape(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"it"} }),
			sub:  shape(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"eu"} }),
			leaf: shape(func(c *x509.Certificate) { c.DNSNames = []string{"prova.it"} }), want: []FaultKind{NameConstraints}},
		{name: "an authority is constrained too", root: shape(func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"it"} }),
			sub: shape(func(c *x509.Certificate) { c.DNSNames = []string{"prova.it"} }), want: []FaultKind{NameConstraints}},
	} {
		root := issue(nil, "Root", append(shape(ca), tc.root...)...)
		sub := issue(root, "Sub", append(shape(ca), tc.sub...)...)
		leaf := issue(sub, "Ada", tc.leaf...)
		if tc.at.IsZero() {
			tc.at = noon
		} else if tc.at.Year() == 1 {
			tc.at = time.Time{}
		}
		p := Path{leaf.Certificate, sub.Certificate, root.Certificate}
		if got := kinds(p.Check(tc.at, tc.c)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, p.Check(tc.at, tc.c), tc.want)
		}
	}
}

func shape(f ...func(*x509.Certificate)) []func(*x509.Certificate) { return f }

// Paths that no search would give are still judged.
func TestCheckOddPaths(t *testing.T) {
	t.Parallel()
	root, other := issue(nil, "Root", ca), issue(nil, "Other", ca)
	leaf := issue(root, "Ada")
	if got := kinds(Path{}.Check(noon, Constraints{})); !slices.Equal(got, []FaultKind{TooLong}) {
		t.Error(got)
	}
	if got := kinds(Path{leaf.Certificate, other.Certificate}.Check(noon, Constraints{})); !slices.Equal(got, []FaultKind{NameChaining}) {
		t.Error(got)
	}
	alone := Path{leaf.Certificate} // trusted directly: it must be valid itself
	if got := kinds(alone.Check(noon.Add(2000*day), Constraints{})); !slices.Equal(got, []FaultKind{Expired}) {
		t.Error(got)
	}
	if got := alone.Check(noon, Constraints{RequireExplicitPolicy: true}); got != nil {
		t.Error(got)
	}
}

// TestPolicyExtensions reads what crypto/x509 would refuse in part.
func TestPolicyExtensions(t *testing.T) {
	t.Parallel()
	const a, b = "\x30\x03\x06\x01\x2a", "\x30\x03\x06\x01\x2b"
	for der, ok := range map[string]bool{"\x30\x0a" + a + b: true, "\x30\x0a" + a + a: false, "\x30\x00": false, "\x30\x05" + a + "\x00": false} {
		if got := readPolicies([]byte(der), &policy.Certificate{}); got != ok {
			t.Errorf("policies %x: %v", der, got)
		}
	}
	const pair = "\x30\x06\x06\x01\x2a\x06\x01\x2b"
	for der, ok := range map[string]bool{"\x30\x08" + pair: true, "\x30\x00": false, "\x30\x05" + a: false} {
		if got := readMappings([]byte(der), &policy.Certificate{}); got != ok {
			t.Errorf("mappings %x: %v", der, got)
		}
	}
}

// TestAlgorithms goes through keys and digests: what is verified, and what is
// called weak.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	keys := map[string]crypto.Signer{"rsa2048": must(rsa.GenerateKey(rand.Reader, 2048)), "rsa1024": weakRSA(), "ecdsa": newKey(), "ed25519": edwards}
	for _, tc := range []struct {
		key  string
		alg  x509.SignatureAlgorithm
		want cms.Algorithm
		weak bool
	}{
		{"rsa2048", x509.SHA256WithRSA, cms.Algorithm{Scheme: cms.PKCS1, Hash: crypto.SHA256}, false},
		{"rsa2048", x509.SHA512WithRSA, cms.Algorithm{Scheme: cms.PKCS1, Hash: crypto.SHA512}, false},
		{"rsa2048", x509.SHA384WithRSAPSS, cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA384, SaltLength: 48}, false},
		{"rsa2048", x509.SHA1WithRSA, cms.Algorithm{Scheme: cms.PKCS1, Hash: crypto.SHA1}, true},
		{"rsa1024", x509.SHA256WithRSA, cms.Algorithm{Scheme: cms.PKCS1, Hash: crypto.SHA256}, true},
		{"ecdsa", x509.ECDSAWithSHA256, cms.Algorithm{Scheme: cms.ECDSA, Hash: crypto.SHA256}, false},
		{"ecdsa", x509.ECDSAWithSHA1, cms.Algorithm{Scheme: cms.ECDSA, Hash: crypto.SHA1}, true},
		{"ed25519", x509.PureEd25519, cms.Algorithm{Scheme: cms.Ed25519, Hash: crypto.SHA512}, false},
	} {
		root := issueFor(nil, keys[tc.key], "Root", ca)
		leaf := issue(root, "Ada", func(c *x509.Certificate) { c.SignatureAlgorithm = tc.alg })
		if a, err := SignedWith(leaf.Certificate); err != nil || a != tc.want {
			t.Errorf("%v: %v, %v", tc.alg, a, err)
		}
		paths := collect(&Search{Anchors: certificates(root)}, leaf)
		if len(paths) != 1 {
			t.Errorf("%v is not verified", tc.alg)
			continue
		}
		faults := paths[0].Check(noon, Constraints{})
		if (len(faults) == 1 && faults[0].Kind == Weak) != tc.weak || len(faults) > 1 {
			t.Errorf("%v with %s: %v", tc.alg, tc.key, faults)
		}
		l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon.Add(day), SignatureAlgorithm: tc.alg}
		src := &Sources{Search: &Search{Anchors: certificates(root)}}
		src.Add(ades.Evidence{CRLs: [][]byte{must(x509.CreateRevocationList(rand.Reader, l, root.Certificate, root.key))}})
		if got := src.Statuses(leaf.Certificate, root.Certificate); len(got) != 1 || got[0].Algorithm != tc.want {
			t.Errorf("%v: the list says %+v", tc.alg, got)
		}
		other := issueFor(nil, newKey(), "Root", ca)
		for name, k := range keys { // the right name with each other kind of key
			wrong := issueFor(nil, k, "Root", ca)
			if name != tc.key && len(collect(&Search{Anchors: certificates(wrong, other)}, leaf)) > 0 {
				t.Errorf("%v is verified with %T", tc.alg, k)
			}
		}
	}
}

// weakRSA makes a key that crypto/rsa does not make any more.
func weakRSA() *rsa.PrivateKey {
	for {
		p, q := must(rand.Prime(rand.Reader, 512)), must(rand.Prime(rand.Reader, 512))
		k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, Primes: []*big.Int{p, q}}
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if k.D = new(big.Int).ModInverse(big.NewInt(65537), phi); k.D != nil && k.N.BitLen() == 1024 {
			k.Precompute()
			return k
		}
	}
}

// TestPSSParameters reads parameters that crypto/x509 does not know.
func TestPSSParameters(t *testing.T) {
	t.Parallel()
	sha256ID := "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"
	hash := "\xa0\x0d" + sha256ID
	mgf := "\xa1\x1a\x30\x18\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" + sha256ID
	for _, tc := range []struct {
		params string
		want   cms.Algorithm
		kind   Kind
	}{
		{"", cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA1, SaltLength: 20}, ""},
		{hash + mgf, cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA256, SaltLength: 20}, ""},
		{hash + mgf + "\xa2\x03\x02\x01\x30", cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA256, SaltLength: 48}, ""},
		{hash + mgf + "\xa3\x03\x02\x01\x01", cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA256, SaltLength: 20}, ""},
		{hash + mgf + "\xa3\x03\x02\x01\x02", cms.Algorithm{}, Malformed},
		{hash, cms.Algorithm{}, Unsupported}, // mask with SHA-1
		{hash + mgf + "\xa2\x04\x02\x02\x7f\xff", cms.Algorithm{}, Unsupported},
		{hash + mgf + "\xa2\x03\x02\x01\xff", cms.Algorithm{}, Unsupported},
	} {
		params := string([]byte{0x30, byte(len(tc.params))}) + tc.params
		body := "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" + params
		got, err := readAlgorithm([]byte(string([]byte{0x30, byte(len(body))}) + body))
		if KindOf(err) != tc.kind || err == nil && got != tc.want {
			t.Errorf("%x: %v, %v", tc.params, got, err)
		}
	}
}

// TestParseOdd reads what crypto/x509 refuses.
func TestParseOdd(t *testing.T) {
	t.Parallel()
	root := issue(nil, "Root", ca)
	negative := renumbered(root, issue(root, "Ada"))
	relative := issue(root, "Ada", with(false, []byte("\x30\x16\x30\x14\xa0\x12\xa1\x10\x30\x0e\x06\x03\x55\x04\x03\x13\x07List no"), 2, 5, 29, 31))
	for name, der := range map[string][]byte{"negative serial number": negative, "relative distribution point": relative.Raw} {
		if _, err := x509.ParseCertificate(der); err == nil {
			t.Errorf("%s: crypto/x509 reads it, so ParseCertificate need not", name)
		}
		c, err := ParseCertificate(der)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(c.Raw) != string(der) || len(collect(&Search{Anchors: certificates(root)}, &party{c, nil})) != 1 {
			t.Errorf("%s: not the certificate that was given", name)
		}
		if name[0] == 'n' && c.SerialNumber.Sign() >= 0 {
			t.Errorf("serial number %v", c.SerialNumber)
		}
		if name[0] == 'r' && len(points(c)) != 1 {
			t.Errorf("points %v", points(c))
		}
	}
	for _, der := range []string{"", "\x30\x00", "\x30\x80\x00\x00"} {
		if _, err := ParseCertificate([]byte(der)); KindOf(err) != Malformed {
			t.Errorf("%x: %v", der, err)
		}
	}
}

// renumbered makes the serial number of a good certificate negative and signs it
// again.
func renumbered(issuer, p *party) []byte {
	der := slices.Clone(p.Raw)
	_, serial, _ := toSerial(der)
	serial[0] |= 0x80
	in, body, tbs := cryptobyte.String(der), cryptobyte.String(nil), cryptobyte.String(nil)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		panic("no certificate")
	}
	sig := must(issuer.key.Sign(rand.Reader, sha(tbs), crypto.SHA256))
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes([]byte("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"))
		b.AddASN1BitString(sig)
	})
	return b.BytesOrPanic()
}
