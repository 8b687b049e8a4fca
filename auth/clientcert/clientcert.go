// Package clientcert recognises a person by the certificate that a TLS client has
// proved to have the key of, such as that of an Italian CNS (Carta Nazionale dei
// Servizi) or CIE (Carta d'Identità Elettronica).
//
// TLS proves that the client has the key; this package answers the rest: is the
// certificate of an authority that we trust for this, is it made for it, is it good
// now, was it not revoked, and whose is it. It is used where TLS ends in this
// program, and never on what a header says.
//
// # What a certificate must be
//
// A valid path (RFC 5280 §6.1) to a configured authority; no authority itself; key
// usage digitalSignature and extended key usage clientAuth, both stated (RFC 5280
// §4.2.1.3, §4.2.1.12): a certificate for signing documents is none for signing in;
// where policies are configured, one of them.
//
// # Revocation
//
// OCSP answers and revocation lists are fetched from where the certificates of a
// trusted path say, and kept as long as they say they are good. By default a
// certificate about which nothing fresh and authentic is known is refused: a stolen
// card is revoked, and who can keep us from the list must not make it good again.
// An authority whose server is down is bridged by what is kept, up to nextUpdate.
// Config.SoftFail lets such a certificate through and says so in the Identity; one
// that is revoked or on hold is refused in any case.
//
// # Whose it is
//
// The codice fiscale in the subject, where the profiles put it and nowhere else:
// serialNumber "TINIT-" followed by it (ETSI EN 319 412-1 §5.1.3) or, in older ones,
// "IT:" followed by it; or the part of the common name before the first "/", which is
// how CNS and CIE are written. A subject that states two, or a serialNumber of a kind
// that is none of ours beside no such common name, is nobody's.
package clientcert

import (
	"errors"
	"fmt"
)

// Kind says what is wrong with a certificate.
type Kind string

// The kinds of [Error].
const (
	BadConfig    Kind = "BadConfig"    // the authorities cannot be read
	None         Kind = "None"         // there is no certificate
	Untrusted    Kind = "Untrusted"    // no path to an authority that is trusted here
	NotForThis   Kind = "NotForThis"   // it is not made for signing in
	Expired      Kind = "Expired"      // or not yet valid
	Revoked      Kind = "Revoked"      // or on hold
	Unverifiable Kind = "Unverifiable" // nothing is known about its revocation now
	Nameless     Kind = "Nameless"     // the subject does not say whose it is
	// Unknown: it is good, and nobody, or more than one, is registered under its
	// codice fiscale. Given by whoever has the register.
	Unknown Kind = "Unknown"
)

// Error is the error of this package. Msg tells the user what to do.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("clientcert: %s: %v", e.Msg, e.Err)
	}
	return "clientcert: " + e.Msg
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: "" for nil, Unverifiable for an error that is not
// of this package.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Unverifiable
}

func fail(k Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}
