package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What was copied when the file was taken away while it was written to (see rescue)
// lies beside its place until somebody puts it back. Nobody else may know its last
// entries: they were confirmed, and neither journal nor vault was told of them since.
// So it is asked like those when the ledger is opened, and nothing that it holds is
// given up while it lies there.

const suffixSaved = ".saved-" // and a number, behind the name of the segment

// savedCopy is such a file.
type savedCopy struct {
	path, place string   // where it is and where it belongs
	ledger      [16]byte // zeros: that cannot be read
	first, last int64    // entries; last is less than first when there are none
	torn        error    // it is not as it was written
}

func (c *savedCopy) String() string {
	switch {
	case c.torn != nil && c.last < c.first:
		return fmt.Sprintf("%s (which cannot be read: %v)", c.path, c.torn)
	case c.torn != nil:
		return fmt.Sprintf("%s (the entries %d to %d; what follows cannot be read: %v)", c.path, c.first, c.last, c.torn)
	}
	return fmt.Sprintf("%s (the entries %d to %d)", c.path, c.first, c.last)
}

// findSaved reads the copies among the names of a folder.
func (l *Ledger) findSaved(names []string) {
	for _, name := range names {
		segment, _, ok := strings.Cut(name, suffixSaved)
		first, is := firstOf(segment)
		if !ok || !is {
			continue
		}
		c := savedCopy{path: filepath.Join(l.dir, name), place: filepath.Join(l.dir, segment), first: first, last: first - 1}
		c.torn = c.read(l.disk)
		l.saved = append(l.saved, c)
	}
	// Of one place the longest first: it holds all that the others hold.
	slices.SortStableFunc(l.saved, func(a, b savedCopy) int {
		if by := strings.Compare(a.place, b.place); by != 0 {
			return by
		}
		return int(min(max(b.last-a.last, -1), 1))
	})
}

// read finds its last entry.
func (c *savedCopy) read(d disk) error {
	f, err := d.open(c.path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.size()
	if err != nil {
		return err
	}
	h, at, hash, err := readHead(f, size)
	if err != nil {
		return err
	}
	if c.ledger = h.ledger; h.first != c.first {
		return fmt.Errorf("its head says that it begins with entry %d", h.first)
	}
	s := readBatches(f, h, at, size, hash)
	for err == nil {
		_, err = s.read()
	}
	c.last = s.next - 1
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// copies gives of each place the longest copy that is of this ledger.
func (l *Ledger) copies() (list []savedCopy) {
	id := l.kept()
	for _, c := range l.saved {
		other := c.ledger != id && c.ledger != [16]byte{} && id != [16]byte{}
		if !other && (len(list) == 0 || list[len(list)-1].place != c.place) {
			list = append(list, c)
		}
	}
	return list
}

// copiesOf gives the copies that hold some of these entries, or may: those that cannot
// be read may hold anything behind what can.
func (l *Ledger) copiesOf(g Gap) (list []savedCopy) {
	for _, c := range l.copies() {
		if c.first <= g.To-g.Free && (c.last >= g.From || c.torn != nil) {
			list = append(list, c)
		}
	}
	return list
}

// orSaved says how entries that are missing are had back: from the copies, and by the
// remedy as far as those do not hold them.
func (l *Ledger) orSaved(g Gap, remedy string) string {
	var say []string
	held := []Gap{}
	for _, c := range l.copiesOf(g) {
		say = append(say, fmt.Sprintf("set aside what is at %s now, if anything, and put there, under this name, what was saved when the file was taken away: %v", c.place, &c))
		held = append(held, Gap{From: c.first, To: c.last})
	}
	if len(without(g.From, g.To, held)) > 0 {
		say = append(say, remedy)
	}
	return strings.Join(say, "; then, for what is still missing, ")
}

// savedFor names the copy of a file that is not as it should be, "" when there is none.
func (l *Ledger) savedFor(path string) string {
	for _, c := range l.copies() {
		if c.place == path {
			return fmt.Sprintf("; what was saved when it was once taken away is in %v", &c)
		}
	}
	return ""
}

// savedIsKept refuses to give up entries that a copy holds.
func (l *Ledger) savedIsKept(gaps []Gap) error {
	for _, g := range gaps {
		for _, c := range l.copiesOf(g) {
			return fail(Lost, nil, "nothing was given up: of the entries %d to %d, which are missing in %s, there is a copy that was saved when the file was taken away: %v. Set aside what is at %s now, if anything, put the copy there under this name, and start the service again; or, if you do not want what is in it, move the copy out of the folder first",
				g.From, g.To-g.Free, l.dir, &c, c.place)
		}
	}
	return nil
}
