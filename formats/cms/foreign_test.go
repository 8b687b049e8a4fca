package cms_test

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

func oid(t testing.TB, o asn1.ObjectIdentifier) string {
	t.Helper()
	b, err := asn1.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The indexes before version 3 have digests of whole attributes, and the first
// may leave the algorithm out.
func TestOlderHashIndexes(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	tsu := pki.TSU(t, "p256")
	sd := parse(t, stampedBy(t, tsu, attached(t, pki.Signer(t, "p256"), []byte("contratto"))))
	_, sd = written(t, sd, cms.Additions{Evidence: pki.Evidence(t, time.Now())})
	si := sd.Signers[0]
	for _, c := range []struct {
		name      string
		hash      crypto.Hash
		index     asn1.ObjectIdentifier
		algorithm bool
		want      cms.Kind
	}{
		{"version 1 with the default", crypto.SHA256, asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 5}, false, ""},
		{"version 1", crypto.SHA512, asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 5}, true, ""},
		{"version 2", crypto.SHA384, asn1.ObjectIdentifier{0, 4, 0, 19122, 1, 4}, true, ""},
		{"version 1, default but another digest", crypto.SHA512, asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 5}, false, cms.Malformed},
		{"version 3 of whole attributes", crypto.SHA256, asn1.ObjectIdentifier{0, 4, 0, 19122, 1, 5}, true, cms.Mismatch},
		{"version 3 without algorithm", crypto.SHA256, asn1.ObjectIdentifier{0, 4, 0, 19122, 1, 5}, false, cms.Malformed},
	} {
		list := func(members [][]byte) string {
			var out string
			for _, m := range members {
				out += der(0x04, string(sum(c.hash, m)))
			}
			return der(0x30, out)
		}
		var attributes [][]byte
		for _, a := range si.UnsignedAttributes {
			attributes = append(attributes, []byte(der(0x30, oid(t, a.Type), der(0x31, string(bytes.Join(a.Values, nil))))))
		}
		var algorithm string
		if c.algorithm {
			algorithm = der(0x30, oid(t, cms.HashOID(c.hash)))
		}
		index := []byte(der(0x30, algorithm, list(sd.RawCertificates), list(sd.RawRevocation), list(attributes)))
		imprint, err := si.ArchiveImprint(c.hash, index, sd.ContentDigest())
		if err != nil {
			t.Fatal(err)
		}
		token, _ := written(t, parse(t, tsu.Stamp(t, c.hash, imprint, time.Now())), cms.Additions{
			Attributes: []cms.Unsigned{{Path: []int{0}, Type: c.index, Value: index}}})
		_, after := written(t, sd, cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDArchiveTimeStampV3, Value: token}}})
		s := stampsOf(after, ades.ArchiveStamp)[0]
		if err := checkStamp(s); cms.KindOf(err) != c.want || (err == nil) != (len(s.Covers) == 6) {
			t.Errorf("%s: %v, covers %d", c.name, err, len(s.Covers))
		}
	}
}

