package cades

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"io"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Stamping is the raising of a signed file that lacks only its time-stamps. It
// may be stored as JSON.
type Stamping struct {
	Size        int64  `json:"size"`        // of the signed file
	Fingerprint []byte `json:"fingerprint"` // of all in it but the content
	Hash        string `json:"hash"`        // of the imprints
	// What is put in beside the time-stamps, DER.
	Certificates [][]byte      `json:"certificates,omitempty"`
	CRLs         [][]byte      `json:"crls,omitempty"`
	OCSP         [][]byte      `json:"ocsp,omitempty"`
	Wanted       []WantedStamp `json:"wanted"`
}

// WantedStamp is a time-stamp that is to come.
type WantedStamp struct {
	Signer  int    `json:"signer"` // its index among the signers
	Imprint []byte `json:"imprint"`
	Index   []byte `json:"index,omitempty"` // of an archive time-stamp: what it covers (EN 319 122-1 §5.5.2)
}

// PrepareTimestamp prepares a signature time-stamp for each signature, to raise
// it to B-T. Where e names none, those that have one already are left as they
// are.
func PrepareTimestamp(doc io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	sd, err := cms.Parse(doc, size, cms.Limits{})
	if err != nil {
		return nil, err
	}
	s, err := newStamping(sd, size, e)
	if err != nil {
		return nil, err
	}
	for _, i := range chosen(sd, e) {
		if e.Signatures == nil && len(sd.Signers[i].Tokens) > 0 {
			continue
		}
		imprint := digestOf(s.hash(), sd.Signers[i].SignatureValue)
		s.Wanted = append(s.Wanted, WantedStamp{Signer: i, Imprint: imprint})
	}
	if len(s.Wanted) == 0 {
		return nil, fail(cms.BadOptions, "all signatures have a time-stamp already")
	}
	return s, nil
}

// AddEvidence writes the signed file with certificates and revocation data in its
// root, to raise it to B-LT. The certificates of the time-stamps in it are put
// there too, since they need to be checked as well.
func AddEvidence(w io.Writer, doc io.ReaderAt, size int64, e ades.Extension) error {
	sd, err := cms.Parse(doc, size, cms.Limits{})
	if err != nil {
		return err
	}
	if sd, err = sd.Add(cms.Additions{Evidence: withStampers(sd, e.Evidence)}); err != nil {
		return err
	}
	return sd.Write(w)
}

// PrepareArchive puts in the evidence as AddEvidence does and prepares an
// archive-time-stamp-v3 over all of it for each signature, to raise it to B-LTA.
// Done again it renews: the new time-stamp covers the one before and the evidence
// for that.
func PrepareArchive(doc io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	sd, err := cms.Parse(doc, size, cms.Limits{})
	if err != nil {
		return nil, err
	}
	s, err := newStamping(sd, size, e)
	if err != nil {
		return nil, err
	}
	evidence := withStampers(sd, e.Evidence)
	if sd, err = sd.Add(cms.Additions{Evidence: evidence}); err != nil {
		return nil, err
	}
	for _, c := range evidence.Certificates {
		s.Certificates = append(s.Certificates, c.Raw)
	}
	s.CRLs, s.OCSP = evidence.CRLs, evidence.OCSP
	sum, err := contentDigest(sd, e.Content, e.ContentSize)
	if err != nil {
		return nil, err
	}
	for _, i := range chosen(sd, e) {
		w, err := archiveOf(sd.Signers[i], s.hash(), sum)
		if err != nil {
			return nil, err
		}
		w.Signer = i
		s.Wanted = append(s.Wanted, *w)
	}
	return s, nil
}

func archiveOf(si *cms.SignerInfo, h crypto.Hash, sum func(crypto.Hash) ([]byte, error)) (*WantedStamp, error) {
	own, err := sum(si.Hash)
	if err != nil {
		return nil, err
	}
	if si.MessageDigest != nil && !bytes.Equal(own, si.MessageDigest) {
		return nil, fail(cms.Mismatch, "the document is not the one that was signed")
	}
	index, err := si.HashIndex(h)
	if err != nil {
		return nil, err
	}
	imprint, err := si.ArchiveImprint(h, index, sum)
	if err != nil {
		return nil, err
	}
	return &WantedStamp{Imprint: imprint, Index: index}, nil
}

func newStamping(sd *cms.SignedData, size int64, e ades.Extension) (*Stamping, error) {
	h := e.Hash
	if h == 0 {
		h = crypto.SHA256
	}
	if !h.Available() || h.Size() < 32 {
		return nil, fail(cms.BadOptions, "digest algorithm %v cannot be used for a time-stamp", h)
	}
	for _, i := range e.Signatures {
		if i < 0 || i >= len(sd.Signers) {
			return nil, fail(cms.BadOptions, "there is no signature %d; the file has %d", i, len(sd.Signers))
		}
	}
	if len(sd.Signers) == 0 {
		return nil, fail(cms.BadOptions, "the file has no signature that could be raised")
	}
	return &Stamping{Size: size, Fingerprint: sd.Fingerprint(), Hash: h.String()}, nil
}

