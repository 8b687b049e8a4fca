package tsa

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sigillo/formats/cms"
)

// Config describes an authority.
type Config struct {
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
	Trouble  string    `json:"trouble,omitempty"` // why it cannot stamp although it is active; it is not current then
	From     time.Time `json:"from"`              // its time of use, both inclusive
	To       time.Time `json:"to"`                //
	Stamps   int64     `json:"stamps"`            // made since the process began
	Failures int64     `json:"failures"`          // signatures that failed or did not verify
	LastTime time.Time `json:"lastTime,omitzero"` // of the last stamp of this process
}

// Authority is a time-stamping authority: policies, the units that stamp under
// them, and one clock. Its methods may be called from many goroutines.
//
// mu is held while units are added and stopped. Stamps read series, a map that is
// replaced and never changed, and hold no lock but that of the unit's [numbers],
// and that not while the key signs.
type Authority struct {
	cfg      Config
	policies []*policy // the first is the default

	mu     sync.Mutex
	series atomic.Pointer[map[string][]*unit] // newest first
}

// NewAuthority checks the configuration and makes an authority without units. An
// error has Kind [BadConfig].
func NewAuthority(cfg Config) (*Authority, error) {
	if cfg.Clock == nil || cfg.Counter == nil || len(cfg.Policies) == 0 {
		return nil, fail(BadConfig, nil, "the authority needs a clock, a counter and a policy")
	}
	a := &Authority{cfg: cfg}
	for _, p := range cfg.Policies {
		checked, err := newPolicy(p)
		if err != nil {
			return nil, err
		}
		if a.policy(checked.element) != nil {
			return nil, fail(BadConfig, nil, "two policies have the identifier %v", p.OID)
		}
		if c, ok := cfg.Clock.(interface{ Keeps() time.Duration }); ok && c.Keeps() > p.Accuracy {
			return nil, fail(BadConfig, nil, "policy %q states an accuracy of %v; the clock is held to %v only", p.Name, p.Accuracy, c.Keeps())
		}
		checked.index = len(a.policies)
		a.policies = append(a.policies, checked)
	}
	a.series.Store(&map[string][]*unit{})
	return a, nil
}

// policy gives the policy of an OBJECT IDENTIFIER as a request has it, nil if there
// is none.
func (a *Authority) policy(element []byte) *policy {
	for _, p := range a.policies {
		if bytes.Equal(p.element, element) {
			return p
		}
	}
	return nil
}

// Add takes a unit into service from its time of use on. Of several units of a
// series whose time it is, the one whose time began last stamps. A name or number
// that was there before is refused, unless that unit was stopped and has the same
// key: then it is in service again. An error has Kind [BadConfig].
func (a *Authority) Add(cfg UnitConfig) error {
	u, err := a.newUnit(cfg)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	all := maps.Clone(*a.series.Load())
	for series, units := range all {
		for i, old := range units {
			if old.cfg.Name != cfg.Name && old.cfg.Number != cfg.Number {
				continue
			}
			if !old.succeededBy(u) {
				return fail(BadConfig, nil, "the name or number of unit %q was given to another key; serial numbers would be given twice", cfg.Name)
			}
			all[series] = slices.Delete(slices.Clone(units), i, i+1)
		}
	}
	units := append(slices.Clone(all[cfg.Series]), u)
	slices.SortStableFunc(units, func(x, y *unit) int { return cmp.Compare(y.numbers.from, x.numbers.from) })
	all[cfg.Series] = units
	a.series.Store(&all)
	u.start()
	return nil
}

// Stop takes a unit out of service, and reports whether there is one of that name.
// Signatures that were asked for before are still made. It stays stopped until it
// is given to Add again.
func (a *Authority) Stop(name, reason string) bool {
	for _, units := range *a.series.Load() {
		for _, u := range units {
			if u.cfg.Name == name {
				u.numbers.stop(reason)
				return true
			}
		}
	}
	return false
}

