package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// A file that is open can be written to although nobody will ever find it again: it
// was removed, or moved away, or another took its name. Each batch would be confirmed,
// and all would be gone with this process. So the name of the last segment is asked,
// before each batch and otherwise once a second, whether it still is the file that is
// open, and as long as it was written; that is one system call of a microsecond. When
// it is not, the ledger stops at once.

// lookEvery is how often the place is looked at while nothing is recorded.
const lookEvery = time.Second

var errMoved = errors.New("the file of the ledger is not at its place")

// Look says whether the file that is written to is still at its place: nil, or
// Stopped, and then nothing is recorded any more.
func (l *Ledger) Look() error {
	if err := l.Err(); err != nil {
		return err
	}
	st := l.state()
	if what, _ := l.misplaced(&st); what != "" {
		l.wake() // the writer stops
		return fail(Stopped, errMoved, "%s", what)
	}
	return nil
}

// misplaced says what is wrong with the place of the last segment, "" for nothing;
// there says that the file itself has all its bytes.
func (l *Ledger) misplaced(st *state) (what string, there bool) {
	path := st.path
	is, err := l.disk.stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s was removed or moved away, or its folder was, while it was written to", path), true
	case err != nil:
		return fmt.Sprintf("%s cannot be found any more (%v) while it is written to", path, err), true
	case !is.same(st.file):
		return fmt.Sprintf("another file was put in the place of %s, or of its folder, while it was written to", path), true
	case is.size < st.end:
		return fmt.Sprintf("%s was cut to %d bytes while it was written to; it had %d", path, is.size, st.end), false
	}
	return "", false
}

// inPlace stops the ledger when its file is not at its place any more. It belongs to
// the writer.
func (l *Ledger) inPlace() error {
	if l.stopped != nil || l.w.file == nil {
		return nil
	}
	what, there := l.misplaced(&l.durable) // only written by this goroutine
	if what == "" {
		return nil
	}
	l.w.gone = true
	return l.stopWith(fail(Stopped, errMoved, "%s; no time-stamp is given out any more. The last that was recorded is entry %d. %s",
		what, l.durable.head.Seq, l.rescue(there)))
}

// rescue copies what is only in the open file into one beside its place, and says what
// is to be done. A file that was removed is there for as long as this process has it.
func (l *Ledger) rescue(there bool) string {
	path := l.durable.path
	if !there {
		return "Stop the service, put the file back from the backup, and start it again: it says what is missing then"
	}
	saved := fmt.Sprintf("%s%s%d", path, suffixSaved, time.Now().UnixNano())
	if err := l.keep(saved, 0, l.w.at); err != nil {
		_ = l.disk.remove(saved) // a part of it would be taken for all
		return fmt.Sprintf("DO NOT END THE SERVICE BEFORE THE FILE IS SAFE: all of it can be read as %s while this process runs (it could not be copied to %s: %v). Find it or copy it, stop the service, put it back as %s, and start the service again",
			l.w.file.where(), saved, err, path)
	}
	return fmt.Sprintf("All entries were saved in %s, and can be read as %s while this process runs. Stop the service, set aside what is at %s now, put the saved file there under this name, and start the service again",
		saved, l.w.file.where(), path)
}
