package hsm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
	"unsafe"

	"github.com/miekg/pkcs11"

	"sigillo/formats/der"
)

// KeyType names a kind of key pair.
type KeyType string

// The key types. ETSI TS 119 312 allows all of them in 2026.
const (
	P256    KeyType = "p256"
	P384    KeyType = "p384"
	RSA2048 KeyType = "rsa2048"
	RSA3072 KeyType = "rsa3072"
	RSA4096 KeyType = "rsa4096"
	// Ed25519 (RFC 8032, PureEdDSA) is for keys that stay in the token.
	Ed25519 KeyType = "ed25519"
)

// What PKCS#11 v3.0 §2.3 has of Edwards curves, which the binding does not.
const (
	ckkEdwards     = 0x40
	ckmEdwardsPair = 0x1055
	ckmEdDSA       = 0x1057
)

// pairSpec is what PKCS#11 needs to know of a key type.
type pairSpec struct {
	generate uint                  // mechanism of C_GenerateKeyPair
	keyType  uint                  // CKA_KEY_TYPE
	curve    elliptic.Curve        // ECDSA only
	oid      asn1.ObjectIdentifier // EC and Edwards only: CKA_EC_PARAMS
	bits     int                   // RSA only
}

var pairSpecs = map[KeyType]pairSpec{
	P256:    {generate: pkcs11.CKM_EC_KEY_PAIR_GEN, keyType: pkcs11.CKK_EC, curve: elliptic.P256(), oid: asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
	P384:    {generate: pkcs11.CKM_EC_KEY_PAIR_GEN, keyType: pkcs11.CKK_EC, curve: elliptic.P384(), oid: asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
	RSA2048: {generate: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, keyType: pkcs11.CKK_RSA, bits: 2048},
	RSA3072: {generate: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, keyType: pkcs11.CKK_RSA, bits: 3072},
	RSA4096: {generate: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, keyType: pkcs11.CKK_RSA, bits: 4096},
	Ed25519: {generate: ckmEdwardsPair, keyType: ckkEdwards, oid: oidEd25519},
}

var oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112} // RFC 8410 §3

// Valid reports whether kt is one of the key types of this package.
func (kt KeyType) Valid() bool { _, ok := pairSpecs[kt]; return ok }

func (kt KeyType) spec() (pairSpec, error) {
	spec, ok := pairSpecs[kt]
	if !ok {
		return spec, fail(Unsupported, nil, "key type %q is not one of p256, p384, rsa2048, rsa3072, rsa4096, ed25519", string(kt))
	}
	return spec, nil
}

// mech names a mechanism without a parameter.
func mech(id uint) mechanism { return pkcs11.NewMechanism(id, nil) }

// attr builds a template from alternating types and values.
func attr(pairs ...any) template {
	t := make(template, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		t = append(t, pkcs11.NewAttribute(uint(pairs[i].(int)), pairs[i+1]))
	}
	return t
}

// publicTemplate is the public half of a pair.
func (p pairSpec) publicTemplate(persistent bool) template {
	t := attr(
		pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY,
		pkcs11.CKA_KEY_TYPE, p.keyType,
		pkcs11.CKA_TOKEN, persistent,
		pkcs11.CKA_PRIVATE, false,
		pkcs11.CKA_VERIFY, true,
	)
	if p.oid != nil {
		return append(t, attr(pkcs11.CKA_EC_PARAMS, der.OID(p.oid))...)
	}
	return append(t, attr(
		pkcs11.CKA_MODULUS_BITS, p.bits,
		pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1},
	)...)
}

// privateTemplate is a private key that signs and does nothing else. It cannot
// be read; extractable decides whether another key may wrap it.
func (p pairSpec) privateTemplate(persistent, extractable bool) template {
	return attr(
		pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY,
		pkcs11.CKA_KEY_TYPE, p.keyType,
		pkcs11.CKA_TOKEN, persistent,
		pkcs11.CKA_PRIVATE, true,
		pkcs11.CKA_SENSITIVE, true,
		pkcs11.CKA_EXTRACTABLE, extractable,
		pkcs11.CKA_SIGN, true,
		pkcs11.CKA_SIGN_RECOVER, false,
		pkcs11.CKA_DECRYPT, false,
		pkcs11.CKA_UNWRAP, false,
		pkcs11.CKA_DERIVE, false,
	)
}

// uses are the CKA_… flags a secret key may have; all others are set false.
var secretUses = []int{
	pkcs11.CKA_ENCRYPT, pkcs11.CKA_DECRYPT, pkcs11.CKA_SIGN, pkcs11.CKA_VERIFY,
	pkcs11.CKA_WRAP, pkcs11.CKA_UNWRAP, pkcs11.CKA_DERIVE,
}

