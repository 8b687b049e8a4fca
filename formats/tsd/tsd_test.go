package tsd_test

import (
	"bytes"
	"crypto"
	_ "crypto/sha512"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/der"
	"sigillo/formats/internal/ber"
	"sigillo/formats/tsd"
)

var start = time.Now().Add(-time.Hour).Truncate(time.Second)

// envelope makes a file; what was prepared rests as JSON in between.
func envelope(t testing.TB, tsu *cmstest.Identity, document string, o tsd.Options) []byte {
	t.Helper()
	p, err := tsd.Prepare(strings.NewReader(document), o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again tsd.Prepared
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := again.Assemble(&out, strings.NewReader(document), tsu.Stamp(t, o.Hash, p.Imprint, start)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// parse reads a file and checks all its stamps.
func parse(t testing.TB, b []byte, outside string) (*tsd.Data, error) {
	t.Helper()
	d, err := tsd.Parse(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range d.Evidence {
		token, err := cms.ParseToken(e.Token)
		if err != nil {
			return d, err
		}
		var open func() io.Reader
		if outside != "" {
			open = func() io.Reader { return strings.NewReader(outside) }
		}
		if err := token.Verify(d.Imprint(i, open)); err != nil {
			return d, err
		}
	}
	return d, nil
}

const document = "Contratto di prova"

func TestEnvelope(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	meta := tsd.Metadata{FileName: "contratto né corto né lungo.txt", MediaType: "text/plain"}
	protected := meta
	protected.Protected = true
	for name, o := range map[string]tsd.Options{
		"plain":     {Hash: crypto.SHA256},
		"described": {Hash: crypto.SHA512, Meta: &meta, URI: "file:contratto.txt"},
		"protected": {Hash: crypto.SHA384, Meta: &protected},
		"outside":   {Hash: crypto.SHA256, URI: "https://example.org/contratto.txt", Outside: true, Meta: &protected},
	} {
		b := envelope(t, tsu, document, o)
		d, err := parse(t, b, document)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.HasContent() == o.Outside || d.URI != o.URI || (o.Meta == nil) != (d.Meta == nil) || o.Meta != nil && (o.Meta.FileName != d.Meta.FileName || o.Meta.Protected != d.Meta.Protected || o.Meta.MediaType != d.Meta.MediaType) {
			t.Errorf("%s: read %+v", name, d)
		}
		if d.HasContent() {
			got, err := io.ReadAll(d.Content())
			at, err2 := d.ContentAt()
			part := make([]byte, 4)
			_, err3 := at.ReadAt(part, 3)
			if string(got) != document || string(part) != document[3:7] || err != nil || err2 != nil || err3 != nil {
				t.Errorf("%s: content %q %q, %v %v %v", name, got, part, err, err2, err3)
			}
		}
		changed := bytes.Replace(b, []byte("contratto né"), []byte("contratto nè"), 1)
		if _, err := parse(t, changed, document); !bytes.Equal(changed, b) && (err == nil) == (o.Meta.Protected) {
			t.Errorf("%s: another file name: %v", name, err)
		}
		if _, err := parse(t, bytes.Replace(b, []byte(document), []byte("contratto di prova"), 1), "altro"); err == nil {
			t.Errorf("%s: another document is taken", name)
		}
	}
}

// Each renewal is over the element before it, and any change below shows.
func TestRenew(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	tsu := pki.TSU(t, "p256")
	b := envelope(t, tsu, document, tsd.Options{Hash: crypto.SHA256, Meta: &tsd.Metadata{FileName: "a.txt", Protected: true}})
	for n := range 3 {
		d, err := parse(t, b, "")
		if err != nil || len(d.Evidence) != n+1 {
			t.Fatalf("after %d renewals: %d stamps, %v", n, len(d.Evidence), err)
		}
		at := start.Add(time.Duration(n+1) * time.Minute)
		r, err := d.Renew(crypto.SHA512, pki.Evidence(t, at))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := r.Assemble(&out, tsu.Stamp(t, crypto.SHA512, r.Imprint, at)); err != nil {
			t.Fatal(err)
		}
		b = out.Bytes()
	}
	d, err := parse(t, b, "")
	if err != nil {
		t.Fatal(err)
	}
	first, err := cms.ParseToken(d.Evidence[0].Token)
	if err != nil || len(first.Evidence().CRLs) == 0 {
		t.Fatalf("the evidence is not in the first token: %v", err)
	}
	// A list taken out of an older token is missed by the stamp above it.
	at := bytes.Index(b, first.Evidence().CRLs[0])
	b[at+len(first.Evidence().CRLs[0])-1] ^= 1
	if _, err := parse(t, b, ""); err == nil {
		t.Error("a change in the evidence of an older stamp is not seen")
	}
}

// pieces is the file as others write it: indefinite lengths, the document in pieces.
func pieces(t testing.TB, d *tsd.Data, document string) []byte {
	indefinite := func(tag byte, parts ...[]byte) []byte {
		return append(append([]byte{tag | ber.Constructed, 0x80}, bytes.Join(parts, nil)...), 0, 0)
	}
	var octets [][]byte
	for i := 0; i < len(document); i += 5 {
		octets = append(octets, der.TLV(der.Octets, []byte(document[i:min(i+5, len(document))])))
	}
	octets[0] = indefinite(ber.OctetTag, octets[0], der.TLV(der.Octets))
	var evidence [][]byte
	for _, e := range d.Evidence {
		evidence = append(evidence, indefinite(ber.Sequence, e.Token))
	}
	oid := []byte{0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x1f}
	return indefinite(ber.Sequence, oid, indefinite(ber.Context0, indefinite(ber.Sequence, []byte{2, 1, 1},
		indefinite(ber.OctetTag, octets...), indefinite(ber.Context0, evidence...))))
}

// BER of others is read, and written again as DER with a renewal.
func TestBER(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	text := strings.Repeat(document, 7)
	d, err := parse(t, envelope(t, tsu, text, tsd.Options{Hash: crypto.SHA256}), "")
	if err != nil {
		t.Fatal(err)
	}
	d, err = parse(t, pieces(t, d, text), "")
	if err != nil {
		t.Fatal(err)
	}
	at, err := d.ContentAt()
	if err != nil || d.ContentSize() != int64(len(text)) {
		t.Fatalf("%d octets, %v", d.ContentSize(), err)
	}
	for off := range len(text) {
		got := make([]byte, 11)
		n, err := at.ReadAt(got, int64(off))
		if want := text[off:min(off+11, len(text))]; string(got[:n]) != want || (n == 11) != (err == nil) {
			t.Fatalf("at %d: %q, %v, want %q", off, got[:n], err, want)
		}
	}
	r, err := d.Renew(crypto.SHA256, ades.Evidence{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.Assemble(&out, tsu.Stamp(t, crypto.SHA256, r.Imprint, start)); err != nil {
		t.Fatal(err)
	}
	if der, err := ber.Definite(out.Bytes()); err != nil || !bytes.Equal(der, out.Bytes()) {
		t.Fatalf("the renewed file is not DER: %v", err)
	}
	if again, err := parse(t, out.Bytes(), ""); err != nil || len(again.Evidence) != 2 {
		t.Fatal(err)
	}
}

// What cannot be written, or is not what it was, is refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	for name, o := range map[string]tsd.Options{
		"no digest":       {},
		"weak digest":     {Hash: crypto.SHA1},
		"no address":      {Hash: crypto.SHA256, Outside: true},
		"address":         {Hash: crypto.SHA256, URI: "città"},
		"media type":      {Hash: crypto.SHA256, Meta: &tsd.Metadata{MediaType: "testo\n"}},
		"name not UTF-8":  {Hash: crypto.SHA256, Meta: &tsd.Metadata{FileName: "\xff"}},
		"name with a NUL": {Hash: crypto.SHA256, Meta: &tsd.Metadata{FileName: "a\x00"}},
	} {
		if _, err := tsd.Prepare(strings.NewReader(document), o); tsd.KindOf(err) != cms.BadOptions {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := tsd.Prepare(strings.NewReader(document), tsd.Options{Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	token := tsu.Stamp(t, crypto.SHA256, p.Imprint, start)
	for name, text := range map[string]string{"shorter": document[1:], "longer": document + ".", "other": strings.ToUpper(document)} {
		if err := p.Assemble(io.Discard, strings.NewReader(text), token); tsd.KindOf(err) != cms.Mismatch {
			t.Errorf("%s document: %v", name, err)
		}
	}
	if err := p.Assemble(io.Discard, strings.NewReader(document), tsu.Stamp(t, crypto.SHA256, make([]byte, 32), start)); tsd.KindOf(err) != cms.Mismatch {
		t.Errorf("a time-stamp over something else: %v", err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "text": []byte("ciao"), "a token": token} {
		if _, err := tsd.Parse(bytes.NewReader(b), int64(len(b))); tsd.KindOf(err) != cms.NotCMS {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Any input is read to the end or refused with an error of this package.
func FuzzParse(f *testing.F) {
	tsu := cmstest.New(f).TSU(f, "p256")
	for _, o := range []tsd.Options{
		{Hash: crypto.SHA256},
		{Hash: crypto.SHA256, Meta: &tsd.Metadata{FileName: "a", MediaType: "b/c", Protected: true}, URI: "x:y"},
		{Hash: crypto.SHA256, Outside: true, URI: "x:y"},
	} {
		b := envelope(f, tsu, document, o)
		f.Add(b)
		if d, err := parse(f, b, document); err == nil && d.HasContent() {
			f.Add(pieces(f, d, document))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := tsd.Parse(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if tsd.KindOf(err) == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if d.HasContent() {
			all, err := io.ReadAll(d.Content())
			if err != nil || int64(len(all)) != d.ContentSize() {
				t.Fatalf("%d octets of %d: %v", len(all), d.ContentSize(), err)
			}
			at, err := d.ContentAt()
			if err != nil {
				t.Fatal(err)
			}
			again, err := io.ReadAll(io.NewSectionReader(at, 0, d.ContentSize()))
			if err != nil || !bytes.Equal(all, again) {
				t.Fatalf("random access gives other octets: %v", err)
			}
		}
		for i := range d.Evidence {
			if _, err := d.Imprint(i, nil)(crypto.SHA256); err != nil && tsd.KindOf(err) == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
		}
	})
}
