package appliance

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sigillo/audit"
	"sigillo/hsm"
	"sigillo/pki"
	"sigillo/store"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/clock"
	"sigillo/tsa/front"
	"sigillo/vault"
)

// openStamps opens the front end of the time-stamping authority: its ledger,
// which one process can hold at a time, its accounts, and the way to the vault.
func (a *Appliance) openStamps(ctx context.Context) (err error) {
	// A database of its own: its writes are large, and it can be thrown away.
	if a.index, err = store.Open(ctx, a.Layout.StampIndex(), store.Appliance); err != nil {
		return err
	}
	t, err := a.Vault.TimeStamping(ctx)
	if err != nil {
		return fmt.Errorf("appliance: time-stamping units: %w", err)
	}
	if err := a.openLedger(ctx, &t); err != nil {
		return err
	}
	customers, err := a.accountsConfig()
	if err != nil {
		return err
	}
	if a.Customers, err = accounts.Open(ctx, customers); err != nil {
		return fmt.Errorf("appliance: the accounts of the time-stamping authority: %w", err)
	}
	if !a.opt.Unattended { // whoever serves decides, not a command beside
		if err := a.Customers.Admit(ctx, "configuration", a.Config.TSA.Anonymous); err != nil {
			return fmt.Errorf("appliance: the anonymous account: %w", err)
		}
	}
	policies, err := a.Config.TSA.policies()
	if err != nil {
		return err
	}
	a.Stamps, err = front.New(front.Config{Backend: a.Vault, Book: a.Customers, Ledger: a.Ledger, Policies: policies, LooseTrue: a.Config.TSA.LooseTrue,
		MaxTokenSize: func() int { return int(a.tokenSize.Load()) }, Units: a.publicUnits, Clock: a.clockStatus, Log: a.log})
	if err != nil {
		return err
	}
	a.tokenSize.Store(16 << 10)
	if _, err := a.publicUnits(ctx); err != nil {
		return fmt.Errorf("appliance: time-stamping units: %w", err)
	}
	return nil
}

// accountsConfig lets accounts have every policy that is configured, whatever the
// clock allows today.
func (a *Appliance) accountsConfig() (accounts.Config, error) {
	var identifiers []asn1.ObjectIdentifier
	configured, err := a.Config.TSA.configured()
	for _, p := range configured {
		identifiers = append(identifiers, p.OID)
	}
	unverified, bad := ParseOID(a.Config.TSA.UnverifiedPolicy)
	if err = errors.Join(err, bad); err != nil {
		return accounts.Config{}, err
	}
	return accounts.Config{DB: a.DB, Usage: a.Ledger, Now: a.opt.Now, Policies: append(identifiers, unverified),
		Journal: func(tx *store.Tx, now time.Time, c accounts.Change) error {
			return audit.Append(tx, now, audit.Event{Actor: c.Actor, Event: c.Event, Subject: c.Subject, Detail: c.Detail})
		},
		OnLow: func(account string, left int64) {
			a.log.Warn("few stamps are left", "account", account, "left", left)
		}}, nil
}

// publicUnits asks the vault for the units, as everybody may see them.
func (a *Appliance) publicUnits(ctx context.Context) ([]front.Unit, error) {
	t, err := a.Vault.TimeStamping(ctx)
	if err != nil {
		return nil, err
	}
	var out []front.Unit
	for _, u := range t.Units {
		// That of a unit which has ended is still needed, for tokens without one.
		if cert := a.PKI.CA(u.Name); len(u.Certificate) == 0 && cert != nil {
			u.Certificate = cert.Raw
			for _, c := range a.PKI.Chain(cert) {
				u.Chain = append(u.Chain, c.Raw)
			}
		}
		if len(u.Certificate) == 0 {
			continue
		}
		out = append(out, front.Unit{Certificate: u.Certificate, Chain: u.Chain, UnitStatus: tsa.UnitStatus{
			Name: u.Name, Number: u.Number, Series: u.Series, State: stateOf(u), Current: u.Current,
			Reason: u.Reason, From: u.From, To: u.To, Stamps: u.Stamps, Failures: u.Failures, LastTime: u.LastTime}})
	}
	if n, err := a.largestToken(t.Units); err == nil && n > 0 {
		a.tokenSize.Store(int64(n))
	}
	return out, nil
}