// secretTemplate is a 256-bit secret key, sensitive and not extractable, with
// only the uses named.
func secretTemplate(keyType int, persistent bool, uses ...int) template {
	t := attr(
		pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY,
		pkcs11.CKA_KEY_TYPE, keyType,
		pkcs11.CKA_VALUE_LEN, 32,
		pkcs11.CKA_TOKEN, persistent,
		pkcs11.CKA_PRIVATE, true,
		pkcs11.CKA_SENSITIVE, true,
		pkcs11.CKA_EXTRACTABLE, false,
	)
	for _, use := range secretUses {
		t = append(t, pkcs11.NewAttribute(uint(use), contains(uses, use)))
	}
	return t
}

func contains(list []int, x int) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

// role is what a persistent key is for.
type role string

const (
	roleSigner role = "signing key"
	roleMaster role = "master key"
	roleMAC    role = "MAC key"
	roleSeal   role = "sealing key"
)

// roleUses are the uses a key of that role has, and the only ones.
var roleUses = map[role][]int{
	roleSigner: {pkcs11.CKA_SIGN},
	roleMaster: {pkcs11.CKA_DERIVE},
	roleMAC:    {pkcs11.CKA_SIGN},
	roleSeal:   {pkcs11.CKA_ENCRYPT, pkcs11.CKA_DECRYPT},
}

// object is a key found by its label.
type object struct {
	handle handle // for use: of the key, or of its sessionCopy
	stays  handle // of the key
	role   role
	public crypto.PublicKey // signing keys only
}

func (t *Token) forgetObjects() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.up {
		t.objects = make(map[string]object)
	}
}

// object returns the key of that label, from the cache if it is there:
// C_FindObjects takes SoftHSM 90 ms among 8,000 objects, a signature 0.3 ms.
func (t *Token) object(ctx context.Context, s *session, label string, r role) (object, error) {
	t.mu.Lock()
	o, ok := t.objects[label]
	t.mu.Unlock()
	if !ok {
		err := t.excluding(ctx, func() (err error) {
			o, err = t.lookUp(s, label, r)
			return err
		})
		if err != nil {
			return o, err
		}
		t.mu.Lock()
		t.seen[label] = true
		if s.epoch == t.epoch && t.up {
			t.objects[label] = o
		}
		t.mu.Unlock()
	}
	if o.role != r {
		return o, fail(Conflict, nil, "%q is a %s, not a %s", label, o.role, r)
	}
	return o, nil
}

// lookUp searches the token for the key of that label and refuses one that does
// not have exactly the protection and the uses we would have given it.
func (t *Token) lookUp(s *session, label string, r role) (object, error) {
	class := pkcs11.CKO_SECRET_KEY
	if r == roleSigner {
		class = pkcs11.CKO_PRIVATE_KEY
	}
	h, err := t.findOne(s, label, class)
	if err != nil {
		return object{}, err
	}
	if err := t.checkUses(s, h, label, r); err != nil {
		return object{}, err
	}
	o := object{handle: h, stays: h, role: r}
	if r == roleSigner {
		pub, err := t.findOne(s, label, pkcs11.CKO_PUBLIC_KEY)
		if err != nil {
			return o, err
		}
		if o.public, err = t.publicKey(s, pub); err != nil {
			return o, err
		}
		o.handle = t.sessionCopy(s, h, label)
	}
	return o, nil
}

// sessionCopy gives a session object that is the signing key h, or h itself where
// the token does not make one just like it, as of keys that are not modifiable. SoftHSM looks into the key's file
// several times for each signature with an object that stays, and not at all with
// one that does not: a third of the work of a P-256 signature. The copy is as
// sensitive and as little extractable as the key, lives in the session that keeps
// the login, and goes with it. The caller has the right to exclude others, so
// nobody else uses that session.
func (t *Token) sessionCopy(s *session, h handle, label string) handle {
	t.mu.Lock()
	keep, alive := t.keep, t.up && t.epoch == s.epoch
	t.mu.Unlock()
	if !alive {
		return h
	}
	c, err := t.api.copy(keep, h, attr(pkcs11.CKA_TOKEN, false))
	if err != nil || c == h {
		return h
	}
	raw, err := t.api.attribute(s.id, c, pkcs11.CKA_TOKEN)
	if err == nil && len(raw) == 1 && raw[0] == 0 && t.checkUses(s, c, label, roleSigner) == nil {
		return c
	}
	// Not what was asked for. Only if it is known to be no object that stays may it
	// be destroyed; otherwise it is left, and the next look-up by label finds two.
	if err == nil && len(raw) == 1 && raw[0] == 0 {
		_ = t.api.destroy(keep, c)
	}
	return h
}

