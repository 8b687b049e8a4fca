package vault

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/auth/graphometric"
)

// needles are spellings of a planted trajectory: what must be found nowhere. The process
// that looks for them has them masked, so that it does not find its own copies.
type needles map[string][]byte

const needleMask = 0xa5

func masked256(b []byte) []byte {
	m := make([]byte, len(b))
	for i := range b {
		m[i] = b[i] ^ needleMask
	}
	return m
}

// spell makes the needles of a signature and, if p is not nil, of a profile made of it.
func spell(t *testing.T, s *graphometric.Sample, p *graphometric.Profile) needles {
	t.Helper()
	n := needles{}
	text := graphometric.AppendCapture(nil, s)
	for i, at := range []int{len(text) / 3, len(text) / 2, len(text) * 3 / 4} {
		part := text[at : at+24]
		n[fmt.Sprint("JSON ", i)] = part
		n[fmt.Sprint("hex ", i)] = []byte(hex.EncodeToString(part))
		for shift := range 3 {
			n[fmt.Sprint("base64 ", i, shift)] = []byte(base64.RawStdEncoding.EncodeToString(part[shift : shift+21]))
		}
	}
	for _, at := range []int{len(s.Points) / 3, len(s.Points) / 2, len(s.Points) * 2 / 3} {
		ps := s.Points[at : at+4]
		n[fmt.Sprint("point in memory ", at)] = fields(binary.LittleEndian, ps[0].T, ps[0].X, ps[0].Y)
		for axis, of := range map[string]func(graphometric.Point) float64{
			"x": func(p graphometric.Point) float64 { return p.X }, "y": func(p graphometric.Point) float64 { return p.Y },
		} {
			for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
				for _, scale := range []float64{1, 10, 100} {
					var f64, f32, i32, i16 []byte
					for _, p := range ps {
						v := of(p) * scale
						f64 = order.AppendUint64(f64, math.Float64bits(v))
						f32 = order.AppendUint32(f32, math.Float32bits(float32(v)))
						i32 = order.AppendUint32(i32, uint32(int32(math.Round(v))))
						i16 = order.AppendUint16(i16, uint16(int16(math.Round(v))))
					}
					name := fmt.Sprint(" ", axis, " ", at, " ", order, " ", scale)
					n["float64"+name], n["float32"+name], n["int32"+name] = f64, f32, i32
					if scale > 1 { // eight bytes of small numbers are found by chance
						n["int16"+name] = i16
					}
				}
			}
		}
	}
	if p != nil {
		b, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < 8; i++ {
			n[fmt.Sprint("profile ", i)] = b[len(b)*i/8 : len(b)*i/8+24]
		}
	}
	maps.DeleteFunc(n, func(_ string, b []byte) bool { // what says nothing: zeros, or one value over and over
		return len(b) < 8 || len(slices.Compact(slices.Sorted(slices.Values(b)))) < 5
	})
	return n
}

