package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"io"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

// mediaTypes are the IANA names of the formats we report.
var mediaTypes = map[string]string{
	"pdf":   "application/pdf",
	"docx":  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"dotx":  "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
	"docm":  "application/vnd.ms-word.document.macroEnabled.12",
	"xlsx":  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"xltx":  "application/vnd.openxmlformats-officedocument.spreadsheetml.template",
	"xlsm":  "application/vnd.ms-excel.sheet.macroEnabled.12",
	"xlsb":  "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
	"pptx":  "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"ppsx":  "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
	"potx":  "application/vnd.openxmlformats-officedocument.presentationml.template",
	"pptm":  "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
	"doc":   "application/msword",
	"xls":   "application/vnd.ms-excel",
	"ppt":   "application/vnd.ms-powerpoint",
	"cfb":   "application/x-ole-storage",
	"odt":   "application/vnd.oasis.opendocument.text",
	"ods":   "application/vnd.oasis.opendocument.spreadsheet",
	"odp":   "application/vnd.oasis.opendocument.presentation",
	"odg":   "application/vnd.oasis.opendocument.graphics",
	"rtf":   "application/rtf",
	"html":  "text/html",
	"xhtml": "application/xhtml+xml",
	"svg":   "image/svg+xml",
	"xml":   "application/xml",
	"text":  "text/plain",
	"csv":   "text/csv",
	"png":   "image/png",
	"jpeg":  "image/jpeg",
	"tiff":  "image/tiff",
	"bmp":   "image/bmp",
	"gif":   "image/gif",
	"zip":   "application/zip",
	"p7m":   "application/pkcs7-mime",

	"markdown": "text/markdown", "json": "application/json",
	"eml": "message/rfc822", "msg": "application/vnd.ms-outlook", "mhtml": "multipart/related",
	"sylk": "text/plain", "dif": "text/plain",
	"wordml": "application/xml", "spreadsheetml": "application/xml", "flatopc": "application/xml", "flatodf": "application/xml",
	"webp": "image/webp",
}

// extensions are the name endings a format may come under. A format that is
// missing here has no extension that would be right, and a name without an
// extension is right for every format.
var extensions = map[string][]string{
	"pdf": {"pdf"}, "docx": {"docx"}, "dotx": {"dotx"}, "docm": {"docm", "dotm"},
	"xlsx": {"xlsx"}, "xltx": {"xltx"}, "xlsm": {"xlsm", "xltm"}, "xlsb": {"xlsb"},
	"pptx": {"pptx"}, "ppsx": {"ppsx"}, "potx": {"potx"}, "pptm": {"pptm", "ppsm", "potm"},
	"doc": {"doc", "dot"}, "xls": {"xls", "xlt"}, "ppt": {"ppt", "pps", "pot"},
	"odt": {"odt", "ott"}, "ods": {"ods", "ots"}, "odp": {"odp", "otp"}, "odg": {"odg", "otg"},
	"rtf": {"rtf"}, "html": {"html", "htm"}, "xhtml": {"xhtml", "xht", "html", "htm"},
	"svg": {"svg"}, "xml": {"xml"}, "text": textExtensions, "json": {"json"}, "markdown": {"md", "markdown"}, "csv": {"csv", "tsv"},
	"png": {"png"}, "jpeg": {"jpg", "jpeg", "jpe"}, "tiff": {"tif", "tiff"}, "bmp": {"bmp", "dib"},
	"gif": {"gif"}, "webp": {"webp"}, "wordml": {"xml"}, "spreadsheetml": {"xml"}, "flatopc": {"xml"},
	"flatodf": {"fodt", "fods", "fodp", "fodg", "xml"}, "eml": {"eml", "mbox"}, "msg": {"msg"}, "mhtml": {"mht", "mhtml"}, "sylk": {"slk", "sylk"}, "dif": {"dif"}, "zip": {"zip"}, "p7m": {"p7m"},
}

