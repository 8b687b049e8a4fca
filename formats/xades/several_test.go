package xades

import (
	"bytes"
	"crypto"
	"reflect"
	"strings"
	"testing"

	"sigillo/formats/ades"
)

// Any number of signers sign one document, each without regard to the others,
// and each signature can be raised.
func TestParallelSigners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := []byte("<?xml version='1.0' encoding='UTF-8'?>\n<contratto xmlns:x='urn:x'><parte x:n='1'/> testo</contratto>\n")
	for i, keyType := range []string{"p256", "rsa2048", "ed25519"} {
		doc = w.sign(t, doc, w.Signer(t, keyType), func(o *Options) { o.Parallel = true })
		sigs := good(t, doc, nil)
		if len(sigs) != i+1 || sigs[i].Coverage != CoversAllButSignatures {
			t.Fatalf("%d signatures, %s", len(sigs), sigs[i].Coverage)
		}
	}
	keep(t, w, "b.xml", doc)
	doc = w.raise(t, doc, ades.BLTA, w.extension(t))
	keep(t, w, "lta.xml", doc)
	for _, s := range good(t, doc, nil) {
		levels(t, &s, ades.BLTA)
	}
	// One of them alone.
	e := w.extension(t)
	e.Signatures = []int{1}
	s, err := PrepareArchive(bytes.NewReader(doc), int64(len(doc)), e)
	doc = w.stamped(t, s, err, doc)
	for i, s := range good(t, doc, nil) {
		if want := map[bool]int{false: 2, true: 3}[i == 1]; len(s.Stamps) != want {
			t.Errorf("signature %d has %d stamps", i, len(s.Stamps))
		}
	}
}

// A signature of all of a signed document is possible only where the first
// allows it, and closes the first for additions.
func TestSerialSigners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "p256")
	plain := w.sign(t, []byte("<a/>"), by, nil)
	for _, parallel := range []bool{false, true} {
		o := w.options(by)
		o.Parallel = parallel
		if _, err := Prepare(bytes.NewReader(plain), int64(len(plain)), o); KindOf(err) != AlreadySigned {
			t.Errorf("parallel %t: got %v", parallel, err)
		}
	}
	open := w.sign(t, []byte("<a/>"), by, func(o *Options) { o.Parallel = true })
	both := w.sign(t, open, w.Signer(t, "p256"), nil)
	keep(t, w, "doc.xml", both)
	sigs := good(t, both, nil)
	if len(sigs) != 2 || sigs[0].Coverage != CoversAllButSignatures || sigs[1].Coverage != CoversWhole {
		t.Fatalf("%d signatures", len(sigs))
	}
	e := w.extension(t)
	if _, err := PrepareTimestamp(bytes.NewReader(both), int64(len(both)), e); KindOf(err) != AlreadySigned {
		t.Errorf("raising the inner signature: %v", err)
	}
	e.Signatures = []int{1}
	s, err := PrepareTimestamp(bytes.NewReader(both), int64(len(both)), e)
	good(t, w.stamped(t, s, err, both), nil)
}

// Two signatures over different elements do not disturb each other.
func TestSignersOfParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := []byte(`<a><b Id="x"/><c Id="y">1</c></a>`)
	for _, id := range []string{"x", "y"} {
		doc = w.sign(t, doc, w.Signer(t, "p256"), func(o *Options) { o.Element = id })
	}
	keep(t, w, "doc.xml", doc)
	sigs, err := Signatures(doc)
	if err != nil || len(sigs) != 2 {
		t.Fatal(len(sigs), err)
	}
	for i, path := range []string{"/a/b", "/a/c"} {
		if err := sigs[i].Verify(); KindOf(err) != NotCovering || sigs[i].Covers[0].Path != path {
			t.Errorf("%v, %+v", err, sigs[i].Covers)
		}
	}
	if _, err := Prepare(bytes.NewReader(doc), int64(len(doc)), func() Options { o := w.options(w.Signer(t, "p256")); o.Element = "x"; return o }()); KindOf(err) != AlreadySigned {
		t.Errorf("again: %v", err)
	}
}

// A counter-signature is over the value of a signature, at any level of it.
func TestCounterSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, level := range map[string]ades.Level{"b": ades.BB, "t": ades.BT, "lta": ades.BLTA} {
		doc := w.raise(t, w.sign(t, []byte("<a>testo</a>"), w.Signer(t, "p384"), nil), level, w.extension(t))
		for _, keyType := range []string{"ed25519", "rsa2048"} {
			by := w.Signer(t, keyType)
			p, err := PrepareCounter(bytes.NewReader(doc), int64(len(doc)), 0, w.options(by))
			if err != nil {
				t.Fatal(err)
			}
			doc = finish(t, p, by, doc)
		}
		keep(t, w, name+".xml", doc)
		s := good(t, doc, nil)[0]
		if len(s.Countersignatures) != 2 || s.Countersignatures[1].Coverage != CoversSignature {
			t.Fatalf("%+v", s.Countersignatures)
		}
		e := w.extension(t)
		e.Evidence = w.Evidence(t, w.now.Add(1))
		st, err := PrepareArchive(bytes.NewReader(doc), int64(len(doc)), e)
		doc = w.stamped(t, st, err, doc)
		keep(t, w, name+"-raised.xml", doc)
		good(t, doc, nil)
	}
}

