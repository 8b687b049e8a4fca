package vault

import (
	"crypto/hmac"
	"encoding/json"
	"maps"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/store"
)

// holderState is what the vault remembers of a holder: one row, under a MAC. It binds
// the Factors record that counts, so that an older one, with a password that was
// changed since, is refused. The journal tells every change of that record with its
// generation: a row that was removed, or put back as it was before such a change, is
// found, because it and the journal say different things.
type holderState struct {
	Holder     string          `json:"holder"`
	Generation int64           `json:"generation"`        // of the record that counts
	Factors    []byte          `json:"factors,omitempty"` // its MAC; nil: void, the holder must enrol
	Pending    *pendingFactors `json:"pending,omitempty"`
	Enrolment  string          `json:"enrolment,omitempty"` // binding of the request that enrolled

	// The factors that were used up last, by which request: its repetition gets the
	// same answer.
	Serial  int64    `json:"serial"` // rises each time
	Request string   `json:"request,omitempty"`
	Proof   []byte   `json:"proof,omitempty"`
	Methods []string `json:"methods,omitempty"`
	At      int64    `json:"at,omitempty"` // ms
	// Forgotten is when the last of the used challenges expired that is not in Nonces any
	// more, ms: one that expires no later may be one of them, if the clock went back.
	Forgotten int64 `json:"forgotten,omitempty"`

	Devices   map[string]*deviceState `json:"devices,omitempty"`
	Codes     [][]byte                `json:"codes,omitempty"` // recovery codes left: MACs by the token
	Nonces    []usedNonce             `json:"nonces,omitempty"`
	Sent      [3]*sentCode            `json:"sent"`      // for strangers, the holder's browsers, applications
	Sendings  [3]sendings             `json:"sendings"`  // of codes, for the same
	Strangers lane                    `json:"strangers"` // failures of browsers the vault doesn't know
	Known     lane                    `json:"known"`     // of others
	Browsers  int64                   `json:"browsers"`  // rises when all Browser tokens become void

	Activation *activation `json:"activation,omitempty"`

	version   int64 // of the row; 0: there is none yet
	converted bool  // made of a row of otp_states
}

// deviceState is what changes of a device.
type deviceState struct {
	Confirmed bool   `json:"confirmed,omitempty"`
	Added     int64  `json:"added,omitempty"` // ms
	Tries     int    `json:"tries,omitempty"` // of confirming it
	Last      int64  `json:"last,omitempty"`  // TOTP: last step used; HOTP: last count used, or one less than the first
	Drift     int64  `json:"drift,omitempty"` // TOTP: steps its clock is ahead
	Count     uint32 `json:"count,omitempty"` // sign count of a passkey
	Used      int64  `json:"used,omitempty"`  // ms
}

// lane counts failures of one kind of requests. Two lanes, each with the delays of
// [auth.Delay]: strangers who guess in a holder's name lock strangers out, not the
// holder's own browsers. All together can fail 2 × [auth.GuessesPerDay] = 208 times on
// the first day and 192 times on each later one, strangers half as often. With one
// authenticator three codes of a million are right at any time, with eight at most 88
// (HOTP has eleven): strangers who know the password hit within a day with a
// probability of 3·10⁻⁴, or 10⁻² against eight HOTP devices.
type lane struct {
	Failures int   `json:"failures,omitempty"`
	Until    int64 `json:"until,omitempty"` // ms
}

// locked says whether who is in the lane must wait.
func (l *lane) locked(now time.Time) error {
	if wait := time.UnixMilli(l.Until).Sub(now); l.Until > 0 && wait > 0 {
		return &Error{Kind: Locked, Msg: "too many wrong attempts; wait and try again", RetryAfter: wait}
	}
	return nil
}

func (l *lane) fail(now time.Time) {
	l.Failures++
	if wait := auth.Delay(l.Failures); wait > 0 {
		l.Until = millis(now.Add(wait))
	}
}

// The events of the journal that tell a generation.
const (
	holderEnrolled   = "holder.enrolled"
	holderRecovered  = "holder.recovered"
	factorsAdopted   = "factors.adopted"
	factorsConverted = "factors.converted" // from the row of a vault of before
)

// aboutFactors is the subject of these events: not the holder, about whom the journal
// has an entry for each sign-in, so that the last of them is found at once.
func aboutFactors(holder string) string { return "factors:" + holder }

var changesOfFactors = []string{holderEnrolled, holderRecovered, factorsAdopted, factorsConverted}

var (
	errForgotten    = fail(Tampered, "the vault does not remember this holder; enrol the holder again")
	errHolderRow    = fail(Tampered, "what the vault remembers of this holder was changed; recover the holder")
	errOtherFactors = fail(Tampered, "the record of this holder is not the one the vault knows; restore it from a backup or enrol the holder again")
)

