package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A judge passes only for what it must say: doubt, another level and praise for
// an altered file fail.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		altered bool
		opinion opinion
		good    bool
	}{
		"accepted":          {false, accept("ok"), true},
		"refused":           {false, refuse("bad"), false},
		"doubted":           {false, doubt("hm"), false},
		"altered, accepted": {true, accept("ok"), false},
		"altered, refused":  {true, refuse("bad"), true},
		"altered, doubted":  {true, doubt("hm"), false},
	} {
		if err := check(sample{altered: c.altered}, c.opinion); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSameLevels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got  string
		want string
		same bool
	}{
		{"B-T", "CAdES-BASELINE-T", true},
		{"B-B", "CAdES-BASELINE-T", false},
		{"B-LTA B-B", "PAdES-BASELINE-B,PAdES-BASELINE-LTA", true},
		{"B-LTA", "PAdES-BASELINE-LTA,PAdES-BASELINE-LTA", false},
		{"B-T B-B", "XAdES-BASELINE-T,counter:XAdES-BASELINE-B", true},
		{"B-T", "XAdES-BASELINE-T,counter:XAdES-BASELINE-B", true}, // told inside of the other
		{"B-B B-B", "XAdES-BASELINE-T,counter:XAdES-BASELINE-B", false},
	} {
		if got := sameLevels(strings.Fields(c.got), c.want); got != c.same {
			t.Errorf("%s is %s: %v", c.got, c.want, got)
		}
	}
}

func TestLacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ found, levels, lacks string }{
		{"ETSI.CAdES.detached", "PAdES-BASELINE-B", ""},
		{"ETSI.CAdES.detached", "PAdES-BASELINE-T", "timestamp"},
		{"ETSI.CAdES.detached+DocTimeStamp", "PAdES-BASELINE-T", ""},
		{"ETSI.CAdES.detached+timestamp", "PAdES-BASELINE-LT", "DSS"},
		{"ETSI.CAdES.detached+timestamp+DSS", "PAdES-BASELINE-LTA", "DocTimeStamp"},
		{"CMS+timestamp", "CAdES-BASELINE-T,CAdES-BASELINE-T", "all signatures"},
	} {
		if got := lacks(c.found, c.levels); got != c.lacks {
			t.Errorf("%s of %s lacks %q, want %q", c.found, c.levels, got, c.lacks)
		}
	}
}

// An altered copy differs in what was signed and stays readable.
func TestAlter(t *testing.T) {
	t.Parallel()
	document := []byte("PK\x03\x04 a document of some length")
	var container bytes.Buffer
	w := zip.NewWriter(&container)
	for name, data := range map[string][]byte{"META-INF/signature.p7s": []byte("signature"), "document": document} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	original := put("document", document)
	for name, s := range map[string]sample{
		"inside":    {form: cadesForm, path: put("inside", append([]byte("before"), document...))},
		"base64":    {form: xadesForm, path: put("base64", []byte(base64.StdEncoding.EncodeToString(document)))},
		"base64url": {form: jadesForm, path: put("base64url", []byte(base64.RawURLEncoding.EncodeToString(document)))},
		"container": {form: asicCades, path: put("container", container.Bytes())},
		"beside":    {form: cadesForm, path: put("beside", []byte("signature")), contents: []string{original}},
	} {
		s.document = original
		a, err := alter(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		was, is := s.path, a.path
		if name == "beside" {
			was, is = s.contents[0], a.contents[0]
			if filepath.Base(was) != filepath.Base(is) {
				t.Errorf("%s: the name changed, which may be signed", name)
			}
		}
		if content(t, was, name == "container") == content(t, is, name == "container") {
			t.Errorf("%s: nothing was altered", name)
		}
	}
	if _, err := alter(sample{form: cadesForm, path: put("other", []byte("something else")), document: original}); err == nil {
		t.Error("a document that is not there was altered")
	}
}

func content(t *testing.T, path string, zipped bool) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || !zipped {
		return string(data)
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Open("document")
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestAllManifests(t *testing.T) {
	t.Parallel()
	for said, good := range map[string]bool{
		"OK":                                     true,
		"OK\nManifests References (ok/all): 0/0": true,
		"OK\nManifests References (ok/all): 0/1": false,
		"OK\nManifests References (ok/all): x":   false,
	} {
		if allManifests(said) != good {
			t.Errorf("%q", said)
		}
	}
}
