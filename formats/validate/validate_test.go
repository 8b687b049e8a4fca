package validate

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"path"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/validate/policy"
)

func TestGoodSignatures(t *testing.T) {
	t.Parallel()
	w := pki()
	for form := range forms {
		for _, by := range []*party{w.holder, w.rsaHolder} {
			t.Run(form+"/"+by.cert.Subject.CommonName, func(t *testing.T) {
				t.Parallel()
				doc := document(t, form)
				plain := expect(t, validate(t, sign(t, form, doc, by, nil, time.Time{}), w.options()), TotalPassed, "")
				if plain.Form != path.Base(form) || plain.Level != "B-B" || !plain.SigningTime.Equal(signedAt) || !plain.BestSignatureTime.IsZero() || plain.Signer != by.cert.Subject.CommonName || plain.Issuer != "Issuing CA" {
					t.Errorf("got %s %s %v", plain.Form, plain.Level, plain.SigningTime)
				}
				s := expect(t, validate(t, sign(t, form, doc, by, w.tsu, stampedAt), w.options()), TotalPassed, "")
				if s.Level != "B-T" || !s.BestSignatureTime.Equal(stampedAt) {
					t.Errorf("got %s %s %v", s.Form, s.Level, s.BestSignatureTime)
				}
			})
		}
	}
}

func TestOneChangedByte(t *testing.T) {
	t.Parallel()
	w := pki()
	for form := range forms {
		doc := document(t, form)
		file := sign(t, form, doc, w.holder, w.tsu, stampedAt)
		places := map[string]int{
			"CAdES": bytes.Index(file, doc) + len(doc)/2,
			"PAdES": bytes.Index(file, []byte("%PDF-")) + len("%PDF-1."), // the version: still a PDF
			"XAdES": bytes.Index(file, []byte("00042")),
			"JAdES": bytes.Index(file, []byte(`"payload":"`)) + 100,
		}
		if places[form] == 0 {
			continue // packed: see package asic
		}
		changed := bytes.Clone(file)
		changed[places[form]] ^= 1
		sub := HashFailure
		if form == "JAdES" {
			sub = SigCryptoFailure // a JWS signs the document itself, not its digest
		}
		expect(t, validate(t, changed, w.options()), TotalFailed, sub)
	}
}

func TestChangedSignatureValue(t *testing.T) {
	t.Parallel()
	w := pki()
	for _, form := range []string{"CAdES", "XAdES"} {
		doc := document(t, form)
		p, err := forms[form](doc, w.holder, 0)
		if err != nil {
			t.Fatal(err)
		}
		value := must(w.holder.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256))
		var out bytes.Buffer
		if err := p.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), value, nil); err != nil {
			t.Fatal(err)
		}
		file := out.Bytes()
		switch form {
		case "CAdES":
			i := bytes.Index(file, value)
			file[i+len(value)-1] ^= 1
		case "XAdES":
			i := bytes.Index(file, []byte("-value\">")) + len("-value\">")
			file[i+20] = map[bool]byte{true: 'B', false: 'A'}[file[i+20] == 'A']
		}
		expect(t, validate(t, file, w.options()), TotalFailed, SigCryptoFailure)
	}
}

// certificateCase signs with a certificate and validates with changed options.
type certificateCase struct {
	name   string
	by     *party
	stamp  bool
	change func(*Options)
	want   Indication
	sub    SubIndication
}

const day = 24 * time.Hour

func year(n int) time.Time { return signedAt.AddDate(n, 0, 0) }

