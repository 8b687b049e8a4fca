// Package web is the appliance's outer wall: one fiber application with three
// kinds of door, and nothing behind them but small interfaces.
//
// The holder's face is a set of pages rendered on the server, in Italian and
// in English. Everything works with plain forms; the script only adds what a
// form cannot do, such as a progress bar for an upload. A holder signs in,
// uploads a document, reads what the inspection found and what the pages look
// like, and only then gives password and one-time password for exactly the
// digests on the screen. Several documents go the same way under one
// authorisation.
//
// The REST interface below /api/v1 is the same walk for programs, with bearer
// tokens instead of cookies. Its OpenAPI document is made from the handlers'
// own types, so it can't tell of an operation that isn't there.
//
// The protocol endpoints are for machines that speak a standard: time-stamps
// (RFC 3161 §3.4), certificate status (RFC 6960 App. A), CRLs and CA
// certificates (RFC 5280 §4.2.1.13, §4.2.2.1), health and metrics.
//
// One address is so hot that it has a door of its own before the router: a
// time-stamp request at /tsa (stampDoor). What people and customers see of the
// time-stamping authority goes the usual way; so does the page that stamps a
// file which stays on its owner's computer.
//
// Four things hold for every door. A request whose head leaves a doubt where it
// ends is refused (framing.go). A body is a stream with a limit
// and a deadline (body.go), never a buffer. An error has a kind, and one table
// (errors.go) turns the kind into an HTTP status, a text in the reader's
// language and a hint when to try again. And what a browser does in a holder's
// name is believed only with a token that another site can't know
// (security.go).
//
// Passwords are read into byte slices that are wiped after use. The framework
// and the kernel keep buffers of their own that can't be reached from here.
package web
