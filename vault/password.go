package vault

import (
	"context"
	"time"
)

// PasswordChange asks for another password. Credentials are all of the holder's,
// which are wrapped anew: one that is left out can never sign again. New must pass
// [auth.CheckPassword]. It wants the factors as [NewDevice] does.
type PasswordChange struct {
	Factors Factors `json:"factors"`
	Evidence
	New         []byte       `json:"new"`
	Credentials []Credential `json:"credentials"` // at most 64
}

// ChangedPassword has the new records, in the order of those given. All are stored in
// one transaction before [Client.AdoptFactors]. SADs minted before are good for nothing
// after it.
type ChangedPassword struct {
	Factors     Factors      `json:"factors"`
	Credentials []Credential `json:"credentials"`
}

// Recovery is for a holder who has forgotten the password. What the password protected
// is lost by design: all keys of the holder are destroyed, the factors are void. By
// are the two members of staff who identified the holder and decided it.
//
// The vault cannot know who asks. It need not: whoever has a holder recovered can sign
// nothing with the keys there were, since no password opens them any more. All there
// is to gain is that the holder needs new certificates.
type Recovery struct {
	Holder string   `json:"holder"`
	By     []string `json:"by"`     // two, and not the same
	Reason string   `json:"reason"` // at most 200 bytes, for the journal
}

// ActivationCode lets a holder enrol again: it goes to the holder and to nobody else,
// and into Enrolment.Activation with a password that only the holder knows.
type ActivationCode struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
}

// ActivationLife is how long an [ActivationCode] is good for.
const ActivationLife = 14 * 24 * time.Hour

// Recognition is the answer to an [Authentication].
type Recognition struct {
	// Browser goes to the browser that signed in, in a cookie, and comes back in
	// Evidence.Browser: failures of others then lock that browser out no more.
	Browser        string    `json:"browser"`
	BrowserExpires time.Time `json:"browserExpires"`
	// Methods are how the holder was recognised (RFC 8176): pwd, and otp, sms or pop.
	Methods []string `json:"methods"`
}

// ChangePassword changes the password and wraps the holder's keys anew. Until the new
// record is adopted, see [Client.AdoptFactors], the old password is the one that counts
// with the old records, and the new one with the new. p.Password and p.New are wiped.
func (c *Client) ChangePassword(ctx context.Context, p PasswordChange) (a ChangedPassword, err error) {
	defer clear(p.Password)
	defer clear(p.New)
	return a, c.call(ctx, opChangePassword, p, &a)
}

// Recover makes a holder's factors void and destroys the holder's keys; for a holder
// who is to enrol again. Asked again, it makes another code, and the former is void.
func (c *Client) Recover(ctx context.Context, r Recovery) (a ActivationCode, err error) {
	return a, c.call(ctx, opRecover, r, &a)
}

// ForgetBrowsers makes all of a holder's Browser tokens void.
func (c *Client) ForgetBrowsers(ctx context.Context, f Factors) error {
	return c.call(ctx, opForgetBrowsers, f, nil)
}
