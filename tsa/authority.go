package tsa

import (
	"context"
	"crypto"
	"crypto/x509"
	"time"
)

// AuthorityConfig describes an authority.
type AuthorityConfig struct {
	// Policies are those the authority stamps under. The first is the default, for
	// requests that name none.
	Policies []Policy
	// Clock gives the time of every stamp. It is asked while the unit's next number
	// is being taken, so it must answer from memory or by one system call.
	Clock Clock
	// Counter keeps the serial numbers of all units.
	Counter Counter
	// NameInToken puts the subject of the unit's certificate into the tsa field.
	NameInToken bool
}

// UnitConfig describes a unit: one key with one certificate.
type UnitConfig struct {
	// Name is the unit's for people, and for the [Counter]; never used again for
	// another key.
	Name string
	// Number is in the upper bits of its serial numbers: see [UnitNumber]. Never
	// used again for another key.
	Number uint32
	// Series is the row of units that follow one another; policies name it.
	Series string
	// Signer is the key, Certificate its certificate: extended key usage
	// timeStamping, critical and alone (RFC 3161 §2.3). Chain holds the issuers
	// that go into the token with it.
	Signer      crypto.Signer
	Certificate *x509.Certificate
	Chain       []*x509.Certificate
	// PSS signs with RSASSA-PSS.
	PSS bool
	// From and To bound the use further than the validity and the
	// privateKeyUsagePeriod of the certificate do; zero: they do not.
	From, To time.Time
}

// UnitState says whether a unit stamps.
type UnitState string

const (
	UnitWaiting UnitState = "waiting" // its time of use has not begun
	UnitActive  UnitState = "active"  // it stamps, unless a newer one of its series does
	UnitExpired UnitState = "expired" // its time of use is over
	UnitStopped UnitState = "stopped" // by [Authority.Stop], or because its numbers ran backwards
)

// UnitStatus is what can be known about a unit.
type UnitStatus struct {
	Name     string    `json:"name"`
	Number   uint32    `json:"number"`
	Series   string    `json:"series"`
	State    UnitState `json:"state"`
	Current  bool      `json:"current"`           // the next stamp of the series is made by it
	Reason   string    `json:"reason,omitempty"`  // why it was stopped
	From     time.Time `json:"from"`              // its time of use, both inclusive
	To       time.Time `json:"to"`                //
	Stamps   int64     `json:"stamps"`            // made since the process began
	Failures int64     `json:"failures"`          // signatures that failed or did not verify
	LastTime time.Time `json:"lastTime,omitzero"` // of the last stamp of this process
	Last     int64     `json:"lastSerial,omitempty"`
}

// Authority is a time-stamping authority. Its methods may be called from many
// goroutines.
type Authority struct{}

// NewAuthority checks the configuration and makes an authority without units.
func NewAuthority(cfg AuthorityConfig) (*Authority, error) {
	return nil, fail(BadConfig, nil, "not built yet")
}

// Add takes a unit into service from its time of use on. Of several units of a
// series whose time it is, the one whose time began last stamps. An error has Kind
// [BadConfig].
func (a *Authority) Add(u UnitConfig) error { return fail(BadConfig, nil, "not built yet") }

// Stop takes a unit out of service for good, and reports whether there is one of
// that name. Signatures that were asked for before are still made.
func (a *Authority) Stop(unit, reason string) bool { return false }

// Units gives the state of all units at the time of the clock, the newest of each
// series first.
func (a *Authority) Units(ctx context.Context) []UnitStatus { return nil }

// Stamp implements [Backend].
func (a *Authority) Stamp(ctx context.Context, request []byte) (Stamp, error) {
	return Stamp{}, fail(Unavailable, nil, "not built yet")
}

// Respond answers a TimeStampReq with a TimeStampResp, always: with the token, or
// with the reason why there is none (RFC 3161 §2.4.2).
func (a *Authority) Respond(ctx context.Context, request []byte) []byte { return nil }

// MaxTokenSize gives the size in octets of the largest token that the units there
// are can give for a request without a nonce.
func (a *Authority) MaxTokenSize() int { return 0 }
