// Package ers makes, renews and checks evidence records (RFC 4998): the proof by
// one time-stamp that many documents existed, which can be kept alive for longer
// than any algorithm, certificate or authority lasts.
//
// # The tree
//
// The digests of the documents are the leaves of a hash tree whose root is
// stamped; the record of a document holds the hashes beside its way to the root
// (the reduced hash tree), so each document has a record of its own and needs
// none of the others. Documents that belong together are a group: they have one
// leaf, the digest of their digests, and one record (§4.2). A tree has two
// children at each node. A node with one child is the child: an odd one at the
// end of a level goes up as it is.
//
// # Renewal
//
//   - Time-stamp renewal (§5.2): before the certificate of the last time-stamp
//     ends, its token is stamped in turn, without the documents. The records of
//     one tree share the token, so one stamp renews them all.
//   - Hash-tree renewal (§5.2): before the digest algorithm ends, the documents
//     are digested anew, each together with the whole record so far, and a new
//     tree begins a new chain. The RFC contradicts itself about how the two
//     digests are put together: its step 4 writes H(document) ‖ H(record), its
//     figure sorts them. Written is what step 4 says, as all other programs do;
//     read are both, for both bind the same two values. It is of all documents of
//     a group or refused: what is left out is lost when the old algorithm is.
//
// Before a renewal the evidence that the last time-stamp is good (certificates,
// lists, answers) goes into its token: [Record.WithEvidence]. Nothing that is not
// under the next stamp will be believed later.
//
// # Steps
//
// [Prepare], [PrepareRenewal] and [PrepareHashTreeRenewal] give a [Prepared],
// which is plain data; [Prepared.Imprint] is to be stamped, [Prepared.Assemble]
// gives the records. Records that were made are read by [Parse]; [Record.Imprint]
// says what each time-stamp in it must be over, given the documents (§4.3, §5.3).
// Whether the time-stamps are good, each at the time of the next, is asked
// elsewhere (formats/validate).
//
// What a record does not prove: that nothing was left out. And that its documents
// belong together is said by the first list of its tree, if that has no other hashes
// (§4.3). Here nothing else is written into it; the figures of §4.2 have the
// neighbours of a single document there, so the two hashes of another program's first
// list may be a group, or neighbours.
package ers

import (
	"errors"
	"fmt"

	"sigillo/formats/cms"
	"sigillo/formats/internal/ber"
)

// Error is the error of this package, with the kinds of package cms: NotCMS for
// what is no evidence record, Malformed, Limit, Unsupported, Mismatch for a
// document or time-stamp that the record is not of, ContentMissing, BadOptions,
// Failed.
type Error struct {
	Kind cms.Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "ers: " + e.Msg + ": " + e.Err.Error()
	}
	return "ers: " + e.Msg
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
	if k := ber.KindOf(err); k != "" {
		return &Error{Kind: k, Msg: "reading the evidence record", Err: err}
	}
	return err
}
