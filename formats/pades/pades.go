// Package pades makes, raises and reads PAdES baseline signatures, levels B-B to B-LTA (ETSI EN 319 142-1).
//
// A PDF signature lies inside of the file that it signs: a dictionary whose /ByteRange names all bytes of the
// file but those of its own /Contents, where the CMS message stands in hexadecimal. So a place must be kept free before the
// digest can be computed, and the message must fit in it afterwards. Here the size of that place is computed
// from the certificates and the algorithm, never guessed, and its position is known as an offset from writing it, never
// searched for: a document could hold the same bytes elsewhere.
//
// # Signing
//
// [Prepare] reads the document strictly (package pdf), builds the bytes to append (the signature, its field, the form and
// page that name it, a cross-reference section) and the signed attributes; the document itself is only streamed through
// the digest. The result is plain data: the key may be asked on another machine, days later. [Prepared.Assemble]
// streams the same document, the appended bytes and the signature to a writer, and refuses a document that has changed
// in between.
//
// The signature is in a new field or in an empty one of the document, seen or not, an approval or a certification. What
// earlier signatures permit is honoured (DocMDP, FieldMDP, locks), as are a field's seed values and the permissions of
// an encrypted document.
//
// PAdES departs from CAdES in that the time of signing is the /M of the dictionary and the place its /Location; the
// attributes for that are forbidden (EN 319 142-1 §6.3).
//
// # Raising
//
// Nothing that was signed can change, and the message in a signature is as long as its place, so a higher level is always a
// further revision. [PrepareTimestamp] puts a time-stamp over the whole document (B-T, and documents without signatures),
// [AddEvidence] certificates and revocation data into the document security store (B-LT), [PrepareArchive] does both
// (B-LTA and its renewal). Signatures of other programs are raised as well.
//
// # Reading
//
// [Open] and [Signatures] read what is there, for a validator: each signature field, with the proof that its two ranges leave out
// exactly its own /Contents and end where a revision of the document ends; what it restricts; its time-stamps with what
// they cover; the evidence. What was done to the document in later revisions is asked of package changes.
//
// Two things are left out on purpose. /Extensions gets no entry of ETSI's, which EN 319 142-1 only recommends: no reader needs
// it, and each further change of the catalog has to be excused by those who compare revisions. Documents with XFA forms are
// refused, for they show other things than their pages.
package pades

import (
	"errors"
	"fmt"

	"sigillo/formats/cms"
	"sigillo/formats/pdf"
)

// Kind says what sort of thing went wrong.
type Kind string

// The kinds of errors of this package.
const (
	// BadOptions: the caller asked for something that cannot be made.
	BadOptions Kind = "bad-options"
	// Encrypted: the document is encrypted, and the password is missing or not the right one.
	Encrypted Kind = "encrypted"
	// NotPermitted: an earlier signature, the field's seed values or the document's author forbid it.
	NotPermitted Kind = "not-permitted"
	// Unsupported: the document has a form that cannot be kept correct, such as XFA.
	Unsupported Kind = "unsupported"
	// Malformed: the document is not a PDF, or departs from the standard.
	Malformed Kind = "malformed"
	// Limit: the document asks for more than the limits allow.
	Limit Kind = "limit"
	// Changed: the document is not the one that was prepared.
	Changed Kind = "changed"
	// BadSignature: the signature value or time-stamp cannot belong to what was prepared.
	BadSignature Kind = "bad-signature"
	// Failed: reading or writing failed underneath.
	Failed Kind = "failed"
)

// Error is the error of every function of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "pades: " + e.Msg + ": " + e.Err.Error()
	}
	return "pades: " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the first [Error] in err's chain, or "" when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func failure(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// fromPDF gives an error of package pdf the kind of this package.
func fromPDF(err error) error {
	if err == nil || KindOf(err) != "" {
		return err
	}
	kind := Malformed
	switch pdf.KindOf(err) {
	case pdf.Encrypted:
		kind = Encrypted
	case pdf.Unsupported:
		kind = Unsupported
	case pdf.Limit:
		kind = Limit
	case pdf.Unreadable, pdf.Unwritable:
		kind = Failed
	}
	return &Error{Kind: kind, Msg: "the document cannot be used", Err: err}
}

// fromAppearance does the same for package appearance.
func fromAppearance(err error) error {
	return &Error{Kind: BadOptions, Msg: "the visible signature cannot be made", Err: err}
}

// fromCMS does the same for package cms.
func fromCMS(err error) error {
	if err == nil {
		return nil
	}
	kind := Failed
	switch cms.KindOf(err) {
	case cms.BadOptions, cms.Unsupported, cms.Weak:
		kind = BadOptions
	case cms.BadSignature, cms.Mismatch, cms.Malformed, cms.NotCMS, cms.NoCertificate, cms.Limit:
		kind = BadSignature
	}
	return &Error{Kind: kind, Msg: "the signature cannot be made", Err: err}
}
