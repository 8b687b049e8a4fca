package c14n

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func form(t *testing.T, doc string, a Algorithm) string {
	t.Helper()
	d, err := Parse([]byte(doc))
	if err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	var b bytes.Buffer
	if err := Canonicalize(&b, d.Node, a, Options{}); err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	return b.String()
}

func TestForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ doc, want string }{
		{"\ufeff<?xml version='1.0' encoding='UTF-8'?>\r\n<a/>\r\n", "<a></a>"},
		{"<a b='x\ty\r\nz&#9;&#10;&#13;'/>", "<a b=\"x y z&#x9;&#xA;&#xD;\"></a>"},
		{"<a>\r\n\r&#13;</a>", "<a>\n\n&#xD;</a>"},
		{"<a><![CDATA[<&>\"]]>'</a>", "<a>&lt;&amp;&gt;\"'</a>"},
		{"<?p  q ?><a/><?r?>", "<?p q ?>\n<a></a>\n<?r?>"},
		{"<!--c--><a><!--d--></a>", "<a></a>"},
		{`<x b:aa="1" a:zz="2" xmlns:b="urn:1" xmlns:a="urn:2" c="3"/>`, `<x xmlns:a="urn:2" xmlns:b="urn:1" c="3" b:aa="1" a:zz="2"></x>`},
		{`<x xmlns="u:1?a&amp;b"/>`, `<x xmlns="u:1?a&amp;b"></x>`},
		{`<x xmlns="u:1"><y xmlns="u:1"/><z xmlns=""><w xmlns=""/></z></x>`, `<x xmlns="u:1"><y></y><z xmlns=""><w></w></z></x>`},
	} {
		if got := form(t, c.doc, C14N10); got != c.want {
			t.Errorf("%q: got %q, want %q", c.doc, got, c.want)
		}
	}
}

