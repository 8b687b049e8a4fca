package web

import (
	"errors"

	"sigillo/signing"
	counters "sigillo/signing/counter"
)

// kindsOfCounter is where the errors of the counter's room get their names here.
var kindsOfCounter = map[counters.Kind]Kind{
	counters.NotFound:     Kind(signing.NotFound),
	counters.NotPermitted: RoleNotPermitted,
	counters.SamePerson:   CounterSecond,
	counters.SignedOut:    CounterSignedOut,
	counters.Invalid:      WrongEntry,
	counters.BadState:     CounterState,
	counters.TabletBusy:   TabletBusy,
	counters.TabletAway:   TabletAway,
	counters.NoProfile:    NoProfile,
	counters.NoConsent:    NoConsent,
	counters.Unread:       CounterUnread,
	counters.Locked:       CounterLocked,
	counters.Stale:        CounterStale,
	counters.WrongCode:    TabletCode,
	counters.Unknown:      TabletUnknown,
	counters.TooMany:      CounterFull,
	counters.Unavailable:  Kind(signing.Busy),
	counters.Internal:     Kind(signing.Internal),
}

func kindOfCounter(err error) (Kind, bool) {
	var e *counters.Error
	if !errors.As(err, &e) {
		return "", false
	}
	kind, ok := kindsOfCounter[e.Kind]
	return kind, ok
}
