package pdf

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// producers write PDF files, in a directory that has source.pdf (three pages), page.html, page.tex, page.svg, page.txt,
// image.png and page.ps. args[0] is the program; a python program is what follows "python:" and needs that module.
var producers = []struct {
	name, pkg string
	args      []string
}{
	{"plain", "coreutils", []string{"cp", "source.pdf", "out.pdf"}},
	{"qpdf with object streams", "qpdf", []string{"qpdf", "--object-streams=generate", "source.pdf", "out.pdf"}},
	{"qpdf without object streams", "qpdf", []string{"qpdf", "--object-streams=disable", "source.pdf", "out.pdf"}},
	{"qpdf linearized", "qpdf", []string{"qpdf", "--linearize", "source.pdf", "out.pdf"}},
	{"qpdf linearized with streams", "qpdf", []string{"qpdf", "--linearize", "--object-streams=generate", "source.pdf", "out.pdf"}},
	{"qpdf readable", "qpdf", []string{"qpdf", "--qdf", "source.pdf", "out.pdf"}},
	{"qpdf version 1.4", "qpdf", []string{"qpdf", "--force-version=1.4", "source.pdf", "out.pdf"}},
	{"qpdf version 2.0", "qpdf", []string{"qpdf", "--force-version=2.0", "source.pdf", "out.pdf"}},
	{"qpdf line ends", "qpdf", []string{"qpdf", "--newline-before-endstream", "source.pdf", "out.pdf"}},
	{"qpdf uncompressed", "qpdf", []string{"qpdf", "--stream-data=uncompress", "source.pdf", "out.pdf"}},
	{"qpdf normalised", "qpdf", []string{"qpdf", "--normalize-content=y", "--coalesce-contents", "source.pdf", "out.pdf"}},
	{"qpdf pages", "qpdf", []string{"qpdf", "--empty", "--pages", "source.pdf", "1-2", "source.pdf", "3", "--", "out.pdf"}},
	{"qpdf attachment", "qpdf", []string{"qpdf", "--add-attachment", "page.txt", "--", "source.pdf", "out.pdf"}},
	{"pdftocairo", "poppler-utils", []string{"pdftocairo", "-pdf", "source.pdf", "out.pdf"}},
	{"pdfseparate", "poppler-utils", []string{"pdfseparate", "-f", "2", "-l", "2", "source.pdf", "out.pdf"}},
	{"pdfunite", "poppler-utils", []string{"pdfunite", "source.pdf", "source.pdf", "out.pdf"}},
	{"pdfattach", "poppler-utils", []string{"pdfattach", "source.pdf", "page.txt", "out.pdf"}},
	{"chromium", "chromium", []string{"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=profile", "--print-to-pdf=out.pdf", "page.html"}},
	{"ghostscript", "ghostscript", []string{"gs", "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pdfwrite", "-sOutputFile=out.pdf", "source.pdf"}},
	{"ghostscript 1.3", "ghostscript", []string{"gs", "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pdfwrite", "-dCompatibilityLevel=1.3", "-sOutputFile=out.pdf", "source.pdf"}},
	{"ghostscript images", "ghostscript", []string{"gs", "-q", "-dBATCH", "-dNOPAUSE", "-r36", "-sDEVICE=pdfimage24", "-sOutputFile=out.pdf", "source.pdf"}},
	{"ghostscript PDF/A", "ghostscript", []string{"gs", "-q", "-dBATCH", "-dNOPAUSE", "-dPDFA=2", "-sColorConversionStrategy=RGB", "-sDEVICE=pdfwrite", "-sOutputFile=out.pdf", "page.ps"}},
	{"ps2pdf", "ghostscript", []string{"ps2pdf", "page.ps", "out.pdf"}},
	{"mutool", "mupdf-tools", []string{"mutool", "clean", "source.pdf", "out.pdf"}},
	{"mutool garbage collected", "mupdf-tools", []string{"mutool", "clean", "-gggg", "-z", "source.pdf", "out.pdf"}},
	{"mutool linearized", "mupdf-tools", []string{"mutool", "clean", "-l", "source.pdf", "out.pdf"}},
	{"mutool merge", "mupdf-tools", []string{"mutool", "merge", "-o", "out.pdf", "source.pdf", "source.pdf"}},
	{"mutool convert", "mupdf-tools", []string{"mutool", "convert", "-o", "out.pdf", "source.pdf"}},
	{"pdftk", "pdftk-java", []string{"pdftk", "source.pdf", "cat", "1-2", "output", "out.pdf"}},
	{"pdftk compressed", "pdftk-java", []string{"pdftk", "source.pdf", "output", "out.pdf", "compress"}},
	{"podofo", "libpodofo-utils", []string{"podofomerge", "source.pdf", "source.pdf", "out.pdf"}},
	{"img2pdf", "img2pdf", []string{"img2pdf", "--pagesize", "A4", "image.png", "-o", "out.pdf"}},
	{"pdflatex", "texlive-latex-base", []string{"pdflatex", "-interaction=batchmode", "-jobname=out", "page.tex"}},
	{"pdflatex 1.4", "texlive-latex-base", []string{"pdflatex", "-interaction=batchmode", "-jobname=out", `\pdfminorversion=4 \input{page.tex}`}},
	{"pdflatex uncompressed", "texlive-latex-base", []string{"pdflatex", "-interaction=batchmode", "-jobname=out", `\pdfobjcompresslevel=0 \pdfcompresslevel=0 \input{page.tex}`}},
	{"lualatex", "texlive-luatex", []string{"lualatex", "-interaction=batchmode", "-jobname=out", "page.tex"}},
	{"groff", "groff", []string{"sh", "-c", "groff -Tpdf -ms page.txt > out.pdf"}},
	{"wkhtmltopdf", "wkhtmltopdf", []string{"wkhtmltopdf", "-q", "page.html", "out.pdf"}},
	{"librsvg", "librsvg2-bin", []string{"rsvg-convert", "-f", "pdf", "-o", "out.pdf", "page.svg"}},
	{"gnuplot", "gnuplot-nox", []string{"gnuplot", "-e", `set term pdfcairo; set output "out.pdf"; plot sin(x)`}},
	{"libreoffice", "libreoffice-writer-nogui", []string{"libreoffice", "-env:UserInstallation=file:///PROFILE", "--headless", "--convert-to", "pdf", "--outdir", ".", "out.txt"}},
	{"cairo", "python3-cairo", []string{"python:cairo", "s=cairo.PDFSurface('out.pdf',300,300);c=cairo.Context(s);c.move_to(50,50);c.show_text('perché');c.show_page();s.finish()"}},
	{"pikepdf", "python3-pikepdf", []string{"python:pikepdf", "pikepdf.open('source.pdf').save('out.pdf')"}},
	{"reportlab", "python3-reportlab", []string{"python:reportlab.pdfgen.canvas", "c=reportlab.pdfgen.canvas.Canvas('out.pdf');c.drawString(9,700,'perché');c.acroForm.textfield(name='n',x=9,y=9);c.save()"}},
	{"weasyprint", "weasyprint", []string{"python:weasyprint", "weasyprint.HTML('page.html').write_pdf('out.pdf')"}},
	{"fpdf", "python3-fpdf", []string{"python:fpdf", "p=fpdf.FPDF();p.add_page();p.set_font('Helvetica');p.cell(9,9,'x');p.output('out.pdf')"}},
	{"pypdf", "python3-pypdf", []string{"python:pypdf", "w=pypdf.PdfWriter();w.append('source.pdf');w.write('out.pdf')"}},
	{"pypdf incremental", "python3-pypdf", []string{"python:pypdf", "w=pypdf.PdfWriter('source.pdf',incremental=True);w.add_blank_page(9,9);w.write('out.pdf')"}},
	{"matplotlib", "python3-matplotlib", []string{"python:matplotlib.pyplot", "matplotlib.pyplot.plot([1,2]);matplotlib.pyplot.savefig('out.pdf')"}},
	{"pillow", "python3-pil", []string{"python:PIL.Image", "PIL.Image.new('RGB',(9,9)).save('out.pdf')"}},
}

