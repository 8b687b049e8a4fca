package pki

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// query is an OCSP request in the making; the zero value of a field leaves it out.
type query struct {
	ids      [][]byte // CertIDs
	nonce    []byte
	critical bool // adds a critical extension nobody knows
	version  bool
	trailing []byte
}

func certIDFor(t testing.TB, ca *x509.Certificate, serial *big.Int, h crypto.Hash) []byte {
	t.Helper()
	key, err := subjectPublicKey(ca.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	oid := map[crypto.Hash]string{crypto.SHA1: "1.3.14.3.2.26", crypto.SHA256: "2.16.840.1.101.3.4.2.1"}[h]
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(mustOID(oid))
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(digest(h, ca.RawSubject))
		b.AddASN1OctetString(digest(h, key))
		b.AddASN1BigInt(serial)
	})
	return b.BytesOrPanic()
}

func (q query) encode() []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if q.version {
				explicit(b, 0, func(b *cryptobyte.Builder) { b.AddASN1Int64(0) })
			}
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, id := range q.ids {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(id) })
				}
			})
			if q.nonce != nil {
				explicit(b, 2, extensionList(oidOCSPNonce, func(b *cryptobyte.Builder) { b.AddASN1OctetString(q.nonce) }))
			}
			if q.critical {
				explicit(b, 2, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(mustOID("2.999.7"))
							b.AddASN1Boolean(true)
							b.AddASN1OctetString([]byte{5, 0})
						})
					})
				})
			}
		})
	})
	b.AddBytes(q.trailing)
	return b.BytesOrPanic()
}

