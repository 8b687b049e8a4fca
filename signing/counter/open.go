package counter

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/formats/inspect"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
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

// opening is what both kinds of session begin with.
type opening struct {
	purpose        Purpose
	holder, tablet string
	identification Identification
	locale         string
	reference      string
	callback       string
}

// check refuses what no session can begin with, and gives the customer and the session.
func (s *Service) check(ctx context.Context, by member, o opening) (h store.Holder, v *session, err error) {
	now := s.cfg.Now()
	if err := at(by, acts[o.purpose]); err != nil {
		return h, nil, err
	}
	if err := o.identification.check(now); err != nil {
		return h, nil, err
	}
	if len(o.reference) > 100 || !utf8.ValidString(o.reference) || strings.ContainsFunc(o.reference, func(r rune) bool { return r < ' ' }) {
		return h, nil, fail(Invalid, "the reference has at most 100 bytes, on one line", nil)
	}
	if _, known := s.cfg.Callbacks[o.callback]; o.callback != "" && !known {
		return h, nil, fail(Invalid, "there is no callback of this name in the configuration", nil)
	}
	if h, err = s.customer(ctx, o.holder); err != nil {
		return h, nil, err
	}
	if samePerson(by, h) {
		return h, nil, errSelf
	}
	if o.locale == "" {
		o.locale = h.Locale
	}
	if o.locale != "it" && o.locale != "en" {
		return h, nil, fail(Invalid, "the tablet speaks it and en", nil)
	}
	if err := s.free(ctx, by, o); err != nil {
		return h, nil, err
	}
	v = &session{CounterSession: store.CounterSession{ID: "counter-" + newID(), Purpose: string(o.purpose), State: string(Open),
		Holder: o.holder, Operator: by.ID, Centre: by.Centre, Tablet: o.tablet, Locale: o.locale, Reference: o.reference,
		Request: newID(), Created: now, Changed: now, Expires: now.Add(OpenLife)}}
	return h, v, nil
}

var errNoConsent = fail(NoConsent, "the customer has not consented to the handwritten signature; enrol the customer, or take another way", nil)

// errSelf: a person may be a member of the staff and a customer, at different counters.
var errSelf = fail(SamePerson, "nobody is customer and member of the staff in one session; a colleague has to do it", nil)

// samePerson says whether a member of the staff is the customer. The vault cannot know: it
// has them as two holders of factors. A person has one codice fiscale.
func samePerson(m member, h store.Holder) bool { return strings.EqualFold(m.FiscalCode, h.FiscalCode) }

// free makes sure that tablet and customer are there and have nothing else to do.
func (s *Service) free(ctx context.Context, by member, o opening) error {
	var t store.Tablet
	var busy bool
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if t, err = tx.Tablet(o.tablet); err != nil {
			return err
		}
		last, err := tx.CounterSessionAt(o.tablet)
		if err == nil {
			busy = !State(last.State).Ended()
		} else if store.KindOf(err) != store.NotFound {
			return err
		}
		if _, err = tx.CounterSessionOf(o.holder); err == nil {
			busy = true
		} else if store.KindOf(err) != store.NotFound {
			return err
		}
		return nil
	})
	switch {
	case err != nil:
		return fromStore(err)
	case t.Centre != by.Centre || t.State != string(TabletActive):
		return fail(NotFound, "your centre has no such tablet in use", nil)
	case busy:
		return errBusy
	case !s.online(o.tablet):
		return fail(TabletAway, "the tablet does not answer; wake it and open its page", nil)
	}
	return nil
}

var errBusy = fail(TabletBusy, "the tablet or the customer has a session; end it first", nil)

// online says whether a tablet was heard of lately.
func (s *Service) online(tablet string) bool {
	heard, _ := s.hub.look(tablet)
	return s.cfg.Now().Sub(heard) <= awayAfter
}

func (i Identification) check(now instant) error {
	return staff.CheckDocument(i.Kind, i.Number, i.Issuer, i.Expires, now)
}

// put stores a new session with the identification of its customer. The journal has the
// kind and the end of the document's number; the row has all of it.
func (s *Service) put(ctx context.Context, v *session, i Identification, callback string, ev audit.Event) error {
	if err := v.encode(); err != nil {
		return err
	}
	now := v.Created
	ev.Actor, ev.Subject = v.Operator, v.ID
	ev.Detail["holder"], ev.Detail["tablet"], ev.Detail["centre"] = v.Holder, v.Tablet, v.Centre
	err := s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutCounterSession(v.CounterSession); err != nil {
			return err
		}
		if callback != "" {
			if err := tx.PutCounterCallback(store.CounterCallback{Session: v.ID, Address: callback, State: callbackWaiting}); err != nil {
				return err
			}
		}
		if err := identify(tx, v.ID, v.Holder, v.Operator, i, now); err != nil {
			return err
		}
		return audit.Append(tx, now, ev)
	})
	if store.KindOf(err) == store.Conflict {
		return errBusy
	}
	if err != nil {
		return fromStore(err)
	}
	s.hub.touch(v.Tablet)
	return nil
}

// identify records that a holder was identified.
func identify(tx *store.Tx, id, holder, by string, i Identification, now instant) error {
	err := tx.PutIdentification(store.Identification{ID: id, Holder: holder, Document: i.Kind, Number: i.Number, Issuer: i.Issuer,
		Expires: i.Expires, IdentifiedBy: by, At: now})
	if err != nil {
		return err
	}
	return audit.Append(tx, now, audit.Event{Actor: by, Event: "holder.identified", Subject: holder,
		Detail: map[string]string{"document": i.Kind, "number": masked(i.Number), "issuer": i.Issuer,
			"expires": i.Expires.UTC().Format("2006-01-02"), "session": id}})
}

