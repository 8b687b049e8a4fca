package cms

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"io"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/der"
)

// message is a SignedData about to be written: its members in the order they
// stand, and around the EncapsulatedContentInfo, which is streamed.
type message struct {
	version          int // at least this one
	contentType      asn1.ObjectIdentifier
	digestAlgorithms [][]byte
	certificates     [][]byte
	revocation       [][]byte
	signers          [][]byte
}

// around gives what stands before and after an EncapsulatedContentInfo of so many
// octets. All lengths are definite and the shortest.
func (m *message) around(encapsulated int64) (head, tail []byte) {
	if len(m.certificates) > 0 {
		tail = append(tail, der.TLV(der.Context0Con, m.certificates...)...)
	}
	if len(m.revocation) > 0 {
		tail = append(tail, der.TLV(der.Context0Con|1, m.revocation...)...)
	}
	tail = append(tail, der.TLV(der.Set, m.signers...)...)

	before := append(der.Int(int64(m.lowestVersion())), der.TLV(der.Set, m.digestAlgorithms...)...)
	data := int64(len(before)) + encapsulated + int64(len(tail))
	head = der.AppendHeader(nil, der.Sequence, int64(len(derSignedData))+der.Size(der.Size(data)))
	head = append(head, derSignedData...)
	head = der.AppendHeader(head, der.Context0Con, der.Size(data))
	head = der.AppendHeader(head, der.Sequence, data)
	return append(head, before...), tail
}

// lowestVersion gives the version that the members ask for (RFC 5652 §5.1), and
// no less than the message had.
func (m *message) lowestVersion() int {
	v := max(m.version, 1)
	if !m.contentType.Equal(OIDData) {
		v = max(v, 3)
	}
	for _, s := range m.signers {
		if f, _, err := next(s, 2); err == nil {
			if inner, _, err := next(f.body, 1); err == nil && bytes.Equal(inner.body, []byte{3}) {
				v = max(v, 3)
			}
		}
	}
	for _, c := range m.certificates {
		switch c[0] {
		case der.Context0Con | 1:
			v = max(v, 3)
		case der.Context0Con | 2:
			v = max(v, 4)
		case der.Context0Con | 3:
			v = max(v, 5)
		}
	}
	for _, r := range m.revocation {
		if r[0] != der.Sequence {
			v = max(v, 5)
		}
	}
	return v
}

// encapsulatedHead gives the EncapsulatedContentInfo up to the content; size -1
// is one without content.
func encapsulatedHead(contentType asn1.ObjectIdentifier, size int64) []byte {
	oid := der.OID(contentType)
	if size < 0 {
		return der.TLV(der.Sequence, oid)
	}
	octets := der.Size(size)
	head := der.AppendHeader(nil, der.Sequence, int64(len(oid))+der.Size(octets))
	head = append(head, oid...)
	return der.AppendHeader(der.AppendHeader(head, der.Context0Con, octets), der.Octets, size)
}

var derSignedData = der.OID(OIDSignedData)

// Additions are what can be put into a message that exists without touching what
// is in it.
type Additions struct {
	Evidence   ades.Evidence // into the root; what is there already is left out
	Signers    [][]byte      // whole SignerInfos, in DER
	Attributes []Unsigned
	// Digests are algorithms that time-stamps among the additions digest the
	// content with: they are named beside those of the signers, so that a reader
	// who reads the content once knows all it has to compute (EN 319 122-1 §5.5.3).
	Digests []crypto.Hash
}

// Unsigned is an unsigned attribute with one value to be added to a signature.
type Unsigned struct {
	// Path leads to the signature: the index of a signer, followed by the index of
	// one of its counter-signatures, and so on.
	Path  []int
	Type  asn1.ObjectIdentifier
	Value []byte // DER
}

