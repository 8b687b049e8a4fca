package pdf

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigillo/formats/pdf/pdftest"
)

// parseText reads one object that is alone in text.
func parseText(text string) (Object, error) {
	p := (&File{limits: DefaultLimits}).parser(newLexerSized([]byte(text), "test"))
	o, err := p.object()
	if err == nil {
		if p.skip(); p.pos != p.size {
			err = p.fail("something follows")
		}
	}
	return o, err
}

func TestObjects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want Object
	}{
		{"true", Bool(true)},
		{" false ", Bool(false)},
		{"null", Null{}},
		{"% a comment\n 17", Integer(17)},
		{"-5", Integer(-5)},
		{"+9", Integer(9)},
		{"9223372036854775807", Integer(9223372036854775807)},
		{"9223372036854775808", Real(9223372036854775808)},
		{"1.5", Real(1.5)},
		{"-.25", Real(-0.25)},
		{"4.", Real(4)},
		{"/Name", Name("Name")},
		{"/", Name("")},
		{"/J#61va#53cript", Name("JavaScript")},
		{"/A#20B#2FC", Name("A B/C")},
		{"(a(b)c)", String("a(b)c")},
		{`(\(\)\\\n\r\t\b\f\q)`, String("()\\\n\r\t\b\fq")},
		{`(\101\7x\18\400)`, String("A\ax\x018\x00")},
		{"(a\\\nb\\\r\nc\rd\r\ne)", String("abc\nd\ne")},
		{"<48 65 6C6c\n6F>", String("Hello")},
		{"<486>", String("H\x60")},
		{"<>", String("")},
		{"<4 8\n6 5 >", String("He")},
		{"<48 6", nil},
		{"<4z>", nil},
		{"12 0 R", Ref{12, 0}},
		{"[1 0 R 2 3 0]", Array{Ref{1, 0}, Integer(2), Integer(3), Integer(0)}},
		{"[1 2 R3]", nil},
		{"<</A 1/B<</C[/D(e)]>>/N null>>", Dict{"A": Integer(1), "B": Dict{"C": Array{Name("D"), String("e")}}}},
		{"<</A 1/#41 2>>", nil},
		{"<</A null/A 2>>", nil},
		{"<</A>>", nil},
		{"<<(a)1>>", nil},
		{"<</A 1>", nil},
		{"[1", nil},
		{"(a", nil},
		{"<4x>", nil},
		{"/A#0", nil},
		{"/A#00", nil},
		{"1e5", nil},
		{"--1", nil},
		{"1.2.3", nil},
		{"-", nil},
		{".", nil},
		{"nul", nil},
		{"trueish", nil},
		{"endobj", nil},
		{"0 0 R", nil},
		{"99999999 0 R", nil},
		{")", nil},
		{"]", nil},
		{"", nil},
		{strings.Repeat("[", 101) + strings.Repeat("]", 101), nil},
		{strings.Repeat("<</A", 200_000), nil},
		{"[" + strings.Repeat("0 ", 500_001) + "]", nil},
		{"/" + strings.Repeat("a", maxName+1), nil},
	}
	for _, test := range tests {
		got, err := parseText(test.text)
		name := test.text[:min(len(test.text), 40)]
		if test.want == nil {
			if KindOf(err) == "" {
				t.Errorf("%q: read as %v, error %v; want a refusal", name, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %#v, error %v; want %#v", name, got, err, test.want)
		}
	}
}

func TestWrittenObjectsReadTheSame(t *testing.T) {
	t.Parallel()
	d := Dict{
		"A B#/": Array{Null{}, Bool(true), Integer(-7), Real(0.1), Real(-12.5), Ref{5, 2}},
		"é":     Dict{"S": String("plain"), "T": String("(\\)\r\n\x00\xff"), "E": String("")},
		"":      Name("x y"),
		"L":     Array{},
	}
	e := &encoder{}
	if err := e.object(d, 0); err != nil {
		t.Fatal(err)
	}
	got, err := parseText(string(e.out))
	if err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("wrote %s\nread %#v, error %v", e.out, got, err)
	}
}

func TestTextStrings(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "Rossi", "Perché (no)", "Ж𝄞", "a\tb"} {
		if got := TextString(s).Text(); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for in, want := range map[string]string{
		"\xef\xbb\xbfè":    "è",
		"\x80\xa0\x18\xe8": "•€˘è",
		"\xfe\xff\x00":     "",
		"a\x7fb":           "a\uFFFDb",
	} {
		if got := String(in).Text(); got != want {
			t.Errorf("%q decoded as %q, want %q", in, got, want)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 9, 5, 7, 0, time.FixedZone("", 3600))
	if got := string(Date(at)); got != "D:20261121080507+00'00'" {
		t.Errorf("wrote %s", got)
	}
	for in, want := range map[string]string{
		"D:20261121090507+01'00'": "2026-11-21T08:05:07Z",
		"D:20261121090507+01'00":  "2026-11-21T08:05:07Z",
		"D:20261121090507-05'30'": "2026-11-21T14:35:07Z",
		"D:20261121090507Z00'00'": "2026-11-21T09:05:07Z",
		"D:20261121090507":        "2026-11-21T09:05:07Z",
		"20261121":                "2026-11-21T00:00:00Z",
		"D:2026":                  "2026-01-01T00:00:00Z",
	} {
		if got, ok := ParseDate(String(in)); !ok || got.Format(time.RFC3339) != want {
			t.Errorf("%s read as %v, %v; want %s", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "D:", "D:202", "D:20261", "D:20261321", "yesterday", "D:20261121090507+9"} {
		if got, ok := ParseDate(String(in)); ok {
			t.Errorf("%q read as %v", in, got)
		}
	}
}

func Example() {
	data := pdftest.Table(pdftest.Minimal(), "")
	f, err := Open(strings.NewReader(string(data)), int64(len(data)), DefaultLimits)
	if err != nil {
		fmt.Println(err)
		return
	}
	pages, _ := f.PageCount()
	fmt.Println("version", f.Version(), "pages", pages)
	for ref := range f.Objects() {
		o, _ := f.Get(ref)
		fmt.Println(ref, o.(Dict)["Type"])
	}
	// Output:
	// version 1.7 pages 1
	// 1 0 R Catalog
	// 2 0 R Pages
	// 3 0 R Page
}

// TestLongStrings are read through several windows, whose ends come anywhere between the digits.
func TestLongStrings(t *testing.T) {
	t.Parallel()
	for shift := range 4 {
		text := strings.Repeat(" ", shift) + "<" + strings.Repeat("0a B1\n", windowSize) + "7>"
		data := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{4: text}), "")
		o, err := openFile(t, data).Get(Ref{4, 0})
		if s, ok := o.(String); err != nil || !ok || string(s) != strings.Repeat("\x0a\xb1", windowSize)+"\x70" {
			t.Errorf("shift %d: %d bytes, %v", shift, len(s), err)
		}
	}
}
