package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sigillo/formats/validate"
	"sigillo/hsm"
	"sigillo/signing/remote"
)

// signDocRow is a row of the table in docs/csc.md.
type signDocRow struct {
	given, format, container, envelope string
	levels                             [4]string // "yes", or the parameter that is refused
}

var signDocLevels = [4]string{"B-B", "B-T", "B-LT", "B-LTA"}

// signDocTable reads it.
func signDocTable(t *testing.T) (rows []signDocRow) {
	t.Helper()
	text, err := os.ReadFile("../../docs/csc.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 8 || !strings.HasPrefix(cells[0], " document") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, signDocRow{cells[0], cells[1], cells[2], cells[3], [4]string(cells[4:])})
	}
	if len(rows) < 20 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	return rows
}

// signDocRig is a holder who has authorised documents to be signed.
type signDocRig struct {
	*testing.T
	h          *cscHouse
	credential string
	token      string
}

func newSignDocRig(t *testing.T, h *cscHouse, digests [][]byte) *signDocRig {
	c := h.cscHolder(t, hsm.P256, 50)
	s := &signDocRig{t, h, c.holder.Credential, ""}
	s.token = h.grant(t, c, h.holderID(t, c), remote.Order{Credential: s.credential, Hash: crypto.SHA256, Documents: true, Digests: digests})
	return s
}

// ask calls signDoc.
func (s *signDocRig) ask(given string, items []map[string]any) (status int, out struct {
	Error       string   `json:"error"`
	Description string   `json:"error_description"`
	Documents   []string `json:"DocumentWithSignature"`
	Signatures  []string `json:"SignatureObject"`
}) {
	s.Helper()
	body, err := json.Marshal(map[string]any{"credentialID": s.credential, given: items})
	if err != nil {
		s.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, s.h.url+"/csc/v2/signatures/signDoc", bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || json.Unmarshal(answer, &out) != nil {
		s.Fatal(err, string(answer))
	}
	return res.StatusCode, out
}

// registry asks the house about certificates that its lists are too old for.
type registry struct{ h *cscHouse }

func (o registry) OCSP(ctx context.Context, cert, _ *x509.Certificate) ([][]byte, error) {
	der, err := o.h.PKI.StatusOf(ctx, cert)
	return [][]byte{der}, err
}

func (registry) CRLs(context.Context, *x509.Certificate) ([][]byte, error) { return nil, nil }

func (registry) Issuers(context.Context, *x509.Certificate) ([]*x509.Certificate, error) {
	return nil, nil
}

// judged has a relying party validate a signature; content is what it is beside of, nil
// for nothing. It gives form and level.
func (s *signDocRig) judged(file []byte, content *validate.Content) (form, level string) {
	s.Helper()
	crls, err := s.h.PKI.CRLs(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	v, err := validate.New(validate.Options{Anchors: s.h.PKI.Roots(), CRLs: crls, Fetch: registry{s.h}})
	if err != nil {
		s.Fatal(err)
	}
	doc := validate.Document{Data: bytes.NewReader(file), Size: int64(len(file)), Name: "x", Time: time.Now()}
	if content != nil {
		doc.Contents = []validate.Content{*content}
	}
	report, err := v.Validate(s.Context(), doc)
	if err != nil || report.Indication != validate.TotalPassed || len(report.Signatures) != 1 {
		s.Fatalf("%v: %+v", err, report)
	}
	return report.Form, report.Signatures[0].Level
}

// TestCSCSignDoc proves the table in docs/csc.md: all that it promises is made and holds
// before a relying party, at the level that was asked for; all else is refused with the
// words that it says.
func TestCSCSignDoc(t *testing.T) {
	t.Parallel()
	rows := signDocTable(t)
	files := map[string][]byte{}
	for format, name := range map[string]string{"C": "lettera.docx", "X": "fattura.xml", "P": "contratto.pdf", "J": "lettera.docx"} {
		data, err := os.ReadFile(document(name))
		if err != nil {
			t.Fatal(err)
		}
		files[format] = data
	}
	h := newCSCHouse(t)
	for _, r := range rows {
		t.Run(strings.Trim(strings.Join([]string{r.given, r.format, r.container, r.envelope}, "-"), "-"), func(t *testing.T) {
			sum := sha256.Sum256(files[r.format])
			s := newSignDocRig(t, h, [][]byte{sum[:], sum[:], sum[:], sum[:]})
			var good []map[string]any
			var levels []string
			for i, cell := range r.levels {
				item := r.item(files[r.format], signDocLevels[i])
				if cell == "yes" {
					good, levels = append(good, item), append(levels, signDocLevels[i])
					continue
				}
				status, out := s.ask(r.given, []map[string]any{item})
				if status != http.StatusBadRequest || out.Error != "invalid_request" || out.Description != "Invalid parameter "+cell {
					t.Errorf("at %s: %d %s %s", signDocLevels[i], status, out.Error, out.Description)
				}
			}
			if len(good) > 0 {
				s.row(r, good, levels, files[r.format])
			}
		})
	}
}

// item is what a row sends.
func (r signDocRow) item(file []byte, level string) map[string]any {
	item := map[string]any{"signature_format": r.format, "conformance_level": "Ades-" + level, "signAlgo": "1.2.840.10045.4.3.2"}
	if r.given == "documents" {
		item["document"] = b64(file)
	} else {
		sum := sha256.Sum256(file)
		item["hashes"] = []string{b64(sum[:])}
	}
	if r.container != "" {
		item["container"] = r.container
	}
	if r.envelope != "" {
		item["signed_envelope_property"] = r.envelope
	}
	return item
}

// row has a row's signatures made, all levels at once, and judges them.
func (s *signDocRig) row(r signDocRow, items []map[string]any, levels []string, file []byte) {
	s.Helper()
	code, out := s.ask(r.given, items)
	beside := r.given == "documentDigests" || r.envelope == "Detached" && r.container == ""
	list := out.Documents
	if beside {
		list = out.Signatures
	}
	if code != http.StatusOK || len(list) != len(items) || len(out.Documents)+len(out.Signatures) != len(items) {
		s.Errorf("%+v: %d %s %s", r, code, out.Error, out.Description)
		return
	}
	for i, text := range list {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			s.Fatal(err)
		}
		var content *validate.Content
		if beside {
			content = &validate.Content{Name: fmt.Sprintf("document-%d", i+1), Data: bytes.NewReader(file), Size: int64(len(file))}
		}
		form, level := s.judged(data, content)
		if r.given == "documentDigests" && r.format == "P" {
			continue // a message alone has no level: TestCSCPAdESOfDigest puts one into a document
		}
		if level != levels[i] {
			s.Errorf("%+v: %s of level %s, want %s", r, form, level, levels[i])
		}
		if r.container != "" && !bytes.Contains(data[:100], []byte(strings.ToLower(r.container)+"+zip")) {
			s.Errorf("%+v: it is a %s and another container", r, form)
		}
	}
}

// layout writes a PDF with a signature field whose value has room for a message, as an
// application does that keeps its documents; from, to is where the message goes.
func layout(t *testing.T) (pdf []byte, from, to int) {
	t.Helper()
	const room = 32 << 10 // octets
	var b bytes.Buffer
	var at []int
	object := func(format string, a ...any) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), fmt.Sprintf(format, a...))
	}
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	object("<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] /SigFlags 3 >> >>")
	object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Resources << >> /Annots [4 0 R] >>")
	object("<< /Type /Annot /Subtype /Widget /FT /Sig /T (Firma) /V 5 0 R /P 3 0 R /Rect [0 0 0 0] /F 132 >>")
	object("<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /M (D:%s) /ByteRange [0 %-10s %-10s %-10s] /Contents <%s> >>",
		time.Now().UTC().Format("20060102150405Z"), "A", "B", "C", strings.Repeat("0", 2*room))
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>] >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, xref)
	pdf = b.Bytes()
	from = bytes.Index(pdf, []byte("/Contents <")) + len("/Contents ")
	to = from + 2*room + 2
	for name, n := range map[string]int{"A": from, "B": to, "C": len(pdf) - to} {
		i := bytes.Index(pdf, fmt.Appendf(nil, "%-10s", name))
		copy(pdf[i:], fmt.Appendf(nil, "%-10d", n))
	}
	return pdf, from, to
}

