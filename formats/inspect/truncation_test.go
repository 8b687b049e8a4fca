package inspect

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// sealed are the formats that say where they end. Of those, a document that is
// cut is refused wherever it is cut; of a text, a table or a page the beginning
// is a document too.
var sealed = map[string]bool{
	"pdf": true, "zip": true, "docx": true, "docm": true, "xlsx": true, "xlsm": true, "xlsb": true, "pptx": true, "odt": true, "ods": true, "odp": true,
	"doc": true, "xls": true, "ppt": true, "cfb": true, "rtf": true, "xml": true, "svg": true, "xhtml": true,
	"png": true, "jpeg": true, "gif": true, "bmp": true, "tiff": true,
}

// Truncated documents of the corpus never bring the inspection down, and none of
// a format that has an end is signed without it.
func TestTruncated(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(corpusDir, "*", "*-*"))
	if err != nil || len(files) < 500 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		doc, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(doc) > 100<<10 {
			continue // the few large ones are like the others
		}
		whole := look(t, f, doc)
		if has(whole, "image.trailing") {
			continue // which cutting may mend
		}
		used, least := len(bytes.TrimRight(doc, " \t\r\n\x00")), 1
		switch whole.Format {
		case "cfb", "doc", "xls", "ppt": // the last of its sectors may be short
			used, least = len(doc), 512
		}
		for _, at := range []int{1, 9, used / 5, used / 2, used * 4 / 5, used - least} {
			if at <= 0 || at >= used {
				continue
			}
			cut := look(t, f, doc[:at])
			if cut.Verdict != Refuse && sealed[whole.Format] {
				t.Errorf("%s (%s) cut at %d of %d: %s as %s", f, whole.Verdict, at, used, cut.Verdict, cut.Format)
			}
		}
	}
}
