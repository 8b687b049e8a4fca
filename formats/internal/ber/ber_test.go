package ber_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"sigillo/formats/cms"
	"sigillo/formats/der"
	"sigillo/formats/internal/ber"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestDefinite(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"30 03 02 01 05":                            "30 03 02 01 05",
		"30 80 02 01 05 00 00":                      "30 03 02 01 05",
		"30 81 03 02 01 05":                         "30 03 02 01 05",
		"24 80 04 01 61 24 04 04 02 62 63 00 00":    "04 03 61 62 63",
		"a0 80 30 80 00 00 24 80 00 00 00 00":       "a0 04 30 00 04 00",
		"31 80 04 01 02 04 01 01 00 00":             "31 06 04 01 02 04 01 01",
		"30 84 00 00 00 05 24 03 04 01 61":          "30 03 04 01 61",
		"a1 80 a1 80 a1 80 05 00 00 00 00 00 00 00": "a1 06 a1 04 a1 02 05 00",
	} {
		got, err := ber.Definite(unhex(in))
		if err != nil || !bytes.Equal(got, unhex(want)) {
			t.Errorf("%s: %x, %v", in, got, err)
		}
	}
	for in, kind := range map[string]cms.Kind{
		"":                  cms.Malformed,
		"30":                cms.Malformed,
		"30 05 02 01 05":    cms.Malformed,
		"30 80 02 01 05":    cms.Malformed,
		"02 80 00 00":       cms.Malformed,
		"30 03 02 01 05 00": cms.Malformed,
		"30 02 00 00":       cms.Malformed,
		"24 03 02 01 05":    cms.Malformed,
		"1f 81 01 00":       cms.Malformed,
		"30 89 01 01 01":    cms.Malformed,
		"30 80 20 80 00 00": cms.Malformed,
		strings.Repeat("3080", 200) + strings.Repeat("0000", 200): cms.Limit,
	} {
		if got, err := ber.Definite(unhex(in)); ber.KindOf(err) != kind {
			t.Errorf("%.40s: %x, %v", in, got, err)
		}
	}
}

// Headers and memory are counted.
func TestLimits(t *testing.T) {
	t.Parallel()
	b := der.TLV(der.Sequence, bytes.Repeat([]byte{5, 0}, 100))
	root := func(l ber.Limits) ber.Element {
		e, err := ber.New(bytes.NewReader(b), int64(len(b)), l).Root()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if _, err := root(ber.Limits{Headers: 50, Memory: 1 << 10, Depth: 4}).Children(200); ber.KindOf(err) != cms.Limit {
		t.Errorf("too many headers: %v", err)
	}
	if _, err := root(ber.Limits{Headers: 500, Memory: 1 << 10, Depth: 4}).Children(99); ber.KindOf(err) != cms.Limit {
		t.Errorf("too many members: %v", err)
	}
	if _, err := root(ber.Limits{Headers: 500, Memory: 100, Depth: 4}).Bytes(); ber.KindOf(err) != cms.Limit {
		t.Errorf("too much memory: %v", err)
	}
	if _, err := ber.New(strings.NewReader("0"), 5, ber.Limits{Headers: 5}).Root(); ber.KindOf(err) != cms.Failed {
		t.Errorf("a file that is shorter than it was: %v", err)
	}
}

// What is made definite is so, and stays what it is; contents are the same by each
// way of reading them.
func FuzzDefinite(f *testing.F) {
	for _, s := range []string{"30 80 02 01 05 00 00", "24 80 04 01 61 24 04 04 02 62 63 00 00", "30 81 03 02 01 05", "a0 80 30 80 00 00 24 80 00 00 00 00"} {
		f.Add(unhex(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		der, err := ber.Definite(b)
		if err != nil {
			if ber.KindOf(err) == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if again, err := ber.Definite(der); err != nil || !bytes.Equal(again, der) || len(der) > len(b)+8*len(b) {
			t.Fatalf("%x became %x and %x, %v", b, der, again, err)
		}
		e, err := ber.New(bytes.NewReader(b), int64(len(b)), ber.Limits{Headers: 1 << 16, Memory: 1 << 20, Depth: 64}).Root()
		if err != nil {
			return
		}
		c, err := e.Content(1 << 20)
		if err != nil {
			return
		}
		want, err := e.Octets()
		got, err2 := io.ReadAll(c.Reader())
		at, err3 := c.At()
		if err != nil || err2 != nil || err3 != nil {
			t.Fatal(err, err2, err3)
		}
		third, err := io.ReadAll(io.NewSectionReader(at, 0, c.Size))
		if err != nil || !bytes.Equal(want, got) || !bytes.Equal(want, third) {
			t.Fatalf("%x, %x, %x, %v", want, got, third, err)
		}
	})
}
