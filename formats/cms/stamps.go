package cms

import (
	"crypto"
	"time"

	"sigillo/formats/ades"
)

// stampKinds are the attributes that are time-stamps.
var stampKinds = map[string]ades.StampKind{
	OIDContentTimeStamp.String():    ades.ContentStamp,
	OIDSignatureTimeStamp.String():  ades.SignatureStamp,
	OIDCompleteTimeStamp.String():   ades.ReferencesStamp,
	OIDReferencesTimeStamp.String(): ades.ReferencesStamp,
	OIDArchiveTimeStampV3.String():  ades.ArchiveStamp,
	OIDArchiveTimeStampV2.String():  ades.ArchiveStamp,
	OIDArchiveTimeStamp.String():    ades.ArchiveStamp,
}

// Stamps gives all time-stamps of this signature, those that were signed first,
// then as they stand, with what each must be over:
//
//	content-time-stamp     the content (EN 319 122-1 §5.2.8)
//	signature-time-stamp   the signature value (§5.3)
//	archive-time-stamp-v3  what its index says, strictly (§5.5.3)
//	archive-time-stamp-v2  the signature and the whole root (TS 101 733 §6.4.1)
//	CAdES-C, references    the references of older forms (Annex A.1.5)
//
// A content-time-stamp counts only if it was signed, the others only if not.
// Archive time-stamps of version 2 can be checked in attached signatures; what
// those of version 1 and in detached ones are over cannot be had: Imprint fails
// with [Unsupported].
//
// contentDigest is as in [SignerInfo.Verify].
func (si *SignerInfo) Stamps(contentDigest func(crypto.Hash) ([]byte, error)) []ades.Stamp {
	var out []ades.Stamp
	if si.parent != nil {
		contentDigest = si.parent.digest
	}
	times := map[string]time.Time{}
	add := func(list []Attribute, signed bool) {
		for _, a := range list {
			kind := stampKinds[a.Type.String()]
			if kind == "" || signed != (kind == ades.ContentStamp) {
				continue
			}
			for _, v := range a.Values {
				out = append(out, si.stamp(a, v, kind, contentDigest, times))
			}
		}
	}
	add(si.SignedAttributes, true)
	add(si.UnsignedAttributes, false)
	return out
}

func (si *SignerInfo) stamp(a Attribute, token []byte, kind ades.StampKind, contentDigest func(crypto.Hash) ([]byte, error), times map[string]time.Time) ades.Stamp {
	s := ades.Stamp{Kind: kind, DER: token}
	switch {
	case a.Type.Equal(OIDContentTimeStamp):
		s.Imprint = contentDigest
	case a.Type.Equal(OIDSignatureTimeStamp):
		s.Imprint = si.digest
	case a.Type.Equal(OIDCompleteTimeStamp):
		s.Imprint = func(h crypto.Hash) ([]byte, error) { return si.referencesDigest(h, true) }
	case a.Type.Equal(OIDReferencesTimeStamp):
		s.Imprint = func(h crypto.Hash) ([]byte, error) { return si.referencesDigest(h, false) }
	case a.Type.Equal(OIDArchiveTimeStampV3):
		index, covers, err := si.archived(token)
		s.Covers = covers
		s.Imprint = func(h crypto.Hash) ([]byte, error) {
			if err != nil {
				return nil, err
			}
			return si.ArchiveImprint(h, index, contentDigest)
		}
	case a.Type.Equal(OIDArchiveTimeStampV2):
		old, err := si.oldArchive(token, times)
		if err != nil {
			s.Imprint = func(crypto.Hash) ([]byte, error) { return nil, err }
		} else {
			s.Imprint, s.Covers = old.imprint, old.covers
		}
	default:
		s.Imprint = func(crypto.Hash) ([]byte, error) {
			return nil, fail(Unsupported, "an archive time-stamp of the first version cannot be checked")
		}
	}
	return s
}

// archived reads what an archive-time-stamp-v3 covers.
func (si *SignerInfo) archived(token []byte) (index []byte, covers [][]byte, err error) {
	t, err := ParseToken(token)
	if err != nil {
		return nil, nil, err
	}
	x, err := indexOf(t)
	if err != nil {
		return nil, nil, err
	}
	covers, err = x.covered(si)
	return x.raw, covers, err
}

// referencesDigest gives what the time-stamps of the C and X forms are over: the
// type and values of the attributes with references, and for CAdES-C before them
// the signature value and its time-stamps (EN 319 122-1 Annex A.1.5).
func (si *SignerInfo) referencesDigest(h crypto.Hash, complete bool) ([]byte, error) {
	if !h.Available() {
		return nil, fail(Unsupported, "digest algorithm %v is not available", h)
	}
	d := h.New()
	types := [][]int{OIDCertificateReferences, OIDRevocationReferences}
	if complete {
		d.Write(si.SignatureValue)
		types = [][]int{OIDSignatureTimeStamp, OIDCertificateReferences, OIDRevocationReferences}
	}
	for _, t := range types {
		for _, a := range si.UnsignedAttributes {
			if !a.Type.Equal(t) {
				continue
			}
			e, _, err := next(a.raw, si.message.limits.Depth)
			if err != nil {
				return nil, err
			}
			d.Write(e.body)
		}
	}
	return d.Sum(nil), nil
}
