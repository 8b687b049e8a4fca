// Package passkey checks what browsers and authenticators answer in the two
// ceremonies of Web Authentication Level 3: the making of a key pair (§7.1) and the
// proof that it is there (§7.2). It has no state, no clock and no network: challenges
// are made and used up by the caller.
//
// What it demands is fixed: the user was present and was verified (by finger, face or
// PIN), the page was of one of our origins and not in a frame of another's, the key
// signs with ES256, EdDSA or RS256. Attestation is not asked for and not looked at: a
// key is as good as the browser it came from.
//
// Keys and their signatures are read by go-webauthn's webauthncbor and webauthncose.
// The rest of that library, which brings metadata services, TPM statements and an HTTP
// client with it, is a second opinion in the tests.
package passkey

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Limits of what is read.
const (
	// MaxResponse is the most bytes of an answer of a browser.
	MaxResponse = 64 << 10
	// MaxID is the most bytes of a credential ID (WebAuthn §4, credential ID).
	MaxID  = 1023
	maxKey = 2 << 10 // bytes of a COSE key; one of RSA-4096 has about 530
	// ChallengeMin is the least number of bytes of a challenge (§13.4.3).
	ChallengeMin = 16
)

// Kind says what went wrong in a way that a program can act on.
type Kind string

// The kinds of [Error].
const (
	// Malformed: what the browser sent cannot be read.
	Malformed Kind = "Malformed"
	// Refused: it can be read, and is not what was asked for.
	Refused Kind = "Refused"
)

// Error is the error of this package. Msg holds nothing secret.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("passkey: %s: %v", e.Msg, e.Err)
	}
	return "passkey: " + e.Msg
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

func malformed(err error, msg string) error { return &Error{Kind: Malformed, Msg: msg, Err: err} }

func refused(msg string) error { return &Error{Kind: Refused, Msg: msg} }

// KindOf returns the kind of err: "" for nil and for errors of others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Party is who relies on the keys.
type Party struct {
	ID      string   // the domain keys are bound to (§5.1.2)
	Name    string   // what the browser shows
	Origins []string // "https://sign.example.org"; any of them may ask
}

// Key is the record of a passkey: public, to be kept where it cannot be changed.
type Key struct {
	ID     []byte `json:"id"`     // credential ID
	Public []byte `json:"public"` // COSE_Key (RFC 9052 §7)
	// Synced: the key may be copied to other devices of the user (§6.1.3, BE). What
	// the authenticator says of itself.
	Synced bool `json:"synced,omitempty"`
}

// The algorithms that are asked for, in order of preference (RFC 9053 §2.1, §2.2; RFC
// 8812 §2).
const (
	algES256 = -7
	algEdDSA = -8
	algRS256 = -257
)

var algorithms = []int{algES256, algEdDSA, algRS256}

// b64 is bytes in base64url without padding, as everywhere in the JSON of WebAuthn.
type b64 []byte

func (b b64) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(b)), nil
}

func (b *b64) UnmarshalText(text []byte) (err error) {
	if bytes.ContainsAny(text, "\r\n") {
		return errors.New("a line end in base64url")
	}
	*b, err = base64.RawURLEncoding.Strict().DecodeString(string(text))
	return err
}

type descriptor struct {
	Type string `json:"type"`
	ID   b64    `json:"id"`
}

func descriptors(ids [][]byte) []descriptor {
	list := make([]descriptor, 0, len(ids))
	for _, id := range ids {
		list = append(list, descriptor{"public-key", id})
	}
	return list
}

// User is for whom a key is made. ID is what the authenticator hands back; it holds no
// name (§14.6.1). Name and Display are shown to the user to tell keys apart.
type User struct {
	ID            []byte // at most 64 bytes
	Name, Display string
}

// CreationOptions returns the JSON of PublicKeyCredentialCreationOptions for
// navigator.credentials.create (§5.4). No key is made where one of have is. The key
// can be found without being named, so that a page of sign-in need not name any.
func (p *Party) CreationOptions(challenge []byte, u User, have [][]byte, millis int64) (json.RawMessage, error) {
	if err := p.check(challenge); err != nil {
		return nil, err
	}
	if len(u.ID) == 0 || len(u.ID) > 64 {
		return nil, refused("the user's handle must have 1 to 64 bytes")
	}
	type parameter struct {
		Type string `json:"type"`
		Alg  int    `json:"alg"`
	}
	var o struct {
		RP struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"rp"`
		User struct {
			ID      b64    `json:"id"`
			Name    string `json:"name"`
			Display string `json:"displayName"`
		} `json:"user"`
		Challenge  b64          `json:"challenge"`
		Parameters []parameter  `json:"pubKeyCredParams"`
		Timeout    int64        `json:"timeout"`
		Exclude    []descriptor `json:"excludeCredentials"`
		Selection  struct {
			Resident     string `json:"residentKey"`
			Require      bool   `json:"requireResidentKey"`
			Verification string `json:"userVerification"`
		} `json:"authenticatorSelection"`
		Attestation string `json:"attestation"`
	}
	o.RP.ID, o.RP.Name = p.ID, p.Name
	o.User.ID, o.User.Name, o.User.Display = u.ID, u.Name, u.Display
	o.Challenge, o.Timeout, o.Exclude = challenge, millis, descriptors(have)
	for _, a := range algorithms {
		o.Parameters = append(o.Parameters, parameter{"public-key", a})
	}
	o.Selection.Resident, o.Selection.Require, o.Selection.Verification = "required", true, "required"
	o.Attestation = "none"
	return json.Marshal(o)
}

// RequestOptions returns the JSON of PublicKeyCredentialRequestOptions for
// navigator.credentials.get (§5.5). With no keys named, the browser lets the user
// choose one: what it is told then says nothing about anybody.
func (p *Party) RequestOptions(challenge []byte, keys [][]byte, millis int64) (json.RawMessage, error) {
	if err := p.check(challenge); err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Challenge    b64          `json:"challenge"`
		Timeout      int64        `json:"timeout"`
		RPID         string       `json:"rpId"`
		Allow        []descriptor `json:"allowCredentials"`
		Verification string       `json:"userVerification"`
	}{challenge, millis, p.ID, descriptors(keys), "required"})
}

func (p *Party) check(challenge []byte) error {
	if p.ID == "" || len(p.Origins) == 0 {
		return refused("passkeys need a domain and an origin")
	}
	if len(challenge) < ChallengeMin {
		return refused("the challenge is too short")
	}
	return nil
}
