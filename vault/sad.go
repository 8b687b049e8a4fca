package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"
)

// claims is what a SAD says. It is signed activation data in the sense of EN
// 419 241-1 SRA_SAP: it binds the signer, the key and what is to be signed to
// the authentication that allowed it. Names are those of RFC 7519 and of the
// registry of JWT claims, where there are some.
type claims struct {
	Issuer     string   `json:"iss"` // node
	Subject    string   `json:"sub"` // holder
	Credential string   `json:"cred"`
	Epoch      int      `json:"epoch"` // of the credential
	Key        []byte   `json:"key"`   // SHA-256 of the SubjectPublicKeyInfo
	Hash       string   `json:"hash"`
	Digests    [][]byte `json:"digests"`        // sorted, repetitions kept
	Documents  bool     `json:"docs,omitempty"` // the digests are of documents, see documents.go
	Count      int      `json:"count"`          // signatures that come of it at most: one for each digest
	Confirmed  []byte   `json:"conf,omitempty"`
	AMR        []string `json:"amr"` // RFC 8176: how the holder was authenticated
	Delegation string   `json:"dlg,omitempty"`
	Capture    string   `json:"cap,omitempty"` // of the handwritten signature that matched
	Client     string   `json:"client"`
	Nonce      []byte   `json:"nonce"`     // 16 random bytes: no two tokens are alike
	Authorised int64    `json:"auth_time"` // when the holder was authenticated, or the delegation used; Issued is later in extensions
	Issued     int64    `json:"iat"`       // seconds since the epoch
	Expires    int64    `json:"exp"`
	ID         string   `json:"jti"`
	Secret     []byte   `json:"d"` // what the KEK is derived from, sealed
}

// How a holder was authenticated: values of amr.
const (
	amrPassword  = "pwd"
	amrOTP       = "otp"
	amrDelegated = "delegated" // before, when the delegation was given
)

// A SAD is a JWT (RFC 7519) in the compact form of RFC 7515 §7.1, with this
// header and no other: there is no algorithm to choose, and a token of another
// type is none of ours (RFC 8725 §3.1, §3.11).
const (
	sadHeader = `{"alg":"HS256","typ":"sad+jwt"}`
	nonceSize = 16
	maxAMR    = 8
)

var sadHead = base64.RawURLEncoding.EncodeToString([]byte(sadHeader)) + "."

// mint makes and reads SADs. Both keys are derived from the token at the start:
// a vault that is started again reads the SADs of the one before. Neither is
// on disk, nor is anything of a SAD.
type mint struct {
	node string
	mac  [32]byte // for nothing else than SADs
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
	return newMessage("sigillo sad secret v2").text(c.Issuer).text(c.Subject).text(c.Credential).num(int64(c.Epoch)).
		bytes(c.Key).text(c.ID)
}

// tag is the signature of a JWS, in base64: HMAC-SHA-256 (RFC 7518 §3.2).
func (m *mint) tag(signingInput string) string {
	h := hmac.New(sha256.New, m.mac[:])
	io.WriteString(h, signingInput)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// issue makes a SAD of c, which has all fields but Issuer, Nonce, Issued, Expires
// and Secret set. Its life ends with that of the chain it is in.
func (m *mint) issue(c claims, d *[32]byte, now time.Time) (SAD, error) {
	c.Issuer, c.Issued = m.node, now.Unix()
	c.Expires = min(now.Add(SADLife).Unix(), c.Authorised+int64(SADChain/time.Second))
	c.Nonce = make([]byte, nonceSize)
	rand.Read(c.Nonce)
	c.Secret = m.seal.Seal(nil, nil, d[:], c.secretContext())
	b, err := json.Marshal(c)
	if err != nil {
		return SAD{}, &Error{Kind: Failed, Msg: "the SAD cannot be encoded", Err: err}
	}
	input := sadHead + base64.RawURLEncoding.EncodeToString(b)
	return SAD{Token: input + "." + m.tag(input), ID: c.ID, Expires: time.Unix(c.Expires, 0).UTC()}, nil
}

// read checks that token was minted here and returns what it says. Nothing is
// parsed before the MAC is known to be right. Whether it has expired, is spent
// or fits the request is for the caller to ask.
func (m *mint) read(token string) (*claims, error) {
	bad := fail(BadSAD, "this is not activation data of this vault; authorise again")
	dot := strings.LastIndexByte(token, '.')
	if dot < len(sadHead) || len(token) > maxFrame || token[:len(sadHead)] != sadHead {
		return nil, bad
	}
	// Compared as text: a decoder that skips line ends would let one SAD have
	// many spellings.
	if !hmac.Equal([]byte(token[dot+1:]), []byte(m.tag(token[:dot]))) {
		return nil, bad
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token[len(sadHead):dot])
	if err != nil {
		return nil, bad
	}
	c, err := parseClaims(b)
	if err != nil || c.Issuer != m.node {
		return nil, bad
	}
	return c, nil
}

// parseClaims reads the JSON of a SAD strictly: what is read must be encoded again
// to the same bytes, so that there is no field more, none twice, none spelt
// otherwise.
func parseClaims(b []byte) (*claims, error) {
	var c claims
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, &Error{Kind: BadSAD, Msg: "the activation data cannot be read", Err: err}
	}
	if again, err := json.Marshal(&c); err != nil || !bytes.Equal(again, b) {
		return nil, &Error{Kind: BadSAD, Msg: "the activation data is not spelt as it was minted", Err: err}
	}
	if _, err := checkDigests(c.Hash, c.Digests, MaxDigests); err != nil {
		return nil, err
	}
	if !c.consistent() {
		return nil, fail(BadSAD, "the activation data contradicts itself")
	}
	return &c, nil
}

// consistent says whether the claims fit each other.
func (c *claims) consistent() bool {
	named := c.ID != "" && c.Subject != "" && c.Credential != "" && c.Epoch > 0
	amr := len(c.AMR) > 0 && len(c.AMR) <= maxAMR && slices.Contains(c.AMR, amrDelegated) == (c.Delegation != "") &&
		slices.Contains(c.AMR, amrGraphometric) == (c.Capture != "")
	times := c.Authorised >= 0 && c.Issued >= c.Authorised && c.Expires > c.Issued &&
		c.Expires-c.Issued <= int64(SADLife/time.Second) && c.Expires-c.Authorised <= int64(SADChain/time.Second)
	return named && amr && times && c.Count == len(c.Digests) && slices.IsSortedFunc(c.Digests, bytes.Compare) &&
		isConfirmation(c.Confirmed) && len(c.Nonce) == nonceSize
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
