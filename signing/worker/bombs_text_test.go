//go:build !race

// The race detector takes many times the memory and the time that are counted here.

package worker

import (
	"bytes"
	"strings"
)

func bombsText() map[string]bomb {
	h := func(s string) []byte { return []byte("<!DOCTYPE html><html><body>" + s) }
	x := func(s string) []byte { return []byte(`<?xml version="1.0"?>` + s) }
	r := func(s string) []byte { return []byte(`{\rtf1\ansi ` + s) }
	var many, some bytes.Buffer
	attributes(&many, 1_000_000)
	attributes(&some, 40_000)
	spaces := ""
	for i := range 90 {
		spaces += "<a xmlns:p" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + `="u">`
	}
	return map[string]bomb{
		"attributes.html":      {h("<p" + many.String() + ">"), "html.malformed"},
		"tags.html":            {h(strings.Repeat("<p ", 5<<20)), "html.malformed"},
		"comment.html":         {h(strings.Repeat("<!-- <script>", 2<<20)), "html.malformed"},
		"entities.html":        {h("<script></script>" + strings.Repeat("&#x202e;", 4<<20)), "html.script"},
		"style-comment.html":   {h("<style>" + strings.Repeat("/*", 400_000) + "</style><script>"), "html.script"},
		"style-escapes.html":   {h("<style>" + strings.Repeat(`\75`, 200_000) + "</style><script>"), "html.script"},
		"style-urls.html":      {h(strings.Repeat("<p style='a:url(//x'>", 50_000)), "html.external"},
		"attributes.xml":       {x("<a" + many.String() + "/>"), "too many attributes"},
		"deep.xml":             {x(strings.Repeat("<a>", 10<<20)), "elements nested too deep"},
		"laughs.xml":           {[]byte(laughs), "xml.dtd"},
		"quadratic.xml":        {x(`<!DOCTYPE a [<!ENTITY b "` + strings.Repeat("x", 100_000) + `">]><a>` + strings.Repeat("&b;", 100_000) + `</a>`), "xml.dtd"},
		"spaces.xml":           {x(spaces + strings.Repeat(`<q:b q:c=""/>`, 50_000)), "unexpected end of document"},
		"text.xml":             {x("<a>" + strings.Repeat("x", 10<<20)), "unexpected end of document"},
		"groups.rtf":           {r(strings.Repeat("{", 10<<20)), "groups nested too deep"},
		"fields.rtf":           {r(strings.Repeat(`{\field{\*\fldinst DATE `, 1<<20)), "groups nested too deep"},
		"many-fields.rtf":      {r(strings.Repeat(`{\field{\*\fldinst DATE}}`, 1<<20) + "}"), "field.dynamic DATE"},
		"binary.rtf":           {r(`\bin2147483647 x}`), "binary data of an impossible length"},
		"binary-back.rtf":      {r(`\bin-2147483647 x}`), "binary data of an impossible length"},
		"words.rtf":            {r(strings.Repeat(`\b1\'41`, 4<<20) + `\objdata}`), "rtf.object"},
		"word.rtf":             {r(`\` + strings.Repeat("a", 20<<20) + "}"), "control word too long"},
		"overrides.txt":        {[]byte(strings.Repeat("\u202e", 6<<20)), "text.bidi"},
		"formulas.csv":         {[]byte(strings.Repeat("=1,", 4<<20)), "csv.formula"},
		"quotes.csv":           {[]byte("=1\n" + strings.Repeat(`"`, 10<<20)), "csv.formula"},
		"polyglot.pdf":         {append([]byte("%PDF-1.7\nGIF89a<html><script>x</script>{\\rtf1 \xd0\xcf\x11\xe0"), overlapping(3)...), "format.polyglot pdf + zip"},
		"polyglot.png":         {append([]byte("\x89PNG\r\n\x1a\n%PDF-1.7\n"), overlapping(3)...), "format.polyglot png + zip"},
		"polyglot.jpg":         {append([]byte("\xff\xd8\xff\xe0\x00\x04\x01\x02\xff\xda\x00\x02\xff\xd9"), overlapping(3)...), "format.polyglot jpeg + zip"},
		"some-attributes.html": {h("<p" + some.String() + ">"), "too many attributes"},
		"idle-deep.html":       {h(strings.Repeat("<div>", 500_000)), ""},
		"idle-anchors.html":    {h(strings.Repeat("<a>", 1<<19)), ""},
		"scripts.html":         {h(strings.Repeat("<script>x</script>", 100_000)), "html.script"},
		"conditions.html":      {h(strings.Repeat("<!--[if IE]>", 1<<18)), "html.dynamic"},
		"style.html":           {h("<style>" + strings.Repeat("a{b:url(", 50_000) + "</style>"), "html.external"},
		"unicode.rtf":          {r(strings.Repeat(`\uc9\u8238 `, 1<<18) + `}`), "text.bidi"},
		"code.rtf":             {r(`{\field{\*\fldinst ` + strings.Repeat(`{\b A}`, 1<<19) + `}}}`), "field.dynamic"},
		"nested-fields.rtf":    {r(`{\field{\*\fldinst ` + strings.Repeat(`{\field{\*\fldinst `, 100) + strings.Repeat(`}}`, 100) + `}}}`), "a field writes the type of another"},
		"rows.csv":             {[]byte(strings.Repeat("=a\n", 1<<20)), "csv.formula =a"},
	}
}

// bombsMail are letters, sheets of exchange formats and notes that flood.
func bombsMail() map[string]bomb {
	s := strings.Repeat
	mail := "Received: x\nFrom: a\nTo: b\nMIME-Version: 1.0\nContent-Type: multipart/"
	texts := map[string][2]string{
		"parts.eml":        {mail + "mixed; boundary=b\n\n" + s("--b\nContent-Type: multipart/mixed; boundary=b\n\n", 100_000), "format.mail"},
		"header.eml":       {mail + "mixed\n" + s("X-A: b\n", 1<<20), "format.mail"},
		"line.eml":         {"Received: " + s("a", 4<<20), "format.mail"},
		"parts.mht":        {"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n" + s("--b\n\nQWN0aXZl\n", 1<<19), "format.mhtml"},
		"formulas.slk":     {"ID;P\n" + s("C;ENOW();EA|B!C\n", 1<<19), "format.sheet sylk"},
		"line.slk":         {"ID;P\nC" + s(";E", 2<<20), "format.sheet sylk"},
		"deep.json":        {s("[", 4<<20), "name.mismatch"},
		"idle-text.json":   {`"` + s("a", 4<<20) + `"`, ""},
		"idle-pictures.md": {s("![a](b)\n", 1<<19), ""},
		"idle-brackets.md": {s("![", 2<<20), ""},
		"idle-tags.md":     {s("<", 4<<20), ""},
	}
	bombs := map[string]bomb{}
	for name, t := range texts {
		bombs[name] = bomb{[]byte(t[0]), t[1]}
	}
	return bombs
}