func TestPaths(t *testing.T) {
	t.Parallel()
	w := pki()
	holder := func(shape func(*x509.Certificate)) *party { return issue(w.sub, newKey(), "Ada Prova", shape) }
	under := func(shape func(*x509.Certificate)) *party {
		sub := issue(w.root, newKey(), "Issuing CA 2", func(t *x509.Certificate) { ca(t); shape(t) })
		return issue(sub, newKey(), "Ada Prova", nil)
	}
	deep := issue(issue(issue(w.root, newKey(), "One", func(t *x509.Certificate) { ca(t); t.MaxPathLenZero = true }), newKey(), "Two", ca), newKey(), "Ada", nil)
	short := holder(func(c *x509.Certificate) { c.NotAfter = stampedAt.Add(time.Minute) })
	noCA := issue(issue(w.root, newKey(), "Not a CA", nil), newKey(), "Ada", nil)
	unknown := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}

	judged(t, []certificateCase{
		{"wrong root", w.holder, false, func(o *Options) { o.Anchors = []*x509.Certificate{w.stranger.cert} }, Indeterminate, NoCertificateChain},
		{"no root", w.holder, false, func(o *Options) { o.Anchors = nil }, Indeterminate, NoCertificateChain},
		{"expired", short, false, nil, Indeterminate, OutOfBoundsNoPOE},
		{"expired after the time-stamp", short, true, func(o *Options) {
			o.CRLs[2] = list(w.sub, stampedAt.Add(30*time.Second), publishedAt.Add(day), nil)
		}, TotalPassed, ""},
		{"expired, lists are later", short, true, nil, Indeterminate, TryLater},
		{"expired, lists keep the expired", short, true, func(o *Options) {
			o.CRLs[2] = list(w.sub, publishedAt, publishedAt.Add(day), func(l *x509.RevocationList) {
				since := must(asn1.MarshalWithParams(year(-5), "generalized"))
				l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 60}, Value: since}}
			})
		}, TotalPassed, ""},
		{"not yet valid", holder(func(c *x509.Certificate) { c.NotBefore = year(1) }), false, nil, TotalFailed, NotYetValid},
		{"stamped before the certificate", holder(func(c *x509.Certificate) { c.NotBefore = stampedAt.Add(time.Minute) }), true, nil, TotalFailed, NotYetValid},
		{"key usage of a CA", holder(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }), false, nil, Indeterminate, ChainConstraintsFailure},
		{"no key usage", holder(func(c *x509.Certificate) { c.KeyUsage = 0 }), false, nil, TotalPassed, ""},
		{"unknown critical extension", holder(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{unknown} }), false, nil, Indeterminate, ChainGeneralFailure},
		{"issuer is no CA", noCA, false, nil, Indeterminate, ChainGeneralFailure},
		{"issuer may not issue", under(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), false, nil, Indeterminate, ChainGeneralFailure},
		{"path too long", deep, false, nil, Indeterminate, ChainGeneralFailure},
		{"name constraints", under(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true, Value: excludeItaly()}}
		}), false, nil, Indeterminate, ChainGeneralFailure},
		{"RSA key short since before", w.rsaHolder, true, rules("scheme = \"pkcs1\"\nbits = 1900\nuntil = 2029-01-01", "scheme = \"pkcs1\"\nbits = 1900\nuntil = 2026-11-01"), Indeterminate, CryptoConstraintsFailureNoPOE},
		{"RSA never good", w.rsaHolder, true, rules("\"pkcs1\"", "\"pss\""), Indeterminate, CryptoConstraintsFailure},
	})
}

// rules changes the built-in policy.
func rules(from, to string) func(*Options) {
	return func(o *Options) {
		o.Policy = must(policy.Parse([]byte(strings.ReplaceAll(string(policy.Text()), from, to))))
	}
}

