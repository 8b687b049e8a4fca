package vault

import (
	"context"
	"time"
)

// DeviceKind says how a device of a holder proves that it is there.
type DeviceKind string

// The kinds of [Device].
const (
	TOTP    DeviceKind = "totp"    // an authenticator with a clock (RFC 6238)
	HOTP    DeviceKind = "hotp"    // an authenticator with a counter (RFC 4226)
	Passkey DeviceKind = "passkey" // a key pair of the holder's (WebAuthn)
	Phone   DeviceKind = "phone"   // a code is sent to an address of the holder's
)

const (
	// MaxDevices is how many devices a holder may have.
	MaxDevices = 8
	// ConfirmWithin is how long a new device waits for its first code. After that
	// it never counts: remove it and add it again.
	ConfirmWithin = time.Hour
	// ResyncSteps is how many counts ahead the codes of [Resynchronisation] may be. With
	// TOTP it is [auth.MaxDrift] steps of 30 seconds to each side.
	ResyncSteps = 100
)

// Device is a second factor of a holder, as it stands in [Factors]. The secrets of
// all devices are sealed together, in Factors.OTP.
type Device struct {
	ID      string     `json:"id"`
	Kind    DeviceKind `json:"kind"`
	Label   string     `json:"label"` // the holder's name for it
	Created time.Time  `json:"created"`
	// To is where a code is sent to: a telephone number or an e-mail address.
	To string `json:"to,omitempty"`
	// Key is the record of a passkey, public ([passkey.Key], JSON).
	Key []byte `json:"key,omitempty"`
}

// DeviceStatus is what a holder is told about a device.
type DeviceStatus struct {
	ID        string     `json:"id"`
	Kind      DeviceKind `json:"kind"`
	Label     string     `json:"label"`
	To        string     `json:"to,omitempty"` // but the last four characters hidden
	Created   time.Time  `json:"created"`
	Used      time.Time  `json:"used"`      // last time; zero: never
	Confirmed bool       `json:"confirmed"` // it counts
}

// Means is what a holder has to be recognised by, without secrets.
type Means struct {
	Devices []DeviceStatus `json:"devices"`
	// Codes is how many recovery codes are left.
	Codes int `json:"codes"`
}

// NewDevice asks for a further device of a holder. It wants the holder's live
// factors: the password and a device that counts already; of who has a passkey, the
// passkey or a recovery code, because a code says nothing of what it was typed for.
type NewDevice struct {
	Factors Factors `json:"factors"`
	Evidence
	Kind  DeviceKind `json:"kind"`
	Label string     `json:"label"` // at most 200 bytes
	// To is wanted for a Phone.
	To string `json:"to,omitempty"`
	// Seed is the secret of a device that was made with one, 16 to 64 bytes; empty:
	// a new one is drawn. For TOTP and HOTP.
	Seed []byte `json:"seed,omitempty"`
	// Registration is what the browser answered to [Client.PasskeyOptions]: the JSON
	// of PublicKeyCredential. For a Passkey, which counts at once.
	Registration []byte `json:"registration,omitempty"`
}

// AddedDevice is the answer to [NewDevice]. URI is the otpauth:// address for the QR
// code of TOTP and HOTP, which holds the secret: it is shown once and kept nowhere.
type AddedDevice struct {
	Factors Factors `json:"factors"` // the new record, see [Client.AdoptFactors]
	Device  string  `json:"device"`
	URI     string  `json:"uri,omitempty"`
}

// DeviceConfirmation is the first code of a new device; then it counts. Ten wrong
// ones, or an hour, and it never will.
type DeviceConfirmation struct {
	Factors Factors `json:"factors"`
	Device  string  `json:"device"`
	Code    string  `json:"code"`
	Client  string  `json:"client"`
	Browser string  `json:"browser,omitempty"` // as in Evidence; for [Client.SendCode]
}

// DeviceRemoval takes a device away. The last one that counts stays. It wants the
// factors as [NewDevice] does.
type DeviceRemoval struct {
	Factors Factors `json:"factors"`
	Evidence
	Device string `json:"device"`
}

// Resynchronisation finds a device again that has drifted away: two codes that
// follow each other (RFC 4226 §7.4, RFC 6238 §6), with the password. Evidence.OTP is
// the first. A wrong one counts as a failure like any other.
type Resynchronisation struct {
	Factors Factors `json:"factors"`
	Evidence
	Device string `json:"device"`
	Second string `json:"second"`
}

// NewCodes asks for ten recovery codes in the place of all former ones. It wants the
// factors as [NewDevice] does.
type NewCodes struct {
	Factors Factors `json:"factors"`
	Evidence
}

// AddDevice adds a device. The answer has a new Factors record, see
// [Client.AdoptFactors]. It counts after [Client.ConfirmDevice] with that record.
// NotAllowed when there are [MaxDevices]. n.Password and n.Seed are wiped.
func (c *Client) AddDevice(ctx context.Context, n NewDevice) (a AddedDevice, err error) {
	defer clear(n.Password)
	defer clear(n.Seed)
	return a, c.call(ctx, opAddDevice, n, &a)
}

// ConfirmDevice makes a new device count. WrongOTP when the code is not the one.
func (c *Client) ConfirmDevice(ctx context.Context, d DeviceConfirmation) error {
	return c.call(ctx, opConfirmDevice, d, nil)
}

// RemoveDevice takes a device away. The answer is a new Factors record, see
// [Client.AdoptFactors]. d.Password is wiped.
func (c *Client) RemoveDevice(ctx context.Context, d DeviceRemoval) (f Factors, err error) {
	defer clear(d.Password)
	return f, c.call(ctx, opRemoveDevice, d, &f)
}

// Resynchronise finds a TOTP or HOTP device again. r.Password is wiped.
func (c *Client) Resynchronise(ctx context.Context, r Resynchronisation) error {
	defer clear(r.Password)
	return c.call(ctx, opResynchronise, r, nil)
}

// RecoveryCodes makes ten one-time recovery codes of 80 bits each, to be shown once
// and kept nowhere. Each is good once, in Evidence.OTP, with or without its dashes.
// n.Password is wiped.
func (c *Client) RecoveryCodes(ctx context.Context, n NewCodes) (codes []string, err error) {
	defer clear(n.Password)
	return codes, c.call(ctx, opRecoveryCodes, n, &codes)
}

// Means lists what the holder of f is recognised by, for the holder to see.
func (c *Client) Means(ctx context.Context, f Factors) (m Means, err error) {
	return m, c.call(ctx, opMeans, f, &m)
}

// AdoptFactors makes f, which the vault made last for its holder, the only record
// that counts. Until then the one before counts too: a caller whose answer was lost
// goes on with what it has. The order is: ask for the change, store the new record
// (and credentials) in one transaction, adopt. The first request that shows the new
// record adopts it as well. Adopting twice is no error; Tampered when f is neither
// the last nor the current record.
func (c *Client) AdoptFactors(ctx context.Context, f Factors) error {
	return c.call(ctx, opAdoptFactors, f, nil)
}
