package cms_test

import (
	"crypto"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// All signatures of a message have the same evidence, which is read once.
func TestEvidenceIsReadOnce(t *testing.T) { // not parallel: allocations are counted
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	o := id.Options(crypto.SHA256)
	o.SigningTime = time.Now()
	p, err := cms.Prepare(make([]byte, 32), o)
	if err != nil {
		t.Fatal(err)
	}
	der, err := p.Assemble(id.Sign(t, p), nil)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := cms.ParseBytes(der, cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := ades.Evidence{}
	for range 20 {
		want.Certificates = append(want.Certificates, pki.Signer(t, "p256").Certificate)
	}
	var value []byte
	for _, c := range want.Certificates {
		value = append(value, c.Raw...)
	}
	value = append([]byte{0x30, 0x83, byte(len(value) >> 16), byte(len(value) >> 8), byte(len(value))}, value...)
	if sd, err = sd.Add(cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDCertificateValues, Value: value}}}); err != nil {
		t.Fatal(err)
	}
	have := len(sd.Evidence().Certificates)
	if have < 20 {
		t.Fatalf("%d certificates were found", have)
	}
	if n := testing.AllocsPerRun(10, func() { sd.Evidence() }); n > 5 {
		t.Errorf("asked again, it takes %.0f allocations", n)
	}
	e := sd.Evidence()
	e.Certificates = append(e.Certificates, id.Certificate)
	if len(sd.Evidence().Certificates) != have {
		t.Error("what a caller adds is in the message")
	}
}
