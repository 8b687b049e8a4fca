package pdf

import (
	"bytes"
	"compress/lzw"
	"encoding/ascii85"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"sigillo/formats/pdf/pdftest"
)

// decodeOne puts data into a stream with the given dictionary and decodes it.
func decodeOne(t *testing.T, dict string, data []byte) ([]byte, error) {
	t.Helper()
	f := openFile(t, pdftest.Table(pdftest.Minimal().With(pdftest.Objects{4: pdftest.Stream(dict, data)}), ""))
	o, err := f.Get(Ref{4, 0})
	if err != nil {
		t.Fatal(err)
	}
	return f.Decoded(o.(*Stream), 1<<20)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("Il faro lampeggia ogni dieci secondi. ", 300))
	var late bytes.Buffer
	w := lzw.NewWriter(&late, lzw.MSB, 8)
	_, _ = w.Write(text)
	_ = w.Close()
	var a85 bytes.Buffer
	e := ascii85.NewEncoder(&a85)
	_, _ = e.Write(text)
	_ = e.Close()
	a85.WriteString("~>")
	var runs []byte
	for i := 0; i < len(text); i += 128 {
		part := text[i:min(i+128, len(text))]
		runs = append(append(runs, byte(len(part)-1)), part...)
	}
	flat := pdftest.Deflate(text)
	tests := []struct {
		dict string
		data []byte
	}{
		{"", text},
		{"/Filter[]", text},
		{"/Filter/FlateDecode", flat},
		{"/Filter/FlateDecode/DecodeParms null", flat},
		{"/Filter[/FlateDecode]/DecodeParms[<</Predictor 1>>]", flat},
		{"/Filter/LZWDecode/DecodeParms<</EarlyChange 0>>", late.Bytes()},
		{"/Filter/ASCII85Decode", a85.Bytes()},
		{"/Filter/ASCIIHexDecode", []byte(hex.EncodeToString(text) + "\n>")},
		{"/Filter/RunLengthDecode", append(runs, 128)},
		{"/Filter[/ASCIIHexDecode/FlateDecode]/DecodeParms[null null]", []byte(hex.EncodeToString(flat) + ">")},
	}
	for _, test := range tests {
		got, err := decodeOne(t, test.dict, test.data)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes, error %v; want %d bytes", test.dict, len(got), err, len(text))
		}
		if strings.Contains(test.dict, "Decode") {
			if _, err := decodeOne(t, test.dict, test.data[:len(test.data)-2]); KindOf(err) != Malformed {
				t.Errorf("%s: data that is cut off: error %v", test.dict, err)
			}
		}
	}
}

// TestSmallFilters begins with the example of ISO 32000-1 §7.4.4.2.
func TestSmallFilters(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ filter, data, want string }{
		{"LZWDecode", "800b6050220c0c8501", "2d2d2d2d2d412d2d2d42"},
		{"RunLengthDecode", "fe41024243448080", "414141424344"},
		{"ASCIIHexDecode", hex.EncodeToString([]byte("4 1\n4>")), "4140"},
		{"ASCII85Decode", hex.EncodeToString([]byte("z\n87cU~>")), "0000000048656c"},
	} {
		in, _ := hex.DecodeString(test.data)
		got, err := decodeOne(t, "/Filter/"+test.filter, in)
		if err != nil || hex.EncodeToString(got) != test.want {
			t.Errorf("%s: %x, error %v; want %s", test.filter, got, err, test.want)
		}
	}
}

