package pdf

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// tiled is a file of many streams of the same length, made as it is read: a header, the streams, a tail.
type tiled struct {
	head, tail []byte
	count      int // streams, numbered from first
	first      int
	length     int // of the data of each
	opening    int // bytes before the data of each
}

func (f *tiled) tile(i int) []byte {
	return fmt.Appendf(nil, "%07d 0 obj\n<</Length %d>>\nstream\n", f.first+i, f.length)
}

const tileEnd = "\nendstream\nendobj\n"

func (f *tiled) step() int64 { return int64(f.opening + f.length + len(tileEnd)) }

func (f *tiled) size() int64 {
	return int64(len(f.head)) + int64(f.count)*f.step() + int64(len(f.tail))
}

func (f *tiled) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off < f.size() {
		var part []byte
		at := off - int64(len(f.head))
		end := int64(f.count) * f.step()
		switch {
		case at < 0:
			part = f.head[off:]
		case at >= end:
			part = f.tail[at-end:]
		default:
			i, in := int(at/f.step()), int(at%f.step())
			switch {
			case in < f.opening:
				part = f.tile(i)[in:]
			case in < f.opening+f.length:
				part = zeros[:min(len(zeros), f.opening+f.length-in)]
			default:
				part = []byte(tileEnd)[in-f.opening-f.length:]
			}
		}
		k := copy(p[n:], part)
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

var zeros [64 << 10]byte

// tiledFile has the given number of streams and a cross-reference table.
func tiledFile(count, length int) *tiled {
	f := &tiled{head: []byte("%PDF-1.7\n"), count: count, first: 4, length: length}
	f.opening = len(f.tile(0))
	var tail bytes.Buffer
	end := f.size()
	var at [4]int64
	for n, text := range []string{1: "<</Type/Catalog/Pages 2 0 R>>", 2: "<</Type/Pages/Kids[3 0 R]/Count 1>>", 3: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"} {
		if n > 0 {
			at[n] = end + int64(tail.Len())
			fmt.Fprintf(&tail, "%d 0 obj\n%s\nendobj\n", n, text)
		}
	}
	xref := end + int64(tail.Len())
	fmt.Fprintf(&tail, "xref\n0 %d\n0000000000 65535 f \n", count+4)
	for n := 1; n < 4; n++ {
		fmt.Fprintf(&tail, "%010d 00000 n \n", at[n])
	}
	for i := range count {
		fmt.Fprintf(&tail, "%010d 00000 n \n", int64(len(f.head))+int64(i)*f.step())
	}
	fmt.Fprintf(&tail, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", count+4, xref)
	f.tail = tail.Bytes()
	return f
}

const memoryTest = "SIGILLO_TEST_MEMORY"

// TestMemory reads and updates files of 500 MB, of few streams and of many, in a process of its own whose memory is measured.
func TestMemory(t *testing.T) {
	if kind := os.Getenv(memoryTest); kind != "" {
		useMemory(t, kind)
		return
	}
	t.Parallel()
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("reads gigabytes, and /proc")
	}
	for _, kind := range []string{"few", "many"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMemory$", "-test.v")
		cmd.Env = append(os.Environ(), memoryTest+"="+kind)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", kind, err, out)
		}
		for _, line := range strings.Split(string(out), "\n") {
			if strings.Contains(line, "MiB") {
				t.Log(kind, strings.TrimSpace(line))
			}
		}
	}
}

func useMemory(t *testing.T, kind string) {
	count, length := 500, 1<<20
	if kind == "many" {
		count, length = 450_000, 1<<10
	}
	r := tiledFile(count, length)
	debug.FreeOSMemory()
	idle := peak(t)
	f, err := Open(r, r.size(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for ref := range f.Objects() {
		o, err := f.Get(ref)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := o.(*Stream); ok {
			if n, err := io.Copy(io.Discard, f.Raw(s)); err != nil || n != int64(length) {
				t.Fatal(n, err)
			}
			seen++
		}
	}
	if n, err := f.PageCount(); n != 1 || err != nil || seen != count {
		t.Fatal(n, err, seen)
	}
	u, err := NewUpdate(f)
	if err != nil {
		t.Fatal(err)
	}
	u.Add(&NewStream{Source: r, Size: 200 << 20}) // an attachment of 200 MB
	if n, err := u.WriteTo(io.Discard); err != nil || n < 200<<20 {
		t.Fatal(n, err)
	}
	used := peak(t) - idle
	t.Logf("%d MiB over idle, of a file of %d MiB", used>>20, r.size()>>20)
	if used > 64<<20 {
		t.Error("more than 64 MiB")
	}
}

// peak is the largest resident set that the process has had.
func peak(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// BenchmarkUpdate opens a file of 500 MB with 450 000 objects, and appends to it.
func BenchmarkUpdate(b *testing.B) {
	r := tiledFile(450_000, 1<<10)
	b.SetBytes(r.size())
	for b.Loop() {
		f, err := Open(r, r.size(), Limits{})
		if err != nil {
			b.Fatal(err)
		}
		u, err := NewUpdate(f)
		if err != nil {
			b.Fatal(err)
		}
		u.Add(String("new"))
		if _, err := u.Bytes(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHexString reads a signature's /Contents.
func BenchmarkHexString(b *testing.B) {
	text := "<" + strings.Repeat("0123456789abCDef", 2048) + ">"
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := parseText(text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkObjects reads every object of the sample contract.
func BenchmarkObjects(b *testing.B) {
	data := readFile(b, documents+"contratto.pdf")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := readAll(openFile(b, data)); err != nil {
			b.Fatal(err)
		}
	}
}
