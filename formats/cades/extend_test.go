package cades_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"io"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

var text = []byte("Il sottoscritto dichiara.\n")

// place is where to sign: authorities, a time-stamping unit, a time.
type place struct {
	testing.TB
	*cmstest.PKI
	tsu *cmstest.Identity
	now time.Time
}

func at(t testing.TB) *place {
	pki := cmstest.New(t)
	return &place{t, pki, pki.TSU(t, "p256"), time.Now().Add(-time.Hour)}
}

func (p *place) options(id *cmstest.Identity, detached bool) cades.Options {
	return cades.Options{Certificate: id.Certificate, Chain: id.Chain, Hash: id.Hash(), PSS: id.PSS, SigningTime: p.now, Detached: detached}
}

// finish signs what was prepared, through JSON as if another process did.
func (p *place) finish(id *cmstest.Identity, first *cades.Prepared, err error, doc []byte) []byte {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
	var prepared cades.Prepared
	through(p, first, &prepared)
	sig := id.Sign(p, &prepared)
	var token []byte
	if prepared.Timestamp > 0 {
		imprint, err := prepared.StampDigest(sig, crypto.SHA256)
		if err != nil {
			p.Fatal(err)
		}
		token = p.tsu.Stamp(p, crypto.SHA256, imprint, p.now)
	}
	var out bytes.Buffer
	if err := prepared.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), sig, token); err != nil {
		p.Fatal(err)
	}
	if int64(out.Len()) > prepared.MaxSize() {
		p.Fatalf("%d bytes came out, MaxSize said %d", out.Len(), prepared.MaxSize())
	}
	return out.Bytes()
}

func through(t testing.TB, from, to any) {
	t.Helper()
	stored, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(stored, to); err != nil {
		t.Fatal(err)
	}
}

func (p *place) sign(key string, detached bool) []byte {
	p.Helper()
	id := p.Signer(p, key)
	prepared, err := cades.Prepare(bytes.NewReader(text), int64(len(text)), p.options(id, detached))
	return p.finish(id, prepared, err, text)
}

func (p *place) stamp(s *cades.Stamping, err error, doc []byte) []byte {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
	var again cades.Stamping
	through(p, s, &again)
	var tokens [][]byte
	for _, imprint := range again.Imprints() {
		tokens = append(tokens, p.tsu.Stamp(p, again.HashAlgorithm(), imprint, p.now))
	}
	var out bytes.Buffer
	if err := again.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), tokens); err != nil {
		p.Fatal(err)
	}
	return out.Bytes()
}

func (p *place) extension(detached bool) ades.Extension {
	e := ades.Extension{Evidence: p.Evidence(p, p.now)}
	if detached {
		e.Content, e.ContentSize = bytes.NewReader(text), int64(len(text))
	}
	return e
}

// raise takes a signed file to a level, step by step.
func (p *place) raise(doc []byte, level ades.Level, detached bool) []byte {
	p.Helper()
	e := p.extension(detached)
	if level.AtLeast(ades.BT) {
		s, err := cades.PrepareTimestamp(bytes.NewReader(doc), int64(len(doc)), e)
		doc = p.stamp(s, err, doc)
	}
	if level.AtLeast(ades.BLT) {
		var out bytes.Buffer
		if err := cades.AddEvidence(&out, bytes.NewReader(doc), int64(len(doc)), e); err != nil {
			p.Fatal(err)
		}
		doc = out.Bytes()
	}
	if level.AtLeast(ades.BLTA) {
		s, err := cades.PrepareArchive(bytes.NewReader(doc), int64(len(doc)), e)
		doc = p.stamp(s, err, doc)
	}
	return doc
}

// check verifies all signatures and time-stamps of a file and holds each
// signature to the level.
func (p *place) check(doc []byte, signatures int, level ades.Level) *cms.SignedData {
	p.Helper()
	sd, err := cms.ParseBytes(doc, cms.Limits{})
	if err != nil {
		p.Fatal(err)
	}
	digest := sd.ContentDigest()
	if !sd.HasContent() {
		digest = func(h crypto.Hash) ([]byte, error) { return sum(h, text), nil }
	}
	if len(sd.Signers) != signatures {
		p.Fatalf("there are %d signatures, not %d", len(sd.Signers), signatures)
	}
	for _, si := range sd.Signers {
		p.checkSignature(sd, si, digest)
		if missing := cades.Missing(sd, si, level); missing != nil {
			p.Errorf("the signature lacks %q", missing)
		}
		for i, higher := range []ades.Level{ades.BT, ades.BLT, ades.BLTA} {
			if i > 0 && !level.AtLeast(higher) && cades.Missing(sd, si, higher) == nil {
				p.Errorf("a signature of level %s is of level %s too", level, higher)
			}
		}
	}
	return sd
}

