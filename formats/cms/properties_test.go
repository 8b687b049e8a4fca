package cms_test

import (
	"crypto"
	"encoding/asn1"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// What a signer says is read back as it was said; the lines of an address come
// together.
func TestProperties(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	content := []byte("contratto")
	said := ades.Properties{
		Commitments:   []ades.Commitment{ades.ProofOfApproval},
		ClaimedRoles:  []string{"Direttore", "Responsabile dell’unità"},
		Place:         &ades.Place{Street: "Via Roma 1", City: "Cefalù", Province: "PA", PostalCode: "90015", Country: "IT"},
		Policy:        &ades.Policy{OID: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA512, Digest: make([]byte, 64), URI: "https://example.com/p"},
		ContentStamps: [][]byte{pki.TSU(t, "p256").Stamp(t, crypto.SHA256, sum(crypto.SHA256, content), time.Now())},
	}
	o := id.Options(crypto.SHA256)
	o.Properties, o.MIMEType = said, "text/plain"
	p, err := cms.Prepare(sum(crypto.SHA256, content), o)
	if err != nil {
		t.Fatal(err)
	}
	der, err := p.Assemble(id.Sign(t, p), nil)
	if err != nil {
		t.Fatal(err)
	}
	si := parse(t, der).Signers[0]
	if err := si.Verify(digestFunc(content)); err != nil {
		t.Fatal(err)
	}
	read, err := si.Properties()
	if err != nil {
		t.Fatal(err)
	}
	said.Place = &ades.Place{Street: "Via Roma 1\n90015\nPA", City: "Cefalù", Country: "IT"}
	if !reflect.DeepEqual(read, said) || si.MIMEType() != "text/plain" {
		t.Errorf("read %+v, %q", read, si.MIMEType())
	}
	stamps := si.Stamps(digestFunc(content))
	if len(stamps) != 1 || stamps[0].Kind != ades.ContentStamp || checkStamp(stamps[0]) != nil {
		t.Errorf("the content time-stamp is not found: %v", stamps)
	}
}

func TestPropertiesRefused(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	for name, p := range map[string]ades.Properties{
		"unknown commitment":   {Commitments: []ades.Commitment{"proof-of-nothing"}},
		"role not UTF-8":       {ClaimedRoles: []string{"\xff"}},
		"role too long":        {ClaimedRoles: []string{strings.Repeat("x", 5000)}},
		"place that is empty":  {Place: &ades.Place{}},
		"policy of no digest":  {Policy: &ades.Policy{OID: asn1.ObjectIdentifier{1, 2}}},
		"policy of no name":    {Policy: &ades.Policy{Hash: crypto.SHA256, Digest: make([]byte, 32)}},
		"policy with bad URI":  {Policy: &ades.Policy{OID: asn1.ObjectIdentifier{1, 2}, Hash: crypto.SHA256, Digest: make([]byte, 32), URI: "è"}},
		"policy with SHA-1":    {Policy: &ades.Policy{OID: asn1.ObjectIdentifier{1, 2}, Hash: crypto.SHA1, Digest: make([]byte, 20)}},
		"stamp of another doc": {ContentStamps: [][]byte{tsu.Stamp(t, crypto.SHA256, make([]byte, 32), time.Now())}},
		"stamp that is none":   {ContentStamps: [][]byte{{0x30, 0}}},
	} {
		o := id.Options(crypto.SHA256)
		o.Properties = p
		if _, err := cms.Prepare(sum(crypto.SHA256, nil), o); cms.KindOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	si := parse(t, attached(t, id, nil)).Signers[0]
	o := id.Options(crypto.SHA256)
	o.MIMEType = "text/plain"
	if _, err := cms.PrepareCounter(si, o); cms.KindOf(err) != cms.BadOptions {
		t.Errorf("a counter-signature with a MIME type: %v", err)
	}
	if _, err := cms.PrepareCounter(si, cms.SignerOptions{Certificate: id.Certificate}); cms.KindOf(err) != cms.BadOptions {
		t.Errorf("a counter-signature without a digest: %v", err)
	}
}

// The inner type of a nested message is told, and its octets can be had at random.
func TestInnerType(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	id.Chain = nil
	inner := attached(t, id, []byte("contratto"))
	outer := attached(t, id, inner)
	for name, c := range map[string]struct {
		der  []byte
		want asn1.ObjectIdentifier
		at   bool
	}{
		"nested":           {outer, cms.OIDSignedData, true},
		"nested in pieces": {indefinite(t, outer, 10, id.Certificate.Raw), cms.OIDSignedData, false},
		"a document":       {inner, nil, true},
		"empty":            {attached(t, id, nil), nil, true},
		"detached":         {signed(t, id, nil, nil), nil, false},
		"a sequence":       {attached(t, id, []byte(der(0x30, sha256ID, null))), nil, true},
	} {
		sd := parse(t, c.der)
		if got := sd.InnerType(); !got.Equal(c.want) {
			t.Errorf("%s: %v", name, got)
		}
		if at := sd.ContentAt(); (at != nil) != c.at {
			t.Errorf("%s: random access %v", name, at)
		}
	}
	sd := parse(t, outer)
	if again, err := cms.Parse(sd.ContentAt(), sd.ContentSize(), cms.Limits{}); err != nil || again.Signers[0].Verify(again.ContentDigest()) != nil {
		t.Errorf("the inner message: %v", err)
	}
}
