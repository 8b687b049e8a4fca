package pades

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"sigillo/formats/pdf"
)

// Flags of a seed value dictionary: which of its entries the signature must obey (ISO 32000-2 §12.7.5.5, table 237).
const (
	seedFilter = 1 << iota
	seedSubFilter
	seedVersion
	seedReasons
	seedLegal
	seedRevocation
	seedDigest
	seedLockDocument
	seedAppearance
)

// seed reads the seed values of a field. Reading goes on after an error, which err keeps.
type seed struct {
	f   *pdf.File
	d   pdf.Dict
	err error
}

func seedEntry[T pdf.Object](s *seed, key pdf.Name) (v T, ok bool) {
	v, ok, err := pdf.As[T](s.f, s.d[key])
	if err != nil && s.err == nil {
		s.err = err
	}
	return v, ok
}

// texts reads an array of strings or names.
func (s *seed) texts(key pdf.Name) (out []string) {
	list, _ := seedEntry[pdf.Array](s, key)
	for _, o := range list {
		o, err := s.f.Resolve(o)
		if err != nil && s.err == nil {
			s.err = err
		}
		switch v := o.(type) {
		case pdf.String:
			out = append(out, v.Text())
		case pdf.Name:
			out = append(out, string(v))
		}
	}
	return out
}

// refuses makes the error of a field that asks for something else.
func refuses(what string) error {
	return failure(NotPermitted, "the signature field does not accept this signature: it asks for %s", what)
}

// checkSeed refuses a signature that the seed values of its field do not accept. Values that are only preferred are not obeyed.
func (fm *form) checkSeed(d pdf.Dict, o Options) error {
	if d == nil {
		return nil
	}
	s := &seed{f: fm.f, d: d}
	flags, _ := seedEntry[pdf.Integer](s, "Ff")
	must := func(flag pdf.Integer) bool { return flags&flag != 0 }
	if filter, ok := seedEntry[pdf.Name](s, "Filter"); ok && must(seedFilter) && filter != "Adobe.PPKLite" {
		return refuses("the handler " + printable(string(filter)))
	}
	if list := s.texts("SubFilter"); must(seedSubFilter) && len(list) > 0 && !slices.Contains(list, "ETSI.CAdES.detached") {
		return refuses("another encoding than ETSI.CAdES.detached")
	}
	if v, ok := seedEntry[pdf.Integer](s, "V"); ok && must(seedVersion) && v > 3 {
		return refuses("a newer version of PDF")
	}
	if reasons := s.texts("Reasons"); must(seedReasons) {
		if none := len(reasons) == 0 || len(reasons) == 1 && reasons[0] == "."; none && o.Reason != "" {
			return refuses("no reason")
		} else if !none && !slices.Contains(reasons, o.Reason) {
			return refuses("one of its own reasons")
		}
	}
	if list := s.texts("DigestMethod"); must(seedDigest) && len(list) > 0 && !slices.Contains(list, digestNames[o.Hash]) {
		return refuses("another digest algorithm")
	}
	if err := s.checkUnsupported(must, o); err != nil {
		return err
	}
	if err := s.checkKind(o); err != nil {
		return err
	}
	return s.err
}

var digestNames = map[crypto.Hash]string{crypto.SHA256: "SHA256", crypto.SHA384: "SHA384", crypto.SHA512: "SHA512"}

// checkUnsupported refuses what this package does not do.
func (s *seed) checkUnsupported(must func(pdf.Integer) bool, o Options) error {
	if list := s.texts("LegalAttestation"); must(seedLegal) && len(list) > 0 && o.Certify != 0 {
		return refuses("a legal attestation, which is not supported")
	}
	if add, _ := seedEntry[pdf.Bool](s, "AddRevInfo"); bool(add) && must(seedRevocation) {
		return refuses("revocation data inside of the signature, which PAdES does not allow")
	}
	if lock, _ := seedEntry[pdf.Name](s, "LockDocument"); lock == "true" && must(seedLockDocument) && o.Certify != NoChanges {
		return refuses("the document to be locked; certify it with permission 1")
	}
	if _, ok := s.d["AppearanceFilter"]; ok && must(seedAppearance) {
		return refuses("an appearance by name, which is not supported")
	}
	return nil
}

