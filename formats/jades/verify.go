package jades

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/url"
	"strings"

	"sigillo/formats/cms"
)

// Verify checks the signature: the value is of the certificate's key over header
// and payload, the signed thumbprint means that certificate, and the documents of
// a detached signature have the signed digests. docs are these documents, all that
// sigD names, in any order and found by name; a single one is taken whatever its
// name. The trust in the certificate is not looked at.
func (s *Signature) Verify(docs ...Document) error {
	if s.problem != nil {
		return s.problem
	}
	if s.Certificate == nil {
		return fail(cms.NoCertificate, "the signer's certificate is not in the signature")
	}
	if len(s.thumbprints) == 0 && len(s.Certificates) == 0 {
		return fail(cms.Mismatch, "the header does not say which certificate signed")
	}
	for _, t := range s.thumbprints {
		if !t.matches(s.Certificate) {
			return fail(cms.Mismatch, "the signed thumbprint is of another certificate")
		}
	}
	if err := checkKey(s.Certificate.PublicKey, s.Algorithm); err != nil {
		return err
	}
	if err := s.verifyValue(docs); err != nil {
		return err
	}
	return s.verifyReferences(docs)
}

func (s *Signature) verifyValue(docs []Document) error {
	der, err := derValue(s.Certificate.PublicKey, s.Value)
	if err != nil {
		return err
	}
	if s.Algorithm.Scheme == cms.Ed25519 {
		var b bytes.Buffer
		if err := s.writeInput(&b, docs); err != nil {
			return err
		}
		return s.Algorithm.Verify(s.Certificate.PublicKey, b.Bytes(), der)
	}
	d := s.Algorithm.Hash.New()
	if err := s.writeInput(d, docs); err != nil {
		return err
	}
	return s.Algorithm.VerifyDigest(s.Certificate.PublicKey, d.Sum(nil), der)
}

// writeInput writes the JWS signing input (RFC 7515 §5.1, RFC 7797 §3).
func (s *Signature) writeInput(w io.Writer, docs []Document) error {
	if _, err := io.WriteString(w, s.protected+"."); err != nil {
		return wrap(cms.Failed, err, "writing the data to be signed")
	}
	if s.mechanism == byURIHash {
		return nil
	}
	return s.writeData(w, docs)
}

// writeData writes the signed data as time-stamps take them (§5.2.6, §5.3.6.3.1):
// the payload as the signing input has it, or the documents that sigD names.
func (s *Signature) writeData(w io.Writer, docs []Document) error {
	switch {
	case s.parent != nil && s.unencoded:
		_, err := w.Write(s.parent.Value)
		return err
	case s.parent != nil:
		_, err := io.WriteString(w, s.parent.encodedValue)
		return err
	case !s.Detached:
		_, err := io.WriteString(w, s.payload)
		return err
	}
	ordered, err := s.documents(docs)
	if err != nil {
		return err
	}
	for _, d := range ordered {
		if err := copyEncoded(w, d.Reader, d.Size, !s.unencoded); err != nil {
			return err
		}
	}
	return nil
}

// documents finds the documents that the signature covers, in its order.
func (s *Signature) documents(docs []Document) ([]Document, error) {
	if len(docs) == 1 && len(s.References) <= 1 {
		return docs, nil
	}
	if len(s.References) == 0 {
		return nil, fail(cms.BadOptions, "the signature is detached and covers one document, which has to be given; %d were", len(docs))
	}
	var out []Document
	for _, r := range s.References {
		found := false
		for _, d := range docs {
			if sameName(r.URI, d.Name) {
				out, found = append(out, d), true
				break
			}
		}
		if !found {
			return nil, fail(cms.BadOptions, "the signature covers the document %q, which was not given", r.URI)
		}
	}
	return out, nil
}

func sameName(uri, name string) bool {
	if uri == name {
		return true
	}
	decoded, err := url.PathUnescape(uri)
	return err == nil && decoded == name
}

func (s *Signature) verifyReferences(docs []Document) error {
	if s.mechanism != byURIHash {
		return nil
	}
	ordered, err := s.documents(docs)
	if err != nil {
		return err
	}
	for i, r := range s.References {
		sum := digests[s.digestName].New()
		if err := copyEncoded(sum, ordered[i].Reader, ordered[i].Size, !s.unencoded); err != nil {
			return err
		}
		if !bytes.Equal(sum.Sum(nil), r.Digest) {
			return fail(cms.Mismatch, "the document %q was changed after it was signed", r.URI)
		}
	}
	return nil
}

// Payload gives the document of an enveloping signature, nil if there is none.
func (s *Signature) Payload() io.Reader {
	switch {
	case s.Detached:
		return nil
	case s.unencoded:
		return strings.NewReader(s.payload)
	}
	return decoder(s.payload)
}

// decoder reads base64url strictly.
func decoder(s string) io.Reader {
	return base64.NewDecoder(b64, strings.NewReader(s))
}