// sources are the files that the producers start from.
func sources(t *testing.T, dir string) {
	t.Helper()
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
	for name, text := range map[string]string{
		"source.pdf": string(readFile(t, documents+"contratto.pdf")),
		"page.html":  "<html><title>Faro</title><h1>Faro</h1><a href='https://faro.example'>perch&eacute;</a></html>",
		"page.tex":   `\documentclass{article}\begin{document}\section{Faro}Lampeggia.\newpage Due.\end{document}`,
		"page.svg":   `<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><circle r="40" cx="50" cy="50"/></svg>`,
		"page.txt":   "Il faro lampeggia.\n",
		"out.txt":    "Il faro lampeggia.\n",
		"page.ps":    "%!PS\n/Helvetica 12 selectfont 99 99 moveto (Faro) show showpage\n",
		"image.png":  png,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// python finds an interpreter that has the module: SIGILLO_TEST_PYTHON names one that is asked first.
func python(t *testing.T, module, pkg string) string {
	t.Helper()
	for _, name := range []string{os.Getenv("SIGILLO_TEST_PYTHON"), "/usr/bin/python3", "python3"} {
		if name != "" && exec.Command(name, "-c", "import "+module).Run() == nil {
			return name
		}
	}
	t.Skipf("no Python interpreter has %s (Debian package %s)", module, pkg)
	return ""
}

// TestProducers reads what programs people use write, updates it twice and reads it again.
func TestProducers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts fifty programs")
	}
	for _, p := range producers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			sources(t, dir)
			args := append([]string{}, p.args...)
			if module, ok := strings.CutPrefix(args[0], "python:"); ok {
				args = []string{python(t, module, p.pkg), "-c", "import " + module + ";" + args[1]}
			} else {
				args[0] = tool(t, args[0], p.pkg)
			}
			for i := range args {
				args[i] = strings.Replace(args[i], "/PROFILE", dir+"/profile", 1)
			}
			if p.name == "groff" {
				tool(t, "gropdf", "groff")
			}
			run(t, dir, args[0], args[1:]...)
			if err := updateTwice(t, readFile(t, filepath.Join(dir, "out.pdf"))); err != nil {
				t.Error(err)
			}
		})
	}
}
