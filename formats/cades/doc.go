// Package cades makes CAdES baseline signatures (ETSI EN 319 122-1) that carry
// their document inside, the .p7m files of everyday use in Italy.
//
// A signature is prepared from the document, signed elsewhere, stamped
// elsewhere, and assembled:
//
//	p, _ := cades.Prepare(doc, size, options)
//	value := sign(p.DTBSR())                  // remote, days later perhaps
//	token := stamp(p.StampDigest(value, …))   // only for level B-T
//	p.Assemble(out, doc, size, value, token)
//
// The document is read twice, once to digest it and once to copy it, and never
// held: its size does not matter. Prepared is plain data and can be stored as
// JSON in between.
//
// The levels are B-B and B-T of EN 319 122-1 §6.3. B-B asks for content-type
// id-data, message-digest, signing-certificate-v2 and signing-time among the
// signed attributes and for the signer's certificate with its chain in the
// message; B-T adds a time-stamp over the signature value, made while the
// signer's certificate was valid.
//
// Reading .p7m files is the work of package cms, which accepts BER too.
package cades