// stateOf is how everybody sees the state of a unit: one that waits for its
// passphrase does not stamp.
func stateOf(u vault.Unit) tsa.UnitState {
	if u.State == vault.UnitActive && !u.Serving {
		return tsa.UnitWaiting
	}
	return publicState[u.State]
}

// stampsHealth fails when no time-stamp can be made: signatures need them.
func (a *Appliance) stampsHealth(ctx context.Context) error {
	if a.Ledger != nil && !a.opt.Unattended {
		if err := a.Ledger.Look(); err != nil {
			return fmt.Errorf("appliance: the record of time-stamps takes none: %w", err)
		}
	}
	t, err := a.Vault.TimeStamping(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(t.Units, func(u vault.Unit) bool { return u.Current }) {
		return fmt.Errorf("appliance: no time-stamping unit is in service (clock %s, %s)", t.Clock.State, cmp.Or(t.Fault, "see `sigillo tsa status`"))
	}
	return nil
}

var publicState = map[vault.UnitState]tsa.UnitState{
	vault.UnitReady: tsa.UnitWaiting, vault.UnitActive: tsa.UnitActive,
	vault.UnitStopped: tsa.UnitStopped, vault.UnitRetired: tsa.UnitExpired,
}

func (a *Appliance) clockStatus(ctx context.Context) (clock.Status, error) {
	t, err := a.Vault.TimeStamping(ctx)
	return t.Clock, err
}

// largestToken computes the size of the largest token that the units can give for
// our own signatures, so that the room for one is reserved and never guessed: an
// authority with their certificates, which never stamps, knows it.
func (a *Appliance) largestToken(units []vault.Unit) (int, error) {
	policies, err := a.Config.TSA.policies()
	if err != nil {
		return 0, err
	}
	authority, err := tsa.NewAuthority(tsa.Config{Policies: policies, Clock: noStamps{}, Counter: noStamps{}, NameInToken: true})
	if err != nil {
		return 0, err
	}
	for _, u := range units {
		if u.State == vault.UnitRetired || len(u.Certificate) == 0 {
			continue
		}
		cfg := tsa.UnitConfig{Name: u.Name, Number: u.Number, Series: u.Series}
		if cfg.Certificate, err = x509.ParseCertificate(u.Certificate); err != nil {
			return 0, err
		}
		for _, der := range u.Chain {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return 0, err
			}
			cfg.Chain = append(cfg.Chain, c)
		}
		_, isRSA := rsaTypes[u.Type]
		cfg.PSS = isRSA && a.Config.TSA.PSS
		cfg.Signer = publicHalf{cfg.Certificate.PublicKey}
		if err := authority.Add(cfg); err != nil {
			return 0, err
		}
	}
	return authority.MaxTokenSize(), nil
}

var rsaTypes = map[hsm.KeyType]bool{hsm.RSA2048: true, hsm.RSA3072: true, hsm.RSA4096: true}

// noStamps is the clock and the counter of an authority that never stamps.
type noStamps struct{}

var errNoStamps = errors.New("appliance: time-stamps are made in the vault")

func (noStamps) Now(context.Context) (time.Time, error) { return time.Time{}, errNoStamps }

func (noStamps) Reserve(context.Context, string, int64, time.Time) (int64, time.Time, error) {
	return 0, time.Time{}, errNoStamps
}

// publicHalf is a key whose private half is in the vault and stamps there.
type publicHalf struct{ public crypto.PublicKey }

func (k publicHalf) Public() crypto.PublicKey { return k.public }

func (publicHalf) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errNoStamps }