func (p *place) checkSignature(sd *cms.SignedData, si *cms.SignerInfo, digest func(crypto.Hash) ([]byte, error)) {
	p.Helper()
	if err := si.Verify(digest); err != nil {
		p.Error(err)
	}
	for _, s := range si.Stamps(digest) {
		token, err := cms.ParseToken(s.DER)
		if err != nil {
			p.Fatal(err)
		}
		if err := token.Verify(s.Imprint); err != nil {
			p.Errorf("%s time-stamp: %v", s.Kind, err)
		}
	}
	for _, c := range si.CounterSignatures {
		p.checkSignature(sd, c, nil)
		if missing := cades.Missing(sd, c, ades.BB); missing != nil {
			p.Errorf("the counter-signature lacks %q", missing)
		}
	}
}

// Signatures of each key are raised level by level, attached and detached, and
// their archive time-stamp is renewed.
func TestLevels(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"p256", "p384", "p521", "rsa2048", "rsa3072", "rsa2048-pss", "ed25519"} {
		for _, detached := range []bool{false, true} {
			t.Run(key+map[bool]string{true: "/detached"}[detached], func(t *testing.T) {
				t.Parallel()
				p := at(t)
				signed := p.sign(key, detached)
				for _, level := range []ades.Level{ades.BB, ades.BT, ades.BLT, ades.BLTA} {
					p.check(p.raise(signed, level, detached), 1, level)
				}
				e := p.extension(detached)
				e.Hash = crypto.SHA512
				e.Evidence.CRLs = [][]byte{p.CRL(t, p.CA, p.now.Add(time.Minute), p.now.AddDate(0, 1, 0))}
				doc := p.raise(signed, ades.BLTA, detached)
				s, err := cades.PrepareArchive(bytes.NewReader(doc), int64(len(doc)), e)
				sd := p.check(p.stamp(s, err, doc), 1, ades.BLTA)
				if len(sd.CRLs) != 3 || len(sd.Signers[0].UnsignedAttributes) != 3 {
					t.Errorf("after renewal there are %d CRLs and %d time-stamps", len(sd.CRLs), len(sd.Signers[0].UnsignedAttributes))
				}
			})
		}
	}
}

// Signers add themselves to a file, sign each other, and all of it is raised.
func TestParallelAndCounter(t *testing.T) {
	t.Parallel()
	for _, detached := range []bool{false, true} {
		p := at(t)
		doc := p.sign("p256", detached)
		second, third := p.Signer(t, "rsa2048"), p.Signer(t, "ed25519")
		o := p.options(second, false)
		o.Timestamp = 8000
		if detached {
			o.Content, o.ContentSize = bytes.NewReader(text), int64(len(text))
		}
		prepared, err := cades.PrepareParallel(bytes.NewReader(doc), int64(len(doc)), o)
		doc = p.finish(second, prepared, err, doc)
		p.check(doc, 2, ades.BB)
		for _, path := range [][]int{{0}, {1}, {0, 0}} {
			prepared, err := cades.PrepareCounter(bytes.NewReader(doc), int64(len(doc)), path, p.options(third, false))
			doc = p.finish(third, prepared, err, doc)
		}
		sd := p.check(doc, 2, ades.BB)
		if si, err := sd.Signature([]int{0, 0, 0}); err != nil || !si.Certificate.Equal(third.Certificate) {
			t.Errorf("the counter-signature of a counter-signature is not there: %v", err)
		}
		doc = p.raise(doc, ades.BLTA, detached)
		sd = p.check(doc, 2, ades.BLTA)
		for _, si := range sd.Signers {
			if len(si.Tokens) != 1 {
				t.Errorf("a signature has %d signature time-stamps", len(si.Tokens))
			}
		}
		if !detached {
			checkOpenSSL(t, p.PKI, doc, text)
			checkPKCS7(t, p.PKI, doc, text)
		}
		if _, err := cades.PrepareCounter(bytes.NewReader(doc), int64(len(doc)), []int{0, 0}, p.options(third, false)); cades.KindOf(err) != cms.Unsupported {
			t.Errorf("counter-signing under an archive time-stamp gives %v", err)
		}
		prepared, err = cades.PrepareCounter(bytes.NewReader(doc), int64(len(doc)), []int{1}, p.options(third, false))
		p.check(p.finish(third, prepared, err, doc), 2, ades.BLTA)
	}
}