func fields(order binary.AppendByteOrder, t int64, vs ...float64) []byte {
	b := order.AppendUint64(nil, uint64(t))
	for _, v := range vs {
		b = order.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// in returns the names of the needles that are in b.
func (n needles) in(b []byte) []string {
	found := map[string]bool{}
	n.index().look(b, 0, found)
	return slices.Sorted(maps.Keys(found))
}

// index finds many needles in one go, by three bytes of each that are seldom.
type index struct {
	has []bool
	at  map[uint32][]place
	of  needles
}

type place struct {
	name string
	skip int // where the three bytes are
}

func triple(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// seldom says where in a needle three bytes are different, and neither zero nor all ones,
// masked or not: memory is full of these.
func seldom(b []byte) (best int) {
	most := -1
	for i := 0; i+2 < len(b); i++ {
		n := len(slices.Compact(slices.Sorted(slices.Values(b[i : i+3]))))
		for _, c := range b[i : i+3] {
			if c != 0 && c != 0xff && c != needleMask && c != 0xff^needleMask {
				n++
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}

func (n needles) index() *index {
	x := &index{has: make([]bool, 1<<24), at: map[uint32][]place{}, of: n}
	for name, b := range n {
		skip := seldom(b)
		k := triple(b[skip:])
		x.has[k], x.at[k] = true, append(x.at[k], place{name, skip})
	}
	return x
}

// look finds the needles in b, or masked ones as they would be without the mask.
func (x *index) look(b []byte, mask byte, found map[string]bool) {
	all := uint32(mask) | uint32(mask)<<8 | uint32(mask)<<16
	for i := 0; i+2 < len(b); i++ {
		k := triple(b[i:]) ^ all
		if !x.has[k] {
			continue
		}
		for _, p := range x.at[k] {
			if i >= p.skip && begins(b[i-p.skip:], x.of[p.name], mask) {
				found[p.name] = true
			}
		}
	}
}

func begins(b, needle []byte, mask byte) bool {
	if len(b) < len(needle) {
		return false
	}
	for i, c := range needle {
		if b[i]^mask != c {
			return false
		}
	}
	return true
}

// controlWord is in the memory of a vault that looks for needles: it must be found.
const controlWord = "the needle that is there"

// scanner looks through the memory of its own process when it is asked to. It has opened
// what it needs before the vault shuts itself in.
type scanner struct {
	maps, mem *os.File
	dir       string
	control   []byte
}

func newScanner(dir string) (*scanner, error) {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return nil, err
	}
	s := &scanner{maps, mem, dir, []byte(strings.ToUpper(controlWord))}
	go s.serve()
	return s, nil
}

// serve waits for the file "scan" and answers with "scanned".
func (s *scanner) serve() {
	for {
		time.Sleep(20 * time.Millisecond)
		b, err := os.ReadFile(filepath.Join(s.dir, "scan"))
		if err != nil {
			continue
		}
		os.Remove(filepath.Join(s.dir, "scan"))
		var masked needles
		found := []string{"the file could not be read"}
		if json.Unmarshal(b, &masked) == nil {
			found = s.scan(masked)
		}
		b, _ = json.Marshal(found)
		os.WriteFile(filepath.Join(s.dir, "scanned.new"), b, 0o600)
		os.Rename(filepath.Join(s.dir, "scanned.new"), filepath.Join(s.dir, "scanned"))
	}
}

// scan reads all that a core image would have.
func (s *scanner) scan(masked needles) []string {
	found := map[string]bool{}
	if _, err := s.maps.Seek(0, io.SeekStart); err != nil {
		return []string{err.Error()}
	}
	const step, overlap = 1 << 20, 256
	buf := make([]byte, step+overlap)
	x := masked.index()
	lines := bufio.NewScanner(s.maps)
	for lines.Scan() {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		for at := from; at < to; at += step {
			n, _ := s.mem.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
			x.look(buf[:n], needleMask, found)
		}
	}
	clear(buf)
	return slices.Sorted(maps.Keys(found))
}

// logged keeps what a vault logs.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// memory has the vault look through its own memory.
func (c *counterRig) memory(n needles) []string {
	c.t.Helper()
	dir := filepath.Dir(c.cfg.StateDB)
	asked := needles{"control": masked256([]byte(strings.ToUpper(controlWord)))}
	for name, b := range n {
		asked[name] = masked256(b)
	}
	b, err := json.Marshal(asked)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "scan.new"), b, 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(dir, "scan.new"), filepath.Join(dir, "scan"))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, "scanned"))
		if err != nil {
			continue
		}
		os.Remove(filepath.Join(dir, "scanned"))
		var found []string
		if err := json.Unmarshal(b, &found); err != nil || !slices.Contains(found, "control") {
			c.t.Fatalf("the memory was not searched: %s", b)
		}
		return slices.DeleteFunc(found, func(s string) bool { return s == "control" })
	}
	c.t.Fatal("the vault does not look through its memory")
	return nil
}

// disk looks through every file beside the vault's state, and the token's.
func (c *counterRig) disk(n needles) (found []string) {
	c.t.Helper()
	err := filepath.WalkDir(filepath.Dir(c.cfg.StateDB), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, name := range n.in(b) {
			found = append(found, filepath.Base(path)+": "+name)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return found
}

// TestNoTrace plants trajectories, of an enrolment, a match, a mismatch and a refused
// sample, and looks for them in the database and its log, the journal, what is logged, what
// is answered, and the memory of a vault that serves: all that a core image would have.
func TestNoTrace(t *testing.T) {
	t.Parallel()
	var log logged
	r, _ := startProcessRig(t, child{Scan: true, log: &log}, newClock())
	c := newCounter(t, r)
	planted := needles{}
	plant := func(what string, s *graphometric.Sample, p *graphometric.Profile) *graphometric.Sample {
		for name, b := range spell(t, s, p) {
			planted[what+": "+name] = b
		}
		return s
	}
	e := graphometric.NewEnrolment(graphometric.Standard())
	for i := range 5 {
		e.Add(plant(fmt.Sprint("enrolled ", i), c.hand.Sign(0, i), nil))
	}
	p, err := e.Profile()
	if err != nil {
		t.Fatal(err)
	}
	capture := c.open("enrol", nil)
	c.fill(capture, 5)
	look := func(when string) {
		t.Helper()
		for _, f := range c.memory(planted) {
			t.Errorf("%s, in memory: %s", when, f)
		}
		for _, f := range c.disk(planted) {
			t.Errorf("%s, on disk: %s", when, f)
		}
		for _, f := range planted.in(log.bytes()) {
			t.Errorf("%s, logged: %s", when, f)
		}
	}
	look("between the signatures of an enrolment")
	c.finish(capture, "grapho-customer")
	plant("the profile", c.hand.Sign(0, 0), p)
	ds := digests(1)
	var answers []string
	for i, s := range []*graphometric.Sample{c.signature(), c.signature(), c.hand.Sign(9, 9)} {
		sad, err := c.attempt(fmt.Sprint("tx ", i), ds, plant(fmt.Sprint("written ", i), s, nil))
		answers = append(answers, fmt.Sprintf("%+v %v", sad, err))
		c.tomorrow()
	}
	short := c.signature()
	short.Points = short.Points[:len(short.Points)/4]
	for i := range short.Points {
		short.Points[i].Pressure = .5
	}
	_, err = c.attempt("short", ds, plant("refused", short, nil))
	answers = append(answers, fmt.Sprint(err))
	look("after the matches")
	if f := planted.in([]byte(strings.Join(answers, "\n"))); len(f) > 0 {
		t.Errorf("answered: %v", f)
	}
	if len(planted) < 200 {
		t.Errorf("only %d needles", len(planted))
	}
}
