package cms_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// archived makes a message with a signature time-stamp, evidence and an archive
// time-stamp over both; index may be changed before it is stamped.
func archived(t testing.TB, pki *cmstest.PKI, message []byte, change func(index []byte) []byte) *cms.SignedData {
	t.Helper()
	now, tsu := time.Now(), pki.TSU(t, "p384")
	sd := parse(t, stampedBy(t, pki.TSU(t, "p256"), message))
	e := pki.Evidence(t, now)
	e.OCSP = [][]byte{pki.OCSP(t, pki.CA, now, now.AddDate(0, 0, 1), cmstest.Revoked{})}
	_, sd = written(t, sd, cms.Additions{Evidence: e})
	return stampArchive(t, sd, tsu, change)
}

func stampArchive(t testing.TB, sd *cms.SignedData, tsu *cmstest.Identity, change func([]byte) []byte) *cms.SignedData {
	t.Helper()
	si := sd.Signers[0]
	index, err := si.HashIndex(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		index = change(index)
	}
	imprint, err := si.ArchiveImprint(crypto.SHA256, index, sd.ContentDigest())
	if err != nil {
		t.Fatal(err)
	}
	token, err := cms.WithHashIndex(tsu.Stamp(t, crypto.SHA256, imprint, time.Now()), index)
	if err != nil {
		t.Fatal(err)
	}
	_, sd = written(t, sd, cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDArchiveTimeStampV3, Value: token}}})
	return sd
}

// checkStamp verifies a time-stamp against what it must be over.
func checkStamp(s ades.Stamp) error {
	token, err := cms.ParseToken(s.DER)
	if err != nil {
		return err
	}
	return token.Verify(s.Imprint)
}

func stampsOf(sd *cms.SignedData, kind ades.StampKind) []ades.Stamp {
	var out []ades.Stamp
	for _, s := range sd.Signers[0].Stamps(sd.ContentDigest()) {
		if s.Kind == kind {
			out = append(out, s)
		}
	}
	return out
}

// An archive time-stamp covers all that was there when it was made, the next one
// covers it, and what is added later is covered by neither.
func TestArchiveCovers(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	sd := archived(t, pki, attached(t, pki.Signer(t, "p256"), []byte("contratto")), nil)
	late := pki.CRL(t, pki.CA, time.Now(), time.Now().AddDate(0, 1, 0))
	_, sd = written(t, sd, cms.Additions{Evidence: ades.Evidence{CRLs: [][]byte{late}}})
	sd = stampArchive(t, sd, pki.TSU(t, "p256"), nil)

	all := stampsOf(sd, ades.ArchiveStamp)
	if len(all) != 2 || len(stampsOf(sd, ades.SignatureStamp)) != 1 {
		t.Fatalf("%d archive time-stamps", len(all))
	}
	first, second := all[0], all[1]
	if len(second.Covers) < len(first.Covers) {
		first, second = second, first
	}
	for _, s := range sd.Signers[0].Stamps(sd.ContentDigest()) {
		if err := checkStamp(s); err != nil {
			t.Errorf("%s: %v", s.Kind, err)
		}
	}
	covers := func(s ades.Stamp, b []byte) bool {
		for _, c := range s.Covers {
			if bytes.Equal(b, c) {
				return true
			}
		}
		return false
	}
	e := sd.Evidence()
	for _, c := range e.Certificates {
		if !covers(first, c.Raw) || !covers(second, c.Raw) {
			t.Error("a certificate is not covered")
		}
	}
	if len(e.OCSP) != 1 || !covers(first, e.OCSP[0]) || !covers(second, e.OCSP[0]) {
		t.Error("the OCSP answer is not covered")
	}
	if !covers(first, sd.Signers[0].Tokens[0]) || !covers(second, first.DER) || covers(first, second.DER) {
		t.Error("the time-stamps do not cover each other as they should")
	}
	if covers(first, late) || !covers(second, late) {
		t.Error("what was added later is covered by the first time-stamp, or not by the second")
	}
}