// textExtensions are the names of files whose content is a text and is opened
// as one: notes, settings, logs and source code. Names by which a double click
// runs the text (.bat, .js, .ps1, .vbs …) are not among them: what is signed
// shall be shown, not run.
var textExtensions = strings.Fields(`txt text asc log ini cfg conf properties toml yaml yml jsonl ndjson
	sql c h cc cpp hpp cs go java kt py rb rs swift tex bib diff patch`)

func extension(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Ext(strings.TrimRight(name, " .")), "."))
}

// checkName compares the extension with what the content turned out to be: the
// holder's system chooses the program by the name, we choose by the content.
func (s *scan) checkName(format string) {
	ext := extension(s.name)
	if ext == "" {
		return
	}
	for _, e := range extensions[format] {
		if e == ext {
			return
		}
	}
	s.add("name.mismatch", "", "."+ext+" ≠ "+format)
}

// detected is what the first look at a document says.
type detected struct {
	format string
	also   []string    // formats it could be read as besides
	zip    *zipArchive // for a ZIP, what its directory says
}

const headSize = 4096

// magics is our own table; what it says decides. Offsets are 0: a format that
// tolerates leading bytes is exactly what makes a polyglot.
var magics = []struct{ magic, format string }{
	{"%PDF-", "pdf"},
	{"PK\x03\x04", "zip"}, {"PK\x05\x06", "zip"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "cfb"},
	{"{\\rtf", "rtf"},
	{"\x89PNG\r\n\x1a\n", "png"},
	{"\xff\xd8\xff", "jpeg"},
	{"II*\x00", "tiff"}, {"MM\x00*", "tiff"}, {"II+\x00", "tiff"}, {"MM\x00+", "tiff"},
	{"GIF87a", "gif"}, {"GIF89a", "gif"},
}

// detect decides the format from the first and last bytes.
func detect(r io.ReaderAt, size int64, name string) detected {
	head := make([]byte, min(size, headSize))
	n, _ := r.ReadAt(head, 0)
	head = head[:n]
	d := detected{format: "unknown"}
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			d.format = m.format
			break
		}
	}
	if d.format == "unknown" {
		d.format = detectStructure(head, r, size, name)
	}
	if d.format == "p7m" {
		return d // it begins with the document it holds, which is inspected in its turn
	}
	if d.format != "pdf" && bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-")) {
		if d.format == "unknown" {
			d.format = "pdf" // the reader then says what is wrong with it
		} else {
			d.also = append(d.also, "pdf") // readers look for the header in the first 1,024 bytes
		}
	}
	if d.format == "zip" {
		d.zip = openZip(r, size)
	} else if end, ok := findZipEnd(r, size); ok && end.directorySize > 0 {
		d.also = append(d.also, "zip")
	}
	if other := secondOpinion(head, d.format); other != "" {
		d.also = append(d.also, other)
	}
	return d
}

// detectStructure recognises what has no fixed magic: BMP, DER, markup, text.
func detectStructure(head []byte, r io.ReaderAt, size int64, name string) string {
	switch {
	case len(head) >= 18 && head[0] == 'B' && head[1] == 'M' && plausibleBMP(head):
		return "bmp"
	case bytes.HasPrefix(head, []byte("RIFF")) && len(head) >= 12 && string(head[8:12]) == "WEBP":
		return "webp"
	case isSignedData(head):
		return "p7m"
	case isPostScript(head):
		return "unknown"
	}
	switch format := detectMarkup(head, r, size); {
	case format == "html" && isMarkdown(name) && !beginsPage(head):
		// A Markdown text may begin with a piece of HTML.
	case format == "xhtml" && (extension(name) == "html" || extension(name) == "htm"):
		return "html" // by that name a browser reads it as HTML, whatever it says itself
	case format != "":
		return format
	}
	if format := detectSheetText(head); format != "" {
		return format
	}
	if !looksLikeText(head) {
		return "unknown"
	}
	if format := detectMail(head, name); format != "" {
		return format
	}
	switch extension(name) { // to their last byte these are texts; only the name tells
	case "csv", "tsv":
		return "csv"
	case "md", "markdown":
		return "markdown"
	case "json":
		if isJSON(r, size) {
			return "json"
		}
	}
	return "text"
}