// A counter-signature moved to another signature is not one of it.
func TestCounterSignatureOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "p256")
	doc := []byte("<a/>")
	for range 2 {
		doc = w.sign(t, doc, w.Signer(t, "p256"), func(o *Options) { o.Parallel = true })
	}
	p, err := PrepareCounter(bytes.NewReader(doc), int64(len(doc)), 0, w.options(by))
	if err != nil {
		t.Fatal(err)
	}
	signed := string(finish(t, p, by, doc))
	counter := between(t, signed, "<xades:UnsignedProperties", "</xades:UnsignedProperties>")
	last := strings.LastIndex(signed, "</xades:QualifyingProperties>")
	moved := strings.Replace(signed[:last], counter, "", 1) + counter + signed[last:]
	sigs, err := Signatures([]byte(moved))
	if err != nil || len(sigs) != 2 || len(sigs[1].Countersignatures) != 1 {
		t.Fatalf("%v %d", err, len(sigs))
	}
	if err := sigs[1].Countersignatures[0].Verify(); KindOf(err) != Malformed {
		t.Errorf("got %v", err)
	}
}

// What is signed beside the document is read back, and content time-stamps are
// over what the signature covers.
func TestProperties(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "p256")
	policy := []byte("policy text")
	want := ades.Properties{
		Commitments:  []ades.Commitment{ades.ProofOfApproval, "http://example.it/commitment?a&b"},
		ClaimedRoles: []string{"Amministratore & «legale»", "second"},
		Place:        &ades.Place{Street: "Via Roma 1", City: "Città", Province: "PE", PostalCode: "65100", Country: "IT"},
		Policy:       &ades.Policy{OID: []int{1, 2, 3, 4}, Hash: crypto.SHA256, Digest: digestOf(crypto.SHA256, policy), URI: "http://example.it/policy.txt"},
	}
	for _, c := range packagings {
		o := w.options(by)
		c.change(&o)
		o.Properties = want
		imprint, err := ContentImprint(strings.NewReader(c.doc), int64(len(c.doc)), o, crypto.SHA384)
		if err != nil {
			t.Fatal(err)
		}
		o.Properties.ContentStamps = [][]byte{w.tsu.Stamp(t, crypto.SHA384, imprint, w.now.Add(-2*60e9))}
		p, err := Prepare(strings.NewReader(c.doc), int64(len(c.doc)), o)
		if err != nil {
			t.Fatal(err)
		}
		doc := finish(t, p, by, []byte(c.doc))
		if c.covers == CoversElements {
			continue
		}
		keep(t, w, c.name+".xml", doc)
		keep(t, w, "policy-urn:oid:1.2.3.4", policy)
		var files Files
		if c.covers == CoversFiles {
			files = OneFile(strings.NewReader(c.doc), int64(len(c.doc)))
			keep(t, w, o.Name, []byte(c.doc))
		}
		s := good(t, doc, files)[0]
		if got, want := s.Properties, o.Properties; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, want)
		}
	}
}

// The options that make no signature are refused.
func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "p256")
	doc := []byte(`<a><b Id="x"/><c Id="y"/><d ID="y"/></a>`)
	signed := w.sign(t, doc, by, func(o *Options) { o.Element = "x" })
	for name, c := range map[string]struct {
		doc    []byte
		change func(*Options)
		kind   Kind
	}{
		"parallel and enveloping":     {doc, func(o *Options) { o.Parallel, o.Packaging = true, Enveloping }, BadOptions},
		"unknown packaging":           {doc, func(o *Options) { o.Packaging = "x" }, BadOptions},
		"no such element":             {doc, func(o *Options) { o.Element = "z" }, BadOptions},
		"an Id twice":                 {doc, func(o *Options) { o.Element = "y" }, BadOptions},
		"element of a detached":       {doc, func(o *Options) { o.Element, o.Packaging = "x", Detached }, BadOptions},
		"internally without element":  {doc, func(o *Options) { o.Packaging = InternallyDetached }, BadOptions},
		"detached without name":       {doc, func(o *Options) { o.Packaging = Detached }, BadOptions},
		"control character in a role": {doc, func(o *Options) { o.Properties.ClaimedRoles = []string{"\x00"} }, BadOptions},
		"commitment of no kind":       {doc, func(o *Options) { o.Properties.Commitments = []ades.Commitment{"yes"} }, BadOptions},
		"policy without digest":       {doc, func(o *Options) { o.Properties.Policy = &ades.Policy{OID: []int{1, 2}} }, BadOptions},
		"part of a signature":         {signed, func(o *Options) { o.Element = only(t, signed).ID }, BadOptions},
		"style sheet lost":            {[]byte("<?xml-stylesheet href='x'?><a/>"), func(o *Options) { o.Packaging = EnvelopingXML }, Unsupported},
		"not XML":                     {[]byte("x"), func(o *Options) { o.Packaging = EnvelopingXML }, Malformed},
	} {
		o := w.options(by)
		c.change(&o)
		if _, err := Prepare(bytes.NewReader(c.doc), int64(len(c.doc)), o); KindOf(err) != c.kind {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
