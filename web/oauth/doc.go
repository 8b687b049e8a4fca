// Package oauth is the OAuth 2 authorization server in front of the CSC API: it asks
// holders, on a page of our own, whether an application may act for them, and gives the
// application tokens for it.
//
// There are two scopes, and no request may have both (CSC v2 §8.3):
//
//   - service: the application may list the holder's certificates and start requests.
//     It can sign nothing. Its access tokens are random, kept as SHA-256, good for an
//     hour; refresh tokens are exchanged once each, and one that comes back a second
//     time ends all that it belongs to.
//   - credential: the application may have exactly these digests signed with exactly
//     this credential. The page shows them, takes the holder's password and second
//     factor, and hands both to the signing core, where the vault judges them and binds
//     its activation data to the digests (SCAL 2). The access token is the core's handle
//     of that, good for minutes; there is no refresh token.
//
// So this package decides who may ask. It can neither make nor widen an authorisation to
// sign: what it holds of one is a handle that works for one holder, one application and
// the digests that were on the page.
//
// Codes and handles live in memory only, and die with the process. A code works once,
// for a minute, for the client, redirect URI, proof key (RFC 7636, S256 only) and TLS
// certificate it was asked with; a code that comes back ends what it gave. What a client
// pushes (RFC 9126), what it signs to be recognised (RFC 7523) and every token of scope
// service are in the database, so that a replay is noticed after a restart too.
//
// Nothing is sent to a redirect URI before the client is known and the URI is one of
// its own, compared byte by byte (RFC 9700 §4.1); until then faults are shown on a page.
package oauth
