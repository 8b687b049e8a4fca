package cms

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/der"
)

// hashIndex is what an archive-time-stamp-v3 is over beside the signature itself:
// digests of certificates and revocation data of the root and of the unsigned
// attributes of the signature (EN 319 122-1 §5.5.2). What is not in it is not
// covered by the time-stamp.
type hashIndex struct {
	raw                                  []byte // DER
	whole                                bool   // digests are of whole attributes, as before version 3
	hash                                 crypto.Hash
	certificates, revocation, attributes [][]byte
}

// HashIndex gives the ATSHashIndexV3 of this signature as the message is now: a
// digest of each member of SignedData.certificates and SignedData.crls, and of
// each value of an unsigned attribute behind the attribute's type.
func (si *SignerInfo) HashIndex(h crypto.Hash) ([]byte, error) {
	if !strong(h) {
		return nil, fail(BadOptions, "digest algorithm %v cannot be used for a time-stamp", h)
	}
	list := func(members [][]byte) []byte {
		var body []byte
		for _, m := range members {
			body = append(body, der.TLV(der.Octets, digestOf(h, m))...)
		}
		return der.TLV(der.Sequence, body)
	}
	var values [][]byte
	for _, a := range si.UnsignedAttributes {
		for _, v := range a.Values {
			values = append(values, append(der.OID(a.Type), v...))
		}
	}
	return der.TLV(der.Sequence, algorithm(HashOID(h), nil),
		list(si.message.RawCertificates), list(si.message.RawRevocation), list(values)), nil
}

// ArchiveImprint gives the digest that an archive-time-stamp-v3 with this index
// is over (EN 319 122-1 §5.5.3). contentDigest is as in [SignerInfo.Verify].
func (si *SignerInfo) ArchiveImprint(h crypto.Hash, index []byte, contentDigest func(crypto.Hash) ([]byte, error)) ([]byte, error) {
	if si.parent != nil {
		contentDigest = si.parent.digest
	}
	content, err := contentDigest(h)
	if err != nil {
		return nil, err
	}
	d := h.New()
	for _, part := range append([][]byte{der.OID(si.message.ContentType), content}, si.fixed...) {
		d.Write(part)
	}
	d.Write(index)
	return d.Sum(nil), nil
}

// WithHashIndex gives the time-stamp token with the ats-hash-index-v3 among its
// unsigned attributes, as it becomes the value of an archive-time-stamp-v3.
func WithHashIndex(token, index []byte) ([]byte, error) {
	sd, err := ParseBytes(token, tokenLimits)
	if err != nil {
		return nil, err
	}
	if sd, err = sd.Add(Additions{Attributes: []Unsigned{{Path: []int{0}, Type: oidHashIndexV3, Value: index}}}); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = sd.Write(&out)
	return out.Bytes(), err
}

// indexOf reads the one ats-hash-index of an archive time-stamp.
func indexOf(t *Token) (*hashIndex, error) {
	var x *hashIndex
	for _, a := range t.Signer.UnsignedAttributes {
		var version int
		switch {
		case a.Type.Equal(oidHashIndexV1):
			version = 1
		case a.Type.Equal(oidHashIndexV2):
			version = 2
		case a.Type.Equal(oidHashIndexV3):
			version = 3
		default:
			continue
		}
		if x != nil || len(a.Values) != 1 {
			return nil, fail(Malformed, "the archive time-stamp has more than one index")
		}
		var err error
		if x, err = parseIndex(a.Values[0], version); err != nil {
			return nil, err
		}
	}
	if x == nil {
		return nil, fail(Malformed, "the archive time-stamp has no index of what it covers")
	}
	if x.hash != t.Info.Hash {
		return nil, fail(Mismatch, "the index of the archive time-stamp has digests of another algorithm than the time-stamp")
	}
	return x, nil
}

// parseIndex reads an ATSHashIndex. Version 1 may leave the algorithm out and
// means SHA-256 then.
func parseIndex(raw []byte, version int) (*hashIndex, error) {
	const depth = 4
	e, rest, err := next(raw, depth)
	if err != nil {
		return nil, err
	}
	f, err := fields(e.body, depth, 4)
	if err != nil {
		return nil, err
	}
	x := &hashIndex{raw: raw, whole: version < 3, hash: crypto.SHA256}
	if len(f) == 4 {
		if x.hash, _, err = parseDigestAlgorithm(f[0]); err != nil {
			return nil, err
		}
		f = f[1:]
	} else if version == 3 {
		f = nil
	}
	if !e.is(der.Sequence) || len(rest) > 0 || len(f) != 3 {
		return nil, fail(Malformed, "the index of the archive time-stamp is broken")
	}
	if err := checkImprintHash(x.hash); err != nil {
		return nil, err
	}
	for i, to := range []*[][]byte{&x.certificates, &x.revocation, &x.attributes} {
		all, err := fields(f[i].body, depth, 4*DefaultLimits.Certificates)
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			if !f[i].is(der.Sequence) || !d.is(der.Octets) || d.constructed || len(d.body) != x.hash.Size() {
				return nil, fail(Malformed, "the index of the archive time-stamp is broken")
			}
			*to = append(*to, d.body)
		}
	}
	return x, nil
}

// indexed is something that an index can mean: the octets whose digest stands in
// it, and what they are to those who ask what a time-stamp covers.
type indexed struct {
	octets []byte
	means  [][]byte
}

// covered gives what of the message the index means. Each digest in it must be of
// something that is there (EN 319 122-1 §5.5.3): else something was taken away or
// changed since.
func (x *hashIndex) covered(si *SignerInfo) ([][]byte, error) {
	var certificates, revocation, attributes []indexed
	for _, raw := range si.message.RawCertificates {
		certificates = append(certificates, indexed{raw, [][]byte{raw}})
	}
	for _, raw := range si.message.RawRevocation {
		if answer := revocationDER(raw, si.message.limits.Depth); answer != nil {
			revocation = append(revocation, indexed{raw, [][]byte{answer}})
		} else {
			revocation = append(revocation, indexed{raw, nil})
		}
	}
	for _, a := range si.UnsignedAttributes {
		var all [][]byte
		for _, v := range a.Values {
			means := si.attributeMeans(a.Type, v)
			all = append(all, means...)
			if !x.whole {
				attributes = append(attributes, indexed{append(der.OID(a.Type), v...), means})
			}
		}
		if x.whole {
			attributes = append(attributes, indexed{a.raw, all})
		}
	}
	var out [][]byte
	for _, part := range []struct {
		digests [][]byte
		of      []indexed
	}{{x.certificates, certificates}, {x.revocation, revocation}, {x.attributes, attributes}} {
		by := make(map[string][][]byte, len(part.of))
		for _, m := range part.of {
			by[string(digestOf(x.hash, m.octets))] = m.means
		}
		for _, d := range part.digests {
			means, ok := by[string(d)]
			if !ok {
				return nil, fail(Mismatch, "the archive time-stamp covers something that is not in the signature any more, or was changed")
			}
			out = append(out, means...)
		}
	}
	return out, nil
}

// attributeMeans gives what a value of an unsigned attribute holds: evidence, or
// the value itself, which may be a time-stamp token.
func (si *SignerInfo) attributeMeans(t asn1.ObjectIdentifier, value []byte) [][]byte {
	var e ades.Evidence
	switch {
	case t.Equal(OIDCertificateValues):
		e = certificateValues(value, si.message.limits)
	case t.Equal(OIDRevocationValues):
		e = revocationValues(value, si.message.limits)
	default:
		return [][]byte{value}
	}
	return slices.Concat(raws(e.Certificates), e.CRLs, e.OCSP)
}
