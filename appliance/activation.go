package appliance

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/auth/courier"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// Whoever is registered, recovered or appointed chooses the password alone, and shows
// the authenticator's first code: no member of the staff ever knows either. What makes
// the person the right one is an activation code, which is given once, is kept as a
// hash, and ends after ActivationLife.
//
// Where a courier is configured a holder's code has two parts. The first is handed over
// by the staff, the second is made by the vault and sent to the holder's telephone:
// neither the staff nor this service ever have both. Where the second part could not be
// sent the first opens nothing, and NewCode gives another.
//
// The way of an activation, and what is durable after each step:
//
//	open      the code was given
//	enrolled  Activate: the vault has made factors from the password; the address of
//	          the OTP was shown. Broken off here, the code may be used once more, and
//	          the factors are made anew.
//	keyed     Confirm: the vault has made the key, with password and OTP. From here on
//	          the code only goes on to the end.
//	done      the certificate is issued, the emergency code was given. For the staff,
//	          who have no key: the factors are in force.

// ActivationLife is how long an activation code is good for.
const ActivationLife = 48 * time.Hour

// maxEnrolments is how often factors are made with one code.
const maxEnrolments = 10

// The kinds of activation.
const (
	activateRegister = "register"
	activateRecover  = "recover"
	activateStaff    = "staff"
)

// terms are what is needed to make key and certificate once the holder is there.
type terms struct {
	KeyType    string `json:"keyType,omitempty"`
	MaxDigests int    `json:"maxDigests,omitempty"`
	Automatic  bool   `json:"automatic,omitempty"`
	Reenrol    bool   `json:"reenrol,omitempty"` // there are factors, which have to be void first

	// By are the two that have decided a recovery.
	By []string `json:"by,omitempty"`

	// To is where the second part of the code is sent to; empty: the code has one part.
	To       string `json:"to,omitempty"`
	Language string `json:"language,omitempty"`
}

// newActivation draws a code.
func (a *Appliance) newActivation(kind, subject string, t terms, actor string) (store.Activation, string) {
	code, _ := auth.NewActivationCode() // without random numbers there is none, and none is good
	now := a.opt.Now()
	data, _ := json.Marshal(t) // strings, numbers: cannot fail
	return store.Activation{ID: "activation-" + randomPIN()[:16], Kind: kind, Subject: subject, Verifier: t.verifier(code),
		State: store.ActivationOpen, Terms: data, Created: now, Expires: now.Add(ActivationLife), Actor: actor}, code
}

// verifier is what is kept of a code before its second part was sent: of one that has a
// second part, nothing that anybody could type.
func (t terms) verifier(code string) []byte {
	if t.To == "" {
		return auth.ActivationVerifier(code)
	}
	none := make([]byte, sha256.Size)
	rand.Read(none)
	return none
}

// contact is where the second part of a holder's code goes to: the number, or the mail
// address where the courier takes those. Where there is a courier there must be one: the
// staff are to have no holder's whole code in their hands.
func (a *Appliance) contact(phone, email string) (string, error) {
	if a.Config.Courier.Driver == "" {
		return "", nil
	}
	to := strings.TrimSpace(phone)
	if to == "" && a.Config.Courier.Mail {
		to = strings.TrimSpace(email)
	}
	if err := courier.CheckAddress(to); err != nil {
		return "", &staff.Error{Kind: staff.Invalid, Msg: "the holder's telephone is needed, as +39333123456: the second part of the activation code is sent there", Err: err}
	}
	if strings.Contains(to, "@") && !a.Config.Courier.Mail {
		return "", &staff.Error{Kind: staff.Invalid, Msg: "nothing is sent to mail addresses here (courier.mail); give the holder's telephone"}
	}
	return to, nil
}

// sendPart has the second part of a code sent, if there is to be one, and makes the code
// good: until then it opens nothing. It follows the commit that keeps the activation, and
// may fail: another code is given then.
//
//  1. The vault makes the part and sends it. It gives us what the part is recognised by,
//     never the part.
//  2. Durable: the verifier of both parts together.
func (a *Appliance) sendPart(ctx context.Context, act store.Activation, h *staff.Handout) {
	var t terms
	if err := json.Unmarshal(act.Terms, &t); err == nil && t.To == "" {
		return
	}
	ctx = context.WithoutCancel(ctx)
	part, err := a.Vault.SendActivation(ctx, vault.ActivationMessage{Activation: act.ID, Subject: act.Subject, To: t.To, By: act.Actor, Language: t.Language}) // 1
	if err == nil {
		act.Verifier = auth.JoinActivation(h.Code, part.Kept)
		err = a.DB.Write(ctx, func(tx *store.Tx) error { return tx.ChangeActivation(act, act.State) }) // 2
	}
	if err != nil {
		a.log.Error("the second part of an activation code could not be sent", "activation", act.ID, "err", err)
		h.Code, h.Undelivered = "", true
		return
	}
	h.SentTo = part.To
}

