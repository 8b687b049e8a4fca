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

// CodeSent says what became of a [CodeRequest]. Strangers are answered alike whether
// the holder exists, has a phone, was sent a code or may be sent none now; who shows a
// Browser token is told.
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
	case NewDelegation:
		return opDelegate, nil
	case NewTablet:
		return opRegisterTablet, nil
	case NewCapture:
		return opOpenCapture, nil
	case FinishEnrolment:
		return opFinishEnrolment, nil
	case RollBack:
		return opRollBackProfile, nil
	}
	return "", fail(BadRequest, fmt.Sprintf("a %T wants no factors", request))
}

// challengeRequest carries the request a challenge or a code is for.
type challengeRequest struct {
	Op      string          `json:"op"`
	Request json.RawMessage `json:"request"`
	Code    *CodeRequest    `json:"code,omitempty"`
	Unnamed bool            `json:"unnamed,omitempty"` // who asks is a stranger: no keys are named
}

func (c *Client) about(ctx context.Context, op string, request any, q challengeRequest, out any) error {
	what, err := operation(request)
	if err != nil {
		return err
	}
	b, err := json.Marshal(request)
	if err != nil {
		return &Error{Kind: BadRequest, Msg: "the request cannot be encoded", Err: err}
	}
	defer clear(b)
	q.Op, q.Request = what, b
	return c.call(ctx, op, q, out)
}

// Challenge mints what the holder's passkey is to sign for the request, which is the
// one that will be made, with the client but without factors yet: an Authentication,
// an Authorisation, and so on. The passkey's answer is good for that request and no
// other: not for other digests, not for another operation.
func (c *Client) Challenge(ctx context.Context, request any) (ch Challenge, err error) {
	return ch, c.about(ctx, opChallenge, request, challengeRequest{}, &ch)
}

// UnnamedChallenge is [Client.Challenge] for who has typed a username and shown nothing:
// no keys are named and nothing is looked up, so that the answer says nothing of the
// holder, or whether there is one. The browser lets its user choose the passkey.
func (c *Client) UnnamedChallenge(ctx context.Context, request any) (ch Challenge, err error) {
	return ch, c.about(ctx, opChallenge, request, challengeRequest{Unnamed: true}, &ch)
}

// PasskeyOptions mints what a browser needs to make a passkey for the holder of f.
func (c *Client) PasskeyOptions(ctx context.Context, f Factors) (ch Challenge, err error) {
	return ch, c.call(ctx, opPasskeyOptions, f, &ch)
}

// SendCode has a code sent to the holder, for the request that will be made with it in
// Evidence.OTP, as in [Client.Challenge]. One a minute is sent, ten a day at most,
// counted apart for strangers and for who shows a Browser token, who is told with Locked
// when there are no more, with NotAllowed when there is no such phone, and with
// Undelivered when the courier fails within some seconds; for longer nobody waits for
// it. NotAllowed too where no courier is configured.
//
// For an Authorisation with an Application and no Digests the code is bound to the
// holder, the credential and the application, and good for any digests, as the codes of
// the holder's own devices are. There is one such code of a holder at a time, its sendings
// are counted apart, and the caller is told as who shows a Browser token is.
func (c *Client) SendCode(ctx context.Context, request any, q CodeRequest) (s CodeSent, err error) {
	return s, c.about(ctx, opSendCode, request, challengeRequest{Code: &q}, &s)
}

// asked is the request a challenge or a code is for.
type asked struct {
	op      string
	factors Factors
	browser string
	content []byte
	count   int // of digests
	device  string

	// open: an application asks before it has the digests, see Authorisation.open.
	open                    bool
	application, credential string
}

