// Package asic makes, raises and reads associated signature containers (ETSI EN
// 319 162-1): a ZIP file that keeps documents together with what was signed or
// time-stamped about them.
//
// # What one looks like
//
// The first entry is "mimetype", not compressed, so that the type of the file can
// be seen in its first octets. The documents follow, and META-INF/ holds the
// signatures.
//
// ASiC-S ("simple") has one document at its root and
//
//	META-INF/signature.p7s     CAdES signatures of the document, or
//	META-INF/signatures.xml    XAdES signatures of it, or
//	META-INF/timestamp.tst     a time-stamp token over it, or
//	META-INF/evidencerecord.ers  an evidence record over it
//
// ASiC-E ("extended") has any documents in any folders and
//
//	META-INF/signature001.p7s  a CAdES signature, not of the documents but of
//	META-INF/ASiCManifest001.xml  which names them with their digests
//	META-INF/signatures001.xml XAdES signatures, which name the documents themselves
//	META-INF/manifest.xml      beside these: the list of OpenDocument
//	META-INF/timestamp001.tst  a time-stamp token over a manifest
//	META-INF/evidencerecord001.ers  an evidence record over the files that
//	META-INF/ASiCEvidenceRecordManifest001.xml  names
//
// The signatures inside are those of packages cades and xades, detached, at any of
// their levels. One thing is the container's own: an archive time-stamp in a CAdES
// signature of an ASiC-E would cover the manifest and not the documents, so at
// level B-LTA a manifest META-INF/ASiCArchiveManifest.xml names every file of the
// container, and a time-stamp token is over that (§4.4.4). Renewing it numbers the
// old one, puts evidence into its token, and writes a new one over all.
//
// # Making one
//
//	p, err := asic.Prepare(documents, options)
//	value := sign(p.DTBSR())                       // elsewhere
//	err = p.Assemble(w, documents, value, token)
//
// PrepareAdded adds a signature to an existing container, also a foreign one. The
// documents are read as streams, once to digest and once to write. Prepared and
// Stamping hold no document content and can be stored as JSON.
//
// # Reading one
//
// Open reads the directory, and refuses a file that two programs could unpack in
// two ways: names that stand twice, also in other letters or composed otherwise,
// local headers and directory that differ, octets that belong to no entry,
// overlaps, encrypted entries, links, names that leave the folder, and what unpacks
// to more than it may. Signatures tells each signature with the documents it
// covers; what no signature or time-stamp covers is told by Uncovered, and what is
// against the rules of the standard by Irregular.
//
// Limits: evidence records are found and not made; those in XML (RFC 6283) are not
// read and reported as uncovered. ASiC-S around an inner archive is not made.
package asic

import (
	"errors"
	"fmt"

	"sigillo/formats/c14n"
	"sigillo/formats/cms"
	"sigillo/formats/xades"
)

// Kind says what sort of thing went wrong. The kinds of package cms are used, and
// those of xades come through unchanged.
type Kind = cms.Kind

// The kinds that are added to those of package cms.
const (
	// NotASiC: the input is not a ZIP file, or one without signatures, time-stamps and evidence records.
	NotASiC Kind = "not-asic"
	// Ambiguous: a ZIP file that programs could unpack in different ways.
	Ambiguous Kind = "ambiguous"
)

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "asic: " + e.Msg + ": " + e.Err.Error()
	}
	return "asic: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package, cms or xades, and "" for others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if k := xades.KindOf(err); k != "" {
		return Kind(k)
	}
	return cms.KindOf(err)
}

func fail(k Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

func wrap(k Kind, err error, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...), Err: err}
}

// fromXML wraps an error of the XML parser.
func fromXML(err error, name string) error {
	k := cms.Malformed
	if c14n.KindOf(err) == c14n.Limit {
		k = cms.Limit
	}
	return wrap(k, err, "%s cannot be read", name)
}
