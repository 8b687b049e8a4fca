package view

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// cageKind is how outside programs are kept in on this machine.
type cageKind string

const (
	bubblewrap cageKind = "bubblewrap"
	landlocked cageKind = "landlock" // Renderer.Cage
	uncaged    cageKind = "none"
)

// trialTime bounds the trial of a cage.
const trialTime = 10 * time.Second

// chooseCage tries once which cage can be built here, the better one first, and
// tells the log. Without any there is no view, unless the operator says so.
func (r *Renderer) chooseCage(ctx context.Context) (cageKind, error) {
	r.cage.Do(func() {
		ctx := context.WithoutCancel(ctx)
		bwrapErr := r.tryBubblewrap(ctx)
		if bwrapErr == nil {
			r.kind = bubblewrap
			r.log("pages are drawn in bubblewrap")
			return
		}
		cageErr := r.tryCage(ctx)
		if cageErr == nil {
			r.kind = landlocked
			r.log("pages are drawn in the cage without namespaces", "why", bwrapErr)
			return
		}
		r.kind = uncaged
		r.cageErr = &Error{NoSandbox, "no sandbox can be built here; install bubblewrap (bwrap) and allow unprivileged user namespaces, or use a kernel with landlock, or allow views without a sandbox", errors.Join(bwrapErr, cageErr)}
		r.log("pages cannot be drawn in a sandbox", "allowed without", r.AllowUnsandboxed, "why", r.cageErr)
	})
	if r.cageErr != nil && !r.AllowUnsandboxed {
		return "", r.cageErr
	}
	return r.kind, nil
}

func (r *Renderer) log(msg string, args ...any) {
	if r.Log == nil {
		return
	}
	if r.kind == bubblewrap {
		r.Log.Info(msg, args...)
	} else {
		r.Log.Warn(msg, args...)
	}
}

func (r *Renderer) tryBubblewrap(ctx context.Context) error {
	if r.Bwrap == "" {
		return errors.New("bubblewrap (bwrap) is not installed")
	}
	return try(ctx, append(append([]string{r.Bwrap}, cageArgs()...), "--", "/usr/bin/true"))
}

func (r *Renderer) tryCage(ctx context.Context) error {
	if r.Cage == nil {
		return errors.New("there is no other")
	}
	dir, err := os.MkdirTemp("", "sigillo-view-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return try(ctx, append(r.Cage(dir, "", 1<<30, trialTime), "/usr/bin/true"))
}

func try(ctx context.Context, argv []string) error {
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{}
	if out, err := cmd.CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(string(out), "\n")
		return fmt.Errorf("%s: %w (%s)", argv[0], err, first)
	}
	return nil
}
