package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// producer is a program that makes a PDF, as it is found in the world.
type producer struct {
	name string // of the file
	// command has OUT, SRC (the folder of sources) and TMP in it; a | stands
	// between the programs of a pipe.
	command string
	// makes is the file that appears in TMP when the program chooses its name;
	// empty: OUT.
	makes    string
	password string // that opens the file
}

// office gives the options of LibreOffice's export filter.
func office(filter, options, source, made string) producer {
	command := "soffice -env:UserInstallation=file://TMP/profile --headless --convert-to pdf:" + filter
	if options != "" {
		command += ":" + options
	}
	return producer{command: command + " --outdir TMP SRC/" + source, makes: made}
}

func (p producer) called(name string) producer {
	p.name = name
	return p
}

// producers need the files of writeSources. Those further down may start from
// what those above made.
var producers = []producer{
	office("writer_pdf_Export", "", "letter.docx", "letter.pdf").called("libreoffice-writer"),
	office("writer_pdf_Export", `{"SelectPdfVersion":{"type":"long","value":"2"}}`, "letter.docx", "letter.pdf").called("libreoffice-pdfa-2b"),
	office("writer_pdf_Export", `{"SelectPdfVersion":{"type":"long","value":"1"}}`, "letter.docx", "letter.pdf").called("libreoffice-pdfa-1b"),
	office("writer_pdf_Export", `{"EncryptFile":{"type":"boolean","value":"true"},"DocumentOpenPassword":{"type":"string","value":"segreta"},"RestrictPermissions":{"type":"boolean","value":"false"}}`,
		"letter.docx", "letter.pdf").called("libreoffice-encrypted").opened("segreta"),
	office("writer_pdf_Export", `{"SelectPdfVersion":{"type":"long","value":"3"}}`, "letter.docx", "letter.pdf").called("libreoffice-pdfa-3b"),
	office("calc_pdf_Export", "", "table.csv", "table.pdf").called("libreoffice-calc"),
	office("impress_pdf_Export", "", "slides.fodp", "slides.pdf").called("libreoffice-impress"),
	office("draw_pdf_Export", "", "drawing.svg", "drawing.pdf").called("libreoffice-draw"),
	{name: "chromium", command: "chromium --headless --no-sandbox --disable-gpu --user-data-dir=TMP/chromium --print-to-pdf=OUT SRC/page.html"},
	{name: "chromium-no-header", command: "chromium --headless --no-sandbox --disable-gpu --user-data-dir=TMP/chromium --no-pdf-header-footer --print-to-pdf=OUT SRC/drawing.html"},
	{name: "pdflatex", command: "pdflatex -interaction=batchmode -output-directory=TMP SRC/article.tex", makes: "article.pdf"},
	{name: "pdflatex-1.4", command: `pdflatex -interaction=batchmode -output-directory=TMP -jobname=old \pdfminorversion=4\pdfobjcompresslevel=0\input{SRC/article.tex}`, makes: "old.pdf"},
	{name: "pdflatex-hyperref-form", command: "pdflatex -interaction=batchmode -output-directory=TMP SRC/form.tex", makes: "form.pdf"},
	{name: "ghostscript-1.4", command: "gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -dCompatibilityLevel=1.4 -sOutputFile=OUT SRC/page.ps"},
	{name: "ghostscript-1.7", command: "gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -dCompatibilityLevel=1.7 -sOutputFile=OUT SRC/letter.pdf"},
	{name: "ghostscript-encrypted", command: "gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -sOwnerPassword=padrone -sUserPassword=segreta -sOutputFile=OUT SRC/page.ps", password: "segreta"},
	{name: "ps2pdf13", command: "ps2pdf13 SRC/page.ps OUT"},
	{name: "enscript-ps2pdf", command: "enscript -q -p - SRC/text.txt | ps2pdf - OUT"},
	{name: "a2ps-ps2pdf", command: "a2ps -q -o - SRC/text.txt | ps2pdf - OUT"},
	{name: "groff", command: "groff -Tpdf -ms SRC/letter.ms >OUT"},
	{name: "groff-ps2pdf", command: "groff -Tps -ms SRC/letter.ms | ps2pdf - OUT"},
	{name: "pandoc-groff", command: "pandoc --pdf-engine=pdfroff -t ms SRC/notes.md -o OUT"},
	{name: "cairo-1.4", command: "/usr/bin/python3 SRC/cairo14.py OUT"},
	{name: "cairo-1.5", command: "/usr/bin/python3 SRC/cairo15.py OUT"},
	{name: "rsvg-convert", command: "rsvg-convert -f pdf -o OUT SRC/drawing.svg"},
	{name: "pdftocairo", command: "pdftocairo -pdf SRC/letter.pdf OUT"},
	{name: "pdfunite", command: "pdfunite SRC/letter.pdf SRC/plain.pdf OUT"},
	{name: "pdfseparate", command: "pdfseparate -f 1 -l 1 SRC/letter.pdf OUT"},
	{name: "graphviz", command: "dot -Tpdf -o OUT SRC/graph.dot"},
	{name: "gnuplot", command: "gnuplot SRC/plot.gp >OUT"},
	{name: "qpdf-linearized", command: "qpdf --linearize SRC/letter.pdf OUT"},
	{name: "qpdf-object-streams", command: "qpdf --object-streams=generate SRC/letter.pdf OUT"},
	{name: "qpdf-linearized-object-streams", command: "qpdf --linearize --object-streams=generate SRC/letter.pdf OUT"},
	{name: "qpdf-no-object-streams", command: "qpdf --object-streams=disable SRC/letter.pdf OUT"},
	{name: "qpdf-qdf", command: "qpdf --qdf SRC/letter.pdf OUT"},
	{name: "qpdf-uncompressed", command: "qpdf --stream-data=uncompress --newline-before-endstream SRC/letter.pdf OUT"},
	{name: "qpdf-2.0", command: "qpdf --force-version=2.0 SRC/letter.pdf OUT"},
	{name: "qpdf-rc4-40", command: "qpdf --allow-weak-crypto --encrypt segreta padrone 40 -- SRC/letter.pdf OUT", password: "segreta"},
	{name: "qpdf-rc4-128", command: "qpdf --allow-weak-crypto --encrypt segreta padrone 128 --use-aes=n -- SRC/letter.pdf OUT", password: "segreta"},
	{name: "qpdf-aes-128", command: "qpdf --allow-weak-crypto --encrypt segreta padrone 128 --use-aes=y -- SRC/letter.pdf OUT", password: "segreta"},
	{name: "qpdf-aes-256", command: "qpdf --object-streams=generate --encrypt segreta padrone 256 -- SRC/letter.pdf OUT", password: "segreta"},
	{name: "qpdf-clear-metadata", command: "qpdf --encrypt segreta padrone 256 --cleartext-metadata -- SRC/letter.pdf OUT", password: "segreta"},
	{name: "qpdf-pages", command: "qpdf --empty --pages SRC/letter.pdf SRC/plain.pdf 1 -- OUT"},
	{name: "mutool-clean", command: "mutool clean -ggg -z SRC/letter.pdf OUT"},
	{name: "mutool-expanded", command: "mutool clean -d SRC/letter.pdf OUT"},
	{name: "mutool-linear", command: "mutool clean -l SRC/letter.pdf OUT"},
	{name: "mutool-merge", command: "mutool merge -o OUT SRC/letter.pdf SRC/plain.pdf"},
	{name: "mutool-convert", command: "mutool convert -o OUT SRC/letter.pdf"},
	{name: "pdftk", command: "pdftk SRC/letter.pdf SRC/plain.pdf cat output OUT"},
	{name: "pdftk-encrypted", command: "pdftk SRC/plain.pdf output OUT owner_pw padrone user_pw segreta encrypt_128bit allow AllFeatures", password: "segreta"},
	{name: "podofo", command: "podofoimg2pdf OUT SRC/scan.jpg"},
}

