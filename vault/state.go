package vault

import (
	"crypto/hmac"
	"encoding/json"
	"strconv"
	"time"

	"sigillo/store"
)

// The vault's own rows. The key of their MACs is derived from the token: who can
// write the file but not use the token can destroy rows, not make or change
// them.

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// otpMAC is the MAC of a holder's row of before there were holder states, see convert.
// It covers the Factors record the row belongs to as well.
func (v *server) otpMAC(s store.OTPState, factors []byte) []byte {
	return newMessage("sigillo otp state v1").text(s.Holder).num(s.Step).text(s.Request).
		num(int64(s.Failures)).num(millis(s.LockedUntil)).bytes(factors).mac(&v.rowKey)
}

// spentMAC is the MAC of a use of a SAD, before (signatures nil) or after the
// signatures are there.
func (v *server) spentMAC(s store.Spent, content []byte, signatures [][]byte) []byte {
	return newMessage("sigillo spent v2").text(s.JTI).num(int64(s.Seq)).text(s.Request).text(s.Holder).text(s.Credential).
		bytes(s.Taken).bytes(content).num(millis(s.Created)).num(millis(s.Expires)).text(s.State).list(signatures).mac(&v.rowKey)
}

var errSpentTampered = fail(Tampered, "the vault's record of this activation data was changed; nothing is signed with it")

const bindingSize = 32 // the content's hash; the row's MAC follows it

// putSpent stores a use of a SAD as an intent and returns it as it is stored:
// store.Conflict when there is one of this number or this request.
func (v *server) putSpent(tx *store.Tx, s store.Spent, content []byte) (store.Spent, error) {
	s.State, s.Signatures = store.SpentIntent, nil
	// The store keeps milliseconds.
	s.Created, s.Expires = time.UnixMilli(millis(s.Created)), time.UnixMilli(millis(s.Expires))
	s.Binding = append(append([]byte(nil), content...), v.spentMAC(s, content, nil)...)
	return s, tx.PutSpent(s)
}

// result is what Spent.Signatures holds once the row is done.
type result struct {
	Signatures [][]byte `json:"signatures"`
	MAC        []byte   `json:"mac"`
}

// setSpentDone stores the signatures; store.Conflict when there are some.
func (v *server) setSpentDone(tx *store.Tx, s store.Spent, signatures [][]byte) error {
	if len(s.Binding) < bindingSize {
		return errSpentTampered
	}
	s.State = store.SpentDone
	b, err := json.Marshal(result{signatures, v.spentMAC(s, s.Binding[:bindingSize], signatures)})
	if err != nil {
		return err
	}
	return tx.SetSpentDone(s.JTI, s.Seq, b)
}

// boundTo checks the row of a use, all but its signatures, and returns the hash of
// what it is for.
func (v *server) boundTo(s store.Spent) (content []byte, err error) {
	if len(s.Binding) < bindingSize {
		return nil, errSpentTampered
	}
	content = s.Binding[:bindingSize]
	s.State = store.SpentIntent
	if !hmac.Equal(s.Binding[bindingSize:], v.spentMAC(s, content, nil)) {
		return nil, errSpentTampered
	}
	return content, nil
}

// openSpent checks the row of a use and returns the hash of what it is for and the
// signatures, nil while it is an intent.
func (v *server) openSpent(s store.Spent) (content []byte, signatures [][]byte, err error) {
	if content, err = v.boundTo(s); err != nil || s.State == store.SpentIntent {
		return content, nil, err
	}
	var r result
	if err := json.Unmarshal(s.Signatures, &r); err != nil ||
		!hmac.Equal(r.MAC, v.spentMAC(s, content, r.Signatures)) {
		return nil, nil, errSpentTampered
	}
	return content, r.Signatures, nil
}

// told returns a number in the last entry of the journal about a subject that is
// one of these events; 0 when there is none. With it a row that was removed, or put
// back as it was once, is found: it and the journal say different things.
func told(tx *store.Tx, subject, number string, events ...string) (int64, error) {
	e, err := tx.LastJournalOf(subject, events...)
	if store.KindOf(err) == store.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var detail map[string]string
	if err := json.Unmarshal(e.Detail, &detail); err != nil {
		return 0, fail(Tampered, "the vault's journal was changed; verify it")
	}
	n, _ := strconv.ParseInt(detail[number], 10, 64) // 0 where it is missing, as in entries of before
	return n, nil
}