func (t *Token) findOne(s *session, label string, class int) (handle, error) {
	found, err := t.api.find(s.id, attr(pkcs11.CKA_CLASS, class, pkcs11.CKA_LABEL, label, pkcs11.CKA_TOKEN, true), 2)
	if err != nil {
		return 0, err
	}
	switch len(found) {
	case 0:
		if err := t.trulyAbsent(s, label); err != nil {
			return 0, err
		}
		return 0, fail(NotFound, nil, "the token has no key %q of the kind asked for", label)
	case 1:
		return found[0], nil
	}
	return 0, fail(Conflict, nil, "the token has more than one key %q; remove the one that does not belong", label)
}

// checkUses demands that a persistent key is sensitive, not extractable and
// good only for its role.
func (t *Token) checkUses(s *session, h handle, label string, r role) error {
	want := map[int]bool{pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_EXTRACTABLE: false, pkcs11.CKA_PRIVATE: true}
	uses := secretUses
	if r == roleSigner {
		uses = []int{pkcs11.CKA_SIGN, pkcs11.CKA_SIGN_RECOVER, pkcs11.CKA_DECRYPT, pkcs11.CKA_UNWRAP, pkcs11.CKA_DERIVE}
	}
	for _, use := range uses {
		want[use] = contains(roleUses[r], use)
	}
	for typ, expect := range want {
		raw, err := t.api.attribute(s.id, h, uint(typ))
		if isRV(err, pkcs11.CKR_ATTRIBUTE_TYPE_INVALID) && !expect {
			continue // the token does not know that use for this key type
		}
		if err != nil {
			return err
		}
		if got := len(raw) == 1 && raw[0] != 0; got != expect {
			return fail(Conflict, nil, "the key %q is not fit to be a %s: its attribute 0x%x is %v; it was not made by this program", label, r, typ, got)
		}
	}
	return nil
}

// publicKey reads the public key object h.
func (t *Token) publicKey(s *session, h handle) (crypto.PublicKey, error) {
	raw, err := t.api.attribute(s.id, h, pkcs11.CKA_KEY_TYPE)
	if err != nil {
		return nil, err
	}
	switch ulong(raw) {
	case pkcs11.CKK_RSA:
		n, err := t.api.attribute(s.id, h, pkcs11.CKA_MODULUS)
		if err != nil {
			return nil, err
		}
		e, err := t.api.attribute(s.id, h, pkcs11.CKA_PUBLIC_EXPONENT)
		if err != nil {
			return nil, err
		}
		exponent := new(big.Int).SetBytes(e)
		if !exponent.IsInt64() || exponent.Int64() > 1<<31-1 || exponent.Int64() < 3 || len(n) > 2048 {
			return nil, fail(Unsupported, nil, "the RSA public key is out of range")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
	case pkcs11.CKK_EC:
		params, err := t.api.attribute(s.id, h, pkcs11.CKA_EC_PARAMS)
		if err != nil {
			return nil, err
		}
		point, err := t.api.attribute(s.id, h, pkcs11.CKA_EC_POINT)
		if err != nil {
			return nil, err
		}
		return ecPublicKey(params, point)
	case ckkEdwards:
		point, err := t.api.attribute(s.id, h, pkcs11.CKA_EC_POINT)
		if err != nil {
			return nil, err
		}
		if point = barePoint(point); len(point) != ed25519.PublicKeySize {
			return nil, fail(Unsupported, nil, "the Edwards key is no Ed25519 key")
		}
		return ed25519.PublicKey(bytes.Clone(point)), nil
	}
	return nil, fail(Unsupported, nil, "the key is neither RSA nor EC nor Ed25519")
}

// barePoint takes CKA_EC_POINT out of the DER OCTET STRING that PKCS#11 v2.40
// §2.3.3 wants around it and some tokens leave away.
func barePoint(point []byte) []byte {
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		return inner
	}
	return point
}

// ecPublicKey decodes CKA_EC_PARAMS, a named curve, and CKA_EC_POINT.
func ecPublicKey(params, point []byte) (crypto.PublicKey, error) {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) > 0 {
		return nil, fail(Unsupported, err, "the key's curve is not a named one")
	}
	for _, spec := range pairSpecs {
		if spec.curve == nil || !spec.oid.Equal(oid) {
			continue
		}
		pub, err := ecdsa.ParseUncompressedPublicKey(spec.curve, bytes.Clone(barePoint(point)))
		if err != nil {
			return nil, fail(Unsupported, err, "the key's point is not on its curve")
		}
		return pub, nil
	}
	return nil, fail(Unsupported, nil, "the key's curve %v is neither P-256 nor P-384", oid)
}

// ulong decodes a CK_ULONG in the byte order and width of this machine, or
// returns all ones.
func ulong(raw []byte) uint {
	if uintptr(len(raw)) != unsafe.Sizeof(uint(0)) {
		return ^uint(0)
	}
	var n uint
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&n)), len(raw)), raw)
	return n
}