// ask puts a question about one certificate and returns the checked answer.
func (h *house) ask(t *testing.T, label string, cert *x509.Certificate) *ocsp.Response {
	t.Helper()
	ca := h.CA(label)
	req, err := ocsp.CreateRequest(cert, ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := ocsp.ParseResponseForCert(h.OCSP(t.Context(), label, req), cert, ca)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestOCSPStatus(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	ctx, cert := t.Context(), h.issue(t, "1")
	resp := h.ask(t, IssuingCA, cert)
	if resp.Status != ocsp.Good || !resp.Certificate.Equal(h.CA(OCSPIssuing)) {
		t.Errorf("%+v", resp)
	}
	now := h.clock.now().Truncate(time.Second)
	if !resp.ThisUpdate.Equal(now) || !resp.ProducedAt.Equal(now) || resp.NextUpdate.Sub(now) != 10*time.Minute {
		t.Error(resp.ThisUpdate, resp.ProducedAt, resp.NextUpdate)
	}
	cutoff := false
	for _, e := range resp.Extensions { // x/crypto shows the singleExtensions here
		cutoff = cutoff || e.Id.Equal(oidArchiveCutoff) && string(e.Value[2:]) == h.CA(IssuingCA).NotBefore.Format("20060102150405Z")
	}
	if !cutoff {
		t.Errorf("archive cut-off: %+v", resp.Extensions)
	}
	h.clock.advance(time.Hour)
	held := h.clock.now().Truncate(time.Second)
	if err := h.Suspend(ctx, serialOf(cert), 6, "ra"); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(time.Hour)
	if resp = h.ask(t, IssuingCA, cert); resp.Status != ocsp.Revoked || resp.RevocationReason != ocsp.CertificateHold || !resp.RevokedAt.Equal(held) {
		t.Errorf("suspended: %+v", resp)
	}
	if err := h.Reactivate(ctx, serialOf(cert), 0, "ra"); err != nil {
		t.Fatal(err)
	}
	if resp = h.ask(t, IssuingCA, cert); resp.Status != ocsp.Good {
		t.Errorf("reactivated: %+v", resp)
	}
	if err := h.Revoke(ctx, serialOf(cert), 0, "ra"); err != nil {
		t.Fatal(err)
	}
	if resp = h.ask(t, IssuingCA, cert); resp.Status != ocsp.Revoked || resp.RevocationReason != ocsp.Unspecified {
		t.Errorf("revoked: %+v", resp)
	}
	h.clock.advance(2000 * 24 * time.Hour) // status after expiry
	if err := h.PublishCRLs(ctx); err != nil {
		t.Fatal(err)
	}
	if resp = h.ask(t, IssuingCA, cert); resp.Status != ocsp.Revoked {
		t.Errorf("expired: %+v", resp)
	}
	if resp = h.ask(t, TSACA, h.CA(TSU)); resp.Status != ocsp.Good {
		t.Errorf("unit: %+v", resp)
	}
}

func TestOCSPUnknown(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	cert, issuing := h.issue(t, "1"), h.CA(IssuingCA)
	h.keys.failAt(1, false)
	_, err := h.Issue(t.Context(), h.enrol(t, "2", "p256"))
	h.keys.fault = nil
	wantKind(t, err, KeyUnavailable)
	intents := h.rowsIn(t, "intent")
	lost, _ := new(big.Int).SetString(intents[0].Serial, 16)
	for name, tt := range map[string]struct {
		label  string
		ca     *x509.Certificate
		serial *big.Int
		want   int
	}{
		"known, SHA-256":               {IssuingCA, issuing, cert.SerialNumber, ocsp.Good},
		"never issued":                 {IssuingCA, issuing, big.NewInt(4711), ocsp.Unknown},
		"zero":                         {IssuingCA, issuing, new(big.Int), ocsp.Unknown},
		"another CA's name":            {IssuingCA, h.CA(TSACA), cert.SerialNumber, ocsp.Unknown},
		"serial of another CA":         {IssuingCA, issuing, h.CA(TSU).SerialNumber, ocsp.Unknown},
		"asked at the wrong responder": {TSACA, issuing, cert.SerialNumber, ocsp.Unknown},
		"only intended":                {IssuingCA, issuing, lost, ocsp.Unknown},
	} {
		der := h.OCSP(t.Context(), tt.label, query{ids: [][]byte{certIDFor(t, tt.ca, tt.serial, crypto.SHA256)}}.encode())
		resp, err := ocsp.ParseResponse(der, h.CA(tt.label))
		if err != nil || resp.Status != tt.want || resp.SerialNumber.Cmp(tt.serial) != 0 {
			t.Errorf("%s: %+v %v", name, resp, err)
		}
	}
	if _, err := h.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	der := h.OCSP(t.Context(), IssuingCA, query{ids: [][]byte{certIDFor(t, issuing, lost, crypto.SHA1)}}.encode())
	if resp, err := ocsp.ParseResponse(der, issuing); err != nil || resp.Status != ocsp.Revoked {
		t.Errorf("presumed issued: %+v %v", resp, err)
	}
}

func TestOCSPNonceAndMany(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	a, b, ca := h.issue(t, "1"), h.issue(t, "2"), h.CA(IssuingCA)
	if err := h.Revoke(t.Context(), serialOf(b), 4, "ra"); err != nil {
		t.Fatal(err)
	}
	nonce := bytes.Repeat([]byte{7}, 32)
	der := h.OCSP(t.Context(), IssuingCA, query{nonce: nonce, ids: [][]byte{
		certIDFor(t, ca, a.SerialNumber, crypto.SHA1), certIDFor(t, ca, b.SerialNumber, crypto.SHA1)}}.encode())
	var echoed cryptobyte.Builder
	extensionList(oidOCSPNonce, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })(&echoed)
	if !bytes.Contains(der, echoed.BytesOrPanic()) {
		t.Error("the nonce is not echoed")
	}
	for cert, want := range map[*x509.Certificate]int{a: ocsp.Good, b: ocsp.Revoked} {
		if resp, err := ocsp.ParseResponseForCert(der, cert, ca); err != nil || resp.Status != want {
			t.Errorf("%+v, %v", resp, err)
		}
	}
}

func TestOCSPRefusals(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	ca := h.CA(IssuingCA)
	id := certIDFor(t, ca, big.NewInt(1), crypto.SHA1)
	refuse := func(status ocspStatus) []byte { return []byte{0x30, 3, 0x0a, 1, byte(status)} }
	many := make([][]byte, maxOCSPIDs+1)
	for i := range many {
		many[i] = id
	}
	otherHash := bytes.Replace(id, []byte{0x2b, 0x0e, 3, 2, 0x1a}, []byte{0x2b, 0x0e, 3, 2, 0x1b}, 1)
	shortHash := certIDWith(sha1.New().Sum(nil)[:19])
	for name, tt := range map[string]struct {
		label string
		req   []byte
		want  ocspStatus
	}{
		"no such CA":         {"else", query{ids: [][]byte{id}}.encode(), ocspUnauthorized},
		"the root":           {RootCA, query{ids: [][]byte{id}}.encode(), ocspUnauthorized},
		"empty":              {IssuingCA, nil, ocspMalformed},
		"text":               {IssuingCA, []byte("GET /"), ocspMalformed},
		"no certificates":    {IssuingCA, query{}.encode(), ocspMalformed},
		"too many":           {IssuingCA, query{ids: many}.encode(), ocspMalformed},
		"too long":           {IssuingCA, make([]byte, maxOCSPRequest+1), ocspMalformed},
		"trailing":           {IssuingCA, query{ids: [][]byte{id}, trailing: []byte{0}}.encode(), ocspMalformed},
		"default encoded":    {IssuingCA, query{ids: [][]byte{id}, version: true}.encode(), ocspMalformed},
		"empty nonce":        {IssuingCA, query{ids: [][]byte{id}, nonce: []byte{}}.encode(), ocspMalformed},
		"long nonce":         {IssuingCA, query{ids: [][]byte{id}, nonce: make([]byte, 129)}.encode(), ocspMalformed},
		"critical extension": {IssuingCA, query{ids: [][]byte{id}, critical: true}.encode(), ocspMalformed},
		"unknown hash":       {IssuingCA, query{ids: [][]byte{otherHash}}.encode(), ocspMalformed},
		"short hash":         {IssuingCA, query{ids: [][]byte{shortHash}}.encode(), ocspMalformed},
		"negative serial":    {IssuingCA, query{ids: [][]byte{certIDFor(t, ca, big.NewInt(-1), crypto.SHA1)}}.encode(), ocspMalformed},
		"long serial":        {IssuingCA, query{ids: [][]byte{certIDFor(t, ca, new(big.Int).Lsh(big.NewInt(1), 160), crypto.SHA1)}}.encode(), ocspMalformed},
	} {
		if got := h.OCSP(t.Context(), tt.label, tt.req); !bytes.Equal(got, refuse(tt.want)) {
			t.Errorf("%s: %x", name, got)
		}
	}
	good := query{ids: [][]byte{id}}.encode()
	h.keys.fault = func(_, _ string, _ bool) error { return errors.New("gone") }
	if got := h.OCSP(t.Context(), IssuingCA, good); !bytes.Equal(got, refuse(ocspTryLater)) {
		t.Errorf("key gone: %x", got)
	}
	h.keys.fault = nil
	h.clock.advance(31 * 24 * time.Hour)
	if got := h.OCSP(t.Context(), IssuingCA, good); !bytes.Equal(got, refuse(ocspTryLater)) {
		t.Errorf("the responder's certificate has expired: %x", got)
	}
}

func certIDWith(nameHash []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(mustOID("1.3.14.3.2.26")) })
		b.AddASN1OctetString(nameHash)
		b.AddASN1OctetString(make([]byte, 20))
		b.AddASN1Int64(1)
	})
	return b.BytesOrPanic()
}

