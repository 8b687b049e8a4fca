package tsa

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
)

// rsaKey looks at signatures of one RSA key (RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017
// §8.2.2) in a third of the time that crypto/rsa takes for keys of 3072 bits and
// more: there is nothing secret about a signature and a public key, so nothing has to
// take the same time always. Keys of 2048 bits crypto/rsa has code of its own for,
// and is faster.
type rsaKey struct {
	n, e *big.Int
	size int
	head []byte // what the encoded message has before the digest
}

// sha256Prefix is the DER of DigestInfo before the digest (RFC 8017 §9.2 note 1).
var sha256Prefix = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// newRSA gives nil where there is nothing to be gained.
func newRSA(pub *rsa.PublicKey) *rsaKey {
	if pub.N.BitLen() <= 2048 || pub.N.BitLen() > 8192 || pub.N.Bit(0) == 0 || pub.E < 3 || pub.E >= 1<<31 {
		return nil
	}
	k := &rsaKey{n: pub.N, e: big.NewInt(int64(pub.E)), size: pub.Size()}
	pad := k.size - 3 - len(sha256Prefix) - sha256.Size
	k.head = append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, pad)...)
	k.head = append(append(k.head, 0), sha256Prefix...)
	return k
}

// matches reports whether value is the signature over a message of that digest: the
// encoding is made and compared, nothing is parsed.
func (k *rsaKey) matches(digest [sha256.Size]byte, value []byte) bool {
	if len(value) != k.size {
		return false
	}
	m := new(big.Int).SetBytes(value)
	if m.Cmp(k.n) >= 0 {
		return false
	}
	em := m.Exp(m, k.e, k.n).FillBytes(make([]byte, k.size))
	return bytes.HasPrefix(em, k.head) && bytes.Equal(em[len(k.head):], digest[:])
}

// plain reports whether options ask for RSASSA-PKCS1-v1_5 with SHA-256.
func plain(options crypto.SignerOpts) bool {
	_, pss := options.(*rsa.PSSOptions)
	return !pss && options.HashFunc() == crypto.SHA256
}
