package signing

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/formats/asic"
	"sigillo/formats/pades"
	"sigillo/formats/xades"
	"sigillo/store"
	"sigillo/vault"
)

// Prepare fixes what will be signed: for each order the document is opened,
// checked to be the one inspected, and its DTBS/R computed. The holder can
// then authorise exactly these digests.
//
// Kinds: NotFound, BadRequest, Refused, Unconfirmed, WrongForm, Unsignable,
// Changed, CertSuspended, CertRevoked, CertExpired, CertMissing, AutomaticOnly, CounterOnly.
func (s *Service) Prepare(ctx context.Context, holder string, r Request) (Transaction, error) {
	cred, err := s.usable(ctx, holder, r.Credential, r.Counter)
	if err != nil {
		return Transaction{}, err
	}
	if len(r.Documents) == 0 || len(r.Documents) > cred.record.MaxDigests {
		return Transaction{}, fail(BadRequest, fmt.Sprintf("a transaction takes 1 to %d documents", cred.record.MaxDigests), nil)
	}
	now := s.cfg.Now().UTC()
	t := store.Transaction{ID: newID(), Holder: holder, Credential: r.Credential, State: string(Prepared),
		Certificate: cred.row.Certificate, Hash: s.cfg.Hash.String(), Created: now, Updated: now}
	items := make([]store.Item, len(r.Documents))
	confirmed := make([]*confirmation, len(items)) // by item
	seen := make([]store.Document, len(items))     // by item
	for i, o := range r.Documents {
		d, err := s.document(ctx, holder, o.Document)
		if err != nil {
			return Transaction{}, err
		}
		it, c, err := s.prepareItem(d, o, r.Confirmed, cred, now)
		if err != nil {
			return Transaction{}, err
		}
		if seen[i], err = s.accounted(ctx, d); err != nil {
			return Transaction{}, err
		}
		it.Transaction, it.Seq = t.ID, i
		items[i], confirmed[i] = it, c
	}
	err = s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutTransaction(t); err != nil {
			return err
		}
		for i, it := range items {
			if err := tx.PutItem(it); err != nil {
				return err
			}
			if err := audit.Append(tx, now, preparedEvent(holder, r.Counter, t, it, seen[i], confirmed[i])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Transaction{}, fromStore(err)
	}
	return s.Transaction(ctx, holder, t.ID)
}

// preparedEvent says what will be signed, and by the hash of its account which of
// the journal's entries "document.viewed" tell the images that the holder saw. At a counter
// the holder has confirmed nothing yet: that is in "counter.read", when it was done.
func preparedEvent(holder string, counter bool, t store.Transaction, it store.Item, doc store.Document, c *confirmation) audit.Event {
	d := map[string]string{"document": it.Document, "form": it.Form, "level": it.Level,
		"digest": hex.EncodeToString(it.Digest), "seq": strconv.Itoa(it.Seq), "credential": t.Credential}
	if doc.Account != nil {
		d["pages"], d["account"] = strconv.Itoa(doc.Pages), accountHash(doc)
	}
	if c != nil {
		did := "confirmed"
		if counter {
			did = "to-confirm"
		}
		d[did], d["ruleset"], d["sha256"] = strings.Join(c.Rules, " "), c.Ruleset, c.Document
	}
	return audit.Event{Actor: holder, Event: "signature.prepared", Subject: t.ID, Detail: d}
}

// prepareItem does one order; c is what the holder confirmed, nil for nothing.
func (s *Service) prepareItem(d store.Document, o Order, confirmed bool, cred credential, now time.Time) (it store.Item, c *confirmation, err error) {
	if o.Level == "" {
		o.Level = BT
	}
	f, ok := forms[o.Form]
	if !ok || !o.Level.Known() {
		return it, nil, fail(BadRequest, "unknown signature form or level", nil)
	}
	if c, err = consent(d, confirmed); err != nil {
		return it, nil, err
	}
	if !f.fits(d.Format) {
		return it, nil, fail(WrongForm, "the "+string(o.Form)+" form does not fit a "+d.Format+" document", nil)
	}
	if o.Form == PAdESDigest && o.Level.AtLeast(BLT) {
		return it, nil, fail(BadRequest, "what makes a signature of a PDF last goes into the document; ask for B-T", nil)
	}
	if d.Format == digestOnly && o.Level.AtLeast(BLTA) {
		return it, nil, fail(BadRequest, "an archive time-stamp needs the document itself; ask for B-LT", nil)
	}
	var file io.ReaderAt
	if d.Format != digestOnly {
		f, err := openUnchanged(d)
		if err != nil {
			return it, nil, err
		}
		defer f.Close()
		file = f
	}
	sg := signer{certificate: cred.certificate, chain: s.cfg.Certificates.Chain(cred.certificate), hash: s.cfg.Hash,
		time: now, name: d.Name, mediaType: d.MediaType, digest: d.SHA256, order: o}
	if o.Level.AtLeast(BT) {
		sg.tokenSize = s.cfg.Stamper.MaxTokenSize()
	}
	p, err := f.prepare(file, d.Size, sg)
	if err != nil {
		return it, nil, fromFormat(err)
	}
	it = store.Item{Document: d.ID, Form: string(o.Form), Level: string(o.Level), Digest: p.DTBSR(), OutputName: f.name(d.Name)}
	if it.Prepared, err = json.Marshal(p); err != nil {
		return it, nil, fail(Internal, "the prepared signature cannot be stored", err)
	}
	return it, c, nil
}

// fromFormat tells a document that can't be signed from a fault of ours.
func fromFormat(err error) error {
	var pe *pades.Error
	var xe *xades.Error
	var ae *asic.Error
	if errors.As(err, &pe) || errors.As(err, &xe) || errors.As(err, &ae) {
		return fail(Unsignable, "the document cannot take this signature", err)
	}
	return fail(Internal, "the signature could not be prepared", err)
}

// credential is a key of a holder that may be used now.
type credential struct {
	row         store.Credential
	record      vault.Credential
	certificate *x509.Certificate
	subject     string // of the certificate, for people
}

// usable loads a holder's credential and refuses one that holders do not sign with
// themselves now: its certificate is not valid (SIG-5), or is for signatures without the
// holder only (SIG-7). At a counter those are used that are for counters, elsewhere the others.
func (s *Service) usable(ctx context.Context, holder, id string, counter bool) (credential, error) {
	c, err := s.valid(ctx, holder, id)
	switch {
	case err != nil:
	case c.record.Automatic:
		err = fail(AutomaticOnly, "the certificate is for the automatic procedure only", nil)
	case c.record.Graphometric && !counter:
		err = fail(CounterOnly, "the key is used at a counter only, by its holder's handwritten signature", nil)
	case !c.record.Graphometric && counter:
		err = fail(BadRequest, "the key is not one that is used at a counter", nil)
	}
	return c, err
}

// valid loads a holder's credential and refuses one whose certificate is suspended,
// revoked, expired or missing.
func (s *Service) valid(ctx context.Context, holder, id string) (credential, error) {
	var c credential
	var cert store.Certificate
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if c.row, err = tx.Credential(id); err != nil {
			return err
		}
		if c.row.Holder != holder {
			return fail(NotFound, "no such credential", nil)
		}
		if c.row.Certificate == "" {
			return fail(CertMissing, "the credential has no certificate yet", nil)
		}
		cert, err = tx.Certificate(c.row.Certificate)
		return err
	})
	if err != nil {
		return c, fromStore(err)
	}
	c.subject = cert.Subject
	if err := json.Unmarshal(c.row.Record, &c.record); err != nil {
		return c, fail(Internal, "the credential record cannot be read", err)
	}
	if len(cert.DER) == 0 {
		return c, fail(CertMissing, "the credential has no certificate yet", nil)
	}
	if c.certificate, err = x509.ParseCertificate(cert.DER); err != nil {
		return c, fail(Internal, "the certificate cannot be read", err)
	}
	return c, s.checkCertificate(ctx, c)
}

func (s *Service) checkCertificate(ctx context.Context, c credential) error {
	state, err := s.cfg.Certificates.Status(ctx, c.row.Certificate)
	if err != nil {
		return fail(Internal, "the certificate's status is unknown", err)
	}
	if err := stateError(state); err != nil {
		return err
	}
	if now := s.cfg.Now(); now.After(c.certificate.NotAfter) || now.Before(c.certificate.NotBefore) {
		return fail(CertExpired, "the certificate is not within its validity", nil)
	}
	return nil
}

// stateError is nil for a valid certificate.
func stateError(state store.CertState) error {
	switch state {
	case store.CertValid:
		return nil
	case store.CertSuspended:
		return fail(CertSuspended, "the certificate is suspended", nil)
	}
	return fail(CertRevoked, "the certificate is revoked", nil)
}
