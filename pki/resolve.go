package pki

import (
	"context"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// intentLife is how old an intent must be before the sweep that runs with the
// lists takes it for abandoned: longer than any answer of an HSM takes.
const intentLife = 5 * time.Minute

// Resolve settles what was left unfinished: each intent becomes presumed-issued,
// is journalled, and is on the next list as revoked since it was written. Its
// serial is never used again. Call it at the start, before certificates are
// issued; it leaves alone what this process is working on. It returns how many
// intents there were.
func (a *Authority) Resolve(ctx context.Context) (int, error) {
	return a.resolve(ctx, a.now())
}

func (a *Authority) resolve(ctx context.Context, before time.Time) (n int, err error) {
	issuers := map[string]bool{}
	err = stored("settle unfinished certificates", a.db.Write(ctx, func(tx *store.Tx) error {
		intents, err := tx.CertificatesInState(store.CertIntent)
		if err != nil {
			return err
		}
		for _, c := range intents {
			if c.Intent.After(before) || a.flying(c.Serial) {
				continue
			}
			if err := a.presume(tx, c); err != nil {
				return err
			}
			issuers[c.Issuer] = true
			n++
		}
		return nil
	}))
	if err != nil {
		return 0, err
	}
	for issuer := range issuers {
		if a.CA(issuer) == nil {
			continue // the ceremony was cut short; it will publish at its end
		}
		if err := a.publish(ctx, issuer); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (a *Authority) presume(tx *store.Tx, c store.Certificate) error {
	// Revoked from the moment of the intent: there is no time at which this
	// certificate was good.
	if err := tx.SetCertificateStatus(c.Serial, store.CertIntent, store.CertPresumedIssued, c.Intent, reasonUnspecified); err != nil {
		return err
	}
	return audit.Append(tx, a.now(), audit.Event{Actor: "pki", Event: "certificate.presumed-issued", Subject: c.Serial,
		Detail: map[string]string{"profile": c.Profile, "issuer": c.Issuer, "subject": c.Subject, "ordered-by": c.Actor}})
}

func (a *Authority) flying(serial string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.inFlight[serial]
}
