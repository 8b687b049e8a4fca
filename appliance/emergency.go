package appliance

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
)

// Each certificate of a holder has an emergency code (80 random bits), which is given
// once with it and suspends it at once, by web or telephone, without signing in. Only a
// hash is kept, bound to the certificate.
//
// Nobody guesses 80 bits, so nothing has to be locked: a right code is taken however
// many wrong ones came before it, and an attacker cannot keep an owner from suspending.
// What is limited is what wrong ones cost: attempts by address (the face does that) and
// entries in the journal, by who was named.

const emergencyPurpose = "emergency"

// NewEmergencyCode makes the emergency code of a holder's certificate, in the place of
// the one there may be. The code is returned once.
func (a *Appliance) NewEmergencyCode(ctx context.Context, serial, actor string) (string, error) {
	code, err := auth.NewEmergencyCode()
	if err != nil {
		return "", err
	}
	plain, _ := auth.ParseEmergencyCode(code)
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		c, err := tx.Certificate(serial)
		if err != nil {
			return err
		}
		if !pki.HolderProfile(c.Profile) || c.State == store.CertRevoked || c.State == store.CertIntent || c.State == store.CertPresumedIssued {
			return &staff.Error{Kind: staff.Invalid, Msg: "only the certificate of a holder that is not revoked has an emergency code"}
		}
		if err := tx.PutEmergencyCode(serial, auth.CodeVerifier(emergencyPurpose, serial, plain), a.opt.Now()); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: actor, Event: "emergency.code-made", Subject: serial,
			Detail: map[string]string{"holder": c.Holder}})
	})
	if err != nil {
		return "", err
	}
	return code, nil
}

// SuspendByCode suspends the certificate that the code belongs to. The kind of its
// error is WrongCode for a code that is wrong and for a person who does not exist
// alike; else of package signing.
func (a *Appliance) SuspendByCode(ctx context.Context, m staff.Emergency) (staff.Suspended, error) {
	c, about, err := a.emergencyOf(ctx, m)
	if err != nil {
		return staff.Suspended{}, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	actor := m.Actor
	if c.Serial == "" {
		if actor == "" {
			actor = "unknown"
		}
		a.noteTry(ctx, audit.Event{Actor: actor, Event: "emergency.refused", Subject: about, Detail: map[string]string{"client": m.Client}})
		return staff.Suspended{}, &staff.Error{Kind: staff.WrongCode, Msg: "the code does not belong to a certificate of this person"}
	}
	if actor == "" {
		actor = c.Holder
	}
	out := staff.Suspended{Serial: c.Serial, Subject: c.Subject, Since: c.StatusAt, Before: true, Revoked: c.State == store.CertRevoked}
	if c.State != store.CertValid {
		a.noteTry(ctx, audit.Event{Actor: actor, Event: "emergency.repeated", Subject: c.Serial, Detail: map[string]string{"client": m.Client}})
		return out, nil
	}
	err = a.journal.Append(ctx, audit.Event{Actor: actor, Event: "emergency.accepted", Subject: c.Serial,
		Detail: map[string]string{"client": m.Client, "holder": c.Holder}})
	if err != nil {
		return staff.Suspended{}, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	out.Since, out.Before = a.opt.Now(), false
	if err := a.suspend(ctx, c.Serial, actor); err != nil {
		return staff.Suspended{}, err
	}
	return out, nil
}

// suspend puts a certificate on hold. A list that could not be published is not an
// error: the suspension is in force, and the list goes out with the next run.
func (a *Appliance) suspend(ctx context.Context, serial, actor string) error {
	err := a.PKI.Suspend(ctx, serial, reasonHold, actor)
	if pki.KindOf(err) == pki.Unpublished {
		a.log.Error("a suspension is not on the list yet", "certificate", serial, "err", err)
		return nil
	}
	return asSigning(err, "the certificate cannot be suspended")
}

// emergencyOf finds the certificate of the person who is named that the code belongs
// to; none when Serial is empty. about is whom the attempt was about, for the journal.
// Every candidate is compared.
func (a *Appliance) emergencyOf(ctx context.Context, m staff.Emergency) (found store.Certificate, about string, err error) {
	plain, ok := auth.ParseEmergencyCode(m.Code)
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		list, holder, err := candidates(tx, m.Who)
		if err != nil {
			return err
		}
		about = holder
		for _, c := range list {
			have, err := tx.EmergencyCode(c.Serial)
			if err != nil && store.KindOf(err) != store.NotFound {
				return err
			}
			if ok && auth.SameCode(have, auth.CodeVerifier(emergencyPurpose, c.Serial, plain)) {
				found = c
			}
		}
		return nil
	})
	return found, about, err
}

