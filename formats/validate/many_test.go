package validate

import (
	"archive/zip"
	"bytes"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/pades"
)

// Many signatures over one large store of certificates: what the store holds is
// read once, not once for each of them.
func TestManySignaturesAndCertificates(t *testing.T) { // not parallel: allocations are counted
	w := pki()
	file := document(t, "PAdES")
	for range 24 {
		file = sign(t, "PAdES", file, w.holder, nil, time.Time{})
	}
	var e ades.Evidence
	for i := range 800 {
		e.Certificates = append(e.Certificates, issue(w.root, w.holder.key, fmt.Sprint("Nobody ", i), nil).cert)
	}
	raised := func(e ades.Evidence) []byte {
		var out bytes.Buffer
		if err := pades.AddEvidence(&out, bytes.NewReader(file), int64(len(file)), ades.Extension{Evidence: e}); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	few, many := raised(ades.Evidence{Certificates: e.Certificates[:1]}), raised(e)
	cost := func(file []byte) float64 {
		return testing.AllocsPerRun(1, func() { validate(t, file, w.options()) })
	}
	// Reading a certificate takes some 100 allocations.
	if a, b := cost(few), cost(many); b-a > 4*100*800 {
		t.Errorf("800 certificates cost %.0f allocations with 24 signatures: they are read for each", b-a)
	}
}

// Many lists and many answers of one responder: what the lists say about the
// responder is asked once, not once for each of its answers.
func TestManyListsAndAnswers(t *testing.T) { // not parallel: allocations are counted
	w := pki()
	holder := issue(w.sub, newKey(), "Ada Prova", nil)
	responder := issue(w.sub, newKey(), "Responder", func(c *x509.Certificate) {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	})
	file := sign(t, "CAdES", []byte("x"), holder, nil, time.Time{})
	cost := func(n int) float64 {
		o := w.options()
		for i := range n {
			this, next := publishedAt.Add(-time.Duration(i)*time.Second), publishedAt.Add(time.Hour)
			o.CRLs = append(o.CRLs, list(w.sub, this, next, nil))
			o.OCSP = append(o.OCSP, must(ocsp.CreateResponse(w.sub.cert, responder.cert, ocsp.Response{Status: ocsp.Good,
				SerialNumber: holder.cert.SerialNumber, ThisUpdate: this, NextUpdate: next, Certificate: responder.cert}, responder.key)))
		}
		return testing.AllocsPerRun(1, func() { validate(t, file, o) })
	}
	if a, b := cost(25), cost(100); b > 5*a {
		t.Errorf("25 lists and answers cost %.0f allocations, 100 %.0f", a, b)
	}
}

// What signatures share is looked at once: the lists of a large store, which every
// signature carries and every time-stamp over the document covers.
func TestSharedEvidenceIsSummedOnce(t *testing.T) { // not parallel: time is measured
	v := &validation{sums: sums{}}
	s := &subject{}
	for range 4 {
		s.evidence.CRLs = append(s.evidence.CRLs, make([]byte, 4<<20))
	}
	covers := [][]byte{make([]byte, 16<<20)}
	first, start := time.Duration(0), time.Now()
	for i := range 100 {
		stamps := []ades.Stamp{{Covers: covers}, {Covers: covers[:1:1]}}
		if inside := v.statementsIn(s); len(inside) != 1 || v.coversEvidence(stamps, inside) {
			t.Fatal("what is covered is none of the lists")
		}
		if i == 0 {
			first = time.Since(start)
		}
	}
	if all := time.Since(start); all > 10*first {
		t.Errorf("32 MB cost %v once, and %v for 100 signatures", first, all)
	}
	if !v.coversEvidence([]ades.Stamp{{Covers: covers}, {Covers: s.evidence.CRLs[1:2]}}, v.statementsIn(s)) {
		t.Error("one of the lists is covered")
	}
}

// A signature past the limit must not go unseen: here of five files with 64
// signatures each, most of them counter-signatures.
func TestTooManySignatures(t *testing.T) {
	t.Parallel()
	w := pki()
	sd := must(cms.ParseBytes(detached(t, []byte("x"), w.holder), cms.Limits{}))
	var signers, data cryptobyte.String
	in := cryptobyte.String(detached(t, []byte("x"), w.holder))
	ok := in.ReadASN1(&in, 0x30) && in.SkipASN1(6) && in.ReadASN1(&in, 0xa0) && in.ReadASN1(&data, 0x30)
	for ok && !data.Empty() {
		ok = data.ReadAnyASN1(&signers, new(cbasn1.Tag))
	}
	if !ok {
		t.Fatal("the message is not what it was")
	}
	for range 63 {
		sd = must(sd.Add(cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDCounterSignature, Value: signers}}}))
	}
	var message, out bytes.Buffer
	if err := sd.Write(&message); err != nil {
		t.Fatal(err)
	}
	zw := zip.NewWriter(&out)
	must(must(zw.Create("x.txt")).Write([]byte("x")))
	for i := range 5 {
		must(must(zw.Create(fmt.Sprintf("META-INF/signature%d.p7s", i))).Write(message.Bytes()))
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Validate(bytes.NewReader(out.Bytes()), int64(out.Len()), "x.asics", w.options())
	if KindOf(err) != Limit {
		t.Errorf("%d signatures were read: %v", len(r.Signatures), err)
	}
}
