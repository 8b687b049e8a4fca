package view

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"
)

// program is an outside program and how it tells its version.
type program struct {
	name   string
	ask    string
	answer *regexp.Regexp
	path   func(*Renderer) string
}

var (
	poppler     = program{"poppler", "-v", regexp.MustCompile(`pdftoppm version (\S+)`), func(r *Renderer) string { return r.Pdftoppm }}
	mupdf       = program{"mupdf", "-v", regexp.MustCompile(`mutool version (\S+)`), func(r *Renderer) string { return r.Mutool }}
	libreOffice = program{"LibreOffice", "--version", regexp.MustCompile(`LibreOffice (\d\S+)`), func(r *Renderer) string { return r.Soffice }}
)

// versions remembers what programs have said, until their file changes: an
// update must show in the next view.
type versions struct {
	mu    sync.Mutex
	known map[string]version
}

type version struct {
	modified time.Time
	text     string
}

// version is the name and the version of an outside program. It sees no document
// and so needs no cage. Where it doesn't say, its name alone is given.
func (r *Renderer) version(ctx context.Context, p program) string {
	path := p.path(r)
	info, err := os.Stat(path) // follows links: of the program itself
	if err != nil {
		return p.name
	}
	r.versions.mu.Lock()
	defer r.versions.mu.Unlock()
	if v, ok := r.versions.known[path]; ok && v.modified.Equal(info.ModTime()) {
		return v.text
	}
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	home, err := os.MkdirTemp("", "sigillo-view-") // LibreOffice makes folders in it, even now
	if err != nil {
		return p.name
	}
	defer os.RemoveAll(home)
	cmd := exec.CommandContext(ctx, path, p.ask)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home, "LANG=C.UTF-8"}
	cmd.WaitDelay = time.Second
	said, _ := cmd.CombinedOutput() // some end with 1 after -v
	m := p.answer.FindSubmatch(said)
	if m == nil {
		return p.name
	}
	v := version{info.ModTime(), p.name + " " + string(m[1])}
	if r.versions.known == nil {
		r.versions.known = map[string]version{}
	}
	r.versions.known[path] = v
	return v.text
}
