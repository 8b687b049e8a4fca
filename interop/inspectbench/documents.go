package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// documents are made once, from sources that are the same each time, by the programs
// that people have: LibreOffice, qpdf, pdflatex. Those named mixed are text with as
// many photographs as a report has; those named text have nothing else, and are
// what an inspector finds hardest. The small ones are those of the tests.
var documents = []struct {
	name, title string
	floor       floor
	peers       []string
	command     []string // OUT is the file's folder
}{
	{"mixed.pdf", "PDF of LibreOffice, text and photographs", hashOnly, pdfPeers, office("mixed.fodt", "pdf:writer_pdf_Export")},
	{"mixed-packed.pdf", "the same with object streams (qpdf)", hashOnly, pdfPeers, packed("mixed")},
	{"text.pdf", "PDF of LibreOffice, tagged text alone", hashOnly, pdfPeers, office("text.fodt", `pdf:writer_pdf_Export:{"UseTaggedPDF":{"type":"boolean","value":"true"}}`)},
	{"text-packed.pdf", "the same with object streams (qpdf)", hashOnly, pdfPeers, packed("text")},
	{"mixed.docx", "DOCX of LibreOffice, text and photographs", inflateOnly, officePeers, office("mixed.fodt", "docx:MS Word 2007 XML")},
	{"text.docx", "DOCX of LibreOffice, text alone", inflateOnly, officePeers, office("text.fodt", "docx:MS Word 2007 XML")},
	{"table.xlsx", "XLSX of LibreOffice, 45,000 rows", inflateOnly, officePeers, office("table.csv", "xlsx:Calc MS Excel 2007 XML")},
	{"slides.pptx", "PPTX of LibreOffice, text and photographs", inflateOnly, officePeers, office("slides.fodp", "pptx:Impress MS PowerPoint 2007 XML")},
	{"mixed.odt", "ODT of LibreOffice, text and photographs", inflateOnly, anyPeers, office("mixed.fodt", "odt:writer8")},
	{"text.odt", "ODT of LibreOffice, text alone", inflateOnly, anyPeers, office("text.fodt", "odt:writer8")},
	{"mixed.doc", "DOC of LibreOffice, text and photographs", hashOnly, officePeers, office("mixed.fodt", "doc:MS Word 97")},
	{"text.doc", "DOC of LibreOffice, text alone", hashOnly, officePeers, office("text.fodt", "doc:MS Word 97")},
	{"table.xls", "XLS of LibreOffice, 45,000 rows", hashOnly, officePeers, office("table.csv", "xls:MS Excel 97")},
	{"slides.ppt", "PPT of LibreOffice, text and photographs", hashOnly, officePeers, office("slides.fodp", "ppt:MS PowerPoint 97")},
	{"text.rtf", "RTF of LibreOffice, text alone", hashOnly, anyPeers, office("text.fodt", "rtf:Rich Text Format")},
	{"text.html", "HTML", hashOnly, anyPeers, nil},
	{"text.txt", "plain text", hashOnly, anyPeers, nil},
	{"table.csv", "CSV", hashOnly, anyPeers, nil},
	{"photo.jpeg", "JPEG", hashOnly, anyPeers, nil},
	{"photo.png", "PNG", hashOnly, anyPeers, nil},
	{"testdata/documents/contratto.pdf", "a contract in PDF", hashOnly, pdfPeers, nil},
	{"testdata/documents/lettera.docx", "a letter in DOCX", inflateOnly, officePeers, nil},
}

// What a peer knows. oletools take text for a macro, and have nothing to say of PDF.
var (
	anyPeers    = []string{"clamd"}
	pdfPeers    = []string{"clamd", "pdfid"}
	officePeers = []string{"clamd", "olevba", "oleid"}
)

func office(source, filter string) []string {
	return []string{"soffice", "-env:UserInstallation=file://OUT/profile", "--headless", "--convert-to", filter, "--outdir", "OUT", "OUT/" + source}
}

func packed(name string) []string {
	return []string{"qpdf", "--object-streams=generate", "OUT/" + name + ".pdf", "OUT/" + name + "-packed.pdf"}
}