// candidates are the holders' certificates that somebody may mean.
func candidates(tx *store.Tx, who string) (list []store.Certificate, about string, err error) {
	if who = strings.TrimSpace(who); who == "" || len(who) > maxUsername {
		return nil, "", nil
	}
	holders := map[string]bool{}
	h, err := tx.HolderByUsername(who)
	if err == nil {
		holders[h.ID] = true
	} else if store.KindOf(err) != store.NotFound {
		return nil, "", err
	}
	same, err := tx.HoldersByFiscalCode(strings.ToUpper(strings.ReplaceAll(who, " ", "")), store.MaxRows)
	if err != nil {
		return nil, "", err
	}
	for _, h := range same {
		holders[h.ID] = true
	}
	for id := range holders {
		of, err := tx.CertificatesOf(id)
		if err != nil {
			return nil, "", err
		}
		list, about = append(list, of...), id
	}
	if serial := readSerial(who); serial != "" {
		c, err := tx.Certificate(serial)
		switch {
		case err == nil && c.Holder != "":
			list, about = append(list, c), serial
		case err != nil && store.KindOf(err) != store.NotFound:
			return nil, "", err
		}
	}
	return list, about, nil
}

// readSerial is a serial number as people copy it: with colons or spaces, capitals.
func readSerial(s string) string {
	s = strings.ToLower(strings.NewReplacer(" ", "", ":", "").Replace(s))
	if len(s) < 8 || len(s) > 40 || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return strings.TrimLeft(s, "0")
}

// tries bounds the journal's entries about attempts that anybody can make: some about
// each subject in an hour, a few a second in all. What is left out is counted, and told
// by the next entry.
type tries struct {
	mu   sync.Mutex
	seen map[string]*tried
	last time.Time
	n    int // entries in the second of last
}

type tried struct {
	since   time.Time
	told    int
	omitted int
}

const (
	triesTold    = 10 // entries about one subject in an hour
	triesSecond  = 5  // entries in a second
	triesTracked = 10_000
)

// tell says whether an attempt is journalled, and how many before it were not.
func (t *tries) tell(key string, now time.Time) (omitted int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil || len(t.seen) >= triesTracked {
		t.seen = map[string]*tried{}
	}
	e := t.seen[key]
	if e == nil {
		e = &tried{since: now}
		t.seen[key] = e
	}
	if now.Sub(e.since) >= time.Hour {
		e.since, e.told = now, 0
	}
	if now.Sub(t.last) >= time.Second {
		t.last, t.n = now, 0
	}
	if e.told >= triesTold || t.n >= triesSecond {
		e.omitted++
		return 0, false
	}
	e.told++
	t.n++
	omitted, e.omitted = e.omitted, 0
	return omitted, true
}

// noteTry journals an attempt, unless there were too many of its kind.
func (a *Appliance) noteTry(ctx context.Context, ev audit.Event) {
	omitted, ok := a.tries.tell(ev.Event+"\x00"+ev.Subject, a.opt.Now())
	if !ok {
		return
	}
	if omitted > 0 {
		ev.Detail["omitted-before"] = strconv.Itoa(omitted)
	}
	a.note(ctx, ev)
}
