package jades

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"strconv"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// understood are the header parameters that this package processes, and with
// "crit" may therefore name (RFC 7515 §4.1.11).
var understood = map[string]bool{
	"alg": true, "cty": true, "typ": true, "x5c": true, "x5t#S256": true, "crit": true, "kid": true,
	"b64": true, "iat": true, "sigT": true, "x5t#o": true, "sigX5ts": true, "srCms": true, "sigPl": true,
	"srAts": true, "adoTst": true, "sigPId": true, "sigD": true, "etsiU": true,
}

// registered are those of RFC 7515, which "crit" may not name.
var registered = map[string]bool{
	"alg": true, "jku": true, "jwk": true, "kid": true, "x5u": true, "x5c": true, "x5t": true, "x5t#S256": true,
	"typ": true, "cty": true, "crit": true,
}

// thumbprint is a signed digest of a certificate.
type thumbprint struct {
	hash   crypto.Hash
	digest []byte
}

func (t thumbprint) matches(c *x509.Certificate) bool {
	return bytes.Equal(digestOf(t.hash, c.Raw), t.digest)
}

// readHeader reads the protected header.
func (s *Signature) readHeader(unprotected *value) error {
	s.AlgorithmName = s.header.str("alg")
	if s.AlgorithmName == "" {
		return fail(cms.Malformed, "the header names no algorithm")
	}
	s.Algorithm = algorithms[s.AlgorithmName]
	s.ContentType = longMediaType(s.header.str("cty"))
	for _, step := range []func() error{
		func() error { return s.readCrit(unprotected) },
		s.readB64, s.readX5c, s.readThumbprints, s.readTime, s.readProperties, s.readPolicy, s.readSigD,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if s.Algorithm.Scheme == "" {
		return fail(cms.Unsupported, "the signature algorithm %q is not supported", s.AlgorithmName)
	}
	return nil
}

// readCrit refuses what the signer says must be understood and is not.
func (s *Signature) readCrit(unprotected *value) error {
	crit := s.header.get("crit")
	if crit == nil {
		return nil
	}
	if crit.kind != jsonArray || len(crit.items) == 0 {
		return fail(cms.Malformed, "crit is not an array of names")
	}
	seen := map[string]bool{}
	for _, v := range crit.items {
		switch {
		case v.kind != jsonString || seen[v.text] || registered[v.text]:
			return fail(cms.Malformed, "crit holds %q, which may not stand there or stands twice", v.text)
		case s.header.get(v.text) == nil && unprotected.get(v.text) == nil:
			return fail(cms.Malformed, "crit names %q, which is not in the header", v.text)
		case !understood[v.text]:
			return fail(cms.Unsupported, "the signer says that the parameter %q must be understood; it is not", v.text)
		}
		seen[v.text] = true
	}
	return nil
}

func (s *Signature) critical(name string) bool {
	for _, v := range s.header.list("crit") {
		if v.text == name {
			return true
		}
	}
	return false
}

func (s *Signature) readB64() error {
	b := s.header.get("b64")
	if b == nil {
		return nil
	}
	if b.kind != jsonBool {
		return fail(cms.Malformed, "b64 is not true or false")
	}
	s.unencoded = b.text == "false"
	if s.unencoded && !s.critical("b64") {
		return fail(cms.Malformed, "b64 is false and not critical: readers would understand the payload in two ways (RFC 7797 §6)")
	}
	return nil
}

func (s *Signature) readX5c() error {
	list := s.header.get("x5c")
	if list == nil {
		return nil
	}
	if list.kind != jsonArray || len(list.items) == 0 || len(list.items) > maxCertificates {
		return fail(cms.Malformed, "x5c is not an array of certificates")
	}
	for _, v := range list.items {
		der, err := unbase64(v.text)
		if err != nil || v.kind != jsonString {
			return fail(cms.Malformed, "x5c holds something that is not base64")
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return wrap(cms.Malformed, err, "x5c holds a broken certificate")
		}
		s.Certificates = append(s.Certificates, c)
	}
	s.Certificate = s.Certificates[0]
	return nil
}

// readThumbprints reads x5t#S256, x5t#o and sigX5ts; the first certificate that
// each of them means is the signer's (§5.1.7, §5.2.2).
func (s *Signature) readThumbprints() error {
	if v := s.header.get("x5t#S256"); v != nil {
		digest, err := unb64(v.text)
		if err != nil || v.kind != jsonString || len(digest) != crypto.SHA256.Size() {
			return fail(cms.Malformed, "x5t#S256 is not a SHA-256 digest")
		}
		s.thumbprints = append(s.thumbprints, thumbprint{crypto.SHA256, digest})
	}
	others := s.header.list("sigX5ts")
	if v := s.header.get("x5t#o"); v != nil {
		others = append([]*value{v}, others[:min(1, len(others))]...)
	}
	for i, v := range others {
		t, err := readThumbprint(v)
		if err != nil {
			return err
		}
		if i == 0 || s.header.get("x5t#o") != nil {
			s.thumbprints = append(s.thumbprints, t)
		}
	}
	for _, t := range s.thumbprints {
		if s.Certificate != nil && !t.matches(s.Certificate) {
			return fail(cms.Mismatch, "the signed thumbprint is of another certificate than the one x5c begins with")
		}
	}
	return nil
}

func readThumbprint(v *value) (thumbprint, error) {
	t := thumbprint{hash: digests[v.str("digAlg")]}
	var err error
	if t.digest, err = unb64(v.str("digVal")); err != nil {
		return t, err
	}
	if t.hash == 0 {
		return t, fail(cms.Unsupported, "the digest algorithm %q of a thumbprint is not supported", v.str("digAlg"))
	}
	if len(t.digest) != t.hash.Size() {
		return t, fail(cms.Malformed, "a thumbprint has the wrong length")
	}
	return t, nil
}

// readTime reads iat (RFC 7519 §4.1.6, whole seconds) or the older sigT.
func (s *Signature) readTime() error {
	iat, sigT := s.header.get("iat"), s.header.get("sigT")
	switch {
	case iat != nil && sigT != nil:
		return fail(cms.Malformed, "the signature claims its time twice, in iat and sigT")
	case iat != nil:
		n, err := strconv.ParseInt(iat.text, 10, 40)
		if err != nil || iat.kind != jsonNumber || n < 0 {
			return fail(cms.Malformed, "iat is not a time in seconds")
		}
		s.SigningTime = time.Unix(n, 0).UTC()
	case sigT != nil:
		t, err := time.Parse("2006-01-02T15:04:05Z", sigT.text)
		if err != nil || sigT.kind != jsonString {
			return fail(cms.Malformed, "sigT is not a time in UTC")
		}
		s.SigningTime = t
	}
	return nil
}

func (s *Signature) readProperties() error {
	p := &s.Properties
	for _, v := range s.header.list("srCms") {
		uri := v.get("commId").str("id")
		if c := ades.CommitmentByURI(uri); c != "" {
			p.Commitments = append(p.Commitments, c)
			continue
		}
		if oid, err := parseURN(uri); err == nil {
			if c := ades.CommitmentByOID(oid); c != "" {
				uri = string(c)
			}
		}
		p.Commitments = append(p.Commitments, ades.Commitment(uri))
	}
	for _, q := range s.header.get("srAts").list("claimed") {
		for _, v := range q.list("qVals") {
			p.ClaimedRoles = append(p.ClaimedRoles, v.text)
		}
	}
	if v := s.header.get("sigPl"); v != nil {
		p.Place = &ades.Place{Street: v.str("streetAddress"), City: v.str("addressLocality"), Province: v.str("addressRegion"),
			PostalCode: v.str("postalCode"), Country: v.str("addressCountry")}
	}
	if v := s.header.get("adoTst"); v != nil {
		var err error
		if p.ContentStamps, err = readTokens(v); err != nil {
			return err
		}
	}
	return nil
}

func (s *Signature) readPolicy() error {
	v := s.header.get("sigPId")
	if v == nil {
		return nil
	}
	p := &ades.Policy{Hash: digests[v.str("digAlg")]}
	uri := v.get("id").str("id")
	oid, err := parseURN(uri)
	if err != nil {
		p.URI = uri // named by a URI, which is where its text can be had, or not
	}
	p.OID = oid
	if p.Digest, err = unb64(v.str("digVal")); err != nil {
		return err
	}
	for _, q := range v.list("sigPQuals") {
		if u := q.str("spURI"); u != "" {
			p.URI = u
		}
	}
	s.Properties.Policy = p
	return nil
}

func parseURN(s string) (asn1.ObjectIdentifier, error) {
	rest, ok := strings.CutPrefix(strings.ToLower(s), "urn:oid:")
	if !ok || len(rest) > 200 {
		return nil, fail(cms.Malformed, "the identifier is not an urn:oid")
	}
	var oid asn1.ObjectIdentifier
	for _, part := range strings.Split(rest, ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, fail(cms.Malformed, "the identifier is not an urn:oid")
		}
		oid = append(oid, int(n))
	}
	return oid, nil
}

