// Package passkeytest gives tests an authenticator with its browser: it answers the
// options of package passkey as Chromium with a security key does.
package passkeytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// Authenticator holds one key. Its fields may be changed to play a bad one.
type Authenticator struct {
	Algorithm int64 // -7, -8 or -257
	Origin    string
	RPID      string // empty: that of the options
	Flags     byte   // user present and verified, if 0
	Count     uint32 // of the next answer; rises when it is not 0
	Cross     bool   // asked from a frame of another site

	t   testing.TB
	id  []byte
	key crypto.Signer
}

// New makes an authenticator with a fresh key.
func New(t testing.TB, origin string, algorithm int64) *Authenticator {
	t.Helper()
	a := &Authenticator{Algorithm: algorithm, Origin: origin, Count: 1, t: t, id: make([]byte, 32)}
	rand.Read(a.id)
	var err error
	switch algorithm {
	case -8:
		_, a.key, err = ed25519.GenerateKey(rand.Reader)
	case -257:
		a.key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type options struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
}

func (a *Authenticator) parse(raw []byte) (o options) {
	a.t.Helper()
	if err := json.Unmarshal(raw, &o); err != nil {
		a.t.Fatal(err)
	}
	if o.RPID == "" {
		o.RPID = o.RP.ID
	}
	if a.RPID != "" {
		o.RPID = a.RPID
	}
	return o
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (a *Authenticator) clientData(ceremony string, o options) []byte {
	b, err := json.Marshal(map[string]any{"type": ceremony, "challenge": o.Challenge, "origin": a.Origin, "crossOrigin": a.Cross,
		"other_keys_can_be_added_here": "do not compare clientDataJSON against a template"})
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

func (a *Authenticator) authData(o options, more byte) []byte {
	flags := a.Flags
	if flags == 0 {
		flags = 1 | 4
	}
	hash := sha256.Sum256([]byte(o.RPID))
	b := append(hash[:], flags|more)
	b = binary.BigEndian.AppendUint32(b, a.Count)
	if a.Count > 0 {
		a.Count++
	}
	return b
}

// cose is the public key as COSE_Key.
func (a *Authenticator) cose() []byte {
	m := map[int]any{3: a.Algorithm}
	switch k := a.key.Public().(type) {
	case *ecdsa.PublicKey:
		raw, err := k.Bytes()
		if err != nil {
			a.t.Fatal(err)
		}
		m[1], m[-1], m[-2], m[-3] = 2, 1, raw[1:33], raw[33:]
	case ed25519.PublicKey:
		m[1], m[-1], m[-2] = 1, 6, []byte(k)
	case *rsa.PublicKey:
		m[1], m[-1], m[-2] = 3, k.N.Bytes(), []byte{1, 0, 1}
	}
	b, err := webauthncbor.Marshal(m)
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

func (a *Authenticator) answer(inner map[string]string) []byte {
	b, err := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "response": inner,
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{}})
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

// Create answers creation options.
func (a *Authenticator) Create(raw []byte) []byte {
	a.t.Helper()
	o := a.parse(raw)
	auth := append(a.authData(o, 1<<6), make([]byte, 16)...)
	auth = binary.BigEndian.AppendUint16(auth, uint16(len(a.id)))
	auth = append(append(auth, a.id...), a.cose()...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": auth})
	if err != nil {
		a.t.Fatal(err)
	}
	return a.answer(map[string]string{"clientDataJSON": b64(a.clientData("webauthn.create", o)), "attestationObject": b64(object)})
}

// Get answers request options.
func (a *Authenticator) Get(raw []byte) []byte {
	a.t.Helper()
	o := a.parse(raw)
	client, auth := a.clientData("webauthn.get", o), a.authData(o, 0)
	hash := sha256.Sum256(client)
	signed := append(append([]byte(nil), auth...), hash[:]...)
	var opts crypto.SignerOpts = crypto.SHA256
	digest := sha256.Sum256(signed)
	what := digest[:]
	if a.Algorithm == -8 {
		opts, what = crypto.Hash(0), signed
	}
	sig, err := a.key.Sign(rand.Reader, what, opts)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.answer(map[string]string{"clientDataJSON": b64(client), "authenticatorData": b64(auth), "signature": b64(sig)})
}
