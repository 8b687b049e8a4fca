package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
)

// server is a judge that stays running and answers requests, each with one
// tab-separated line that starts with the path.
type server struct {
	title   string
	command []string // none: it could not be set up
	once    sync.Once
	err     error
	in      io.WriteCloser
	out     *bufio.Reader
	cmd     *exec.Cmd
}

func (s *server) start() {
	s.cmd = exec.Command(s.command[0], s.command[1:]...)
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		s.in, err = s.cmd.StdinPipe()
	}
	if err == nil {
		err = s.cmd.Start()
	}
	s.err, s.out = err, bufio.NewReaderSize(out, 1<<20)
}

// answer sends one request and reads its line.
func (s *server) answer(ctx context.Context, request ...string) ([]string, error) {
	s.once.Do(s.start)
	if s.err != nil {
		return nil, s.err
	}
	stop := context.AfterFunc(ctx, func() { s.cmd.Process.Kill() })
	defer stop()
	if _, err := fmt.Fprintln(s.in, strings.Join(request, "\t")); err != nil {
		s.err = fmt.Errorf("%s does not run any more: %w", s.title, err)
		return nil, s.err
	}
	line, err := s.out.ReadString('\n')
	if err != nil {
		s.err = fmt.Errorf("%s ended on %s: %w", s.title, request[0], err)
		return nil, s.err
	}
	col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if len(col) < 5 || col[0] != request[0] {
		return nil, fmt.Errorf("%s answered %q", s.title, line)
	}
	return col, nil
}

func (s *server) stop() {
	if s.cmd != nil && s.err == nil {
		s.in.Close()
		s.cmd.Wait()
	}
}

// euDSS is the European Commission's library. It judges everything, and says a
// lesser level or none when a requirement of the level is not met.
type euDSS struct{ server }

func (d *euDSS) name() string { return "EU DSS" }

func (d *euDSS) missing() string {
	if len(d.command) == 0 {
		return "EU DSS was not set up"
	}
	return ""
}

func (d *euDSS) can(sample) bool { return true }

func (d *euDSS) judge(ctx context.Context, s sample) opinion {
	col, err := d.answer(ctx, s.path, orDash(strings.Join(s.contents, ":")), "-", orDash(s.password))
	if err != nil {
		return doubt("%v", err)
	}
	saw := fmt.Sprintf("%s %s %s: %s", col[1], col[2], col[3], col[4])
	passed := col[2] == "TOTAL_PASSED" || (s.levels == "TIMESTAMP" || s.levels == "EVIDENCE") && col[2] == "PASSED"
	switch {
	case s.levels == "EVIDENCE" && s.altered && (col[3] == "SIGNED_DATA_NOT_FOUND" || strings.Contains(col[4], "contains other objects")):
		// A document that was altered is another one to it: it says that what the
		// record is of is not there, or not all of it. (Of a document that shares
		// its node of the tree with another it says the same when all is well.)
		return refuse(saw)
	case passed && (col[1] == s.levels || s.altered):
		return accept(saw)
	case col[2] == "TOTAL_FAILED" || col[2] == "FAILED", s.levels == "TIMESTAMP" && col[3] == "HASH_FAILURE":
		return refuse(saw)
	}
	return doubt("%s, not %s TOTAL_PASSED", saw, s.levels)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (d *euDSS) limit(sample) string { return "" }

// veraPDF judges whether what says that it is PDF/A is that still.
type veraPDF struct{ server }

func (v *veraPDF) name() string { return "veraPDF" }

func (v *veraPDF) missing() string {
	if len(v.command) == 0 {
		return "veraPDF was not set up"
	}
	return ""
}

func (v *veraPDF) can(s sample) bool { return s.archive && !s.altered }

func (v *veraPDF) limit(sample) string { return "" }

// judge asks about the document too: what was no PDF/A before cannot be kept one.
func (v *veraPDF) judge(ctx context.Context, s sample) opinion {
	for _, path := range []string{s.document, s.path} {
		col, err := v.answer(ctx, path)
		if err != nil {
			return doubt("%v", err)
		}
		if col[2] != "PASSED" {
			return doubt("%s is not PDF/A-%s: %s", nameOf(path), col[1], col[4])
		}
	}
	return accept("PDF/A kept")
}
