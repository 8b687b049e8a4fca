package hsm

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"github.com/miekg/pkcs11"
	"golang.org/x/sync/semaphore"
)

// module is one PKCS#11 library loaded into this process. C_Initialize and
// C_Finalize are per process and library (PKCS#11 v2.40 §5.4), so every Token
// of the same library shares one module, counted by refs; the last one to close
// finalises it.
//
// slots guards every call that reads or changes the library's list of slots
// and sessions: SoftHSM adds a slot inside C_GetSlotList without a lock of its
// own. objects is the right to work on key objects, see Token.sharing.
type module struct {
	path      string
	arguments string
	ctx       *pkcs11.Ctx
	functions functions
	slots     sync.Mutex
	objects   *semaphore.Weighted
	refs      int // guarded by modules.mu
}

// allObjects is the weight of an exclusive right to work on objects; a shared
// one weighs 1.
const allObjects = 1 << 20

var modules = struct {
	mu     sync.Mutex
	loaded map[string]*module
}{loaded: make(map[string]*module)}

// load returns the module of that path, initialised with those arguments.
//
// SoftHSM reads the environment variable SOFTHSM2_CONF, and the file it names,
// in C_Initialize: set it before the first Token of the process is opened. A
// later change is seen only after every Token has been closed.
func load(path, arguments string) (*module, error) {
	if path == "" {
		return nil, fail(NotFound, nil, "no PKCS#11 module configured; name the .so file, for instance /usr/lib/softhsm/libsofthsm2.so of the Debian package softhsm2")
	}
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p // two names of one library are one C_Initialize
	}
	modules.mu.Lock()
	defer modules.mu.Unlock()
	if m := modules.loaded[path]; m != nil {
		if m.arguments != arguments {
			return nil, fail(Conflict, nil, "the PKCS#11 module %s is loaded with other arguments; one process has one set", path)
		}
		m.refs++
		return m, nil
	}
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, fail(TokenGone, nil, "cannot load the PKCS#11 module %s; check that the file exists and is a PKCS#11 library", path)
	}
	if err := initialise(ctx, arguments); err != nil && !isRV(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		ctx.Destroy()
		return nil, fail(TokenGone, err, "the PKCS#11 module %s does not start; check its arguments, and for SoftHSM the file named by SOFTHSM2_CONF", path)
	}
	direct, err := loadFunctions(path)
	if err != nil {
		_ = ctx.Finalize() // nobody uses it yet
		ctx.Destroy()
		return nil, fail(TokenGone, err, "cannot use the PKCS#11 module %s", path)
	}
	m := &module{path: path, arguments: arguments, ctx: ctx, functions: direct, objects: semaphore.NewWeighted(allObjects), refs: 1}
	modules.loaded[path] = m
	return m, nil
}

// unload gives back one reference.
func (m *module) unload() {
	modules.mu.Lock()
	defer modules.mu.Unlock()
	if m.refs--; m.refs > 0 {
		return
	}
	delete(modules.loaded, m.path)
	m.slots.Lock()
	defer m.slots.Unlock()
	_ = m.ctx.Finalize() // nothing is left that could use the answer
	m.functions.unload()
	m.ctx.Destroy()
}

// restart finalises and initialises the library again, if the caller is its
// only user. No call may be under way in the library meanwhile.
func (m *module) restart() bool {
	modules.mu.Lock()
	defer modules.mu.Unlock()
	if m.refs != 1 {
		return false
	}
	m.slots.Lock()
	defer m.slots.Unlock()
	_ = m.ctx.Finalize() // fails when the library already is down: that is why we are here
	return initialise(m.ctx, m.arguments) == nil
}

func (m *module) open(slot uint, rw bool) (sessionID, error) {
	m.slots.Lock()
	defer m.slots.Unlock()
	flags := uint(pkcs11.CKF_SERIAL_SESSION)
	if rw {
		flags |= pkcs11.CKF_RW_SESSION
	}
	return m.ctx.OpenSession(slot, flags)
}

func (m *module) close(s sessionID) error {
	m.slots.Lock()
	defer m.slots.Unlock()
	return m.ctx.CloseSession(s)
}

// login logs the normal user in, for all sessions this process has with the
// token (PKCS#11 v2.40 §5.6): if another Token of this process already is
// logged in, that is a success and the PIN is not looked at again.
func (m *module) login(s sessionID, pin []byte) error {
	return m.loginAs(s, pkcs11.CKU_USER, pin)
}

func (m *module) loginAs(s sessionID, user uint, pin []byte) error {
	m.slots.Lock()
	defer m.slots.Unlock()
	err := m.ctx.Login(s, user, pinString(pin))
	if isRV(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
		return nil
	}
	return err
}