// makeDocuments makes in dir what is missing there.
func makeDocuments(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := writeSources(dir); err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Join(dir, "profile"))
	for _, d := range documents {
		if _, err := os.Stat(filepath.Join(dir, d.name)); err == nil || d.command == nil {
			continue
		}
		args := make([]string, len(d.command))
		for i, a := range d.command {
			args[i] = strings.ReplaceAll(a, "OUT", dir)
		}
		fmt.Fprintf(os.Stderr, "bench: making %s\n", d.name)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s is missing: %s: %v %s\n", d.name, args[0], err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// writeSources writes what the programs start from, and the documents that need none.
func writeSources(dir string) error {
	for name, write := range map[string]func(author) []byte{
		"mixed.fodt":  func(w author) []byte { return w.text(22, 50, w.photos(22)) },
		"text.fodt":   func(w author) []byte { return w.text(120, 60, nil) },
		"slides.fodp": func(w author) []byte { return w.slides(w.photos(22)) },
		"table.csv":   func(w author) []byte { return w.table(45_000) },
		"text.html":   func(w author) []byte { return w.page(120, 60) },
		"text.txt":    func(w author) []byte { return w.plain(8_000) },
		"photo.jpeg":  func(w author) []byte { return w.photo(6_400, 4_800) },
		"photo.png":   func(w author) []byte { return w.drawing(2_500, 2_000) },
	} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := os.WriteFile(path, write(author{rand.New(rand.NewPCG(1, 2))}), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// author writes contracts of a length that is asked for and sense that is not.
type author struct{ *rand.Rand }

var words = strings.Fields(`il contratto prezzo della fornitura si intende fisso per tutta durata salvo quanto previsto
	dall'articolo precedente le parti convengono che ogni modifica debba essere redatta iscritto pena nullità del presente
	accordo fornitore committente entro giorni dalla consegna dei beni e servizi indicati nell'allegato tecnico importo
	complessivo oltre IVA pagamento bonifico bancario termine decorrenza recesso penale foro competente Milano Torino`)

func (w author) sentence(n int) string {
	var b strings.Builder
	for range n {
		if w.IntN(12) == 0 {
			fmt.Fprintf(&b, "%d ", w.IntN(100_000))
		} else {
			b.WriteString(words[w.IntN(len(words))] + " ")
		}
	}
	return b.String()
}

const flatODF = `<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0" office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.%s">
<office:automatic-styles><style:style style:name="B" style:family="text"><style:text-properties fo:font-weight="bold"/></style:style></office:automatic-styles><office:body><office:%s>
`

func frame(photo []byte, at string) string {
	return `<draw:frame ` + at + ` svg:width="14cm" svg:height="10.5cm"><draw:image><office:binary-data>` +
		base64.StdEncoding.EncodeToString(photo) + `</office:binary-data></draw:image></draw:frame>`
}

func (w author) text(articles, paragraphs int, photos [][]byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, flatODF, "text", "text")
	for i := range articles {
		fmt.Fprintf(&b, "<text:h text:outline-level=\"1\">Articolo %d</text:h>\n", i+1)
		if i < len(photos) {
			fmt.Fprintf(&b, "<text:p>%s</text:p>\n", frame(photos[i], `text:anchor-type="as-char"`))
		}
		for range paragraphs {
			fmt.Fprintf(&b, "<text:p>%s<text:span text:style-name=\"B\">%s</text:span>%s</text:p>\n", w.sentence(40), w.sentence(3), w.sentence(40))
		}
	}
	b.WriteString("</office:text></office:body></office:document>\n")
	return b.Bytes()
}

func (w author) slides(photos [][]byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, flatODF, "presentation", "presentation")
	for i, p := range photos {
		fmt.Fprintf(&b, "<draw:page draw:name=\"p%d\">%s<draw:frame svg:x=\"1cm\" svg:y=\"12cm\" svg:width=\"24cm\" svg:height=\"5cm\"><draw:text-box>", i, frame(p, `svg:x="1cm" svg:y="1cm"`))
		for range 8 {
			fmt.Fprintf(&b, "<text:p>%s</text:p>", w.sentence(20))
		}
		b.WriteString("</draw:text-box></draw:frame></draw:page>\n")
	}
	b.WriteString("</office:presentation></office:body></office:document>\n")
	return b.Bytes()
}

func (w author) table(rows int) []byte {
	var b bytes.Buffer
	for i := range rows {
		fmt.Fprintf(&b, "%d,%s", i, w.sentence(3))
		for range 10 {
			fmt.Fprintf(&b, ",%d.%02d", w.IntN(100_000), w.IntN(100))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func (w author) page(articles, paragraphs int) []byte {
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Contratto</title></head><body>\n")
	for i := range articles {
		fmt.Fprintf(&b, "<h1>Articolo %d</h1>\n", i+1)
		for range paragraphs {
			fmt.Fprintf(&b, "<p class=\"testo\">%s<b>%s</b>%s</p>\n", w.sentence(40), w.sentence(3), w.sentence(40))
		}
	}
	b.WriteString("</body></html>\n")
	return b.Bytes()
}

func (w author) plain(paragraphs int) []byte {
	var b bytes.Buffer
	for range paragraphs {
		b.WriteString(w.sentence(90) + "\n\n")
	}
	return b.Bytes()
}

func (w author) photos(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = w.photo(1200, 900)
	}
	return out
}

// photo is a JPEG with the noise of a camera, some 220 kB for 1200 × 900.
func (w author) photo(width, height int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	red, green := w.IntN(256), w.IntN(256)
	for y := range height {
		for x := range width {
			noise := w.Uint32()
			m.SetRGBA(x, y, color.RGBA{uint8(x*red/width + int(noise&31)), uint8(y*green/height + int(noise>>8&31)), uint8((x + y) / 9), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
		panic(err) // a buffer takes all
	}
	return b.Bytes()
}

func (w author) drawing(width, height int) []byte {
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = uint8(w.Uint32())
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err) // a buffer takes all
	}
	return b.Bytes()
}
