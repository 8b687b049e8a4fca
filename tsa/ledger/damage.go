package ledger

import (
	"errors"
	"fmt"
	"io"
)

// A batch that is not whole is either one that a crash has left, of which nobody was
// told, or the end of a file that was cut; or it is damaged, and what stands in it and
// after it may be good. The three need different things done to them: nothing, a look
// for the missing part, and above all that the file is kept.

func (l *Ledger) damaged(err error, path string) error {
	return fail(Damaged, err, "%s is not as it was written. Keep the file as it is, for there may be good entries in it that are nowhere else: set it aside and put the good one in its place from the backup%s", path, l.savedFor(path))
}

// looked says whether the batch of the last segment that is not whole, after entry seq,
// is damaged: there are good batches after it, or somebody knows its entries, so that it
// once was whole, and it was not cut by the end of the file.
func (l *Ledger) looked(path string, at, size, seq int64) error {
	f, mark := l.w.file, l.w.segment.mark
	later, err := startsBatch(f, mark, seq, at+1, size)
	if err != nil {
		return fail(Failed, err, "read %s", path)
	}
	after := "; there are good batches after it"
	if !later {
		if l.least <= seq {
			return nil
		}
		after = ""
		if cut, err := cutShort(f, mark, at, size); err != nil || cut {
			return prefixRead(err, path)
		}
	}
	place, entry := firstWrong(f, mark, at, size, seq)
	return l.damaged(fmt.Errorf("it is damaged at byte %d, in entry %d%s", place, entry, after), path)
}

func prefixRead(err error, path string) error {
	if err != nil {
		return fail(Failed, err, "read %s", path)
	}
	return nil
}

// cutShort says whether what stands at a place is nothing, or a batch whose end lies
// beyond that of the file.
func cutShort(f io.ReaderAt, mark uint64, at, size int64) (bool, error) {
	if size-at < batchHead {
		return true, nil
	}
	var head [batchHead]byte
	if _, err := f.ReadAt(head[:], at); err != nil {
		return false, err
	}
	if _, _, length, ok := parseBatchHead(head[:], mark); ok {
		return at+batchHead+int64(length)+hashSize > size, nil
	}
	return zeros(f, at, size)
}

// firstWrong finds where in a batch, and in which of its entries, the damage begins; it
// is the batch's beginning when nothing says more.
func firstWrong(f io.ReaderAt, mark uint64, at, size, seq int64) (place, entry int64) {
	var head [batchHead]byte
	if _, err := f.ReadAt(head[:], at); err != nil {
		return at, seq + 1
	}
	first, entries, length, ok := parseBatchHead(head[:], mark)
	if !ok || first != seq+1 {
		return at, seq + 1
	}
	end := at + batchHead + int64(length)
	for place, entry = at+batchHead, first; place < min(end, size); {
		body, err := readFrame(f, place, end)
		if err != nil {
			return place, entry
		}
		if body[0] == frameEntry {
			entry++
		}
		place += frameHead + int64(len(body))
	}
	return place, min(entry, first+int64(entries)-1)
}

// zeros says whether a part of a file is nothing but zeros.
func zeros(f io.ReaderAt, from, to int64) (bool, error) {
	buf := make([]byte, 64<<10)
	for from < to {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		if errors.Is(err, io.EOF) && n == 0 {
			return true, nil // cut off meanwhile by the process that writes
		}
		if n == 0 {
			return false, err
		}
		for _, c := range buf[:n] {
			if c != 0 {
				return false, nil
			}
		}
		from += int64(n)
	}
	return true, nil
}
