package view

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestReadPPM(t *testing.T) {
	t.Parallel()
	good := "P6\n2 1\n255\n\x00\x00\x00\xff\x00\x00"
	if p, err := readPPM(bufio.NewReader(strings.NewReader(good))); err != nil || p.Bounds().Dx() != 2 {
		t.Fatalf("%v", err)
	}
	for _, bad := range []string{"", "P5\n2 1\n255\n", "P6\n2 1\n65535\n", "P6\n-2 1\n255\n", good[:len(good)-1], good + "x"} {
		if err := readPPMs(strings.NewReader(bad), span{1, 1}, func(int, image.Image) error { return nil }); err == nil && bad != "" {
			t.Errorf("%q is read", bad)
		}
	}
	var limit *Error
	if _, err := readPPM(bufio.NewReader(strings.NewReader("P6\n99999 99999\n255\n"))); !errors.As(err, &limit) || limit.Kind != Limit {
		t.Errorf("%v", err)
	}
}

// What a renderer of ours says is believed only as far as it is a picture.
func TestReadPages(t *testing.T) {
	t.Parallel()
	const page = "page 5\nab\x00cdP6\n2 1\n255\n\x00\x00\x00\xff\x00\x00"
	for name, c := range map[string]struct {
		in    string
		pages int
		kind  Kind // "-" for an error of no kind
	}{
		"one":              {page + "end\n", 1, ""},
		"two":              {page + page + "end\n", 2, ""},
		"unreadable":       {page + "unreadable\n", 1, Unreadable},
		"limit":            {"limit\n", 0, Limit},
		"unsupported":      {"unsupported\n", 0, Unsupported},
		"nothing":          {"", 0, "-"},
		"no page":          {"end\n", 0, "-"},
		"no end":           {page, 1, "-"},
		"more":             {page + "end\nx", 1, "-"},
		"another word":     {"timed-out\n", 0, "-"},
		"endless line":     {strings.Repeat("x", 1<<17), 0, "-"},
		"negative":         {strings.Replace(page, "5", "-5", 1) + "end\n", 0, "-"},
		"long":             {strings.Replace(page, "5", "99999999", 1) + "end\n", 0, "-"},
		"text cut short":   {page[:9], 0, "-"},
		"picture cut":      {page[:len(page)-1], 0, "-"},
		"huge picture":     {strings.Replace(page, "2 1", "99999 99999", 1), 0, Limit},
		"too many":         {strings.Repeat(page, MaxPages+1) + "end\n", MaxPages, "-"},
		"words after five": {strings.Replace(page, "5", "5 5", 1) + "end\n", 0, "-"},
	} {
		pages := 0
		err := readPages(strings.NewReader(c.in), func(read func() (Sheet, error)) error {
			s, err := read()
			if err == nil {
				pages++
				picture(t, s.PNG)
				if s.Text != "ab[U+0000]cd" {
					t.Errorf("%s: text %q", name, s.Text)
				}
			}
			return err
		})
		if pages != c.pages || (err != nil) != (c.kind != "") || c.kind != "-" && KindOf(err) != c.kind {
			t.Errorf("%s: %d pages, %v", name, pages, err)
		}
	}
}

// The program writes pages for those who know how to ask, and for nobody else.
func TestMainArguments(t *testing.T) {
	t.Parallel()
	text := write(t, "a", []byte("a"))
	for name, c := range map[string]struct {
		args []string
		ok   bool
	}{
		"good":       {[]string{"text", text}, true},
		"no path":    {[]string{"text"}, false},
		"no format":  {nil, false},
		"no file":    {[]string{"text", "/nonexistent"}, false},
		"not drawn":  {[]string{"pdf", text}, false},
		"a folder":   {[]string{"text", "/"}, true},
		"more words": {[]string{"text", text, text}, false},
	} {
		out, err := exec.Command("/proc/self/exe", append([]string{Command}, c.args...)...).Output()
		if (err == nil) != c.ok || (len(out) > 0) != c.ok {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
}

// A page that never comes ends the run; so does a client that goes away.
func TestSlow(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	sleeper := write(t, "sleeper", []byte("#!/bin/sh\nexec sleep 60\n"))
	if err := os.Chmod(sleeper, 0o700); err != nil {
		t.Fatal(err)
	}
	r.Own = sleeper
	path := write(t, "a", []byte("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.View(ctx, path, "text", func(Sheet) error { return nil }); KindOf(err) != TimedOut {
		t.Error(err)
	}
	r.patience = time.Millisecond
	if _, err := r.View(t.Context(), path, "text", func(Sheet) error { return nil }); KindOf(err) != TimedOut || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Accounts name the edition of the layout: who changes what is drawn gives it the
// next number, and this test the new pictures.
func TestEdition(t *testing.T) {
	t.Parallel()
	h := sha256.New()
	page := func(p *image.NRGBA) error {
		h.Write(p.Pix)
		return nil
	}
	f, err := os.Open(write(t, "a.txt", []byte("Perch\u00e9?\t\u202eno\n\f"+strings.Repeat("lungo ", 30))))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := drawText(f, "text", func(p *image.NRGBA, _ string) error { return page(p) }); err != nil {
		t.Fatal(err)
	}
	gradient := image.NewNRGBA(image.Rect(0, 0, 6000, 100))
	for i := range gradient.Pix {
		gradient.Pix[i] = byte(i / 40)
	}
	if err := page(reduce(gradient)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"sigillo 1": "e58e4ac5abc6946b15e51b61e0f52beb7e856491613ff58162c9f43b67c4b444"}
	if got := hex.EncodeToString(h.Sum(nil)); want[edition] != got {
		t.Errorf("%s draws other pictures: %s", edition, got)
	}
}

func FuzzReadPages(f *testing.F) {
	f.Add([]byte("page 2\nabP6\n2 1\n255\n\x00\x00\x00\xff\x00\x00end\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		_ = readPages(bytes.NewReader(in), func(read func() (Sheet, error)) error {
			s, err := read()
			if err == nil && len(s.PNG) == 0 {
				t.Fatal("a page without a picture")
			}
			return err
		})
	})
}
