package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

func utf16Text(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func markupCases() []ruleCase {
	h := func(s string) []byte { return []byte("<!DOCTYPE html><html><body>" + s + "</body></html>") }
	svg := func(s string) []byte { return []byte(`<svg xmlns="http://www.w3.org/2000/svg">` + s + `</svg>`) }
	x := func(s string) []byte { return []byte(`<?xml version="1.0"?>` + s) }
	cases := []ruleCase{
		{"html.script", "x.html", h(`<script>x</script>`), h(`&lt;script>x`)},
		{"html.script", "x.html", h(`<p oNcLiCk=x>`), h(`<p on=x non=y>`)},
		{"html.script", "x.html", h(`<a href="jav&#x09;ascr&#105;pt:x">`), h(`<a href="https://javascript/">`)},
		{"html.script", "x.html", h(`<a href=" VBScript:x">`), h(`<a href="?javascript:x">`)},
		{"html.script", "x.html", h(`<img src="data:image/png;base64,x">`), h(`<p title="my data: x">`)},
		{"html.script", "x.html", h(`<p style="width:expr/**/ession(x)">`), h(`<p style="width:1em">`)},
		{"html.script", "x.html", h(`<?php x ?>`), h(`<!-- x -->`)},
		{"html.script", "x.svg", svg(`<script>x</script>`), svg(`<text>x</text>`)},
		{"html.script", "x.svg", svg(`<a xlink:href="javascript:x" xmlns:xlink="http://www.w3.org/1999/xlink"/>`), svg(`<a href="#x"/>`)},
		{"html.script", "x.xml", x(`<r><h:script xmlns:h="http://www.w3.org/1999/xhtml">x</h:script></r>`), x(`<r><script>x</script></r>`)},
		{"html.script", "x.xhtml", []byte(`<html xmlns="http://www.w3.org/1999/xhtml"><body onload="x"/></html>`), []byte(`<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>`)},
		{"xml.code", "x.xml", x(`<xdp:xdp xmlns:xdp="http://ns.adobe.com/xdp/"/>`), x(`<xdp:xdp xmlns:xdp="http://ns.adobe.com/"/>`)},
		{"xml.code", "x.xml", x(`<template xmlns="http://www.xfa.org/schema/xfa-template/3.3/"/>`), x(`<template xmlns="http://www.xfa.org/"/>`)},
		{"html.embedded", "x.svg", svg(`<foreignObject/>`), svg(`<g/>`)},
		{"html.redirect", "x.html", h(`<meta http-equiv=REFRESH content=0>`), h(`<meta http-equiv=Content-Type content="text/html; charset=utf-8">`)},
		{"html.redirect", "x.html", h(`<base href="https://x.it/">`), h("")},
		{"html.external", "x.html", h(`<link rel=stylesheet href=x.css>`), h("")},
		{"html.external", "x.html", h(`<img src="foto.png">`), h(`<img alt="foto.png">`)},
		{"html.external", "x.html", h(`<style>@import "x.css";</style>`), h(`<style>p { color: red }</style>`)},
		{"html.external", "x.html", h(`<p style="background: u\72l(//x.it/a)">`), h(`<p style="fill: url(#a)">`)},
		{"html.external", "x.svg", svg(`<image href="https://x.it/a.png"/>`), svg(`<use href="#a"/>`)},
		{"html.external", "x.svg", svg(`<rect fill="url(https://x.it/)"/>`), svg(`<rect fill="url(#a)"/>`)},
		{"html.dynamic", "x.html", h(`<style>p:hover { color: white }</style>`), h(`<style>p { color: hover }</style>`)},
		{"html.dynamic", "x.html", h(`<style>@media print { p { display: none } }</style>`), h(`<p>@media print`)},
		{"html.dynamic", "x.html", h(`<style>@media screen, all { p { color: navy } }</style>`), h(`<style>@MEDIA all{ p { color: navy } }</style>`)},
		{"html.dynamic", "x.html", h(`<style>@media all and (min-width: 1px) { p { color: navy } }</style>`), h(`<style>@media /**/ all { p { color: navy } }</style>`)},
		{"html.external", "x.html", h(`<style>p { font-family: "/*" } q { background: url(x.png) } p { font-family: "*/" }</style>`), h(`<style>/* " */ p { color: navy } /* url(x.png) " */</style>`)},
		{"html.external", "x.html", h(`<style>\/* { x: url(x.png) } /**/</style>`), h(`<style>/*\*/ p { color: navy } /* url(x.png) */</style>`)},
		{"html.dynamic", "x.html", h(`<style media=Print>p { color: white }</style>`), h(`<style media=All>p { color: navy }</style>`)},
		{"html.dynamic", "x.html", h(`<style>p::after { content : "x" }</style>`), h(`<style>.content:first-child { justify-content: center; align-content:end }</style>`)},
		{"html.dynamic", "x.html", h(`<p style="-webkit-transition: opacity 1s">`), h(`<style>.transition, #animation { color: navy }</style>`)},
		{"html.dynamic", "x.html", h(`<p style="animation-name:a">`), h(`<style>@page { size: 21cm 29.7cm }</style>`)},
		{"html.dynamic", "x.html", h(`<!--[if IE]>x<![endif]-->`), h(`<!-- if IE -->`)},
		{"html.dynamic", "x.svg", svg(`<animate/>`), svg(`<path/>`)},
		{"html.dynamic", "x.html", h(`<style media=print>p { color: white }</style>`), h(`<style media=all>p { color: white }</style>`)},
		{"html.dynamic", "x.html", h(`<style>a:link { color: white }</style>`), h(`<style>li:nth-child(2), li:not(:first-child)::before { color: red }</style>`)},
		{"html.dynamic", "x.html", h(`<style>p::selection { color: white }</style>`), h(`<style>p { color: white; margin:calc(1em + 2px) }</style>`)},
		{"html.dynamic", "x.html", h(`<style>@domani { p { color: white } }</style>`), h(`<style>@charset "utf-8"; p { color: white }</style>`)},
		{"html.dynamic", "x.html", h(`<p style="color: light-dark(white, black)">`), h(`<p style="color: rgb(1, 2, 3)">`)},
		{"html.dynamic", "x.html", h(`<style>p { width: random(1px, 9px) }</style>`), h(`<style>p { width: random }</style>`)},
		{"html.dynamic", "x.html", h(`<p PopOver>x</p>`), h(`<p title=popover>x</p>`)},
		{"html.dynamic", "x.svg", svg(`<g systemLanguage="it"><text>x</text></g>`), svg(`<g lang="it"><text>x</text></g>`)},
		{"html.malformed", "x.html", h(`<domani>x</domani>`), h(`<mark>x</mark>`)},
		{"html.malformed", "x.svg", svg(`<domani/>`), svg(`<feBlend/><linearGradient/><d:omani xmlns:d="urn:x"/>`)},
	}
	for _, e := range []string{"iframe", "object", "embed", "applet", "frameset", "video", "noscript"} {
		rule := elementRules[e]
		cases = append(cases, ruleCase{rule, "x.html", h("<" + e + ">"), h("&lt;" + e + ">")})
	}
	for _, e := range []string{"form", "input", "textarea"} {
		cases = append(cases, ruleCase{"html.form", "x.html", h("<" + strings.ToUpper(e) + ">"), h("<p>" + e)})
	}
	return append(cases, syntaxCases()...)
}

// syntaxCases are of XML, and of what is hidden in pages, their encoding and their syntax.
func syntaxCases() []ruleCase {
	h := func(s string) []byte { return []byte("<!DOCTYPE html><html><body>" + s + "</body></html>") }
	x := func(s string) []byte { return []byte(`<?xml version="1.0"?>` + s) }
	return []ruleCase{
		{"text.bidi", "x.html", h(`<bdo dir=rtl>001</bdo>`), h(`<bdi>001</bdi>`)},
		{"text.bidi", "x.html", h(`<p style="unicode-bidi: bidi-override; direction: rtl">001`), h(`<p style="direction: rtl">001`)},
		{"html.hidden", "x.html", h(`<p style="display:none">x</p>`), h(`<p style="display:block">x</p>`)},
		{"html.hidden", "x.html", h(`<p hidden>x</p>`), h(`<p title=hidden>x</p>`)},
		{"html.encoding", "x.html", utf16Text(`<html><body>x</body></html>`), []byte(`<html><body>x</body></html>`)},
		{"html.encoding", "x.html", h(`<meta charset=utf-7>`), h(`<meta charset=utf-8>`)},
		{"html.encoding", "x.html", h("<meta charset=utf-8>\xe8"), h("<meta charset=iso-8859-1>\xe8")},
		{"html.encoding", "x.html", h("<scr\x00ipt>"), h("<p>")},
		{"text.encoding", "x.html", h("perché"), h("<meta charset=utf-8>perché")},
		{"text.bidi", "x.html", h("<meta charset=utf-8>a&#x202e;b"), h("<meta charset=utf-8>a b")},
		{"text.bidi", "x.html", h("<bdo dir=rtl>001</bdo>"), h("<p dir=rtl>001</p>")},
		{"text.bidi", "x.html", h("<p style='unicode-bidi: isolate-override'>001"), h("<p style='unicode-bidi: isolate'>001")},
		{"html.malformed", "x.html", h(`<p "=x>`), h(`<p a="x">`)},
		{"html.malformed", "x.html", h("<p a=" + strings.Repeat("a", maxTag) + ">"), h("<p a=" + strings.Repeat("a", maxTag/2) + ">")},
		{"xml.malformed", "x.xml", x(`<a><b></a></b>`), x(`<a><b></b></a>`)},
		{"xml.malformed", "x.xml", x(`<a/><b/>`), x(`<a/><!-- b -->`)},
		{"xml.malformed", "x.xml", x(strings.Repeat("<a>", maxXMLDepth+1) + strings.Repeat("</a>", maxXMLDepth+1)), x(strings.Repeat("<a>", 50) + strings.Repeat("</a>", 50))},
		{"xml.malformed", "x.xml", x(`<a>&b;</a>`), x(`<a>&lt;</a>`)},
		{"xml.dtd", "x.xml", x(`<!DOCTYPE a [<!ENTITY b "c">]><a>x</a>`), x(`<a>DOCTYPE</a>`)},
		{"xml.dtd", "x.xhtml", []byte(`<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x "y">]><html xmlns="http://www.w3.org/1999/xhtml"/>`), []byte(`<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"/>`)},
		{"xml.stylesheet", "x.xml", x(`<?xml-stylesheet href="a.xsl" type="text/xsl"?><a/>`), x(`<?other x?><a/>`)},
		{"xml.include", "x.xml", x(`<a><i:include href="b.xml" xmlns:i="http://www.w3.org/2001/XInclude"/></a>`), x(`<a><include href="b.xml"/></a>`)},
		{"xml.code", "x.xml", x(`<t:stylesheet xmlns:t="http://www.w3.org/1999/XSL/Transform"/>`), x(`<stylesheet/>`)},
		{"text.bidi", "x.xml", x("<a>b\u2066c</a>"), x("<a>b c</a>")},
	}
}

// signedCells are cells that begin with a sign: formulas, and what is none.
func signedCells() []ruleCase {
	var cases []ruleCase
	for _, c := range []struct{ formula, text string }{
		{"-A1", "-5 EUR"}, {"+SUM(1)", "- nota"}, {"-1+A1", "-12,5"}, {"-2*3", "+39 02 1234"}, {"+cmd|'/c calc'!A0", "- Rossi & C."},
		{"-HYPERLINK (1)", "- spese escluse (22%)"}, {"- 5 + cmd('x')", "-5EUR"}, {"- nota + SUM(1)", "- foglio A4"},
		{"-A:A", "- vedi allegato!"}, {"-R1C1", "-12 m2"}, {"-Foglio!A1", "-3 °C"}, {"+$B$2", "-€ 1.200,00"}, {"+(A1)", "+39 (02) 1234-5678"},
		{"-1=1", "-"}, {"+\"\"a\"\"&b", "- a, b; c"}, {"@SUM", "+ IVA 22%"}, {"- " + strings.Repeat("nota ", 100) + "+SUM(1)", "- " + strings.Repeat("nota ", 100)},
	} {
		row := func(s string) []byte { return []byte("a;b\n1;\"" + s + "\"\n") }
		cases = append(cases, ruleCase{"csv.formula", "x.csv", row(c.formula), row(c.text)})
	}
	return cases
}

func textCases() []ruleCase {
	return []ruleCase{
		{"text.bidi", "x.txt", []byte("prezzo \u202e001"), []byte("prezzo 100")},
		{"text.bidi", "x.txt", []byte("a \u2067b"), []byte("a \u05d0\u05d1")},
		{"text.control", "x.txt", []byte("a \x1b[8m nascosto e altro testo ancora"), []byte("a\tb\r\nc\f")},
		{"text.control", "x.txt", []byte("a \u009b8m"), []byte("a\u00a0b")},
		{"text.invisible", "x.txt", []byte("a\u200bb"), []byte("\ufeffa b")},
		{"text.invisible", "x.txt", []byte("a\u034fb"), []byte("a\u0300b \u2764\ufe0f")},
		{"text.invisible", "x.txt", []byte("a\u2028b"), []byte("a\u2026b")},
		{"text.invisible", "x.txt", []byte("a\ufe00b"), []byte("a\uffe1b")},
		{"text.invisible", "x.txt", []byte("pago 1000\rpago 9999\r"), []byte("pago 1000\r\npago 9999\r")},
		{"text.control", "x.txt", []byte("a\r\npago 1000\rpago 9999\n"), []byte("a\r\r\npago 1000\r")},
		{"text.control", "x.txt", []byte("a\r\rb\n"), []byte("a\rb\r")},
		{"text.control", "x.csv", []byte("a,b\n1,\"2\r3\"\n"), []byte("a,b\r\n1,\"2\n3\"\r\n")},
		{"text.control", "x.txt", []byte("a\uffffb"), []byte("a\ufffdb")},
		{"text.control", "x.txt", []byte("a\U0001fffeb"), []byte("a\U0001f600b")},
		{"text.control", "x.txt", []byte("a\ufdd0b"), []byte("a\ufdf0b")},
		{"text.encoding", "x.txt", []byte("\x93S\xec\x94"), []byte("“Sì”")},
		{"format.unknown", "x.txt", []byte("\x93S\xec\x9d"), []byte("\x93S\xec\x94")},
		{"text.encoding", "x.txt", []byte("perch\xe8 no, disse"), []byte("perchè no, disse")},
		{"text.encoding", "x.txt", utf16Text("perché"), []byte("perché")},
		{"text.encoding.mixed", "x.txt", []byte("perché perch\xe8 no"), []byte("perch\xe8 no, disse")},
		{"csv.formula", "x.csv", []byte("a,b\n1,=cmd|'/c calc'!A0\n"), []byte("a,b\n1,-2\n+39 02 123,- \n\"x,=1\",a=b\n")},
		{"csv.formula", "x.csv", []byte("sep=#\r\na#=NOW()\n"), []byte("a\r\nsep=#\r\na#=NOW()\n")},
		{"csv.formula", "x.csv", []byte("\"Sep=~\"\na~@SUM(1)\n"), []byte("sep=~~\na~@SUM(1)\n")},
		{"csv.formula", "x.csv", []byte("a;\"@SUM(1)\"\n"), []byte("a;\"b@x.it\"\n")},
		{"csv.formula", "x.csv", []byte("a\"b,+A1\n"), []byte("a\"b,c\n")},
		{"markdown.active", "x.md", []byte("# Titolo\n\n<ScRiPt>x</script>\n"), []byte("# Titolo\n\n<b>x</b> 1 < 2, `vec![1]`\n")},
		{"markdown.active", "x.md", []byte("# Titolo\n![logo](https://x.it/a.png)\n"), []byte("# Titolo\n[logo](https://x.it/a.png)!\n")},
		{"markdown.active", "x.markdown", []byte("ciao ![logo][1]\n"), []byte("ciao! [logo][1]\n")},
		{"markdown.active", "x.md", []byte("[qui]( <javascript:x>)\n"), []byte("[qui](#javascript)\n")},
		{"markdown.active", "x.md", []byte("a <img src=x>"), []byte("a <imgx> <source-branch>")},
		{"text.bidi", "x.md", []byte("prezzo \u202e001"), []byte("<script>")[1:]},
		{"text.bidi", "x.go", []byte("package x // \u2066"), []byte("package x // a")},
		{"text.bidi", "x.json", []byte("{\"a\": \"\u202e\"}"), []byte("{\"a\": \"b\"}")},
		{"text.control", "x.log", []byte("riga \x1b[8m nascosta e altro testo ancora"), []byte("riga")},
		{"text.invisible", "x.py", []byte("a\u200b = 1"), []byte("a = 1")},
		{"name.mismatch", "x.json", []byte("{\"a\": 1,}"), []byte("\ufeff{\"a\": 1}\r\n")},
		{"name.mismatch", "x.json", []byte(strings.Repeat("[", 20_000)), []byte("[]")},
		{"name.mismatch", "x.json", []byte("{} {}"), []byte("\"a\"")},
		{"name.mismatch", "x.md", []byte("<html><body>x</body></html>"), []byte("# x\n")},
		{"name.mismatch", "x.md", []byte("<!-- x --> <script>x</script>"), []byte("<!-- x --> ciao <script>x</script>")},
		{"name.mismatch", "x.md", []byte("<!-- x"), []byte("<h1 align=center>Titolo</h1>\n\nciao\n")},
		{"format.polyglot", "x.txt", []byte("<!-- x -->\nciao\n"), []byte("ciao <!-- x -->\n")},
		{"markdown.active", "x.md", []byte("<p align=center><img src=x.png></p>\n\nciao\n"), []byte("<!-- x -->\nciao\n")},
		{"name.mismatch", "x.md", []byte("<?xml version=\"1.0\"?><a/>"), []byte("a <b>c</b>")},
		{"name.mismatch", "x.bat", []byte("@echo off\n"), nil},
	}
}

// dataURL is an image as it stands in a page.
func dataURL(media string, image []byte) string {
	return "data:" + media + ";base64," + base64.StdEncoding.EncodeToString(image)
}

func dataPictureCases() []ruleCase {
	h := func(s string) []byte { return []byte("<!DOCTYPE html><html><body>" + s + "</body></html>") }
	svg := func(s string) []byte {
		return []byte(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">` + s + `</svg>`)
	}
	img := func(media string, image []byte) []byte { return h(`<img alt=x src="` + dataURL(media, image) + `">`) }
	png := dataURL("image/png", pngOf(1, 1))
	vector := []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)
	return []ruleCase{
		{"html.script", "x.html", img("image/svg+xml", vector), img("image/png", pngOf(1, 1))},
		{"html.script", "x.html", img("image/png", jpegOf(1, 1)), img("image/jpeg", jpegOf(1, 1))},
		{"html.script", "x.html", img("text/html", pngOf(1, 1)), img("image/JPG", jpegOf(1, 1))},
		{"html.script", "x.html", img("image/tiff", tiffOf(1)), img("image/bmp", bmpOf(2, 2))},
		{"html.script", "x.html", h(`<img src="` + png + `*">`), h(`<img src=" ` + png[:60] + "\r\n\t" + png[60:] + ` ">`)},
		{"html.script", "x.html", h(`<img src="data:image/png,` + png[22:] + `">`), img("image/gif", gifOf(1))},
		{"html.script", "x.html", h(`<a href="` + png + `">x</a>`), h(`<svg><image xlink:href="` + png + `"/></svg>`)},
		{"html.script", "x.svg", svg(`<use href="` + png + `"/>`), svg(`<image xlink:href="` + png + `"/>`)},
		{"html.script", "x.html", h(strings.Repeat(`<img src="`+png+`">`, maxDataPictures+1)), h(strings.Repeat(`<img src="`+png+`">`, 100))},
		{"html.external", "x.html", h(`<svg><image xlink:href="//x.it/a.png"/></svg>`), h(`<svg><image xlink:href="` + png + `"/></svg>`)},
		{"html.external", "x.html", h(`<p style="background:url(data:image/svg+xml;base64,x)">`), h(`<p style="background:url(` + png + `)">`)},
		{"html.external", "x.html", h(`<style>p{background:url("` + png + `*")}</style>`), h(`<style>p{background:URL( "` + png + `" ) no-repeat}</style>`)},
		{"html.external", "x.svg", svg(`<rect fill="url(` + dataURL("image/png", vector) + `)"/>`), svg(`<rect fill="url('` + png + `')"/>`)},
		{"image.animated", "x.html", img("image/gif", gifOf(2)), img("image/gif", gifOf(1))},
		{"image.animated", "x.html", h(`<style>p{background:url(` + dataURL("image/png", pngOf(1, 1, "acTL")) + `)}</style>`), img("image/png", pngOf(1, 1, "gAMA"))},
		{"image.trailing", "x.html", img("image/png", join(pngOf(1, 1), []byte("more"))), img("image/png", pngOf(1, 1, "tEXt"))},
		{"image.malformed", "x.svg", svg(`<image href="` + dataURL("image/png", pngOf(1, 1)[:40]) + `"/>`), svg(`<image href="` + png + `"/>`)},
		{"format.polyglot", "x.html", img("image/png", join(pngOf(1, 1), zipOf("a", "b"))), img("image/png", pngOf(1, 1))},
	}
}

// A page in one file with a photograph in it is nothing to stop at, and what is
// found in a picture is told by the line of the page.
func TestDataPicture(t *testing.T) {
	t.Parallel()
	large := pngOf(10, 10, "tEXt")
	for _, c := range []struct {
		image   []byte
		verdict Verdict
	}{{large, Allow}, {join(large, []byte("x")), Refuse}} {
		url := dataURL("image/png", c.image)
		for name, doc := range map[string]string{
			"x.html":  "<!DOCTYPE html><html><body>\n<img src='" + url + "'></body></html>",
			"x.xhtml": "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><body>\n<img src='" + url + "'/></body></html>",
			"x.svg":   "<svg xmlns='http://www.w3.org/2000/svg'>\n<image href='" + url + "'/></svg>",
		} {
			rep := look(t, name, []byte(doc))
			if rep.Verdict != c.verdict || c.verdict == Refuse && !strings.HasPrefix(rep.Findings[0].Where, "line 2, byte ") || rep.MediaType == "image/png" {
				t.Errorf("%s: %s %+v", name, rep.Verdict, rep.Findings)
			}
		}
	}
}

func imageCases() []ruleCase {
	return []ruleCase{
		{"image.malformed", "x.png", pngOf(1, 1)[:40], pngOf(1, 1)},
		{"image.malformed", "x.jpg", jpegOf(1, 1)[:20], jpegOf(1, 1)},
		{"image.malformed", "x.gif", gifOf(1)[:20], gifOf(1)},
		{"image.malformed", "x.tif", tiffOf(1)[:30], tiffOf(1)},
		{"image.malformed", "x.bmp", bmpOf(2, 2)[:60], bmpOf(2, 2)},
		{"image.malformed", "x.tif", tiffLoop(), tiffOf(2)},
		{"image.trailing", "x.png", join(pngOf(1, 1), []byte("more")), pngOf(1, 1, "tEXt")},
		{"image.trailing", "x.jpg", join(jpegOf(1, 1), []byte("more")), jpegOf(1, 1)},
		{"image.trailing", "x.gif", join(gifOf(1), []byte("more")), gifOf(1)},
		{"image.trailing", "x.tif", join(tiffOf(1), []byte("much more")), tiffOf(1)},
		{"image.trailing", "x.tif", join(tiffOf(1), make([]byte, 16)), join(tiffOf(1), make([]byte, 15))},
		{"image.trailing", "x.tif", join(tiffOf(1), []byte("\x00\x00\x00\x00\x01")), join(tiffOf(1), []byte("\x01\x00\x00"))},
		{"image.trailing", "x.bmp", join(bmpOf(2, 2), []byte("more")), bmpOf(2, -2)},
		{"image.animated", "x.gif", gifOf(2), gifOf(1)},
		{"image.animated", "x.png", pngOf(1, 1, "acTL"), pngOf(1, 1, "gAMA")},
		{"image.pixels", "x.png", pngOf(60000, 60000), pngOf(10000, 10000)},
		{"image.pixels", "x.jpg", jpegOf(65535, 65535), jpegOf(100, 65535)},
		{"image.pixels", "x.bmp", bmpOf(65000, -65000), bmpOf(2, 2)},
		{"image.pages", "x.tif", tiffOf(3), tiffOf(1)},
	}
}

// tiffLoop has a directory that follows itself.
func tiffLoop() []byte {
	b := tiffOf(1)
	binary.LittleEndian.PutUint32(b[8+2+48:], 8)
	return b
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string][]byte{
		"pdf a.pdf": pdfPage("", ""), "docx a.docx": docx(""), "xlsx a.xlsx": xlsx("", ""), "pptx a.pptx": pptx(">"), "odt a.odt": odt(""),
		"doc a.doc": cfbFile("WordDocument", wordStream(0)), "rtf a.rtf": []byte(`{\rtf1 x}`), "html a.htm": []byte("<HTML>x"),
		"html b.html": []byte(`<html xmlns="http://www.w3.org/1999/xhtml">x</html>`), "html c.html": []byte("<!-- x --><p>y"),
		"xhtml a.xhtml": []byte(`<html xmlns="http://www.w3.org/1999/xhtml">x</html>`), "svg a.svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`),
		"xml a.xml": []byte(`<FatturaElettronica/>`), "xml b.xml": utf16Text(`<?xml version="1.0" encoding="UTF-16"?><a/>`),
		"text a.txt": []byte("a < b"), "text b": []byte("x"), "text a.go": []byte("package a\n"), "text a.java": []byte("class A {}\n"), "text a.py": []byte("#!/usr/bin/env python3\nprint(1)\n"), "text a.sql": []byte("SELECT 1;\n"),
		"text a.log": []byte("18:00 avvio\n"), "text a.ini": []byte("[a]\nb = c\n"), "text a.yaml": []byte("a: b\nc: d\n"), "text a.jsonl": []byte("{\"a\": 1}\n{\"a\": 2}\n"),
		"json a.json": []byte("{\"a\": [1, 2.5e999, null]}\n"), "text b.txt": []byte("{\"a\": 1}\n"), "markdown a.md": []byte("# Titolo\n\n- uno\n"), "markdown b.md": []byte("<!-- nota -->\n# Titolo\n"), "markdown c.md": []byte("<h1>Titolo</h1>\n\n- uno\n"), "csv a.csv": []byte("a,b\n"), "png a.png": pngOf(1, 1), "jpeg a.jpg": jpegOf(1, 1),
		"tiff a.tif": tiffOf(1), "gif a.gif": gifOf(1), "bmp a.bmp": bmpOf(2, 2), "zip a.zip": zipOf("a", "b"), "unknown a.exe": []byte("MZ\x90\x00\x03\x00"),
	} {
		want, file, _ := strings.Cut(name, " ")
		rep := look(t, file, doc)
		if rep.Format != want || want != "unknown" && rep.MediaType != mediaTypes[want] {
			t.Errorf("%s: %s %s", name, rep.Format, rep.MediaType)
		}
		switch want {
		case "doc", "zip", "unknown":
		default:
			if rep.Verdict != Allow && !(want == "xml" && has(rep, "text.encoding")) {
				t.Errorf("%s: %s %+v", name, rep.Verdict, rep.Findings)
			}
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	rep, err := Inspect(bytes.NewReader([]byte("x")), maxFile+1, "x.txt")
	if err != nil || !has(rep, "size") {
		t.Errorf("%+v, %v", rep, err)
	}
	zeros := bytes.NewReader(bytes.Repeat([]byte("a"), maxMarkup+1))
	if rep, err = Inspect(zeros, zeros.Size(), "x.txt"); err != nil || !has(rep, "size") {
		t.Errorf("%+v, %v", rep, err)
	}
}
