package cms_test

import (
	"bytes"
	"crypto"
	"slices"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

func parse(t testing.TB, der []byte) *cms.SignedData {
	t.Helper()
	sd, err := cms.ParseBytes(der, cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return sd
}

// written gives a message with additions, written and read again.
func written(t testing.TB, sd *cms.SignedData, more cms.Additions) ([]byte, *cms.SignedData) {
	t.Helper()
	sd, err := sd.Add(more)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := sd.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), parse(t, out.Bytes())
}

// signerInfo makes a signature over the content to be put into a message.
func signerInfo(t testing.TB, id *cmstest.Identity, content []byte) []byte {
	t.Helper()
	p, err := cms.Prepare(sum(id.Hash(), content), id.Options(id.Hash()))
	if err != nil {
		t.Fatal(err)
	}
	info, err := p.SignerInfo(id.Sign(t, p), nil)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// unsorted makes a message whose certificates stand in no order.
func unsorted(t testing.TB, id *cmstest.Identity, content []byte, more ...[]byte) []byte {
	t.Helper()
	return signed(t, id, content, func(p *cms.Prepared) {
		slices.Reverse(p.Certificates)
		p.Certificates = append(p.Certificates, more...)
	})
}

// What is in a message keeps its octets and its order when something is added, in
// whatever form it came; the content is not touched, all signatures still verify,
// and what was added is found.
func TestAddKeepsOctets(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	content := bytes.Repeat([]byte("contratto "), 500)
	id, second, tsu := pki.Signer(t, "p256"), pki.Signer(t, "ed25519"), pki.TSU(t, "p256")
	alone := *id
	alone.Chain = nil
	now := time.Now()
	attr := append([]byte{0xa3, 4}, 0x30, 2, 5, 0) // a certificate of another format, [3]
	der := attached(t, id, content)
	for name, message := range map[string][]byte{
		"DER":             der,
		"BER":             indefinite(t, attached(t, &alone, content), 100, id.Certificate.Raw),
		"unsorted":        unsorted(t, id, content, attr),
		"with time-stamp": stampedBy(t, tsu, der),
	} {
		before := parse(t, message)
		more := cms.Additions{
			Evidence:   pki.Evidence(t, now),
			Signers:    [][]byte{signerInfo(t, second, content)},
			Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDSignatureTimeStamp, Value: tsu.Stamp(t, crypto.SHA256, sum(crypto.SHA256, before.Signers[0].SignatureValue), now)}},
		}
		more.Evidence.Certificates = append(more.Evidence.Certificates, second.Certificate)
		more.Evidence.OCSP = [][]byte{pki.OCSP(t, id.Certificate, now, now.AddDate(0, 0, 1), cmstest.Revoked{})}
		out, after := written(t, before, more)
		if bytes.Contains(out[:20], []byte{0x30, 0x80}) {
			t.Errorf("%s: lengths are indefinite", name)
		}
		if !isSubsequence(before.RawCertificates, after.RawCertificates) {
			t.Errorf("%s: the certificates were moved", name)
		}
		old := 0
		for _, si := range after.Signers {
			si.Certificate = map[bool]*cmstest.Identity{true: id, false: second}[si.Hash == crypto.SHA256].Certificate
			if err := si.Verify(digestFunc(content)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if bytes.Equal(si.SignatureValue, before.Signers[0].SignatureValue) {
				old++
				if n := len(before.Signers[0].UnsignedAttributes); len(si.UnsignedAttributes) != n+1 || len(si.Tokens) != n+1 ||
					!bytes.Equal(si.RawSignedAttributes, before.Signers[0].RawSignedAttributes) {
					t.Errorf("%s: the attributes are wrong", name)
				}
			}
		}
		if old != 1 || len(after.Signers) != 2 || len(after.CRLs) != 2 || len(after.OCSP) != 1 || after.Version != 5 {
			t.Errorf("%s: %d signers, %d of them old, %d CRLs, %d OCSP, version %d", name, len(after.Signers), old, len(after.CRLs), len(after.OCSP), after.Version)
		}
		if before.HasContent() {
			if err := after.Signers[0].Verify(after.ContentDigest()); err != nil {
				t.Errorf("%s: the content was changed: %v", name, err)
			}
		}
		if again, _ := written(t, after, cms.Additions{Evidence: more.Evidence}); !bytes.Equal(again, out) {
			t.Errorf("%s: what is there already is added again", name)
		}
	}
}

func stampedBy(t testing.TB, tsu *cmstest.Identity, message []byte) []byte {
	t.Helper()
	sd := parse(t, message)
	out, _ := written(t, sd, cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDSignatureTimeStamp,
		Value: tsu.Stamp(t, crypto.SHA256, sum(crypto.SHA256, sd.Signers[0].SignatureValue), time.Now())}}})
	return out
}