// excludeItaly is a NameConstraints that excludes all directory names with
// country IT.
func excludeItaly() []byte {
	name := must(asn1.Marshal(pkix.Name{Country: []string{"IT"}}.ToRDNSequence()))
	base := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: name}
	subtree := must(asn1.Marshal(struct{ Base asn1.RawValue }{base}))
	return must(asn1.Marshal(struct{ Excluded asn1.RawValue }{asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: subtree}}))
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	w := pki()
	revokedCA := issue(w.root, newKey(), "Revoked CA", ca)
	judged(t, []certificateCase{
		{"revoked", w.holder, false, nil, Indeterminate, RevokedNoPOE},
		{"revoked before the time-stamp", w.holder, true, nil, Indeterminate, RevokedNoPOE},
		{"revoked after the time-stamp", w.holder, true, nil, TotalPassed, ""},
		{"suspended", w.holder, false, nil, Indeterminate, TryLater},
		{"suspended before the time-stamp", w.holder, true, nil, Indeterminate, TryLater},
		{"suspended after the time-stamp", w.holder, true, nil, TotalPassed, ""},
		{"released", w.holder, false, func(o *Options) {
			held := list(w.sub, publishedAt.Add(-time.Hour), publishedAt.Add(day), nil, entry{w.holder, signedAt.Add(-day), onHold})
			o.CRLs = append(o.CRLs, held)
		}, TotalPassed, ""},
		{"suspended anew", w.holder, false, func(o *Options) {
			o.CRLs = append(o.CRLs, list(w.sub, publishedAt.Add(time.Minute), publishedAt.Add(day), nil, entry{w.holder, signedAt, onHold}))
		}, Indeterminate, TryLater},
		{"revoked, then left out of the list", w.holder, false, func(o *Options) {
			o.CRLs = append(o.CRLs, list(w.sub, signedAt, publishedAt.Add(day), nil, entry{w.holder, signedAt.Add(-day), 1}))
		}, Indeterminate, RevokedNoPOE},
		{"CA revoked", issue(revokedCA, newKey(), "Ada Prova", nil), false, func(o *Options) {
			o.CRLs[0] = list(w.root, publishedAt, publishedAt.Add(day), nil, entry{revokedCA, signedAt.Add(-day), 2})
			o.CRLs[2] = list(revokedCA, publishedAt, publishedAt.Add(day), nil)
		}, Indeterminate, RevokedCANoPOE},

		{"no list", w.holder, false, func(o *Options) { o.CRLs = o.CRLs[:2] }, Indeterminate, TryLater},
		{"no list of the root", w.holder, false, func(o *Options) { o.CRLs = o.CRLs[1:] }, Indeterminate, TryLater},
		{"old list", w.holder, false, func(o *Options) { o.CRLs[2] = list(w.sub, year(-1), signedAt, nil) }, Indeterminate, TryLater},
		{"list of the future", w.holder, false, func(o *Options) { o.CRLs[2] = list(w.sub, year(1), year(2), nil) }, Indeterminate, TryLater},
		{"list by another key", w.holder, false, func(o *Options) {
			impostor := issue(nil, newKey(), "Issuing CA", ca)
			o.CRLs[2] = list(impostor, publishedAt, publishedAt.Add(day), nil)
		}, Indeterminate, TryLater},
		{"delta list", w.holder, false, func(o *Options) {
			o.CRLs[2] = list(w.sub, publishedAt, publishedAt.Add(day), func(l *x509.RevocationList) {
				l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
			})
		}, Indeterminate, TryLater},
		{"list of CA certificates only", w.holder, false, func(o *Options) {
			o.CRLs[2] = list(w.sub, publishedAt, publishedAt.Add(day), func(l *x509.RevocationList) {
				l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 3, 0x82, 1, 0xff}}}
			})
		}, Indeterminate, TryLater},
		{"OCSP good", w.holder, false, withOCSP(w.sub, w.holder, ocsp.Good, nil), TotalPassed, ""},
		{"OCSP revoked", w.holder, false, withOCSP(w.sub, w.holder, ocsp.Revoked, nil), Indeterminate, RevokedNoPOE},
		{"OCSP without nextUpdate", w.holder, false, dated(w.sub, w.holder, validatedAt.Add(-time.Hour), 0), TotalPassed, ""},
		{"OCSP without nextUpdate, old", w.holder, false, dated(w.sub, w.holder, validatedAt.AddDate(0, 0, -2), 0), Indeterminate, TryLater},
		{"OCSP of a moment later", w.holder, false, dated(w.sub, w.holder, validatedAt.Add(3*time.Second), time.Hour), TotalPassed, ""},
		{"OCSP of the future", w.holder, false, dated(w.sub, w.holder, validatedAt.AddDate(0, 0, 1), time.Hour), Indeterminate, TryLater},
		{"OCSP unknown", w.holder, false, withOCSP(w.sub, w.holder, ocsp.Unknown, nil), Indeterminate, TryLater},
		{"OCSP of another certificate", w.holder, false, withOCSP(w.sub, w.rsaHolder, ocsp.Good, nil), Indeterminate, TryLater},
		{"OCSP by a named responder", w.holder, false, withOCSP(w.sub, w.holder, ocsp.Good, responder(w.sub, true)), TotalPassed, ""},
		{"OCSP by a certificate not for it", w.holder, false, withOCSP(w.sub, w.holder, ocsp.Good, responder(w.sub, false)), Indeterminate, TryLater},
		{"OCSP by a stranger", w.holder, false, withOCSP(w.sub, w.holder, ocsp.Good, responder(w.stranger, true)), Indeterminate, TryLater},
	})
}