// isPostScript knows a program for a printer, which to an editor is a text.
func isPostScript(head []byte) bool {
	head = bytes.TrimLeft(head, "\x04 \t\r\n")
	return bytes.HasPrefix(head, []byte("%!PS")) || bytes.HasPrefix(head, []byte("%!\n")) || bytes.HasPrefix(head, []byte("%!\r"))
}

func plausibleBMP(head []byte) bool {
	switch binary.LittleEndian.Uint32(head[14:]) { // size of the header that follows
	case 12, 40, 52, 56, 64, 108, 124:
		return true
	}
	return false
}

// isSignedData recognises ContentInfo with id-signedData (RFC 5652 §3, §5.1) in
// BER or DER, bare, in base64 or in PEM.
func isSignedData(head []byte) bool {
	oid := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}
	if len(head) > 0 && head[0] == 0x30 {
		return bytes.Contains(head[:min(len(head), 24)], oid)
	}
	text := bytes.TrimLeft(head, "\r\n\t ")
	if rest, ok := bytes.CutPrefix(text, []byte("-----BEGIN ")); ok {
		if _, body, ok := bytes.Cut(rest, []byte("-----")); ok {
			text = body
		}
	}
	var b64 []byte
	for _, c := range text {
		if c == '\r' || c == '\n' || c == ' ' || c == '\t' {
			continue
		}
		if b64 = append(b64, c); len(b64) == 32 {
			break
		}
	}
	der := make([]byte, 24)
	n, _ := base64.StdEncoding.Decode(der, b64)
	return n > 0 && der[0] == 0x30 && bytes.Contains(der[:n], oid)
}

// htmlStarts are the tags by which browsers take untyped content for a page
// (WHATWG MIME Sniffing §7.1), and a few more.
var htmlStarts = []string{
	"<!doctype html", "<html", "<head", "<body", "<script", "<iframe", "<h1", "<div", "<font", "<table",
	"<a", "<style", "<title", "<b", "<br", "<p", "<img", "<meta", "<link", "<form", "<object", "<embed", "<span",
}

// detectMarkup tells HTML, XHTML, SVG and other XML apart by their start.
func detectMarkup(head []byte, r io.ReaderAt, size int64) string {
	text := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	wide := bytes.HasPrefix(head, []byte("\xff\xfe<\x00")) || bytes.HasPrefix(head, []byte("\xfe\xff\x00<"))
	text = bytes.TrimLeft(text, "\t\n\f\r ")
	if !wide && !bytes.HasPrefix(text, []byte("<")) {
		return ""
	}
	declared := bytes.HasPrefix(text, []byte("<?xml"))
	lower := bytes.ToLower(text)
	if !declared {
		lower = afterComments(lower)
	}
	if !declared && !wide {
		for _, start := range htmlStarts {
			if rest, ok := bytes.CutPrefix(lower, []byte(start)); ok && (len(rest) == 0 || strings.IndexByte(" >\t\r\n/", rest[0]) >= 0) {
				if isXHTML(r, size) {
					return "xhtml"
				}
				return "html"
			}
		}
	}
	root, err := xmlRoot(io.NewSectionReader(r, 0, min(size, maxMarkup)))
	switch {
	case err == nil && root.Local == "html":
		return "xhtml"
	case err == nil && root.Local == "svg":
		return "svg"
	case err == nil && officeXMLFormat(root) != "":
		return officeXMLFormat(root)
	case err == nil || declared || wide:
		return "xml" // a defective one is for the scanner to refuse
	case bytes.HasPrefix(lower, []byte("<!--")) || bytes.HasPrefix(lower, []byte("<!doctype")):
		return "html"
	}
	return ""
}