// NewStampUnit makes a time-stamping unit: a key in the token, its certificate
// from the authority made for that, and, once that is installed, its start. The
// unit before it in the series is not stopped; the newer one is preferred. An
// empty series is that of the first policy, an empty key type the configured one.
func (a *Appliance) NewStampUnit(ctx context.Context, series string, kt hsm.KeyType, by vault.Consent) (vault.Unit, error) {
	again := func() vault.Consent { // the client wipes what it sends
		c := by
		c.Passphrase = append([]byte(nil), by.Passphrase...)
		return c
	}
	defer clear(by.Passphrase)
	series, err := a.Config.TSA.seriesFor(series)
	if err != nil {
		return vault.Unit{}, err
	}
	if kt == "" {
		kt = hsm.KeyType(a.Config.TSA.Key)
	}
	u, err := a.Vault.MakeUnit(ctx, vault.NewUnit{Series: series, Type: kt, Consent: again()})
	if err != nil {
		return u, err
	}
	public, err := x509.ParsePKIXPublicKey(u.PublicKey)
	if err != nil {
		return u, fmt.Errorf("appliance: the key of %s: %w", u.Name, err)
	}
	cert, err := a.PKI.CertifyUnit(ctx, u.Name, public, time.Time{}, by.Operator)
	if err != nil {
		return u, err
	}
	if u, err = a.installUnit(ctx, u.Name, cert); err != nil {
		return u, err
	}
	return a.Vault.ActivateUnit(ctx, u.Name, again())
}

func (a *Appliance) installUnit(ctx context.Context, name string, cert *x509.Certificate) (vault.Unit, error) {
	var chain [][]byte
	for _, c := range a.PKI.Chain(cert) {
		chain = append(chain, c.Raw)
	}
	return a.Vault.InstallUnit(ctx, name, cert.Raw, chain)
}

// rollUnits gives each series whose newest unit is near the end of its time a
// successor (DPCM 22 February 2013 art. 49: after three months at most). It needs
// no passphrase: the ticket of the unit that is active is good for its successor.
func (a *Appliance) rollUnits(ctx context.Context) error {
	if a.Config.TSA.RollDays == 0 {
		return nil
	}
	t, err := a.Vault.TimeStamping(ctx)
	if err != nil {
		return err
	}
	newest := map[string]vault.Unit{}
	for _, u := range t.Units {
		if u.State == vault.UnitActive && u.To.After(newest[u.Series].To) {
			newest[u.Series] = u
		}
	}
	limit := a.opt.Now().AddDate(0, 0, a.Config.TSA.RollDays)
	var errs []error
	for name, u := range newest {
		if u.To.Before(limit) {
			_, err := a.NewStampUnit(ctx, name, u.Type, vault.Consent{Operator: "roll-over"})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ceremonyKeys makes the keys of the ceremony. Those of time-stamping units belong
// to the time-stamping service of the vault and sign nothing but stamps.
type ceremonyKeys struct {
	*vault.Client
	passphrase []byte
}

func (k ceremonyKeys) consent() vault.Consent {
	return vault.Consent{Operator: "ceremony", Passphrase: append([]byte(nil), k.passphrase...)}
}

func (k ceremonyKeys) CreateKey(ctx context.Context, label string, kt hsm.KeyType) (crypto.PublicKey, error) {
	if label != pki.TSU {
		return k.Client.CreateKey(ctx, label, kt)
	}
	u, err := k.MakeUnit(ctx, vault.NewUnit{Series: series, Type: kt, Consent: k.consent()})
	if err != nil {
		return nil, err
	}
	if u.Name != label {
		return nil, fmt.Errorf("appliance: the vault has time-stamping units already; the next would be %s", u.Name)
	}
	return x509.ParsePKIXPublicKey(u.PublicKey)
}

func (k ceremonyKeys) Signer(ctx context.Context, label string) (crypto.Signer, error) {
	if label != pki.TSU {
		return k.Client.Signer(ctx, label)
	}
	t, err := k.TimeStamping(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range t.Units {
		if u.Name == label && len(u.PublicKey) > 0 {
			public, err := x509.ParsePKIXPublicKey(u.PublicKey)
			return publicHalf{public}, err
		}
	}
	return nil, &vault.Error{Kind: vault.NotAllowed, Msg: cmp.Or(t.Fault, "the unit has not been made")}
}

// startFirstUnit puts the unit of the ceremony into service.
func (a *Appliance) startFirstUnit(ctx context.Context, keys ceremonyKeys) error {
	if _, err := a.installUnit(ctx, pki.TSU, a.PKI.CA(pki.TSU)); err != nil {
		return err
	}
	_, err := a.Vault.ActivateUnit(ctx, pki.TSU, keys.consent())
	return err
}
