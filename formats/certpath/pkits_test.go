package certpath

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pkitsTime is within the validity of what is valid in PKITS.
var pkitsTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestPKITS runs all of PKITS 4.1 to 4.16 but S/MIME, with all its certificates
// and lists at hand at once, so that finding the path and the right lists is
// part of the test.
func TestPKITS(t *testing.T) {
	t.Parallel()
	s, sources, ends := pkits(t)
	for line := range strings.Lines(pkitsTests) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		t.Run(f[0], func(t *testing.T) {
			t.Parallel()
			end := ends[f[1]]
			if end == nil && f[2] == "unreadable" {
				return
			}
			if end == nil {
				t.Fatalf("there is no %sEE.crt", f[1])
			}
			if got := pkitsResult(s, sources, end, pkitsSettings(t, f[3:])); got != f[2] {
				t.Errorf("%s: got %s, want %s", f[1], got, f[2])
			}
		})
	}
}

// pkitsResult is how a relying party uses the package.
func pkitsResult(s *Search, sources *Sources, end *x509.Certificate, c Constraints) string {
	best := "no-path"
	for path := range s.Paths(end) {
		faults := path.Check(pkitsTime, c)
		if len(faults) == 0 {
			faults = sources.Check(path, pkitsTime)
		}
		if len(faults) == 0 {
			return "ok"
		}
		if best == "no-path" {
			best = string(faults[0].Kind)
		}
	}
	return best
}

func pkitsSettings(t *testing.T, words []string) (c Constraints) {
	for _, w := range words {
		switch policies, ok := strings.CutPrefix(w, "p="); {
		case ok:
			for _, n := range strings.Split(policies, ",") {
				oid, err := x509.ParseOID("2.16.840.1.101.3.2.1.48." + n)
				if err != nil {
					t.Fatal(err)
				}
				c.Policies = append(c.Policies, oid)
			}
		case w == "explicit":
			c.RequireExplicitPolicy = true
		case w == "nomap":
			c.InhibitPolicyMapping = true
		case w == "noany":
			c.InhibitAnyPolicy = true
		default:
			t.Fatalf("unknown setting %q", w)
		}
	}
	return c
}

// pkits reads the suite, or skips the test.
func pkits(t testing.TB) (*Search, *Sources, map[string]*x509.Certificate) {
	folder := os.Getenv("SIGILLO_PKITS")
	if folder == "" {
		folder = filepath.Join("..", "..", ".interop", "pkits")
	}
	if _, err := os.Stat(folder); err != nil {
		t.Skip("PKITS is missing: run formats/certpath/testdata/fetch-pkits.sh or set SIGILLO_PKITS")
	}
	s := &Search{Verifier: &Verifier{Cache: NewCache(0), Budget: 1 << 30}}
	ends := map[string]*x509.Certificate{}
	eachFile(t, filepath.Join(folder, "certs", "*.crt"), func(name string, der []byte) {
		c, err := ParseCertificate(der)
		if strings.Contains(name, "DSAParameter") && KindOf(err) == Malformed {
			return // crypto/x509 does not read DSA keys without parameters, see 4.1.5
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch end, ok := strings.CutSuffix(name, "EE.crt"); {
		case name == "TrustAnchorRootCertificate.crt":
			s.Anchors = append(s.Anchors, c)
		case ok:
			ends[end] = c
		default:
			s.Intermediates = append(s.Intermediates, c)
		}
	})
	sources := &Sources{Search: s}
	eachFile(t, filepath.Join(folder, "crls", "*.crl"), func(name string, der []byte) {
		if err := sources.AddCRL(der); err != nil && name != "BadCRLSignatureCACRL.crl" { // not even of whole octets
			t.Errorf("%s: %v", name, err)
		}
	})
	return s, sources, ends
}

func eachFile(t testing.TB, pattern string, f func(name string, content []byte)) {
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) < 100 {
		t.Fatalf("%s: %d files, %v", pattern, len(names), err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f(filepath.Base(name), content)
	}
}
