// Package csc is the appliance's face to signing applications: the API of the Cloud
// Signature Consortium, version 1.0.4.0 below /csc/v1 and version 2.0.0.2, with what
// 2.2 adds, below /csc/v2. Both are thin: methods.go lists them, and all signing is
// done in package signing/remote.
//
// Each method has a Go type for what it takes and one for what it gives. The types
// read the requests (decode.go), answer them, and make the OpenAPI document that is
// served at /csc/openapi.json: none can tell of something the others don't know.
// errors.go is the one table of error codes and descriptions, in the words of the
// specifications, which clients compare.
//
// Who asks is told by a bearer token: one of OAuth (package web/oauth, through [Gate]),
// or one of auth/login, which are made here and kept in memory.
//
//   - A token of scope service lists and shows the holder's credentials and asks for
//     authorisations. It signs nothing.
//   - A token of scope credential stands for one authorisation (a grant of
//     signing/remote): it signs the digests that the holder authorised on our own
//     page, and no others. In v1 it is presented as SAD beside a token of scope
//     service, in v2 as the bearer token itself, or so.
//
// There are three ways to an authorisation. In the mode "oauth2code" the holder types
// password and one-time password on our own page. In the mode "explicit"
// (credentials/authorize) the application collects them and hands them over: ETSI TS
// 119 432 clause 5.3.2 has that not suitable for SCAL2 as EN 419 241-1 means it, since
// the application sees the factors. The SCAL that we state, 2, is CSC's: the SAD is
// bound to the hashes, in all modes, and signs no others. The third way is in between
// (v2): credentials/authorize with the authentication object PAGE leaves the order to
// the holder, who gives the factors on a page of ours, and credentials/authorizeCheck
// tells when that has happened.
//
// Where we differ from the letter, and why:
//
//   - auth/login wants both factors. A login with the password alone would tell
//     whoever asks whether a password is right. The code is appended to the password
//     of HTTP Basic, or given as "OTP" in the body. Digest authentication would want
//     the passwords stored in a form that can be read; there is none.
//   - Which of PIN and OTP was wrong is not told.
//   - A code that is sent (sendOTP, getChallenge) is bound to holder, credential and
//     application, and so is a passkey's challenge unless getChallenge is given the
//     hashes, which is ours.
//   - numSignatures must be the number of hashes: there are no signatures over hashes
//     that the holder has not authorised, so extendTransaction takes only hashes of
//     the same authorisation that are not signed yet.
//   - ECDSA signatures are DER, which the specifications leave open.
//   - response_uri is refused: we call nobody back.
package csc
