package certpath

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgainstOpenSSL makes random chains with policies, mappings, constraints on
// them, path lengths and name constraints, and compares the verdict with
// `openssl verify`.
func TestAgainstOpenSSL(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is missing: apt-get install openssl")
	}
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(3, 2026))
	good := 0
	const runs = 100
	for n := range runs {
		path, c, args := randomPath(r)
		paths := []string{filepath.Join(dir, fmt.Sprint(n, "root.pem")), filepath.Join(dir, fmt.Sprint(n, "subs.pem")), filepath.Join(dir, fmt.Sprint(n, "end.pem"))}
		for i, certs := range [][]*x509.Certificate{path[len(path)-1:], path[1 : len(path)-1], path[:1]} {
			if err := os.WriteFile(paths[i], pemOf(certs), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args = append([]string{"verify", "-attime", fmt.Sprint(noon.Unix()), "-auth_level", "0"}, args...)
		if args = append(args, "-CAfile", paths[0], "-no-CApath", "-no-CAstore"); len(path) > 2 {
			args = append(args, "-untrusted", paths[1])
		}
		args = append(args, paths[2])
		out, err := exec.Command(tool, args...).CombinedOutput()
		theirs := err == nil && strings.HasSuffix(strings.TrimSpace(string(out)), ": OK")
		faults := path.Check(noon, c)
		if ours := len(faults) == 0; ours != theirs {
			t.Errorf("ours %v %v, theirs %s\nopenssl %s\n%s", ours, faults, out, strings.Join(args, " "), pemOf(path))
		} else if ours {
			good++
		}
	}
	if good < runs/10 || good > runs*9/10 {
		t.Errorf("%d of %d chains are valid: they say little", good, runs)
	}
}

func pemOf(certs []*x509.Certificate) (out []byte) {
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// randomPath makes a chain of two to five certificates and the settings to check
// it with, for us and as openssl's options.
func randomPath(r *rand.Rand) (Path, Constraints, []string) {
	p := issue(nil, "Root", ca)
	path := Path{p.Certificate}
	n := 1 + r.IntN(4)
	for i := range n {
		shapes := []func(*x509.Certificate){randomPolicies(r)}
		name := fmt.Sprint("Sub ", i)
		if i < n-1 {
			shapes = append(shapes, ca, randomAuthority(r))
			if i > 0 && r.IntN(3) == 0 {
				name = path[0].Subject.CommonName // self-issued; without the identifier openssl takes it for self-signed
				shapes = append(shapes, func(c *x509.Certificate) { c.AuthorityKeyId = path[0].SubjectKeyId })
			}
		} else {
			shapes = append(shapes, randomNames(r))
			name = "Ada"
		}
		p = issue(p, name, shapes...)
		path = append(Path{p.Certificate}, path...)
	}
	var c Constraints
	var args []string
	for _, o := range []struct {
		set  *bool
		args []string
	}{{&c.RequireExplicitPolicy, []string{"-explicit_policy"}}, {&c.InhibitPolicyMapping, []string{"-inhibit_map"}}, {&c.InhibitAnyPolicy, []string{"-inhibit_any"}}} {
		if *o.set = r.IntN(3) == 0; *o.set {
			args = append(args, o.args...)
		}
	}
	args = append(args, "-policy_check")
	if r.IntN(2) == 0 {
		oid := testPolicy(1 + r.IntN(2))
		c.Policies = []x509.OID{oid}
		args = append(args, "-policy", oid.String())
	} else {
		args = append(args, "-policy", "2.5.29.32.0") // none given means none to openssl
	}
	return path, c, args
}

func testPolicy(n int) x509.OID {
	return must(x509.OIDFromInts([]uint64{1, 3, 6, 1, 4, 1, 99999, uint64(n)}))
}

func randomPolicies(r *rand.Rand) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		if r.IntN(8) == 0 {
			return
		}
		for n := 1; n <= 3; n++ {
			if r.IntN(3) > 0 {
				c.Policies = append(c.Policies, testPolicy(n))
			}
		}
		if r.IntN(4) == 0 {
			c.Policies = append(c.Policies, must(x509.ParseOID("2.5.29.32.0")))
		}
	}
}

func randomAuthority(r *rand.Rand) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		if r.IntN(4) == 0 {
			c.MaxPathLen = r.IntN(3)
			c.MaxPathLenZero = c.MaxPathLen == 0
		}
		if r.IntN(4) == 0 {
			type pair struct{ Issuer, Subject asn1.RawValue }
			raw := func(n int) asn1.RawValue {
				return asn1.RawValue{Tag: 6, Bytes: must(testPolicy(n).MarshalBinary())}
			}
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 33}, Critical: true,
				Value: must(asn1.Marshal([]pair{{raw(1 + r.IntN(3)), raw(1 + r.IntN(3))}}))})
		}
		if r.IntN(4) == 0 {
			tag := byte(0x80 + r.IntN(2))
			with(true, []byte{0x30, 3, tag, 1, byte(r.IntN(3))}, 2, 5, 29, 36)(c)
		}
		if r.IntN(5) == 0 {
			with(true, []byte{2, 1, byte(r.IntN(2))}, 2, 5, 29, 54)(c)
		}
		switch r.IntN(8) {
		case 0:
			c.PermittedDNSDomains = []string{"prova.it"}
		case 1:
			c.ExcludedDNSDomains = []string{"a.prova.it"}
		case 2:
			c.PermittedEmailAddresses = []string{"prova.it", "ada@altra.it"}
		case 3:
			c.ExcludedURIDomains = []string{".prova.it"}
		case 4:
			c.PermittedIPRanges = []*net.IPNet{{IP: net.IPv4(10, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}}
		case 5:
			tree := string(choice(dirName, rawName("C=IT", "O=Prova")))
			if r.IntN(2) == 0 {
				tree = string(choice(dirName, rawName("C=IT", "O=Altra")))
			}
			with(true, constraints([][]byte{[]byte(tree)}, nil), 2, 5, 29, 30)(c)
		}
	}
}

func randomNames(r *rand.Rand) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		if r.IntN(2) == 0 {
			c.DNSNames = []string{[]string{"prova.it", "a.prova.it", "b.a.prova.it", "altra.it"}[r.IntN(4)]}
		}
		if r.IntN(3) == 0 {
			c.EmailAddresses = []string{[]string{"ada@prova.it", "ada@altra.it", "bob@altra.it"}[r.IntN(3)]}
		}
		if r.IntN(3) == 0 {
			c.IPAddresses = []net.IP{net.IPv4(byte(10+r.IntN(2)), 1, 2, 3)}
		}
	}
}
