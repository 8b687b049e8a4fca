package signing

import (
	"errors"
	"syscall"
	"time"

	"sigillo/store"
	"sigillo/tsa"
	"sigillo/vault"
)

func fail(kind Kind, msg string, err error) error {
	return &Error{Kind: kind, Msg: msg, Err: err}
}

// fromStore gives a store error its meaning for the user; nil stays nil.
func fromStore(err error) error {
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	switch store.KindOf(err) {
	case store.NotFound:
		return fail(NotFound, "not found", err)
	case store.Conflict:
		return fail(WrongState, "changed in the meantime", err)
	case store.Busy:
		return fail(Busy, "the database is busy; try again", err)
	case store.Full:
		return fail(DiskFull, "no space left for the database", err)
	}
	return fail(Internal, "the database failed", err)
}

// vaultKinds maps what the vault says to what the holder is told. A wrong
// password and a wrong OTP are one kind here: the holder, and whoever plays
// the holder, never learns which was wrong.
var vaultKinds = map[vault.Kind]Kind{
	vault.WrongPassword:   WrongFactors,
	vault.WrongOTP:        WrongFactors,
	vault.ReusedOTP:       ReusedOTP,
	vault.Locked:          Locked,
	vault.TokenGone:       KeyUnavailable,
	vault.Unavailable:     KeyUnavailable,
	vault.Busy:            Busy,
	vault.Full:            DiskFull,
	vault.NotAllowed:      BadRequest,
	vault.BadRequest:      BadRequest,
	vault.WantsPasskey:    WantsPasskey,
	vault.Undelivered:     Undelivered,
	vault.WeakPassword:    WeakPassword,
	vault.SpentSAD:        WrongState,
	vault.ExpiredSAD:      WrongState,
	vault.Mismatch:        NotRecognised,
	vault.Unrecognised:    NotRecognised,
	vault.SignatureLocked: NotRecognised,
	vault.BadSample:       BadCapture,
	vault.StaleCapture:    BadCapture,
}

// FromVault gives a vault error its meaning for the user; nil stays nil.
func FromVault(err error) error {
	if err == nil {
		return nil
	}
	kind, ok := vaultKinds[vault.KindOf(err)]
	if !ok {
		kind = Internal
	}
	var wait time.Duration
	var ve *vault.Error
	if errors.As(err, &ve) {
		wait = ve.RetryAfter
	}
	return &Error{Kind: kind, Msg: "the vault refuses", RetryAfter: wait, Err: err}
}

// fromTSA tells a clock that can't be shown to be right, and what passes, from
// other faults.
func fromTSA(err error) error {
	switch tsa.KindOf(err) {
	case tsa.TimeNotAvailable:
		return fail(TimeUnavailable, "the time-stamping unit cannot show the time", err)
	case tsa.Stopped:
		return fail(KeyUnavailable, "no time-stamping unit is in service", err)
	}
	return fromDisk(err, "no time-stamp could be made")
}

// fromDisk tells a full disk from other faults.
func fromDisk(err error, msg string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fail(DiskFull, "no space left on the disk", err)
	}
	return fail(Internal, msg, err)
}
