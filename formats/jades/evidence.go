package jades

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"hash"
	"io"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Evidence gives what the signature carries: the certificates of its header and of
// xVals, axVals, tstVD and anyValData, the revocation data beside them. Broken
// pieces are left out: they help nobody.
func (s *Signature) Evidence() ades.Evidence {
	e := ades.Evidence{}
	e.Add(ades.Evidence{Certificates: s.Certificates})
	for _, u := range s.etsiU {
		e.Add(u.evidence)
	}
	return e
}

// readEvidence reads the validation data of one entry.
func (u entry) readEvidence() ades.Evidence {
	certificates, revocation := u.content, u.content
	switch u.name {
	case "xVals", "axVals":
		revocation = nil
	case "rVals", "arVals":
		certificates = nil
	case "tstVD", "anyValData":
		certificates, revocation = u.content.get("xVals"), u.content.get("rVals")
	default:
		return ades.Evidence{}
	}
	e := ades.Evidence{CRLs: readPKI(revocation.list("crlVals")), OCSP: readPKI(revocation.list("ocspVals"))}
	if certificates == nil {
		return e
	}
	for _, v := range certificates.items[:min(len(certificates.items), maxCertificates)] {
		for _, der := range readPKI([]*value{v.get("x509Cert")}) {
			if c, err := x509.ParseCertificate(der); err == nil {
				e.Certificates = append(e.Certificates, c)
			}
		}
	}
	return e
}

// readPKI reads pkiOb values in DER (§5.4.2).
func readPKI(list []*value) [][]byte {
	var out [][]byte
	for _, v := range list[:min(len(list), maxCertificates)] {
		if der, err := unbase64(v.str("val")); err == nil && len(der) > 0 {
			out = append(out, der)
		}
	}
	return out
}

// Stamps gives the time-stamps of the signature: content stamps of the header, then
// those of etsiU in their order. docs are the documents of a detached signature, as
// in Verify, for the imprints that are over them.
func (s *Signature) Stamps(docs ...Document) []ades.Stamp {
	var out []ades.Stamp
	for _, token := range s.Properties.ContentStamps {
		out = append(out, ades.Stamp{Kind: ades.ContentStamp, DER: token, Imprint: func(h crypto.Hash) ([]byte, error) {
			return imprint(h, func(w io.Writer) error { return s.writeData(w, docs) })
		}})
	}
	signed := s.signed(docs)
	var before [][]byte
	for _, c := range s.Certificates {
		before = append(before, c.Raw)
	}
	for i, u := range s.etsiU {
		e := u.evidence
		for _, c := range e.Certificates {
			before = append(before, c.Raw)
		}
		before = append(append(before, e.CRLs...), e.OCSP...)
		stamps := s.stampsOf(i, signed)
		for _, t := range stamps {
			t.Covers = covered(t.Kind, before)
			if out = append(out, t); len(out) > maxStamps {
				return out[:maxStamps]
			}
		}
		for _, t := range stamps {
			before = append(before, t.DER)
		}
	}
	return out
}

func covered(k ades.StampKind, before [][]byte) [][]byte {
	if k != ades.ArchiveStamp {
		return nil
	}
	return before[:len(before):len(before)]
}

// stampsOf gives the time-stamps in one entry of etsiU.
func (s *Signature) stampsOf(i int, signed digesting) []ades.Stamp {
	u, kind := s.etsiU[i], ades.StampKind("")
	var of func(crypto.Hash) ([]byte, error)
	switch u.name {
	case "sigTst":
		kind = ades.SignatureStamp
		of = func(h crypto.Hash) ([]byte, error) {
			return imprint(h, func(w io.Writer) error { _, err := io.WriteString(w, s.encodedValue); return err })
		}
	case "arcTst":
		kind = ades.ArchiveStamp
		of = func(h crypto.Hash) ([]byte, error) { return s.archiveImprint(h, i, nil, signed) }
	case "sigRTst", "rfsTst":
		kind = ades.ReferencesStamp
		of = func(crypto.Hash) ([]byte, error) {
			return nil, fail(cms.Unsupported, "time-stamps over references are not supported")
		}
	default:
		return nil
	}
	tokens, err := readTokens(u.content)
	if err != nil {
		return nil
	}
	var out []ades.Stamp
	for _, t := range tokens {
		out = append(out, ades.Stamp{Kind: kind, DER: t, Imprint: of})
	}
	return out
}

func imprint(h crypto.Hash, write func(io.Writer) error) ([]byte, error) {
	d, err := digested(h, write)
	if err != nil {
		return nil, err
	}
	return d.Sum(nil), nil
}

