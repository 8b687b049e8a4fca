// Package appliance puts the house together: it reads the configuration, keeps
// the vault's process alive, opens the database and wires the rooms. It is the
// only place where concrete rooms meet.
//
// An appliance lives in one folder (see Layout). Init provisions it: the
// token, the vault's keys, the key ceremony of the certification authorities.
// Open starts it; what a crash left unfinished is settled before Open returns.
package appliance

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/auth/clientcert"
	"sigillo/formats/inspect"
	"sigillo/formats/view"
	"sigillo/hsm"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/signing/cage"
	"sigillo/signing/clamd"
	"sigillo/signing/counter"
	"sigillo/signing/remote"
	"sigillo/signing/worker"
	"sigillo/store"
	"sigillo/tsa/accounts"
	"sigillo/tsa/front"
	"sigillo/tsa/ledger"
	"sigillo/vault"
)

// The labels of the keys of the house in the token.
const (
	rootCA    = "root-ca"
	issuingCA = "issuing-ca"
	journal   = "journal"
)

// Options change how an appliance is started. The zero value is right for
// normal use.
type Options struct {
	// Executable is the sigillo program started for the vault, the inspection
	// workers and the page renderer's cage; empty means this program.
	Executable string
	Log        *slog.Logger
	Now        func() time.Time
	// Passphrase is that of the time-stamping service, for Init. Empty: a random
	// one is kept in a file, and the units start without anybody.
	Passphrase []byte
	// Unattended leaves out the jobs that run by the clock (for one-shot
	// commands beside a running service).
	Unattended bool
	// Patience is how long a vault may live without answering before it is killed and
	// started again; 0: 30 s. Those who ask for the appliance's health wait for a sixth
	// of it, commands beside a service for a third.
	Patience time.Duration
}

// Appliance is a running Sigillo.
type Appliance struct {
	Config  Config
	Layout  Layout
	DB      *store.DB
	Vault   *vault.Client
	PKI     *pki.Authority
	Signing *signing.Service
	Remote  *remote.Service  // signs digests for outside applications
	Counter *counter.Service // where customers sign on tablets

	// CardAuthorities are those whose cards holders may sign in with.
	CardAuthorities []*x509.Certificate

	// The front end of the time-stamping authority. Beside a running service the
	// ledger is read only, and nothing is stamped.
	Stamps    *front.Front
	Customers *accounts.Book
	Ledger    *ledger.Ledger

	journal    *audit.Journal
	sessions   *auth.Sessions
	cards      *clientcert.Verifier
	changing   sync.Mutex  // see security.go
	lock       *os.File    // held by a service while it runs
	supervisor *supervisor // nil when the vault belongs to another process
	inspectors *worker.Pool
	strangers  strangers
	desks      *auth.Sessions // of the staff
	tries      tries
	index      *store.DB         // of the ledger
	tokenSize  atomic.Int64      // of the largest token for our own signatures
	notedHead  int64             // of the ledger, in the journal; for the checkpoint job alone
	told       map[string]string // of the time-stamping authority, in the log; for the start and then its job alone
	opt        Options
	log        *slog.Logger
	stop       context.CancelFunc
	jobs       sync.WaitGroup
}

// inspectors is how many processes wait for the next documents.
const inspectors = 2