// Invite registers a holder who will choose the factors alone. The code is for the
// holder. by is who identified the holder and orders the certificate.
func (a *Appliance) Invite(ctx context.Context, n NewHolder, by string) (staff.Handout, error) {
	if err := pki.CheckFiscalCode(n.FiscalCode); err != nil {
		return staff.Handout{}, err
	}
	n.complete()
	h, t := n.row(a), n.terms()
	var err error
	if t.To, err = a.contact(n.Phone, n.Email); err != nil {
		return staff.Handout{}, err
	}
	act, code := a.newActivation(activateRegister, h.ID, t, by)
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutHolder(h); err != nil {
			return err
		}
		if err := tx.PutActivation(act); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: by, Event: "holder.registered", Subject: h.ID,
			Detail: map[string]string{"activation": act.ID}})
	})
	if err != nil {
		return staff.Handout{}, err
	}
	out := staff.Handout{Subject: h.ID, Username: h.Username, Code: code, Expires: act.Expires}
	a.sendPart(ctx, act, &out)
	return out, nil
}

// NewCode gives another activation code for somebody who has not finished: the former
// is void. For who was registered any member who may register may; for who was
// recovered or appointed, a member who could have approved that, and has not proposed it:
// the code is all that is needed to be that person.
func (a *Appliance) NewCode(ctx context.Context, by staff.Member, username string) (staff.Handout, error) {
	var out staff.Handout
	var act store.Activation
	err := a.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if act, err = waiting(tx, username); err != nil {
			return err
		}
		switch {
		case act.Kind == activateRegister && !staff.May(by.Role, staff.RegisterHolder),
			act.Kind == activateRecover && !staff.MayDecide(by.Role, staff.RecoverHolder),
			act.Kind == activateStaff && !staff.MayDecide(by.Role, staff.AppointStaff):
			return &staff.Error{Kind: staff.NotPermitted, Msg: "the role " + string(by.Role) + " may not give this code anew"}
		}
		proposer, err := proposerOf(tx, act)
		if err != nil {
			return err
		}
		if proposer == by.ID {
			return &staff.Error{Kind: staff.SamePerson, Msg: "who has proposed this does not get the code; a second person gives it"}
		}
		from := act.State
		act.Verifier, out = a.anew(&act, username)
		act.Actor = by.ID
		if err := tx.ChangeActivation(act, from); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: by.ID, Event: "activation.code-renewed", Subject: act.Subject,
			Detail: map[string]string{"activation": act.ID, "kind": act.Kind}})
	})
	if store.KindOf(err) == store.NotFound {
		err = &staff.Error{Kind: staff.NotFound, Msg: "nobody of this username waits to be activated", Err: err}
	}
	if err != nil {
		return staff.Handout{}, err
	}
	a.sendPart(ctx, act, &out)
	return out, nil
}

func (a *Appliance) anew(act *store.Activation, username string) ([]byte, staff.Handout) {
	code, _ := auth.NewActivationCode() // without random numbers there is none, and none is good
	act.Expires, act.Tries = a.opt.Now().Add(ActivationLife), 0
	var t terms
	if err := json.Unmarshal(act.Terms, &t); err != nil {
		t.To = "?" // what it says is not known: nothing is given that could be too much
	}
	return t.verifier(code), staff.Handout{Subject: act.Subject, Username: username, Code: code, Expires: act.Expires}
}

// waiting is the activation of the holder or the member of a username; of the member when
// both wait.
func waiting(tx *store.Tx, username string) (store.Activation, error) {
	s, err := tx.StaffByUsername(username)
	if err == nil {
		act, err := tx.ActivationOf(s.ID)
		if store.KindOf(err) != store.NotFound {
			return act, err
		}
	} else if store.KindOf(err) != store.NotFound {
		return store.Activation{}, err
	}
	h, err := tx.HolderByUsername(username)
	if err != nil {
		return store.Activation{}, err
	}
	return tx.ActivationOf(h.ID)
}