// An archive time-stamp says nothing if anything that it covers was taken away or
// changed, if its index was made for something else, or if it has none or two.
func TestArchiveIsStrict(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	message := attached(t, id, []byte("contratto"))
	good := archived(t, pki, message, nil)
	raw := mustWrite(t, good)
	crl := good.CRLs[0]
	flip := func(at []byte, i int) []byte {
		b := bytes.Clone(raw)
		b[bytes.Index(b, at)+i] ^= 1
		return b
	}
	for name, b := range map[string][]byte{
		"a CRL was changed":                  flip(crl, len(crl)-1),
		"the signature time-stamp":           flip(good.Signers[0].Tokens[0], len(good.Signers[0].Tokens[0])-1),
		"the signed attributes were changed": flip(good.Signers[0].RawSignedAttributes, 60),
		"the content was changed":            flip([]byte("contratto"), 0),
		"an entry of the index":              flip(sum(crypto.SHA256, crl), 3),
	} {
		sd := parse(t, b)
		if err := checkStamp(stampsOf(sd, ades.ArchiveStamp)[0]); cms.KindOf(err) != cms.Mismatch {
			t.Errorf("%s: %v", name, err)
		}
	}

	sha512 := func(index []byte) []byte { // the same digests, said to be of another algorithm
		return bytes.Replace(index, []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x03"), 1)
	}
	more := func(index []byte) []byte { // one digest more, of nothing
		list := []byte(der(0x30, der(0x04, string(make([]byte, 32)))))
		return []byte(der(0x30, string(index[4:]), string(list)))
	}
	for name, change := range map[string]func([]byte) []byte{
		"digests of another algorithm": sha512,
		"five members":                 more,
		"empty":                        func([]byte) []byte { return []byte(der(0x30)) },
		"no sequence":                  func([]byte) []byte { return []byte(null) },
	} {
		sd := archived(t, pki, message, change)
		s := stampsOf(sd, ades.ArchiveStamp)[0]
		if err := checkStamp(s); cms.KindOf(err) == "" || s.Covers != nil {
			t.Errorf("%s: %v, covers %d", name, err, len(s.Covers))
		}
	}

	token := stampsOf(good, ades.ArchiveStamp)[0].DER
	twice, err := cms.WithHashIndex(token, []byte(null))
	if err != nil {
		t.Fatal(err)
	}
	none := pki.TSU(t, "p256").Stamp(t, crypto.SHA256, make([]byte, 32), time.Now())
	for name, token := range map[string][]byte{"two indexes": twice, "no index": none, "no token": []byte(null)} {
		_, sd := written(t, parse(t, message), cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDArchiveTimeStampV3, Value: token}}})
		if _, err := stampsOf(sd, ades.ArchiveStamp)[0].Imprint(crypto.SHA256); cms.KindOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing that an archive time-stamp covers can be taken away, whole, without its
// saying so; what it does not cover can.
func TestArchiveMissesWhatIsTaken(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	good := archived(t, pki, attached(t, pki.Signer(t, "p256"), []byte("contratto")), nil)
	late := pki.TSU(t, "p256").Certificate
	_, good = written(t, good, cms.Additions{Evidence: ades.Evidence{Certificates: []*x509.Certificate{late}}})
	covered := stampsOf(good, ades.ArchiveStamp)[0].Covers
	taken := 0
	for _, part := range slices.Concat(good.RawCertificates, good.RawRevocation, good.Signers[0].Tokens) {
		// The member stays as long as it was but becomes something else: an octet string.
		b := mustWrite(t, good)
		at := bytes.Index(b, part)
		b[at] = 0x24
		sd, err := cms.ParseBytes(b, cms.Limits{})
		if err != nil {
			continue
		}
		taken++
		want := cms.Kind("")
		for _, c := range append(covered, good.RawRevocation...) { // a choice holds its OCSP answer
			if bytes.Equal(c, part) {
				want = cms.Mismatch
			}
		}
		if err := checkStamp(stampsOf(sd, ades.ArchiveStamp)[0]); cms.KindOf(err) != want {
			t.Errorf("without a member of %d bytes: %v, want kind %q", len(part), err, want)
		}
	}
	if taken != len(good.RawCertificates)+len(good.RawRevocation)+1 {
		t.Errorf("only %d members could be taken", taken)
	}
}

// Evidence may not be added under an archive time-stamp of the old kinds, which is
// over all of the root; other additions may.
func TestOldArchiveIsNotBroken(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	tsu := pki.TSU(t, "p256")
	token := tsu.Stamp(t, crypto.SHA256, make([]byte, 32), time.Now())
	_, sd := written(t, parse(t, attached(t, pki.Signer(t, "p256"), nil)), cms.Additions{
		Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDArchiveTimeStampV2, Value: token}}})
	if _, err := sd.Add(cms.Additions{Evidence: pki.Evidence(t, time.Now())}); cms.KindOf(err) != cms.Unsupported {
		t.Errorf("evidence: %v", err)
	}
	if _, err := sd.Add(cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDSignatureTimeStamp, Value: token}}}); err != nil {
		t.Errorf("a time-stamp: %v", err)
	}
	first := bytes.Replace(mustWrite(t, sd), []byte("\x09\x10\x02\x30"), []byte("\x09\x10\x02\x1b"), 1)
	if _, err := stampsOf(parse(t, first), ades.ArchiveStamp)[0].Imprint(crypto.SHA256); cms.KindOf(err) != cms.Unsupported {
		t.Errorf("the imprint of the first version: %v", err)
	}
}

