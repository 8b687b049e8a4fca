package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"

	"sigillo/audit"
	"sigillo/store"
)

// A change of the factors makes a new record. The service keeps it, in a database of
// its own, so the change has two phases: the vault remembers the new record as pending
// beside the one that counts and answers with it; the service stores it, with what
// belongs to it, and shows it. From then on the old one is refused. Whatever dies when,
// the service has one record, the vault accepts it, and so there is one password:
//
//   - before the vault's commit: the old record; nothing happened;
//   - before the service's commit: the old one; the pending one is forgotten with the
//     next change;
//   - after it: the new one, whether or not the service comes to say so: the first
//     request that shows the record adopts it.
//
// To adopt wants no factors: the vault made the record for somebody who had them.

// pendingFactors is a record that was made and not shown yet.
type pendingFactors struct {
	Factors     []byte      `json:"factors"` // MAC
	Credentials []rewrapped `json:"credentials,omitempty"`
	Reason      string      `json:"reason"`
	// Until is when a change of the password is not on its way any more, ms: no key is made
	// under the old one before that.
	Until int64 `json:"until,omitempty"`
}

// rewrapped is a credential that changes with the record: its records without what is
// wrapped, which replaceCredential doesn't look at.
type rewrapped struct {
	Old Credential `json:"old"`
	New Credential `json:"new"`
}

// propose makes f, which bears its MAC, the pending record of s, the state of the
// holder of old. What was pending before is forgotten.
func (s *holderState) propose(old, f *Factors, reason string, credentials ...rewrapped) {
	s.Pending = &pendingFactors{Factors: f.MAC, Credentials: credentials, Reason: reason}
	s.forgetDevices(old, f)
}

// adoptShown makes a pending record the one that counts when it is shown.
func (v *server) adoptShown(ctx context.Context, f *Factors) error {
	pending := func(tx *store.Tx) (bool, *holderState, error) {
		s, err := v.holder(tx, f.Holder)
		return s != nil && s.Pending != nil && hmac.Equal(s.Pending.Factors, f.MAC), s, err
	}
	var waits bool
	err := v.db.Read(ctx, func(tx *store.Tx) (err error) {
		waits, _, err = pending(tx)
		return err
	})
	if err != nil || !waits {
		return because(err, "the vault's state cannot be read")
	}
	if err := v.ownFactors(ctx, f); err != nil {
		return err
	}
	err = v.db.Write(ctx, func(tx *store.Tx) error {
		waits, s, err := pending(tx)
		if err != nil || !waits {
			return err
		}
		return v.take(tx, s, f)
	})
	return because(err, "the vault's state cannot be written")
}

// take makes the pending record, which is f, the one that counts, and the credentials
// that belong to it the current ones.
func (v *server) take(tx *store.Tx, s *holderState, f *Factors) error {
	reason := s.Pending.Reason
	for _, c := range s.Pending.Credentials {
		if err := v.replaceCredential(tx, &c.Old, &c.New, f.Holder, reason); err != nil {
			if aboutCredential(err) { // destroyed meanwhile: it stays so
				continue
			}
			return err
		}
	}
	s.Factors, s.Pending = f.MAC, nil
	s.Generation++
	s.forgetDevices(f)
	if err := v.keepHolder(tx, s); err != nil {
		return err
	}
	return v.tellGeneration(tx, s, audit.Event{Actor: f.Holder, Event: factorsAdopted, Detail: map[string]string{"reason": reason}})
}

// adoptFactors is what a service asks for when it has stored a record.
func (v *server) adoptFactors(ctx context.Context, f *Factors) error { return v.shown(ctx, f) }

// alter changes what the vault remembers of the holder of f, which must be the record
// that counts.
func (v *server) alter(ctx context.Context, f *Factors, do func(tx *store.Tx, s *holderState) error) error {
	if err := firstError(v.ownFactors(ctx, f), v.adoptShown(ctx, f)); err != nil {
		return v.noteRefusal(ctx, f, use{op: opShown}, err)
	}
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		s, err := v.holderOf(tx, f)
		if err != nil {
			return err
		}
		if err := do(tx, s); err != nil {
			return err
		}
		return v.keepHolder(tx, s)
	})
	return because(err, "the vault's state cannot be written")
}

// next returns a copy of a record to be changed, in the present version, and the
// secrets of its devices, which the caller wipes.
func (v *server) next(ctx context.Context, f *Factors) (*Factors, [][]byte, error) {
	if err := v.ownFactors(ctx, f); err != nil {
		return nil, nil, err
	}
	secrets, err := v.unsealSecrets(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	n := *f
	n.Devices = append([]Device(nil), f.devices()...)
	n.Version, n.MAC = factorsVersion, nil
	return &n, secrets, nil
}

// finishFactors seals the secrets of a changed record and signs it.
func (v *server) finishFactors(ctx context.Context, f *Factors, secrets [][]byte) error {
	if err := v.sealSecrets(ctx, f, secrets); err != nil {
		return err
	}
	return v.signFactors(ctx, f)
}

// newDeviceID returns a random identifier of a device.
func newDeviceID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
