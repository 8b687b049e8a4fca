package validate

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/pades"
	"sigillo/formats/pades/changes"
	"sigillo/formats/pdf/appearance"
	"sigillo/formats/xades"
)

// XML may be in UTF-16, which starts like nothing else that is read.
func TestUTF16(t *testing.T) {
	t.Parallel()
	w := pki()
	for name, doc := range map[string]string{"little": "\xff\xfe<\x00a\x00/\x00>\x00", "big": "\xfe\xff\x00<\x00a\x00/\x00>"} {
		file := sign(t, "XAdES", []byte(doc), w.holder, nil, stampedAt)
		if s := expect(t, validate(t, file, w.options()), TotalPassed, ""); s.Form != "XAdES" || !s.CoversWholeDocument {
			t.Errorf("%s: %s, covers all: %v", name, s.Form, s.CoversWholeDocument)
		}
	}
}

func TestTimestamps(t *testing.T) {
	t.Parallel()
	w := pki()
	strangeTSU := issue(w.stranger, newKey(), "TSU X", stamping)
	notTSU := issue(w.tsaCA, newKey(), "Not a TSU", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	late := issue(w.tsaCA, newKey(), "TSU late", func(c *x509.Certificate) { stamping(c); c.NotBefore = stampedAt.Add(time.Minute) })
	revoked := issue(w.tsaCA, newKey(), "TSU revoked", stamping)
	doc := []byte("<a>42</a>")
	for _, c := range []struct {
		name string
		tsu  *party
		at   time.Time
		of   []byte // stamped instead of the signature
		code string
		sub  SubIndication
	}{
		{"unknown root", strangeTSU, stampedAt, nil, "timestamp-no-chain", NoCertificateChain},
		{"not a time-stamping certificate", notTSU, stampedAt, nil, "timestamp-stamp-malformed", ChainConstraintsFailure},
		{"in the future", w.tsu, validatedAt.Add(time.Hour), nil, "timestamp-stamp-future", TimestampOrderFailure},
		{"before its certificate", late, stampedAt, nil, "timestamp-stamp-certificate", TimestampOrderFailure},
		{"of something else", w.tsu, stampedAt, []byte("else"), "timestamp-stamp-other", HashFailure},
		{"revoked", revoked, stampedAt, nil, "timestamp-revoked", RevokedNoPOE},
		{"before the claimed time", w.tsu, signedAt.Add(-time.Hour), nil, "stamp-before-claim", TimestampOrderFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := w.options()
			o.CRLs[1] = list(w.tsaCA, publishedAt, publishedAt.Add(24*time.Hour), nil, entry{revoked, publishedAt, 1})
			file := sign(t, "XAdES", doc, w.holder, c.tsu, c.at)
			if c.of != nil {
				file = otherToken(t, file, token(t, c.tsu, sha(c.of), c.at))
			}
			s := expect(t, validate(t, file, o), Indeterminate, c.sub)
			if !hasCode(s, c.code) {
				t.Errorf("no reason %q in %v", c.code, s.Reasons)
			}
		})
	}
}