func (s *Signature) readSigD() error {
	d := s.header.get("sigD")
	if d == nil {
		return nil
	}
	if !s.critical("sigD") {
		return fail(cms.Malformed, "sigD is not critical (TS 119 182-1 §5.1.9)")
	}
	if !s.Detached || s.parent != nil {
		return fail(cms.Malformed, "the signature names detached documents and has a payload of its own")
	}
	s.mechanism, s.digestName = d.str("mId"), d.str("hashM")
	pars, hashes, types := d.list("pars"), d.list("hashV"), d.list("ctys")
	if len(pars) == 0 || len(pars) > maxReferences {
		return fail(cms.Malformed, "sigD does not name from one to %d documents", maxReferences)
	}
	switch s.mechanism {
	case byURIHash:
		if len(hashes) != len(pars) {
			return fail(cms.Malformed, "sigD has %d names and %d digests", len(pars), len(hashes))
		}
		if digests[s.digestName] == 0 {
			return fail(cms.Unsupported, "the digest algorithm %q of sigD is not supported", s.digestName)
		}
	case byURI:
		if hashes = nil; len(pars) > 1 {
			return fail(cms.Unsupported, "sigD names several documents and has no digests: nobody can say where one of them ends and the next begins")
		}
	default:
		return fail(cms.Unsupported, "the referencing mechanism %q is not supported", s.mechanism)
	}
	return s.readReferences(pars, hashes, types)
}

