package pades_test

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

// stamp makes a document time-stamp as a TSA would be asked for it, by way of the JSON form.
func stamp(t testing.TB, doc []byte, tsu *cmstest.Identity, x ades.Extension,
	prepare func(doc []byte, x ades.Extension) (*pades.Stamping, error)) []byte {
	t.Helper()
	x.TokenSize = tokenRoom
	first, err := prepare(doc, x)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var s pades.Stamping
	if err := json.Unmarshal(stored, &s); err != nil {
		t.Fatal(err)
	}
	var tokens [][]byte
	for _, imprint := range s.Imprints() {
		tokens = append(tokens, tsu.Stamp(t, cms.HashByName(s.Hash), imprint, when))
	}
	var out bytes.Buffer
	if err := s.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), tokens); err != nil {
		t.Fatal(err)
	}
	if int64(out.Len()) != s.StampedSize() || !bytes.HasPrefix(out.Bytes(), doc) {
		t.Errorf("the stamped document has %d bytes, %d were announced, or it has changed", out.Len(), s.StampedSize())
	}
	return out.Bytes()
}

func timestamp(doc []byte, x ades.Extension) (*pades.Stamping, error) {
	return pades.PrepareTimestamp(bytes.NewReader(doc), int64(len(doc)), x)
}

func archive(doc []byte, x ades.Extension) (*pades.Stamping, error) {
	return pades.PrepareArchive(bytes.NewReader(doc), int64(len(doc)), x)
}

func addEvidence(t testing.TB, doc []byte, x ades.Extension) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := pades.AddEvidence(&out, bytes.NewReader(doc), int64(len(doc)), x); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(out.Bytes(), doc) {
		t.Error("bytes of the document have changed")
	}
	return out.Bytes()
}

// TestLevels raises a signature from B-B to a renewed B-LTA in every form of document.
func TestLevels(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	first, second := pki.Evidence(t, when), pki.Evidence(t, when.AddDate(0, 1, 0))
	second.OCSP = [][]byte{pki.OCSP(t, id.Certificate, when, when.AddDate(0, 0, 7), cmstest.Revoked{})}
	for name, doc := range documents(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bb := sign(t, doc, id, nil, nil)
			bt := stamp(t, bb, tsu, ades.Extension{}, timestamp)
			blt := addEvidence(t, bt, ades.Extension{Evidence: first})
			if again := addEvidence(t, blt, ades.Extension{Evidence: first}); !bytes.Equal(again, blt) {
				t.Errorf("evidence that is there was added again, %d bytes", len(again)-len(blt))
			}
			blta := stamp(t, blt, tsu, ades.Extension{Evidence: first, Hash: crypto.SHA512}, archive)
			renewed := stamp(t, blta, tsu, ades.Extension{Evidence: second}, archive)
			for i, data := range [][]byte{bb, bt, blt, blta, renewed} {
				levels := []ades.Level{ades.BB, ades.BT, ades.BLT, ades.BLTA, ades.BLTA}
				s := &document(t, data, "").Signatures()[0]
				if m := s.Missing(levels[i]); m != nil {
					t.Errorf("%s: %q is missing", levels[i], m)
				}
				if i < 3 && s.Missing(levels[i+1]) == nil {
					t.Errorf("%s: it is said to be %s", levels[i], levels[i+1])
				}
				if err := s.Verify(); err != nil {
					t.Errorf("%s: %v", levels[i], err)
				}
			}
			checkArchive(t, renewed, first, second)
			checkKept(t, doc, renewed, 4)
			checkTools(t, blta, 1, 2)
		})
	}
}

// checkArchive looks at the three document time-stamps of a renewed archive and at what each covers.
func checkArchive(t *testing.T, doc []byte, first, second ades.Evidence) {
	t.Helper()
	d := document(t, doc, "")
	list := d.Signatures()
	if len(list) != 4 {
		t.Fatalf("%d signatures and time-stamps, want 4", len(list))
	}
	stamps := list[0].Stamps()
	if len(stamps) != 3 {
		t.Fatalf("%d time-stamps, want 3", len(stamps))
	}
	covers := func(i int, der []byte) bool {
		return slices.ContainsFunc(stamps[i].Covers, func(b []byte) bool { return bytes.Equal(b, der) })
	}
	for i, want := range []struct{ first, second, stamp bool }{{}, {first: true, stamp: true}, {true, true, true}} {
		token, err := cms.ParseToken(stamps[i].DER)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.Verify(stamps[i].Imprint); err != nil || stamps[i].Kind != ades.DocumentStamp {
			t.Errorf("time-stamp %d, %s: %v", i, stamps[i].Kind, err)
		}
		if covers(i, first.CRLs[0]) != want.first || covers(i, second.OCSP[0]) != want.second || covers(i, stamps[0].DER) != want.stamp {
			t.Errorf("time-stamp %d covers %d things, and not those it should", i, len(stamps[i].Covers))
		}
		if !covers(i, list[0].Certificate().Raw) {
			t.Errorf("time-stamp %d does not cover the signer's certificate", i)
		}
	}
	e := list[0].Evidence()
	if len(e.CRLs) != 4 || len(e.OCSP) != 1 || len(e.Certificates) != 3 {
		t.Errorf("the evidence has %d lists, %d answers and %d certificates", len(e.CRLs), len(e.OCSP), len(e.Certificates))
	}
	for revision, crls := range map[int]int{list[1].Revision: -1, list[2].Revision: 2, list[3].Revision: 4} {
		dss, err := d.DSSAt(revision)
		if err != nil || crls < 0 != (dss == nil) || dss != nil && len(dss.CRLs) != crls {
			t.Errorf("the store of revision %d: %+v, %v", revision, dss, err)
		}
	}
}

