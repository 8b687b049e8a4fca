package clock

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// wire is a connection whose other end answers with fixed bytes, in which it puts
// the number of the request if told so.
type wire struct {
	answer []byte
	number bool
	asked  []byte
}

func (w *wire) Write(b []byte) (int, error) { w.asked = bytes.Clone(b); return len(b), nil }

func (w *wire) Read(b []byte) (int, error) {
	a := bytes.Clone(w.answer)
	if w.number && len(a) >= 20 {
		copy(a[16:20], w.asked[8:12])
	}
	return copy(b, a), nil
}

// tracking is an answer of chronyd to the tracking command (candm.h of chrony):
// 28 bytes of head, 76 of data.
func tracking() []byte {
	var b bytes.Buffer
	put := func(v ...any) {
		for _, v := range v {
			binary.Write(&b, binary.BigEndian, v)
		}
	}
	put(uint8(6), uint8(2), uint16(0), uint16(33), uint16(5), uint16(0), [3]uint16{}, uint32(7), [2]uint32{})
	put(uint32(0xC0000201), [16]byte{192, 0, 2, 1}, uint16(1), uint16(0), uint16(2), uint16(0))
	put(uint32(0), uint32(at0.Unix()-10), uint32(500_000_000))
	// Seven bits of exponent, 25 of coefficient: 2^(exp-25) * coef.
	float := func(exp, coef int32) uint32 { return uint32(exp)<<25 | uint32(coef)&(1<<25-1) }
	put(float(-8, 1<<23), float(0, 0), float(0, 0), float(0, 0), float(0, 0), float(0, 0), float(-7, 1<<23), float(-9, 1<<23), float(0, 0))
	return b.Bytes()
}

// The figures of an answer arrive as chronyd meant them, and the bound is their sum.
func TestTake(t *testing.T) {
	t.Parallel()
	tr, err := track(&wire{tracking(), true, nil})
	if err != nil {
		t.Fatal(err)
	}
	s, err := take(tr, 0, at0, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	const offset, delay, dispersion = 1. / 1024, 1. / 512, 1. / 2048
	if s.offset != offset || s.age != 9.5 || s.half != dispersion+delay/2 || s.bound(0) != offset+dispersion+delay/2 {
		t.Fatalf("%+v", s)
	}
	if got := s.bound(10e9) - s.bound(0); math.Abs(got-0.005) > 1e-9 {
		t.Fatalf("it grows by %v in ten seconds", got)
	}
}

// An answer to another question, or with another number, is none.
func TestForeignAnswer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*wire){
		"another number":  func(w *wire) { w.number = false },
		"a request":       func(w *wire) { w.answer[1] = 1 },
		"another command": func(w *wire) { w.answer[5] = 14 },
		"another reply":   func(w *wire) { w.answer[7] = 6 },
		"an error":        func(w *wire) { w.answer[9] = 2 },
		"cut off":         func(w *wire) { w.answer = w.answer[:len(w.answer)-1] },
		"nothing":         func(w *wire) { w.answer = nil },
	} {
		w := &wire{tracking(), true, nil}
		change(w)
		if tr, err := track(w); err == nil {
			t.Errorf("%s: %+v", name, tr)
		}
	}
}

// Whatever answers, there is no panic, and what is taken makes sense.
func FuzzTrack(f *testing.F) {
	f.Add(tracking(), true)
	f.Add(tracking(), false)
	f.Add(tracking()[:40], true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, answer []byte, number bool) {
		tr, err := track(&wire{answer, number, nil})
		if err != nil {
			return
		}
		s, err := take(tr, 0, at0, 0.5)
		if err != nil {
			return
		}
		if !(s.bound(0) >= 0) || !(s.bound(0) < 3e6) || !(s.age >= 0) || s.half < 0 || tr.LeapStatus > 2 {
			t.Fatalf("%+v", s)
		}
		if w := (&source{sample: s}).show(int64(time.Second), 60); w.State == "" {
			t.Fatalf("%+v", w)
		}
	})
}
