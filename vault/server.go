package vault

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/auth/graphometric"
	"sigillo/hsm"
	"sigillo/store"
)

// token is what the vault asks of the HSM; *hsm.Token is it.
type token interface {
	Info() hsm.Info
	Has(label string) (bool, error)
	GenerateSigner(ctx context.Context, label string, kt hsm.KeyType) (*hsm.Signer, error)
	GenerateFastSigner(ctx context.Context, label string, kt hsm.KeyType) (*hsm.Signer, error)
	DestroySigner(ctx context.Context, label string) error
	GenerateMaster(ctx context.Context, label string) error
	GenerateMACKey(ctx context.Context, label string) error
	GenerateSealKey(ctx context.Context, label string) error
	Signer(label string) (*hsm.Signer, error)
	MAC(ctx context.Context, label string, data []byte) ([]byte, error)
	Seal(ctx context.Context, label string, aad, plaintext []byte) ([]byte, error)
	Unseal(ctx context.Context, label string, aad, sealed []byte) ([]byte, error)
	GenerateWrapped(ctx context.Context, master string, d [32]byte, kt hsm.KeyType, prove func(crypto.Signer) error) (hsm.Wrapped, error)
	UseWrapped(ctx context.Context, master string, d [32]byte, w hsm.Wrapped, use func(crypto.Signer) error) error
	Rewrap(ctx context.Context, master string, from, to [32]byte, w hsm.Wrapped) (hsm.Wrapped, error)
	SelfTest(ctx context.Context) (hsm.Report, error)
	Longest() time.Duration
	Close() error
}

// server is a running vault. Its fields do not change while it serves, except
// those under a lock. All memory it has that must survive is in db; what must
// not (keys, SADs) is nowhere else than here.
type server struct {
	cfg    Config
	log    *slog.Logger
	now    func() time.Time
	tok    token
	db     *store.DB
	mint   *mint
	rowKey [32]byte // MACs of the rows of db; identifiers of SADs
	since  time.Time
	made   []string // own keys created at this start

	stretching  chan struct{} // one taken for each Argon2id under way
	queues      [classes]*queue
	creating    sync.Mutex // held while an infrastructure key is made
	lockouts    notes      // of holders who are locked out
	tampered    notes      // of records that were changed
	stale       notes      // of records of credentials that are not current
	forged      notes      // of captures that a tablet did not sign
	uses        uses       // of infrastructure keys
	sessions    sessions   // of captures
	known       known      // records of credentials
	verifiers   verifiers
	hung        atomic.Bool // the token does not come back from a call
	erased      atomic.Bool // something that the log of the state may still have
	memoryLock  bool
	measures    []Measure                  // how the process is confined; set before it serves
	tsa         *service                   // nil: no time-stamps
	breached    *auth.Breached             // nil: no list
	printKey    [32]byte                   // for fingerprints of handwritten signatures
	templates   atomic.Pointer[Error]      // why there are no profiles; nil: there are
	comparing   chan *graphometric.Scratch // one taken for each handwritten signature that is looked at; nil: not made yet
	policy      graphometric.Policy
	outgoing    *deliveries // of codes
	activations hourly
	refused     burst // for want of room

	mu    sync.Mutex
	conns map[*net.UnixConn]bool // guarded by mu; open connections

	// fault is called between two steps: "authorised" (the OTP step is durable),
	// "intent" (durable), "signed", "done" (durable). Tests die there.
	fault func(step string)
}

// Serve runs a vault until ctx ends; it calls ready once the socket is open.
//
//  1. The process is closed to others: not dumpable, no core files, memory
//     locked where that is allowed. (PR_SET_DUMPABLE also hides its memory
//     from processes of the same user.)
//  2. The state file is locked: one vault for each.
//  3. The token is opened with the PIN, which is wiped.
//  4. The keys of this process are derived from the token. A vault that has its keys
//     and not its state does not begin a new one, but in provisioning: it would know
//     neither which OTPs were used nor which serial numbers were given.
//  5. Durable: "vault.started" and the unfinished intents, in the journal. The
//     time-stamping service is set up; its units are started, if they can be
//     without anybody.
//  6. The socket is opened. With Confine the process gives up what it does not need
//     any more, see [Measure].
//  7. At the end: no new requests, those under way are finished, the uses of
//     keys not journalled yet and "vault.stopped" are, everything is closed.
func Serve(ctx context.Context, cfg Config, ready func()) error {
	return serve(ctx, cfg, ready, func(string) {})
}

