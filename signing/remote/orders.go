package remote

import (
	"context"
	"encoding/json"

	"sigillo/signing"
	"sigillo/vault"
)

// Authorisation is what the vault will be asked for when an order is authorised, without
// factors: a passkey's challenge, or a code that is sent, is bound to it. Kinds: NotFound,
// BadRequest, TooMany, WeakHash, BadDigest, Internal.
func (s *Service) Authorisation(ctx context.Context, holder string, o Order) (vault.Authorisation, error) {
	c, err := s.load(ctx, holder, o.Credential)
	if err == nil {
		err = o.check(c.record.MaxDigests)
	}
	if err != nil {
		return vault.Authorisation{}, err
	}
	return c.authorisation(o)
}

// RequestAuthorisation is [Service.Authorisation] of a request that waits for its holder.
// Kinds: NotFound and WrongState of the request besides.
func (s *Service) RequestAuthorisation(ctx context.Context, holder, id string) (vault.Authorisation, error) {
	one, err := s.waiting(holder, id)
	if err != nil {
		return vault.Authorisation{}, err
	}
	return s.Authorisation(ctx, holder, one.Order)
}

// authorisation is what the vault is asked for, without factors. It names the
// application, so that what was sent or minted for that counts.
func (c credential) authorisation(o Order) (vault.Authorisation, error) {
	a := vault.Authorisation{Credential: c.record, Application: o.Application, Request: newID()}
	if len(o.Digests) > 0 {
		a.Hash, a.Digests, a.Documents = o.Hash.String(), o.Digests, o.Documents
	}
	if err := json.Unmarshal(c.holder.Factors, &a.Factors); err != nil {
		return a, fail(signing.Internal, "the holder's factors cannot be read", err)
	}
	return a, nil
}