// An archive time-stamp of version 2 is over all there is; those that are added
// later are not part of it.
func TestOldArchive(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	tsu := pki.TSU(t, "p256")
	now := time.Now()
	_, sd := written(t, parse(t, stampedBy(t, tsu, attached(t, pki.Signer(t, "p256"), []byte("contratto")))), cms.Additions{Evidence: pki.Evidence(t, now)})
	add := func(sd *cms.SignedData, oid []int, token []byte) *cms.SignedData {
		_, sd = written(t, sd, cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: oid, Value: token}}})
		return sd
	}
	blank := add(sd, cms.OIDArchiveTimeStampV2, tsu.Stamp(t, crypto.SHA256, make([]byte, 32), now))
	imprint, err := stampsOf(blank, ades.ArchiveStamp)[0].Imprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	old := add(sd, cms.OIDArchiveTimeStampV2, tsu.Stamp(t, crypto.SHA256, imprint, now))
	s := stampsOf(old, ades.ArchiveStamp)[0]
	if err := checkStamp(s); err != nil || len(s.Covers) != 6 { // signer, CA, root, two lists, signature time-stamp
		t.Errorf("%v, covers %d", err, len(s.Covers))
	}
	later := add(old, cms.OIDArchiveTimeStampV2, tsu.Stamp(t, crypto.SHA256, imprint, now.Add(time.Minute)))
	both := stampsOf(later, ades.ArchiveStamp)
	i := slices.IndexFunc(both, func(o ades.Stamp) bool { return bytes.Equal(o.DER, s.DER) }) // DER orders them by their octets
	if err := checkStamp(both[i]); err != nil {
		t.Errorf("with a later one: %v", err)
	}
	changed := add(old, cms.OIDSignatureTimeStamp, tsu.Stamp(t, crypto.SHA256, imprint, now))
	if err := checkStamp(stampsOf(changed, ades.ArchiveStamp)[0]); cms.KindOf(err) != cms.Mismatch {
		t.Errorf("with another attribute: %v", err)
	}
}

// The values of the older extended forms are found as evidence, bare OCSP answers
// as whole ones, and the time-stamps over references are checked.
func TestExtendedForms(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	now, tsu := time.Now(), pki.TSU(t, "p256")
	want := pki.OCSP(t, pki.CA, now, now.AddDate(0, 0, 1), cmstest.Revoked{})
	basic := string(want[bytes.Index(want, []byte("\x30\x01\x01\x04"))+7:]) // behind the type and the octet string's header
	crl := string(pki.CRL(t, pki.CA, now, now.AddDate(0, 0, 1)))
	value := func(s string) []byte { return []byte(s) }
	add := func(sd *cms.SignedData, oid []int, v []byte) *cms.SignedData {
		_, sd = written(t, sd, cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: oid, Value: v}}})
		return sd
	}
	sd := parse(t, stampedBy(t, tsu, attached(t, pki.Signer(t, "p256"), []byte("contratto"))))
	sd = add(sd, cms.OIDCertificateValues, value(der(0x30, string(pki.Root.Raw))))
	sd = add(sd, cms.OIDRevocationValues, value(der(0x30, der(0xa0, der(0x30, crl)), der(0xa1, der(0x30, basic)))))
	sd = add(sd, cms.OIDCertificateReferences, value(der(0x30, "")))
	sd = add(sd, cms.OIDRevocationReferences, value(der(0x30, "\x05\x00")))
	e := sd.Evidence()
	if len(e.Certificates) != 3 || len(e.CRLs) != 1 || len(e.OCSP) != 1 || !bytes.Equal(e.OCSP[0], want) {
		t.Fatalf("%d certificates, %d CRLs, OCSP %x, want %x", len(e.Certificates), len(e.CRLs), e.OCSP, want)
	}
	for _, kind := range [][]int{cms.OIDCompleteTimeStamp, cms.OIDReferencesTimeStamp} {
		blank := add(sd, kind, tsu.Stamp(t, crypto.SHA256, make([]byte, 32), now))
		imprint, err := stampsOf(blank, ades.ReferencesStamp)[0].Imprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		over := add(sd, kind, tsu.Stamp(t, crypto.SHA256, imprint, now))
		if err := checkStamp(stampsOf(over, ades.ReferencesStamp)[0]); err != nil {
			t.Error(err)
		}
		changed := add(over, cms.OIDRevocationReferences, value(der(0x30, "")))
		if err := checkStamp(stampsOf(changed, ades.ReferencesStamp)[0]); cms.KindOf(err) != cms.Mismatch {
			t.Errorf("more references: %v", err)
		}
	}
}
