package xades

import (
	"bytes"
	"slices"
)

// Verify checks the digests of all references, the signature value with the
// certificate the signed properties name, and that nothing is left open to
// change: that the whole document is covered, or all of its content, or the
// files beside it. It does not judge the certificate, the algorithms or the
// time-stamps, nor the counter-signatures, which have a Verify of their own.
// NotCovering is told last, when all else is right; Covers and Coverage say
// what is covered then. Kinds: Malformed, Unsupported, Limit, NoCertificate,
// Unbound, ContentMissing, HashFailure, SignatureFailure, NotCovering, Failed.
func (s *Signature) Verify() error {
	if s.problem != nil {
		return s.problem
	}
	if s.info == nil {
		return fail(Malformed, "the signature was not read from a document")
	}
	var missing error
	for _, ref := range slices.Concat(s.references, s.listed) {
		switch err := ref.check(s.doc); {
		case KindOf(err) == ContentMissing:
			missing = err
		case err != nil:
			return err
		}
	}
	if !s.hasBinding {
		return fail(Unbound, "the signature does not say under its protection which certificate made it")
	}
	if s.Certificate == nil {
		return fail(NoCertificate, "the certificate that the signature names is not in its KeyInfo")
	}
	var signed bytes.Buffer
	if err := s.doc.canonicalize(&signed, s.info, s.infoMethod, nil); err != nil {
		return err
	}
	if ok, err := check(s.Algorithm, s.Certificate.PublicKey, signed.Bytes(), s.Value); err != nil {
		return err
	} else if !ok {
		return fail(SignatureFailure, "the signature value does not fit the signed data and the certificate")
	}
	if missing != nil {
		return missing
	}
	if s.parent != nil && s.Coverage != CoversSignature {
		return fail(Malformed, "the counter-signature is not over the signature it stands in")
	}
	if !s.CoversDocument {
		return fail(NotCovering, "the signature does not cover the whole document")
	}
	return nil
}
