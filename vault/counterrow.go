package vault

import (
	"crypto/hmac"
	"encoding/json"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// What the vault remembers of tablets, captures and profiles are rows under a MAC, and the
// journal tells each change with the version it led to: one that was edited, removed or put
// back as it was once is found, because row and journal say different things.

// The events of the journal that tell the version of a row, by its kind.
const (
	tabletRegistered = "tablet.registered"
	tabletRevoked    = "tablet.revoked"

	captureOpened   = "capture.opened"
	captureSampled  = "capture.sampled"  // a signature for an enrolment was looked at
	captureRemoved  = "capture.removed"  // one was taken out again
	captureTried    = "capture.tried"    // a signature is going to be compared with the profile
	captureCompared = "capture.compared" // it was
	captureEnrolled = "capture.enrolled"
	captureClosed   = "capture.closed"

	profileEnrolled   = "profile.enrolled"
	profileUpdated    = "profile.updated"
	profileTried      = "profile.tried"
	profileRecognised = "profile.recognised"
	profileMismatched = "profile.mismatched"
	profileRolledBack = "profile.rolled-back"
	profileDestroyed  = "profile.destroyed"
)

var counterEvents = map[string][]string{
	store.CounterTablet:  {tabletRegistered, tabletRevoked},
	store.CounterCapture: {captureOpened, captureSampled, captureRemoved, captureTried, captureCompared, captureEnrolled, captureClosed},
	store.CounterProfile: {profileEnrolled, profileUpdated, profileTried, profileRecognised, profileMismatched, profileRolledBack, profileDestroyed},
}

// errNoCounterRow says that there is, and was, no such row.
var (
	errNoCounterRow = fail(NotAllowed, "there is none of this name")
	errCounterRow   = fail(Tampered, "what the vault remembers of this was changed, or is over; begin anew")
)

// aboutCounter is the subject of the events about a row.
func aboutCounter(kind, id string) string { return kind + ":" + id }

func (v *server) counterMAC(r store.CounterRow) []byte {
	return newMessage("sigillo counter v1").text(r.Kind).text(r.ID).text(r.State).text(r.Holder).text(r.About).
		num(millis(r.Due)).num(r.Version).bytes(r.Record).mac(&v.rowKey)
}

// openCounterRow reads a row into its record.
func (v *server) openCounterRow(r store.CounterRow, into any) error {
	if !hmac.Equal(r.MAC, v.counterMAC(r)) || json.Unmarshal(r.Record, into) != nil {
		return errCounterRow
	}
	return nil
}

// counterRow reads a row, compares it with the journal, and returns its version.
func (v *server) counterRow(tx *store.Tx, kind, id string, into any) (int64, error) {
	version, err := told(tx, aboutCounter(kind, id), "version", counterEvents[kind]...)
	if err != nil {
		return 0, because(err, "the vault's state cannot be read")
	}
	r, err := tx.CounterRow(kind, id)
	switch {
	case store.KindOf(err) == store.NotFound && version == 0:
		return 0, errNoCounterRow
	case store.KindOf(err) == store.NotFound:
		return 0, errCounterRow
	case err != nil:
		return 0, because(err, "the vault's state cannot be read")
	case r.Version != version:
		return 0, errCounterRow
	}
	return version, v.openCounterRow(r, into)
}

// keepCounterRow writes the next version of a row with its entry of the journal. r has its
// Version, the one before, but neither Record nor MAC.
func (v *server) keepCounterRow(tx *store.Tx, r store.CounterRow, record any, ev audit.Event) (err error) {
	if r.Record, err = json.Marshal(record); err != nil {
		return err
	}
	put := tx.SetCounterRow
	if r.Version == 0 {
		put = tx.PutCounterRow
	}
	r.Version++
	r.Due = time.UnixMilli(millis(r.Due))
	if millis(r.Due) <= 0 {
		r.Due = time.Time{}
	}
	r.MAC = v.counterMAC(r)
	if err := put(r); err != nil {
		return because(err, "the vault's state cannot be written")
	}
	ev.Subject = aboutCounter(r.Kind, r.ID)
	if ev.Detail == nil {
		ev.Detail = map[string]string{}
	}
	ev.Detail["version"] = strconv.FormatInt(r.Version, 10)
	return because(audit.Append(tx, v.now(), ev), "the journal cannot be written")
}
