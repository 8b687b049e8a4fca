package validate

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
)

// archive is a Fetcher that knows some authorities.
type archive struct {
	w     *world
	this  time.Time
	asked []string
	fail  bool
}

func (a *archive) Issuers(_ context.Context, c *x509.Certificate) ([]*x509.Certificate, error) {
	a.asked = append(a.asked, "issuer of "+c.Subject.CommonName)
	for _, p := range []*party{a.w.sub, a.w.tsaCA} {
		if bytes.Equal(p.cert.RawSubject, c.RawIssuer) && !a.fail {
			return []*x509.Certificate{a.w.stranger.cert, p.cert}, nil
		}
	}
	return nil, errors.New("nothing answers")
}

func (a *archive) CRLs(_ context.Context, c *x509.Certificate) ([][]byte, error) {
	a.asked = append(a.asked, "list about "+c.Subject.CommonName)
	for _, p := range []*party{a.w.root, a.w.sub, a.w.tsaCA} {
		if bytes.Equal(p.cert.RawSubject, c.RawIssuer) && !a.fail {
			return [][]byte{{1, 2, 3}, list(p, a.this, a.this.Add(day), nil)}, nil
		}
	}
	return nil, errors.New("nothing answers")
}

func (a *archive) OCSP(context.Context, *x509.Certificate, *x509.Certificate) ([][]byte, error) {
	return nil, errors.New("nothing answers")
}

// bare signs without the issuers in the file.
func bare(t testing.TB, w *world) []byte {
	doc := []byte("content")
	p, err := cades.Prepare(bytes.NewReader(doc), int64(len(doc)), cades.Options{Certificate: w.holder.cert, Hash: crypto.SHA256, SigningTime: signedAt, Timestamp: tokenSize})
	if err != nil {
		t.Fatal(err)
	}
	value := must(w.holder.key.Sign(nil, p.DTBSR(), crypto.SHA256))
	tsu := *w.tsu
	tsu.chain = nil
	var out bytes.Buffer
	if err := p.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), value, token(t, &tsu, must(p.StampDigest(value, crypto.SHA256)), stampedAt)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFetch(t *testing.T) {
	t.Parallel()
	w := pki()
	file := bare(t, w)
	a := &archive{w: w, this: publishedAt}
	o := Options{Anchors: []*x509.Certificate{w.root.cert}, Time: validatedAt, Fetch: a}
	s := expect(t, validate(t, file, o), TotalPassed, "")
	if s.Level != "B-T" {
		t.Errorf("level %s: what was fetched is not in the file", s.Level)
	}
	if slices.Contains(a.asked, "list about Stranger Root") || len(a.asked) > 8 {
		t.Errorf("asked %q", a.asked)
	}
	o.Fetch = &archive{w: w, fail: true}
	expect(t, validate(t, file, o), Indeterminate, NoCertificateChain)
	o.Fetch = nil
	expect(t, validate(t, file, o), Indeterminate, NoCertificateChain)
}

func TestCollect(t *testing.T) {
	t.Parallel()
	w := pki()
	file := bare(t, w)
	world := Options{Anchors: []*x509.Certificate{w.root.cert}}
	collect := func(f Fetcher) Need {
		t.Helper()
		o := world
		o.Fetch = f
		needs, err := must(New(o)).Collect(context.Background(), Document{Data: bytes.NewReader(file), Size: int64(len(file)), Time: validatedAt})
		if err != nil || len(needs) != 1 {
			t.Fatal(needs, err)
		}
		return needs[0]
	}
	n := collect(&archive{w: w, this: publishedAt})
	if len(n.Missing)+len(n.Older) > 0 || len(n.Evidence.CRLs) != 3 || len(n.Evidence.Certificates) != 5 {
		t.Fatalf("got %d certificates, %d lists, missing %v, older %v", len(n.Evidence.Certificates), len(n.Evidence.CRLs), n.Missing, n.Older)
	}
	var out bytes.Buffer
	if err := cades.AddEvidence(&out, bytes.NewReader(file), int64(len(file)), ades.Extension{Evidence: n.Evidence}); err != nil {
		t.Fatal(err)
	}
	o := world
	o.Time = validatedAt
	if s := expect(t, validate(t, out.Bytes(), o), TotalPassed, ""); s.Level != "B-LT" {
		t.Errorf("level %s", s.Level)
	}
	if n := collect(&archive{w: w, this: signedAt}); len(n.Older) != 4 || len(n.Missing) > 0 {
		t.Errorf("lists from before the time-stamp: missing %v, older %v", n.Missing, n.Older)
	}
	if n := collect(&archive{w: w, this: year(-1)}); len(n.Missing) != 4 {
		t.Errorf("old lists: missing %v", n.Missing)
	}
	if n := collect(nil); len(n.Missing) != 2 || n.Missing[0].Code != "no-chain" {
		t.Errorf("nothing to be had: missing %v", n.Missing)
	}
}