// pinString lends the bytes of the PIN to the binding as a string, so that no
// second copy stays behind in the Go heap. (The binding's own C copy is freed
// without being wiped; that is out of our hands.)
func pinString(pin []byte) string { return unsafe.String(unsafe.SliceData(pin), len(pin)) }

// slotOf finds the slot that holds the token of that label.
func (m *module) slotOf(label string) (uint, pkcs11.TokenInfo, error) {
	m.slots.Lock()
	defer m.slots.Unlock()
	ids, err := m.ctx.GetSlotList(true)
	if err != nil {
		return 0, pkcs11.TokenInfo{}, err
	}
	var slot uint
	var info pkcs11.TokenInfo
	matches := 0
	for _, id := range ids {
		ti, err := m.ctx.GetTokenInfo(id)
		if err != nil || ti.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 || trim(ti.Label) != label {
			continue // a broken neighbour is not our concern
		}
		slot, info, matches = id, ti, matches+1
	}
	switch matches {
	case 0:
		return 0, info, fail(NotFound, nil, "no token is labelled %q; initialise one, or check the label and, for SoftHSM, SOFTHSM2_CONF", label)
	case 1:
		return slot, info, nil
	}
	return 0, info, fail(Conflict, nil, "%d tokens are labelled %q; labels must be unique", matches, label)
}

// trim removes the padding of PKCS#11's fixed-width strings.
func trim(s string) string { return strings.TrimRight(s, " \x00") }

func isRV(err error, code uint) bool {
	rv, ok := errors.AsType[pkcs11.Error](err)
	return ok && uint(rv) == code
}

// InitToken initialises the first free slot of cfg.Module as a token labelled
// cfg.Token and sets the PIN of its security officer and of its user, cfg.PIN
// (C_InitToken, C_InitPIN). It is meant for provisioning SoftHSM; a hardware token is usually
// initialised by its maker's tool. Nothing is overwritten: a token of the same
// label is a Conflict, no free slot is Unsupported.
//
// The label is at most 32 bytes (PKCS#11 v2.40 §3.2), and the PINs must be of the
// length that the token wants (SoftHSM: 4 to 255).
//
// SoftHSM reads SOFTHSM2_CONF when the module is initialised, that is, in the
// first InitToken or Open of a process: set it before.
func InitToken(cfg Config, soPIN []byte) error {
	label, pin := cfg.Token, cfg.PIN
	if label == "" || len(label) > 32 || trim(label) != label {
		return fail(Unsupported, nil, "a token label has 1 to 32 bytes and does not end in a space")
	}
	m, err := load(cfg.Module, cfg.Arguments)
	if err != nil {
		return err
	}
	defer m.unload()
	initialising.Lock()
	defer initialising.Unlock()
	if _, _, err := m.slotOf(label); KindOf(err) != NotFound {
		if err == nil || KindOf(err) == Conflict {
			return fail(Conflict, nil, "a token labelled %q exists already", label)
		}
		return typed(err, "list the slots")
	}
	at, err := m.initFreeSlot(label, soPIN)
	if err != nil {
		return err
	}
	// Initialising may give the token another slot number: look again. (NSS calls a
	// token initialised once it has a PIN, and does not move it.)
	slot, _, err := m.slotOf(label)
	if KindOf(err) == NotFound {
		slot, err = at, nil
	}
	if err != nil {
		return typed(err, "find the new token")
	}
	return m.initPIN(slot, soPIN, pin)
}

// initialising makes the check for the label and its use one step.
var initialising sync.Mutex

func (m *module) initFreeSlot(label string, soPIN []byte) (uint, error) {
	m.slots.Lock()
	defer m.slots.Unlock()
	ids, err := m.ctx.GetSlotList(true)
	if err != nil {
		return 0, typed(err, "list the slots")
	}
	for _, id := range ids {
		ti, err := m.ctx.GetTokenInfo(id)
		if err != nil || ti.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0 {
			continue
		}
		return id, typed(m.ctx.InitToken(id, pinString(soPIN), label), "initialise the token")
	}
	return 0, fail(Unsupported, nil, "no slot holds an uninitialised token")
}

func (m *module) initPIN(slot uint, soPIN, pin []byte) error {
	s, err := m.open(slot, true)
	if err != nil {
		return typed(err, "open the new token")
	}
	defer m.close(s) // the last session of the token logs the officer out
	if err := m.loginAs(s, pkcs11.CKU_SO, soPIN); err != nil {
		return typed(err, "log in as security officer")
	}
	if err := m.ctx.InitPIN(s, pinString(pin)); err != nil {
		return typed(err, "set the user's PIN")
	}
	return typed(m.ctx.Logout(s), "log out")
}
