package vault

import (
	"context"
	"time"

	"sigillo/hsm"
	"sigillo/tsa"
	"sigillo/tsa/clock"
)

// TSAConfig says how a vault makes time-stamps.
type TSAConfig struct {
	// Node is this node's number, 0 to 127. It is part of every serial number:
	// never give the number of one node to another, not even after its end.
	Node uint32
	// Policies are those it stamps under, the first for requests that name none.
	Policies []tsa.Policy
	// Clock is the clock's configuration. Latch and OnEvent are the vault's own;
	// what stands there is ignored.
	Clock clock.Config
	// NameInToken puts the subject of the unit's certificate into the tokens.
	NameInToken bool
	// PSS has RSA units sign with RSASSA-PSS instead of RSASSA-PKCS1-v1_5.
	PSS bool
	// PassphraseFile, for demonstrations and machines nobody attends, holds the
	// passphrase of the time-stamping service; only its owner may be able to read
	// it. Units that were ready or active are then started with the vault, and keys
	// of their successors are made without anybody. Empty: a responsible gives the
	// passphrase after each start of the machine. It never lifts the clock's stop.
	PassphraseFile string
	// Workers is how many stamps are made at a time; zero: one for each processor.
	// A token that is elsewhere, on the network, wants more.
	Workers int
}

// UnitState says how far a time-stamping unit's life has come.
type UnitState string

const (
	UnitMaking  UnitState = "making"  // the token is asked for the key
	UnitMade    UnitState = "made"    // it has a key and waits for its certificate
	UnitReady   UnitState = "ready"   // it has a certificate and waits for the passphrase
	UnitActive  UnitState = "active"  // it stamps in its period, unless a newer one of its series does
	UnitStopped UnitState = "stopped" // somebody stopped it; the passphrase starts it again
	UnitRetired UnitState = "retired" // its period is over, or it was given up: it never stamps again
)

// Consent is that of the responsible of the time-stamping service. With an empty
// Passphrase the client sends the ticket of an activation that still holds: good
// for making, certifying and activating a unit's successor, not for anything else.
// The client wipes Passphrase after sending it.
type Consent struct {
	Operator   string `json:"operator"` // who gives it, for the journal
	Passphrase []byte `json:"passphrase,omitempty"`
	Ticket     []byte `json:"ticket,omitempty"` // set by the client
}

// PassphraseChange sets the passphrase of the time-stamping service. Old is empty
// for the first one, which only a vault started for provisioning accepts. New must
// pass [auth.CheckPassword]. The client wipes both.
type PassphraseChange struct {
	Operator string `json:"operator"`
	Old      []byte `json:"old,omitempty"`
	New      []byte `json:"new"`
}

// NewUnit asks for a unit: a key made in the token, which nothing but the stamps of
// this unit is ever signed with.
type NewUnit struct {
	Series  string      `json:"series"` // as the policies name it
	Type    hsm.KeyType `json:"type"`
	Consent Consent     `json:"consent"`
}

// Unit is what the vault tells of a time-stamping unit.
type Unit struct {
	Name        string      `json:"name"` // "tsu-1": the key's label in the token
	Number      uint32      `json:"number"`
	Series      string      `json:"series"`
	State       UnitState   `json:"state"`
	Reason      string      `json:"reason,omitempty"`  // why it is stopped or retired
	Trouble     string      `json:"trouble,omitempty"` // why it cannot stamp although it is in service
	Changed     time.Time   `json:"changed"`           // when it came into that state
	Serving     bool        `json:"serving"`           // it is in service now: active, and started since the vault was
	Current     bool        `json:"current"`           // the next stamp of its series is its
	Type        hsm.KeyType `json:"type"`
	PublicKey   []byte      `json:"publicKey,omitempty"`   // SubjectPublicKeyInfo, DER
	Certificate []byte      `json:"certificate,omitempty"` // DER; not of retired units, nor their chain
	Chain       [][]byte    `json:"chain,omitempty"`
	From        time.Time   `json:"from,omitzero"` // its time of use
	To          time.Time   `json:"to,omitzero"`
	Made        time.Time   `json:"made"`
	Stamps      int64       `json:"stamps"`   // made in its life, as far as the journal was told, and since
	Failures    int64       `json:"failures"` // signatures that failed since the vault was started
	LastTime    time.Time   `json:"lastTime,omitzero"`
	Reserved    int64       `json:"reserved"` // greatest count reserved; serial numbers end with it
}

// Archive is how far the archive of stamps was when the vault was shown it last.
type Archive struct {
	Seq  int64  `json:"seq"`            // number of its last entry; 0: it was never shown one
	Hash []byte `json:"hash,omitempty"` // over all entries up to that
	// Ledger is which archive it is; empty: whoever showed it did not say.
	Ledger []byte `json:"ledger,omitempty"`
	// Made is how many stamps the units had made then. Only the vault sets it. A
	// vault that is killed forgets the stamps of its last minutes, so what it has
	// made since then is at least the difference to this.
	Made int64 `json:"made"`
}

