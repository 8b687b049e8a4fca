package pki

import (
	"encoding/asn1"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sigillo/hsm"
)

// Units follow one another: each has a certificate of its own under the same
// authority, the one before stays good, and all are there after a restart.
func TestCertifyUnit(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	from := h.clock.now().AddDate(0, 2, 20).UTC().Truncate(time.Second)
	pub, err := h.keys.CreateKey(t.Context(), UnitLabel(2), hsm.P256)
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"tsu-1", "tsu-3", "issuing-ca", ""} {
		if _, err := h.CertifyUnit(t.Context(), label, pub, time.Time{}, "operator"); KindOf(err) != BadRequest {
			t.Errorf("%q: got %v", label, err)
		}
	}
	unit, err := h.CertifyUnit(t.Context(), UnitLabel(2), pub, from, "operator")
	if err != nil {
		t.Fatal(err)
	}
	first := h.CA(TSU)
	if string(unit.RawSubject) == string(first.RawSubject) || string(unit.RawIssuer) != string(first.RawIssuer) {
		t.Errorf("%v after %v", unit.Subject, first.Subject)
	}
	period, _, _ := extensionOf(unit, oidPKUP)
	var pkup struct {
		From asn1.RawValue `asn1:"tag:0"`
		To   asn1.RawValue `asn1:"tag:1"`
	}
	if _, err := asn1.Unmarshal(period, &pkup); err != nil || string(pkup.From.Bytes) != from.Format("20060102150405Z") ||
		string(pkup.To.Bytes) != from.AddDate(0, 3, 0).Format("20060102150405Z") {
		t.Errorf("the key may be used %s to %s (%v)", pkup.From.Bytes, pkup.To.Bytes, err)
	}
	h.reopen(t, testConfig())
	if h.Units() != 2 || !h.CA(UnitLabel(2)).Equal(unit) || !h.CA(TSU).Equal(first) {
		t.Errorf("%d units after opening again", h.Units())
	}
	for _, c := range []string{TSU, UnitLabel(2)} {
		if r := h.ask(t, TSACA, h.CA(c)); r.Status != ocsp.Good {
			t.Errorf("%s has status %d", c, r.Status)
		}
	}
}
