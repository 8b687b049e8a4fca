package counter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/store"
)

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

// shaOf reads a SHA-256 in hexadecimal.
func shaOf(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return nil
	}
	return b
}