// The first six are the examples of Canonical XML 1.1 §2.4, the rest RFC 3986 §5.4.
func TestJoinReferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, ref, want string }{
		{"abc/", "../", ""},
		{"../abc/", "..", "../"},
		{"..", "..", "../../"},
		{"", "foo", "foo"},
		{"foo#bar", "x", "x"},
		{"a/b/c", "../../y/z", "y/z"},
		{"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
		{"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
		{"http://a/b/c/d;p?q", "//g", "http://g"},
		{"http://a/b/c/d;p?q", "../../../g", "http://a/g"},
		{"http://a/b/c/d;p?q", "g:h", "g:h"},
		{"http://a", "g", "http://a/g"},
		{"a//b/", "c", "a/b/c"},
	} {
		if got := joinReferences(c.base, c.ref); got != c.want {
			t.Errorf("%q + %q: got %q, want %q", c.base, c.ref, got, c.want)
		}
	}
}

func TestExcludedSubtree(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte("<a>1<b><c/></b>2</a>"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Canonicalize(&b, d.Node, C14N10, Options{Exclude: func(n *Node) bool { return n.Local == "b" }}); err != nil || b.String() != "<a>12</a>" {
		t.Fatalf("got %q, %v", b.String(), err)
	}
}

func TestOffsets(t *testing.T) {
	t.Parallel()
	src := "\ufeff<?xml version='1.0'?>\r\n<!-- é --><p:a xmlns:p='u:p'><b x='1' /> t </p:a >\n"
	d, err := Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	b := d.Root.Elements()[0]
	for got, want := range map[string]string{
		src[d.Root.Start:d.Root.End]:      "<p:a xmlns:p='u:p'><b x='1' /> t </p:a >",
		src[d.Root.CloseStart:d.Root.End]: "</p:a >",
		src[b.Start:b.End]:                "<b x='1' />",
		src[b.CloseStart:b.End]:           "/>",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if !b.Empty || d.Root.Empty {
		t.Error("Empty is wrong")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	many := strings.Repeat
	for _, c := range []struct {
		name, doc string
		kind      Kind
	}{
		{"empty", "", Malformed},
		{"only a comment", "<!--x-->", Malformed},
		{"doctype", "<!DOCTYPE a><a/>", DTD},
		{"entity bomb", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, DTD},
		{"unknown entity", "<a>&nbsp;</a>", DTD},
		{"latin 2", "<?xml version='1.0' encoding='ISO-8859-2'?><a/>", Encoding},
		{"latin 1 with the mark of UTF-8", "\xef\xbb\xbf<?xml version='1.0' encoding='ISO-8859-1'?><a/>", Encoding},
		{"undefined in windows-1252", "<?xml version='1.0' encoding='windows-1252'?><a>\x81</a>", Encoding},
		{"utf-16 said, but not true", "<?xml version='1.0' encoding='UTF-16'?><a/>", Encoding},
		{"utf-8 said in utf-16", wide("\ufeff<?xml version='1.0' encoding='UTF-8'?><a/>"), Encoding},
		{"utf-16 with half a character", "\xff\xfe<\x00a\x00/\x00>\x00\x00", Encoding},
		{"utf-16 with half a pair", "\xff\xfe<\x00a\x00>\x00\x00\xd8<\x00/\x00a\x00>\x00", Encoding},
		{"utf-32", "\xff\xfe\x00\x00<\x00\x00\x00", Encoding},
		{"utf-16 without mark", "<\x00a\x00/\x00>\x00", Encoding},
		{"bad utf-8", "<a>\xe8</a>", Encoding},
		{"overlong utf-8", "<a>\xc0\xaf</a>", Encoding},
		{"surrogate", "<a>\xed\xa0\x80</a>", Encoding},
		{"false us-ascii", "<?xml version='1.0' encoding='us-ascii'?><a>è</a>", Encoding},
		{"xml 1.1", "<?xml version='1.1'?><a/>", Unsupported},
		{"no version", "<?xml encoding='UTF-8'?><a/>", Malformed},
		{"late declaration", " <?xml version='1.0'?><a/>", Malformed},
		{"declaration twice", "<?xml version='1.0'?><?xml version='1.0'?><a/>", Malformed},
		{"two roots", "<a/><b/>", Malformed},
		{"text after", "<a/>x", Malformed},
		{"unclosed", "<a><b></b>", Malformed},
		{"wrong end", "<a></b>", Malformed},
		{"wrong prefix at end", "<p:a xmlns:p='u:p' xmlns:q='u:p'></q:a>", Malformed},
		{"stray end", "</a>", Malformed},
		{"undeclared prefix", "<p:a/>", Malformed},
		{"undeclared attribute prefix", "<a p:b='1'/>", Malformed},
		{"prefix out of scope", "<a><b xmlns:p='u:p'/><p:c/></a>", Malformed},
		{"undeclaring", "<a xmlns:p=''/>", Malformed},
		{"xmlns prefix", "<a xmlns:xmlns='u:p'/>", Malformed},
		{"xml rebound", "<a xmlns:xml='u:p'/>", Malformed},
		{"xml namespace elsewhere", "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", Malformed},
		{"two colons", "<a:b:c/>", Malformed},
		{"digit first", "<1a/>", Malformed},
		{"duplicate attribute", "<a b='1' b='2'/>", Malformed},
		{"duplicate by namespace", "<a xmlns:p='u:p' xmlns:q='u:p' p:b='1' q:b='2'/>", Malformed},
		{"duplicate declaration", "<a xmlns='u:p' xmlns='u:p'/>", Malformed},
		{"no space between", "<a b='1'c='2'/>", Malformed},
		{"no quotes", "<a b=1/>", Malformed},
		{"lt in value", "<a b='<'/>", Malformed},
		{"bare ampersand", "<a>& </a>", Malformed},
		{"nul reference", "<a>&#0;</a>", Malformed},
		{"surrogate reference", "<a>&#xD800;</a>", Malformed},
		{"signed reference", "<a>&#+65;</a>", Malformed},
		{"control", "<a>\x01</a>", Malformed},
		{"cdata end", "<a>]]></a>", Malformed},
		{"two hyphens", "<a><!-- -- --></a>", Malformed},
		{"comment end", "<a><!-- ---></a>", Malformed},
		{"pi target", "<a><?XmL x?></a>", Malformed},
		{"pi colon", "<a><?a:b x?></a>", Malformed},
		{"cdata outside", "<![CDATA[x]]><a/>", Malformed},
		{"deep", many("<a>", 300) + many("</a>", 300), Limit},
		{"many attributes", "<a" + manyAttributes(1025) + "/>", Limit},
		{"long name", "<" + many("a", 2000) + "/>", Limit},
		{"long namespace", "<a xmlns='u:" + many("a", 3000) + "'/>", Limit},
		{"many nodes", "<a>" + many("<b/>", 1<<20) + "</a>", Limit},
		{"large", "<a>" + many(" ", 64<<20) + "</a>", Limit},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(c.doc))
			var e *Error
			if !errors.As(err, &e) || e.Kind != c.kind {
				t.Fatalf("got %v, want %s", err, c.kind)
			}
		})
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d=''", i)
	}
	return b.String()
}

func TestRelativeNamespaceHasNoForm(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte("<a xmlns='b/c'><d/></a>"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []*Node{d.Node, d.Root.Elements()[0]} {
		var e *Error
		if err := Canonicalize(&bytes.Buffer{}, n, C14N10, Options{}); !errors.As(err, &e) || e.Kind != Unsupported {
			t.Errorf("got %v", err)
		}
	}
}

// A short document must not have an endless exclusive form.
func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	doc := "<a xmlns:p='u:" + strings.Repeat("x", 2000) + "'>" + strings.Repeat("<p:b/>", 200_000) + "</a>"
	d, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := Canonicalize(&bytes.Buffer{}, d.Node, Exclusive, Options{}); !errors.As(err, &e) || e.Kind != Limit {
		t.Errorf("got %v", err)
	}
}

func TestErrorNamesTheLine(t *testing.T) {
	t.Parallel()
	if _, err := Parse([]byte("<a>\n\n<b></c></a>")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v", err)
	}
}

func ExampleCanonicalize() {
	d, err := Parse([]byte("<note lang='it' id=\"7\"><!-- draft -->A &amp; B<br/></note>"))
	if err != nil {
		panic(err)
	}
	var b bytes.Buffer
	if err := Canonicalize(&b, d.Node, C14N10, Options{}); err != nil {
		panic(err)
	}
	fmt.Println(b.String())
	// Output: <note id="7" lang="it">A &amp; B<br></br></note>
}
