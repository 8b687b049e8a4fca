package inspect

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
)

// pictured is a Word document with a picture under word/media.
func pictured(name, content string) []byte {
	kind := "image/" + name[strings.LastIndexByte(name, '.')+1:]
	if kind == "image/svg" {
		kind = "image/svg+xml"
	}
	return docxTyped("word/media/"+name, kind, content)
}

func pictureCases() []ruleCase {
	svg := func(body string) string {
		return `<?xml version="1.0"?><!-- ` + strings.Repeat("x", 600) + ` --><svg xmlns="` + nsSVG + `">` + body + `</svg>`
	}
	drawn := func(body string) []byte { return pictured("a.svg", svg(body)) }
	odf := func(name, content string) []byte { return odt("", name, content) }
	gif := func(n int) string { return string(gifOf(n)) }
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, _ = w.Write([]byte(svg("")))
	_ = w.Close()
	doctype := `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"`
	return []ruleCase{
		{"html.script", "x.docx", docxTyped("word/media/a.xml", "application/xml", svg(`<script>x</script>`)), docxTyped("word/media/a.xml", "application/xml", svg(`<path/>`))},
		{"html.external", "x.docx", drawn(`<image href="https://x.it/a.png"/>`), drawn(`<use href="#a"/>`)},
		{"html.dynamic", "x.docx", drawn(`<animate/>`), drawn(`<style>.a { fill: red }</style><path class="a"/>`)},
		{"html.script", "x.odt", odf("Pictures/a.svg", svg(`<script>x</script>`)), odf("Pictures/a.svg", svg(`<g style="display:none"/>`))},
		{"html.script", "x.odt", odf("Pictures/a.png", svg(`<g onclick="x"/>`)), odf("Pictures/a.png", svg(`<g/>`))},
		{"html.script", "x.odt", odf("Pictures/a.xml", svg(`<g onclick="x"/>`)), odf("Pictures/a.xml", svg(`<g/>`))},
		{"xml.dtd", "x.odt", odf("Pictures/a.svg", doctype+` [<!ENTITY a "b">]><svg/>`), odf("Pictures/a.svg", doctype+`><svg/>`)},
		{"xml.malformed", "x.odt", odf("Pictures/a.svg", `<svg>`), odf("Pictures/a.dat", `<a>`)},
		{"zip.nested", "x.odt", odf("Pictures/a.svg", gz.String()), odf("Pictures/a.svg", svg(""))},
		{"image.animated", "x.docx", pictured("a.gif", gif(2)), pictured("a.gif", gif(1)+"more")},
		{"image.animated", "x.docx", pictured("a.jpg", gif(2)[:len(gif(2))-1]), pictured("a.gif", gif(1)[:20])},
		{"image.animated", "x.docx", pictured("a.png", string(pngOf(1, 1, "acTL"))), pictured("a.png", string(pngOf(1, 1, "tEXt"))+"acTL")},
		{"image.animated", "x.docx", docxTyped("word/thumbnail.gif", "image/gif", gif(2)), docxTyped("docProps/thumbnail.gif", "image/gif", gif(2))},
		{"image.animated", "x.odt", odf("Pictures/a.gif", gif(2)), odf("Thumbnails/thumbnail.png", gif(2))},
		{"image.animated", "x.odt", odf("Pictures/a.webp", string(webpOf("VP8X", vp8x(webpAnimation, 1, 1), "ANIM", "123456"))), odf("Pictures/a.webp", string(webpOf("VP8 ", vp8(1, 1)))+"ANIM")},
		{"zip.nested", "x.odt", odf("Thumbnails/thumbnail.png", "%PDF-1.7"), odf("Thumbnails/thumbnail.png", string(jpegOf(1, 1)))},
	}
}

// What is odd in a picture but shows one thing only does not keep an honest
// document from being signed.
func TestOddPictures(t *testing.T) {
	t.Parallel()
	for name, picture := range map[string]string{
		"a.png": string(pngOf(1, 1)) + "more", "b.png": string(pngOf(1, 1)[:40]), "a.jpg": string(jpegOf(1, 1)) + "\x00\x00", "b.jpg": "\xff\xd8\xff",
		"a.gif": string(gifOf(1)) + "\x00", "a.svg": `<svg xmlns="` + nsSVG + `"><flowRoot/><g style="display:none"/></svg>`, "a.bmp": "BM",
	} {
		for doc, d := range map[string][]byte{"x.docx": pictured(name, picture), "x.odt": odt("", "Pictures/"+name, picture)} {
			if rep := look(t, doc, d); rep.Verdict != Allow {
				t.Errorf("%s in %s: %+v", name, doc, rep.Findings)
			}
		}
	}
}
