// Package hsm drives one token through PKCS#11 v2.40: SoftHSM2 in the first
// place, any other module by configuration.
//
// # The keys
//
// Four kinds of key stay in the token, found by their label. Each does one job:
//
//   - signing keys (GenerateSigner, Signer), of authorities and the journal, and
//     those of time-stamping units, which sign thousands of times a second
//     (GenerateFastSigner): a Signer of such a key works through a copy in a
//     session where the token gives one. A Signer is a crypto.Signer;
//   - the master key (GenerateMaster), AES-256, from which the holders' keys hang.
//     It derives and does nothing else;
//   - MAC keys (GenerateMACKey, MAC), HMAC-SHA-256, which make records outside
//     the token tamper-evident;
//   - sealing keys (GenerateSealKey, Seal, Unseal), AES-256-GCM, which keep small
//     secrets outside the token.
//
// Holders' keys do not stay. Each is generated in the token, leaves it wrapped,
// and comes back for the length of one function call:
//
//	KEK  = CKM_AES_ECB_ENCRYPT_DATA(master, d)    d: 32 bytes, from the holder's password
//	blob = CKM_AES_KEY_WRAP_PAD(KEK, private key) RFC 5649 over PKCS#8
//
// d is exactly as long as the KEK. ECB encrypts its two blocks independently of
// each other; that is sound because d itself is the output of a pseudo-random
// function over everything that matters (password, salt, holder, credential,
// epoch), so two holders never share a block. Anything longer would be cut by
// the token without a word, which is why the type is [32]byte.
//
// So a token with a million holders holds a handful of objects, and a holder's
// key at rest cannot be used without d, which is kept nowhere: the blob, the
// token and its PIN are not enough. A wrong d gives another KEK, and the unwrap fails
// inside the token on the integrity check of RFC 5649 §3 (a chance below 2^-32
// to pass, and then what comes out must still parse as the right kind of key).
//
// # What the token enforces
//
// SelfTest tries all of this, because attributes are promises that some tokens
// do not keep; SoftHSM 2.6.1 keeps them (testdata has the table, and that of NSS,
// which does not):
//
//   - no private or secret key can be read: CKA_SENSITIVE, from its first moment;
//   - no key that stays, no KEK and no unwrapped holder's key can be wrapped, and
//     neither C_SetAttributeValue nor C_CopyObject makes it so again:
//     CKA_EXTRACTABLE is false;
//   - keys do what they are for only. This matters most for the master key:
//     if it could encrypt, anybody logged in could compute a KEK outside;
//   - a wrapped key with one changed bit, or a KEK from a d with one changed bit,
//     does not unwrap; a sealed text with one changed bit does not open;
//   - session objects (KEK, holder's key) are gone when their session closes.
//
// Keys found by label are checked once more when they are first looked up: one
// that is extractable, or can do more than it should, is refused as not ours.
//
// # What it does not enforce
//
//   - The PIN is the token's, not the holder's. Whoever has it and reaches the
//     module can use all persistent keys and see holders' keys come and go as
//     objects of the same login. That is why one process alone, the vault, loads
//     the module.
//   - While a holder's key is fresh, before it is wrapped, it is extractable: to
//     a wrapping key of the same login, for some milliseconds.
//     CKA_WRAP_WITH_TRUSTED, which SoftHSM enforces, does not help, because only
//     the security officer can mark a wrapping key as trusted, and a derived KEK
//     never is. Once unwrapped it is not extractable.
//   - The token does not know what it signs, nor how often. Counting, and the
//     second factor, are the vault's policy.
//   - SoftHSM's keys lie in files, encrypted under the PIN, and in the memory of
//     the process. It enforces against callers of PKCS#11, not against root.
//   - A PIN, a d and a KEK pass through memory. Our copies are wiped; those that
//     the Go runtime, the binding or the module make are not ours to wipe.
//
// # Sessions, locks and recovery
//
// See Token for the pool of sessions and what is thrown away after which error,
// recover.go for how a token that was away is opened anew, and the comment at Token.sharing for what is serialised and why. Signatures run
// in parallel. A key's handle is searched once, then cached, because
// C_FindObjects takes time in proportion to the objects in the token. A signature is
// one crossing from Go to C, into a buffer of the right size (see functions).
//
// SoftHSM 2.6.1 keeps about 0.7 kB of every session object for as long as the
// module is loaded (mended in later versions); a process that has made a million
// of them wants a restart.
package hsm
