package inspect

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
)

// Pages that are one file carry their pictures as data: URLs (RFC 2397): so
// LibreOffice, pandoc and the browsers themselves save them. Such a picture is
// fetched from nowhere and runs nothing, and so it is judged like one that is
// a file of its own. SVG is not among them: it is a document within another.
var dataPictures = map[string]string{
	"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg",
	"image/gif": "gif", "image/webp": "webp", "image/bmp": "bmp",
}

// cssPicture is a picture in a style sheet, in the three ways to write a URL.
var cssPicture = regexp.MustCompile(`(?i)url\(\s*(?:"(data:[^"]*)"|'(data:[^']*)'|(data:[^"'()\s]*))\s*\)`)

// picture inspects what a data: URL holds and reports whether that is a picture
// of the kind it says. If not, nothing is found and it is up to the caller to
// refuse the URL.
func (m *markup) picture(url string) bool {
	head, body, ok := strings.Cut(strings.TrimSpace(url), ",")
	if !ok || len(head) > 64 || m.pictures >= maxDataPictures {
		return false
	}
	media, ok := strings.CutPrefix(strings.ToLower(head), "data:")
	if !ok {
		return false
	}
	media, ok = strings.CutSuffix(media, ";base64")
	declared := dataPictures[media]
	if !ok || declared == "" {
		return false
	}
	m.pictures++
	if strings.ContainsAny(body, " \t\r\n\f") { // lines are folded; browsers drop the white space
		body = strings.Join(strings.Fields(body), "")
	}
	image, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil || len(image) == 0 {
		return false
	}
	s := &scan{report: m.report, r: bytes.NewReader(image), size: int64(len(image)), envelopes: 1}
	d := detect(s.r, s.size, "")
	if d.format != declared {
		return false
	}
	first := len(m.Findings)
	for _, also := range d.also {
		s.add("format.polyglot", "", d.format+" + "+also)
	}
	s.dispatch(d)
	for i := first; i < len(m.Findings); i++ { // where in the picture says little without where that is
		f := &m.Findings[i]
		f.Where = clean(strings.TrimSuffix(m.where()+", "+f.Where, ", "), maxWhere)
	}
	return true
}

// cssPictures takes the pictures that are harmless by themselves out of a style.
func (m *markup) cssPictures(style string) string {
	return cssPicture.ReplaceAllStringFunc(style, func(whole string) string {
		p := cssPicture.FindStringSubmatch(whole)
		if m.picture(p[1] + p[2] + p[3]) {
			return "url(#)"
		}
		return whole
	})
}
