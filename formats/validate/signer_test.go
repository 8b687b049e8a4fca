package validate

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/validate/policy"
	"sigillo/formats/xades"
)

// signWith makes a .p7m with properties.
func signWith(t testing.TB, doc []byte, by *party, p ades.Properties) []byte {
	t.Helper()
	claimed := signedAt
	if by.cert.NotAfter.Before(claimed) {
		claimed = by.cert.NotAfter
	}
	s, err := cades.Prepare(bytes.NewReader(doc), int64(len(doc)), cades.Options{Certificate: by.cert, Chain: by.chain,
		Hash: crypto.SHA256, SigningTime: claimed, Properties: p})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), must(by.key.Sign(rand.Reader, s.DTBSR(), crypto.SHA256)), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A content time-stamp proves that the signature is younger: trouble that began
// before is certain then.
func TestContentStamps(t *testing.T) {
	t.Parallel()
	w := pki()
	doc := []byte("content")
	stamped := ades.Properties{ContentStamps: [][]byte{token(t, w.tsu, sha(doc), signedAt.Add(-time.Minute))}}
	short := issue(w.sub, newKey(), "Ada Prova", until(signedAt.Add(-time.Hour)))
	expired := w.options()
	expired.CRLs[2] = list(w.sub, signedAt.Add(-2*time.Hour), publishedAt.Add(day), nil)
	for _, c := range []struct {
		name string
		by   *party
		o    Options
		p    ades.Properties
		want Indication
		sub  SubIndication
		code string
	}{
		{"good", w.holder, w.options(), stamped, TotalPassed, "", "valid"},
		{"revoked before", w.holder, w.options(entry{w.holder, signedAt.Add(-time.Hour), 1}), stamped, TotalFailed, Revoked, "revoked"},
		{"revoked later", w.holder, w.options(entry{w.holder, signedAt, 1}), stamped, Indeterminate, RevokedNoPOE, "revoked"},
		{"revoked before, not stamped", w.holder, w.options(entry{w.holder, signedAt.Add(-time.Hour), 1}), ades.Properties{}, Indeterminate, RevokedNoPOE, "revoked"},
		{"expired before", short, expired, stamped, TotalFailed, Expired, "expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := expect(t, validate(t, signWith(t, doc, c.by, c.p), c.o), c.want, c.sub)
			if !hasCode(s, c.code) {
				t.Errorf("no reason %q in %v", c.code, s.Reasons)
			}
			if len(s.Timestamps) != len(c.p.ContentStamps) || !s.BestSignatureTime.IsZero() || s.Level == "B-T" {
				t.Errorf("a content time-stamp proves nothing about the signature: %s %v", s.Level, s.BestSignatureTime)
			}
		})
	}
}

func TestSignaturePolicies(t *testing.T) {
	t.Parallel()
	w := pki()
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 7}
	file := signWith(t, []byte("x"), w.holder, ades.Properties{Policy: &ades.Policy{OID: oid, Hash: crypto.SHA256, Digest: sha([]byte("policy"))},
		Commitments: []ades.Commitment{ades.ProofOfApproval}, ClaimedRoles: []string{"Sindaca"}, Place: &ades.Place{City: "Trento"}})
	strict := strings.Replace(string(policy.Text()), `unknown-signature-policy = "accept"`, `unknown-signature-policy = "indeterminate"`, 1)
	for _, c := range []struct {
		name, rules string
		want        Indication
		sub         SubIndication
		code        string
	}{
		{"accepted", string(policy.Text()), TotalPassed, "", "policy-not-evaluated"},
		{"not available", strict, Indeterminate, SignaturePolicyNotAvailable, "unknown-policy"},
		{"known", strict + "\n[[signature-policy]]\noid = \"" + oid.String() + "\"\n", TotalPassed, "", "valid"},
		{"known, with this text", strict + "\n[[signature-policy]]\noid = \"" + oid.String() + "\"\nalgorithm = \"SHA-256\"\ndigest = \"" + hex.EncodeToString(sha([]byte("policy"))) + "\"\n", TotalPassed, "", "valid"},
		{"known, with another text", strict + "\n[[signature-policy]]\noid = \"" + oid.String() + "\"\nalgorithm = \"SHA-256\"\ndigest = \"00\"\n", Indeterminate, PolicyProcessingError, "policy-digest"},
	} {
		o := w.options()
		o.Policy = must(policy.Parse([]byte(c.rules)))
		s := expect(t, validate(t, file, o), c.want, c.sub)
		if !hasCode(s, c.code) {
			t.Errorf("%s: no reason %q in %v", c.name, c.code, s.Reasons)
		}
		p := s.Properties
		if p == nil || p.Policy != oid.String() || p.ClaimedRoles[0] != "Sindaca" || p.Place[0] != "Trento" || p.Commitments[0] != ades.ProofOfApproval.URI() {
			t.Errorf("%s: properties %+v", c.name, p)
		}
	}
}

