package pdf

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"testing"

	"sigillo/formats/pdf/pdftest"
)

// oneSection is a hybrid file whose only table names the hidden objects as free and points to the stream itself, as the
// example of ISO 32000-1 §7.5.8.4 does.
func oneSection(t *testing.T) []byte {
	t.Helper()
	data := pdftest.Hybrid(pdftest.Minimal().With(pdftest.Objects{4: "(hidden)"}), "", 2, 4)
	at := regexp.MustCompile(`/XRefStm \d+`).Find(data)
	second := bytes.LastIndex(data, []byte("xref\n0 0"))
	return bytes.Replace(data[:second], []byte("trailer\n<<"), append([]byte("trailer\n<<"), at...), 1)
}

func TestHybridOfOneSection(t *testing.T) {
	t.Parallel()
	data := oneSection(t)
	f := openFile(t, data)
	if err := readAll(f); err != nil {
		t.Fatal(err)
	}
	if o, err := f.Get(Ref{4, 0}); err != nil || string(o.(String)) != "hidden" {
		t.Errorf("the hidden object is %v, %v", o, err)
	}
	updated, _ := update(t, data, "shown to all")
	if qpdf, err := exec.LookPath("qpdf"); err == nil {
		qpdfCheck(t, qpdf, updated)
		agree(t, qpdf, openFile(t, updated), updated)
	}
	// What the update changed is in its table, where readers that know no streams find it too.
	s := openFile(t, updated).sections[0]
	if e, ok := s.entries.find(4); s.kind != XRefTable || !ok || e.kind != inUse {
		t.Errorf("the update is a %s and has %v", s.kind, e)
	}
}

// TestHybridWithTwoMinds: an object that the table and the stream put in two places is one thing to some readers and another
// to others.
func TestHybridWithTwoMinds(t *testing.T) {
	t.Parallel()
	data := oneSection(t)
	entry := regexp.MustCompile(`\n\d{10} 00000 n \n`).FindIndex(data)
	for _, forged := range []string{"\n0000000010 00000 n \n", "\n0000000015 00001 n \n"} {
		bad := bytes.Clone(data)
		copy(bad[entry[0]:], forged)
		if _, err := Open(bytes.NewReader(bad), int64(len(bad)), Limits{}); KindOf(err) != Malformed {
			t.Errorf("%q: %v", forged, err)
		}
	}
}

func TestGenerationGoesBack(t *testing.T) {
	t.Parallel()
	data := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{4: "(old)"}), "")
	data = bytes.Replace(data, []byte("4 0 obj"), []byte("4 3 obj"), 1)
	copy(data[bytes.LastIndex(data, []byte("00000 n")):], "00003 n")
	openFile(t, data)
	prev, at := bytes.LastIndex(data, []byte("xref\n0 5")), len(data)
	data = fmt.Appendf(data, "4 0 obj\n(new)\nendobj\nxref\n4 1\n%010d 00000 n \ntrailer\n<</Size 5/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n", at, prev, at+21)
	if _, err := Open(bytes.NewReader(data), int64(len(data)), Limits{}); KindOf(err) != Malformed {
		t.Errorf("opened: %v", err)
	}
}

// TestEncryptionBegins: a later revision cannot say that what comes before it is encrypted.
func TestEncryptionBegins(t *testing.T) {
	t.Parallel()
	data := pdftest.Table(pdftest.Minimal(), "")
	prev, at := bytes.LastIndex(data, []byte("xref\n0 4")), len(data)
	data = fmt.Appendf(data, "xref\n0 0\ntrailer\n<</Size 4/Root 1 0 R/Prev %d/Encrypt<</Filter/Standard>>>>\nstartxref\n%d\n%%%%EOF\n", prev, at)
	if _, err := Open(bytes.NewReader(data), int64(len(data)), Limits{}); KindOf(err) != Malformed {
		t.Errorf("opened: %v", err)
	}
}