func FuzzOCSPRequest(f *testing.F) {
	var cid cryptobyte.Builder
	cid.AddBytes(certIDWith(make([]byte, 20)))
	id := cid.BytesOrPanic()
	f.Add(query{ids: [][]byte{id}}.encode())
	f.Add(query{ids: [][]byte{id, id}, nonce: make([]byte, 32)}.encode())
	f.Add(query{ids: [][]byte{id}, critical: true}.encode())
	f.Add(query{}.encode())
	f.Fuzz(func(t *testing.T, der []byte) {
		req, err := parseOCSPRequest(der)
		if err != nil {
			return
		}
		if len(req.ids) == 0 || len(req.ids) > maxOCSPIDs || len(req.nonce) > maxOCSPNonce+3 {
			t.Fatalf("%+v", req)
		}
		for _, id := range req.ids {
			if !bytes.Contains(der, id.raw) || id.serial.Sign() < 0 {
				t.Fatalf("%+v", id)
			}
		}
	})
}

// The house's own evidence about a certificate is an answer like any other, with
// the status of this moment.
func TestStatusOf(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	holder, unit := h.issue(t, "1"), h.CA(TSU)
	for _, tt := range []struct {
		cert *x509.Certificate
		by   string
	}{{holder, IssuingCA}, {unit, TSACA}} {
		der, err := h.StatusOf(t.Context(), tt.cert)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := ocsp.ParseResponseForCert(der, tt.cert, h.CA(tt.by)); err != nil || resp.Status != ocsp.Good {
			t.Errorf("%s: %+v %v", tt.by, resp, err)
		}
	}
	if err := h.Revoke(t.Context(), serialOf(holder), 0, "ra"); err != nil {
		t.Fatal(err)
	}
	der, err := h.StatusOf(t.Context(), holder)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := ocsp.ParseResponseForCert(der, holder, h.CA(IssuingCA)); err != nil || resp.Status != ocsp.Revoked {
		t.Errorf("revoked: %+v %v", resp, err)
	}
	_, err = h.StatusOf(t.Context(), h.CA(IssuingCA))
	wantKind(t, err, NotFound)
	h.clock.advance(20 * 365 * 24 * time.Hour) // the responder's certificate is over
	_, err = h.StatusOf(t.Context(), holder)
	wantKind(t, err, Failed)
}
