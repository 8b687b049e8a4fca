package etsireport_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/validate"
	"sigillo/formats/validate/etsireport"
)

// signed makes a B-T signature with all properties, and validates it.
func signed(t testing.TB, revoked bool) (validate.Report, []byte) {
	t.Helper()
	pki := cmstest.New(t)
	signer, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	now := time.Now().Truncate(time.Second)
	doc := []byte("the document")
	p, err := cades.Prepare(bytes.NewReader(doc), int64(len(doc)), cades.Options{Certificate: signer.Certificate, Chain: signer.Chain,
		Hash: crypto.SHA256, SigningTime: now.Add(-time.Hour), Timestamp: 16 << 10, Properties: ades.Properties{
			Commitments: []ades.Commitment{ades.ProofOfApproval}, ClaimedRoles: []string{"Sindaca \u0001 & <x>"}, Place: &ades.Place{City: "Trento", Country: "IT"}}})
	if err != nil {
		t.Fatal(err)
	}
	value := signer.Sign(t, &p.CMS)
	imprint, err := p.StampDigest(value, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), value, tsu.Stamp(t, crypto.SHA256, imprint, now.Add(-59*time.Minute))); err != nil {
		t.Fatal(err)
	}
	var entries []cmstest.Revoked
	if revoked {
		entries = append(entries, cmstest.Revoked{Certificate: signer.Certificate, At: now.Add(-2 * time.Hour), Reason: 1})
	}
	e := pki.Evidence(t, now.Add(-time.Minute), entries...)
	r, err := validate.Validate(bytes.NewReader(out.Bytes()), int64(out.Len()), "lettera.p7m", validate.Options{Anchors: []*x509.Certificate{pki.Root}, CRLs: e.CRLs, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	return r, out.Bytes()
}

// document is an XML report taken apart.
type document struct {
	names map[string]int // local names of the elements
	texts map[string][]string
	ids   []string
	refs  []string
}

func parse(t testing.TB, report []byte) document {
	t.Helper()
	d := document{names: map[string]int{}, texts: map[string][]string{}}
	dec := xml.NewDecoder(bytes.NewReader(report))
	var name string
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, report)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			name = e.Name.Local
			d.names[name]++
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "id":
					d.ids = append(d.ids, a.Value)
				case "VOReference":
					d.refs = append(d.refs, strings.Fields(a.Value)...)
				}
			}
		case xml.CharData:
			if s := strings.TrimSpace(string(e)); s != "" {
				d.texts[name] = append(d.texts[name], s)
			}
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	for _, revoked := range []bool{false, true} {
		r, file := signed(t, revoked)
		sum := sha256.Sum256(file)
		var out bytes.Buffer
		if err := etsireport.Write(&out, r, etsireport.Options{Document: sum[:]}); err != nil {
			t.Fatal(err)
		}
		if dir := os.Getenv("ETSIREPORT_OUT"); dir != "" { // to be looked at by other programs
			if err := os.WriteFile(dir+"/report-"+string(r.Indication)+".xml", out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d := parse(t, out.Bytes())
		d.check(t)
		want := map[string][]string{
			"MainIndication": {"urn:etsi:019102:mainindication:total-passed", "urn:etsi:019102:mainindication:passed"},
			"Role":           {"Sindaca [U+0001] & <x>"}, "Signer": {"Ada Test", "Test TSU"},
		}
		if revoked {
			want["MainIndication"][0] = "urn:etsi:019102:mainindication:indeterminate"
			want["SubIndication"] = []string{"urn:etsi:019102:subindication:REVOKED_NO_POE"}
			want["RevocationTime"] = []string{r.Signatures[0].Evidence[1].Revoked.UTC().Format(time.RFC3339)}
		}
		for name, texts := range want {
			if !slices.Equal(d.texts[name], texts) {
				t.Errorf("%s: %q, want %q", name, d.texts[name], texts)
			}
		}
		if d.names["ValidationObject"] != 4+2+1+1 { // certificates, lists, token, document
			t.Errorf("%d validation objects in\n%s", d.names["ValidationObject"], out.Bytes())
		}
	}
}

// check holds the report to what its schema cannot do without.
func (d document) check(t testing.TB) {
	t.Helper()
	slices.Sort(d.ids)
	if len(slices.Compact(slices.Clone(d.ids))) != len(d.ids) {
		t.Errorf("identifiers twice: %q", d.ids)
	}
	for _, ref := range d.refs {
		if !slices.Contains(d.ids, ref) {
			t.Errorf("nothing has the identifier %q", ref)
		}
	}
}

// A report that comes from JSON has no octets, and is still whole.
func TestFromJSON(t *testing.T) {
	t.Parallel()
	r, _ := signed(t, false)
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back validate.Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := etsireport.Write(&out, back, etsireport.Options{Namespace: etsireport.V121}); err != nil {
		t.Fatal(err)
	}
	if d := parse(t, out.Bytes()); d.names["ValidationObject"] != 7 || d.names["base64"] != 0 {
		t.Errorf("got\n%s", out.Bytes())
	} else {
		d.check(t)
	}
	if dir := os.Getenv("ETSIREPORT_OUT"); dir != "" {
		if err := os.WriteFile(dir+"/report-v121.xml", out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := etsireport.Write(io.Discard, validate.Report{}, etsireport.Options{}); err == nil {
		t.Error("an empty report is written")
	}
}