// chosen gives the indexes of the signers to raise.
func chosen(sd *cms.SignedData, e ades.Extension) []int {
	if e.Signatures != nil {
		return e.Signatures
	}
	all := make([]int, len(sd.Signers))
	for i := range all {
		all[i] = i
	}
	return all
}

// withStampers adds the certificates of the time-stamps in the file. If they may
// not be added, because of an archive time-stamp of an older kind, they stay where
// they are.
func withStampers(sd *cms.SignedData, e ades.Evidence) ades.Evidence {
	var out ades.Evidence
	out.Add(e)
	for _, si := range sd.Signers {
		if has(si.UnsignedAttributes, cms.OIDArchiveTimeStamp) || has(si.UnsignedAttributes, cms.OIDArchiveTimeStampV2) {
			return e
		}
		for _, stamp := range si.Stamps(sd.ContentDigest()) {
			if t, err := cms.ParseToken(stamp.DER); err == nil {
				out.Add(ades.Evidence{Certificates: t.Certificates})
			}
		}
	}
	return out
}

func has(attributes []cms.Attribute, t asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(attributes, func(a cms.Attribute) bool { return a.Type.Equal(t) })
}

// contentDigest gives the function that tells digests of the signed document.
func contentDigest(sd *cms.SignedData, content io.ReaderAt, size int64) (func(crypto.Hash) ([]byte, error), error) {
	if sd.HasContent() {
		return sd.ContentDigest(), nil
	}
	if content == nil {
		return nil, fail(cms.BadOptions, "the signature is detached: the signed document is needed beside it")
	}
	known := map[crypto.Hash][]byte{}
	return func(h crypto.Hash) ([]byte, error) {
		if known[h] == nil {
			d, _, n, err := cms.DigestContent(reader(content, size), h, false)
			if err != nil {
				return nil, err
			}
			if n != size {
				return nil, fail(cms.Mismatch, "the document has %d bytes, not the %d it was said to have", n, size)
			}
			known[h] = d
		}
		return known[h], nil
	}, nil
}

func digestOf(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// Imprints gives what must be time-stamped: one token is needed for each.
func (s *Stamping) Imprints() [][]byte {
	out := make([][]byte, len(s.Wanted))
	for i, w := range s.Wanted {
		out[i] = w.Imprint
	}
	return out
}

// HashAlgorithm gives the digest algorithm of the imprints.
func (s *Stamping) HashAlgorithm() crypto.Hash { return s.hash() }

func (s *Stamping) hash() crypto.Hash { return cms.HashByName(s.Hash) }

// Assemble writes the raised file. doc is the signed file that was prepared,
// tokens are the time-stamps over the imprints, in their order. The content is
// copied and not read otherwise.
func (s *Stamping) Assemble(w io.Writer, doc io.ReaderAt, size int64, tokens [][]byte) error {
	if size != s.Size || len(tokens) != len(s.Wanted) {
		return fail(cms.Mismatch, "a file of %d bytes and %d time-stamps were prepared, not %d and %d", s.Size, len(s.Wanted), size, len(tokens))
	}
	sd, err := parseSame(doc, size, s.Fingerprint)
	if err != nil {
		return err
	}
	more := cms.Additions{Evidence: ades.Evidence{CRLs: s.CRLs, OCSP: s.OCSP}}
	for _, der := range s.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return &Error{cms.Malformed, "what was prepared holds a broken certificate", err}
		}
		more.Evidence.Certificates = append(more.Evidence.Certificates, c)
	}
	for i, token := range tokens {
		a, err := s.attribute(sd, s.Wanted[i], token)
		if err != nil {
			return err
		}
		if a.Type.Equal(cms.OIDArchiveTimeStampV3) {
			more.Digests = []crypto.Hash{s.hash()}
		}
		more.Attributes = append(more.Attributes, *a)
	}
	if sd, err = sd.Add(more); err != nil {
		return err
	}
	return sd.Write(w)
}

// attribute makes the unsigned attribute of a token that has come.
func (s *Stamping) attribute(sd *cms.SignedData, w WantedStamp, token []byte) (*cms.Unsigned, error) {
	t, err := cms.ParseToken(token)
	if err != nil {
		return nil, err
	}
	if t.Info.Hash != s.hash() || !bytes.Equal(t.Info.Imprint, w.Imprint) {
		return nil, fail(cms.Mismatch, "the time-stamp is not over what was prepared")
	}
	a := &cms.Unsigned{Path: []int{w.Signer}, Type: cms.OIDArchiveTimeStampV3, Value: token}
	si, err := sd.Signature(a.Path)
	if err != nil {
		return nil, err
	}
	if w.Index != nil {
		a.Value, err = cms.WithHashIndex(token, w.Index)
		return a, err
	}
	a.Type = cms.OIDSignatureTimeStamp
	if si.Certificate != nil && t.Info.GenTime.After(si.Certificate.NotAfter) {
		return nil, fail(cms.Mismatch, "the signer's certificate had expired when the signature was stamped")
	}
	return a, nil
}