func serve(ctx context.Context, cfg Config, ready func(), fault func(string)) (err error) {
	v, unlock, err := start(ctx, cfg, fault) // 1 to 5
	if err != nil {
		return err
	}
	defer unlock()
	defer func() { err = errors.Join(err, v.stop()) }()
	v.tsa.attend(ctx)
	l, err := v.listen() // 6
	if err != nil {
		return err
	}
	// A child that needs what is given up now (another program, the network) must
	// have been started before this line.
	if cfg.Confine {
		v.confine()
	}
	if ready != nil {
		ready()
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	var others sync.WaitGroup
	others.Go(func() { v.watchToken(ctx, end) })
	others.Go(func() { v.tick(ctx) })
	others.Go(func() { v.tsa.run(ctx) })
	v.accept(ctx, l) // 7
	if v.hung.Load() {
		return errHangs
	}
	others.Wait()
	return nil
}

// errHangs ends a vault whose token does not come back from a call. What was under
// way is settled at the next start, as after a crash.
var errHangs = fail(TokenGone, "the token hangs; the vault must be started again, and if that does not help, the token")

// start is steps 1 to 5 of Serve.
func start(ctx context.Context, cfg Config, fault func(string)) (_ *server, unlock func(), err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Argon = cfg.Argon.OrDefault()
	if err := firstError(checkName("the node", cfg.Node, maxName), cfg.Argon.Check()); err != nil {
		return nil, nil, because(err, "the configuration of the vault is wrong")
	}
	v := &server{cfg: cfg, now: cfg.Now, since: cfg.Now(), fault: fault,
		log:        slog.Default().With("room", "vault", "node", cfg.Node),
		stretching: make(chan struct{}, processors()), comparing: make(chan *graphometric.Scratch, processors()), queues: newQueues(), outgoing: newDeliveries(), conns: make(map[*net.UnixConn]bool)}
	for range cap(v.comparing) {
		v.comparing <- nil
	}
	v.refused = burst{log: v.log, length: burstLength}
	v.tampered.most, v.stale.most, v.forged.most, v.uses.since = maxTampered, maxTampered, maxTampered, v.since
	v.harden() // 1
	release, err := lock(cfg.StateDB + ".lock")
	if err != nil { // 2
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			v.close()
			release()
		}
	}()
	if cfg.Breached != "" {
		if v.breached, err = auth.OpenBreached(cfg.Breached); err != nil {
			return nil, nil, because(err, "the list of breached passwords cannot be used; put it right or leave it out")
		}
	}
	if v.tok, err = openToken(cfg); err != nil { // 3
		return nil, nil, err
	}
	if err = v.deriveKeys(ctx); err != nil { // 4
		return nil, nil, err
	}
	if st, missing := os.Stat(cfg.StateDB); !cfg.Provision && (errors.Is(missing, fs.ErrNotExist) || missing == nil && st.Size() == 0) {
		err = v.lost()
		return nil, nil, err
	}
	if v.db, err = store.Open(ctx, cfg.StateDB, "vault"); err != nil {
		return nil, nil, because(err, "the vault's state cannot be opened")
	}
	if err = v.setPolicy(); err != nil {
		return nil, nil, err
	}
	if err = v.begin(ctx); err != nil { // 5
		return nil, nil, because(err, "the vault's journal cannot be written")
	}
	v.openTemplates(ctx)
	if err = v.openService(ctx); err != nil {
		return nil, nil, err
	}
	return v, release, nil
}

// openToken opens the token with the PIN of the configured file.
func openToken(cfg Config) (token, error) {
	if cfg.token != nil {
		return cfg.token, nil
	}
	pin, err := secretFile(cfg.PINFile, "the token's PIN")
	if err != nil {
		return nil, err
	}
	defer clear(pin)
	stamps := 0
	if cfg.TSA != nil {
		stamps = cfg.TSA.Workers
	}
	t, err := hsm.Open(hsm.Config{Module: cfg.Module, Arguments: cfg.Arguments, Token: cfg.Token, PIN: pin, Sessions: tokenSessions(stamps)})
	if err != nil {
		return nil, because(err, "the token cannot be opened")
	}
	return t, nil
}

// secretFile reads a secret, without its line end, from a file that only its owner
// can read. The caller wipes it.
func secretFile(path, what string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the file with " + what + " cannot be found", Err: err}
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&0o077 != 0 || st.Size() > 1024 {
		return nil, failf(Failed, "the file with %s can be read by others than its owner, or is not a small file; make it mode 0600 (it is %v)", what, st.Mode())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		clear(raw)
		return nil, &Error{Kind: Failed, Msg: "the file with " + what + " cannot be read", Err: err}
	}
	return bytes.TrimRight(raw, "\r\n"), nil
}

func (v *server) deriveKeys(ctx context.Context) error {
	if err := v.provision(ctx); err != nil {
		return err
	}
	sadKey, err1 := v.deriveKey(ctx, "sad jws")
	sealKey, err2 := v.deriveKey(ctx, "sad seal")
	rowKey, err3 := v.deriveKey(ctx, "rows")
	printKey, err4 := v.deriveKey(ctx, "fingerprints")
	defer clear(sadKey[:])
	defer clear(sealKey[:])
	if err := firstError(err1, err2, err3, err4); err != nil {
		return err
	}
	v.rowKey, v.printKey = rowKey, printKey
	var err error
	v.mint, err = newMint(v.cfg.Node, &sadKey, &sealKey)
	return err
}