func (v *server) holderMAC(r store.HolderState) []byte {
	return newMessage("sigillo holder state v1").text(r.Holder).num(r.Version).bytes(r.Record).mac(&v.rowKey)
}

// holder reads the state of a holder; nil when there is none.
func (v *server) holder(tx *store.Tx, holder string) (*holderState, error) {
	generation, err := told(tx, aboutFactors(holder), "generation", changesOfFactors...)
	if err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	r, err := tx.HolderState(holder)
	if store.KindOf(err) == store.NotFound {
		if generation != 0 {
			return nil, errHolderRow
		}
		return nil, nil
	}
	if err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	s := &holderState{}
	if !hmac.Equal(r.MAC, v.holderMAC(r)) || json.Unmarshal(r.Record, s) != nil || s.Holder != holder || s.Generation != generation {
		return nil, errHolderRow
	}
	s.version = r.Version
	return s, nil
}

// holderOf reads the state of the holder of f, which the caller found to be the
// vault's own, and refuses any other record than the one that counts. Without a row
// nobody knows which codes were used, so the holder is refused.
func (v *server) holderOf(tx *store.Tx, f *Factors) (*holderState, error) {
	s, err := v.holder(tx, f.Holder)
	if s == nil && err == nil {
		s, err = v.convert(tx, f)
	}
	if err != nil {
		return nil, err
	}
	if len(s.Factors) == 0 || !hmac.Equal(f.MAC, s.Factors) {
		return nil, errOtherFactors
	}
	return s, nil
}

// convert makes the state of a holder of a vault of before, who has one authenticator.
func (v *server) convert(tx *store.Tx, f *Factors) (*holderState, error) {
	old, err := tx.OTPState(f.Holder)
	if store.KindOf(err) == store.NotFound {
		return nil, errForgotten
	}
	if err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	if f.Version != 1 || !hmac.Equal(old.MAC, v.otpMAC(old, f.MAC)) {
		return nil, errOtherFactors
	}
	return &holderState{Holder: f.Holder, Generation: 1, Factors: f.MAC, Serial: old.Step, Request: old.Request,
		Devices:   map[string]*deviceState{firstDevice: {Confirmed: true, Last: old.Step}},
		Strangers: lane{Failures: old.Failures, Until: millis(old.LockedUntil)}, converted: true}, nil
}

// keepHolder writes the state of a holder.
func (v *server) keepHolder(tx *store.Tx, s *holderState) error {
	record, err := json.Marshal(s)
	if err != nil {
		return err
	}
	r := store.HolderState{Holder: s.Holder, Version: s.version + 1, Record: record}
	r.MAC = v.holderMAC(r)
	put := tx.SetHolderState
	if s.version == 0 {
		put = tx.PutHolderState
		if err := tx.DeleteOTPState(s.Holder); err != nil {
			return because(err, "the vault's state cannot be written")
		}
	}
	if err := put(r); err != nil {
		return because(err, "the vault's state cannot be written")
	}
	s.version++
	if s.converted {
		s.converted = false
		return v.tellGeneration(tx, s, audit.Event{Actor: "vault", Event: factorsConverted})
	}
	return nil
}

// tellGeneration appends an event that tells the generation of a holder's record.
func (v *server) tellGeneration(tx *store.Tx, s *holderState, ev audit.Event) error {
	ev.Subject = aboutFactors(s.Holder)
	if ev.Detail == nil {
		ev.Detail = map[string]string{}
	}
	ev.Detail["generation"] = strconv.FormatInt(s.Generation, 10)
	return because(audit.Append(tx, v.now(), ev), "the journal cannot be written")
}

// device returns the state of a device; never nil.
func (s *holderState) device(id string) *deviceState {
	if d := s.Devices[id]; d != nil {
		return d
	}
	return &deviceState{Last: -1}
}

// setDevice remembers the state of a device that is new.
func (s *holderState) setDevice(id string, d *deviceState) {
	if s.Devices == nil {
		s.Devices = make(map[string]*deviceState)
	}
	s.Devices[id] = d
}

// forgetDevices forgets all devices that are not in one of the records.
func (s *holderState) forgetDevices(records ...*Factors) {
	maps.DeleteFunc(s.Devices, func(id string, _ *deviceState) bool {
		for _, f := range records {
			if f.find(id) != nil {
				return false
			}
		}
		return true
	})
}

// counts says whether a device may be used. The first one of a holder is confirmed by
// being used; others by [Client.ConfirmDevice].
func (s *holderState) counts(id string) bool {
	if d := s.Devices[id]; d == nil || d.Confirmed {
		return d != nil
	}
	for _, d := range s.Devices {
		if d.Confirmed {
			return false
		}
	}
	return len(s.Devices) == 1
}