// Open starts the appliance in dir. When its vault is already running, as it
// is beside a running service, that one is used.
func Open(ctx context.Context, dir string, opt Options) (*Appliance, error) {
	a, err := newAppliance(dir, opt)
	if err != nil {
		return nil, err
	}
	if err := a.open(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// newAppliance is one that was provisioned, and does nothing yet.
func newAppliance(dir string, opt Options) (*Appliance, error) {
	cfg, err := LoadConfig(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(Layout{dir}.Root()); err != nil {
		return nil, fmt.Errorf("%w (%s was left by a provisioning that failed)", ErrNotProvisioned, dir)
	}
	if err := opt.complete(); err != nil {
		return nil, err
	}
	a := &Appliance{Config: cfg, Layout: Layout{dir}, opt: opt, log: opt.Log}
	return a, a.findDatabase()
}

func (o *Options) complete() (err error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience == 0 {
		o.Patience = patience
	}
	if o.Executable == "" {
		o.Executable, err = os.Executable()
	}
	return err
}

func (a *Appliance) open(ctx context.Context) (err error) {
	if !a.opt.Unattended {
		if a.lock, err = lock(a.Layout.Lock()); err != nil {
			return err
		}
	}
	policy, err := a.Config.inspectionPolicy(a.Layout.Dir)
	if err != nil {
		return err
	}
	if err := a.startVault(false); err != nil {
		return err
	}
	if err := a.openDatabase(ctx); err != nil {
		return err
	}
	if err := a.openCards(); err != nil {
		return err
	}
	a.sessions = auth.NewSessions(sessionStore{a.DB, a.opt.Now}, a.opt.Now)
	a.desks = auth.NewSessions(deskStore{a.DB, a.opt.Now}, a.opt.Now)
	if a.PKI, err = pki.Open(ctx, a.DB, a.Vault, a.pkiConfig(), a.opt.Now); err != nil {
		return err
	}
	if err := a.openStamps(ctx); err != nil {
		return err
	}
	ready := inspectors
	if a.opt.Unattended { // a command uploads nothing, as a rule
		ready = 0
	}
	a.inspectors = worker.NewPool(a.opt.Executable, ready)
	a.Signing, err = signing.New(signing.Config{
		DB: a.DB, Vault: a.Vault, Certificates: a.PKI, Stamper: a.Stamps, Viewer: a.viewer(),
		Inspect: a.inspect, Policy: policy, Antivirus: a.antivirus(), Dir: a.Layout.Documents(), Scratch: a.Layout.Pages(),
		MaxUpload: a.Config.MaxUploadMB * 1_000_000, Now: a.opt.Now, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.Remote = remote.New(remote.Config{DB: a.DB, Vault: a.Vault, Certificates: a.PKI, Now: a.opt.Now, Log: a.log})
	if err := a.openCounter(); err != nil {
		return err
	}
	if a.opt.Unattended {
		return nil
	}
	return a.start(ctx)
}

// start settles what a crash left unfinished, then starts the jobs.
func (a *Appliance) start(ctx context.Context) error {
	a.supervisor.onSilent(func() {
		a.note(ctx, audit.Event{Actor: "appliance", Event: "vault.silent", Subject: "vault"})
	})
	// Before anything is stamped, revocation lists too: the greatest number in the
	// record is then one of before this start.
	if err := a.firstWitness(ctx); err != nil {
		return err
	}
	if _, err := a.PKI.Resolve(ctx); err != nil {
		return fmt.Errorf("appliance: unfinished certificates: %w", err)
	}
	if err := a.PKI.PublishCRLs(ctx); err != nil {
		return fmt.Errorf("appliance: revocation lists: %w", err)
	}
	a.Vault.Attend() // holds what brings the units back should the vault die before the first stamp
	a.told = map[string]string{}
	if err := a.tellStamping(ctx); err != nil {
		return fmt.Errorf("appliance: time-stamping units: %w", err)
	}
	n, err := a.Signing.Resolve(ctx)
	if err != nil {
		return fmt.Errorf("appliance: unfinished signatures: %w", err)
	}
	if _, err := a.Counter.Resolve(ctx); err != nil {
		a.log.Error("sessions at counters could not be ended; the clock tries again", "err", err)
	}
	if err := a.resumeProposals(ctx); err != nil {
		return fmt.Errorf("appliance: approved proposals: %w", err)
	}
	err = a.journal.Append(ctx, audit.Event{Actor: "appliance", Event: "appliance.started",
		Detail: map[string]string{"settled": strconv.Itoa(n)}})
	if err != nil {
		return err
	}
	if err := a.checkpoint(ctx); err != nil {
		return fmt.Errorf("appliance: journal checkpoint: %w", err)
	}
	jobs, stop := context.WithCancel(context.Background())
	a.stop = stop
	a.startJobs(jobs)
	return nil
}

// lock keeps a second service off the folder: it would settle what this one
// has under way.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("appliance: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("appliance: another service is running in this folder (%s is locked)", path)
	}
	return f, nil
}

// unlock gives a lock back at once. To close its file is not enough: a program that
// is just being started has a copy of it until it runs, and the lock with it.
func unlock(f *os.File) {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN) // closing does it too, if later
	f.Close()
}

// startVault starts the vault and keeps it alive. A one-shot command uses one
// that already answers; a service has its own supervisor even then, because a
// command's vault ends with the command.
func (a *Appliance) startVault(provision bool) error {
	a.Vault = vault.Dial(a.Layout.Socket())
	if a.opt.Unattended && answers(a.Layout.Socket()) {
		if unanswered(context.Background(), asking(a.Vault), a.opt.Patience/asks) {
			return errSilent
		}
		return nil
	}
	sup, err := startVault(a.opt.Executable, a.Layout.Dir, a.Config, provision, a.opt.Patience, a.log)
	if err != nil {
		return err
	}
	a.supervisor = sup
	return nil
}

func (a *Appliance) pkiConfig() pki.Config {
	p := a.Config.PKI
	return pki.Config{Country: p.Country, Organisation: p.Organisation, OrganisationID: p.OrganisationID,
		Qualified: p.Qualified, Witnesses: p.Witnesses, BaseURL: a.Config.BaseURL, UnitKey: hsm.KeyType(a.Config.TSA.Key), Stamp: a.stampList}
}

// stampList makes the time-stamp over a revocation list.
func (a *Appliance) stampList(ctx context.Context, der []byte) ([]byte, error) {
	if a.Stamps == nil || a.opt.Unattended {
		return nil, errors.New("only the running service makes time-stamps")
	}
	digest := sha256.Sum256(der)
	return a.Stamps.Stamp(ctx, crypto.SHA256, digest[:], accounts.House)
}

// inspect runs the inspection in a process of its own, started from this same
// program. When that fails its report is a refusal, and the cause is logged.
func (a *Appliance) inspect(ctx context.Context, path, name string) inspect.Report {
	report, err := a.inspectors.Inspect(ctx, path, name)
	if err != nil {
		a.log.Error("inspection failed; the document is refused", "err", err)
	}
	return report
}

// antivirus asks ClamAV's daemon, if the configuration names one.
func (a *Appliance) antivirus() signing.Antivirus {
	if a.Config.Inspection.ClamdSocket == "" {
		return nil
	}
	c := &clamd.Client{Socket: a.Config.Inspection.ClamdSocket}
	return c.Scan
}

// viewer renders pages in bwrap, or where that can't be, in a cage of our own
// program.
func (a *Appliance) viewer() *view.Renderer {
	r := view.New(a.Layout.Pages())
	r.Own, r.Cage, r.Log = a.opt.Executable, cage.Prefix(a.opt.Executable), a.log
	return r
}

// Close stops the jobs and the vault and closes the database.
func (a *Appliance) Close() error {
	if a.stop != nil {
		a.stop()
		a.jobs.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		a.checkpoint(ctx)
	}
	if a.inspectors != nil {
		a.inspectors.Close()
	}
	if a.Vault != nil {
		a.Vault.Close()
	}
	if a.supervisor != nil {
		a.supervisor.stop()
	}
	if a.lock != nil {
		defer unlock(a.lock)
	}
	if a.Ledger != nil {
		if err := a.Ledger.Close(); err != nil {
			a.log.Error("the record of time-stamps was not closed well", "err", err)
		}
	}
	if a.index != nil {
		a.index.Close()
	}
	if a.DB != nil {
		return a.DB.Close()
	}
	return nil
}

// VaultPID is the process of the vault this appliance started, 0 when it is
// down or belongs to another process.
func (a *Appliance) VaultPID() int {
	if a.supervisor == nil {
		return 0
	}
	return a.supervisor.PID()
}

// Health fails when the appliance can't sign: the database or the vault does
// not answer in time, or no time-stamp can be made.
func (a *Appliance) Health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.opt.Patience/6)
	defer cancel()
	if err := a.DB.Read(ctx, func(*store.Tx) error { return nil }); err != nil {
		return err
	}
	if _, err := a.Vault.Status(ctx); err != nil {
		return err
	}
	return a.stampsHealth(ctx)
}

