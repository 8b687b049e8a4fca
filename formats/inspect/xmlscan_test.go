package inspect

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/net/html/charset"
)

// xmlEvents is what a visitor is told, a line an event.
func xmlEvents(r io.Reader) (string, error) {
	var b strings.Builder
	line := 0
	err := walkXML(r, xmlVisitor{
		line:    &line,
		start:   func(e xml.StartElement, depth int) { fmt.Fprintf(&b, "%d start %d %q\n", line, depth, e) },
		end:     func(n xml.Name, depth int) { fmt.Fprintf(&b, "%d end %d %q\n", line, depth, n) },
		text:    func(t []byte) { fmt.Fprintf(&b, "%d text %q\n", line, t) },
		pi:      func(target string, inst []byte) { fmt.Fprintf(&b, "%d pi %q %q\n", line, target, inst) },
		doctype: func(d []byte) { fmt.Fprintf(&b, "%d doctype %q\n", line, d) },
	})
	return b.String(), err
}

// xmlOracle is the same by encoding/xml, which resolves the name spaces too. Its
// refusals that are ours only, of depth, of a second root and the like, are in
// TestXMLRefused.
func xmlOracle(doc []byte) (string, error) {
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))))
	dec.CharsetReader = charset.NewReaderLabel
	var b strings.Builder
	depth := 0
	for {
		t, err := dec.Token()
		line, _ := dec.InputPos()
		switch t := t.(type) {
		case nil:
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return strings.ReplaceAll(b.String(), `"http://www.w3.org/XML/1998/namespace"`, `"xml"`), err
		case xml.StartElement:
			depth++
			fmt.Fprintf(&b, "%d start %d %q\n", line, depth, t)
		case xml.EndElement:
			fmt.Fprintf(&b, "%d end %d %q\n", line, depth, t.Name)
			depth--
		case xml.CharData:
			if depth > 0 {
				fmt.Fprintf(&b, "%d text %q\n", line, []byte(t))
			}
		case xml.ProcInst:
			if t.Target != "xml" {
				fmt.Fprintf(&b, "%d pi %q %q\n", line, t.Target, t.Inst)
			}
		case xml.Directive:
			fmt.Fprintf(&b, "%d doctype %q\n", line, []byte(t))
		}
	}
}

// xmlSame fails if a document that we read is not what encoding/xml reads.
func xmlSame(t *testing.T, doc []byte) {
	t.Helper()
	got, err := xmlEvents(bytes.NewReader(doc))
	slow, slowErr := xmlEvents(iotest.OneByteReader(bytes.NewReader(doc)))
	if got != slow || (err == nil) != (slowErr == nil) {
		t.Fatalf("it depends on how the stream is read:\n%s%v\n%s%v", got, err, slow, slowErr)
	}
	want, oracleErr := xmlOracle(doc)
	switch {
	case err == nil && oracleErr != nil:
		t.Fatalf("read what encoding/xml refuses with %v:\n%s", oracleErr, got)
	case err == nil && got != want:
		t.Fatalf("got\n%swant\n%s", got, want)
	}
}

