package xades_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/xades"
)

// Files of any size are signed by their digests, and the signature is raised to
// the level that lasts.
func TestFromOutside(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	signer, tsu := pki.Signer(t, "ed25519"), pki.TSU(t, "p256")
	letter := "Gentile cliente, …"
	digest := sha256.Sum256([]byte(letter))

	p, err := xades.PrepareDetached([]xades.Object{{Name: "lettera.txt", MediaType: "text/plain", Digest: digest[:]}},
		xades.Options{Certificate: signer.Certificate, Chain: signer.Chain, Hash: crypto.SHA256, SigningTime: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var signed bytes.Buffer
	if err := p.Assemble(&signed, nil, 0, signer.Sign(t, p), nil); err != nil {
		t.Fatal(err)
	}

	raise := func(doc []byte, prepare func() (*xades.Stamping, error)) []byte {
		s, err := prepare()
		if err != nil {
			t.Fatal(err)
		}
		var tokens [][]byte
		for _, imprint := range s.Imprints() {
			tokens = append(tokens, tsu.Stamp(t, crypto.SHA256, imprint, time.Now()))
		}
		var out bytes.Buffer
		if err := s.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), tokens); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	e := ades.Extension{Evidence: pki.Evidence(t, time.Now()), Content: strings.NewReader(letter), ContentSize: int64(len(letter))}
	doc := signed.Bytes()
	doc = raise(doc, func() (*xades.Stamping, error) {
		return xades.PrepareTimestamp(bytes.NewReader(doc), int64(len(doc)), e)
	})
	doc = raise(doc, func() (*xades.Stamping, error) { return xades.PrepareArchive(bytes.NewReader(doc), int64(len(doc)), e) })

	sigs, err := xades.Read(doc, xades.OneFile(strings.NewReader(letter), int64(len(letter))))
	if err != nil {
		t.Fatal(err)
	}
	s := &sigs[0]
	got := fmt.Sprintf("%v %s %s %d %s", s.Verify(), s.Coverage, s.Covers[0].File, len(s.Stamps), s.Stamps[1].Kind)
	if got != "<nil> files lettera.txt 2 archive" {
		t.Error(got)
	}
}
