package validate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	maxPath       = 10    // certificates of a path, anchor included
	maxSignatures = 300   // signature checks while searching the paths of one file's certificates
	maxModulus    = 16384 // bits of an RSA key: checking a longer one takes seconds
)

// Extensions whose rules of RFC 5280 §6.1 are not carried out here; a
// certificate that has one is not accepted rather than accepted in part.
var refusedExtensions = map[string]string{
	"2.5.29.30": "nameConstraints",
	"2.5.29.33": "policyMappings",
	"2.5.29.36": "policyConstraints",
}

// search looks for paths from a certificate to an anchor.
type search struct {
	anchors, pool []*x509.Certificate
	at            time.Time // time at which the path must be valid

	checks *int      // signature checks so far, of all searches of a validation
	weak   bool      // a path was given up for its signature algorithm
	first  []finding // why the first complete path was refused
}

// path finds a path from leaf to an anchor that is acceptable at s.at
// (RFC 5280 §6.1, as far as the package comment says). Without one it gives
// the findings that say why.
func (s *search) path(leaf *x509.Certificate) ([]*x509.Certificate, []finding) {
	if found := s.extend([]*x509.Certificate{leaf}); found != nil {
		return found, nil
	}
	switch {
	case s.first != nil:
		return nil, s.first
	case s.weak:
		return nil, []finding{doubt(CryptoConstraintsFailure, "weak-chain", name(leaf))}
	}
	return nil, []finding{doubt(NoCertificateChain, "no-chain", name(leaf))}
}

// extend tries all issuers of the last certificate of path, anchors first.
func (s *search) extend(path []*x509.Certificate) []*x509.Certificate {
	last := path[len(path)-1]
	if slices.ContainsFunc(s.anchors, last.Equal) {
		return s.complete(path)
	}
	if len(path) == maxPath {
		return nil
	}
	for _, candidates := range [][]*x509.Certificate{s.anchors, s.pool} {
		for _, c := range candidates {
			if !mayIssue(c, last) || slices.ContainsFunc(path, c.Equal) || !s.signed(last, c) {
				continue
			}
			if found := s.extend(append(path[:len(path):len(path)], c)); found != nil {
				return found
			}
		}
	}
	return nil
}

// mayIssue compares names and, where both are there, key identifiers.
func mayIssue(issuer, c *x509.Certificate) bool {
	if !bytes.Equal(issuer.RawSubject, c.RawIssuer) {
		return false
	}
	return len(c.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId)
}

// signed checks the signature of c by issuer, within the budget.
func (s *search) signed(c, issuer *x509.Certificate) bool {
	if *s.checks++; *s.checks > maxSignatures || oversize(issuer.PublicKey) {
		return false
	}
	err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	if errors.As(err, &insecure) {
		s.weak = true
	}
	return err == nil
}

// oversize keeps keys made to cost time from being used at all.
func oversize(key any) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && k.N.BitLen() > maxModulus
}

// complete judges a path that ends at an anchor.
func (s *search) complete(path []*x509.Certificate) []*x509.Certificate {
	var findings []finding
	for i, c := range path {
		findings = append(findings, s.member(path, i, c)...)
	}
	if len(findings) == 0 {
		return path
	}
	if s.first == nil {
		s.first = findings
	}
	return nil
}

// member judges one certificate of a path; 0 is the signer's, the last the anchor.
func (s *search) member(path []*x509.Certificate, i int, c *x509.Certificate) (out []finding) {
	anchor := i == len(path)-1
	if i > 0 {
		if why := mayCertify(path, i, c); why != "" {
			out = append(out, doubt(ChainConstraintsFailure, "chain", name(c), why))
		}
	}
	if why := weakKey(c.PublicKey); why != "" {
		out = append(out, doubt(CryptoConstraintsFailure, "weak-key", name(c), why))
	}
	if anchor && i > 0 {
		return out // its dates and extensions are the business of who trusts it (RFC 5280 §6.1.1)
	} // a signer's own certificate that is trusted directly must be valid itself
	if len(c.UnhandledCriticalExtensions) > 0 {
		out = append(out, doubt(ChainConstraintsFailure, "chain", name(c), "unknown critical extension "+c.UnhandledCriticalExtensions[0].String()))
	}
	for _, e := range c.Extensions {
		if n, ok := refusedExtensions[e.Id.String()]; ok {
			out = append(out, doubt(ChainConstraintsFailure, "chain", name(c), n))
		}
	}
	switch {
	case s.at.Before(c.NotBefore):
		out = append(out, doubt(NotYetValid, "not-yet-valid", name(c), stamped(c.NotBefore)))
	case s.at.After(c.NotAfter):
		out = append(out, doubt(OutOfBoundsNoPOE, "expired", name(c), stamped(c.NotAfter)))
	}
	return out
}

// mayCertify checks what a certificate that issued another one must have
// (RFC 5280 §6.1.4 (k) to (n)).
func mayCertify(path []*x509.Certificate, i int, c *x509.Certificate) string {
	if !c.BasicConstraintsValid || !c.IsCA {
		return "basicConstraints"
	}
	if hasExtension(c, 15) && c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return "keyUsage"
	}
	below := 0 // intermediates below c that are not self-issued
	for _, b := range path[1:i] {
		if !bytes.Equal(b.RawSubject, b.RawIssuer) {
			below++
		}
	}
	if (c.MaxPathLen > 0 || c.MaxPathLenZero) && below > c.MaxPathLen {
		return "pathLenConstraint"
	}
	return ""
}

// hasExtension looks for id-ce n.
func hasExtension(c *x509.Certificate, n int) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, n}) {
			return true
		}
	}
	return false
}

// weakKey says what is wrong with a key's length (ETSI TS 119 312).
func weakKey(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return fmt.Sprintf("RSA %d bit", k.N.BitLen())
		}
		return ""
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return fmt.Sprintf("EC %d bit", k.Curve.Params().BitSize)
		}
		return ""
	case ed25519.PublicKey:
		return ""
	}
	return fmt.Sprintf("%T", pub)
}

// weakHash reports digests that no signature may rely on any more.
func weakHash(h crypto.Hash) bool {
	switch h {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512:
		return false
	}
	return true
}

// name is how reports call a certificate.
func name(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return printable(c.Subject.CommonName)
	}
	return printable(c.Subject.String())
}
