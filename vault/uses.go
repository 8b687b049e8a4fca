package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sort"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// What is left of a SAD. Each use of it is a row under a MAC, numbered from 1, which
// is never changed but by its result, and says which digests this use and those
// before have consumed. So the last row says all. That no row was removed the journal
// knows: the entries about the uses of a SAD tell how many there are, and a SAD with
// another number of rows is refused. Rows that are forgotten in good order are of
// SADs that have expired.

// taken is which digests of a SAD are consumed, a bit for each in the order of its
// claims.
type taken []byte

func newTaken(digests int) taken { return make(taken, (digests+7)/8) }

func (t taken) has(i int) bool { return t[i/8]&(1<<(i%8)) != 0 }

// take consumes the wanted digests, each as often as it stands there. have is what
// the SAD is for, sorted. False when there are not so many left; t is of no use then.
func (t taken) take(have, wanted [][]byte) bool {
	for _, d := range wanted {
		i := sort.Search(len(have), func(i int) bool { return bytes.Compare(have[i], d) >= 0 })
		for i < len(have) && t.has(i) && bytes.Equal(have[i], d) {
			i++
		}
		if i == len(have) || !bytes.Equal(have[i], d) {
			return false
		}
		t[i/8] |= 1 << (i % 8)
	}
	return true
}

// left returns the digests that are not consumed.
func (t taken) left(have [][]byte) (left [][]byte) {
	for i, d := range have {
		if !t.has(i) {
			left = append(left, d)
		}
	}
	return left
}

// usage is where a SAD stands.
type usage struct {
	last  int // number of the last use; 0: none
	taken taken
	mine  store.Spent // the use of this request; Seq 0: none
}

// usageOf reads the rows of a SAD. That none is missing is for agrees to say.
func (v *server) usageOf(tx *store.Tx, sad *claims, request string) (u usage, err error) {
	u.taken = newTaken(len(sad.Digests))
	last, err := tx.LastSpent(sad.ID)
	if store.KindOf(err) == store.NotFound {
		return u, nil
	}
	if err != nil {
		return u, err
	}
	if _, err := v.boundTo(last); err != nil || len(last.Taken) != len(u.taken) {
		return u, errSpentTampered
	}
	u.last = last.Seq
	copy(u.taken, last.Taken)
	if u.mine, err = tx.Spent(sad.ID, request); store.KindOf(err) == store.NotFound {
		u.mine, err = store.Spent{}, nil
	}
	return u, err
}

// agrees refuses a SAD whose rows are not as many as the journal says.
func (u usage) agrees(tx *store.Tx, sad *claims) error {
	n, err := told(tx, sad.ID, "uses", usesOfSAD...)
	if err == nil && n != int64(u.last) {
		err = fail(Tampered, "the vault's record of this activation data was removed; nothing is signed with it")
	}
	return err
}

// The events that tell how many uses there are of a SAD.
var usesOfSAD = []string{"signature.intent", "signature.extended"}

// spent is the refusal of digests that are consumed. It looks whether rows were
// removed first: one of them may have been this request's.
func (u usage) spent(tx *store.Tx, sad *claims) error {
	if n, err := tx.CountSpent(sad.ID); err != nil || n != u.last {
		return firstError(err, errSpentTampered)
	}
	if err := u.agrees(tx, sad); err != nil {
		return err
	}
	return fail(SpentSAD, "this activation data was used already; authorise again")
}

// unfinished refuses a use that has no result although the journal says it had one: what
// was released once is not made a second time.
func (u usage) unfinished(tx *store.Tx, sad *claims) error {
	done, err := tx.JournalOfEvent(sad.ID, "signature.done", store.MaxRows)
	if err != nil {
		return err
	}
	if len(done) >= store.MaxRows { // the oldest may be this one's
		return errSpentTampered
	}
	for _, e := range done {
		var detail map[string]string
		if json.Unmarshal(e.Detail, &detail) != nil || detail["use"] == strconv.Itoa(u.mine.Seq) {
			return errSpentTampered
		}
	}
	return nil
}

// inTime refuses a SAD that is too old, or from the future, or whose delegation ended at
// until.
func (c *claims) inTime(now, until time.Time) error {
	if !until.IsZero() && !now.Before(until) {
		return fail(NotAllowed, "the delegation has expired")
	}
	if now.Unix() >= c.Expires || now.Unix() < c.Issued-int64(time.Minute/time.Second) {
		return fail(ExpiredSAD, "the authorisation is too old; authorise again")
	}
	return nil
}