func (s *Signature) readReferences(pars, hashes, types []*value) error {
	seen := map[string]bool{}
	for i, p := range pars {
		if p.kind != jsonString || seen[p.text] {
			return fail(cms.Malformed, "sigD names a document twice or not by a string")
		}
		seen[p.text] = true
		r := Reference{URI: p.text}
		if i < len(types) {
			r.MediaType = longMediaType(types[i].text)
		}
		if hashes != nil {
			var err error
			if r.Digest, err = unb64(hashes[i].text); err != nil {
				return err
			}
		}
		s.References = append(s.References, r)
	}
	return nil
}

// readTokens reads a tstContainer (§5.4.3.3).
func readTokens(v *value) ([][]byte, error) {
	tokens := v.list("tstTokens")
	if len(tokens) == 0 || len(tokens) > maxStamps {
		return nil, fail(cms.Malformed, "a time-stamp container has no tokens, or more than %d", maxStamps)
	}
	var out [][]byte
	for _, t := range tokens {
		if e := t.str("encoding"); e != "" && e != "http://uri.etsi.org/01903/v1.2.2#DER" {
			return nil, fail(cms.Unsupported, "a time-stamp in the encoding %q is not supported", e)
		}
		der, err := unbase64(t.str("val"))
		if err != nil || len(der) == 0 {
			return nil, fail(cms.Malformed, "a time-stamp container holds something that is not a token")
		}
		out = append(out, der)
	}
	return out, nil
}