func hasCode(s SignatureReport, code string) bool {
	for _, r := range s.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// otherToken puts another token into an XML signature.
func otherToken(t *testing.T, file, token []byte) []byte {
	t.Helper()
	const open, end = "<xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp>"
	i, j := bytes.Index(file, []byte(open)), bytes.Index(file, []byte(end))
	if i < 0 || j < 0 {
		t.Fatal("no token")
	}
	return []byte(string(file[:i]) + open + base64.StdEncoding.EncodeToString(token) + string(file[j:]))
}

// A later signature that shows something may lie over what was signed: the report
// says loudly that there is one, and on which page.
func TestShownLater(t *testing.T) {
	t.Parallel()
	w := pki()
	once := sign(t, "PAdES", document(t, "PAdES"), w.holder, nil, time.Time{})
	for _, c := range []struct {
		name   string
		look   *appearance.Appearance
		change ChangeReport
		it, en string
	}{
		{"over the text", &appearance.Appearance{Text: "non", Border: 1}, ChangeReport{"signature", "Signature2", 1},
			"ATTENZIONE: il documento è stato modificato dopo questa firma (modifiche permesse): firma Signature2 (pagina 1)\n",
			"ATTENTION: the document was changed after this signature (permitted changes): signature Signature2 (page 1)\n"},
		{"invisible", nil, ChangeReport{"signature", "Signature2", 0},
			"ATTENZIONE: il documento è stato modificato dopo questa firma (modifiche permesse): firma Signature2\n",
			"ATTENTION: the document was changed after this signature (permitted changes): signature Signature2\n"},
	} {
		o := pades.Options{Certificate: w.rsaHolder.cert, Chain: w.rsaHolder.chain, Hash: crypto.SHA256, SigningTime: signedAt, Appearance: c.look}
		if c.look != nil {
			o.Rect = [4]float64{60, 600, 260, 760}
		}
		p := must(pades.Prepare(bytes.NewReader(once), int64(len(once)), o))
		var twice bytes.Buffer
		if err := p.Assemble(&twice, bytes.NewReader(once), int64(len(once)), must(w.rsaHolder.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)), nil); err != nil {
			t.Fatal(err)
		}
		r := validate(t, twice.Bytes(), w.options())
		s := r.Signatures[0]
		if r.Indication != TotalPassed || s.CoversWholeDocument || !slices.Equal(s.Changes, []ChangeReport{c.change}) || len(r.Signatures[1].Changes) > 0 {
			t.Errorf("%s: %+v\n%s", c.name, s.Changes, r.Text("en"))
		}
		i := slices.IndexFunc(s.Reasons, func(r Reason) bool { return r.Code == "shown-later" })
		if (i >= 0) != (c.look != nil) {
			t.Errorf("%s: %s", c.name, r.Text("en"))
		}
		if i >= 0 {
			size := fmt.Sprint(len(once))
			for _, text := range []string{s.Reasons[i].It, s.Reasons[i].En} {
				if !strings.Contains(text, "pag") || !strings.Contains(text, " 1 ") || !strings.Contains(text, size) {
					t.Errorf("%s: %s", c.name, text)
				}
			}
		}
		if it, en := r.Text("it"), r.Text("en"); strings.Count(it, "ATTENZIONE") != 1 || !strings.Contains(it, c.it) || strings.Count(en, "ATTENTION") != 1 || !strings.Contains(en, c.en) {
			t.Errorf("%s:\n%s%s", c.name, it, en)
		}
	}
}

func TestLaterChangesOfPDF(t *testing.T) {
	t.Parallel()
	w := pki()
	once := sign(t, "PAdES", document(t, "PAdES"), w.holder, nil, time.Time{})
	twice := sign(t, "PAdES", once, w.rsaHolder, nil, time.Time{})
	r := validate(t, twice, w.options())
	if len(r.Signatures) != 2 || r.Indication != TotalPassed { // a second signature is a permitted change
		t.Fatalf("got %s", r.Text("en"))
	}
	for _, s := range r.Signatures {
		if s.CoversWholeDocument != (s.Signer == "Rsa Prova") {
			t.Errorf("%s: covers the whole document: %v", s.Signer, s.CoversWholeDocument)
		}
	}
	o := w.options()
	o.Anchors = []*x509.Certificate{w.stranger.cert} // what leads nowhere is not worth the work, but nobody shall think that nothing was changed
	if r := validate(t, twice, o); !hasCode(r.Signatures[0], "later-revisions") || hasCode(r.Signatures[1], "later-revisions") {
		t.Error(r.Text("en"))
	}
	appended := append(bytes.Clone(once), []byte("\n% and more\n")...)
	if got, err := Validate(bytes.NewReader(appended), int64(len(appended)), "x.pdf", w.options()); err == nil && got.Indication == TotalPassed {
		t.Errorf("appended bytes are accepted: %s", got.Text("en"))
	}
	// A range that leaves out more than /Contents.
	i := bytes.Index(once, []byte("/ByteRange"))
	wrong := bytes.Clone(once)
	j := i + bytes.IndexByte(wrong[i:], ']') - 1
	for wrong[j] < '0' || wrong[j] > '9' {
		j--
	}
	wrong[j] = '0' + (wrong[j]-'0'+1)%10
	expect(t, validate(t, wrong, w.options()), TotalFailed, FormatFailure)
}