var xmlCases = []string{
	`<a/>`, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<a b=\"1\" c='2'>x<b/>y</a>\n", `<a>&lt;&#65;&#x42;&amp;&#13;&apos;&quot;&gt;</a>`,
	"<a>one\r\ntwo\rthree\n</a>", "<a b='x&#10;y\r\nz\t\"'/>", `<a><![CDATA[<b>&amp;]]]]></a>`, "<a><![CDATA[]]></a>", "<a><![CDATA[a\r\nb\rc]]></a>",
	`<a xmlns="urn:a" xmlns:p="urn:p"><p:b p:c="1" d="2"/><b xmlns="urn:b" xmlns:p="urn:q"><p:c/></b><p:c/></a>`,
	`<a><!-- x - y --></a>`, `<!DOCTYPE a [<!ENTITY b "c"><!-- > -->]><a/>`, `<?pi some thing?><a><?pi?></a><?pi x?>`, `<:a :b="1"/>`, `<a: b:="1"/>`,
	"<a>perché € \U0001f600</a>", "<città è='ì'>ò</città>", "<?xml version='1.0' encoding='iso-8859-1'?><a>\xe8</a>", "\xef\xbb\xbf<a/>",
	`<a xml:space="preserve"> </a>`, `<a b = "1" ></a >`, `<a b=']]>'>]] ></a>`, "<a>]]&gt;</a>", "<a>&#xD800;</a>", "<a>&#9;&#10;</a>",
	`<a b="1"c="2"/>`, // as encoding/xml does
	`<r><a b="1" c="x"/><a b="2" c="]]>"/><a b="&lt;" c=""/><a b='3' c="x"/><a b="it's" c="x"/><a b="è" c="x"/><a b="4"` + "\n" + `c="x"></a><a b="5" c="x" ></a><a b="6"></a><a/><a b="7" c="x"/></r>`,
	`<r><a b="1"/><a xmlns="urn:a" b="1"/><a b="2"/><s xmlns="urn:b"><a b="3"/></s><a b="4"/></r>`,
	strings.Repeat("<a b='"+strings.Repeat("x", 70_000)+"'>"+strings.Repeat("y", 70_000), 3) + "</a></a></a>",
	// and these are refused
	``, `x`, `<a>`, `</a>`, `<a></b>`, `<a/><b/>`, `<a/>x`, `<a`, `<a b`, `<a b=`, `<a b=c/>`, `<a b='c`, `<a b='<'/>`, `<a/`, `<a /x>`, `<1/>`, `<-a/>`,
	`<a:b:c/>`, `<a b="1" b="2"/>`, `<a>&nbsp;</a>`, `<a>&#;</a>`, `<a>&#x110000;</a>`, `<a>&#0;</a>`, `<a>&#xFFFF;</a>`, `<a>&amp</a>`, `<a>&</a>`,
	`<r><a b="1"/><a b="<"/></r>`, `<r><a b="1"/><a b="2/></r>`, `<r><a b="1"/><a b="&x;"/></r>`, "<r><a b='1'/><a b=\"1\"/><a b=\"\x01\"/></r>", "<r><a b=\"1\"/><a b=\"\xff\"/></r>",
	`<r><a b="1"/><a b="2" b="3"/></r>`, "<a>\x00</a>", "<a>\x1f</a>", "<a>\xff</a>", "<a>\xed\xa0\x80</a>", "<a>\uffff</a>", `<a>]]></a>`, `<a><!-- -- --></a>`, `<a><!- x --></a>`, `<a><!-- x`,
	`<a><![CDATA[x]]</a>`, `<a><![CDAT[x]]></a>`, "<a><![CDATA[\x01]]></a>", `<!DOCTYPE a`, `<?xml version="1.1"?><a/>`, `<?`, `<? x?><a/>`, `<?x`, "<a\u2028/>",
	`<a><?xml version="1.0"?></a>`, `<?xml version="1.0" encoding="klingon"?><a/>`, `<a></a x>`, "<\u037e/>", `<a>&#x0000000000000000000000000000000000000000000000000000000000000000041;</a>`,
}

// What is read is what encoding/xml reads.
func TestXMLAsEncodingXML(t *testing.T) {
	t.Parallel()
	for _, doc := range xmlCases {
		xmlSame(t, []byte(doc))
	}
	files, err := filepath.Glob("../../testdata/documents/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	for _, f := range files {
		doc, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		xmlSame(t, doc)
		if _, err := xmlEvents(bytes.NewReader(doc)); err != nil {
			t.Error(f, err)
		}
	}
}

