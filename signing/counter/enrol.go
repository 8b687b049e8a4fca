package counter

import (
	"context"
	"encoding/json"
	"strconv"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/hsm"
	"sigillo/store"
	"sigillo/vault"
)

// wanted is how many signatures an enrolment takes; after as many it ends by itself.
const wanted = 6

// What the key of a customer is.
const (
	keyType    = hsm.P256
	maxDigests = 50
)

// enrol adds a signature to an enrolment. The signatures are in the vault, in memory.
func (s *Service) enrol(ctx context.Context, v *session, c Captured) error {
	step, err := s.cfg.Vault.EnrolCapture(ctx, c)
	if err != nil {
		return fromVault(err)
	}
	return s.stepped(context.WithoutCancel(ctx), v, step, "counter.sample", v.Holder)
}

// stepped makes durable how far an enrolment is.
func (s *Service) stepped(ctx context.Context, v *session, step vault.EnrolStep, event, actor string) error {
	v.data.Progress = &Progress{Count: step.Count, Wanted: wanted, Ready: step.Ready, Pause: step.Pause, Weak: step.Weak, Odd: step.Odd, Reasons: step.Reasons}
	if step.Failed {
		return s.end(ctx, v, Refused, WhyNoEnrolment, "appliance")
	}
	to := Signing
	if step.Ready && step.Count >= wanted {
		to = Matched
	}
	return s.change(ctx, v, to, audit.Event{Actor: actor, Event: event, Detail: map[string]string{
		"accepted": strconv.FormatBool(step.Accepted), "count": strconv.Itoa(step.Count), "tablet": v.Tablet, "operator": v.Operator}}, nil)
}

// RemoveSample takes one of the signatures of an enrolment away; the first is 0.
func (s *Service) RemoveSample(ctx context.Context, by member, id string, index int) (Session, error) {
	v, release, err := s.held(ctx, by, id)
	if err != nil {
		return Session{}, err
	}
	defer release()
	switch {
	case by.ID != v.Operator:
		return Session{}, errNotYours
	case v.Purpose != string(Enrol) || v.Credential != "" || v.state() != Signing && v.state() != Matched:
		return Session{}, fail(BadState, "no signature can be taken away now", nil)
	case index < 0 || index >= v.data.Progress.Count:
		return Session{}, fail(Invalid, "there is no such signature", nil)
	}
	step, err := s.cfg.Vault.RemoveCapture(ctx, v.Capture, index)
	if err != nil {
		return Session{}, fromVault(err)
	}
	if err := s.stepped(context.WithoutCancel(ctx), v, step, "counter.sample-removed", by.ID); err != nil {
		return Session{}, err
	}
	return s.show(ctx, v)
}

// heldBy is held for those who may come from elsewhere too: a member of the certification
// service is of no centre, and approves enrolments of all.
func (s *Service) heldBy(ctx context.Context, by member, id string) (*session, func(), error) {
	if by.Role != staff.Certification {
		return s.held(ctx, by, id)
	}
	if err := by.May(staff.ApproveEnrolment); err != nil {
		return nil, nil, err
	}
	return s.hold(ctx, id, func(v *session) bool { return v.Purpose == string(Enrol) })
}

// finishing is what the vault is asked for when an enrolment ends, without the presence of
// the second person; nothing is durable yet.
func (s *Service) finishing(ctx context.Context, v *session, by member, second string) (n vault.FinishEnrolment, m member, err error) {
	var f vault.Factors
	if second == "" {
		f, m, err = s.factors(ctx, by.ID)
	} else {
		f, m, err = s.memberCalled(ctx, second)
	}
	switch {
	case err != nil:
		return n, m, err
	case m.ID == v.Operator:
		return n, m, fail(SamePerson, "another member of the staff approves the enrolment", nil)
	case m.Role != staff.Certification && m.Centre != v.Centre:
		return n, m, fail(NotPermitted, "who approves works at this centre, or for the certification service", nil)
	}
	if err := m.May(staff.ApproveEnrolment); err != nil {
		return n, m, err
	}
	switch h, err := s.customer(ctx, v.Holder); {
	case err != nil:
		return n, m, err
	case samePerson(m, h):
		return n, m, errSelf
	}
	if m.ID != by.ID {
		if err := s.signedIn(ctx, m.ID); err != nil {
			return n, m, err
		}
	}
	if v.Purpose != string(Enrol) || v.state() != Signing && v.state() != Matched || v.Credential != "" || !v.data.Progress.Ready {
		return n, m, fail(BadState, "the enrolment does not wait for approval", nil)
	}
	consent := shaOf(v.data.Consent.SHA256)
	return vault.FinishEnrolment{Capture: v.Capture, Second: f, Consent: consent, ID: keyOf(v),
		Type: keyType, MaxDigests: maxDigests, Client: "counter " + v.Centre, Request: v.Request}, m, nil
}

// signedIn refuses a member who shows to be there with a code alone: whoever approves at
// the page of another has signed in with the password, too, somewhere.
func (s *Service) signedIn(ctx context.Context, id string) error {
	now, in := s.cfg.Now(), false
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		in, err = tx.StaffSignedIn(id, now.Add(-auth.SessionIdle), now)
		return err
	})
	if err == nil && !in {
		return fail(SignedOut, "who approves signs in first, at a page of the own", nil)
	}
	return fromStore(err)
}

