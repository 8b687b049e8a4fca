package remote

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"slices"
	"sync"

	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// known is what does not change about a credential while its certificate is the same:
// reading it costs more than a signature with some keys.
type known struct {
	record      vault.Credential
	raw         string // the record as stored
	certificate *x509.Certificate
	chain       []*x509.Certificate
}

// parsed keeps them by serial number of the certificate.
type parsed struct {
	mu sync.Mutex
	by map[string]*known
}

func newParsed() parsed { return parsed{by: map[string]*known{}} }

// credential is one that exists, usable or not.
type credential struct {
	row    store.Credential
	holder store.Holder
	*known // with a nil certificate where there is none
	status Status
}

// Credentials lists the credentials of a holder, oldest first, with the status of
// their certificates now.
func (s *Service) Credentials(ctx context.Context, holder string) ([]Credential, error) {
	var rows []store.Credential
	certs := map[string]store.Certificate{}
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if rows, err = tx.CredentialsOf(holder); err != nil {
			return err
		}
		for _, r := range rows {
			if r.Certificate == "" {
				continue
			}
			if certs[r.ID], err = tx.Certificate(r.Certificate); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fromStore(err)
	}
	out := make([]Credential, 0, len(rows))
	for _, r := range rows {
		c, err := s.read(r, certs[r.ID])
		if err != nil {
			return nil, err
		}
		if c.deleted() {
			continue
		}
		out = append(out, c.present())
	}
	return out, nil
}

// Credential gives one credential of a holder. Kind: NotFound.
func (s *Service) Credential(ctx context.Context, holder, id string) (Credential, error) {
	c, err := s.load(ctx, holder, id)
	if err != nil {
		return Credential{}, err
	}
	return c.present(), nil
}

// load gives a credential of holder with its certificate's state now.
func (s *Service) load(ctx context.Context, holder, id string) (c credential, err error) {
	var row store.Credential
	var cert store.Certificate
	var owner store.Holder
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if row, err = tx.Credential(id); err != nil {
			return err
		}
		if row.Holder != holder {
			return fail(signing.NotFound, "no such credential", nil)
		}
		if owner, err = tx.Holder(holder); err != nil || row.Certificate == "" {
			return err
		}
		cert, err = tx.Certificate(row.Certificate)
		return err
	})
	if err != nil {
		return c, fromStore(err)
	}
	if c, err = s.read(row, cert); err == nil && c.deleted() {
		err = fail(signing.NotFound, "no such credential", nil)
	}
	c.holder = owner
	return c, err
}

func (s *Service) read(row store.Credential, cert store.Certificate) (c credential, err error) {
	c = credential{row: row, status: None}
	if c.known, err = s.know(row, cert.DER); err != nil || c.certificate == nil {
		return c, err
	}
	now := s.cfg.Now()
	switch {
	case cert.State == store.CertSuspended:
		c.status = Suspended
	case cert.State != store.CertValid:
		c.status = Revoked
	case now.After(c.certificate.NotAfter) || now.Before(c.certificate.NotBefore):
		c.status = Expired
	default:
		c.status = Valid
	}
	return c, nil
}

// know reads the vault's record and the certificate, once.
func (s *Service) know(row store.Credential, der []byte) (*known, error) {
	p := &s.parsed
	p.mu.Lock()
	k := p.by[row.ID+"/"+row.Certificate]
	p.mu.Unlock()
	if k != nil && k.raw == string(row.Record) {
		return k, nil
	}
	k = &known{raw: string(row.Record)}
	if err := json.Unmarshal(row.Record, &k.record); err != nil {
		return nil, fail(signing.Internal, "the credential record cannot be read", err)
	}
	if len(der) == 0 {
		return k, nil
	}
	var err error
	if k.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, fail(signing.Internal, "the certificate cannot be read", err)
	}
	k.chain = s.wholeChain(k.certificate)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.by) >= maxCached {
		clear(p.by)
	}
	p.by[row.ID+"/"+row.Certificate] = k
	return k, nil
}

// wholeChain gives the authorities above a certificate, the root last.
func (s *Service) wholeChain(cert *x509.Certificate) []*x509.Certificate {
	chain := slices.Clone(s.cfg.Certificates.Chain(cert))
	top := cert
	if len(chain) > 0 {
		top = chain[len(chain)-1]
	}
	for _, root := range s.cfg.Certificates.Roots() {
		if bytes.Equal(root.RawSubject, top.RawIssuer) && !root.Equal(top) && top.CheckSignatureFrom(root) == nil {
			chain = append(chain, root)
		}
	}
	return chain
}

// deleted says whether the wrapped key was erased.
func (c credential) deleted() bool { return len(c.record.Wrapped) == 0 }

// factors are the holder's, as the vault made them.
func (c credential) factors() (f vault.Factors, err error) {
	if err := json.Unmarshal(c.holder.Factors, &f); err != nil {
		return f, fail(signing.Internal, "the holder's factors cannot be read", err)
	}
	return f, nil
}

// present gives it as others see it.
func (c credential) present() Credential {
	return Credential{ID: c.row.ID, KeyType: hsm.KeyType(c.row.KeyType), MaxDigests: c.record.MaxDigests,
		Certificate: c.certificate, Chain: c.chain, Status: c.status, Created: c.row.Created, Automatic: c.record.Automatic,
		Counter: c.record.Graphometric}
}

// usable refuses a credential whose certificate is not valid (SIG-5).
func (c credential) usable() error {
	switch c.status {
	case Valid:
		return nil
	case Suspended:
		return fail(signing.CertSuspended, "the certificate is suspended", nil)
	case Revoked:
		return fail(signing.CertRevoked, "the certificate is revoked", nil)
	case Expired:
		return fail(signing.CertExpired, "the certificate is not within its validity", nil)
	}
	return fail(signing.CertMissing, "the credential has no certificate yet", nil)
}

// attended refuses besides a credential that holders do not sign with themselves (SIG-7).
func (c credential) attended() error {
	if c.record.Automatic {
		return fail(signing.AutomaticOnly, "the certificate is for the automatic procedure only", nil)
	}
	if c.record.Graphometric {
		return fail(signing.CounterOnly, "the key is used at a counter only", nil)
	}
	return c.usable()
}

// stillValid refuses, in the commit that records the intent, a certificate that is not
// valid any more (SIG-5).
func stillValid(serial string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		c, err := tx.Certificate(serial)
		switch {
		case err != nil:
			return err
		case c.State == store.CertValid:
			return nil
		case c.State == store.CertSuspended:
			return fail(signing.CertSuspended, "the certificate is suspended", nil)
		}
		return fail(signing.CertRevoked, "the certificate is revoked", nil)
	}
}
