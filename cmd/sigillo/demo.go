package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"sigillo/appliance"
)

// demonstration is one run of `sigillo demo`: a throw-away appliance, used
// through its HTTP interface alone, and the table of what was seen.
type demonstration struct {
	e      env
	docs   string // folder of the test documents
	dir    string // the appliance
	out    string // what was downloaded
	url    string
	people []appliance.NewHolder
	rows   []row
	cells  []cell
	files  []signedFile
	failed int

	clients []*client // one for each of people
	stop    func()    // ends the service
}

func (d *demonstration) ada() *client   { return d.clients[0] }
func (d *demonstration) bruno() *client { return d.clients[1] }

// row is one line of the table.
type row struct {
	what, saw string
	ok        bool
}

func runDemo(ctx context.Context, e env, args []string) int {
	fs := flags(e, "demo")
	docs := fs.String("documents", "testdata/documents", "folder with the demonstration's documents")
	keep := fs.Bool("keep", false, "keep the throw-away appliance and the signed files")
	if code, ok := parseBare(fs, args); !ok {
		return code
	}
	tmp, err := os.MkdirTemp("", "sigillo-demo-")
	if err != nil {
		return failed(e, err)
	}
	if !*keep {
		defer os.RemoveAll(tmp)
	}
	d := &demonstration{e: e, docs: *docs, dir: filepath.Join(tmp, "appliance"), out: filepath.Join(tmp, "signed"), people: demoPeople}
	started := time.Now()
	if err := d.run(ctx); err != nil {
		return d.fail(err)
	}
	d.table()
	fmt.Fprintf(e.out, "\n%d passed, %d failed in %.0f s\n", len(d.rows)-d.failed, d.failed, time.Since(started).Seconds())
	if *keep {
		fmt.Fprintln(e.out, "kept in", tmp)
	}
	if d.failed > 0 {
		return exitFailed
	}
	return exitGood
}

// run provisions, serves, and walks through the main job.
func (d *demonstration) run(ctx context.Context) error {
	if err := d.start(ctx); err != nil {
		return err
	}
	defer d.stop()
	fmt.Fprintln(d.e.out)
	for _, step := range []func(context.Context) error{d.signIn, d.refuseScript, d.signPDF, d.stamp, d.refuseSuspended, d.refuseFactors, d.signOthers, d.journals} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start provisions the appliance with its people and serves it.
func (d *demonstration) start(ctx context.Context) error {
	if err := os.MkdirAll(d.out, 0o700); err != nil {
		return err
	}
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	d.url = "http://" + addr
	if code := runInit(ctx, d.e, []string{"--dir", d.dir, "--listen", addr}); code != exitGood {
		return errors.New("the appliance could not be provisioned")
	}
	if err := addDemoHolders(ctx, d.e, d.dir, d.people); err != nil {
		return err
	}
	if d.stop, err = d.serve(ctx); err != nil {
		return err
	}
	holders, err := readDemoHolders(d.dir)
	if err != nil {
		return err
	}
	for _, h := range holders {
		c, err := newClient(d.url, h)
		if err != nil {
			return err
		}
		d.clients = append(d.clients, c)
	}
	return nil
}

// serve starts the appliance as its operator would and waits until it answers.
func (d *demonstration) serve(ctx context.Context) (stop func(), err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(d.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, exe, "serve", "--dir", d.dir)
	cmd.Stderr = log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-exited
	}
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		resp, err := http.Get(d.url + "/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return stop, nil
			}
		}
		select {
		case err := <-exited:
			return nil, fmt.Errorf("the service ended: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	stop()
	return nil, errors.New("the service did not answer")
}

// log is the file that the service writes its log to.
func (d *demonstration) log() string { return d.dir + ".log" }

// fail tells why the demonstration broke off, with what the service said.
func (d *demonstration) fail(err error) int {
	if log, _ := os.ReadFile(d.log()); len(log) > 0 {
		fmt.Fprintf(d.e.err, "the service's log ends with:\n%s\n", log[max(0, len(log)-4000):])
	}
	return failed(d.e, err)
}

// check adds a row and prints it as it happens.
func (d *demonstration) check(what string, ok bool, saw string) {
	d.rows = append(d.rows, row{what, saw, ok})
	mark := "ok  "
	if !ok {
		mark = "FAIL"
		d.failed++
	}
	fmt.Fprintf(d.e.out, "  %s  %s: %s\n", mark, what, saw)
}

// checkErr adds a row that holds when err is nil.
func (d *demonstration) checkErr(what string, err error, saw string) {
	if err != nil {
		saw = err.Error()
	}
	d.check(what, err == nil, saw)
}

// refused adds a row that holds when err is a refusal of the wanted kind.
func (d *demonstration) refused(what string, err error, kind string) {
	var p *problem
	switch {
	case errors.As(err, &p):
		d.check(what, p.Kind == kind, fmt.Sprintf("%d %s: %s", p.Status, p.Kind, p.Detail))
	case err != nil:
		d.check(what, false, err.Error())
	default:
		d.check(what, false, "was accepted")
	}
}

func (d *demonstration) table() {
	fmt.Fprintf(d.e.out, "\n%-58s %s\n", "WHAT", "RESULT")
	for _, r := range d.rows {
		mark := "ok"
		if !r.ok {
			mark = "FAILED: " + r.saw
		}
		fmt.Fprintf(d.e.out, "%-58s %s\n", r.what, mark)
	}
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// journals checks both journals after all that happened.
func (d *demonstration) journals(ctx context.Context) error {
	var out bytes.Buffer
	code := runJournal(ctx, env{out: &out, err: &out}, []string{"verify", "--dir", d.dir})
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	d.check("journals are intact (sigillo journal verify)", code == exitGood, string(bytes.Join(lines, []byte("; "))))
	return nil
}

func (d *demonstration) layout() appliance.Layout { return appliance.Layout{Dir: d.dir} }
