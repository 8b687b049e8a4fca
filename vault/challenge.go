package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Challenge is what a passkey is to sign. Options is the JSON of
// PublicKeyCredentialRequestOptions (or, of [Client.PasskeyOptions],
// PublicKeyCredentialCreationOptions; WebAuthn Level 3 §5.4, §5.5, byte strings in
// base64url) for the browser; what it answers, the JSON of PublicKeyCredential
// (§5.1 toJSON), goes into Evidence.Passkey or NewDevice.Registration.
type Challenge struct {
	Options json.RawMessage `json:"options"`
	Expires time.Time       `json:"expires"` // five minutes
}

// CodeRequest asks that a code be sent to one of the holder's phones. The code is good
// for the request it was asked for, once, for five minutes and three tries; a new one
// takes the place of the former. Language is BCP 47; "it" or "en" are spoken.
type CodeRequest struct {
	Device   string `json:"device,omitempty"` // empty: the first phone that counts
	Language string `json:"language,omitempty"`
}

// CodeSent says what became of a [CodeRequest]. It is the same for a holder who does
// not exist, or has no phone.
type CodeSent struct {
	Expires time.Time `json:"expires"`
	Resend  time.Time `json:"resend"` // when another one can be asked for
}

// Courier carries a text to a holder, by ways that do not lead through the service:
// whoever has taken that over must not see the codes. Send may take its time; what it
// returns goes to the vault's log and journal.
type Courier interface {
	Send(ctx context.Context, to, text string) error
}

// operation names the vault's operation for a request that wants a holder's factors.
func operation(request any) (string, error) {
	switch request.(type) {
	case Authentication:
		return opAuthenticate, nil
	case Authorisation:
		return opAuthorise, nil
	case NewCredential:
		return opCreateCredential, nil
	case NewDevice:
		return opAddDevice, nil
	case DeviceRemoval:
		return opRemoveDevice, nil
	case NewCodes:
		return opRecoveryCodes, nil
	case PasswordChange:
		return opChangePassword, nil
	case DeviceConfirmation:
		return opConfirmDevice, nil
	}
	return "", fail(BadRequest, fmt.Sprintf("a %T wants no factors", request))
}

// challengeRequest carries the request a challenge or a code is for.
type challengeRequest struct {
	Op      string          `json:"op"`
	Request json.RawMessage `json:"request"`
	Code    *CodeRequest    `json:"code,omitempty"`
}

func (c *Client) about(ctx context.Context, op string, request any, code *CodeRequest, out any) error {
	what, err := operation(request)
	if err != nil {
		return err
	}
	b, err := json.Marshal(request)
	if err != nil {
		return &Error{Kind: BadRequest, Msg: "the request cannot be encoded", Err: err}
	}
	defer clear(b)
	return c.call(ctx, op, challengeRequest{Op: what, Request: b, Code: code}, out)
}

// Challenge mints what the holder's passkey is to sign for the request, which is the
// one that will be made, with the client but without factors yet: an Authentication,
// an Authorisation, and so on. The passkey's answer is good for that request and no
// other: not for other digests, not for another operation.
func (c *Client) Challenge(ctx context.Context, request any) (ch Challenge, err error) {
	return ch, c.about(ctx, opChallenge, request, nil, &ch)
}

// PasskeyOptions mints what a browser needs to make a passkey for the holder of f.
func (c *Client) PasskeyOptions(ctx context.Context, f Factors) (ch Challenge, err error) {
	return ch, c.call(ctx, opPasskeyOptions, f, &ch)
}

// SendCode has a code sent to the holder, for the request that will be made with it in
// Evidence.OTP, as in [Client.Challenge]. Locked when too many were asked for;
// NotAllowed where no courier is configured.
func (c *Client) SendCode(ctx context.Context, request any, q CodeRequest) (s CodeSent, err error) {
	return s, c.about(ctx, opSendCode, request, &q, &s)
}