// One signature of two is raised, the other stays as it is.
func TestChosenSignatures(t *testing.T) {
	t.Parallel()
	p := at(t)
	id := p.Signer(t, "p384")
	doc := p.sign("p256", false)
	prepared, err := cades.PrepareParallel(bytes.NewReader(doc), int64(len(doc)), p.options(id, false))
	doc = p.finish(id, prepared, err, doc)
	e := p.extension(false)
	e.Signatures = []int{1}
	s, err := cades.PrepareTimestamp(bytes.NewReader(doc), int64(len(doc)), e)
	sd := p.check(p.stamp(s, err, doc), 2, ades.BB)
	if len(sd.Signers[0].Tokens) != 0 || len(sd.Signers[1].Tokens) != 1 {
		t.Error("the wrong signature was stamped")
	}
}

// A signature over a digest alone is one over the document; a plain one has no
// level; a signed file is signed as the octets it is.
func TestOtherWays(t *testing.T) {
	t.Parallel()
	p := at(t)
	id := p.Signer(t, "rsa2048")
	prepared, err := cades.PrepareDigest(sum(crypto.SHA256, text), p.options(id, false))
	p.check(p.finish(id, prepared, err, nil), 1, ades.BB)

	o := p.options(id, false)
	o.Plain = true
	prepared, err = cades.Prepare(bytes.NewReader(text), int64(len(text)), o)
	plain := p.finish(id, prepared, err, text)
	checkPKCS7(t, p.PKI, plain, text)
	sd, err := cms.ParseBytes(plain, cms.Limits{})
	if err != nil || len(cades.Missing(sd, sd.Signers[0], ades.BB)) != 1 {
		t.Errorf("a plain signature lacks %q, %v", cades.Missing(sd, sd.Signers[0], ades.BB), err)
	}

	prepared, err = cades.Prepare(bytes.NewReader(plain), int64(len(plain)), p.options(id, false))
	outer := p.check(p.finish(id, prepared, err, plain), 1, ades.BB)
	if inner, err := io.ReadAll(outer.Content()); err != nil || !bytes.Equal(inner, plain) || !outer.InnerType().Equal(cms.OIDSignedData) {
		t.Errorf("the inner file came out as %v, %v", outer.InnerType(), err)
	}
}

// Nothing is prepared that could not be put into its file in the end: under an
// old archive time-stamp no certificates can be added, and a time-stamp token
// holds no document.
func TestFilesThatTakeNoSignature(t *testing.T) {
	t.Parallel()
	p := at(t)
	id := p.Signer(t, "p256")
	sd, err := cms.ParseBytes(p.sign("p256", false), cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	token := p.tsu.Stamp(t, crypto.SHA256, make([]byte, 32), p.now)
	sd, err = sd.Add(cms.Additions{Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDArchiveTimeStampV2, Value: token}}})
	if err != nil {
		t.Fatal(err)
	}
	var old bytes.Buffer
	if err := sd.Write(&old); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string][]byte{"old archive": old.Bytes(), "token": token} {
		if _, err := cades.PrepareParallel(bytes.NewReader(doc), int64(len(doc)), p.options(id, false)); cades.KindOf(err) != cms.Unsupported {
			t.Errorf("%s, one more signer: %v", name, err)
		}
	}
	if _, err := cades.PrepareCounter(bytes.NewReader(old.Bytes()), int64(old.Len()), []int{0}, p.options(id, false)); cades.KindOf(err) != cms.Unsupported {
		t.Errorf("old archive, counter-signature: %v", err)
	}
}