// JournalKeys are the public keys that sign the journals' checkpoints.
func (a *Appliance) JournalKeys(ctx context.Context) (map[string]crypto.PublicKey, error) {
	s, err := a.Vault.Signer(ctx, journal)
	if err != nil {
		return nil, err
	}
	return map[string]crypto.PublicKey{journal: s.Public()}, nil
}

// ParseOID reads an object identifier in dotted decimal.
func ParseOID(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("appliance: %q is not an object identifier", s)
		}
		oid = append(oid, n)
	}
	if len(oid) < 3 {
		return nil, fmt.Errorf("appliance: %q is not an object identifier", s)
	}
	return oid, nil
}

// OCSP answers a status request about certificates of ca.
func (a *Appliance) OCSP(ctx context.Context, ca string, request []byte) []byte {
	return a.PKI.OCSP(ctx, ca, request)
}

// CRL gives the current revocation list of ca.
func (a *Appliance) CRL(ctx context.Context, ca string) ([]byte, error) {
	if a.PKI.CA(ca) == nil {
		return nil, &signing.Error{Kind: signing.NotFound, Msg: "no such authority"}
	}
	return a.PKI.CRL(ctx, ca)
}

// Certificate gives the certificate of an authority or unit by the label of
// its key.
func (a *Appliance) Certificate(_ context.Context, label string) ([]byte, error) {
	c := a.PKI.CA(label)
	if c == nil {
		return nil, &signing.Error{Kind: signing.NotFound, Msg: "no such certificate"}
	}
	return c.Raw, nil
}
