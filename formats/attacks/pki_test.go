package attacks

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"slices"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
	"sigillo/formats/pdf/pdftest"
	"sigillo/formats/validate"
	"sigillo/formats/xades"
)

// signEach signs a document in each form, level B-B.
func (w *party) signEach(t testing.TB, by *cmstest.Identity) map[string][]byte {
	return map[string][]byte{
		"CAdES": signCAdES(t, letter, by, func(o *cades.Options) {}),
		"PAdES": signPAdES(t, pdftest.Table(pdftest.Minimal(), ""), by, func(o *pades.Options) {}),
		"XAdES": signXAdES(t, invoice, by, func(o *xades.Options) {}),
		"JAdES": signJAdES(t, letter, by, func(o *jades.Options) {}),
	}
}

// A signer whom one must not believe is not believed, whatever the form.
func TestSigners(t *testing.T) {
	t.Parallel()
	w := world(t)
	with := func(change func(c *x509.Certificate)) *cmstest.Identity {
		c := &x509.Certificate{Subject: pkix.Name{CommonName: "Ada Test"}, KeyUsage: x509.KeyUsageContentCommitment, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
		change(c)
		return w.Identity(t, cmstest.Key(t, "p256"), c)
	}
	plain := with(func(*x509.Certificate) {})
	list := func(entries ...cmstest.Revoked) validate.Options { return w.options(t, entries...) }
	revoked := func(reason int) validate.Options {
		return list(cmstest.Revoked{Certificate: plain.Certificate, At: signedAt.Add(-time.Hour), Reason: reason})
	}
	other := w.options(t)
	other.CRLs = []([]byte){w.stranger.CRL(t, w.CA, listedAt, listedAt.AddDate(0, 0, 7)), w.stranger.CRL(t, plain.Certificate, listedAt, listedAt.AddDate(0, 0, 7))}
	stale := w.options(t)
	stale.CRLs = w.Evidence(t, now.AddDate(0, 0, -60)).CRLs
	future := w.options(t)
	future.CRLs = w.Evidence(t, now.AddDate(0, 0, 1)).CRLs
	caRevoked := w.options(t)
	caRevoked.CRLs[0] = w.CRL(t, w.CA, listedAt, listedAt.AddDate(0, 0, 7), cmstest.Revoked{Certificate: w.CA, At: signedAt.AddDate(0, 0, -1), Reason: 2})
	answer := func(about *x509.Certificate, r cmstest.Revoked, by *cmstest.PKI) validate.Options {
		o := w.options(t)
		o.CRLs = o.CRLs[:1]
		o.OCSP = [][]byte{by.OCSP(t, about, listedAt, listedAt.AddDate(0, 0, 1), r)}
		return o
	}
	spoilt := answer(plain.Certificate, cmstest.Revoked{}, w.PKI)
	spoilt.OCSP[0] = bytes.Clone(spoilt.OCSP[0])
	spoilt.OCSP[0][len(spoilt.OCSP[0])-5] ^= 1
	for name, c := range map[string]struct {
		by *cmstest.Identity
		o  validate.Options
		at time.Time // of validation; zero: now
	}{
		"expired since":      {with(func(c *x509.Certificate) { c.NotAfter = signedAt.Add(time.Minute) }), list(), time.Time{}},
		"not valid yet":      {with(func(c *x509.Certificate) { c.NotBefore = signedAt.Add(-time.Minute) }), list(), signedAt.Add(-time.Hour)},
		"revoked":            {plain, revoked(1), time.Time{}},
		"revoked, no reason": {plain, revoked(0), time.Time{}},
		"suspended":          {plain, revoked(6), time.Time{}},
		"CA revoked":         {plain, caRevoked, time.Time{}},
		"of an unknown root": {w.nobody, list(), time.Time{}},
		"for authorities":    {with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }), list(), time.Time{}},
		"for encryption":     {with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), list(), time.Time{}},
		"for servers":        {with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), list(), time.Time{}},
		"unknown critical extension": {with(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}), list(), time.Time{}},
		"issued by a signer":                 {below(t, w.ada), list(), time.Time{}},
		"a time-stamping unit":               {w.tsu, list(), time.Time{}},
		"no lists":                           {plain, validate.Options{Anchors: []*x509.Certificate{w.Root}}, time.Time{}},
		"lists of another authority":         {plain, other, time.Time{}},
		"stale lists":                        {plain, stale, time.Time{}},
		"lists of tomorrow":                  {plain, future, time.Time{}},
		"answer revoked":                     {plain, answer(plain.Certificate, cmstest.Revoked{Certificate: plain.Certificate, At: signedAt.AddDate(0, 0, -1)}, w.PKI), time.Time{}},
		"answer about another":               {plain, answer(w.eva.Certificate, cmstest.Revoked{}, w.PKI), time.Time{}},
		"answer of another authority":        {plain, answer(plain.Certificate, cmstest.Revoked{}, w.stranger), time.Time{}},
		"answer with a wrong signature":      {plain, spoilt, time.Time{}},
		"anchor of the name, of another key": {w.nobody, validate.Options{Anchors: []*x509.Certificate{w.Root}, Intermediates: []*x509.Certificate{w.stranger.CA, w.stranger.Root}, CRLs: w.Evidence(t, listedAt).CRLs}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValidator(t, c.o)
			for form, file := range w.signEach(t, c.by) {
				d := (&fixture{}).document(file, nil)
				if !c.at.IsZero() {
					d.Time = c.at
				}
				r, err := v.Validate(t.Context(), d)
				count("PKI "+form, "signer", false)
				if err == nil && r.Indication == validate.TotalPassed {
					t.Errorf("%s passes:\n%s", form, r.Text("en"))
				}
			}
		})
	}
	v := newValidator(t, list()) // the table would prove nothing if the plain one did not pass
	for form, file := range w.signEach(t, plain) {
		if r, err := v.Validate(t.Context(), (&fixture{}).document(file, nil)); err != nil || r.Indication != validate.TotalPassed {
			t.Errorf("%s: %v\n%s", form, err, r.Text("en"))
		}
	}
}

