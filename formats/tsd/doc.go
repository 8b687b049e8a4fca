// Package tsd reads and writes time-stamped data, .tsd files: a document of any
// size in one envelope with the time-stamps over it (RFC 5544). It is what Italian
// time-stamping programs write by default, and what rules there name for stamping
// a signed document as a whole.
//
//	ContentInfo{id-ct-timestampedData}
//	  dataUri         where the document is, when it is not inside
//	  metaData        its name and media type; under the first stamp if hashProtected
//	  content         the document
//	  temporalEvidence
//	    tstEvidence   a chain: each stamp after the first is over the element before it
//	    ersEvidence   or an evidence record (package ers)
//
// # Writing
//
// [Prepare] reads the document once and gives the imprint, [Prepared.Assemble]
// writes the envelope around it, in DER, when the token is there. Prepared is
// plain data and can rest as JSON in between. [Data.Renew] gives the imprint for a
// further stamp over the last, [Renewal.Assemble] copies the envelope with it.
// Lengths are computed beforehand, so that documents are copied through and never
// held.
//
// # Reading
//
// [Parse] takes BER, also with contents cut into pieces, and holds what is around
// the document only. [Data.Imprint] gives what each stamp must be over. Whether
// the stamps are good is asked elsewhere (formats/validate).
package tsd

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"sigillo/formats/cms"
	"sigillo/formats/der"
	"sigillo/formats/internal/ber"
)

// OID is id-ct-timestampedData (RFC 5544 §2, as corrected by RFC 5955).
var OID = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 31}

var derOID = der.OID(OID)

// Error is the error of this package, with the kinds of package cms: NotCMS for
// what is no time-stamped data, Malformed, Limit, Unsupported, Mismatch,
// ContentMissing, BadOptions, Failed.
type Error struct {
	Kind cms.Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "tsd: " + e.Msg + ": " + e.Err.Error()
	}
	return "tsd: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package, and "" for any other.
func KindOf(err error) cms.Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func fail(k cms.Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

// under gives an error of the reader as one of this package.
func under(err error) error {
	if err == nil {
		return nil
	}
	if k := ber.KindOf(err); k != "" {
		return &Error{Kind: k, Msg: "reading the time-stamped data", Err: err}
	}
	return err
}
