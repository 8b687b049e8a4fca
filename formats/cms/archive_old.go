package cms

import (
	"bytes"
	"crypto"
	"hash"
	"io"
	"sync"
	"time"

	"sigillo/formats/der"
)

// oldArchive tells what an archive-time-stamp-v2 (ETSI TS 101 733 §6.4.1) is over:
// the whole root and the whole signature as they were, with all unsigned
// attributes but the archive time-stamps that are not older than it.
type oldArchive struct {
	si         *SignerInfo
	token      *Token
	times      map[string]time.Time
	attributes [][]byte
	covers     [][]byte
}

// oldArchive prepares the look at a token. Since each is compared with all others,
// times remembers when those that were read were made.
func (si *SignerInfo) oldArchive(token []byte, times map[string]time.Time) (*oldArchive, error) {
	t, err := ParseToken(token)
	if err != nil {
		return nil, err
	}
	x := &oldArchive{si: si, token: t, times: times}
	x.covers = append(x.covers, si.message.RawCertificates...)
	x.covers = append(x.covers, si.message.CRLs...)
	x.covers = append(x.covers, si.message.OCSP...)
	for _, a := range si.UnsignedAttributes {
		if a.Type.Equal(OIDArchiveTimeStampV2) || a.Type.Equal(OIDArchiveTimeStampV3) {
			older, err := x.older(a)
			if err != nil {
				return nil, err
			}
			if !older {
				continue
			}
		}
		x.attributes = append(x.attributes, a.raw)
		for _, v := range a.Values {
			x.covers = append(x.covers, si.attributeMeans(a.Type, v)...)
		}
	}
	return x, nil
}

func (x *oldArchive) older(a Attribute) (bool, error) {
	for _, v := range a.Values {
		made, known := x.times[string(v)]
		if !known {
			t, err := ParseToken(v)
			if err != nil {
				return false, err
			}
			made = t.Info.GenTime
			x.times[string(v)] = made
		}
		if !made.Before(x.token.Info.GenTime) {
			return false, nil
		}
	}
	return true, nil
}

// imprint gives the digest. Two readings of the standard exist, with and without
// tag and length of the unsigned attributes; it gives the one that the token
// holds to, if either (TS 101 733 Annex K, Note 3).
func (x *oldArchive) imprint(h crypto.Hash) ([]byte, error) {
	sd := x.si.message
	if !sd.HasContent() {
		return nil, fail(Unsupported, "an archive time-stamp of a kind before EN 319 122-1 cannot be checked on a detached signature")
	}
	if !h.Available() {
		return nil, fail(Unsupported, "digest algorithm %v is not available", h)
	}
	var sums [2][]byte
	for i, unsigned := range [][]byte{der.TLV(der.Context0Con|1, x.attributes...), bytes.Join(x.attributes, nil)} {
		d, err := sd.rootDigest(h)
		if err != nil {
			return nil, err
		}
		for _, part := range x.si.fixed {
			d.Write(part)
		}
		d.Write(unsigned)
		if sums[i] = d.Sum(nil); bytes.Equal(sums[i], x.token.Info.Imprint) {
			return sums[i], nil
		}
	}
	return sums[0], nil
}

// rootDigest gives a digest, to be continued, of what all archive time-stamps of
// version 2 in a message begin with: its content, which may be long and is read
// once, its certificates and revocation data.
func (sd *SignedData) rootDigest(h crypto.Hash) (hash.Hash, error) {
	sd.roots.Lock()
	defer sd.roots.Unlock()
	if d, ok := sd.roots.known[h]; ok {
		return d.Clone()
	}
	d := h.New()
	if _, err := io.Copy(d, io.NewSectionReader(sd.r, sd.encapsulated.from, sd.encapsulated.to-sd.encapsulated.from)); err != nil {
		return nil, wrap(Failed, err, "reading the message")
	}
	if len(sd.RawCertificates) > 0 {
		d.Write(der.TLV(der.Context0Con, sd.RawCertificates...))
	}
	if len(sd.RawRevocation) > 0 {
		d.Write(der.TLV(der.Context0Con|1, sd.RawRevocation...))
	}
	if c, ok := d.(hash.Cloner); ok {
		kept, err := c.Clone()
		if err != nil {
			return nil, wrap(Failed, err, "a digest cannot be continued")
		}
		if sd.roots.known == nil {
			sd.roots.known = map[crypto.Hash]hash.Cloner{}
		}
		sd.roots.known[h] = kept
	}
	return d, nil
}

// roots are the digests of rootDigest.
type roots struct {
	sync.Mutex
	known map[crypto.Hash]hash.Cloner
}