func isSubsequence(part, whole [][]byte) bool {
	for _, m := range whole {
		if len(part) > 0 && bytes.Equal(m, part[0]) {
			part = part[1:]
		}
	}
	return len(part) == 0
}

// A DER message stays DER: sets that were in order are in order after.
func TestAddKeepsOrder(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	content := []byte("contratto")
	sd := parse(t, attached(t, pki.Signer(t, "p256"), content))
	for range 5 {
		id := pki.Signer(t, "p256")
		_, sd = written(t, sd, cms.Additions{
			Signers:  [][]byte{signerInfo(t, id, content)},
			Evidence: ades.Evidence{Certificates: id.Chain},
		})
		if !slices.IsSortedFunc(sd.RawCertificates, bytes.Compare) {
			t.Fatal("the certificates are out of order")
		}
	}
	if len(sd.Signers) != 6 {
		t.Fatalf("there are %d signers", len(sd.Signers))
	}
	for _, si := range sd.Signers {
		if err := si.Verify(sd.ContentDigest()); si.Certificate != nil && err != nil {
			t.Fatal(err)
		}
	}
}

// Counter-signatures of counter-signatures are made, read, and verify over the
// value they stand at, and nowhere else.
func TestCounterSignatures(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	sd := parse(t, attached(t, pki.Signer(t, "p256"), []byte("contratto")))
	path := []int{0}
	for level := 1; ; level++ {
		target, err := sd.Signature(path)
		if err != nil {
			t.Fatal(err)
		}
		id := pki.Signer(t, []string{"p384", "rsa2048-pss", "ed25519", "p256"}[level%4])
		p, err := cms.PrepareCounter(target, id.Options(id.Hash()))
		if level > 4 {
			if cms.KindOf(err) != cms.Limit {
				t.Fatalf("level %d gives %v", level, err)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		info, err := p.SignerInfo(id.Sign(t, p), nil)
		if err != nil {
			t.Fatal(err)
		}
		more := cms.Additions{Evidence: ades.Evidence{Certificates: append(id.Chain, id.Certificate)},
			Attributes: []cms.Unsigned{{Path: path, Type: cms.OIDCounterSignature, Value: info}}}
		_, sd = written(t, sd, more)
		path = append(path, 0)
		si, err := sd.Signature(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := si.Verify(nil); err != nil || !si.IsCounterSignature() || si.ContentType != nil {
			t.Fatalf("level %d: %v", level, err)
		}
		si.SignatureValue, target.SignatureValue = nil, nil
		if err := si.Verify(nil); cms.KindOf(err) != cms.BadSignature {
			t.Fatalf("level %d, no value: %v", level, err)
		}
		sd = parse(t, mustWrite(t, sd)) // as it was
	}
	deepest, err := sd.Signature(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sd.Add(cms.Additions{Attributes: []cms.Unsigned{{Path: path, Type: cms.OIDCounterSignature, Value: signerInfo(t, pki.Signer(t, "p256"), deepest.SignatureValue)}}})
	if cms.KindOf(err) != cms.Limit {
		t.Errorf("a level too many gives %v", err)
	}
	if _, err := sd.Signature([]int{0, 0, 1}); cms.KindOf(err) != cms.BadOptions {
		t.Errorf("a path to nowhere gives %v", err)
	}
}

func mustWrite(t testing.TB, sd *cms.SignedData) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := sd.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A signature of the same octets as a document is no counter-signature, and one
// of another value is none either.
func TestCounterSignatureIsHeldToItsPlace(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	sd := parse(t, attached(t, id, []byte("contratto")))
	value := sd.Signers[0].SignatureValue
	other := parse(t, attached(t, id, []byte("altro"))).Signers[0]
	p, err := cms.PrepareCounter(other, id.Options(crypto.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := p.SignerInfo(id.Sign(t, p), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, info := range map[string][]byte{"as a document": signerInfo(t, id, value), "another value": elsewhere} {
		_, sd := written(t, sd, cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDCounterSignature, Value: info}}})
		if err := sd.Signers[0].CounterSignatures[0].Verify(digestFunc(value)); cms.KindOf(err) != cms.Mismatch {
			t.Errorf("%s: %v", name, err)
		}
	}
}
