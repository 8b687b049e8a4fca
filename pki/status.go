package pki

import (
	"context"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// CRLReason, RFC 5280 §5.3.1.
const (
	reasonUnspecified     = 0
	reasonKeyCompromise   = 1
	reasonCACompromise    = 2
	reasonAffiliation     = 3
	reasonSuperseded      = 4
	reasonCessation       = 5
	reasonCertificateHold = 6
	reasonPrivilege       = 9
)

// Suspend puts a holder's certificate on hold. The reason must be
// certificateHold (6), or 0 which means the same. On return the state is
// durable and the list that shows it is published; when only the publication
// failed, the error is of Kind Unpublished.
func (a *Authority) Suspend(ctx context.Context, serial string, reason int, actor string) error {
	if reason != reasonCertificateHold && reason != reasonUnspecified {
		return errorf(BadRequest, "a suspension has the reason certificateHold (6), not %d", reason)
	}
	return a.change(ctx, serial, actor, "certificate.suspended", func(c *store.Certificate) error {
		if !HolderProfile(c.Profile) {
			return errorf(BadRequest, "only holders' certificates can be suspended")
		}
		if c.State != store.CertValid {
			return notIn(c, "suspended")
		}
		c.State, c.StatusAt, c.Reason = store.CertSuspended, a.now(), reasonCertificateHold
		return nil
	})
}

// Reactivate lifts a suspension: the certificate counts as never suspended (DPCM
// 22 February 2013 art. 26 c. 6). The journal keeps the period. The reason must
// be 0.
func (a *Authority) Reactivate(ctx context.Context, serial string, reason int, actor string) error {
	if reason != reasonUnspecified {
		return errorf(BadRequest, "lifting a suspension has no reason code, not %d", reason)
	}
	return a.change(ctx, serial, actor, "certificate.reactivated", func(c *store.Certificate) error {
		if c.State != store.CertSuspended {
			return notIn(c, "reactivated")
		}
		c.State, c.StatusAt, c.Reason = store.CertValid, a.now(), reasonUnspecified
		return nil
	})
}

// Revoke ends a certificate for good. A suspended one counts as revoked since
// the suspension began (DPCM art. 26 c. 4), so its place on the list keeps that
// date.
func (a *Authority) Revoke(ctx context.Context, serial string, reason int, actor string) error {
	switch reason {
	case reasonUnspecified, reasonKeyCompromise, reasonAffiliation, reasonSuperseded, reasonCessation, reasonPrivilege, reasonCACompromise:
	default:
		return errorf(BadRequest, "%d is no reason for a revocation; use 0 (none given), 1 (key compromise), 3 (affiliation changed), 4 (superseded), 5 (cessation of operation) or 9 (privilege withdrawn)", reason)
	}
	return a.change(ctx, serial, actor, "certificate.revoked", func(c *store.Certificate) error {
		switch {
		case c.Profile == ProfileRoot:
			return errorf(BadRequest, "a root cannot revoke itself; withdraw it from where it is trusted")
		case reason == reasonCACompromise && c.Profile != ProfileCA:
			return errorf(BadRequest, "CA compromise (2) is a reason for a CA's certificate only")
		case c.State == store.CertValid:
			c.StatusAt = a.now()
		case c.State == store.CertSuspended: // keeps StatusAt
		default:
			return notIn(c, "revoked")
		}
		c.State, c.Reason = store.CertRevoked, reason
		return nil
	})
}

func notIn(c *store.Certificate, what string) error {
	return errorf(Conflict, "the certificate is %s; it cannot be %s", c.State, what)
}

// change moves a certificate to another state, with the journal's entry in the
// same commit, and publishes the list of its issuer.
func (a *Authority) change(ctx context.Context, serial, actor, event string, move func(*store.Certificate) error) error {
	if actor == "" {
		return errorf(BadRequest, "the request does not say who orders the change")
	}
	var c store.Certificate
	err := a.db.Write(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.Certificate(serial); err != nil {
			return err
		}
		from := c.State
		if err := move(&c); err != nil {
			return err
		}
		if err := tx.SetCertificateStatus(serial, from, c.State, c.StatusAt, c.Reason); err != nil {
			return err
		}
		return audit.Append(tx, a.now(), audit.Event{Actor: actor, Event: event, Subject: serial, Detail: map[string]string{
			"from": string(from), "reason": strconv.Itoa(c.Reason), "effective": c.StatusAt.UTC().Format(time.RFC3339),
			"subject": c.Subject, "issuer": c.Issuer,
		}})
	})
	if err != nil {
		return stored("change the status of certificate "+printableSerial(serial), err)
	}
	if err := a.publish(ctx, c.Issuer); err != nil {
		return wrap(Unpublished, "the status is changed, but the new list could not be published; it will be with the next run", err)
	}
	return nil
}