func digested(h crypto.Hash, write func(io.Writer) error) (hash.Hash, error) {
	if !h.Available() {
		return nil, fail(cms.Unsupported, "the digest algorithm of the imprint is not available")
	}
	d := h.New()
	return d, write(d)
}

// digesting gives a digest that has read something, to be continued.
type digesting func(crypto.Hash) (hash.Hash, error)

// signed gives digests of what all archive time-stamps of the signature begin with:
// the signed data, which may be long and are read once, the header, the value.
func (s *Signature) signed(docs []Document) digesting {
	known := map[crypto.Hash]hash.Cloner{}
	return func(h crypto.Hash) (hash.Hash, error) {
		if d, ok := known[h]; ok {
			return d.Clone()
		}
		d, err := digested(h, func(w io.Writer) error {
			if err := s.writeData(w, docs); err != nil {
				return err
			}
			_, err := io.WriteString(w, "."+s.protected+"."+s.encodedValue+".")
			return err
		})
		if err != nil {
			return nil, err
		}
		if c, ok := d.(hash.Cloner); ok {
			if known[h], err = c.Clone(); err != nil {
				return nil, err
			}
		}
		return d, nil
	}
}

// archiveImprint gives the imprint of an archive time-stamp (§5.3.6.3.1): the
// signed data, the header, the value, and the entries of etsiU before it as they
// stand, with no dots between these. more are entries that are not in the file yet.
func (s *Signature) archiveImprint(h crypto.Hash, entries int, more []string, signed digesting) ([]byte, error) {
	if s.plain() {
		return nil, fail(cms.Unsupported, "an archive time-stamp over plain entries of etsiU needs canonical JSON, which is not supported")
	}
	d, err := signed(h)
	if err != nil {
		return nil, err
	}
	for _, u := range s.etsiU[:entries] {
		_, _ = io.WriteString(d, u.octets) // a digest takes everything
	}
	for _, octets := range more {
		_, _ = io.WriteString(d, octets)
	}
	return d.Sum(nil), nil
}

// has counts the entries of etsiU with one of these names.
func (s *Signature) has(names ...string) int {
	n := 0
	for _, u := range s.etsiU {
		for _, name := range names {
			if u.name == name {
				n++
			}
		}
	}
	return n
}

// Level gives the highest level whose parts are there. Whether they are right, and
// whether Missing is empty, is asked apart.
func (s *Signature) Level() ades.Level {
	switch {
	case s.problem != nil || len(s.Missing(ades.BB)) > 0:
		return ""
	case s.has("sigTst") == 0:
		return ades.BB
	case s.has("rVals", "tstVD", "anyValData") == 0:
		return ades.BT
	case s.has("arcTst") == 0:
		return ades.BLT
	}
	return ades.BLTA
}

// Missing tells what the baseline table asks for at a level (§6.3) and the
// signature lacks, or has and may not.
func (s *Signature) Missing(level ades.Level) []string {
	if s.header == nil {
		return []string{"protected header"}
	}
	var out []string
	need := func(ok bool, format string, a ...any) {
		if !ok {
			out = append(out, fmt.Sprintf(format, a...))
		}
	}
	need(s.header.get("alg") != nil, "alg")
	need(s.header.get("iat") != nil || !s.SigningTime.IsZero() && s.SigningTime.Before(iatOnly), "iat")
	count := 0
	for _, name := range []string{"x5t#S256", "x5t#o", "sigX5ts"} {
		if s.header.get(name) != nil {
			count++
		}
	}
	need(count == 1, "exactly one of x5t#S256, x5t#o and sigX5ts")
	need(s.header.get("x5t") == nil, "no x5t, which is SHA-1")
	need(s.parent == nil || s.header.get("cty") == nil, "no cty in a counter-signature")
	need(s.has("sigPSt") <= 1, "at most one sigPSt")
	if level.AtLeast(ades.BT) {
		need(s.has("sigTst") > 0, "sigTst")
		for _, u := range s.etsiU {
			need(u.name != "sigTst" || len(u.content.list("tstTokens")) == 1, "one token in each sigTst")
		}
	}
	if level.AtLeast(ades.BLT) {
		need(s.has("rVals", "tstVD", "anyValData") > 0, "rVals")
		need(s.has("xRefs", "axRefs", "rRefs", "arRefs", "sigRTst", "rfsTst") == 0, "no references to certificates and revocation data")
	}
	if level.AtLeast(ades.BLTA) {
		need(s.has("arcTst") > 0, "arcTst")
	}
	return out
}