// asking reads the request in a challengeRequest.
func asking(q *challengeRequest) (*asked, error) {
	switch q.Op {
	case opAuthenticate:
		return askedOf(q, func(b *Authentication) asked {
			return asked{factors: b.Factors, browser: b.Browser, content: b.content()}
		})
	case opAuthorise:
		return askedAuthorisation(q)
	case opCreateCredential:
		return askedOf(q, func(b *NewCredential) asked {
			return asked{factors: b.Factors, browser: b.Browser, content: b.content()}
		})
	case opDelegate:
		return askedOf(q, func(b *NewDelegation) asked {
			return asked{factors: b.Factors, browser: b.Browser, content: b.content(), count: b.Count}
		})
	case opAddDevice:
		return askedOf(q, func(b *NewDevice) asked { return asked{factors: b.Factors, browser: b.Browser, content: b.content()} })
	case opRemoveDevice:
		return askedOf(q, func(b *DeviceRemoval) asked {
			return asked{factors: b.Factors, browser: b.Browser, content: b.content()}
		})
	case opRecoveryCodes:
		return askedOf(q, func(b *NewCodes) asked { return asked{factors: b.Factors, browser: b.Browser, content: b.content()} })
	case opChangePassword:
		return askedOf(q, func(b *PasswordChange) asked {
			return asked{factors: b.Factors, browser: b.Browser, content: b.content()}
		})
	case opConfirmDevice:
		return askedOf(q, func(b *DeviceConfirmation) asked {
			return asked{factors: b.Factors, browser: b.Browser, content: b.content(), device: b.Device}
		})
	case opRegisterTablet:
		return askedOf(q, func(b *NewTablet) asked { return asked{factors: b.Factors, browser: b.Browser, content: b.content()} })
	case opRollBackProfile:
		return askedOf(q, func(b *RollBack) asked { return asked{factors: b.Factors, browser: b.Browser, content: b.content()} })
	case opOpenCapture:
		return askedOf(q, func(b *NewCapture) asked {
			return asked{factors: b.Operator, browser: b.Presence.Browser, content: b.content(), count: len(b.Digests)}
		})
	case opFinishEnrolment:
		return askedOf(q, func(b *FinishEnrolment) asked {
			return asked{factors: b.Second, browser: b.SecondPresence.Browser, content: b.content()}
		})
	}
	return nil, fail(BadRequest, "this operation wants no factors")
}

func askedOf[T any](q *challengeRequest, as func(*T) asked) (*asked, error) {
	var body T
	if err := json.Unmarshal(q.Request, &body); err != nil {
		return nil, fail(BadRequest, "the body of the request cannot be read")
	}
	a := as(&body)
	a.op = q.Op
	return &a, nil
}

// askedAuthorisation reads an Authorisation, also one that has no digests yet.
func askedAuthorisation(q *challengeRequest) (*asked, error) {
	var refused error
	a, err := askedOf(q, func(b *Authorisation) asked {
		refused = b.checkApplication()
		a := asked{factors: b.Factors, browser: b.Browser, content: b.content(), count: len(b.Digests)}
		if b.Application != "" && len(b.Digests) == 0 {
			a.open, a.content, a.application, a.credential = true, b.open(), b.Application, b.Credential.ID
		}
		return a
	})
	return a, firstError(err, refused)
}

func (a *Authentication) content() []byte {
	return newMessage("authenticate").text(a.Factors.Holder).text(a.Client).sha256()
}

func (n *NewDevice) content() []byte {
	return newMessage("add device").text(n.Factors.Holder).text(string(n.Kind)).text(n.Label).text(n.To).
		bytes(newMessage("seed").bytes(n.Seed).sha256()).bytes(n.Registration).text(n.Client).sha256()
}

func (d *DeviceRemoval) content() []byte {
	return newMessage("remove device").text(d.Factors.Holder).text(d.Device).text(d.Client).sha256()
}

func (n *NewCodes) content() []byte {
	return newMessage("recovery codes").text(n.Factors.Holder).text(n.Client).sha256()
}

// content does not say what the new password is: who makes a challenge for it need not
// have it yet.
func (p *PasswordChange) content() []byte {
	m := newMessage("change password").text(p.Factors.Holder).text(p.Client).num(int64(len(p.Credentials)))
	for i := range p.Credentials {
		m = m.bytes(p.Credentials[i].MAC)
	}
	return m.sha256()
}

func (d *DeviceConfirmation) content() []byte {
	return newMessage("confirm device").text(d.Factors.Holder).text(d.Device).text(d.Client).sha256()
}

func (r *Resynchronisation) content() []byte {
	return newMessage("resynchronise").text(r.Factors.Holder).text(r.Device).text(r.Client).sha256()
}
