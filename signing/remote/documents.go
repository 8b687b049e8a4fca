package remote

import (
	"context"
	"crypto/sha256"
	"errors"

	"sigillo/vault"
)

// SignDocuments has signatures made over documents of a grant (Order.Documents), whose
// digests are those of a. It reserves them and calls make, which prepares the data to
// be signed of each document, in their order, and has it signed with the function it
// is given, once. What make does not have signed is put back.
//
// The SAD binds the documents, not what is signed in their place: that is prepared by
// this service after the holder has authorised. A service that is taken over could
// have other data signed, at most once for each authorised document, while the grant
// lasts; the same is so when it prepares what its own holders authorise. The intent is
// journalled by make (see signing.Service.SignAuthorised), the use of the SAD by the
// vault.
//
// Kinds: those of [Service.Sign], and of make.
func (s *Service) SignDocuments(ctx context.Context, holder, application, handle string, a Activation,
	make func(sign func(ctx context.Context, dtbsr [][]byte, scheme string) ([][]byte, error)) error) error {
	if err := checkDigests(a.Hash, a.Digests); err != nil {
		return err
	}
	g, left, err := s.grants.take(handle, holder, application, a, s.cfg.Now())
	if err != nil {
		return err
	}
	if !g.Documents {
		s.grants.give(handle, g, a.Digests)
		return fail(Unauthorised, "the authorisation is for digests, not for documents", nil)
	}
	signed := false
	err = make(func(ctx context.Context, dtbsr [][]byte, scheme string) ([][]byte, error) {
		if signed {
			return nil, errors.New("remote: the documents of a grant are signed once")
		}
		a.Scheme = Scheme(scheme)
		out, err := s.signPrepared(ctx, g, a, dtbsr, left)
		signed = err == nil
		return out, err
	})
	if err != nil && !signed {
		return s.failed(ctx, handle, g, a, err)
	}
	return err
}

// signPrepared has the vault sign the data prepared of documents.
func (s *Service) signPrepared(ctx context.Context, g *granted, a Activation, dtbsr [][]byte, left int) ([][]byte, error) {
	c, err := s.load(ctx, g.Holder, g.Credential)
	if err == nil {
		err = c.usable()
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.New() // other data for the same documents is another request
	for _, d := range dtbsr {
		sum.Write(d)
	}
	named := a
	named.Digests = append([][]byte{sum.Sum(nil)}, a.Digests...)
	signatures, err := s.cfg.Vault.Sign(ctx, vault.Activation{SAD: g.sad, Credential: c.record, Hash: g.Hash.String(),
		Digests: dtbsr, Documents: a.Digests, Scheme: string(a.Scheme), Request: requestID(g, named, left)})
	if err == nil && len(signatures) != len(dtbsr) {
		err = errors.New("the vault answered with another number of signatures")
	}
	return signatures, fromVault(err)
}