// TestTimestampOnly: a document without any signature can have a time-stamp.
func TestTimestampOnly(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	doc := stamp(t, pdftest.Table(pdftest.Minimal(), ""), pki.TSU(t, "rsa2048"), ades.Extension{}, timestamp)
	list := signatures(t, doc)
	if len(list) != 1 || !list[0].IsTimestamp() || list[0].Covers != pades.WholeFile || len(list[0].Stamps()) != 0 {
		t.Fatalf("%+v", list)
	}
	if err := list[0].Verify(); err != nil {
		t.Error(err)
	}
	if list[0].Missing(ades.BB) == nil {
		t.Error("a time-stamp is said to be a signature")
	}
}

// TestSignatureStamp: the time-stamp in the message counts as well as one of the document.
func TestSignatureStamp(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	doc := sign(t, pdftest.Table(pdftest.Minimal(), ""), pki.Signer(t, "p256"), pki.TSU(t, "p256"), nil)
	s := signatures(t, doc)[0]
	if stamps := s.Stamps(); len(stamps) != 1 || stamps[0].Kind != ades.SignatureStamp || s.Missing(ades.BT) != nil {
		t.Errorf("%d time-stamps, %q", len(stamps), s.Missing(ades.BT))
	}
}

// TestVRI: entries for the chosen signatures, with the streams of the store itself.
func TestVRI(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	doc := sign(t, sign(t, pdftest.Table(pdftest.Minimal(), ""), id, nil, nil), id, nil, nil)
	first, second := pki.Evidence(t, when), pki.Evidence(t, when.AddDate(0, 1, 0))
	doc = addEvidence(t, doc, ades.Extension{Evidence: first, VRI: true, Signatures: []int{1}})
	doc = addEvidence(t, doc, ades.Extension{Evidence: second, VRI: true})
	list := signatures(t, doc)
	dss, err := document(t, doc, "").DSS()
	if err != nil || len(dss.VRI) != 2 || len(dss.CRLs) != 4 || len(dss.Certs) != 2 {
		t.Fatalf("%+v, %v", dss, err)
	}
	for i, crls := range []int{2, 4} {
		b := list[i].ByteRange
		contents, err := hex.DecodeString(string(doc[b[1]+1 : b[2]-1]))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha1.Sum(contents)
		v := dss.VRI[strings.ToUpper(hex.EncodeToString(sum[:]))]
		if len(v.CRLs) != crls || len(v.Certs) != 2 {
			t.Errorf("the entry of signature %d has %d lists and %d certificates", i, len(v.CRLs), len(v.Certs))
		}
	}
	for key, entry := range vriOf(t, doc) {
		if _, ok := entry.(pdf.Ref); !ok {
			t.Errorf("the entry %s is %T and no object of its own", key, entry)
		}
	}
	checkTools(t, doc, 2, 0)
}

// vriOf gives the entries as they are written.
func vriOf(t *testing.T, doc []byte) pdf.Dict {
	t.Helper()
	f := document(t, doc, "").File()
	catalog, err := f.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	dss, _, err := pdf.As[pdf.Dict](f, catalog["DSS"])
	if err != nil {
		t.Fatal(err)
	}
	vri, _, err := pdf.As[pdf.Dict](f, dss["VRI"])
	if err != nil || len(vri) == 0 {
		t.Fatal(vri, err)
	}
	return vri
}

