package inspect

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Clean documents made by a real office program must not be refused.
func TestLibreOfficeDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("converts with LibreOffice")
	}
	soffice, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("LibreOffice (libreoffice-writer-nogui, libreoffice-calc-nogui) is not installed")
	}
	dir := t.TempDir()
	page := `<!DOCTYPE html><html><head><meta charset="utf-8"><title>Contratto</title></head><body><h1>Contratto</h1><p>Prezzo: € 100,00, vedi <a href="https://example.it/">qui</a>.</p><table border="1"><tr><td>a</td><td>b</td></tr></table></body></html>`
	write(t, filepath.Join(dir, "letter.html"), page)
	write(t, filepath.Join(dir, "sheet.csv"), "voce,importo\nuno,1\ndue,2\n")
	// convert answers the path of src converted by filter.
	convert := func(src, filter, extension string, options ...string) string {
		args := append([]string{"-env:UserInstallation=file://" + dir + "/profile", "--headless"}, options...)
		args = append(args, "--convert-to", filter, "--outdir", dir, filepath.Join(dir, src))
		if out, err := exec.Command(soffice, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return src[:len(src)-len(filepath.Ext(src))] + "." + extension
	}
	writer := "--infilter=HTML (StarWriter)"
	convert("letter.html", "odt:writer8", "odt", writer)
	for _, name := range []string{
		"letter.odt",
		convert("letter.odt", "docx:MS Word 2007 XML", "docx"),
		convert("letter.odt", "rtf:Rich Text Format", "rtf"),
		convert("letter.odt", "pdf:writer_pdf_Export", "pdf"),
		convert("letter.odt", "doc:MS Word 97", "doc"),
		convert("sheet.csv", "xlsx:Calc MS Excel 2007 XML", "xlsx"),
		convert("sheet.csv", "xls:MS Excel 97", "xls"),
		convert("sheet.csv", "ods:calc8", "ods"),
	} {
		doc, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		rep, err := Inspect(bytes.NewReader(doc), int64(len(doc)), name)
		if err != nil || rep.Verdict == Refuse || "."+rep.Format != filepath.Ext(name) {
			t.Errorf("%s: %+v, %v", name, rep, err)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
