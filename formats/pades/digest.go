package pades

import (
	"bytes"
	"crypto"
	"hash"
	"io"
	"slices"
	"sync"
)

// digests computes the digests of the ranges of all signatures of a file. All of them begin with the file, so what they
// have in common is read once: a running digest is kept at each gap. What one signature has for itself is at most its revision,
// in a file that was made honestly; budget bounds what other files cost.
type digests struct {
	mu      sync.Mutex
	r       io.ReaderAt
	gaps    []int64 // where the first ranges end, ascending
	running map[crypto.Hash]*running
	known   map[digested][]byte
	budget  int64 // bytes that may still be read
}

type digested struct {
	ranges [4]int64
	hash   crypto.Hash
}

// running is the digest of the file up to at, and what it was at the gaps before.
type running struct {
	h      hash.Hash
	at     int64
	states map[int64]hash.Hash
}

// What a file of size bytes may cost all its signatures together, beside its first reading.
const (
	digestFactor = 4
	digestExtra  = 64 << 20
)

func newDigests(r io.ReaderAt, list []Signature) *digests {
	d := &digests{r: r, running: map[crypto.Hash]*running{}, known: map[digested][]byte{}, budget: digestExtra}
	for _, s := range list {
		if s.Err == nil {
			d.gaps = append(d.gaps, s.ByteRange[1])
			d.budget = max(d.budget, digestExtra+digestFactor*(s.ByteRange[2]+s.ByteRange[3]))
		}
	}
	slices.Sort(d.gaps)
	d.gaps = slices.Compact(d.gaps)
	return d
}

// sum gives the digest of two ranges, the first of which ends at one of the gaps.
func (d *digests) sum(ranges [4]int64, alg crypto.Hash) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := digested{ranges, alg}
	if sum, ok := d.known[key]; ok {
		return bytes.Clone(sum), nil
	}
	h, err := d.until(ranges[1], alg)
	if err != nil {
		return nil, err
	}
	if err := d.feed(h, ranges[2], ranges[2]+ranges[3]); err != nil {
		return nil, err
	}
	d.known[key] = h.Sum(nil)
	return bytes.Clone(d.known[key]), nil
}

// until gives a copy of the digest of the file up to a gap.
func (d *digests) until(gap int64, alg crypto.Hash) (hash.Hash, error) {
	run := d.running[alg]
	if run == nil {
		run = &running{h: alg.New(), states: map[int64]hash.Hash{}}
		d.running[alg] = run
	}
	for _, at := range d.gaps {
		if at <= run.at && run.states[at] != nil || at > gap {
			continue
		}
		if err := d.feed(run.h, run.at, at); err != nil {
			return nil, err
		}
		run.at = at
		state, err := clone(run.h)
		if err != nil {
			return nil, err
		}
		run.states[at] = state
	}
	return clone(run.states[gap])
}

func clone(h hash.Hash) (hash.Hash, error) {
	c, ok := h.(hash.Cloner)
	if !ok {
		return nil, failure(BadOptions, "this digest algorithm is not supported")
	}
	out, err := c.Clone()
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "a digest cannot be continued", Err: err}
	}
	return out, nil
}

// feed puts the bytes from … to of the file into h.
func (d *digests) feed(h hash.Hash, from, to int64) error {
	if d.budget -= to - from; d.budget < 0 {
		return failure(Limit, "the signatures of the document are over too many different ranges of it")
	}
	return copyRange(h, d.r, from, to-from)
}
