package validate

import (
	"archive/zip"
	"bytes"
	"crypto"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"sigillo/formats/cms"
	"sigillo/formats/ers"
)

// containerOf makes a ZIP file of names and contents in turn.
func containerOf(t testing.TB, parts ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for i := 0; i < len(parts); i += 2 {
		f := must(zw.CreateHeader(&zip.FileHeader{Name: parts[i], Method: zip.Store}))
		must(f.Write([]byte(parts[i+1])))
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// recordManifest names what an evidence record is over (EN 319 162-1 Annex A.4).
func recordManifest(record string, parts ...string) string {
	var b strings.Builder
	b.WriteString(`<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><asic:SigReference URI="` + record + `"/>`)
	for i := 0; i < len(parts); i += 2 {
		b.WriteString(`<asic:DataObjectReference URI="` + parts[i] + `"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>` +
			base64.StdEncoding.EncodeToString(sha([]byte(parts[i+1]))) + `</ds:DigestValue></asic:DataObjectReference>`)
	}
	return b.String() + `</asic:ASiCManifest>`
}

// The evidence record of a container is judged over what it is of: the document of an
// ASiC-S, the files that a manifest of an ASiC-E names.
func TestContainerRecords(t *testing.T) {
	t.Parallel()
	w := pki()
	const s, e = "application/vnd.etsi.asic-s+zip", "application/vnd.etsi.asic-e+zip"
	one := string(makeRecord(5)(t, []byte("uno"), w.tsu, stampedAt))
	both := string(first(t, must(ers.Prepare(crypto.SHA256, []ers.Group{{sha([]byte("uno")), sha([]byte("due"))}, {sha([]byte("tre"))}})), w.tsu, stampedAt))
	const ers1, manifest1 = "META-INF/evidencerecord001.ers", "META-INF/ASiCEvidenceRecordManifest001.xml"
	named := recordManifest(ers1, "a.txt", "uno", "b.txt", "due")
	for _, c := range []struct {
		name  string
		parts []string
		i     Indication
		sub   SubIndication
		code  string
	}{
		{"one document", []string{"mimetype", s, "a.txt", "uno", "META-INF/evidencerecord.ers", one}, TotalPassed, "", ""},
		{"changed", []string{"mimetype", s, "a.txt", "un0", "META-INF/evidencerecord.ers", one}, TotalFailed, HashFailure, ""},
		{"no record", []string{"mimetype", s, "a.txt", "uno", "META-INF/evidencerecord.ers", "x"}, TotalFailed, FormatFailure, ""},
		{"two documents", []string{"mimetype", e, "a.txt", "uno", "b.txt", "due", manifest1, named, ers1, both}, TotalPassed, "", ""},
		{"one of two changed", []string{"mimetype", e, "a.txt", "uno", "b.txt", "dve", manifest1, named, ers1, both}, TotalFailed, HashFailure, ""},
		{"the record of another", []string{"mimetype", e, "a.txt", "uno", "b.txt", "due", manifest1, named, ers1, one}, TotalFailed, HashFailure, ""},
		{"one that nobody names", []string{"mimetype", e, "a.txt", "uno", "b.txt", "due", "c.txt", "tre", manifest1, named, ers1, both}, Indeterminate, SigConstraintsFailure, "uncovered"},
		{"one missing", []string{"mimetype", e, "a.txt", "uno", manifest1, named, ers1, both}, Indeterminate, SignedDataNotFound, ""},
		{"no manifest", []string{"mimetype", e, "a.txt", "uno", ers1, one}, TotalFailed, FormatFailure, ""},
		{"one in XML beside", []string{"mimetype", s, "a.txt", "uno", "META-INF/evidencerecord.ers", one, "META-INF/evidencerecord.xml", "<x/>"}, TotalPassed, "", "record-unread"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := expect(t, validate(t, containerOf(t, c.parts...), w.options()), c.i, c.sub)
			if r.Form != "RFC4998" || c.code != "" && !hasCode(r, c.code) {
				t.Errorf("%s %v", r.Form, r.Reasons)
			}
			if c.i == TotalPassed && (len(r.Covers) == 0 || r.Covers[0] != "a.txt") {
				t.Errorf("over %v", r.Covers)
			}
		})
	}
	file := containerOf(t, "mimetype", s, "a.txt", "uno", "META-INF/evidencerecord.xml", "<x/>")
	if _, err := Validate(bytes.NewReader(file), int64(len(file)), "f", w.options()); KindOf(err) != Unreadable || !strings.Contains(err.Error(), "evidence record in XML") {
		t.Errorf("one in XML alone: %v", err)
	}
}

// An evidence record in a signature (RFC 4998 Appendix A) is not judged, and that is
// told.
func TestRecordInSignature(t *testing.T) {
	t.Parallel()
	w := pki()
	sd := must(cms.ParseBytes(sign(t, "CAdES", document(t, "CAdES"), w.holder, nil, signedAt), cms.Limits{}))
	for arc, code := range map[int]bool{49: true, 50: true, 51: false} {
		added := must(sd.Add(cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, arc}, Value: []byte{0x30, 0}}}}))
		var file bytes.Buffer
		if err := added.Write(&file); err != nil {
			t.Fatal(err)
		}
		if s := validate(t, file.Bytes(), w.options()).Signatures[0]; hasCode(s, "record-attribute") != code {
			t.Errorf("attribute %d: %v", arc, s.Reasons)
		}
	}
}

// Beside a signature the record is judged too, and a document that came with it is
// still signed by nobody; a signature in XML that carries one says so.
func TestRecordBesideSignature(t *testing.T) {
	t.Parallel()
	w := pki()
	doc := document(t, "")
	signed := sign(t, "ASiC-E/XAdES", doc, w.holder, nil, signedAt)
	record := string(makeRecord(1)(t, []byte("e altri 900000"), w.tsu, stampedAt))
	var parts []string
	for _, f := range must(zip.NewReader(bytes.NewReader(signed), int64(len(signed)))).File {
		text := string(must(io.ReadAll(must(f.Open()))))
		parts = append(parts, f.Name, strings.Replace(text, "</xades:QualifyingProperties>",
			"<xades:UnsignedProperties><xades:UnsignedSignatureProperties><x:SealingEvidenceRecords xmlns:x=\"http://uri.etsi.org/19132/v1.1.1#\"/></xades:UnsignedSignatureProperties></xades:UnsignedProperties></xades:QualifyingProperties>", 1))
	}
	const name = "META-INF/evidencerecord1.ers"
	parts = append(parts, "allegato.txt", "e altri 900000", name, record, "META-INF/ASiCEvidenceRecordManifest1.xml", recordManifest(name, "allegato.txt", "e altri 900000"))
	r := validate(t, containerOf(t, parts...), w.options())
	if len(r.Signatures) != 2 || r.Signatures[1].Form != "RFC4998" || r.Indication != Indeterminate {
		t.Fatal(r.Text("en"))
	}
	if s := r.Signatures[0]; !hasCode(s, "uncovered") || !hasCode(s, "record-attribute") || s.SubIndication != SigConstraintsFailure {
		t.Error(s.Reasons)
	}
}