// masked leaves the last three characters of a number.
func masked(number string) string {
	r := []rune(number)
	if len(r) < 6 {
		return "…"
	}
	return "…" + string(r[len(r)-3:])
}

// OpenEnrolment puts a session together in which the customer is enrolled, or anew;
// [Service.Begin] starts it.
func (s *Service) OpenEnrolment(ctx context.Context, by member, n NewEnrolment) (Session, error) {
	h, v, err := s.check(ctx, by, opening{purpose: Enrol, holder: n.Holder, tablet: n.Tablet, identification: n.Identification,
		locale: n.Locale, reference: n.Reference, callback: n.Callback})
	if err != nil {
		return Session{}, err
	}
	consent, err := s.inForce(ctx, h.ID)
	if err != nil {
		return Session{}, err
	}
	if consent != nil && s.current(shaOf(consent.SHA256)) { // else it is asked for, to the text of today
		v.data.Consent = consent
	}
	v.data.Progress = &Progress{Wanted: wanted}
	if err := s.put(ctx, v, n.Identification, n.Callback, audit.Event{Event: "counter.enrolment-opened", Detail: map[string]string{}}); err != nil {
		return Session{}, err
	}
	return s.show(ctx, v)
}

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

// capture is what the vault is asked to open for a session, without the presence.
func (s *Service) capture(ctx context.Context, v *session) (vault.NewCapture, error) {
	f, _, err := s.factors(ctx, v.Operator)
	n := vault.NewCapture{Purpose: v.Purpose, Operator: f, Holder: v.Holder, Tablet: v.Tablet, Client: "counter " + v.Centre, Request: v.Request}
	if err != nil || v.Purpose == string(Enrol) {
		return n, err
	}
	a, err := s.cfg.Signing.CounterAuthorisation(ctx, v.Holder, v.Transaction)
	n.Credential, n.Hash, n.Digests, n.Confirmed = a.Credential, a.Hash, a.Digests, a.Confirmed
	return n, err
}

// Challenge makes the challenge that a passkey answers: of the operator, for Begin, or,
// once the signatures were taken, of the second person, for FinishEnrolment. second is a
// username; "" for the member who asks.
func (s *Service) Challenge(ctx context.Context, by member, id, second string) (vault.Challenge, error) {
	v, release, err := s.heldBy(ctx, by, id)
	if err != nil {
		return vault.Challenge{}, err
	}
	defer release()
	var request any
	if v.state() == Open {
		if by.ID != v.Operator {
			return vault.Challenge{}, errNotYours
		}
		request, err = s.capture(ctx, v)
	} else {
		request, _, err = s.finishing(ctx, v, by, second)
	}
	if err != nil {
		return vault.Challenge{}, err
	}
	c, err := s.cfg.Vault.Challenge(ctx, request)
	return c, fromVault(err)
}

var errNotYours = fail(NotPermitted, "the one who has opened the session goes on with it", nil)

// Begin starts a session: the operator shows to be there, by a fresh OTP or passkey, and
// the vault opens what this session needs, and nothing else can be done with it. Kinds
// besides those of this room: WrongFactors, ReusedOTP, Locked of signing.
func (s *Service) Begin(ctx context.Context, by member, id string, presence vault.Evidence) (Session, error) {
	presence = present(presence)
	v, release, err := s.held(ctx, by, id)
	if err != nil {
		return Session{}, err
	}
	defer release()
	switch {
	case by.ID != v.Operator:
		return Session{}, errNotYours
	case v.state() != Open:
		return Session{}, fail(BadState, "the session is "+v.State, nil)
	}
	if v.data.Consent != nil && v.Purpose == string(Enrol) { // it may have been withdrawn since
		if v.data.Consent, err = s.inForce(ctx, v.Holder); err != nil {
			return Session{}, err
		}
	}
	if v.Purpose == string(Sign) {
		if consented, err := s.consented(ctx, v.Holder); err != nil || !consented {
			return Session{}, firstOf(err, errNoConsent)
		}
	}
	n, err := s.capture(ctx, v)
	if err != nil {
		return Session{}, err
	}
	n.Presence = presence
	c, err := s.cfg.Vault.OpenCapture(ctx, n)
	if err != nil {
		err = fromVault(err)
		s.note(ctx, audit.Event{Actor: by.ID, Event: "counter.presence-refused", Subject: v.ID, Detail: map[string]string{"kind": kindOf(err)}})
		return Session{}, err
	}
	v.Capture, v.Expires = c.ID, c.Expires
	to := Reading
	if v.data.Consent != nil {
		to = Signing // to the text of today, and not withdrawn
	}
	err = s.change(context.WithoutCancel(ctx), v, to, audit.Event{Actor: by.ID, Event: "counter.begun",
		Detail: map[string]string{"capture": c.ID, "purpose": v.Purpose, "holder": v.Holder, "client": presence.Client}}, nil)
	if err != nil {
		if err := s.cfg.Vault.CloseCapture(context.WithoutCancel(ctx), c.ID, "not begun"); err != nil {
			s.cfg.Log.Warn("the vault could not be told that a session is over", "session", v.ID, "err", err)
		}
		return Session{}, err
	}
	return s.show(ctx, v)
}

// kindOf is the kind of an error of this room or of signing, for the journal.
func kindOf(err error) string {
	if k := KindOf(err); k != Internal {
		return string(k)
	}
	return string(signing.KindOf(err))
}

// shaOf reads a SHA-256 in hexadecimal.
func shaOf(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return nil
	}
	return b
}