// below makes a certificate that is signed by somebody who is no authority.
func below(t testing.TB, by *cmstest.Identity) *cmstest.Identity {
	t.Helper()
	key := cmstest.Key(t, "p256")
	c := &x509.Certificate{SerialNumber: big.NewInt(99), Subject: pkix.Name{CommonName: "Ada Test"}, KeyUsage: x509.KeyUsageContentCommitment, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(nil, c, by.Certificate, key.Public(), by.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &cmstest.Identity{Key: key, Certificate: cert, Chain: append([]*x509.Certificate{by.Certificate}, by.Chain...)}
}

// Another certificate of the same key, or of the same name and number, does not
// become the signer.
func TestSubstitution(t *testing.T) {
	t.Parallel()
	w := world(t)
	number := big.NewInt(424242)
	made := func(name string, key crypto.Signer) *cmstest.Identity {
		return w.Identity(t, key, &x509.Certificate{SerialNumber: number, Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageContentCommitment})
	}
	by := made("Ada Test", cmstest.Key(t, "p256"))
	for name, o := range map[string]*cmstest.Identity{"same key": made("Eva Test", by.Key), "same name": made("Ada Test", cmstest.Key(t, "p256"))} {
		for form, file := range w.signEach(t, by) {
			for _, code := range []func([]byte) []byte{func(b []byte) []byte { return b }, func(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }} {
				a, b := code(by.Certificate.Raw), code(o.Certificate.Raw)
				if !bytes.Contains(file, a) {
					continue
				}
				swapped := bytes.Replace(file, a, b, 1)
				if root := parseDER(file); form == "CAdES" && root != nil {
					root.walk(func(n *tlv) {
						if bytes.Equal(n.raw(), by.Certificate.Raw) {
							swapped = n.with(o.Certificate.Raw)
						}
					})
				}
				r, err := w.online.Validate(t.Context(), (&fixture{}).document(swapped, nil))
				count("PKI "+form, "substitution", false)
				if err == nil && r.Indication == validate.TotalPassed {
					t.Errorf("%s, %s: passes\n%s", form, name, r.Text("en"))
				}
			}
		}
	}
}

// Time-stamps that prove nothing do not help, and speak against the signature.
func TestStamps(t *testing.T) {
	t.Parallel()
	w := world(t)
	noPurpose := w.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{Subject: pkix.Name{CommonName: "TSU"}, KeyUsage: x509.KeyUsageDigitalSignature})
	notCritical := w.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{Subject: pkix.Name{CommonName: "TSU"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{cmstest.TimeStampingEKU(false)}})
	ada := w.ada.Certificate
	for name, make := range map[string]func(imprint []byte) []byte{
		"of an unknown root":         func(b []byte) []byte { return w.strangeTSU.Stamp(t, crypto.SHA256, b, signedAt) },
		"without a purpose":          func(b []byte) []byte { return noPurpose.Stamp(t, crypto.SHA256, b, signedAt) },
		"purpose not critical":       func(b []byte) []byte { return notCritical.Stamp(t, crypto.SHA256, b, signedAt) },
		"by the signer":              func(b []byte) []byte { return w.ada.Stamp(t, crypto.SHA256, b, signedAt) },
		"of other data":              func(b []byte) []byte { return w.tsu.Stamp(t, crypto.SHA256, sum(other), signedAt) },
		"before the signing time":    func(b []byte) []byte { return w.tsu.Stamp(t, crypto.SHA256, b, signedAt.AddDate(0, 0, -2)) },
		"in the future":              func(b []byte) []byte { return w.tsu.Stamp(t, crypto.SHA256, b, now.AddDate(0, 0, 2)) },
		"before its own certificate": func(b []byte) []byte { return w.tsu.Stamp(t, crypto.SHA256, b, ada.NotBefore.AddDate(-1, 0, 0)) },
		"SHA-1":                      func(b []byte) []byte { return w.tsu.Stamp(t, crypto.SHA1, b[:20], signedAt) },
		"another digest's name":      func(b []byte) []byte { return w.tsu.Stamp(t, crypto.SHA512, append(slices.Clone(b), b...), signedAt) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := signCAdES(t, letter, w.ada, nil)
			s, err := cades.PrepareTimestamp(bytes.NewReader(file), int64(len(file)), ades.Extension{TokenSize: 8 << 10})
			if err != nil {
				t.Fatal(err)
			}
			imprint := s.Imprints()[0]
			var out bytes.Buffer
			good := w.tsu.Stamp(t, crypto.SHA256, imprint, signedAt)
			if err := s.Assemble(&out, bytes.NewReader(file), int64(len(file)), [][]byte{good}); err != nil {
				t.Fatal(err)
			}
			var bad []byte
			parseDER(out.Bytes()).walk(func(n *tlv) {
				if bytes.Equal(n.raw(), good) {
					bad = n.with(make(imprint))
				}
			})
			if bad == nil {
				t.Fatal("the time-stamp is not found")
			}
			r, err := w.online.Validate(t.Context(), (&fixture{}).document(bad, nil))
			count("PKI CAdES", "time-stamp", false)
			proof := name == "before the signing time" // genuine, but not of what is claimed
			if err == nil && (r.Indication == validate.TotalPassed || !proof && !r.Signatures[0].BestSignatureTime.IsZero() && r.Signatures[0].BestSignatureTime.Before(now)) {
				t.Errorf("passes:\n%s", r.Text("en"))
			}
		})
	}
}
