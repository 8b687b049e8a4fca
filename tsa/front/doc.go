// Package front is the side of the time-stamping authority that faces its
// customers. It knows who asks and what they may have, and keeps what they were
// given; it has no key, no clock and no serial numbers. Those are behind
// [tsa.Backend], in another process, which gets the request as it came and reads
// it again by itself: a front end that was taken over can waste stamps, but
// cannot choose a time.
//
// A stamp takes one way, [Front.issue], whoever asks for it: a client over HTTP
// ([Front.Answer]), a holder on a page ([Front.AnswerFor]), the appliance itself
// when it signs a document ([Front.Stamp]). What can go wrong on that way leaves
// one of two states behind, never a third:
//
//   - Nothing was stamped: no token is in the ledger, and the stamp that was set
//     aside is the account's again.
//   - It was stamped: the token is in the ledger, and because the ledger is also
//     the count of what was used, it is paid for. If the answer is lost on the way
//     to the client, it still is: the account's owner finds the token in the
//     archive.
//
// Every refusal is a TimeStampResp, since clients understand nothing else
// (RFC 3161 §2.4.2). The one exception is a caller who must first say who he is:
// that is an error of kind [accounts.Unknown], for the transport to ask him.
package front
