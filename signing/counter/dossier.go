package counter

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"io"
	"slices"
	"strconv"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/formats/inspect"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
)

// Upload takes a document for a customer, to be signed at the member's centre. Kinds as of
// [signing.Service.Upload].
func (s *Service) Upload(ctx context.Context, by member, holder, name string, r io.Reader) (signing.Document, error) {
	if err := at(by, staff.Counter); err != nil {
		return signing.Document{}, err
	}
	if _, err := s.customer(ctx, holder); err != nil {
		return signing.Document{}, err
	}
	d, err := s.cfg.Signing.Upload(ctx, holder, name, r)
	if err != nil {
		return d, err
	}
	now := s.cfg.Now()
	err = s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutCounterDocument(d.ID, by.Centre, by.ID, now); err != nil {
			return err
		}
		return audit.Append(tx, now, audit.Event{Actor: by.ID, Event: "counter.document-brought", Subject: d.ID,
			Detail: map[string]string{"holder": holder, "sha256": d.SHA256, "centre": by.Centre}})
	})
	return d, fromStore(err)
}

var errNoConsent = fail(NoConsent, "the customer has not consented to the handwritten signature; enrol the customer, or take another way", nil)

// OpenDossier puts a session together in which the customer signs, and fixes what will be
// signed; [Service.Begin] starts it. Where the inspection has findings that a signer must
// accept, the customer accepts them on the tablet before signing is offered. Kinds besides
// those of this room: all of [signing.Service.Prepare].
func (s *Service) OpenDossier(ctx context.Context, by member, n NewDossier) (Session, error) {
	h, v, err := s.check(ctx, by, opening{purpose: Sign, holder: n.Holder, tablet: n.Tablet, identification: n.Identification,
		locale: n.Locale, reference: n.Reference, callback: n.Callback})
	if err != nil {
		return Session{}, err
	}
	consent, err := s.inForce(ctx, h.ID)
	if err != nil {
		return Session{}, err
	}
	if consent == nil {
		return Session{}, errNoConsent
	}
	credential, err := s.credential(ctx, h.ID)
	if err != nil {
		return Session{}, err
	}
	if v.data.Documents, err = s.papers(ctx, by, h.ID, n.Documents); err != nil {
		return Session{}, err
	}
	t, err := s.cfg.Signing.Prepare(ctx, h.ID, signing.Request{Credential: credential, Documents: n.Documents, Confirmed: true, Counter: true})
	if err != nil {
		return Session{}, err
	}
	v.Transaction, v.Credential, v.data.Code = t.ID, credential, codeOf(t)
	err = s.put(ctx, v, n.Identification, n.Callback, audit.Event{Event: "counter.dossier-opened", Detail: map[string]string{
		"transaction": t.ID, "documents": strconv.Itoa(len(t.Items)), "code": v.data.Code, "reference": n.Reference}})
	if err != nil {
		if err := s.cfg.Signing.Abandon(context.WithoutCancel(ctx), h.ID, t.ID, "unopened"); err != nil {
			s.cfg.Log.Warn("what was prepared at a counter could not be given up", "transaction", t.ID, "err", err)
		}
		return Session{}, err
	}
	return s.show(ctx, v)
}

// spoken is base32 without letters that look like digits: people read the codes to each other.
var spoken = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

// codeOf is a short code of what is signed: thirty-five bits, for eyes.
func codeOf(t signing.Transaction) string {
	h := sha256.New()
	for _, it := range t.Items {
		h.Write([]byte(it.Digest + "\n"))
	}
	code := spoken.EncodeToString(h.Sum(nil))[:8]
	return code[:4] + "-" + code[4:]
}

// papers are the documents of a dossier: brought at this centre, and such that the
// customer can see each page.
func (s *Service) papers(ctx context.Context, by member, holder string, orders []signing.Order) ([]paper, error) {
	if len(orders) == 0 || len(orders) > MaxDocuments {
		return nil, fail(TooMany, "a dossier has 1 to "+strconv.Itoa(MaxDocuments)+" documents", nil)
	}
	out := make([]paper, 0, len(orders))
	seen, pages := map[string]bool{}, 0
	for _, o := range orders {
		var centre string
		err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
			centre, err = tx.CounterDocument(o.Document)
			return err
		})
		if err != nil && store.KindOf(err) != store.NotFound {
			return nil, fromStore(err)
		}
		if err != nil || centre != by.Centre {
			return nil, fail(NotFound, "the document was not brought at your centre", err)
		}
		if seen[o.Document] {
			return nil, fail(Invalid, "a document is in the dossier twice", nil)
		}
		seen[o.Document] = true
		if o.Reason != "" || o.Location != "" {
			return nil, fail(Invalid, "at a counter a signature has no reason and no place: the customer would not be shown them", nil)
		}
		d, err := s.cfg.Signing.Document(ctx, holder, o.Document)
		if err != nil {
			return nil, err
		}
		if d.Pages == 0 {
			return nil, &signing.Error{Kind: signing.Unviewable, Msg: "at a counter only documents are signed whose pages can be shown"}
		}
		if pages += d.Pages; pages > MaxPages {
			return nil, fail(TooMany, "the documents have more than "+strconv.Itoa(MaxPages)+" pages together", nil)
		}
		out = append(out, paper{ID: d.ID, Name: d.Name, SHA256: d.SHA256, Pages: d.Pages, Shown: make([]byte, (d.Pages+7)/8), Findings: findings(d.Report)})
	}
	return out, nil
}

// findings are the rules of a report that a signer has to accept.
func findings(r inspect.Report) []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range r.Findings {
		if f.Severity == inspect.Confirm && !seen[f.Rule] {
			seen[f.Rule] = true
			out = append(out, f.Rule)
		}
	}
	return out
}

// credential is the customer's key for counters that can sign now. One from before the
// customer withdrew is none, though it may be there still, and a new consent may be.
func (s *Service) credential(ctx context.Context, holder string) (string, error) {
	all, err := s.cfg.Signing.Credentials(ctx, holder)
	if err != nil {
		return "", err
	}
	var gone []store.Credential
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		gone, err = tx.WithoutConsentOf(holder, pki.ProfileCounter)
		return err
	})
	if err != nil {
		return "", fromStore(err)
	}
	suspended := false
	for _, c := range all {
		if slices.ContainsFunc(gone, func(g store.Credential) bool { return g.ID == c.ID }) {
			continue
		}
		if c.Counter && c.Status == "valid" {
			return c.ID, nil
		}
		suspended = suspended || c.Counter && c.Status == "suspended"
	}
	if suspended {
		return "", &signing.Error{Kind: signing.CertSuspended, Msg: "the customer's certificate for counters is suspended"}
	}
	return "", fail(NoProfile, "the customer is not enrolled, or the certificate has ended; enrol the customer first", nil)
}