// pending finds the activation of a code.
func (a *Appliance) pending(ctx context.Context, code, client string) (act store.Activation, username string, err error) {
	refused := &staff.Error{Kind: staff.WrongCode, Msg: "this is no activation code that is good now"}
	verifier := auth.ActivationVerifier(code)
	if verifier == nil {
		return act, "", refused
	}
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		if act, err = tx.ActivationByVerifier(verifier); err != nil {
			return err
		}
		if act.Kind == activateStaff {
			s, err := tx.Staff(act.Subject)
			username = s.Username
			return err
		}
		h, err := tx.Holder(act.Subject)
		username = h.Username
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound:
		a.noteTry(ctx, audit.Event{Actor: "unknown", Event: "activation.refused", Detail: map[string]string{"client": client, "reason": "unknown code"}})
		return act, "", refused
	case err != nil:
		return act, "", &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	case act.State == store.ActivationDone, act.State == store.ActivationVoid:
		return act, "", refused
	case act.State != store.ActivationKeyed && !a.opt.Now().Before(act.Expires):
		return act, "", &staff.Error{Kind: staff.Expired, Msg: "the activation code has expired; ask for another"}
	case act.Tries >= maxEnrolments && act.State != store.ActivationKeyed:
		return act, "", &staff.Error{Kind: staff.Closed, Msg: "the activation code was used too often; ask for another"}
	}
	return act, username, nil
}

// Activate makes the factors of who has the code, from the password they chose, which
// is wiped. Called again it makes them anew, as long as no key hangs from them.
func (a *Appliance) Activate(ctx context.Context, code string, password []byte, client string) (staff.Activating, error) {
	defer clear(password)
	act, username, err := a.pending(ctx, code, client)
	if err != nil {
		return staff.Activating{}, err
	}
	out := staff.Activating{Username: username, Staff: act.Kind == activateStaff}
	if act.State == store.ActivationKeyed {
		return out, nil
	}
	if err := auth.CheckPasswordBytes(password, username); err != nil {
		return out, err
	}
	// Durable before the vault is asked: that it was, so that who goes on knows that
	// there may be factors.
	var t terms
	if err := json.Unmarshal(act.Terms, &t); err != nil {
		return out, &signing.Error{Kind: signing.Internal, Msg: "the activation cannot be read", Err: err}
	}
	before := t
	t.Reenrol = true
	from := act.State
	act.Terms, _ = json.Marshal(t)
	act.Tries++
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.ChangeActivation(act, from); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: act.Subject, Event: "activation.begun", Subject: act.Subject,
			Detail: map[string]string{"activation": act.ID, "client": client}})
	})
	if err != nil {
		return out, busyOr(err, &staff.Error{Kind: staff.Closed, Msg: "the activation is under way elsewhere; begin again", Err: err})
	}
	factors, uri, err := a.enrol(ctx, act, before, username, password)
	if vault.KindOf(err) == vault.WeakPassword { // on the vault's list of breached ones
		return out, &auth.Error{Kind: auth.TooWeak, Msg: "the password is known to those who guess; choose another", Err: err}
	}
	if err != nil {
		return out, signing.FromVault(err)
	}
	from, act.State = act.State, store.ActivationEnrolled
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.ChangeActivation(act, from); err != nil {
			return err
		}
		if act.Kind == activateStaff {
			return tx.SetStaffFactors(act.Subject, factors, store.StaffAppointed, a.opt.Now())
		}
		return tx.SetFactors(act.Subject, factors)
	})
	out.OTPURI = uri
	return out, busyOr(err, &staff.Error{Kind: staff.Closed, Msg: "the activation is under way elsewhere; begin again", Err: err})
}

// busyOr tells a conflict, which is told as other, from a database that is busy.
func busyOr(err error, other error) error {
	switch store.KindOf(err) {
	case "":
		return nil
	case store.Conflict, store.NotFound:
		return other
	case store.Full:
		return &signing.Error{Kind: signing.DiskFull, Msg: "the disk is full", Err: err}
	}
	return &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
}

