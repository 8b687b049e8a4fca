// Package tsa is the back end of the time-stamping authority: it answers
// time-stamp requests (RFC 3161, RFC 5816, ETSI EN 319 422) with tokens. It knows
// keys, time and serial numbers; who may ask and what becomes of the tokens is for
// the front end, which asks it through [Backend].
//
// An [Authority] has policies, and units of which each is one key with one
// certificate. What it must not get wrong is little, and each point has one place:
//
//   - Only what is a request gets a token: the octets are read strictly here,
//     whoever has read them before (package cms, ReadRequest).
//   - The time is shown to be right or no stamp is made: a [Clock] gives a time only
//     while it can vouch for the accuracy.
//   - A serial number is used once, ever: it is the unit's number, which is given to
//     one key ever, before a count that a [Counter] has durably before its use.
//   - Time does not run back: a higher serial number of a unit never has an earlier
//     time, nor does one after a crash, because the Counter holds a promise of what
//     the latest time stated may be.
//   - A key past its time does not stamp: validity, privateKeyUsagePeriod and a stop
//     by the operator are looked at for each stamp, at the time stamped. Units of a
//     series follow one another; the newest whose time it is stamps.
//   - What leaves verifies: each signature is checked with the certificate's key
//     before anyone sees it.
//
// Tokens are written by a template of what all tokens of a unit have in common. The
// general way, cms.PrepareToken, is its reference: the tests demand the same octets.
//
// Every answer of [Authority.Respond] is a TimeStampResp, also when the request is
// noise or the token in the HSM has gone: clients understand nothing else.
package tsa