// TimeStamping says how the time-stamping service is.
type TimeStamping struct {
	// Fault says why the vault stamps nothing whatever is asked; empty: it does.
	Fault string `json:"fault,omitempty"`
	// Passphrase: one was set. LockedUntil: wrong ones came, none is looked at
	// before that time.
	Passphrase  bool         `json:"passphrase"`
	LockedUntil time.Time    `json:"lockedUntil,omitzero"`
	Unattended  bool         `json:"unattended"` // there is a passphrase file
	Clock       clock.Status `json:"clock"`
	Units       []Unit       `json:"units"` // by their numbers
	Archive     Archive      `json:"archive"`
}

// Made is how many stamps all units have made, as [Archive] counts.
func (t *TimeStamping) Made() (n int64) {
	for _, u := range t.Units {
		n += u.Stamps
	}
	return n
}

// SetPassphrase sets or replaces the passphrase of the time-stamping service.
// NotAllowed for a first one outside of provisioning, WrongPassword, Locked;
// BadRequest when the new one is too weak.
func (c *Client) SetPassphrase(ctx context.Context, p PassphraseChange) error {
	defer clear(p.Old)
	defer clear(p.New)
	return c.call(ctx, opTSAPassphrase, p, nil)
}

// MakeUnit has the token make the key of a new time-stamping unit. It needs the
// responsible's consent, but for the first units in a provisioning before there is
// a passphrase.
func (c *Client) MakeUnit(ctx context.Context, n NewUnit) (u Unit, err error) {
	defer clear(n.Consent.Passphrase)
	c.attach(&n.Consent)
	return u, c.call(ctx, opTSAMake, n, &u)
}

// InstallUnit gives a unit its certificate, which must be of its key and for
// time-stamping alone (RFC 3161 §2.3), and the certificates that go into tokens
// with it, its issuer's first. Before it is activated another one may replace it.
func (c *Client) InstallUnit(ctx context.Context, name string, certificate []byte, chain [][]byte) (u Unit, err error) {
	return u, c.call(ctx, opTSAInstall, installRequest{Name: name, Certificate: certificate, Chain: chain}, &u)
}

// ActivateUnit starts a unit that is ready, or was stopped. This client, and all who
// have stamped over a stream or do so while the unit is active, keep the ticket that
// comes with it in memory: when the vault is started again after a crash, the first
// of them to connect brings the units back that were active. When none is left, or
// after a start of the machine, the passphrase is needed.
func (c *Client) ActivateUnit(ctx context.Context, name string, by Consent) (Unit, error) {
	defer clear(by.Passphrase)
	c.attach(&by)
	var a activatedAnswer
	if err := c.call(ctx, opTSAActivate, unitRequest{Name: name, Consent: by}, &a); err != nil {
		return Unit{}, err
	}
	c.keepTicket(a.Ticket)
	return a.Unit, nil
}

func (c *Client) keepTicket(ticket []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ticket = ticket
}

// StopUnit stops a unit. It needs no passphrase: not stamping is always safe.
func (c *Client) StopUnit(ctx context.Context, name, operator, reason string) (u Unit, err error) {
	return u, c.call(ctx, opTSAStop, unitRequest{Name: name, Reason: reason, Consent: Consent{Operator: operator}}, &u)
}

// RetireUnit ends the life of a unit: revoked, compromised, replaced. Its key is
// destroyed in the token (EN 319 421 §7.6.7); there is no way back.
func (c *Client) RetireUnit(ctx context.Context, name, reason string, by Consent) (u Unit, err error) {
	defer clear(by.Passphrase)
	return u, c.call(ctx, opTSARetire, unitRequest{Name: name, Reason: reason, Consent: by}, &u)
}

// TimeStamping tells how the time-stamping service is: clock, units, usage.
func (c *Client) TimeStamping(ctx context.Context) (t TimeStamping, err error) {
	return t, c.call(ctx, opTSAStatus, nil, &t)
}

// LiftClock lifts the stop of the clock in the name of an operator, who gives the
// passphrase (DPCM 22/2/2013 art. 52: expressly authorised staff). NotAllowed while
// the clock is not shown to be right, or when it is not stopped.
func (c *Client) LiftClock(ctx context.Context, by Consent) error {
	defer clear(by.Passphrase)
	return c.call(ctx, opTSALift, unitRequest{Consent: by}, nil)
}

// Witness shows the vault the archive: how far it goes, and the greatest serial
// number that it holds of each unit. A unit whose state does not know that it has
// given this number was set back, by an old copy of the vault's state: it is stopped,
// the journal told, and it goes on above that number if somebody starts it again. An
// archive that ends before, or is another than, what the vault was shown before was
// set back itself: the vault keeps what it knows. Kind Tampered in both cases.
func (c *Client) Witness(ctx context.Context, greatest map[string]int64, shown Archive) error {
	return c.call(ctx, opTSAWitness, witnessRequest{Greatest: greatest, Archive: shown}, nil)
}

// attach adds the ticket to a consent without a passphrase.
func (c *Client) attach(by *Consent) {
	if len(by.Passphrase) > 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	by.Ticket = append([]byte(nil), c.ticket...)
}
