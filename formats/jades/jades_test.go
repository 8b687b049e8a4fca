package jades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/jades"
)

var keyTypes = []string{"p256", "p384", "p521", "rsa2048", "rsa3072", "rsa2048-pss", "ed25519"}

var document = []byte("Il sottoscritto dichiara.\n")

func options(id *cmstest.Identity) jades.Options {
	return jades.Options{Certificate: id.Certificate, Chain: id.Chain, PSS: id.PSS, SigningTime: time.Now(), MediaType: "text/plain"}
}

// finish signs what was prepared, through JSON as if another process did.
func finish(t testing.TB, pki *cmstest.PKI, id *cmstest.Identity, first *jades.Prepared, doc []byte) []byte {
	t.Helper()
	var p jades.Prepared
	roundTrip(t, first, &p)
	r, size := bytes.NewReader(doc), int64(len(doc))
	input := p.DTBSR()
	if p.Scheme == cms.Ed25519 {
		dtbs, err := p.DTBSOf(r, size)
		if err != nil {
			t.Fatal(err)
		}
		input = dtbs
	}
	sig, err := id.Key.Sign(rand.Reader, input, p.Algorithm().SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	var token []byte
	if p.Timestamp > 0 {
		imprint, err := p.StampDigest(sig, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		token = pki.TSU(t, "p256").Stamp(t, crypto.SHA256, imprint, time.Now())
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, r, size, sig, token); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func roundTrip(t testing.TB, from, to any) {
	t.Helper()
	stored, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(stored, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func sign(t testing.TB, pki *cmstest.PKI, id *cmstest.Identity, o jades.Options, doc []byte) []byte {
	t.Helper()
	p, err := jades.Prepare(bytes.NewReader(doc), int64(len(doc)), o)
	if err != nil {
		t.Fatal(err)
	}
	return finish(t, pki, id, p, doc)
}

// stamped gives the tokens to the imprints and assembles, through JSON.
func stamped(t testing.TB, pki *cmstest.PKI, first *jades.Stamping, err error, file []byte) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var s jades.Stamping
	roundTrip(t, first, &s)
	var tokens [][]byte
	for _, imprint := range s.Imprints() {
		tokens = append(tokens, pki.TSU(t, "p256").Stamp(t, crypto.SHA256, imprint, time.Now()))
	}
	var out bytes.Buffer
	if err := s.Assemble(&out, bytes.NewReader(file), int64(len(file)), tokens); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// raise takes a file to a level.
func raise(t testing.TB, pki *cmstest.PKI, file []byte, to ades.Level, content []byte) []byte {
	t.Helper()
	e := ades.Extension{Evidence: pki.Evidence(t, time.Now())}
	if content != nil {
		e.Content, e.ContentSize = bytes.NewReader(content), int64(len(content))
	}
	if to.AtLeast(ades.BT) {
		s, err := jades.PrepareTimestamp(bytes.NewReader(file), int64(len(file)), e)
		file = stamped(t, pki, s, err, file)
	}
	if to.AtLeast(ades.BLT) {
		var out bytes.Buffer
		if err := jades.AddEvidence(&out, bytes.NewReader(file), int64(len(file)), e); err != nil {
			t.Fatal(err)
		}
		file = out.Bytes()
	}
	if to.AtLeast(ades.BLTA) {
		s, err := jades.PrepareArchive(bytes.NewReader(file), int64(len(file)), e)
		file = stamped(t, pki, s, err, file)
	}
	return file
}

func read(t testing.TB, file []byte) []*jades.Signature {
	t.Helper()
	sigs, err := jades.Signatures(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return sigs
}

// check verifies all signatures and the imprint of every time-stamp in them.
func check(t testing.TB, file []byte, level ades.Level, docs ...jades.Document) []*jades.Signature {
	t.Helper()
	sigs := read(t, file)
	for _, s := range sigs {
		if err := s.Verify(docs...); err != nil {
			t.Fatal(err)
		}
		if s.Level() != level || len(s.Missing(level)) > 0 {
			t.Fatalf("the level is %q, not %q; missing are %q", s.Level(), level, s.Missing(level))
		}
		for _, stamp := range s.Stamps(docs...) {
			token, err := cms.ParseToken(stamp.DER)
			if err != nil {
				t.Fatal(err)
			}
			if err := token.Verify(stamp.Imprint); err != nil {
				t.Fatalf("%s: %v", stamp.Kind, err)
			}
		}
	}
	return sigs
}

func doc(b []byte) jades.Document {
	return jades.Document{Name: "document", Reader: bytes.NewReader(b), Size: int64(len(b))}
}

// Every key, level, packaging and serialisation comes back as what was asked for.
func TestEveryForm(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, key := range keyTypes {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			id := pki.Signer(t, key)
			for _, packaging := range []jades.Packaging{jades.Enveloping, jades.Detached} {
				for _, serialization := range []jades.Serialization{jades.Compact, jades.Flattened, jades.General} {
					o := options(id)
					o.Packaging, o.Serialization = packaging, serialization
					file := sign(t, pki, id, o, document)
					for _, level := range []ades.Level{ades.BB, ades.BT, ades.BLT, ades.BLTA} {
						raised := raise(t, pki, file, level, document)
						s := check(t, raised, level, doc(document))[0]
						if !s.Certificate.Equal(id.Certificate) || s.Detached != (packaging == jades.Detached) {
							t.Fatalf("%s %s %s: read back wrong", packaging, serialization, level)
						}
						if p := s.Payload(); p != nil {
							if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, document) {
								t.Fatalf("the payload came out as %q, %v", got, err)
							}
						}
					}
				}
			}
		})
	}
}

func TestStampedAtOnceAndRenewed(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	o := options(id)
	o.Timestamp = 8000
	file := sign(t, pki, id, o, document)
	check(t, file, ades.BT)
	e := ades.Extension{Evidence: pki.Evidence(t, time.Now())}
	for range 3 {
		s, err := jades.PrepareArchive(bytes.NewReader(file), int64(len(file)), e)
		file = stamped(t, pki, s, err, file)
		check(t, file, ades.BLTA)
		e.Evidence = pki.Evidence(t, time.Now().Add(time.Minute))
	}
	stamps := read(t, file)[0].Stamps()
	if len(stamps) != 4 || stamps[3].Kind != ades.ArchiveStamp || len(stamps[3].Covers) <= len(stamps[2].Covers) {
		t.Fatalf("the renewals left %d time-stamps", len(stamps))
	}
}

func TestSeveralDocuments(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	one, two := doc([]byte("uno")), doc([]byte("due"))
	one.Name, two.Name = "uno.txt", "due%20tre.txt"
	for _, unencoded := range []bool{false, true} {
		o := options(id)
		o.Unencoded = unencoded
		p, err := jades.PrepareDetached([]jades.Document{one, two}, o)
		if err != nil {
			t.Fatal(err)
		}
		file := finish(t, pki, id, p, nil)
		found := two
		found.Name = "due tre.txt"
		check(t, file, ades.BB, found, one)
		s, err := jades.PrepareArchiveOf(bytes.NewReader(file), int64(len(file)), []jades.Document{two, one}, ades.Extension{Evidence: pki.Evidence(t, time.Now())})
		file = stamped(t, pki, s, err, file)
		for _, stamp := range read(t, file)[0].Stamps(one, two) {
			if token, err := cms.ParseToken(stamp.DER); err != nil || token.Verify(stamp.Imprint) != nil {
				t.Fatal("the archive time-stamp is over other data")
			}
		}
		if err := read(t, file)[0].Verify(one); err == nil {
			t.Fatal("a signature of two documents was verified with one")
		}
		one.Reader = strings.NewReader("UNO")
		if err := read(t, file)[0].Verify(one, two); jades.KindOf(err) != cms.Mismatch {
			t.Fatalf("a changed document gives %v", err)
		}
		one.Reader = strings.NewReader("uno")
	}
}

func TestParallelAndCounter(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, serialization := range []jades.Serialization{jades.Compact, jades.Flattened, jades.General} {
		a, b := pki.Signer(t, "p256"), pki.Signer(t, "ed25519")
		o := options(a)
		o.Serialization = serialization
		file := sign(t, pki, a, o, document)
		if serialization == jades.Flattened {
			file = raise(t, pki, file, ades.BT, nil)
		}
		p, err := jades.PrepareParallel(bytes.NewReader(file), int64(len(file)), nil, options(b))
		if err != nil {
			t.Fatal(err)
		}
		file = finish(t, pki, b, p, file)
		for i, form := range []jades.Serialization{jades.Compact, jades.Flattened} {
			o := options(b)
			o.Serialization = form
			p, err := jades.PrepareCounter(bytes.NewReader(file), int64(len(file)), i, o)
			if err != nil {
				t.Fatal(err)
			}
			file = finish(t, pki, b, p, file)
		}
		sigs := read(t, file)
		if len(sigs) != 2 {
			t.Fatalf("there are %d signatures", len(sigs))
		}
		for i, s := range sigs {
			if err := s.Verify(); err != nil {
				t.Fatal(err)
			}
			if len(s.Counters) != 1 {
				t.Fatalf("signature %d has %d counter-signatures", i, len(s.Counters))
			}
			if err := s.Counters[0].Verify(); err != nil {
				t.Fatal(err)
			}
			if missing := s.Counters[0].Missing(ades.BB); len(missing) > 0 {
				t.Fatalf("the counter-signature lacks %q", missing)
			}
		}
		raise(t, pki, file, ades.BLTA, nil)
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	o := options(id)
	imprint, err := jades.ContentImprint([]jades.Document{doc(document)}, o, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	o.Properties = ades.Properties{
		Commitments:   []ades.Commitment{ades.ProofOfApproval, ades.ProofOfOrigin},
		ClaimedRoles:  []string{"Sindaco", "<Notaio & \"testimone\">"},
		Place:         &ades.Place{Street: "Via Roma 1", City: "Forlì", Province: "FC", PostalCode: "47121", Country: "IT"},
		Policy:        &ades.Policy{OID: []int{1, 3, 6, 1, 4, 1, 99999, 2}, Hash: crypto.SHA256, Digest: bytes.Repeat([]byte{7}, 32), URI: "https://example.it/policy.pdf"},
		ContentStamps: [][]byte{pki.TSU(t, "p256").Stamp(t, crypto.SHA256, imprint, time.Now())},
	}
	got := check(t, sign(t, pki, id, o, document), ades.BB)[0]
	a, _ := json.Marshal(o.Properties)
	b, _ := json.Marshal(got.Properties)
	if !bytes.Equal(a, b) {
		t.Fatalf("the properties came back as\n%s, not\n%s", b, a)
	}
	if len(got.Stamps()) != 1 || got.Stamps()[0].Kind != ades.ContentStamp || got.ContentType != "text/plain" {
		t.Fatal("the content time-stamp or the media type was lost")
	}
}
