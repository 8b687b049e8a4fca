package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"sigillo/audit"
	"sigillo/signing"
	"sigillo/vault"
)

// Sign gives the signatures over digests of a grant, in their order: all or none.
//
//  1. The grant is of this holder and application, for this credential, and has these
//     digests left. They are reserved: of two requests for the same one only one
//     goes on.
//  2. Durable here, in one commit: the certificate is valid now (SIG-5), entry
//     "signature.intent".
//  3. The vault consumes these digests of the SAD and signs. Durable there: intent,
//     then result.
//  4. Durable here: entry "signature.done". Then the answer.
//
// When nothing was signed the digests are put back, and the application may ask again
// until the grant expires; the vault is the judge of what was signed.
//
// Kinds: NoGrant, GrantExpired, Unauthorised, WeakHash, BadDigest, BadScheme, NotFound,
// Cert…, KeyUnavailable, Busy, DiskFull.
func (s *Service) Sign(ctx context.Context, holder, application, handle string, a Activation) ([][]byte, error) {
	if err := checkDigests(a.Hash, a.Digests); err != nil {
		return nil, err
	}
	g, left, err := s.grants.take(handle, holder, application, a, s.cfg.Now()) // 1
	if err != nil {
		return nil, err
	}
	if g.Documents {
		s.grants.give(handle, g, a.Digests)
		return nil, fail(Unauthorised, "the authorisation is for documents, not for digests", nil)
	}
	// From here on the work goes on although the client may hang up: what was
	// authorised is signed, or not, but not left half-way.
	ctx = context.WithoutCancel(ctx)
	signatures, done, err := s.use(ctx, g, a, left)
	if err != nil {
		return nil, s.failed(ctx, handle, g, a, err)
	}
	if err := s.journal(ctx, done, nil); err != nil { // 4
		return nil, err
	}
	return signatures, nil
}

// failed puts the digests back and journals why.
func (s *Service) failed(ctx context.Context, handle string, g *granted, a Activation, err error) error {
	s.grants.give(handle, g, a.Digests)
	s.note(ctx, audit.Event{Actor: g.Holder, Event: "signature.refused", Subject: g.ID, Detail: map[string]string{
		"kind": string(signing.KindOf(err)), "credential": g.Credential, "application": g.Application}})
	return err
}

// use is steps 2 and 3 of Sign; done is the entry for step 4.
func (s *Service) use(ctx context.Context, g *granted, a Activation, left int) (signatures [][]byte, done audit.Event, err error) {
	c, err := s.load(ctx, g.Holder, g.Credential)
	if err == nil {
		err = c.usable()
	}
	if err == nil && !a.Scheme.Fits(c.record.Type) {
		err = fail(BadScheme, "a key of type "+string(c.record.Type)+" does not sign so", nil)
	}
	if err != nil {
		return nil, done, err
	}
	request := requestID(g, a, left)
	ev := audit.Event{Actor: g.Holder, Event: "signature.intent", Subject: g.ID, Detail: map[string]string{
		"request": request, "credential": g.Credential, "certificate": c.row.Certificate, "application": g.Application,
		"scheme": string(a.Scheme), "count": strconv.Itoa(len(a.Digests))}}
	if g.Delegation != "" {
		ev.Detail["delegation"] = g.Delegation
	}
	if err := s.journal(ctx, ev, stillValid(c.row.Certificate)); err != nil { // 2
		return nil, done, err
	}
	signatures, err = s.cfg.Vault.Sign(ctx, vault.Activation{SAD: g.sad, Credential: c.record, Hash: g.Hash.String(), // 3
		Digests: a.Digests, Scheme: string(a.Scheme), Request: request})
	if err == nil && len(signatures) != len(a.Digests) {
		err = errors.New("the vault answered with another number of signatures")
	}
	ev.Event = "signature.done"
	if g.Delegation != "" {
		return signatures, ev, fromDelegation(err)
	}
	return signatures, ev, fromVault(err)
}

// requestID names a request to the vault by its content: when the answer was lost, an
// application that asks for the same again gets it, although the vault signs nothing
// twice. What is left tells two requests for the same digest apart.
func requestID(g *granted, a Activation, left int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %d ", g.ID, a.Scheme, left)
	for _, d := range a.Digests {
		h.Write(d)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
