package main

import (
	"bufio"
	"bytes"
	"debug/pe"
	"errors"
	"io"
	"net/http"
	"testing"
)

// The forms in which requests are carried are HTTP, each in its own way.
func TestForms(t *testing.T) {
	t.Parallel()
	body := []byte("a body that is longer than a chunk")
	for name, c := range map[string]struct {
		form    httpForm
		minor   int
		chunked bool
	}{"1.0": {http10, 0, false}, "octets": {octets, 1, false}, "chunked": {chunked, 1, true}} {
		text := c.form("/tsa", "host:1", "X-Account: ada\r\n", body)
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: body %q, %v", name, got, err)
		}
		if r.ProtoMinor != c.minor || (len(r.TransferEncoding) > 0) != c.chunked || r.URL.Path != "/tsa" || r.Header.Get("X-Account") != "ada" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestTinyProgram(t *testing.T) {
	t.Parallel()
	f, err := pe.NewFile(bytes.NewReader(tinyProgram()))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Sections) != 1 || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
		t.Errorf("%+v", f.FileHeader)
	}
	code, err := f.Sections[0].Data()
	if err != nil || code[0] != 0xc3 {
		t.Errorf("%x, %v", code[:1], err)
	}
}

// What a program said counts, not its exit code.
func TestSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said  string
		err   error
		words []string
		good  bool
	}{
		{"Verification: OK", nil, []string{"verification: ok"}, true},
		{"Verification: FAILED", nil, []string{"Verification: OK"}, false},
		{"Verification: OK", errors.New("not started"), []string{"Verification: OK"}, false},
		{"refused 2 policy", nil, []string{"refused", "policy"}, true},
		{"refused 2", nil, []string{"refused", "policy"}, false},
	} {
		if err := says(c.said, c.err, c.words...); (err == nil) != c.good {
			t.Errorf("%q, %v of %q: %v", c.words, c.err, c.said, err)
		}
	}
}