// TestPNGPredictors decodes what Go's PNG encoder, which chooses among all filters, has made.
func TestPNGPredictors(t *testing.T) {
	t.Parallel()
	im := image.NewNRGBA(image.Rect(0, 0, 61, 47))
	var want []byte
	for y := range 47 {
		for x := range 61 {
			c := color.NRGBA{byte(x * y), byte(x + 3*y), byte(x ^ y), byte(200 + x%7)}
			im.SetNRGBA(x, y, c)
			want = append(want, c.R, c.G, c.B, c.A)
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, im); err != nil {
		t.Fatal(err)
	}
	var data []byte
	for rest := file.Bytes()[8:]; len(rest) > 12; {
		n := int(rest[0])<<24 | int(rest[1])<<16 | int(rest[2])<<8 | int(rest[3])
		if string(rest[4:8]) == "IDAT" {
			data = append(data, rest[8:8+n]...)
		}
		rest = rest[12+n:]
	}
	got, err := decodeOne(t, "/Filter/FlateDecode/DecodeParms<</Predictor 15/Colors 4/Columns 61>>", data)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
}

func TestTIFFPredictor(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{1, 2, 4, 8, 16} {
		const colors, columns = 3, 5
		// Samples of one row, and their differences, packed most significant bit first.
		var plain, coded []byte
		fill := func(out []byte, v, at int) []byte {
			for b := range bits {
				i := at*bits + b
				if i/8 == len(out) {
					out = append(out, 0)
				}
				out[i/8] |= byte(v>>(bits-1-b)&1) << (7 - i%8)
			}
			return out
		}
		mask := 1<<bits - 1
		var samples []int
		for i := range colors * columns {
			v := (i*i*37 + 11) & mask
			samples = append(samples, v)
			plain = fill(plain, v, i)
			before := 0
			if i >= colors {
				before = samples[i-colors]
			}
			coded = fill(coded, (v-before)&mask, i)
		}
		dict := fmt.Sprintf("/Filter/FlateDecode/DecodeParms<</Predictor 2/Colors %d/Columns %d/BitsPerComponent %d>>", colors, columns, bits)
		got, err := decodeOne(t, dict, pdftest.Deflate(coded))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bits: %x, error %v; want %x", bits, got, err, plain)
		}
	}
}

func TestForgedPredictors(t *testing.T) {
	t.Parallel()
	for parms, kind := range map[string]Kind{
		"/Predictor 15/Columns 1000000000": Limit,
		"/Predictor 15/Columns 9999999999": Malformed,
		"/Predictor 15/Columns 0":          Malformed,
		"/Predictor 15/Colors 33":          Malformed,
		"/Predictor 15/BitsPerComponent 3": Malformed,
		"/Predictor 9":                     Malformed,
		"/Predictor/x":                     Malformed,
		"/Predictor 15/Columns 2":          Malformed, // rows of 3 bytes do not divide the data
		"/Predictor 2/Columns 3":           Malformed,
	} {
		_, err := decodeOne(t, "/Filter/FlateDecode/DecodeParms<<"+parms+">>", pdftest.Deflate([]byte("\x00ab\x00")))
		if KindOf(err) != kind {
			t.Errorf("%s: error %v, want %s", parms, err, kind)
		}
	}
}

// countingReader counts the bytes that are read of it.
type countingReader struct {
	*bytes.Reader
	n int
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.n += n
	return n, err
}

// The head of a stream is what decoding all of it begins with, and costs little.
func TestHead(t *testing.T) {
	t.Parallel()
	text := make([]byte, 200_000)
	chance := rand.New(rand.NewPCG(1, 2))
	for i := range text {
		text[i] = byte(chance.Uint32())
	}
	flat := pdftest.Deflate(text)
	same := pdftest.Deflate(make([]byte, 30_000)) // shorter than what is tried first
	tests := []struct {
		dict  string
		data  []byte
		want  []byte
		fails bool
	}{
		{"", text, text[:4], false},
		{"/Filter/FlateDecode", flat, text[:4], false},
		{"/Filter[/FlateDecode]", flat, text[:4], false},
		{"/Filter/FlateDecode", same, make([]byte, 4), false},
		{"/Filter/FlateDecode", pdftest.Deflate(text[:3]), text[:3], false},
		{"/Filter/FlateDecode", nil, nil, false},
		{"/Filter/FlateDecode", flat[:1], nil, true},
		{"/Filter/FlateDecode", append([]byte{'x'}, flat...), nil, true},
		{"/Filter/Nobody", text, nil, true},
	}
	for _, test := range tests {
		file := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{4: pdftest.Stream(test.dict, test.data)}), "")
		r := &countingReader{Reader: bytes.NewReader(file)}
		f, err := Open(r, int64(len(file)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		o, err := f.Get(Ref{4, 0})
		if err != nil {
			t.Fatal(err)
		}
		r.n = 0
		got, err := f.Head(o.(*Stream), 4)
		if (err != nil) != test.fails || !bytes.Equal(got, test.want) {
			t.Errorf("%s: %q, %v", test.dict, got, err)
		}
		if len(got) == 4 && len(test.data) > headSource && r.n > 4*headSource {
			t.Errorf("%s: %d bytes were read", test.dict, r.n)
		}
	}
}