// judged runs the cases.
func judged(t *testing.T, cases []certificateCase) {
	t.Helper()
	w := pki()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var entries []entry
			if e, ok := revocations[c.name]; ok {
				entries = append(entries, entry{c.by, e.at, e.reason})
			}
			o := w.options(entries...)
			if c.change != nil {
				c.change(&o)
			}
			var tsu *party
			if c.stamp {
				tsu = w.tsu
			}
			file := sign(t, "XAdES", []byte("<a>42</a>"), c.by, tsu, stampedAt)
			s := expect(t, validate(t, file, o), c.want, c.sub)
			if c.stamp != !s.BestSignatureTime.IsZero() {
				t.Errorf("time-stamp %v", s.BestSignatureTime)
			}
		})
	}
}

// revocations are the entries of the cases of the same name.
var revocations = map[string]entry{
	"revoked":                         {at: signedAt.Add(-time.Hour), reason: 1},
	"revoked before the time-stamp":   {at: signedAt, reason: 1},
	"revoked after the time-stamp":    {at: stampedAt.Add(time.Minute), reason: 1},
	"suspended":                       {at: signedAt.Add(-time.Hour), reason: onHold},
	"suspended before the time-stamp": {at: signedAt, reason: onHold},
	"suspended after the time-stamp":  {at: stampedAt.Add(time.Minute), reason: onHold},
}

// withOCSP replaces the list of the issuing CA by an answer.
func withOCSP(by, of *party, state int, responder *party) func(*Options) {
	return func(o *Options) {
		signer := by
		r := ocsp.Response{Status: state, SerialNumber: of.cert.SerialNumber, ThisUpdate: publishedAt, NextUpdate: publishedAt.Add(24 * time.Hour)}
		if state == ocsp.Revoked {
			r.RevokedAt, r.RevocationReason = signedAt.Add(-time.Hour), ocsp.KeyCompromise
		}
		if responder != nil {
			signer, r.Certificate = responder, responder.cert
		}
		der := must(ocsp.CreateResponse(by.cert, signer.cert, r, signer.key))
		o.CRLs, o.OCSP = o.CRLs[:2], [][]byte{der}
	}
}

// dated replaces the list of the issuing CA by an answer issued at some time and
// good for so long; 0: it does not say.
func dated(by, of *party, this time.Time, good time.Duration) func(*Options) {
	return func(o *Options) {
		r := ocsp.Response{Status: ocsp.Good, SerialNumber: of.cert.SerialNumber, ThisUpdate: this}
		if good > 0 {
			r.NextUpdate = this.Add(good)
		}
		o.CRLs, o.OCSP = o.CRLs[:2], [][]byte{must(ocsp.CreateResponse(by.cert, by.cert, r, by.key))}
	}
}

// responder makes an OCSP responder that needs no revocation check.
func responder(by *party, named bool) *party {
	return issue(by, newKey(), "OCSP", func(t *x509.Certificate) {
		t.KeyUsage = x509.KeyUsageDigitalSignature
		t.NotAfter = time.Now().AddDate(20, 0, 0) // answers are dated by the real clock
		t.NotBefore = time.Now().AddDate(-20, 0, 0)
		if named {
			t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		}
		t.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}
	})
}
