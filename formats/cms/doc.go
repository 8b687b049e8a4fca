// Package cms reads and writes Cryptographic Message Syntax SignedData (RFC
// 5652) the way the AdES signature forms need it, and the time-stamps of RFC
// 3161 that are built on it.
//
// # Writing
//
// A signature is made in steps, because the key is elsewhere: [Prepare] takes
// the digest of a content and the signer's certificate and makes the signed
// attributes; [Prepared.DTBSR] is what the key has to sign; [Prepared.Assemble]
// puts the value that comes back, and a time-stamp token if there is one, into
// a SignedData. Prepared is plain data: it can rest as JSON in a database and be
// finished by another process. Everything written is DER, also the attached
// form, whose lengths are known beforehand, so that
// [Prepared.AssembleAttached] streams a content of any size.
//
// # Adding
//
// A message that exists, whoever made it, is added to by [SignedData.Add] and
// written by [SignedData.Write]: signers, counter-signatures, time-stamps,
// certificates, revocation data. What is in it keeps its octets, for digests over
// its members are in the indexes of archive time-stamps and nobody could make
// those anew; the content is copied through as a stream. Archive time-stamps
// themselves are made from [SignerInfo.HashIndex] and [SignerInfo.ArchiveImprint].
//
// # Reading
//
// [Parse] reads BER, since much of what is found in .p7m files was streamed with
// indefinite lengths and cut octet strings. It walks an [io.ReaderAt]: the
// content stays where it is and is read again through [SignedData.Content];
// only what stands around it is held in memory, up to [Limits]. The signed
// attributes are kept as they were found, for they are what was signed.
//
// [SignerInfo.Verify] answers one question: did the key of this certificate
// sign these attributes, and do they bind this content and this certificate?
// Whether the certificate is to be trusted, and was at that time, is asked
// elsewhere (formats/validate), of what is given here: [SignerInfo.Stamps] are
// the time-stamps with what each must be over and what it covers,
// [SignedData.Evidence] is what the message brings along, [SignerInfo.Properties]
// what the signer claims, CounterSignatures who signed the signature.
//
// Two habits of other readers are left out on purpose. A SignerInfo without
// signed attributes is refused, because its signature value could be that over
// somebody's signed attributes taken as content; and what is right by SHA-1 gives
// an error all the same, of a [Kind] of its own, for those who know dates.
package cms