// Confirm ends an activation: the authenticator works, so the key is made, the
// certificate issued and its emergency code given. e.Password is wiped. What a crash or
// a fault has interrupted goes on when it is called again; the key is made once.
func (a *Appliance) Confirm(ctx context.Context, code string, e signing.Evidence) (staff.Activated, error) {
	defer clear(e.Password)
	act, username, err := a.pending(ctx, code, e.Client)
	if err != nil {
		return staff.Activated{}, err
	}
	out := staff.Activated{Username: username, Staff: act.Kind == activateStaff}
	switch {
	case act.State == store.ActivationOpen:
		return out, &staff.Error{Kind: staff.Invalid, Msg: "choose a password first"}
	case act.Kind == activateStaff:
		return out, a.confirmStaff(ctx, act, e)
	case act.State == store.ActivationEnrolled:
		if err := a.confirmKey(ctx, &act, e); err != nil {
			return out, err
		}
	}
	if out.Certificate, err = a.certify(ctx, act); err != nil {
		return out, err
	}
	if out.Emergency, err = a.NewEmergencyCode(ctx, out.Certificate, act.Subject); err != nil {
		return out, err
	}
	act.State = store.ActivationDone
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.ChangeActivation(act, store.ActivationKeyed); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: act.Subject, Event: "activation.done", Subject: act.Subject,
			Detail: map[string]string{"activation": act.ID, "certificate": out.Certificate, "client": e.Client}})
	})
	return out, busyOr(err, &staff.Error{Kind: staff.Closed, Msg: "the activation was ended elsewhere", Err: err})
}

// confirmStaff puts a member's factors in force.
func (a *Appliance) confirmStaff(ctx context.Context, act store.Activation, e signing.Evidence) error {
	var row store.Staff
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.Staff(act.Subject)
		return err
	})
	if err != nil {
		return busyOr(err, err)
	}
	var factors vault.Factors
	if err := json.Unmarshal(row.Factors, &factors); err != nil {
		return &signing.Error{Kind: signing.Internal, Msg: "the member's factors cannot be read", Err: err}
	}
	if _, err := a.Vault.Authenticate(ctx, vault.Authentication{Factors: factors, Evidence: e}); err != nil {
		return signing.FromVault(err)
	}
	from := act.State
	act.State = store.ActivationDone
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.ChangeActivation(act, from); err != nil {
			return err
		}
		if err := tx.SetStaffFactors(row.ID, row.Factors, store.StaffActive, a.opt.Now()); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: row.ID, Event: "staff.activated", Subject: row.ID,
			Detail: map[string]string{"activation": act.ID, "role": row.Role, "client": e.Client}})
	})
	return busyOr(err, &staff.Error{Kind: staff.Closed, Msg: "the activation was ended elsewhere", Err: err})
}

// confirmKey has the vault make the holder's key.
func (a *Appliance) confirmKey(ctx context.Context, act *store.Activation, e signing.Evidence) error {
	var h store.Holder
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.Holder(act.Subject)
		return err
	})
	if err != nil {
		return busyOr(err, err)
	}
	var t terms
	if err := json.Unmarshal(act.Terms, &t); err != nil {
		return &signing.Error{Kind: signing.Internal, Msg: "the activation cannot be read", Err: err}
	}
	c, csr, err := a.newKey(ctx, h, t, e)
	if err != nil {
		return signing.FromVault(err)
	}
	from := act.State
	act.State, act.Credential, act.CSR = store.ActivationKeyed, c.ID, csr
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.ChangeActivation(*act, from); err != nil {
			return err
		}
		return a.putCredential(tx, c)
	})
	return busyOr(err, &staff.Error{Kind: staff.Closed, Msg: "the activation was ended elsewhere", Err: err})
}

// certify gives the serial number of the activation's certificate, issuing it unless
// that was done before.
func (a *Appliance) certify(ctx context.Context, act store.Activation) (string, error) {
	var h store.Holder
	var c store.Credential
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if h, err = tx.Holder(act.Subject); err != nil {
			return err
		}
		c, err = tx.Credential(act.Credential)
		return err
	})
	if err != nil || c.Certificate != "" {
		return c.Certificate, busyOr(err, err)
	}
	serial, err := a.issue(ctx, h, c, act.CSR, act.Actor)
	if err != nil {
		return "", asSigning(err, "the certificate cannot be issued now")
	}
	return serial, nil
}

// asSigning gives an error of pki the kind that the faces know.
func asSigning(err error, what string) error {
	if err == nil {
		return nil
	}
	kind, ok := suspendKinds[pki.KindOf(err)]
	if !ok {
		kind = signing.Internal
	}
	return &signing.Error{Kind: kind, Msg: what, Err: err}
}