// Units gives the state of all units at the time of the clock, the newest of each
// series first. While the clock has no time, no unit is current. A unit whose numbers
// could not be stored asks for them again, so that who only looks learns when it is
// over.
func (a *Authority) Units(ctx context.Context) []UnitStatus {
	now, err := a.cfg.Clock.Now(ctx)
	trusted := err == nil
	if !trusted {
		now = time.Now()
	}
	all := *a.series.Load()
	var out []UnitStatus
	for _, series := range slices.Sorted(maps.Keys(all)) {
		current := trusted
		for _, u := range all[series] {
			if trusted {
				u.numbers.retry(now)
			}
			s := u.status(now)
			s.Current = current && s.State == UnitActive && s.Trouble == ""
			current = current && s.State != UnitActive
			out = append(out, s)
		}
	}
	return out
}

// Respond answers a TimeStampReq with a TimeStampResp, always: with the token, or
// with the reason why there is none (RFC 3161 §2.4.2).
func (a *Authority) Respond(ctx context.Context, request []byte) []byte {
	s, err := a.Stamp(ctx, request)
	if err != nil {
		return cms.MarshalRefusal(Refusal(err))
	}
	return cms.MarshalResponse(s.Token)
}

// Stamp implements [Backend].
func (a *Authority) Stamp(ctx context.Context, request []byte) (Stamp, error) {
	return a.StampInto(ctx, request, nil)
}

// StampInto is Stamp with the token in the octets of room, from its beginning, if
// it fits there: for who passes tokens on at once. room must not overlap request.
// It is the one place where a time-stamp is made.
func (a *Authority) StampInto(ctx context.Context, request, room []byte) (Stamp, error) {
	// 1. The request is one, and asks for something this authority does (RFC 3161
	// §2.4.1).
	view, refusal := cms.ReadRequest(request)
	if refusal != nil {
		return Stamp{}, fail(BadRequest, refusal, "the request is wrong")
	}
	p := a.policies[0]
	if view.Policy != nil {
		if p = a.policy(view.Policy); p == nil {
			return Stamp{}, fail(UnacceptedPolicy, nil, "the policy is not known here; leave it out to get %v", a.policies[0].OID)
		}
	}
	if !p.accepts(view.Hash) {
		return Stamp{}, fail(UnacceptedHash, nil, "policy %v does not stamp %v digests; use SHA-256", p.OID, view.Hash)
	}
	if err := ctx.Err(); err != nil {
		return Stamp{}, fail(Unavailable, err, "the request was given up before its turn came")
	}
	// 2. A unit whose time it is, a time that is vouched for and a serial number that
	// nothing else will ever have. Durable: that the number is taken.
	u, at, serial, refused := a.take(ctx, p)
	if refused != nil {
		return Stamp{}, refused
	}
	// 3. The TSTInfo with imprint and nonce as they came, signed and verified (RFC
	// 3161 §2.4.2).
	token, certs, refused := u.token(ctx, p, &view, serial, at, room)
	if refused != nil {
		return Stamp{}, refused
	}
	return Stamp{Unit: u.cfg.Name, Serial: serial, GenTime: at, Policy: p.OID, Token: token, Certs: certs}, nil
}

// take goes through the units of the policy's series from the newest. One whose
// time has not begun, is over, or that was stopped is passed over; what else goes
// wrong is not mended by another unit.
func (a *Authority) take(ctx context.Context, p *policy) (*unit, time.Time, int64, *Error) {
	var last *Error
	for _, u := range (*a.series.Load())[p.Series] {
		at, serial, refused := u.numbers.take(ctx)
		if refused == nil {
			return u, at, serial, nil
		}
		if refused.Kind != NotValid && refused.Kind != Stopped {
			return nil, at, 0, refused
		}
		last = refused
	}
	if last == nil {
		return nil, time.Time{}, 0, fail(Stopped, nil, "no unit is in service for policy %v", p.OID)
	}
	return nil, time.Time{}, 0, fail(last.Kind, last, "no unit is in service for policy %v", p.OID)
}

// MaxTokenSize gives the size in octets of the largest token that the units there
// are can give for a request without a nonce, 0 if there is no unit.
func (a *Authority) MaxTokenSize() int {
	largest := 0
	for _, units := range *a.series.Load() {
		for _, u := range units {
			largest = max(largest, u.maxToken)
		}
	}
	return largest
}
