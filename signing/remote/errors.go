package remote

import (
	"errors"
	"fmt"

	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// Errors are those of package signing, with its kinds and these.
const (
	NoGrant      signing.Kind = "no-grant"      // no such grant of this holder and application, or nothing left of it
	GrantExpired signing.Kind = "grant-expired" // authorise again
	Unauthorised signing.Kind = "unauthorised"  // a digest that the grant is not for, or that has been signed
	TooMany      signing.Kind = "too-many"      // more digests than the credential signs at once
	WeakHash     signing.Kind = "weak-hash"     // not SHA-256, SHA-384 or SHA-512
	BadDigest    signing.Kind = "bad-digest"    // not as long as its algorithm makes it
	BadScheme    signing.Kind = "bad-scheme"    // the key does not sign so
	NoFactor     signing.Kind = "no-factor"     // the holder has no such second factor
)

func fail(kind signing.Kind, msg string, err error) error {
	return &signing.Error{Kind: kind, Msg: msg, Err: err}
}

func failf(kind signing.Kind, format string, args ...any) error {
	return fail(kind, fmt.Sprintf(format, args...), nil)
}

// fromStore gives a store error its meaning; nil stays nil.
func fromStore(err error) error {
	var own *signing.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	switch store.KindOf(err) {
	case store.NotFound:
		return fail(signing.NotFound, "not found", err)
	case store.Busy:
		return fail(signing.Busy, "the database is busy; try again", err)
	case store.Full:
		return fail(signing.DiskFull, "no space left for the database", err)
	}
	return fail(signing.Internal, "the database failed", err)
}

// fromVault gives a vault error its meaning; nil stays nil.
func fromVault(err error) error {
	switch vault.KindOf(err) {
	case vault.ExpiredSAD:
		return fail(GrantExpired, "the authorisation is too old; authorise again", err)
	case vault.SpentSAD, vault.BadSAD:
		return fail(Unauthorised, "the authorisation is not for these digests, or they are signed", err)
	}
	return signing.FromVault(err)
}
