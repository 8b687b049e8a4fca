package hsm

import (
	"runtime"
	"unsafe"

	"github.com/miekg/pkcs11"
)

type (
	handle    = pkcs11.ObjectHandle
	sessionID = pkcs11.SessionHandle
	mechanism = *pkcs11.Mechanism
	template  []*pkcs11.Attribute
)

// cryptoki is what this package asks of a PKCS#11 module once it is loaded:
// one method for each pair of C_…Init/C_… calls. It exists so that the tests
// can put a lying token between us and a real one; the only other
// implementation is library.
type cryptoki interface {
	open(slot uint, rw bool) (sessionID, error)
	close(sessionID) error
	login(sessionID, []byte) error
	// loggedIn reports whether the session is one of the user's (C_GetSessionInfo).
	loggedIn(s sessionID) (bool, error)
	find(s sessionID, t template, limit int) ([]handle, error)
	attribute(s sessionID, o handle, typ uint) ([]byte, error)
	set(s sessionID, o handle, t template) error
	copy(s sessionID, o handle, t template) (handle, error)
	generate(s sessionID, m mechanism, t template) (handle, error)
	generatePair(s sessionID, m mechanism, public, private template) (pub, priv handle, err error)
	derive(s sessionID, base handle, data *[32]byte, t template) (handle, error)
	wrap(s sessionID, m mechanism, kek, key handle) ([]byte, error)
	unwrap(s sessionID, m mechanism, kek handle, blob []byte, t template) (handle, error)
	destroy(s sessionID, o handle) error
	// sign puts the result, which may be shorter, into out, and returns it.
	sign(s sessionID, m mechanism, key handle, data, out []byte) ([]byte, error)
	encrypt(s sessionID, m mechanism, key handle, data []byte) ([]byte, error)
	decrypt(s sessionID, m mechanism, key handle, data []byte) ([]byte, error)
	random(s sessionID, n int) ([]byte, error)
}

// The calls below go straight to the C library; see module for those that
// touch slots and need its lock.

func (m *module) loggedIn(s sessionID) (bool, error) {
	i, err := m.ctx.GetSessionInfo(s)
	return i.State == pkcs11.CKS_RO_USER_FUNCTIONS || i.State == pkcs11.CKS_RW_USER_FUNCTIONS, err
}

func (m *module) find(s sessionID, t template, limit int) ([]handle, error) {
	if err := m.ctx.FindObjectsInit(s, t); err != nil {
		return nil, err
	}
	found, _, err := m.ctx.FindObjects(s, limit)
	if end := m.ctx.FindObjectsFinal(s); err == nil {
		err = end
	}
	return found, err
}

func (m *module) attribute(s sessionID, o handle, typ uint) ([]byte, error) {
	got, err := m.ctx.GetAttributeValue(s, o, template{pkcs11.NewAttribute(typ, nil)})
	if err != nil {
		return nil, err
	}
	if len(got) != 1 {
		return nil, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_TYPE_INVALID)
	}
	return got[0].Value, nil
}

func (m *module) set(s sessionID, o handle, t template) error {
	return m.ctx.SetAttributeValue(s, o, t)
}

func (m *module) copy(s sessionID, o handle, t template) (handle, error) {
	return m.ctx.CopyObject(s, o, t)
}

func (m *module) generate(s sessionID, mech mechanism, t template) (handle, error) {
	return m.ctx.GenerateKey(s, []*pkcs11.Mechanism{mech}, t)
}

func (m *module) generatePair(s sessionID, mech mechanism, public, private template) (handle, handle, error) {
	return m.ctx.GenerateKeyPair(s, []*pkcs11.Mechanism{mech}, public, private)
}

// stringData is CK_KEY_DERIVATION_STRING_DATA (PKCS#11 v2.40 §2.15.2), which
// the binding lacks: a pointer and a CK_ULONG, both one machine word on Unix.
type stringData struct {
	data uintptr
	len  uintptr
}

// derive runs CKM_AES_ECB_ENCRYPT_DATA over exactly 32 bytes: two cipher
// blocks, all of which end up in the 256-bit key. (More than that and the token
// would silently drop the tail; ECB blocks do not depend on each other.)
//
// The binding copies the mechanism's parameter into C memory, so the pointer
// inside it must stay good for the length of the call: the copy of data is
// pinned, which is what cgo asks of Go memory that C keeps a pointer to.
func (m *module) derive(s sessionID, base handle, data *[32]byte, t template) (handle, error) {
	pinned := new([32]byte)
	*pinned = *data
	defer clear(pinned[:])
	var pin runtime.Pinner
	pin.Pin(pinned)
	defer pin.Unpin()

	param := stringData{data: uintptr(unsafe.Pointer(pinned)), len: uintptr(len(pinned))}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&param)), unsafe.Sizeof(param))
	mech := pkcs11.NewMechanism(pkcs11.CKM_AES_ECB_ENCRYPT_DATA, raw)
	return m.ctx.DeriveKey(s, []*pkcs11.Mechanism{mech}, base, t)
}

func (m *module) wrap(s sessionID, mech mechanism, kek, key handle) ([]byte, error) {
	return m.ctx.WrapKey(s, []*pkcs11.Mechanism{mech}, kek, key)
}

func (m *module) unwrap(s sessionID, mech mechanism, kek handle, blob []byte, t template) (handle, error) {
	return m.ctx.UnwrapKey(s, []*pkcs11.Mechanism{mech}, kek, blob, t)
}

func (m *module) destroy(s sessionID, o handle) error { return m.ctx.DestroyObject(s, o) }

func (m *module) sign(s sessionID, mech mechanism, key handle, data, out []byte) ([]byte, error) {
	n, err := m.functions.sign(s, mech, key, data, out)
	return out[:n], err
}

func (m *module) encrypt(s sessionID, mech mechanism, key handle, data []byte) ([]byte, error) {
	if err := m.ctx.EncryptInit(s, []*pkcs11.Mechanism{mech}, key); err != nil {
		return nil, err
	}
	return m.ctx.Encrypt(s, data)
}

func (m *module) decrypt(s sessionID, mech mechanism, key handle, data []byte) ([]byte, error) {
	if err := m.ctx.DecryptInit(s, []*pkcs11.Mechanism{mech}, key); err != nil {
		return nil, err
	}
	return m.ctx.Decrypt(s, data)
}

func (m *module) random(s sessionID, n int) ([]byte, error) { return m.ctx.GenerateRandom(s, n) }
