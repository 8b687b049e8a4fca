package certpath

import (
	"crypto/x509"
	"testing"
	"time"

	"sigillo/formats/ades"
)

// soon fails a fuzz test that takes longer than an input of its size may.
func soon(t *testing.T, start time.Time) {
	t.Helper()
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

// FuzzCRL reads lists as an attacker may put them into a file, and asks them.
func FuzzCRL(f *testing.F) {
	w := shared
	h := w.holder.Certificate
	f.Add(w.sub.list(crl{}))
	f.Add(w.sub.list(crl{revoked: []x509.RevocationListEntry{revokes(h, noon, 1), of(revokes(h, noon, 6), w.other.Certificate)}}))
	f.Fuzz(func(t *testing.T, der []byte) {
		defer soon(t, time.Now())
		s := &Sources{Search: w.search}
		if err := s.AddCRL(der); err != nil {
			return
		}
		for _, st := range s.Statuses(h, w.sub.Certificate) {
			if st.Signer == nil || len(st.SignerPath) == 0 || st.Algorithm.Hash == 0 {
				t.Errorf("a statement by nobody: %+v", st)
			}
		}
		l, err := readList(der)
		if err != nil {
			t.Fatal("read once, but not twice")
		}
		for i := range l.offsets {
			if l.issuers == nil {
				if _, ok := l.lookup(l.at(l.offsets[i]).serial, l.issuer); !ok {
					t.Error("an entry cannot be found")
				}
			}
		}
		s.Check(Path{h, w.sub.Certificate, w.root.Certificate}, noon)
	})
}

// FuzzOCSP does the same with answers.
func FuzzOCSP(f *testing.F) {
	w := shared
	h := w.holder.Certificate
	f.Add(w.sub.answer(w.sub, h))
	f.Add(responder(w.sub).answer(w.sub, h))
	f.Fuzz(func(t *testing.T, der []byte) {
		defer soon(t, time.Now())
		s := &Sources{Search: w.search}
		s.Add(ades.Evidence{OCSP: [][]byte{der}})
		for _, st := range s.Statuses(h, w.sub.Certificate) {
			if st.Signer == nil || len(st.SignerPath) == 0 || st.Kind != OCSP {
				t.Errorf("a statement by nobody: %+v", st)
			}
		}
		s.Check(Path{h, w.sub.Certificate, w.root.Certificate}, noon)
	})
}

// FuzzNameConstraints reads constraints and checks a name of each kind against
// them; excluding a subtree must refuse what permitting it allows.
func FuzzNameConstraints(f *testing.F) {
	for _, tag := range []int{dnsName, emailName, uriName} {
		f.Add(constraints([][]byte{choice(tag, "prova.it")}, [][]byte{choice(tag, "a.prova.it")}), "ada@prova.it", uint8(tag))
	}
	f.Add(constraints([][]byte{choice(dirName, rawName("C=IT"))}, nil), rawName("C=IT", "CN=Ada"), uint8(dirName))
	f.Add(constraints(nil, [][]byte{choice(ipName, "\x0a\x00\x00\x00\xff\x00\x00\x00")}), "\x0a\x01\x02\x03", uint8(ipName))
	f.Fuzz(func(t *testing.T, der []byte, name string, tag uint8) {
		defer soon(t, time.Now())
		nc, ok := readNameConstraints(der)
		if !ok {
			return
		}
		g := generalName{int(tag % 9), []byte(name)}
		new(nameChecker).allowed(g, nc)
		swapped := &nameConstraints{nc.excluded, nc.permitted}
		n := len(nc.permitted.byTag[g.tag])
		if n > 0 && len(nc.excluded.byTag[g.tag]) == 0 && new(nameChecker).allowed(g, nc) == "" && new(nameChecker).allowed(g, swapped) == "" {
			t.Errorf("%q is permitted and not excluded by the same subtrees", name)
		}
	})
}

// FuzzParseCertificate compares with crypto/x509 and walks what was read.
func FuzzParseCertificate(f *testing.F) {
	w := shared
	f.Add(w.holder.Raw)
	f.Add(w.named.Raw)
	f.Add(renumbered(w.root, issue(w.root, "Ada")))
	f.Fuzz(func(t *testing.T, der []byte) {
		defer soon(t, time.Now())
		c, err := ParseCertificate(der)
		if _, theirs := x509.ParseCertificate(der); theirs == nil && err != nil {
			t.Errorf("refused: %v", err)
		}
		if err != nil {
			return
		}
		if string(c.Raw) != string(der) {
			t.Error("another certificate than was given")
		}
		for p := range w.search.Paths(c) {
			p.Check(noon, Constraints{})
		}
		_, _ = SignedWith(c)
		points(c)
		Path{c, w.sub.Certificate, w.root.Certificate}.Check(noon, Constraints{})
		Path{w.holder.Certificate, c, w.root.Certificate}.Check(noon, Constraints{})
	})
}
