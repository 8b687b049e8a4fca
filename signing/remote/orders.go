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
	return o.request(c)
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

// request is what the vault is asked for, without factors.
func (o Order) request(c credential) (vault.Authorisation, error) {
	var f vault.Factors
	if err := json.Unmarshal(c.holder.Factors, &f); err != nil {
		return vault.Authorisation{}, fail(signing.Internal, "the holder's factors cannot be read", err)
	}
	return vault.Authorisation{Factors: f, Credential: c.record, Hash: o.Hash.String(), Digests: o.Digests, Documents: o.Documents}, nil
}
