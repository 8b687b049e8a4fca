package passkey

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"slices"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// The flags of authenticator data (§6.1).
const (
	flagUP = 1 << 0 // user present
	flagUV = 1 << 2 // user verified
	flagBE = 1 << 3 // backup eligible
	flagBS = 1 << 4 // backed up
	flagAT = 1 << 6 // attested credential data follow
	flagED = 1 << 7 // extension data follow
)

// clientData is what the browser says (§5.8.1).
type clientData struct {
	Type        string `json:"type"`
	Challenge   b64    `json:"challenge"`
	Origin      string `json:"origin"`
	CrossOrigin bool   `json:"crossOrigin"`
	TopOrigin   string `json:"topOrigin"`
}

// authData is what the authenticator says (§6.1).
type authData struct {
	rpIDHash [sha256.Size]byte
	flags    byte
	count    uint32
	id, key  []byte // with AT
}

// response is what both ceremonies give (§5.1, toJSON).
type response struct {
	ID    b64    `json:"id"`
	RawID b64    `json:"rawId"`
	Type  string `json:"type"`
	Inner struct {
		ClientData  b64 `json:"clientDataJSON"`
		Attestation b64 `json:"attestationObject"`
		AuthData    b64 `json:"authenticatorData"`
		Signature   b64 `json:"signature"`
	} `json:"response"`
}

func parseResponse(b []byte) (r response, c clientData, err error) {
	if len(b) > MaxResponse {
		return r, c, malformed(nil, "the browser's answer is too long")
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, c, malformed(err, "the browser's answer cannot be read")
	}
	if r.Type != "public-key" || len(r.RawID) == 0 || len(r.RawID) > MaxID || !bytes.Equal(r.ID, r.RawID) {
		return r, c, malformed(nil, "the browser's answer names no key")
	}
	if err := json.Unmarshal(r.Inner.ClientData, &c); err != nil {
		return r, c, malformed(err, "the browser's client data cannot be read")
	}
	if len(c.Challenge) == 0 {
		return r, c, malformed(nil, "the browser's client data has no challenge")
	}
	return r, c, nil
}

// parseAuthData reads authenticator data to their last byte.
func parseAuthData(b []byte) (a authData, err error) {
	const head = sha256.Size + 1 + 4
	if len(b) < head {
		return a, malformed(nil, "the authenticator's data are cut off")
	}
	copy(a.rpIDHash[:], b)
	a.flags, a.count = b[sha256.Size], binary.BigEndian.Uint32(b[sha256.Size+1:])
	b = b[head:]
	if a.flags&flagAT != 0 {
		const aaguid = 16
		if len(b) < aaguid+2 {
			return a, malformed(nil, "the authenticator's data are cut off")
		}
		n := int(binary.BigEndian.Uint16(b[aaguid:]))
		if b = b[aaguid+2:]; n == 0 || n > MaxID || len(b) < n {
			return a, malformed(nil, "the authenticator's data have no key ID")
		}
		a.id, b = b[:n], b[n:]
		var key webauthncbor.RawMessage
		used, err := webauthncbor.UnmarshalFirst(b, &key)
		if err != nil || used > maxKey {
			return a, malformed(err, "the authenticator's key cannot be read")
		}
		a.key, b = b[:used], b[used:]
	}
	if a.flags&flagED != 0 {
		var extensions map[string]webauthncbor.RawMessage
		used, err := webauthncbor.UnmarshalFirst(b, &extensions)
		if err != nil {
			return a, malformed(err, "the authenticator's extensions cannot be read")
		}
		b = b[used:]
	}
	if len(b) != 0 {
		return a, malformed(nil, "something follows the authenticator's data")
	}
	return a, nil
}

// parseKey reads a COSE key of one of the algorithms that are asked for.
func parseKey(b []byte) (any, error) {
	if len(b) == 0 || len(b) > maxKey {
		return nil, malformed(nil, "the key cannot be read")
	}
	key, err := webauthncose.ParsePublicKey(b)
	if err != nil {
		return nil, malformed(err, "the key cannot be read")
	}
	alg := int64(0)
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData:
		alg = k.Algorithm
	case webauthncose.OKPPublicKeyData:
		alg = k.Algorithm
	case webauthncose.RSAPublicKeyData:
		alg = k.Algorithm
		if n := len(k.Modulus); n < 256 || n > 512 {
			return nil, refused("an RSA key must have 2048 to 4096 bits")
		}
	}
	if !slices.Contains(algorithms, int(alg)) {
		return nil, refused("the key is for an algorithm that was not asked for")
	}
	return key, nil
}

