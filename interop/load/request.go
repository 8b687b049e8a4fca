package load

import (
	"bytes"
	"crypto"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// hashes are the algorithms of imprints that can be asked for, with the last
// octet of their identifier 2.16.840.1.101.3.4.2.x.
var hashes = map[crypto.Hash]byte{crypto.SHA256: 1, crypto.SHA384: 2, crypto.SHA512: 3}

// Request gives a TimeStampReq (RFC 3161 §2.4.1) with certReq, for an imprint and
// a nonce of eight octets.
func Request(h crypto.Hash, imprint []byte, nonce uint64) ([]byte, error) {
	last, ok := hashes[h]
	if !ok || len(imprint) != h.Size() {
		return nil, fmt.Errorf("load: cannot ask for %d octets of %v", len(imprint), h)
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier([]int{2, 16, 840, 1, 101, 3, 4, 2, int(last)})
				b.AddASN1NULL()
			})
			b.AddASN1OctetString(imprint)
		})
		b.AddASN1Uint64(nonce)
		b.AddASN1Boolean(true)
	})
	return b.Bytes()
}

// template is an HTTP request that is patched for each sending.
type template struct {
	bytes          []byte
	imprint, nonce int // where they stand
	seed           [2]uint64
	asked          uint64
}

const nonceTop = 1 << 62 // a nonce of eight octets whose first is neither 0 nor above 7f

// newTemplate encodes a request for a SHA-256 imprint. header is further lines of
// the HTTP head, each with CR LF.
func newTemplate(host, path, header string) (*template, error) {
	imprint := bytes.Repeat([]byte{0xa7}, 32)
	const nonce = nonceTop | 0x1122334455667788
	der, err := Request(crypto.SHA256, imprint, nonce)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/timestamp-query\r\nContent-Length: %d\r\n%s\r\n",
		path, host, len(der), header)
	t := &template{bytes: append([]byte(head), der...), seed: [2]uint64{rand.Uint64(), rand.Uint64()}}
	t.imprint = bytes.Index(t.bytes, imprint)
	t.nonce = bytes.Index(t.bytes, binary.BigEndian.AppendUint64(nil, nonce))
	if t.imprint < len(head) || t.nonce < len(head) {
		return nil, fmt.Errorf("load: the request was not encoded as expected")
	}
	return t, nil
}

// next makes buf, a copy of the template, a request that was not sent before: the
// imprint is a number of this run in a random frame, the nonce follows from it.
func (t *template) next(buf []byte) {
	t.asked++
	b := buf[t.imprint:]
	binary.BigEndian.PutUint64(b, t.seed[0])
	binary.BigEndian.PutUint64(b[8:], t.asked)
	binary.BigEndian.PutUint64(b[16:], t.asked*0x9e3779b97f4a7c15^t.seed[1])
	binary.BigEndian.PutUint64(b[24:], t.seed[1])
	binary.BigEndian.PutUint64(buf[t.nonce:], nonceTop|(t.asked*0xbf58476d1ce4e5b9>>2))
}
