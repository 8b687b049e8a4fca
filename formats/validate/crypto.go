package validate

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"

	"sigillo/formats/certpath"
	"sigillo/formats/cms"
	"sigillo/formats/validate/policy"
)

// crypto judges an algorithm at the time of validation (EN 319 102-1 §5.2.8.4.2):
// one that is past its date is good for what is proven to be older.
func (v *validation) crypto(d policy.Validity, code string, args ...any) []finding {
	switch {
	case d.At(v.at):
		return nil
	case !d.Known:
		return []finding{doubt(CryptoConstraintsFailure, code, args...)}
	}
	return []finding{doubt(CryptoConstraintsFailureNoPOE, code, args...).since(d.Until)}
}

// signatureCrypto judges the algorithms of a signature and of the digests it
// relies on (§5.2.8). Those that never were any good and those of old are verified
// like all others before; what they are worth is decided here alone.
func (v *validation) signatureCrypto(s *subject) (out []finding) {
	if s.algorithm.Scheme != "" {
		out = v.crypto(v.policy.Algorithm(s.algorithm, s.certificate.PublicKey, s.use()), "weak-algorithm", algorithmName(s.algorithm, s.certificate.PublicKey))
	}
	judged := s.algorithm.Hash
	if s.algorithm.Scheme == cms.Ed25519 {
		judged = 0 // the rule of the algorithm says nothing about the digest of the content
	}
	for i, h := range s.digests {
		if h != judged && !slices.Contains(s.digests[:i], h) {
			out = append(out, v.crypto(v.policy.Digest(h, s.use()), "weak-digest", h.String())...)
		}
	}
	return append(out, v.referenceCrypto(s)...)
}

// referenceCrypto judges the digest by which a signature names its certificate.
// Policies may permit there what is too weak elsewhere; then a remark stays.
func (v *validation) referenceCrypto(s *subject) []finding {
	if s.reference == 0 {
		return nil
	}
	out := v.crypto(v.policy.Digest(s.reference, policy.Reference), "weak-digest", s.reference.String())
	if len(out) == 0 && !v.policy.Digest(s.reference, s.use()).At(v.at) {
		out = append(out, remark("weak-reference", s.reference.String()))
	}
	return out
}

// certificateCrypto judges how a certificate was signed; its own age counts.
func (v *validation) certificateCrypto(c, issuer *x509.Certificate) []finding {
	d, alg := v.certificateValidity(c, issuer)
	out := v.crypto(d, "weak-certificate", name(c), alg)
	for i := range out {
		out[i] = out[i].about(objectOf(c.Raw))
	}
	return out
}

func (v *validation) certificateValidity(c, issuer *x509.Certificate) (policy.Validity, string) {
	a, err := certpath.SignedWith(c)
	if err != nil {
		return policy.Validity{}, c.SignatureAlgorithm.String()
	}
	return v.policy.Algorithm(a, issuer.PublicKey, policy.Certificate), algorithmName(a, issuer.PublicKey)
}

// statusValidity is until when the signature of a revocation list or an answer
// is good.
func (v *validation) statusValidity(st *certpath.Status) policy.Validity {
	d := v.policy.Algorithm(st.Algorithm, st.Signer.PublicKey, policy.Revocation)
	for i := range st.Parts {
		d = d.And(v.statusValidity(&st.Parts[i]))
	}
	return d
}

// algorithmName is for people.
func algorithmName(a cms.Algorithm, key crypto.PublicKey) string {
	if a.Scheme == cms.Ed25519 {
		return "Ed25519"
	}
	scheme := map[cms.Scheme]string{cms.PKCS1: "RSA", cms.PSS: "RSA-PSS", cms.ECDSA: "ECDSA"}[a.Scheme]
	return fmt.Sprintf("%s %d bit, %v", scheme, policy.Bits(key), a.Hash)
}
