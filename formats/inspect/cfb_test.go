package inspect

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/richardlehane/mscfb"
)

// The writer the tests of the binary formats rest on writes what the reader reads.
func TestCFBFile(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"Small": "ciao", "Large": strings.Repeat("0123456789", 1000), "Other": strings.Repeat("x", 64), "Huge": strings.Repeat("y", 200_000),
		"Macros/VBA/dir": "d", "Macros/PROJECT": "p",
	}
	var entries []string
	for name, content := range want {
		entries = append(entries, name, content)
	}
	doc := cfbFile(append(entries, "ObjectPool/", "")...)
	r, err := mscfb.New(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	storages := 0
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.FileInfo().IsDir() {
			storages++
			continue
		}
		path := strings.Join(append(append([]string(nil), e.Path...), e.Name), "/")
		got, err := io.ReadAll(e)
		if err != nil || string(got) != want[path] {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
		delete(want, path)
	}
	if len(want) != 0 || storages != 3 {
		t.Errorf("missing %v, %d storages", want, storages)
	}
}