// accept is what both ceremonies demand (§7.1 steps 7 to 16, §7.2 steps 11 to 19), but
// for the challenge.
func (p *Party) accept(ceremony string, c *clientData, a *authData) error {
	if c.Type != ceremony {
		return refused("the browser's answer is of another ceremony")
	}
	if !slices.Contains(p.Origins, c.Origin) || c.CrossOrigin || c.TopOrigin != "" {
		return refused("the browser's answer is from another site")
	}
	want := sha256.Sum256([]byte(p.ID))
	if subtle.ConstantTimeCompare(want[:], a.rpIDHash[:]) != 1 {
		return refused("the key belongs to another site")
	}
	if a.flags&flagUP == 0 || a.flags&flagUV == 0 {
		return refused("the authenticator has not verified its user")
	}
	if a.flags&flagBS != 0 && a.flags&flagBE == 0 {
		return refused("the authenticator contradicts itself")
	}
	return nil
}

// Registration is a key pair that a browser says was made. The caller looks at the
// challenge, which must be one it made for this, and then calls Verify.
type Registration struct {
	Challenge []byte
	client    clientData
	auth      authData
	rawID     []byte
}

// ParseRegistration reads the JSON of the PublicKeyCredential that
// navigator.credentials.create gave.
func ParseRegistration(b []byte) (*Registration, error) {
	r, c, err := parseResponse(b)
	if err != nil {
		return nil, err
	}
	var object struct {
		Format    string                  `cbor:"fmt"`
		Statement webauthncbor.RawMessage `cbor:"attStmt"` // not looked at
		AuthData  []byte                  `cbor:"authData"`
	}
	if err := webauthncbor.Unmarshal(r.Inner.Attestation, &object); err != nil {
		return nil, malformed(err, "the authenticator's answer cannot be read")
	}
	a, err := parseAuthData(object.AuthData)
	if err != nil {
		return nil, err
	}
	return &Registration{Challenge: c.Challenge, client: c, auth: a, rawID: r.RawID}, nil
}

// Verify checks all but the challenge and returns the key and its sign count.
func (r *Registration) Verify(p *Party) (Key, uint32, error) {
	if err := p.accept("webauthn.create", &r.client, &r.auth); err != nil {
		return Key{}, 0, err
	}
	if r.auth.flags&flagAT == 0 || !bytes.Equal(r.auth.id, r.rawID) {
		return Key{}, 0, refused("the authenticator's answer has no key, or another one")
	}
	if _, err := parseKey(r.auth.key); err != nil {
		return Key{}, 0, err
	}
	return Key{ID: bytes.Clone(r.auth.id), Public: bytes.Clone(r.auth.key), Synced: r.auth.flags&flagBE != 0}, r.auth.count, nil
}

// Assertion is a proof that a key is there. The caller looks at the challenge, which
// must be one it made for what is proved, and at the key it names; then it calls
// Verify.
type Assertion struct {
	Challenge []byte
	KeyID     []byte
	client    clientData
	auth      authData
	signed    []byte
	signature []byte
}

// ParseAssertion reads the JSON of the PublicKeyCredential that
// navigator.credentials.get gave.
func ParseAssertion(b []byte) (*Assertion, error) {
	r, c, err := parseResponse(b)
	if err != nil {
		return nil, err
	}
	a, err := parseAuthData(r.Inner.AuthData)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(r.Inner.ClientData)
	return &Assertion{Challenge: c.Challenge, KeyID: r.RawID, client: c, auth: a,
		signed: append(bytes.Clone(r.Inner.AuthData), hash[:]...), signature: r.Inner.Signature}, nil
}

// Verify checks all but the challenge: that key signed, that its user was verified,
// and where. It returns the authenticator's sign count; whether that has risen is for
// the caller to see, see [Cloned].
func (a *Assertion) Verify(p *Party, key *Key) (uint32, error) {
	if err := p.accept("webauthn.get", &a.client, &a.auth); err != nil {
		return 0, err
	}
	if !bytes.Equal(a.KeyID, key.ID) {
		return 0, refused("another key has answered")
	}
	if (a.auth.flags&flagBE != 0) != key.Synced {
		return 0, refused("the key is not of the kind it was when it was made") // §7.2 step 19
	}
	public, err := parseKey(key.Public)
	if err != nil {
		return 0, err
	}
	good, err := webauthncose.VerifySignature(public, a.signed, a.signature)
	if err != nil || !good {
		return 0, &Error{Kind: Refused, Msg: "the key's signature is wrong", Err: err}
	}
	return a.auth.count, nil
}

// Cloned says whether a sign count tells that there are two authenticators with the
// key: it has to rise, if it is not always 0 (§7.2 step 22, §6.1.1).
func Cloned(before, now uint32) bool { return (before != 0 || now != 0) && now <= before }