// Add gives the message with the additions. All members that are there keep
// their octets and their order among each other, since digests over them exist
// that nobody but their maker can make anew; only what holds them gets new
// lengths. New members of a set go to their place in DER order (X.690 §11.6) if
// the set was in that order, and to its end if it was not.
//
// It fails with [Unsupported] if certificates or revocation data would be added
// to a message with an archive time-stamp of the kinds before EN 319 122-1: those
// are over all that the root has, and would be broken.
func (sd *SignedData) Add(a Additions) (*SignedData, error) {
	out := &SignedData{
		Version: sd.Version, ContentType: sd.ContentType, Size: -1,
		limits: sd.limits, r: sd.r, encapsulated: sd.encapsulated, content: sd.content,
		digestAlgorithms: sd.digestAlgorithms,
	}
	missing := sd.lacking(a.Evidence)
	if !missing.Empty() && sd.hasOldArchive() {
		return nil, fail(Unsupported, "the message has an archive time-stamp of a kind that covers all certificates and revocation data: adding some would break it")
	}
	signers, err := sd.signersWith(a.Attributes)
	if err != nil {
		return nil, err
	}
	for _, s := range a.Signers {
		out.digestAlgorithms = withDigest(out.digestAlgorithms, digestAlgorithmOf(s))
	}
	for _, h := range a.Digests {
		out.digestAlgorithms = withDigest(out.digestAlgorithms, algorithm(HashOID(h), nil))
	}
	for _, part := range []struct {
		tag     byte
		members [][]byte
		parse   func(element, Limits) error
	}{
		{der.Context0Con, inserted(sd.RawCertificates, raws(missing.Certificates)), out.parseCertificates},
		{der.Context0Con | 1, inserted(sd.RawRevocation, revocationChoices(missing)), out.parseRevocation},
		{der.Set, inserted(signers, a.Signers), out.parseSigners},
	} {
		e, _, err := next(der.TLV(part.tag, part.members...), sd.limits.Depth)
		if err != nil {
			return nil, err
		}
		if err := part.parse(e, sd.limits); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// signersWith gives the SignerInfos with the attributes added.
func (sd *SignedData) signersWith(attributes []Unsigned) ([][]byte, error) {
	for _, a := range attributes {
		if _, err := sd.Signature(a.Path); err != nil {
			return nil, err
		}
	}
	out := make([][]byte, len(sd.Signers))
	for i, si := range sd.Signers {
		out[i] = si.with(below(attributes, i))
	}
	return out, nil
}

// below gives the attributes whose path starts with i, with the rest of it.
func below(attributes []Unsigned, i int) []Unsigned {
	var out []Unsigned
	for _, a := range attributes {
		if len(a.Path) > 0 && a.Path[0] == i {
			a.Path = a.Path[1:]
			out = append(out, a)
		}
	}
	return out
}

// with gives the SignerInfo with the attributes added to it or to its
// counter-signatures.
func (si *SignerInfo) with(attributes []Unsigned) []byte {
	if len(attributes) == 0 {
		return si.raw
	}
	var old, added [][]byte
	counter := 0
	for _, a := range si.UnsignedAttributes {
		raw := a.raw
		if a.Type.Equal(OIDCounterSignature) {
			values, changed := slices.Clone(a.Values), false
			for i := range values {
				if more := below(attributes, counter); len(more) > 0 {
					values[i], changed = si.CounterSignatures[counter].with(more), true
				}
				counter++
			}
			if changed {
				raw = der.TLV(der.Sequence, der.OID(a.Type), der.TLV(der.Set, reordered(a.Values, values)...))
			}
		}
		old = append(old, raw)
	}
	for _, a := range attributes {
		if len(a.Path) == 0 {
			added = append(added, attribute(a.Type, a.Value))
		}
	}
	return der.TLV(der.Sequence, bytes.Join(si.fixed, nil), der.TLV(der.Context0Con|1, inserted(old, added)...))
}

// inserted gives a set with new members: sorted if it was sorted, else with the
// new ones at the end.
func inserted(set, added [][]byte) [][]byte {
	return reordered(set, append(slices.Clip(set), added...))
}

// reordered sorts changed as DER if old was sorted so.
func reordered(old, changed [][]byte) [][]byte {
	if slices.IsSortedFunc(old, bytes.Compare) {
		changed = slices.Clone(changed)
		slices.SortStableFunc(changed, bytes.Compare)
	}
	return changed
}

// withDigest adds a digest algorithm to a set if none with the same identifier is
// there.
func withDigest(set [][]byte, alg []byte) [][]byte {
	if identifierOf(alg) == nil {
		return set
	}
	for _, have := range set {
		if bytes.Equal(identifierOf(have), identifierOf(alg)) {
			return set
		}
	}
	return inserted(set, [][]byte{alg})
}

// digestAlgorithmOf gives the AlgorithmIdentifier of a SignerInfo's digest.
func digestAlgorithmOf(signer []byte) []byte {
	if e, _, err := next(signer, 2); err == nil {
		if f, err := fields(e.body, 1, 8); err == nil && len(f) > 2 {
			return f[2].raw
		}
	}
	return nil
}

func identifierOf(algorithm []byte) []byte {
	if e, _, err := next(algorithm, 1); err == nil {
		if oid, _, err := next(e.body, 1); err == nil {
			return oid.raw
		}
	}
	return nil
}

// Signature gives the signature that a path leads to: the index of a signer,
// followed by the index of one of its counter-signatures, and so on.
func (sd *SignedData) Signature(path []int) (*SignerInfo, error) {
	list := sd.Signers
	var found *SignerInfo
	for _, i := range path {
		if i < 0 || i >= len(list) {
			return nil, fail(BadOptions, "there is no signature %v in the message", path)
		}
		found = list[i]
		list = found.CounterSignatures
	}
	if found == nil {
		return nil, fail(BadOptions, "a signature must be named by its index")
	}
	return found, nil
}

// hasOldArchive reports an archive time-stamp of a kind that depends on the whole
// root of the message.
func (sd *SignedData) hasOldArchive() bool {
	for _, si := range sd.Signers {
		for _, a := range si.UnsignedAttributes {
			if a.Type.Equal(OIDArchiveTimeStamp) || a.Type.Equal(OIDArchiveTimeStampV2) {
				return true
			}
		}
	}
	return false
}

func (sd *SignedData) message() *message {
	m := &message{
		version: sd.Version, contentType: sd.ContentType, digestAlgorithms: sd.digestAlgorithms,
		certificates: sd.RawCertificates, revocation: sd.RawRevocation,
	}
	for _, si := range sd.Signers {
		m.signers = append(m.signers, si.raw)
	}
	return m
}

// Fingerprint identifies the message but for its content: a digest of all else in
// it.
func (sd *SignedData) Fingerprint() []byte {
	head, tail := sd.message().around(sd.encapsulated.to - sd.encapsulated.from)
	sum := sha256.Sum256(append(head, tail...))
	return sum[:]
}

// Write writes the message, the content copied from where it was read, octet by
// octet. What is around it is written with definite lengths.
func (sd *SignedData) Write(w io.Writer) error {
	n := sd.encapsulated.to - sd.encapsulated.from
	head, tail := sd.message().around(n)
	if _, err := w.Write(head); err != nil {
		return wrap(Failed, err, "writing the message")
	}
	if copied, err := io.Copy(w, io.NewSectionReader(sd.r, sd.encapsulated.from, n)); err != nil || copied != n {
		return wrap(Failed, err, "copying the content of the message")
	}
	if _, err := w.Write(tail); err != nil {
		return wrap(Failed, err, "writing the message")
	}
	return nil
}