// TestCSCPAdESOfDigest: an application lays out a PDF, has the message of its signature
// made of the digest of its ByteRange alone, puts it in, and it is PAdES.
func TestCSCPAdESOfDigest(t *testing.T) {
	t.Parallel()
	pdf, from, to := layout(t)
	sum := sha256.New()
	sum.Write(pdf[:from])
	sum.Write(pdf[to:])
	digest := sum.Sum(nil)
	s := newSignDocRig(t, newCSCHouse(t), [][]byte{digest, digest})
	for _, want := range []string{"B-B", "B-T"} {
		code, out := s.ask("documentDigests", []map[string]any{{"hashes": []string{b64(digest)}, "hashAlgorithmOID": "2.16.840.1.101.3.4.2.1",
			"signature_format": "P", "conformance_level": "AdES-" + want, "signAlgo": "1.2.840.10045.4.3.2"}})
		if code != http.StatusOK || len(out.Signatures) != 1 {
			t.Fatalf("%d %s %s", code, out.Error, out.Description)
		}
		message, err := base64.StdEncoding.DecodeString(out.Signatures[0])
		if err != nil {
			t.Fatal(err)
		}
		signed := bytes.Clone(pdf)
		copy(signed[from+1:], hex.EncodeToString(message))
		form, level := s.judged(signed, nil)
		if !strings.EqualFold(form, "pades") || level != want {
			t.Errorf("%s of level %s, want %s", form, level, want)
		}
	}
}