// afterComments is text without the comments it begins with.
func afterComments(text []byte) []byte {
	for bytes.HasPrefix(text, []byte("<!--")) {
		_, after, ok := bytes.Cut(text, []byte("-->"))
		if !ok {
			break
		}
		text = bytes.TrimLeft(after, "\t\n\f\r ")
	}
	return text
}

func isMarkdown(name string) bool {
	ext := extension(name)
	return ext == "md" || ext == "markdown"
}

// beginsPage reports whether a text begins with what only a whole page has; by
// whatever name, it is one.
func beginsPage(head []byte) bool {
	lower := bytes.ToLower(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	lower = afterComments(bytes.TrimLeft(lower, "\t\n\f\r "))
	for _, start := range []string{"<!", "<html", "<head", "<body", "<title", "<meta", "<link", "<style", "<script", "<iframe", "<frameset"} {
		if bytes.HasPrefix(lower, []byte(start)) {
			return true
		}
	}
	return false
}

// isXHTML: an html element in the XHTML name space, without an XML declaration.
func isXHTML(r io.ReaderAt, size int64) bool {
	dec := xml.NewDecoder(io.NewSectionReader(r, 0, min(size, headSize)))
	for {
		t, err := dec.RawToken()
		if err != nil {
			return false
		}
		if e, ok := t.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if a.Name.Local == "xmlns" && a.Value == nsXHTML {
					return e.Name.Local == "html"
				}
			}
			return false
		}
	}
}

// looksLikeText: no NUL and hardly any other control character, or a UTF-16
// byte order mark. Of a short text more may be outside of ASCII, if all of it
// is a character in Windows-1252.
func looksLikeText(head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return true
	}
	control, invalid, ascii, odd := 0, 0, 0, 0
	for i := 0; i < len(head); {
		c, n := utf8.DecodeRune(head[i:])
		switch {
		case c == 0:
			return false
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f':
			control++
		case c == utf8.RuneError && n == 1:
			invalid++
			if strings.IndexByte("\x81\x8d\x8f\x90\x9d", head[i]) >= 0 {
				odd++
			}
		case c < utf8.RuneSelf && unicode.IsLetter(c):
			ascii++
		}
		i += n
	}
	if len(head) < 64 && control+odd == 0 && ascii > 0 { // a few words in quotation marks of Windows
		return invalid*4 <= 3*len(head)
	}
	return control*20 <= len(head) && invalid*4 <= len(head)
}

// secondOpinion asks an independent detector. Where it recognises a format that
// contradicts ours, the document is ambiguous. It returns "" if it agrees or
// has no opinion.
func secondOpinion(head []byte, format string) string {
	m := mimetype.Detect(head)
	chain := map[string]bool{}
	for t := m; t != nil; t = t.Parent() {
		base, _, _ := strings.Cut(t.String(), ";")
		chain[base] = true
	}
	base, _, _ := strings.Cut(m.String(), ";")
	if base == "application/octet-stream" {
		return ""
	}
	agrees := false
	switch format {
	case "unknown":
		return ""
	case "zip":
		agrees = chain["application/zip"]
	case "cfb":
		agrees = chain["application/x-ole-storage"]
	case "markdown": // it may begin with a piece of HTML
		agrees = chain["text/plain"] && !chain["text/xml"] && !chain["image/svg+xml"] && !chain["text/rtf"]
	case "text", "csv", "json", "eml", "mhtml", "sylk", "dif":
		agrees = chain["text/plain"] && !chain["text/html"] && !chain["text/xml"] && !chain["image/svg+xml"] && !chain["text/rtf"]
	case "html", "xhtml", "svg", "xml", "wordml", "spreadsheetml", "flatopc", "flatodf":
		agrees = chain["text/plain"] || chain["text/xml"] || chain["text/html"]
	case "rtf":
		agrees = chain["text/rtf"] || chain["application/rtf"]
	default:
		agrees = chain[mediaTypes[format]] || m.Is(mediaTypes[format])
	}
	if agrees {
		return ""
	}
	return base
}