// FinishEnrolment makes the customer's key and certificate. second is the username of
// another member, whose presence it is; "" when that is by.
//
//  1. The second person may approve: another than the operator, in office, with the right.
//  2. The vault checks the presence, and makes key and profile.
//  3. Durable: the key, who approved, the request for the certificate.
//  4. Keys and certificates that the customer had for counters are ended.
//  5. The certificate is issued, and its emergency code made, which is shown once.
//  6. Durable: done.
//
// What a crash interrupts after 3 is finished by [Service.Sweep]; the emergency code is
// then given anew by `sigillo certificate code`.
func (s *Service) FinishEnrolment(ctx context.Context, by member, id, second string, presence vault.Evidence) (Session, error) {
	presence = present(presence)
	v, release, err := s.heldBy(ctx, by, id)
	if err != nil {
		return Session{}, err
	}
	defer release()
	n, m, err := s.finishing(ctx, v, by, second) // 1
	if err != nil {
		return Session{}, err
	}
	n.SecondPresence = presence
	ctx = context.WithoutCancel(ctx)
	record, csr, err := s.cfg.Vault.FinishEnrolment(ctx, n) // 2
	if err != nil {
		err = fromVault(err)
		s.note(ctx, audit.Event{Actor: m.ID, Event: "counter.approval-refused", Subject: v.ID, Detail: map[string]string{"kind": kindOf(err)}})
		return Session{}, err
	}
	c := store.Credential{ID: record.ID, Holder: v.Holder, KeyType: string(record.Type), Created: s.cfg.Now()}
	if c.Record, err = json.Marshal(record); err != nil {
		return Session{}, fail(Internal, "the key cannot be stored", err)
	}
	v.Second, v.Credential, v.CSR = m.ID, c.ID, csr
	err = s.change(ctx, v, Matched, audit.Event{Actor: m.ID, Event: "counter.enrolment-approved", // 3
		Detail: map[string]string{"holder": v.Holder, "operator": v.Operator, "credential": c.ID, "weak": strconv.FormatBool(v.data.Progress.Weak),
			"consent": v.data.Consent.SHA256}},
		func(tx *store.Tx) error { return s.keep(tx, v, c) })
	if err != nil { // nobody has the key; what the vault has of it is taken back
		if err := s.cfg.Vault.DestroyProfile(ctx, c.ID, m.ID, "not stored"); err != nil {
			s.cfg.Log.Error("a profile without a key was left in the vault", "credential", c.ID, "err", err)
		}
		return Session{}, err
	}
	code, err := s.certify(ctx, v)
	if err != nil {
		s.cfg.Log.Error("the certificate of an enrolment is issued later", "session", v.ID, "err", err)
	}
	out, err := s.show(ctx, v)
	out.EmergencyCode = code
	return out, err
}

// keep stores a new key of a holder who has not withdrawn meanwhile.
func (s *Service) keep(tx *store.Tx, v *session, c store.Credential) error {
	if _, err := tx.ConsentOf(v.Holder); err != nil {
		return err
	}
	if err := tx.PutCredential(c); err != nil {
		return err
	}
	return s.append(tx, audit.Event{Actor: v.Holder, Event: "credential.created", Subject: c.ID,
		Detail: map[string]string{"key": c.KeyType, "graphometric": "true"}})
}

func (s *Service) append(tx *store.Tx, ev audit.Event) error {
	return audit.Append(tx, s.cfg.Now(), ev)
}

// certify ends an enrolment whose key is made: steps 4 to 6 of FinishEnrolment. It may be
// called again.
func (s *Service) certify(ctx context.Context, v *session) (emergency string, err error) {
	list, err := s.keys(ctx, v.Holder)
	if err != nil {
		return "", err
	}
	consented, err := s.consented(ctx, v.Holder)
	if err != nil {
		return "", err
	}
	var c store.Credential
	for _, k := range list {
		if !consented { // withdrawn, and the vault could not be reached
			if err := s.destroy(ctx, k, reasonCessation, "appliance", "consent withdrawn"); err != nil {
				return "", err
			}
			continue
		}
		if k.ID == v.Credential {
			c = k
			continue
		}
		if err := s.destroy(ctx, k, reasonSuperseded, v.Second, "enrolled anew"); err != nil { // 4
			return "", err
		}
	}
	if c.ID == "" { // destroyed meanwhile: the customer has withdrawn
		return "", s.end(ctx, v, Cancelled, WhyCustomer, "appliance")
	}
	serial := c.Certificate
	if serial == "" {
		h, err := s.customer(ctx, v.Holder)
		if err != nil {
			return "", err
		}
		if serial, err = s.cfg.House.Certify(ctx, h, c, v.CSR, v.Second); err != nil { // 5
			return "", err
		}
	}
	if emergency, err = s.cfg.House.NewEmergencyCode(ctx, serial, v.Second); err != nil {
		return "", err
	}
	v.CSR = nil
	return emergency, s.end(ctx, v, Done, "", v.Second) // 6
}

func readKey(c store.Credential) (r vault.Credential, err error) {
	return r, json.Unmarshal(c.Record, &r)
}