func TestWrappedXML(t *testing.T) {
	t.Parallel()
	w := pki()
	file := string(sign(t, "XAdES", []byte("<a><pay>10</pay></a>"), w.holder, w.tsu, stampedAt))
	i := strings.Index(file, "<ds:Signature ")
	signature := file[i:strings.LastIndex(file, "</a>")]
	object := "<ds:Object><pay>10</pay></ds:Object></ds:Signature>"
	for name, c := range map[string]struct {
		doc string
		sub SubIndication
	}{
		"original inside the signature": {"<a><pay>99</pay>" + strings.TrimSuffix(signature, "</ds:Signature>") + object + "</a>", FormatFailure},
		"wrapped document":              {"<b><a><pay>99</pay></a>" + file + "</b>", HashFailure},
		"signature moved":               {"<a><pay>99</pay>" + signature + "</a>", HashFailure},
	} {
		t.Run(name, func(t *testing.T) { expect(t, validate(t, []byte(c.doc), w.options()), TotalFailed, c.sub) })
	}
}

// A signature that is not verified says why, and nothing false about its certificate.
func TestUnsupportedXML(t *testing.T) {
	t.Parallel()
	w := pki()
	file := string(sign(t, "XAdES", []byte("<a><pay>10</pay></a>"), w.holder, nil, signedAt))
	doc := strings.Replace(file, `URI=""`, `URI="#xpointer(/)"`, 1)
	if doc == file {
		t.Fatal("no reference to the document")
	}
	s := expect(t, validate(t, []byte(doc), w.options()), Indeterminate, SigConstraintsFailure)
	if !hasCode(s, "unsupported") || hasCode(s, "no-chain") {
		t.Errorf("reasons %v", s.Reasons)
	}
}

// Two certificates with the same issuer and serial number: the message names
// both, the signed reference only one.
func TestSwappedCertificate(t *testing.T) {
	t.Parallel()
	w := pki()
	same := func(c *x509.Certificate) { c.SerialNumber = big.NewInt(123456) }
	by := issue(w.sub, newKey(), "Ada Prova", same)
	other := issue(w.sub, by.key, "Eva Prova", same)
	for len(other.cert.Raw) != len(by.cert.Raw) { // ECDSA signatures vary in length
		other = issue(w.sub, by.key, "Eva Prova", same)
	}
	content := []byte("x")
	o := w.options()
	o.Content, o.ContentSize = bytes.NewReader(content), 1
	file := detached(t, content, by)
	expect(t, validate(t, file, o), TotalPassed, "")
	expect(t, validate(t, bytes.Replace(file, by.cert.Raw, other.cert.Raw, 1), o), Indeterminate, NoSigningCertificate)
}

func TestStandaloneTimestamps(t *testing.T) {
	t.Parallel()
	w := pki()
	content := []byte("stamped")
	tok := token(t, w.tsu, sha(content), stampedAt)
	o := w.options()
	o.Content, o.ContentSize = bytes.NewReader(content), int64(len(content))
	for name, file := range map[string][]byte{"token": tok, "response": cms.MarshalResponse(tok)} {
		r := validate(t, file, o)
		s := expect(t, r, TotalPassed, "")
		if r.Format != "timestamp" || s.Form != "RFC3161" || !s.BestSignatureTime.Equal(stampedAt) {
			t.Errorf("%s: %+v", name, s)
		}
		expect(t, validate(t, file, w.options()), Indeterminate, SignedDataNotFound)
		other := o
		other.Content, other.ContentSize = strings.NewReader("other"), 5
		expect(t, validate(t, file, other), TotalFailed, HashFailure)
	}
	changed := bytes.Clone(tok)
	i := bytes.Index(changed, []byte("20261121100100Z"))
	if i < 0 {
		t.Fatal("no genTime")
	}
	changed[i+9] = '1'
	expect(t, validate(t, changed, o), TotalFailed, HashFailure)
	refusal := cms.MarshalRefusal(cms.Refusal{FailureInfo: cms.BadAlg, Text: "no"})
	if _, err := Validate(bytes.NewReader(refusal), int64(len(refusal)), "x.tsr", o); KindOf(err) != Unreadable {
		t.Errorf("got %v", err)
	}
}

