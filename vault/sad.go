package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// claims is what a SAD says. It is signed activation data in the sense of EN
// 419 241-1 SRA_SAP: it binds the signer, the key and what is to be signed to
// the authentication that allowed it.
type claims struct {
	Issuer     string   `json:"iss"` // node
	Subject    string   `json:"sub"` // holder
	Credential string   `json:"cred"`
	Key        []byte   `json:"key"` // SHA-256 of the SubjectPublicKeyInfo
	Hash       string   `json:"hash"`
	Digests    [][]byte `json:"digests"` // sorted, repetitions kept
	Count      int      `json:"count"`
	Confirmed  []byte   `json:"conf,omitempty"` // SHA-256 over the findings that the holder confirmed
	AMR        []string `json:"amr"`            // RFC 8176: how the holder was authenticated
	Client     string   `json:"client"`
	ID         string   `json:"jti"`
	Issued     int64    `json:"iat"` // seconds since the epoch
	Expires    int64    `json:"exp"`
	Secret     []byte   `json:"d"` // what the KEK is derived from, sealed
}

// mint makes and reads SADs. Both keys are derived from the token at the start:
// a vault that is started again reads the SADs of the one before. Neither is
// on disk, nor is anything of a SAD.
type mint struct {
	node string
	mac  [32]byte
	seal cipher.AEAD
}

func newMint(node string, mac, seal *[32]byte) (*mint, error) {
	block, err := aes.NewCipher(seal[:])
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the sealing key cannot be used", Err: err}
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the sealing key cannot be used", Err: err}
	}
	return &mint{node: node, mac: *mac, seal: aead}, nil
}

// secretContext ties the sealed secret to its SAD.
func (c *claims) secretContext() []byte {
	return newMessage("sigillo sad secret v1").text(c.Issuer).text(c.Subject).text(c.Credential).bytes(c.Key).text(c.ID)
}

// issue makes a SAD of c, which has all fields but Issuer, AMR, Issued, Expires
// and Secret set.
func (m *mint) issue(c claims, d *[32]byte, now time.Time) (SAD, error) {
	c.Issuer, c.AMR = m.node, []string{"pwd", "otp"}
	c.Issued, c.Expires = now.Unix(), now.Add(SADLife).Unix()
	c.Secret = m.seal.Seal(nil, nil, d[:], c.secretContext())
	b, err := json.Marshal(c)
	if err != nil {
		return SAD{}, &Error{Kind: Failed, Msg: "the SAD cannot be encoded", Err: err}
	}
	enc := base64.RawURLEncoding
	head := enc.EncodeToString(b)
	tag := newMessage("sigillo sad v1").text(head).mac(&m.mac)
	return SAD{Token: head + "." + enc.EncodeToString(tag), ID: c.ID, Expires: time.Unix(c.Expires, 0).UTC()}, nil
}

// read checks that token was minted here and returns what it says. Nothing is
// parsed before the MAC is known to be right. Whether it has expired, is spent
// or fits the request is for the caller to ask.
func (m *mint) read(token string) (*claims, error) {
	bad := fail(BadSAD, "this is not activation data of this vault; authorise again")
	enc := base64.RawURLEncoding.Strict()
	head, tail, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxFrame {
		return nil, bad
	}
	// Compared as text: a decoder that skips line ends would let one SAD have
	// many spellings.
	tag := enc.EncodeToString(newMessage("sigillo sad v1").text(head).mac(&m.mac))
	if !hmac.Equal([]byte(tail), []byte(tag)) {
		return nil, bad
	}
	b, err := enc.DecodeString(head)
	if err != nil {
		return nil, bad
	}
	c, err := parseClaims(b)
	if err != nil || c.Issuer != m.node {
		return nil, bad
	}
	return c, nil
}

// parseClaims reads the JSON of a SAD strictly: no field more, none malformed.
func parseClaims(b []byte) (*claims, error) {
	var c claims
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil || d.More() {
		return nil, &Error{Kind: BadSAD, Msg: "the activation data cannot be read", Err: err}
	}
	if _, err := checkDigests(c.Hash, c.Digests, MaxDigests); err != nil {
		return nil, err
	}
	ordered := slices.IsSortedFunc(c.Digests, bytes.Compare)
	if c.Count != len(c.Digests) || !ordered || !isConfirmation(c.Confirmed) || c.ID == "" || c.Subject == "" || c.Credential == "" ||
		c.Expires <= c.Issued || c.Expires-c.Issued > int64(SADLife/time.Second) {
		return nil, fail(BadSAD, "the activation data contradicts itself")
	}
	return &c, nil
}

// isConfirmation says whether b can be a hash of what was confirmed, or none.
func isConfirmation(b []byte) bool { return len(b) == 0 || len(b) == sha256.Size }

// secret opens the sealed secret.
func (m *mint) secret(c *claims) (d [32]byte, err error) {
	b, err := m.seal.Open(nil, nil, c.Secret, c.secretContext())
	if err != nil || len(b) != len(d) {
		return d, fail(BadSAD, "the activation data does not open; authorise again")
	}
	defer clear(b)
	copy(d[:], b)
	return d, nil
}

// newJTI makes the identifier of the SAD for one grant: the repetition of a
// request whose answer was lost gets the same one, so that both answers together
// are good for one use.
func newJTI(key *[32]byte, binding string, holder string, step int64) string {
	tag := newMessage("sigillo jti v1").text(binding).text(holder).num(step).mac(key)
	return hex.EncodeToString(tag[:16])
}