// Every well-formed case is read, and every other refused with its line.
func TestXMLRefused(t *testing.T) {
	t.Parallel()
	good := true
	for _, doc := range xmlCases {
		good = good && doc != ""
		_, err := xmlEvents(strings.NewReader(doc))
		if good != (err == nil) {
			t.Errorf("%.80q: %v", doc, err)
		}
	}
	var many strings.Builder
	for i := range 2 * maxXMLNames { // more names than are remembered, and one of them twice at the end
		fmt.Fprintf(&many, "<n%d/>", i)
	}
	for _, doc := range []string{
		"<r>" + many.String() + "<a b='1' c1='' b='2'/></r>",
		strings.Repeat("<a>", maxXMLDepth+1) + strings.Repeat("</a>", maxXMLDepth+1),
		"<a" + manyAttributes(maxXMLAttributes+1) + "/>",
		"<a>" + strings.Repeat("x", maxXMLToken+1) + "</a>",
	} {
		if _, err := xmlEvents(strings.NewReader(doc)); err == nil {
			t.Errorf("%.40q is read", doc)
		}
	}
	if _, err := xmlEvents(strings.NewReader("<a>\n\n<b>\n</a>")); err == nil || !strings.Contains(err.Error(), "line 4") {
		t.Errorf("%v", err)
	}
	broken := errors.New("broken")
	if _, err := xmlEvents(io.MultiReader(strings.NewReader("<a>x"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// A visitor is not told of elements that it called silent, once three have shown
// that there are more. Of those with other attributes, other name spaces or
// values to be looked at it is.
func TestXMLMemo(t *testing.T) {
	t.Parallel()
	memo := &xmlMemo{}
	var b strings.Builder
	err := walkXML(strings.NewReader(`<r xmlns:p="urn:1"><p:a b="0">x</p:a><p:a b="1">x</p:a><p:a b="2">x</p:a><p:a b="3">x<i/></p:a><p:a b="4">è</p:a><p:a b="5">&lt;</p:a>`+
		`<p:a b="&gt;"></p:a><p:a c="6"></p:a><s xmlns:p="urn:2"><p:a b="7"></p:a><p:a b="8"></p:a></s><p:a b="9"></p:a>`+
		`<n q="" r="A0">x</n><n q="" r="A1">x</n><n q="" r="A2">x</n><n q="" r="A3">x<i/></n><n q=""/></r>`), xmlVisitor{
		memo: memo,
		start: func(e xml.StartElement, _ int) {
			fmt.Fprintf(&b, "%d <%s %s %v>\n", memo.tags, e.Name.Space, e.Name.Local, e.Attr)
			switch e.Name.Local {
			case "a":
				memo.next = xmlSilent
			case "n":
				memo.next = xmlNoted
			}
		},
		end: func(n xml.Name, _ int) { fmt.Fprintf(&b, "%d </%s> %s\n", memo.tags, n.Local, memo.note) },
		text: func(t []byte) {
			fmt.Fprintf(&b, "%q %s\n", t, memo.note)
		},
	})
	const want = `1 < r [{{xmlns p} urn:1}]>
2 <urn:1 a [{{ b} 0}]>
"x" 
3 </a> 
4 <urn:1 a [{{ b} 1}]>
"x" 
5 </a> 
6 <urn:1 a [{{ b} 2}]>
"x" 
7 </a> 
9 < i []>
10 </i> 
"è" 
"<" 
16 <urn:1 a [{{ b} >}]>
17 </a> 
18 <urn:1 a [{{ c} 6}]>
19 </a> 
20 < s [{{xmlns p} urn:2}]>
21 <urn:2 a [{{ b} 7}]>
22 </a> 
25 </s> 
26 <urn:1 a [{{ b} 9}]>
27 </a> 
28 < n [{{ q} } {{ r} A0}]>
"x" 
29 </n> 
30 < n [{{ q} } {{ r} A1}]>
"x" 
31 </n> 
32 < n [{{ q} } {{ r} A2}]>
"x" 
33 </n> 
35 < i []>
36 </i> A3
38 < n [{{ q} }]>
39 </n> A3
40 </r> A3
`
	if got := b.String(); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func FuzzXML(f *testing.F) {
	for _, doc := range xmlCases {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if len(doc) < 1<<16 && !bytes.Contains(doc, []byte("xmlns:xml")) { // the one prefix that encoding/xml does not let be declared
			xmlSame(t, doc)
		}
	})
}