// counterSigned adds a counter-signature to a file.
func counterSigned(t *testing.T, form string, file []byte, by *party) []byte {
	t.Helper()
	var p prepared
	var err error
	if form == "CAdES" {
		p, err = cades.PrepareCounter(bytes.NewReader(file), int64(len(file)), []int{0}, cades.Options{Certificate: by.cert, Chain: by.chain, Hash: crypto.SHA256, SigningTime: signedAt})
	} else {
		p, err = xades.PrepareCounter(bytes.NewReader(file), int64(len(file)), 0, xades.Options{Certificate: by.cert, Chain: by.chain, Hash: crypto.SHA256, SigningTime: signedAt})
	}
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, bytes.NewReader(file), int64(len(file)), must(by.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCounterSignatures(t *testing.T) {
	t.Parallel()
	w := pki()
	other := issue(w.sub, newKey(), "Eva Prova", nil)
	for _, form := range []string{"CAdES", "XAdES"} {
		file := counterSigned(t, form, sign(t, form, document(t, form), w.holder, nil, time.Time{}), other)
		r := validate(t, file, w.options())
		if r.Indication != TotalPassed || len(r.Signatures) != 2 {
			t.Fatalf("%s: %s", form, r.Text("en"))
		}
		first, second := r.Signatures[0], r.Signatures[1]
		if first.ID != "S1" || first.Parent != "" || second.ID != "S1-C1" || second.Parent != "S1" || second.Signer != "Eva Prova" || second.CoversWholeDocument {
			t.Errorf("%s: got %s %s, %s %s", form, first.ID, first.Parent, second.ID, second.Parent)
		}
		if r = validate(t, file, w.options(entry{other, signedAt.Add(-time.Hour), 1})); r.Signatures[0].Indication != TotalPassed || r.Signatures[1].SubIndication != RevokedNoPOE {
			t.Errorf("%s: a revoked counter-signer: %s", form, r.Text("en"))
		}
	}
}

// One Validator serves many at once, and what it keeps from one file does not
// change the result of another.
func TestOneValidatorForAll(t *testing.T) {
	t.Parallel()
	w := pki()
	good := sign(t, "CAdES", []byte("x"), w.holder, w.tsu, stampedAt)
	revoked := issue(w.sub, newKey(), "Ada Revocata", nil)
	bad := sign(t, "CAdES", []byte("x"), revoked, nil, time.Time{})
	stranger := sign(t, "CAdES", []byte("x"), issue(w.stranger, newKey(), "Ada", nil), nil, time.Time{})
	v := must(New(w.options(entry{revoked, signedAt.Add(-time.Hour), 1})))
	var all sync.WaitGroup
	for i := range 24 {
		all.Add(1)
		go func() {
			defer all.Done()
			file := [][]byte{good, bad, stranger}[i%3]
			want := []SubIndication{"", RevokedNoPOE, NoCertificateChain}[i%3]
			r, err := v.Validate(context.Background(), Document{Data: bytes.NewReader(file), Size: int64(len(file)), Time: validatedAt})
			if err != nil || len(r.Signatures) != 1 || r.Signatures[0].SubIndication != want {
				t.Errorf("%d: %v %s", i, err, r.Text("en"))
			}
		}()
	}
	all.Wait()
}

func TestSeveralContents(t *testing.T) {
	t.Parallel()
	w := pki()
	file := detached(t, []byte("one"), w.holder)
	o := w.options()
	o.Contents = []Content{{Name: "a", Data: strings.NewReader("one"), Size: 3}, {Name: "b", Data: strings.NewReader("two"), Size: 3}}
	if _, err := Validate(bytes.NewReader(file), int64(len(file)), "f", o); KindOf(err) != BadOptions {
		t.Errorf("got %v", err)
	}
	objects := []xades.Object{{Name: "a.txt", Content: strings.NewReader("one"), Size: 3}, {Name: "b.txt", Content: strings.NewReader("two"), Size: 3}}
	p, err := xades.PrepareDetached(objects, xades.Options{Certificate: w.holder.cert, Chain: w.holder.chain, SigningTime: signedAt, Packaging: xades.Detached})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, nil, 0, must(w.holder.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		contents []Content
		want     Indication
		sub      SubIndication
	}{
		{[]Content{{Name: "a.txt", Data: strings.NewReader("one"), Size: 3}, {Name: "b.txt", Data: strings.NewReader("two"), Size: 3}}, TotalPassed, ""},
		{[]Content{{Name: "a.txt", Data: strings.NewReader("one"), Size: 3}, {Name: "b.txt", Data: strings.NewReader("tWo"), Size: 3}}, TotalFailed, HashFailure},
		{[]Content{{Name: "a.txt", Data: strings.NewReader("one"), Size: 3}, {Name: "c.txt", Data: strings.NewReader("two"), Size: 3}}, Indeterminate, SignedDataNotFound},
		{nil, Indeterminate, SignedDataNotFound},
	} {
		o.Contents = c.contents
		s := expect(t, validate(t, out.Bytes(), o), c.want, c.sub)
		if strings.Join(s.Covers, " ") != "a.txt b.txt" {
			t.Errorf("covers %q", s.Covers)
		}
	}
}

// A time-stamp put into the unsigned attributes by somebody else can cast doubt,
// but never prove anything: it has to be over this signature and of a trusted unit.
func TestForeignStampProvesNothing(t *testing.T) {
	t.Parallel()
	w := pki()
	revoked := w.options(entry{w.holder, stampedAt.Add(time.Hour), 1})
	file := sign(t, "XAdES", []byte("<a>42</a>"), w.holder, w.tsu, stampedAt.Add(2*time.Hour))
	revoked.Time = validatedAt.Add(day / 2)
	mine := issue(w.stranger, newKey(), "My TSU", stamping)
	x := must(xades.Signatures(file))[0]
	imprint := must(x.Stamps[0].Imprint(crypto.SHA256))
	for name, tok := range map[string][]byte{
		"of a stranger":   token(t, mine, imprint, stampedAt),
		"of another file": token(t, w.tsu, sha([]byte("else")), stampedAt),
		"changed time":    earlier(t, token(t, w.tsu, imprint, stampedAt.Add(2*time.Hour))),
	} {
		r := validate(t, otherToken(t, file, tok), revoked)
		if s := r.Signatures[0]; r.Indication == TotalPassed || !s.BestSignatureTime.IsZero() {
			t.Errorf("%s: %s", name, r.Text("en"))
		}
	}
}

// earlier changes the time in a token, without which it is right.
func earlier(t *testing.T, tok []byte) []byte {
	t.Helper()
	changed := bytes.Replace(tok, []byte("20261121120100Z"), []byte("20261121100100Z"), 1)
	if bytes.Equal(changed, tok) {
		t.Fatal("no genTime")
	}
	if _, err := cms.ParseToken(changed); err != nil {
		t.Fatal(err)
	}
	return changed
}

// A plain CMS signature does not name its certificate: it passes with a remark
// unless the policy wants AdES. Without signed attributes it never does, since the
// attributes of another signature could be its content.
func TestUnnamedCertificate(t *testing.T) {
	t.Parallel()
	w := pki()
	strict := w.options()
	rules := *policy.Default()
	rules.UnnamedCertificate = "indeterminate"
	strict.Policy = &rules
	p := must(cades.Prepare(strings.NewReader("the content"), 11, cades.Options{Certificate: w.holder.cert, Chain: w.holder.chain, Hash: crypto.SHA256, Plain: true}))
	var out bytes.Buffer
	if err := p.Assemble(&out, strings.NewReader("the content"), 11, must(w.holder.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)), nil); err != nil {
		t.Fatal(err)
	}
	plain := out.Bytes()
	s := expect(t, validate(t, plain, w.options()), TotalPassed, "")
	if !hasCode(s, "unbound") || s.Level != "" || !s.CoversWholeDocument {
		t.Errorf("level %q, covers %v, %v", s.Level, s.CoversWholeDocument, s.Reasons)
	}
	expect(t, validate(t, plain, strict), Indeterminate, SigConstraintsFailure)
	expect(t, validate(t, openSSL(t, w.holder, "-noattr"), w.options()), Indeterminate, SigConstraintsFailure)
	changed := bytes.Replace(plain, []byte("the content"), []byte("The content"), 1)
	if r := validate(t, changed, w.options()); r.Indication != TotalFailed {
		t.Errorf("changed: %s", r.Text("en"))
	}
}

// openSSL signs with openssl cms.
func openSSL(t *testing.T, by *party, options ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is missing")
	}
	dir := t.TempDir()
	key := must(x509.MarshalPKCS8PrivateKey(by.key))
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := append([]string{"cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-in", write("in", []byte("the content")),
		"-signer", write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: by.cert.Raw})),
		"-certfile", write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pki().sub.cert.Raw})),
		"-inkey", write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))}, options...)
	out, err := exec.Command("openssl", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
