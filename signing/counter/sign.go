package counter

import (
	"context"
	"errors"
	"strconv"

	"sigillo/audit"
	"sigillo/signing"
	"sigillo/vault"
)

// sign has the vault compare a signature, and where it is recognised every document of
// the dossier is signed, under this one authorisation.
//
//  1. [signing.Service.Sign]: the vault checks tablet, session and signature; each of its
//     steps is durable in turn.
//  2. Durable here: what came of it. If this process dies before, [Service.Resolve] finds
//     out from the transaction.
func (s *Service) sign(ctx context.Context, v *session, c Captured) error {
	ctx = context.WithoutCancel(ctx)                                                                                        // an authorised signature is finished
	t, err := s.cfg.Signing.Sign(ctx, v.Holder, v.Transaction, signing.Evidence{Capture: &c, Client: "tablet " + v.Tablet}) // 1
	if err == nil {
		return s.settled(ctx, v, t) // 2
	}
	switch vault.KindOf(err) {
	case vault.Mismatch:
		v.Tries = tried(v.Tries, err)
		v.data.Repeat = true
		return s.change(ctx, v, Signing, audit.Event{Actor: v.Holder, Event: "counter.not-recognised",
			Detail: map[string]string{"try": strconv.Itoa(v.Tries), "tablet": v.Tablet, "operator": v.Operator, "transaction": v.Transaction}}, nil)
	case vault.Unrecognised, vault.SignatureLocked:
		v.Tries++
		return s.end(ctx, v, Refused, WhyUnrecognised, v.Holder)
	case vault.StaleCapture, vault.BadSample:
		return fromVault(err)
	}
	switch signing.KindOf(err) {
	case signing.CertSuspended, signing.CertRevoked, signing.CertExpired, signing.CertMissing:
		return s.end(ctx, v, Failed, WhyCertificate, "appliance")
	}
	t, look := s.cfg.Signing.Transaction(ctx, v.Holder, v.Transaction)
	if look != nil || t.State == signing.Prepared { // nothing was used up; the tablet arms anew
		s.cfg.Log.Error("a signature at a counter could not be made now", "session", v.ID, "err", err)
		return fromVaultOrSigning(err)
	}
	return s.settled(ctx, v, t)
}

// tried is how many signatures were compared, as the vault counts them: one that is sent
// again because its answer was lost is none more.
func tried(before int, err error) int {
	var e *vault.Error
	if errors.As(err, &e) && e.Left > 0 {
		return vault.MaxAttempts - e.Left
	}
	return before + 1
}

func fromVaultOrSigning(err error) error {
	if signing.KindOf(err) == signing.Internal {
		return fail(Internal, "the signature could not be made", err)
	}
	return err
}

// settled makes durable what a transaction has come to: delivered, under way, or failed.
func (s *Service) settled(ctx context.Context, v *session, t signing.Transaction) error {
	switch t.State {
	case signing.Delivered:
		v.data.Repeat = false
		return s.end(ctx, v, Done, "", v.Holder)
	case signing.Authorised, signing.Signed:
		if v.state() == Matched {
			return nil
		}
		return s.change(ctx, v, Matched, audit.Event{Actor: v.Holder, Event: "counter.recognised",
			Detail: map[string]string{"transaction": v.Transaction, "tablet": v.Tablet, "operator": v.Operator}}, nil)
	}
	// Failed, or set back: the signature on the tablet is used up, and nothing is signed.
	return s.end(ctx, v, Failed, WhyFault, "appliance")
}
