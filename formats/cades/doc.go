// Package cades makes CAdES baseline signatures (ETSI EN 319 122-1): .p7m files
// that carry their document inside, of everyday use in Italy, and .p7s files that
// lie beside it. It adds signatures to files that others signed, and raises all of
// them from B-B to B-LTA.
//
// # Signing
//
// A signature is prepared from the document, signed elsewhere, stamped
// elsewhere, and assembled:
//
//	p, _ := cades.Prepare(doc, size, options)
//	value := sign(p.Algorithm(), p.DTBS())    // remote, days later perhaps
//	token := stamp(p.StampDigest(value, …))   // only for level B-T
//	p.Assemble(out, doc, size, value, token)
//
// The document is read twice, once to digest it and once to copy it, and never
// held: its size does not matter. Prepared is plain data and can be stored as
// JSON in between. There are four ways to prepare:
//
//	Prepare          a new file, attached or detached
//	PrepareDigest    a new detached file, of a document whose digest alone is known
//	PrepareParallel  one more signer of the document in a signed file
//	PrepareCounter   a signature over a signature in a signed file
//
// # Raising
//
// The levels are those of EN 319 122-1 §6.3. B-B asks for content-type id-data,
// message-digest, signing-certificate-v2 and signing-time among the signed
// attributes and for the signer's certificate with its chain in the message; B-T
// adds a time-stamp over the signature value, made while the signer's certificate
// was valid; B-LT the certificates and revocation data that a reader needs, in
// the root of the message; B-LTA an archive time-stamp over all of that, to be
// renewed by another before it ages.
//
//	s, _ := cades.PrepareTimestamp(file, size, ades.Extension{})
//	s.Assemble(out, file, size, stamps(s.Imprints()))
//	cades.AddEvidence(out, file, size, ades.Extension{Evidence: …})
//	s, _ = cades.PrepareArchive(file, size, ades.Extension{Evidence: …})
//	s.Assemble(out, file, size, stamps(s.Imprints()))
//
// Each signer of a file gets a time-stamp of its own. [Missing] tells what a
// signature lacks of a level.
//
// # Reading
//
// Reading .p7m and .p7s files is the work of package cms, which accepts BER too.
package cades
