package validate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

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
// relies on (§5.2.8).
func (v *validation) signatureCrypto(s *subject) (out []finding) {
	if s.algorithm.Scheme != "" {
		out = v.crypto(v.policy.Algorithm(s.algorithm, s.certificate.PublicKey, s.use()), "weak-algorithm", algorithmName(s.algorithm, s.certificate.PublicKey))
	}
	for _, h := range s.digests {
		if h == s.algorithm.Hash && s.algorithm.Scheme != "" || len(out) > 0 {
			continue
		}
		out = v.crypto(v.policy.Digest(h, s.use()), "weak-digest", h.String())
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
// is good. Which scheme an RSA key used is not known: PKCS#1 is the stricter.
func (v *validation) statusValidity(st *certpath.Status) policy.Validity {
	a := cms.Algorithm{Hash: st.Hash}
	switch st.Signer.PublicKey.(type) {
	case *rsa.PublicKey:
		a.Scheme = cms.PKCS1
	case *ecdsa.PublicKey:
		a.Scheme = cms.ECDSA
	case ed25519.PublicKey:
		a.Scheme = cms.Ed25519
	}
	d := v.policy.Algorithm(a, st.Signer.PublicKey, policy.Revocation)
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
