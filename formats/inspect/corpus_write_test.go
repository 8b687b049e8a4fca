package inspect

import (
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

var writeCorpus = flag.Bool("write-corpus", false, "write the hand-built documents of testdata/inspect")

// overlapping is a document whose directory leads to a second file within the
// bytes of the first, so that the same bytes are inflated n times over.
func overlapping(n int) []byte {
	local := func(name, content string) string {
		return "PK\x03\x04" + le(20, 0, 0, 0, 0x21, crc32.ChecksumIEEE([]byte(content)), uint32(len(content)), uint32(len(content)), len(name), 0) + name + content
	}
	type entry struct {
		name, content string
		at            int
	}
	stream, entries := "", []entry{}
	put := func(name, content string) {
		entries = append(entries, entry{name, content, len(stream)})
		stream += local(name, content)
	}
	main := "word/document.xml"
	put("[Content_Types].xml", contentTypes(main, typePrefix+"wordprocessingml.document.main+xml"))
	put(main, `<w:document `+nsW+`><w:body/></w:document>`)
	inner := ""
	var names []string
	for i := range n { // the last is the outermost
		name := fmt.Sprintf("word/media/%d.png", i)
		names = append(names, name)
		inner = local(name, inner)
	}
	at := len(stream)
	stream += inner
	for i := len(names) - 1; i >= 0; i-- {
		content := inner[30+len(names[i]):]
		entries = append(entries, entry{names[i], content, at + len(stream[at:]) - len(inner)})
		inner = content
	}
	directory := ""
	for _, e := range entries {
		crc := crc32.ChecksumIEEE([]byte(e.content))
		directory += "PK\x01\x02" + le(20, 20, 0, 0, 0, 0x21, crc, uint32(len(e.content)), uint32(len(e.content)), len(e.name), 0, 0, 0, 0, uint32(0), uint32(e.at)) + e.name
	}
	end := "PK\x05\x06" + le(0, 0, len(entries), len(entries), uint32(len(directory)), uint32(len(stream)), 0)
	return []byte(stream + directory + end)
}

// TestWriteCorpus is the generator of the documents of the corpus that are built
// byte by byte.
func TestWriteCorpus(t *testing.T) {
	if !*writeCorpus {
		t.Skip("run with -write-corpus to write testdata/inspect")
	}
	for _, documents := range []map[string][]byte{corpusMacros(t), corpusWord(t), corpusObjects(t), corpusSheets(), corpusMarkup(), corpusRTF(), corpusPlain(), corpusPDF(), corpusLater(), corpusTricky(), corpusForms(), corpusViewer()} {
		for name, doc := range documents {
			path := filepath.Join(corpusDir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, doc, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