// next is the row of one use more, which consumes what t says.
func (u usage) next(sad *claims, request string, t taken, now time.Time) store.Spent {
	return store.Spent{JTI: sad.ID, Seq: u.last + 1, Request: request, Holder: sad.Subject, Credential: sad.Credential,
		Taken: t, Created: now, Expires: time.Unix(sad.Expires, 0).Add(keepResults)}
}

// consume is step 2 of sign. It returns the signatures when there are any. Else it
// calls admitted, still inside the transaction, when there is nothing left to refuse.
func (v *server) consume(ctx context.Context, a *Activation, sad *claims, admitted func()) (row store.Spent, stored [][]byte, err error) {
	content := a.names(newMessage("sign").text(sad.ID).text(a.Scheme).text(a.Hash)).sha256()
	var learned func()
	err = v.db.WriteShared(ctx, func(tx *store.Tx) (err error) {
		if learned, err = v.stillCurrent(tx, &a.Credential); err != nil {
			return err
		}
		row, stored, err = v.intend(tx, a, sad, content)
		if err == nil && stored == nil {
			admitted()
		}
		return err
	})
	switch {
	case err == nil:
		learned()
	case KindOf(err) != Tampered:
	case aboutCredential(err):
		v.noteCredential(ctx, opSign, &a.Credential, err)
	default:
		v.noteTampered(ctx, a.Request, sad, err)
	}
	return row, stored, because(err, "the intent to sign could not be written")
}

// intend finds what is left to do for a request and journals that it is begun.
func (v *server) intend(tx *store.Tx, a *Activation, sad *claims, content []byte) (row store.Spent, stored [][]byte, err error) {
	now := v.now()
	until, err := v.stands(tx, sad)
	if err != nil {
		return row, nil, err
	}
	u, err := v.usageOf(tx, sad, a.Request)
	if err != nil {
		return row, nil, err
	}
	resumed := u.mine.Seq != 0
	if resumed {
		if stored, err = v.resume(u.mine, content); err == nil && stored == nil {
			err = u.unfinished(tx, sad)
		}
		if err != nil || stored != nil {
			return u.mine, stored, err
		}
		row = u.mine
	} else {
		if !u.taken.take(sad.Digests, a.authorised()) {
			return row, nil, u.spent(tx, sad)
		}
		row = u.next(sad, a.Request, u.taken, now)
	}
	if err := sad.inTime(now, until); err != nil {
		return row, nil, err
	}
	if err := u.agrees(tx, sad); err != nil {
		return row, nil, err
	}
	if !resumed {
		if row, err = v.putSpent(tx, row, content); err != nil {
			return row, nil, err
		}
		u.last = row.Seq
	}
	ev := v.signatureEvent("signature.intent", a, sad, row.Seq)
	ev.Detail["resumed"], ev.Detail["uses"] = strconv.FormatBool(resumed), strconv.Itoa(u.last)
	return row, nil, audit.Append(tx, now, ev)
}

// resume says what is left to do for a use that its request began before.
func (v *server) resume(old store.Spent, content []byte) (stored [][]byte, err error) {
	was, stored, err := v.openSpent(old)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(was, content) {
		return nil, fail(SpentSAD, "this activation data was used already; authorise again")
	}
	if old.State == store.SpentDone && len(stored) == 0 {
		return nil, fail(ExpiredSAD, "the authorisation is too old; authorise again")
	}
	return stored, nil
}

// noteTampered journals that the record of a SAD is not as the vault left it:
// once for as long as nothing else happens to it, however often somebody tries.
func (v *server) noteTampered(ctx context.Context, request string, sad *claims, cause error) {
	const name = "sad.tampered"
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		last, err := tx.JournalOf(sad.ID, 1)
		if err != nil || len(last) == 1 && last[0].Event == name {
			return err
		}
		return audit.Append(tx, v.now(), audit.Event{Actor: "vault", Event: name, Subject: sad.ID,
			Detail: map[string]string{"request": request, "holder": sad.Subject, "credential": sad.Credential}})
	})
	if err != nil {
		v.log.Error("a tampered record could not be journalled", "err", err, "cause", cause)
	}
}
