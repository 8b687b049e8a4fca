package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// scanners is the Python process of peers.py.
type scanners struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	has map[string]bool
}

func startScanners(python string) (*scanners, error) {
	if python == "" {
		return nil, errors.New("make interop installs them")
	}
	s := &scanners{cmd: exec.Command(python, "interop/inspectbench/peers.py"), has: map[string]bool{}}
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.in, s.out = in, bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if !s.out.Scan() {
		return nil, errors.New("its Python ended at once")
	}
	for _, name := range strings.Fields(s.out.Text()) {
		s.has[name] = true
	}
	return s, nil
}

var errMissing = errors.New("it is missing")

// scan gives the processor time that one of the scanners takes for a file.
func (s *scanners) scan(name, path string) (time.Duration, error) {
	if s == nil || !s.has[name] {
		return 0, errMissing
	}
	if _, err := fmt.Fprintln(s.in, name, path); err != nil {
		return 0, err
	}
	if !s.out.Scan() {
		return 0, errors.New("its Python ended")
	}
	seconds, err := strconv.ParseFloat(s.out.Text(), 64)
	if err != nil {
		return 0, errors.New(s.out.Text())
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

func (s *scanners) close() {
	if s != nil {
		s.in.Close()
		_ = s.cmd.Wait() // it ends with its input
	}
}

// clamd is ClamAV's daemon, with a database of one signature and its heuristics.
type clamd struct {
	cmd    *exec.Cmd
	dir    string
	socket string
}

// clamConfig makes clamd look into all that it can, each time, and say so where it
// cannot.
const clamConfig = `DatabaseDirectory %[1]s
LocalSocket %[1]s/socket
TemporaryDirectory %[1]s
Foreground yes
StreamMaxLength 100M
MaxThreads 1
DisableCache yes
AlertOLE2Macros yes
AlertEncrypted yes
AlertBrokenMedia yes
AlertExceedsMax yes
`

func startClamd(root string) (*clamd, error) {
	if root == "" {
		return nil, errors.New("make interop unpacks it")
	}
	dir, err := os.MkdirTemp("", "clamd")
	if err != nil {
		return nil, err
	}
	c := &clamd{dir: dir, socket: filepath.Join(dir, "socket")}
	signature := []byte("Sigillo.Bench:0:*:736967696c6c6f20626520666f756e64\n") // "sigillo be found"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "one.ndb"), signature, 0o600),
		os.WriteFile(filepath.Join(dir, "clamd.conf"), fmt.Appendf(nil, clamConfig, dir), 0o600)); err != nil {
		return nil, err
	}
	c.cmd = exec.Command(filepath.Join(root, "usr/sbin/clamd"), "-c", filepath.Join(dir, "clamd.conf"))
	c.cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib/x86_64-linux-gnu"))
	if err := c.cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	for range 300 {
		if conn, err := net.Dial("unix", c.socket); err == nil {
			conn.Close()
			return c, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.close()
	return nil, errors.New("it does not listen")
}

// scan gives the processor time that the daemon takes for a document.
func (c *clamd) scan(data []byte) (time.Duration, error) {
	if c == nil {
		return 0, errMissing
	}
	began, err := c.processor()
	if err != nil {
		return 0, err
	}
	for n := time.Duration(1); ; n++ {
		if err := c.ask(data); err != nil {
			return 0, err
		}
		now, err := c.processor()
		if took := now - began; err != nil || took >= 2*least || n == 100 {
			return took / n, err
		}
	}
}

// ask sends a document as INSTREAM does: pieces with their length before them.
func (c *clamd) ask(data []byte) error {
	conn, err := net.Dial("unix", c.socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	message := append([]byte("zINSTREAM\x00"), binary.BigEndian.AppendUint32(nil, uint32(len(data)))...)
	message = append(append(message, data...), 0, 0, 0, 0)
	if _, err := conn.Write(message); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && string(answer) != "stream: OK\x00" {
		err = fmt.Errorf("it answers %q", answer)
	}
	return err
}

// processor is the processor time of the daemon, by /proc/PID/stat in ticks of
// 10 ms.
func (c *clamd) processor() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is not what it was")
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

func (c *clamd) close() {
	if c != nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		os.RemoveAll(c.dir)
	}
}