func (v *server) lost() error {
	return failf(Lost, "the vault's state is missing: put %s back from the backup, without any -wal and -shm beside it. No other is begun: it would know neither which one-time passwords were used nor which serial numbers were given", v.cfg.StateDB)
}

// begin is step 5 of Serve.
func (v *server) begin(ctx context.Context) error {
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.JournalHead(); store.KindOf(err) == store.NotFound && !v.cfg.Provision {
			return v.lost()
		}
		for _, label := range v.made {
			if err := audit.Append(tx, v.now(), audit.Event{Actor: "vault", Event: "key.created", Subject: label}); err != nil {
				return err
			}
		}
		return audit.Append(tx, v.now(), audit.Event{Actor: "vault", Event: "vault.started", Subject: v.cfg.Node,
			Detail: map[string]string{"token": v.cfg.Token, "provision": strconv.FormatBool(v.cfg.Provision)}})
	})
	if err != nil {
		return err
	}
	if err := v.settle(ctx, true); err != nil {
		return err
	}
	if err := v.checkpoint(ctx); err != nil {
		v.log.Error("the journal could not be signed", "err", err)
	}
	return nil
}

// tick does, every minute, what must be done now and then.
func (v *server) tick(ctx context.Context) {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		v.minute(ctx, n)
	}
}

// minute is what is done in the nth minute.
func (v *server) minute(ctx context.Context, n int) {
	if err := v.settle(ctx, false); err != nil && ctx.Err() == nil {
		v.log.Error("unfinished intents could not be settled", "err", err)
	}
	if v.erased.Swap(false) {
		if err := v.db.Erase(ctx); err != nil {
			v.erased.Store(true)
			v.log.Warn("what was erased is in the log of the state still", "err", err)
		}
	}
	if v.withTemplates() != nil {
		v.openTemplates(ctx)
	}
	if err := v.tsa.minute(ctx); err != nil && ctx.Err() == nil {
		v.log.Error("the time-stamping units could not be looked after", "err", err)
	}
	if n%10 != 0 {
		return
	}
	if err := errors.Join(v.journalUses(ctx), v.tsa.tallyUses(ctx)); err != nil && ctx.Err() == nil {
		v.log.Error("the uses of keys could not be journalled", "err", err)
	}
	if err := v.checkpoint(ctx); err != nil && ctx.Err() == nil {
		v.log.Error("the journal could not be signed", "err", err)
	}
}

// stop is the end of step 7 of Serve.
func (v *server) stop() error {
	v.outgoing.end() // before the last entry of the journal
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if v.hung.Load() { // whoever asks the token for anything now may wait for ever
		return because(v.journalUses(ctx, audit.Event{Actor: "vault", Event: "token.hangs", Subject: v.cfg.Token}), "the end could not be journalled")
	}
	err := errors.Join(v.tsa.end(ctx),
		v.journalUses(ctx, audit.Event{Actor: "vault", Event: "vault.stopped", Subject: v.cfg.Node}))
	if err == nil {
		err = v.checkpoint(ctx)
	}
	return errors.Join(because(err, "the end could not be journalled"), v.close())
}

func (v *server) close() error {
	v.refused.end()
	v.outgoing.end()
	errs := []error{v.breached.Close()}
	if v.tsa != nil && v.tsa.desk != nil {
		v.tsa.desk.close()
	}
	if v.db != nil {
		errs = append(errs, v.db.Close())
	}
	if v.tok != nil {
		errs = append(errs, v.tok.Close())
	}
	clear(v.rowKey[:])
	clear(v.printKey[:])
	if v.mint != nil {
		clear(v.mint.mac[:])
	}
	return errors.Join(errs...)
}

// status says how the vault is.
func (v *server) status(ctx context.Context) (*Status, error) {
	s := &Status{Node: v.cfg.Node, Since: v.since, Token: v.tok.Info(), Provision: v.cfg.Provision, MemoryLock: v.memoryLock,
		Confinement: v.measures}
	v.mu.Lock()
	s.Connections = len(v.conns)
	v.mu.Unlock()
	err := v.db.Read(ctx, func(tx *store.Tx) error {
		open, err := tx.SpentIntents()
		s.Unfinished = len(open)
		if err != nil {
			return err
		}
		s.Journal, err = tx.LastCheckpoint()
		if store.KindOf(err) == store.NotFound {
			err = nil
		}
		return err
	})
	return s, because(err, "the vault's state cannot be read")
}

// lock takes a lock on the file path that the kernel gives back when the
// process dies, whatever it dies of.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the vault's state cannot be locked; check its directory", Err: err}
	}
	// A vault that is just ending may still hold it.
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return func() { f.Close() }, nil
		}
		if time.Now().After(end) {
			f.Close()
			return nil, &Error{Kind: Busy, Msg: "another vault runs on the same state; stop it first", Err: err}
		}
	}
}