// TestStoreIsWrittenAgain: the store comes after each signature that it serves, if only once.
func TestStoreIsWrittenAgain(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	x := ades.Extension{Evidence: pki.Evidence(t, when)}
	for name, doc := range map[string][]byte{
		"table":   pdftest.Table(formDocument(nil), ""),
		"streams": pdftest.Streams(formDocument(nil), "", 1, 3, 4),
		"direct":  pdftest.Table(formDocument(pdftest.Objects{1: "<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R/DSS<</CRLs[]>>>>"}), ""),
		"packed":  pdftest.Streams(formDocument(pdftest.Objects{1: "<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R/DSS 8 0 R>>", 8: "<</CRLs[]>>"}), "", 1, 8),
	} {
		one := addEvidence(t, sign(t, doc, id, tsu, nil), x)
		two := sign(t, one, id, tsu, nil)
		again := addEvidence(t, two, x)
		if len(again) == len(two) || len(again)-len(two) > 1500 {
			t.Errorf("%s: %d bytes were written after the second signature", name, len(again)-len(two))
		}
		if last := addEvidence(t, again, x); len(last) != len(again) {
			t.Errorf("%s: the store was written once more", name)
		}
		first := x
		first.Signatures = []int{0}
		if same := addEvidence(t, two, first); len(same) != len(two) {
			t.Errorf("%s: the store was written for a signature that has it", name)
		}
		checkTools(t, again, 2, 0)
	}
}

// TestForeignStore: what another program wrote into the store stays, also what is not known here.
func TestForeignStore(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	e := pki.Evidence(t, when)
	for name, catalog := range map[string]string{
		"indirect": "<</Type/Catalog/Pages 2 0 R/DSS 4 0 R>>",
		"direct":   "<</Type/Catalog/Pages 2 0 R/DSS<</Certs 5 0 R/X(y)/VRI<</ABCD<</Cert[6 0 R]/TU(D:20260102030405Z)>>>>>>>>",
	} {
		doc := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{
			1: catalog,
			4: "<</Certs 5 0 R/X(y)/VRI<</ABCD<</Cert[6 0 R]/TU(D:20260102030405Z)>>>>>>",
			5: "[6 0 R 99 0 R]",
			6: pdftest.Stream("/Filter/FlateDecode", pdftest.Deflate(e.Certificates[0].Raw)),
		}), "")
		out := addEvidence(t, doc, ades.Extension{Evidence: e})
		dss, err := document(t, out, "").DSS()
		if err != nil || len(dss.Certs) != 2 || len(dss.CRLs) != 2 || len(dss.VRI["ABCD"].Certs) != 1 || dss.VRI["ABCD"].Time.IsZero() {
			t.Errorf("%s: %+v, %v", name, dss, err)
		}
		if bytes.Count(out[len(doc):], []byte("/X (y)")) != 1 {
			t.Errorf("%s: an unknown entry was lost", name)
		}
	}
}

func TestStampingRefuses(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	tsu := pki.TSU(t, "p256")
	doc := pdftest.Table(pdftest.Minimal(), "")
	for name, x := range map[string]ades.Extension{
		"no size":     {},
		"huge size":   {TokenSize: 2 << 20},
		"weak digest": {TokenSize: tokenRoom, Hash: crypto.SHA1},
	} {
		if _, err := timestamp(doc, x); pades.KindOf(err) != pades.BadOptions {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := archive(doc, ades.Extension{TokenSize: tokenRoom, Evidence: pki.Evidence(t, when)})
	if err != nil {
		t.Fatal(err)
	}
	good := tsu.Stamp(t, crypto.SHA256, s.Imprint, when)
	for _, test := range []struct {
		name   string
		doc    []byte
		tokens [][]byte
		kind   pades.Kind
	}{
		{"good", doc, [][]byte{good}, ""},
		{"none", doc, nil, pades.BadOptions},
		{"two", doc, [][]byte{good, good}, pades.BadOptions},
		{"over something else", doc, [][]byte{tsu.Stamp(t, crypto.SHA256, make([]byte, 32), when)}, pades.BadSignature},
		{"no token", doc, [][]byte{[]byte("x")}, pades.BadSignature},
		{"changed document", bytes.Replace(doc, []byte("200 100"), []byte("200 900"), 1), [][]byte{good}, pades.Changed},
		{"longer document", append(bytes.Clone(doc), '\n'), [][]byte{good}, pades.Changed},
	} {
		err := s.Assemble(&bytes.Buffer{}, bytes.NewReader(test.doc), int64(len(test.doc)), test.tokens)
		if pades.KindOf(err) != test.kind || (err == nil) != (test.kind == "") {
			t.Errorf("%s: %v, want %q", test.name, err, test.kind)
		}
	}
	if err := (&pades.Stamping{}).Assemble(&bytes.Buffer{}, bytes.NewReader(doc), int64(len(doc)), [][]byte{good}); pades.KindOf(err) != pades.BadOptions {
		t.Errorf("empty: %v", err)
	}
}