// A file, document or time-stamp other than was prepared is refused, whatever is
// raised or added.
func TestRaisingRefuses(t *testing.T) {
	t.Parallel()
	p := at(t)
	id := p.Signer(t, "p256")
	doc, other := p.sign("p256", true), p.sign("p256", true)
	r := func(b []byte) (*bytes.Reader, int64) { return bytes.NewReader(b), int64(len(b)) }
	in, n := r(doc)
	stamping, err := cades.PrepareTimestamp(in, n, ades.Extension{})
	if err != nil {
		t.Fatal(err)
	}
	token := p.tsu.Stamp(t, crypto.SHA256, stamping.Imprints()[0], p.now)
	late := p.tsu.Stamp(t, crypto.SHA256, stamping.Imprints()[0], time.Now().AddDate(20, 0, 0))
	wrong := p.tsu.Stamp(t, crypto.SHA256, make([]byte, 32), p.now)
	long := p.tsu.Stamp(t, crypto.SHA512, sum(crypto.SHA512, []byte("x")), p.now)
	for name, c := range map[string]struct {
		doc    []byte
		tokens [][]byte
		want   cades.Kind
	}{
		"no time-stamp":               {doc, nil, cms.Mismatch},
		"another file":                {other, [][]byte{token}, cms.Mismatch},
		"cut off":                     {doc[:len(doc)-1], [][]byte{token}, cms.Mismatch},
		"time-stamp over other data":  {doc, [][]byte{wrong}, cms.Mismatch},
		"time-stamp by other digest":  {doc, [][]byte{long}, cms.Mismatch},
		"time-stamp after the expiry": {doc, [][]byte{late}, cms.Mismatch},
		"no time-stamp token":         {doc, [][]byte{doc}, cms.NotCMS},
	} {
		in, n := r(c.doc)
		if err := stamping.Assemble(io.Discard, in, n, c.tokens); cades.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	stamped := p.raise(doc, ades.BT, true)
	wrongDoc := ades.Extension{Content: bytes.NewReader([]byte("x")), ContentSize: 1}
	shortDoc := ades.Extension{Content: bytes.NewReader([]byte("x")), ContentSize: 2}
	o := p.options(id, false)
	o.Content, o.ContentSize = bytes.NewReader([]byte("x")), 1
	for name, c := range map[string]struct {
		want cades.Kind
		do   func(in *bytes.Reader, n int64) error
	}{
		"stamp again": {cms.BadOptions, func(in *bytes.Reader, n int64) error {
			_, err := cades.PrepareTimestamp(in, n, ades.Extension{})
			return err
		}},
		"signature that is not there": {cms.BadOptions, func(in *bytes.Reader, n int64) error {
			_, err := cades.PrepareTimestamp(in, n, ades.Extension{Signatures: []int{1}})
			return err
		}},
		"SHA-1": {cms.BadOptions, func(in *bytes.Reader, n int64) error {
			_, err := cades.PrepareTimestamp(in, n, ades.Extension{Hash: crypto.SHA1})
			return err
		}},
		"archive without the document": {cms.BadOptions, func(in *bytes.Reader, n int64) error {
			_, err := cades.PrepareArchive(in, n, ades.Extension{})
			return err
		}},
		"archive with another document":  {cms.Mismatch, func(in *bytes.Reader, n int64) error { _, err := cades.PrepareArchive(in, n, wrongDoc); return err }},
		"archive with half a document":   {cms.Mismatch, func(in *bytes.Reader, n int64) error { _, err := cades.PrepareArchive(in, n, shortDoc); return err }},
		"parallel over another document": {cms.Mismatch, func(in *bytes.Reader, n int64) error { _, err := cades.PrepareParallel(in, n, o); return err }},
		"counter-signing nothing":        {cms.BadOptions, func(in *bytes.Reader, n int64) error { _, err := cades.PrepareCounter(in, n, nil, o); return err }},
		"counter-signing what is not there": {cms.BadOptions, func(in *bytes.Reader, n int64) error {
			_, err := cades.PrepareCounter(in, n, []int{0, 0}, o)
			return err
		}},
		"raising what is not signed": {cms.NotCMS, func(*bytes.Reader, int64) error {
			in, n := r(text)
			_, err := cades.PrepareArchive(in, n, ades.Extension{})
			return err
		}},
		"evidence for what is not signed": {cms.NotCMS, func(*bytes.Reader, int64) error {
			in, n := r(text)
			return cades.AddEvidence(io.Discard, in, n, ades.Extension{})
		}},
		"signing a digest of another length": {cms.BadOptions, func(*bytes.Reader, int64) error { _, err := cades.PrepareDigest(text, p.options(id, true)); return err }},
		"adding to a file that is not signed": {cms.NotCMS, func(*bytes.Reader, int64) error {
			in, n := r(text)
			_, err := cades.PrepareParallel(in, n, o)
			return err
		}},
	} {
		in, n := r(stamped)
		if err := c.do(in, n); cades.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