func (p producer) opened(password string) producer {
	p.password = password
	return p
}

// produceTime bounds one program; LibreOffice starts slowly.
const produceTime = 90 * time.Second

// needs gives the programs that must be there.
func (p producer) needs() []string {
	var all []string
	for part := range strings.FieldsFuncSeq(p.command, func(r rune) bool { return r == '|' || r == ';' }) {
		all = append(all, strings.Fields(part)[0])
	}
	return all
}

// produce runs the program. It does not fail when the program says so and there
// is a file: what matters is what was made.
func (p producer) produce(ctx context.Context, dir, sources string) (string, error) {
	for _, n := range p.needs() {
		if _, err := exec.LookPath(n); err != nil {
			return "", fmt.Errorf("%s is not installed", n)
		}
	}
	tmp := filepath.Join(dir, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return "", err
	}
	out := filepath.Join(dir, p.name+".pdf")
	ctx, cancel := context.WithTimeout(ctx, produceTime)
	defer cancel()
	var words []string
	for _, w := range strings.Fields(p.command) {
		w = strings.NewReplacer("OUT", out, "SRC", sources, "TMP", tmp).Replace(w)
		if w != "|" && w != ";" && !strings.HasPrefix(w, ">") {
			w = "'" + w + "'"
		}
		words = append(words, w)
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", strings.Join(words, " "))
	cmd.Dir = tmp // some leave logs where they stand
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+tmp)
	said, err := cmd.CombinedOutput()
	if p.makes != "" {
		if err := os.Rename(filepath.Join(tmp, p.makes), out); err != nil {
			return "", fmt.Errorf("nothing was made: %s", oneLine(string(said)))
		}
	}
	data, readErr := os.ReadFile(out)
	if readErr != nil || !bytes.HasPrefix(data, []byte("%PDF-")) {
		return "", fmt.Errorf("nothing was made: %v: %s", err, oneLine(string(said)))
	}
	return out, nil
}
