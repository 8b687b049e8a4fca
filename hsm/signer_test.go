package hsm

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"testing"
)

// A key's numbers begin with zeros once in 256 signatures: here all lengths of them,
// also those for which the header of the SEQUENCE is longer.
func TestSignatureDER(t *testing.T) {
	t.Parallel()
	for _, n := range []int{32, 48, 66} {
		for zeros := range n {
			for _, first := range []byte{1, 0x7f, 0x80, 0xff} {
				raw := make([]byte, 2*n)
				raw[zeros], raw[n+zeros/2] = first, ^first
				want, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(raw[:n]), new(big.Int).SetBytes(raw[n:])})
				if err != nil {
					t.Fatal(err)
				}
				buf := append(make([]byte, maxDER(n)), raw...)
				if got := signatureDER(buf, buf[maxDER(n):][:n], buf[maxDER(n)+n:]); !bytes.Equal(got, want) {
					t.Fatalf("%x is written as %x, want %x", raw, got, want)
				}
			}
		}
	}
}
