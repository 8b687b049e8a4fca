package pades

import (
	"cmp"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"sync"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// message is the CMS message of a signature, read when it is first asked for.
type message struct {
	once sync.Once
	sd   *cms.SignedData
	err  error
}

// Message reads the CMS message of the signature: for a document time-stamp the token.
func (s *Signature) Message() (*cms.SignedData, error) {
	s.once.once.Do(func() {
		sd, err := cms.ParseBytes(s.CMS, cms.Limits{})
		s.once.sd = sd
		if err != nil {
			s.once.err = &Error{Kind: Malformed, Msg: "the CMS message of the signature cannot be read", Err: err}
		}
	})
	return s.once.sd, s.once.err
}

// signer gives the only signer of the message.
func (s *Signature) signer() (*cms.SignerInfo, error) {
	sd, err := s.Message()
	if err != nil {
		return nil, err
	}
	if len(sd.Signers) != 1 {
		return nil, failure(Malformed, "a PDF signature has one signer, this one %d", len(sd.Signers))
	}
	return sd.Signers[0], nil
}

// end is the offset in the file where the signed bytes end.
func (s *Signature) end() int64 { return s.ByteRange[2] + s.ByteRange[3] }

// Certificate is the signer's, if the message holds it; nil otherwise.
func (s *Signature) Certificate() *x509.Certificate {
	si, err := s.signer()
	if err != nil {
		return nil
	}
	return si.Certificate
}

// Verify checks the signature value and that it binds the document (see [cms.SignerInfo.Verify]). For a document time-stamp
// it checks the token's own signature and its imprint (see [cms.Token.Verify]). Nothing is said about trust, nor about what
// was appended later.
func (s *Signature) Verify() error {
	if s.Err != nil {
		return s.Err
	}
	if s.IsTimestamp() {
		t, err := cms.ParseToken(s.CMS)
		if err != nil {
			return err
		}
		return t.Verify(s.ContentDigest)
	}
	si, err := s.signer()
	if err != nil {
		return err
	}
	if sd, _ := s.Message(); sd.HasContent() {
		return failure(Malformed, "the message of a PDF signature must not hold a document of its own")
	}
	return si.Verify(s.ContentDigest)
}

// Properties gives what the signer signed beside the document. What PAdES says in the dictionary is in Reason, Location
// and Contact.
func (s *Signature) Properties() (ades.Properties, error) {
	si, err := s.signer()
	if err != nil {
		return ades.Properties{}, err
	}
	return si.Properties()
}

// Stamps gives every time-stamp of the signature: those in its message, then the document time-stamps of later revisions, by
// age. A document time-stamp covers the messages of all earlier signatures and what was in the document security
// store by then, for all of it lies in the bytes it is over.
func (s *Signature) Stamps() []ades.Stamp {
	if s.Err != nil {
		return nil
	}
	var out []ades.Stamp
	if si, err := s.signer(); err == nil && !s.IsTimestamp() {
		out = si.Stamps(s.ContentDigest)
	}
	var later []*Signature
	for i := range s.doc.list {
		t := &s.doc.list[i]
		if t.IsTimestamp() && t.Err == nil && t.end() > s.end() {
			later = append(later, t)
		}
	}
	slices.SortFunc(later, func(a, b *Signature) int { return cmp.Compare(a.end(), b.end()) })
	for _, t := range later {
		out = append(out, ades.Stamp{Kind: ades.DocumentStamp, DER: t.CMS, Imprint: t.ContentDigest, Covers: s.doc.covered(t)})
	}
	return out
}

// covered gives what a document time-stamp covers beside the document: a part of a list that all of them share.
func (d *Document) covered(t *Signature) [][]byte {
	dss, _ := d.DSS() // a broken one has nothing to cover
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.covers == nil {
		d.covers = dss.places()
		for i := range d.list {
			d.covers = append(d.covers, d.list[i].carried()...)
		}
		slices.SortStableFunc(d.covers, func(a, b carried) int { return cmp.Compare(a.end, b.end) })
		for _, c := range d.covers {
			d.coversDER = append(d.coversDER, c.der)
		}
	}
	n, _ := slices.BinarySearchFunc(d.covers, t.end()+1, func(c carried, end int64) int { return cmp.Compare(c.end, end) })
	return slices.Clip(d.coversDER[:n])
}

// carried is something that the document holds up to the offset end.
type carried struct {
	end int64
	der []byte
}

// carried gives what a signature's message holds. It is covered by ranges that go beyond the signature's own.
func (s *Signature) carried() (out []carried) {
	if s.Err != nil {
		return nil
	}
	put := func(der []byte) { out = append(out, carried{s.end() + 1, der}) }
	if s.IsTimestamp() {
		put(s.CMS)
		return out
	}
	e := s.ownEvidence()
	for _, c := range e.Certificates {
		put(c.Raw)
	}
	for _, der := range slices.Concat(e.CRLs, e.OCSP) {
		put(der)
	}
	if si, err := s.signer(); err == nil {
		for _, inner := range si.Stamps(s.ContentDigest) {
			put(inner.DER)
		}
	}
	return out
}

// Evidence gives the certificates and revocation data that the document has for checking the signature: in its message, there
// also as Adobe's revocation archive, and in the document security store, which serves all signatures.
func (s *Signature) Evidence() ades.Evidence {
	e := s.ownEvidence()
	e.Add(s.doc.evidence())
	return e
}

func (s *Signature) ownEvidence() ades.Evidence {
	sd, err := s.Message()
	if err != nil {
		return ades.Evidence{}
	}
	e := sd.Evidence()
	for _, si := range sd.Signers {
		for _, a := range si.SignedAttributes {
			if a.Type.Equal(oidRevocationArchive) && len(a.Values) == 1 {
				e.Add(revocationArchive(a.Values[0]))
			}
		}
	}
	return e
}

// oidRevocationArchive is adbe-revocationInfoArchival (ISO 32000-1 §12.8.3.3.2), a signed attribute of signatures before PAdES.
var oidRevocationArchive = asn1.ObjectIdentifier{1, 2, 840, 113583, 1, 1, 8}

// maxArchived bounds the lists and answers in it.
const maxArchived = 512

// revocationArchive reads a RevocationInfoArchival: [0] CRLs, [1] OCSP responses, each in a SEQUENCE. What is broken in it is left
// out: evidence that is not there is noticed by those who need it.
func revocationArchive(der []byte) ades.Evidence {
	var e ades.Evidence
	in, seq := cryptobyte.String(der), cryptobyte.String(nil)
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return e
	}
	for tag, to := range []*[][]byte{&e.CRLs, &e.OCSP} {
		var part, list, one cryptobyte.String
		var present bool
		if !seq.ReadOptionalASN1(&part, &present, cbasn1.Tag(tag).Constructed().ContextSpecific()) || !present || !part.ReadASN1(&list, cbasn1.SEQUENCE) {
			continue
		}
		for !list.Empty() && len(*to) < maxArchived && list.ReadASN1Element(&one, cbasn1.SEQUENCE) {
			*to = append(*to, one)
		}
	}
	return e
}
