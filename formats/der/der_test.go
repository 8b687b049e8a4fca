package der_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"sigillo/formats/der"
)

func TestExactly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		got  []byte
		want string
	}{
		{"empty", der.TLV(der.Null), "0500"},
		{"parts", der.TLV(der.Sequence, der.Int(1), nil, der.TLV(der.Context0, []byte("x"))), "3006020101800178"},
		{"appended", der.AppendHeader([]byte{9}, der.Octets, 3), "090403"},
		{"127", der.AppendHeader(nil, der.Octets, 127), "047f"},
		{"128", der.AppendHeader(nil, der.Octets, 128), "048180"},
		{"255", der.AppendHeader(nil, der.Octets, 255), "0481ff"},
		{"256", der.AppendHeader(nil, der.Octets, 256), "04820100"},
		{"65535", der.AppendHeader(nil, der.Octets, 65535), "0482ffff"},
		{"65536", der.AppendHeader(nil, der.Octets, 65536), "0483010000"},
		{"a large file", der.AppendHeader(nil, der.Octets, int64(1)<<40), "0486010000000000"},
		{"the largest", der.AppendHeader(nil, der.Octets, int64(math.MaxInt64)), "04887fffffffffffffff"},
		{"set", der.SetOf(der.Set, der.Int(2), der.TLV(der.Null), der.Int(1)), "31080201010201020500"},
		{"identifier", der.OID(asn1.ObjectIdentifier{2, 999, 127, 128, 16384}), "060888377f8100818000"},
		{"no identifier", der.OID(asn1.ObjectIdentifier{1, 40}), ""},
		{"signed", der.AppendInt([]byte{9}, -129), "090202ff7f"},
		{"unsigned", der.AppendUnsigned([]byte{9}, []byte{0, 0, 0x80}), "0902020080"},
		{"unsigned zero", der.AppendUnsigned(nil, []byte{0, 0}), "020100"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	for _, n := range []int64{0, 127, 128, 255, 256, 65535, 65536, 1 << 40} {
		if h := int64(len(der.AppendHeader(nil, der.Octets, n))); der.Size(n) != h+n {
			t.Errorf("an element of %d octets has size %d, want %d", n, der.Size(n), h+n)
		}
	}
}

// The encodings agree with encoding/asn1, and what that refuses is refused.
func TestAgreesWithASN1(t *testing.T) {
	t.Parallel()
	same := func(got []byte, value any) {
		t.Helper()
		if want, err := asn1.Marshal(value); !bytes.Equal(got, want) || (err == nil) != (got != nil) {
			t.Errorf("%v is %x, want %x (%v)", value, got, want, err)
		}
	}
	for _, oid := range []asn1.ObjectIdentifier{
		{0, 0}, {1, 39}, {2, 5, 29, 37}, {2, 999, 3}, {1, 2, 127, 128, 16383, 16384, 1<<31 - 1}, {1, 2, 840, 113549, 1, 9, 16, 1, 4},
		nil, {1}, {3, 1}, {1, 40},
	} {
		same(der.OID(oid), oid)
	}
	for _, oid := range []asn1.ObjectIdentifier{{-1, 2}, {1, -2}, {1, 2, -3}, {2, math.MaxInt32}} { // which encoding/asn1 writes
		if got := der.OID(oid); got != nil {
			t.Errorf("%v is %x", oid, got)
		}
	}
	numbers := []int64{0, math.MaxInt64, math.MinInt64}
	for i := range 63 {
		numbers = append(numbers, 1<<i-1, 1<<i, -1<<i, -1<<i-1)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range numbers {
		same(der.Int(n), n)
		same(der.BigInt(big.NewInt(n)), n)
		long := new(big.Int).Lsh(big.NewInt(n), r.UintN(1200))
		same(der.BigInt(long), long)
		if n >= 0 {
			same(der.AppendUnsigned(nil, append(make([]byte, r.IntN(3)), long.Bytes()...)), long)
		}
	}
	for _, n := range []int{0, 127, 128, 255, 256, 65535, 65536, 1 << 24} {
		b := make([]byte, n)
		same(der.TLV(der.Octets, b[:n/2], b[n/2:]), b)
	}
}
