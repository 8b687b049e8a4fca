package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/digitorus/timestamp"

	"sigillo/interop/load"
	"sigillo/interop/rig"
)

// wrongPolicy is a time-stamping policy that nobody has.
const wrongPolicy = "1.2.3.4"

// authority is a running appliance whose stamps others ask for.
type authority struct {
	*rig.Appliance
	dir      string   // of the files made
	file     string   // what is to be stamped
	crls     []string // of the authorities above the unit, files
	account  string   // user:password of an account
	stranger string   // user:password that no account has
	stamps   int64    // that the account was given
}

// bought is the lot of the account.
const bought = 100

func (a *authority) url() string { return a.URL("/tsa") }

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// client is a program or library that asks for stamps, with what it can do. Each
// function gives an error that says what was seen.
type client struct {
	name    string
	missing func() string // why it cannot be run; "" is that it can
	// stamps has a stamp made, with an account (user:password) unless that is "",
	// and checked by the client's own means.
	stamps func(ctx context.Context, a *authority, account string) error
	// refused asks for something that must be refused, and looks at what the
	// client tells its user.
	refused func(ctx context.Context, a *authority) error
	// lacks says by column what the client is known not to do.
	lacks map[string]string
}

// The columns of the matrix of clients.
const (
	stampsColumn   = "has a stamp"
	refusedColumn  = "is refused"
	accountColumn  = "with an account"
	strangerColumn = "with a wrong one"
)

// stamping has real clients ask a running appliance for stamps.
func (r *run) stamping(ctx context.Context) error {
	r.matrix.judges = append(r.matrix.judges, stampsColumn, refusedColumn, accountColumn, strangerColumn)
	a, err := r.authority(ctx)
	if err != nil {
		return err
	}
	defer a.Stop()
	for _, c := range r.clients() {
		row := sample{kind: c.name}
		if why := c.missing(); why != "" {
			fmt.Println("  MISSING ", why)
			for _, column := range []string{stampsColumn, refusedColumn} {
				r.matrix.absent(row, column)
			}
			continue
		}
		ask := func(column string, f func(context.Context) error) {
			if why := c.lacks[column]; why != "" {
				r.matrix.note(row, column, c.name+" "+why)
				return
			}
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			err := f(ctx)
			r.matrix.add(row, column, err)
		}
		ask(stampsColumn, func(ctx context.Context) error { return c.stamps(ctx, a, "") })
		ask(refusedColumn, func(ctx context.Context) error { return c.refused(ctx, a) })
		ask(accountColumn, func(ctx context.Context) error {
			err := c.stamps(ctx, a, a.account)
			if err == nil {
				a.stamps++
			}
			return err
		})
		if c.lacks[accountColumn] != "" {
			continue
		}
		ask(strangerColumn, func(ctx context.Context) error {
			if err := c.stamps(ctx, a, a.stranger); err == nil {
				return errors.New("a stamp was given for a wrong password")
			}
			return nil
		})
	}
	return r.counted(ctx, a)
}

// counted holds what the account was charged against the stamps it had.
func (r *run) counted(ctx context.Context, a *authority) error {
	user, password, _ := strings.Cut(a.account, ":")
	account, err := rig.AskAccount(ctx, a.Addr, user, password)
	if err == nil && (account.Left == nil || account.Used != a.stamps || *account.Left+account.Used != bought) {
		err = fmt.Errorf("%d stamps were had, the account says %+v", a.stamps, account)
	}
	r.matrix.add(sample{kind: "stamps left"}, accountColumn, err)
	return nil
}

// clients are all that are tried.
func (r *run) clients() []client {
	return append(append(opensslClients(), fileClients(r.files)...), r.libraryClients()...)
}

// authority provisions and serves an appliance that stamps for anybody.
func (r *run) authority(ctx context.Context) (*authority, error) {
	dir := filepath.Join(r.dir, "stamping")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	appliance, err := rig.Provision(ctx, r.sigillo, filepath.Join(dir, "appliance"))
	if err != nil {
		return nil, err
	}
	const user = "cliente"
	// LibreOffice writes TRUE as no other program does.
	if err := appliance.Configure("anonymous", "anonymous = true\nloose_true = true"); err != nil {
		return nil, err
	}
	password, err := appliance.Customer(ctx, user, bought)
	if err == nil {
		err = appliance.Serve(ctx)
	}
	if err == nil {
		err = appliance.AwaitStamps(ctx)
	}
	if err != nil {
		appliance.Kill()
		return nil, err
	}
	a := &authority{Appliance: appliance, dir: dir, file: r.document("lettera.docx"), account: user + ":" + password, stranger: user + ":" + password + "x"}
	if a.file, err = filepath.Abs(a.file); err == nil {
		err = a.fetchCRLs(ctx)
	}
	if err != nil {
		_ = a.Stop()
		return nil, err
	}
	return a, nil
}

// fetchCRLs gets the lists that the certificates in a token name.
func (a *authority) fetchCRLs(ctx context.Context) error {
	der, err := load.Request(hashOf[256], make([]byte, 32), 1<<62)
	if err != nil {
		return err
	}
	answer, err := a.post(ctx, der)
	if err != nil {
		return err
	}
	token, err := parseResponse(answer)
	if err != nil {
		return err
	}
	for _, c := range token.Certificates {
		for _, url := range c.CRLDistributionPoints {
			list, err := fetch(ctx, http.MethodGet, url, "", nil)
			if err != nil {
				return err
			}
			path := a.path(fmt.Sprintf("%d.crl", len(a.crls)))
			if err := os.WriteFile(path, list, 0o600); err != nil {
				return err
			}
			a.crls = append(a.crls, path)
		}
	}
	return nil
}

// post sends a request as Go's own client does.
func (a *authority) post(ctx context.Context, der []byte) ([]byte, error) {
	return fetch(ctx, http.MethodPost, a.url(), "application/timestamp-query", strings.NewReader(string(der)))
}

func fetch(ctx context.Context, method, url, media string, body io.Reader) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, answer.Status)
	}
	return data, err
}

// parseResponse reads an answer with digitorus/timestamp, which checks the
// signature.
func parseResponse(answer []byte) (*timestamp.Timestamp, error) {
	return timestamp.ParseResponse(answer)
}

// checkPath checks the certificates in a token up to the root in a file.
func checkPath(ts *timestamp.Timestamp, rootFile string) error {
	data, err := os.ReadFile(rootFile)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return fmt.Errorf("no certificate in %s", rootFile)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	return load.CheckPath(ts, root)
}

// says checks what a program printed: all of these words.
func says(said string, err error, words ...string) error {
	if err != nil {
		return err
	}
	for _, w := range words {
		if !strings.Contains(strings.ToLower(said), strings.ToLower(w)) {
			return fmt.Errorf("without %q: %s", w, said)
		}
	}
	return nil
}

// lacking gives why a client cannot be run, if one of its files or programs is not there.
func lacking(name, debianPackage string, paths ...string) func() string {
	return func() string {
		for _, p := range paths {
			if _, err := os.Stat(p); err != nil {
				return fmt.Sprintf("%s is not installed (%s; %s is missing)", name, debianPackage, p)
			}
		}
		return ""
	}
}
