package clock

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Latch keeps the stop over restarts.
type Latch interface {
	// Load gives the stop that was stored last; the zero Stop means there is none.
	Load(ctx context.Context) (Stop, error)
	// Store replaces it, durably when it returns. The zero Stop lifts.
	Store(ctx context.Context, s Stop) error
}

// Stop is why and since when the clock is stopped.
type Stop struct {
	Since  time.Time `json:"since"`
	Cause  Cause     `json:"cause"`
	Reason string    `json:"reason"` // with figures, English
}

// Set says whether there is a stop.
func (s Stop) Set() bool { return s.Cause != "" }

// File is a latch in a file of its own, named here. No file means no stop: whoever
// can remove it can lift, so it belongs in a folder of the service alone. The
// context is not looked at.
type File string

// latchFile is the form of the file: {"stop":null} or {"stop":{…}}, and no more.
type latchFile struct {
	Stop *Stop `json:"stop"`
}

const maxLatch = 16 << 10

// Load reads the file.
func (f File) Load(context.Context) (Stop, error) {
	r, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return Stop{}, nil
	}
	if err != nil {
		return Stop{}, fail(Unavailable, err, "opening the latch")
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxLatch+1))
	if err != nil {
		return Stop{}, fail(Unavailable, err, "reading the latch")
	}
	s, err := parseLatch(b)
	if err != nil {
		return Stop{}, fail(Unavailable, err, "the latch %s is damaged", string(f))
	}
	return s, nil
}

// parseLatch reads what Store wrote, strictly: what it did not write is no lift.
func parseLatch(b []byte) (Stop, error) {
	if len(b) > maxLatch {
		return Stop{}, errors.New("it is too long")
	}
	if bytes.Equal(b, lifted) {
		return Stop{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var l latchFile
	if err := d.Decode(&l); err != nil {
		return Stop{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return Stop{}, errors.New("something follows the stop")
	}
	if l.Stop == nil || !l.Stop.Set() {
		return Stop{}, errors.New("it says neither stopped nor lifted")
	}
	return *l.Stop, nil
}

var lifted = []byte(`{"stop":null}` + "\n")

// Store writes the file beside its place, syncs it, renames it and syncs the folder.
func (f File) Store(_ context.Context, s Stop) error {
	b := lifted
	if s.Set() {
		s.Reason = s.Reason[:min(len(s.Reason), maxLatch/8)] // escaped it may be six times as long
		var err error
		if b, err = json.Marshal(latchFile{&s}); err != nil {
			return fail(Unavailable, err, "writing the latch")
		}
		b = append(b, '\n')
	}
	if err := replace(string(f), b); err != nil {
		return fail(Unavailable, err, "storing the latch")
	}
	return nil
}

// replace puts b in the place of a file, durably.
func replace(path string, b []byte) (err error) {
	dir := filepath.Dir(path)
	w, err := os.CreateTemp(dir, filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(w.Name())
		}
	}()
	_, err = w.Write(b)
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		return err
	}
	if err = os.Rename(w.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if serr := d.Sync(); serr != nil {
		return fmt.Errorf("syncing its folder: %w", serr) // in place, but perhaps not for good
	}
	return nil
}