// What others put among the signed attributes is read in the forms they use:
// older attributes, other strings, no policy but an implied one.
func TestForeignProperties(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	const role, origin = "\x06\x03\x55\x04\x48", "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x06\x01"
	claimed := func(text string) string { return der(0x30, der(0xa0, der(0x30, der(0x30, role, der(0x31, text))))) }
	for _, c := range []struct {
		name  string
		oid   asn1.ObjectIdentifier
		value string
		want  func(ades.Properties) bool
		kind  cms.Kind
	}{
		{"older signer attributes", cms.OIDSignerAttributes, claimed(der(0x13, "Sindaco")), func(p ades.Properties) bool { return p.ClaimedRoles[0] == "Sindaco" }, ""},
		{"BMP string", cms.OIDSignerAttributeV2, claimed(der(0x1e, "\x00S\x00\xec")), func(p ades.Properties) bool { return p.ClaimedRoles[0] == "Sì" }, ""},
		{"teletex string", cms.OIDSignerAttributeV2, claimed(der(0x14, "S\xec")), func(p ades.Properties) bool { return p.ClaimedRoles[0] == "Sì" }, ""},
		{"role that is no text", cms.OIDSignerAttributeV2, claimed(one), func(p ades.Properties) bool { return len(p.ClaimedRoles) == 0 }, ""},
		{"certified attributes only", cms.OIDSignerAttributeV2, der(0x30, der(0xa1, der(0x30))), func(p ades.Properties) bool { return len(p.ClaimedRoles) == 0 }, ""},
		{"implied policy", cms.OIDSignaturePolicy, null, func(p ades.Properties) bool { return p.Policy == nil }, ""},
		{"policy without digest", cms.OIDSignaturePolicy, der(0x30, origin), func(p ades.Properties) bool { return p.Policy.Digest == nil }, ""},
		{"unknown commitment", cms.OIDCommitmentType, der(0x30, role), func(p ades.Properties) bool { return len(p.Commitments) == 0 }, ""},
		{"qualified commitment", cms.OIDCommitmentType, der(0x30, origin, der(0x30)), func(p ades.Properties) bool { return p.Commitments[0] == ades.ProofOfOrigin }, ""},
		{"country only", cms.OIDSignerLocation, der(0x30, der(0xa0, der(0x13, "IT"))), func(p ades.Properties) bool { return *p.Place == ades.Place{Country: "IT"} }, ""},
		{"broken policy", cms.OIDSignaturePolicy, der(0x30, origin, null), nil, cms.Malformed},
		{"broken qualifier", cms.OIDSignaturePolicy, der(0x30, origin, der(0x30, der(0x30, sha256ID), der(0x04, string(make([]byte, 32)))), der(0x30, null)), nil, cms.Malformed},
		{"broken place", cms.OIDSignerLocation, der(0x30, der(0xa0, der(0x0c, "\xff"))), nil, cms.Malformed},
		{"broken line", cms.OIDSignerLocation, der(0x30, der(0xa2, der(0x30, one))), nil, cms.Malformed},
		{"empty commitment", cms.OIDCommitmentType, der(0x30), nil, cms.Malformed},
	} {
		message := signed(t, id, nil, func(p *cms.Prepared) {
			p.SignedAttributes = []byte(der(0x31, der(0x30, oid(t, c.oid), der(0x31, c.value))))
		})
		p, err := parse(t, message).Signers[0].Properties()
		if cms.KindOf(err) != c.kind || err == nil && !c.want(p) {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
}

// OCSP answers in the root are found in both of their forms, and other formats
// are kept without being read.
func TestRevocationChoices(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	now := time.Now()
	whole := pki.OCSP(t, pki.CA, now, now.AddDate(0, 0, 1), cmstest.Revoked{})
	basic := string(whole[bytes.Index(whole, []byte("\x30\x01\x01\x04"))+7:])
	const riOCSP, ocspBasic = "\x06\x08\x2b\x06\x01\x05\x05\x07\x10\x02", "\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
	sd := parse(t, attached(t, pki.Signer(t, "p256"), nil))
	_, sd = written(t, sd, cms.Additions{Evidence: ades.Evidence{OCSP: [][]byte{whole}}})
	as := mustWrite(t, sd)
	choice := der(0xa1, riOCSP, string(whole))
	for name, c := range map[string]struct {
		choice string
		found  int
	}{
		"whole":          {choice, 1},
		"bare":           {der(0xa1, ocspBasic, basic), 1},
		"another format": {der(0xa1, sha256ID, string(whole)), 0},
		"half of one":    {der(0xa1, riOCSP), 0},
	} {
		sd := parse(t, replaceRevocation(t, as, choice, c.choice))
		if len(sd.OCSP) != c.found || len(sd.RawRevocation) != 1 || c.found == 1 && !bytes.Equal(sd.OCSP[0], whole) {
			t.Errorf("%s: %d answers of %d", name, len(sd.OCSP), len(sd.RawRevocation))
		}
		again, err := sd.Add(cms.Additions{Evidence: ades.Evidence{OCSP: [][]byte{whole}}})
		if err != nil || len(again.RawRevocation) != 2-c.found {
			t.Errorf("%s: the answer is added to the one that is there: %v", name, err)
		}
	}
}

// replaceRevocation replaces the one member of SignedData.crls and all lengths
// around it.
func replaceRevocation(t testing.TB, message []byte, from, to string) []byte {
	t.Helper()
	var outer, wrapper, data asn1.RawValue
	if _, err := asn1.Unmarshal(message, &outer); err != nil {
		t.Fatal(err)
	}
	rest, err := asn1.Unmarshal(outer.Bytes, &asn1.RawValue{})
	if err != nil {
		t.Fatal(err)
	}
	head := outer.Bytes[:len(outer.Bytes)-len(rest)]
	if _, err := asn1.Unmarshal(rest, &wrapper); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(wrapper.Bytes, &data); err != nil {
		t.Fatal(err)
	}
	body := bytes.Replace(data.Bytes, []byte(der(0xa1, from)), []byte(der(0xa1, to)), 1)
	return []byte(der(0x30, string(head), der(0xa0, der(0x30, string(body)))))
}