// checkKind compares the kind of signature, the time-stamp and the certificate.
func (s *seed) checkKind(o Options) error {
	if mdp, ok := seedEntry[pdf.Dict](s, "MDP"); ok {
		p, _, err := pdf.As[pdf.Integer](s.f, mdp["P"])
		if err != nil {
			return err
		}
		switch {
		case p == 0 && o.Certify != 0:
			return refuses("an approval signature, not a certification")
		case p != 0 && Permission(p) != o.Certify:
			return failure(NotPermitted, "the signature field does not accept this signature: it asks for a certification with permission %d", p)
		}
	}
	if stamp, ok := seedEntry[pdf.Dict](s, "TimeStamp"); ok {
		if flags, _, err := pdf.As[pdf.Integer](s.f, stamp["Ff"]); err != nil {
			return err
		} else if flags&1 != 0 && o.Timestamp == 0 {
			return refuses("a time-stamp, level B-T")
		}
	}
	cert, ok := seedEntry[pdf.Dict](s, "Cert")
	if !ok {
		return s.err
	}
	c := &seed{f: s.f, d: cert}
	if err := c.checkCertificate(o); err != nil {
		return err
	}
	return c.err
}

// Flags of a certificate seed value dictionary (table 238).
const (
	seedSubject = 1 << iota
	seedIssuer
	seedPolicy
	seedSubjectDN
	_
	seedKeyUsage
)

// checkCertificate compares the signer's certificate.
func (s *seed) checkCertificate(o Options) error {
	flags, _ := seedEntry[pdf.Integer](s, "Ff")
	has := func(key pdf.Name, certificates ...*x509.Certificate) bool {
		list, _ := seedEntry[pdf.Array](s, key)
		for _, item := range list {
			der, _, err := pdf.As[pdf.String](s.f, item)
			if err != nil && s.err == nil {
				s.err = err
			}
			if slices.ContainsFunc(certificates, func(c *x509.Certificate) bool { return c != nil && bytes.Equal(c.Raw, der) }) {
				return true
			}
		}
		return len(list) == 0
	}
	if flags&seedSubject != 0 && !has("Subject", o.Certificate) {
		return refuses("another signer's certificate")
	}
	if flags&seedIssuer != 0 && !has("Issuer", append([]*x509.Certificate{o.Certificate}, o.Chain...)...) {
		return refuses("a certificate of another issuer")
	}
	if flags&seedPolicy != 0 {
		wanted := s.texts("OID")
		if len(wanted) > 0 && !slices.ContainsFunc(o.Certificate.PolicyIdentifiers, func(oid asn1.ObjectIdentifier) bool { return slices.Contains(wanted, oid.String()) }) {
			return refuses("a certificate of another policy")
		}
	}
	if list := s.texts("KeyUsage"); flags&seedKeyUsage != 0 && len(list) > 0 &&
		!slices.ContainsFunc(list, func(pattern string) bool { return usageFits(pattern, o.Certificate.KeyUsage) }) {
		return refuses("a certificate of another key usage")
	}
	if _, ok := s.d["SubjectDN"]; ok && flags&seedSubjectDN != 0 {
		return refuses("a subject by its attributes, which is not supported")
	}
	return nil
}

// usageFits compares a key usage with a pattern of nine characters, from digitalSignature to decipherOnly: 1 must be set,
// 0 must not, X may.
func usageFits(pattern string, usage x509.KeyUsage) bool {
	for i, c := range pattern {
		set := i < 9 && usage&(1<<i) != 0
		if c == '1' && !set || c == '0' && set {
			return false
		}
	}
	return true
}
