package signing

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"slices"
	"sync"

	"sigillo/formats/extend"
	"sigillo/formats/validate"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
)

// judgeKeeper keeps the validator for as long as the lists are the same: most of
// what a validation costs is checking the same few authorities and lists again.
type judgeKeeper struct {
	sync.Mutex
	lists [sha256.Size]byte
	v     *validate.Validator
}

// validator gives a validator that knows our roots and our current lists.
func (s *Service) validator(ctx context.Context) (*validate.Validator, error) {
	crls, err := s.cfg.Certificates.CRLs(ctx)
	if err != nil {
		return nil, fail(Internal, "no current revocation list", err)
	}
	lists := sha256.Sum256(slices.Concat(crls...))
	s.judges.Lock()
	defer s.judges.Unlock()
	if s.judges.v == nil || s.judges.lists != lists {
		v, err := validate.New(validate.Options{Anchors: s.cfg.Certificates.Roots(), CRLs: crls, Fetch: register{s.cfg.Certificates}})
		if err != nil {
			return nil, fail(Internal, "the current revocation lists cannot be read", err)
		}
		s.judges.lists, s.judges.v = lists, v
	}
	return s.judges.v, nil
}

// register answers for the certificates that the current lists do not decide:
// one that was issued after them, or a signature that is to last and wants
// evidence younger than itself. Nothing is asked outside the house.
type register struct{ certificates Certificates }

func (r register) OCSP(ctx context.Context, cert, _ *x509.Certificate) ([][]byte, error) {
	der, err := r.certificates.StatusOf(ctx, cert)
	if err != nil {
		return nil, err
	}
	return [][]byte{der}, nil
}

func (register) CRLs(context.Context, *x509.Certificate) ([][]byte, error) { return nil, nil }

func (register) Issuers(context.Context, *x509.Certificate) ([]*x509.Certificate, error) {
	return nil, nil
}

// raise puts the evidence into a signed file, and for B-LTA a time-stamp over it,
// and gives the new SHA-256. The file is replaced once the new one is whole and
// synced.
func (s *Service) raise(ctx context.Context, path string, level Level, contents []validate.Content) ([]byte, error) {
	v, err := s.validator(ctx)
	if err != nil {
		return nil, err
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, fromDisk(err, "the signed document cannot be read back")
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return nil, fromDisk(err, "the signed document cannot be read back")
	}
	out, err := os.OpenFile(path+".raised.part", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fromDisk(err, "the signed document could not be stored")
	}
	defer os.Remove(out.Name())
	defer out.Close()
	h := sha256.New()
	err = extend.Extend(ctx, io.MultiWriter(out, h), validate.Document{Data: in, Size: st.Size(), Name: path, Contents: contents}, extend.Options{
		Level: level, Validator: v, Now: s.cfg.Now, TokenSize: s.cfg.Stamper.MaxTokenSize(),
		Scratch: func() (extend.Scratch, error) { return newScratch(path) },
		Stamp: func(ctx context.Context, h crypto.Hash, digest []byte) ([]byte, error) {
			return s.cfg.Stamper.Stamp(ctx, h, digest, accounts.House)
		},
	})
	if err != nil {
		s.cfg.Log.Error("a signature could not be raised", "level", level, "err", err)
		return nil, fromExtend(err)
	}
	if err := errors.Join(out.Sync(), os.Rename(out.Name(), path)); err != nil {
		return nil, fromDisk(err, "the signed document could not be stored")
	}
	return h.Sum(nil), nil
}

// fromExtend maps the errors of raising a signature.
func fromExtend(err error) error {
	switch {
	case extend.KindOf(err) == extend.Incomplete:
		return fail(NotVerified, "the evidence for a lasting signature is not complete", errors.Join(err, errTryLater))
	case tsa.KindOf(err) != "":
		return fromTSA(err)
	}
	return fromDisk(err, "the signature could not be raised")
}

// scratch is a file without a name.
type scratch struct{ *os.File }

func newScratch(path string) (extend.Scratch, error) {
	f, err := os.OpenFile(path+".step.part", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return scratch{f}, os.Remove(f.Name())
}

// Size is how much was written.
func (s scratch) Size() int64 {
	st, err := s.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}