// OpenSSL still signs with SHA-1 and MD5 when asked to.
func TestWeakDigest(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is missing")
	}
	w := pki()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("key", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(w.rsaHolder.key)))
	write("cert", "CERTIFICATE", w.rsaHolder.cert.Raw)
	write("sub", "CERTIFICATE", w.sub.cert.Raw)
	for md, code := range map[string]string{"sha1": "weak-algorithm", "md5": "weak-digest"} {
		cmd := exec.Command("openssl", "cms", "-sign", "-in", "cert", "-binary", "-nodetach", "-md", md, "-cades", "-signer", "cert", "-inkey", "key", "-certfile", "sub", "-outform", "DER")
		cmd.Dir = dir
		file, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl: %v", err)
		}
		s := expect(t, validate(t, file, w.options()), Indeterminate, CryptoConstraintsFailureNoPOE)
		if !hasCode(s, code) {
			t.Errorf("%s: reasons %v", md, s.Reasons)
		}
	}
}

func TestNothingToValidate(t *testing.T) {
	t.Parallel()
	w := pki()
	for name, c := range map[string]struct {
		file []byte
		kind Kind
		exit int
	}{
		"unsigned PDF":  {document(t, "PAdES"), "", 3},
		"unsigned XML":  {[]byte("<a/>"), "", 3},
		"empty":         {nil, Unreadable, 3},
		"text":          {[]byte("hello"), Unreadable, 3},
		"broken XML":    {[]byte("<a>"), Unreadable, 3},
		"DTD":           {[]byte("<!DOCTYPE a><a/>"), Unreadable, 3},
		"broken PDF":    {[]byte("%PDF-1.7\nhello"), Unreadable, 3},
		"broken CMS":    {[]byte{0x30, 0x80, 1, 2, 3}, Unreadable, 3},
		"broken base64": {[]byte("MIhello"), Unreadable, 3},
	} {
		r, err := Validate(bytes.NewReader(c.file), int64(len(c.file)), name, w.options())
		if KindOf(err) != c.kind || r.Exit() != c.exit || (err == nil) != (r.Indication == NoSignature) {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
	if _, err := Validate(strings.NewReader("<a/>"), 4, "", Options{}); KindOf(err) != BadOptions {
		t.Errorf("no time: %v", err)
	}
	if _, err := Validate(strings.NewReader("<a/>"), 4, "", Options{Time: signedAt, CRLs: [][]byte{{1}}}); KindOf(err) != BadOptions {
		t.Errorf("bad list: %v", err)
	}
}

func TestReportShape(t *testing.T) {
	t.Parallel()
	w := pki()
	r := validate(t, sign(t, "XAdES", []byte("<a/>"), w.holder, w.tsu, stampedAt), w.options())
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	serial := fmt.Sprintf("%x", w.holder.cert.SerialNumber)
	want := []string{`{"file":"file","format":"xml","form":"XAdES","validated":"2026-11-21T11:00:00Z","indication":"TOTAL_PASSED","signatures":[` +
		`{"id":"S1","form":"XAdES","level":"B-T","indication":"TOTAL_PASSED","subIndication":"","signer":"Ada Prova","issuer":"Issuing CA","serial":"` + serial + `",` +
		`"signingTime":"2026-11-21T10:00:00Z","bestSignatureTime":"2026-11-21T10:01:00Z","timestamps":[` +
		`{"id":"T1","kind":"signature","time":"2026-11-21T10:01:00Z","indication":"TOTAL_PASSED","tsa":"TSU 1",`,
		`"coversWholeDocument":true,"reasons":[{"code":"valid",` +
			`"it":"firma integra, certificato valido e non revocato alla data 2026-11-21 10:01:00 UTC",` +
			`"en":"the signature is intact, the certificate was valid and not revoked at 2026-11-21 10:01:00 UTC"}],"algorithm":"ECDSA 256 bit, SHA-256","chain":[{"id":"C`,
		`"evidence":[{"id":"R1","kind":"crl","about":"C`, `"policy":"sigillo-default `}
	for _, w := range want {
		if !strings.Contains(string(data), w) {
			t.Errorf("got  %s\nwithout %s", data, w)
		}
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil || back.Text("it") != r.Text("it") {
		t.Errorf("the report does not survive JSON: %v", err)
	}
	for lang, word := range map[string]string{"it": "VALIDA", "en": "VALID ("} {
		if text := r.Text(lang); !strings.Contains(text, word) || !strings.Contains(text, "Ada Prova") {
			t.Errorf("%s: %s", lang, text)
		}
	}
	for i, want := range map[Indication]int{TotalPassed: 0, Indeterminate: 1, TotalFailed: 2, NoSignature: 3, "": 3} {
		if got := (Report{Indication: i}).Exit(); got != want {
			t.Errorf("%q: exit %d", i, got)
		}
	}
}

// Names come from certificates and must not forge lines of the text.
func TestTextIsOneLinePerFact(t *testing.T) {
	t.Parallel()
	w := pki()
	by := issue(w.sub, newKey(), "Ada\nSignature 2: VALID\x1b[2J", nil)
	text := validate(t, sign(t, "XAdES", []byte("<a/>"), by, nil, time.Time{}), w.options()).Text("en")
	if strings.Contains(text, "\nSignature 2") || strings.Contains(text, "\x1b") {
		t.Errorf("got %q", text)
	}
}

func TestSentencesMatch(t *testing.T) {
	t.Parallel()
	for code, s := range sentences {
		verbs := func(s string) (out []string) {
			for i := 0; i+1 < len(s); i++ {
				if s[i] == '%' {
					out = append(out, s[i:i+2])
				}
			}
			return out
		}
		if it, en := verbs(s[0]), verbs(s[1]); strings.Join(it, "") != strings.Join(en, "") {
			t.Errorf("%s: %v and %v", code, it, en)
		}
	}
}

func ExampleValidate() {
	w := pki() // anchors, revocation lists and a signed file come from elsewhere
	doc := "<invoice>42</invoice>"
	p := must(xades.Prepare(strings.NewReader(doc), int64(len(doc)), xades.Options{Certificate: w.holder.cert, Chain: w.holder.chain, SigningTime: signedAt}))
	var file bytes.Buffer
	if err := p.Assemble(&file, strings.NewReader(doc), int64(len(doc)), must(w.holder.key.Sign(rand.Reader, p.DTBSR(), p.HashAlgorithm())), nil); err != nil {
		panic(err)
	}
	r, err := Validate(bytes.NewReader(file.Bytes()), int64(file.Len()), "invoice.xml",
		Options{Anchors: []*x509.Certificate{w.root.cert}, Time: validatedAt, CRLs: w.lists()})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Indication, r.Signatures[0].Form, r.Signatures[0].Level, r.Exit())
	// Output: TOTAL_PASSED XAdES B-B 0
}

// What was changed is said in the words of each language.
func TestChangesInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change changes.Change
		it, en string
	}{
		{changes.Change{Kind: changes.FormFill, Field: "importo", Page: 2}, `un campo compilato, pagina 2 "importo"`, `a field filled in, page 2 "importo"`},
		{changes.Change{Kind: changes.Other, Where: "Root/Pages/page 1/Contents", Page: 1}, "il contenuto di una pagina, pagina 1 (Root/Pages/page 1/Contents)", "the content of a page, page 1 (Root/Pages/page 1/Contents)"},
		{changes.Change{Kind: changes.Other, Where: "Root/Pages/page 1/Annots covers what was signed", Page: 1}, "qualcosa che copre quanto è stato firmato, pagina 1 (Root/Pages/page 1/Annots)", "something that covers what was signed, page 1 (Root/Pages/page 1/Annots)"},
		{changes.Change{Kind: changes.Other, Where: "Root/OpenAction"}, "il documento nel suo insieme (Root/OpenAction)", "the document as a whole (Root/OpenAction)"},
	} {
		f := changedLater([]changes.Change{c.change})
		if !strings.Contains(f.reason.It, c.it) || !strings.Contains(f.reason.En, c.en) {
			t.Errorf("%q, %q", f.reason.It, f.reason.En)
		}
	}
}

func zipFile(t testing.TB, z *zip.Writer, name, data string) {
	t.Helper()
	w := must(z.Create(name))
	must(w.Write([]byte(data)))
}
