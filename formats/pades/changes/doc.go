// Package changes tells what later revisions did to a signed PDF, and whether
// the signature lets them.
//
// A PDF signature covers the file up to its own revision. Whatever is appended
// later is outside of it, and may be honest (a second signature, the evidence
// for a long-term signature, a form field filled in) or may show another
// contract to the next reader. The bytes do not tell which; the objects do.
//
// Analyse walks the document as it was signed and as it is now, side by side,
// from the trailer down, and compares every object that can be reached in the
// signed document, through every way that leads to it. Objects must be equal,
// with few exceptions, each bound to its place:
//
//   - the catalog's /DSS, /Extensions, /Version and /Metadata, and the
//     document information, which show nothing;
//   - further entries in the form's /Fields that are new signature fields with
//     a value, and their widgets at the end of a page's /Annots;
//   - the value and the appearance of a field, unless the field is a signature
//     that was there already; of one that was filled in when the document was
//     signed they are told apart, and only a signature that says so allows them;
//   - annotations that are comments and cover little of a page, which are told
//     apart but which only a certification with permission 3 allows.
//
// Everything else is [Other], which nothing allows: it is a list of what is
// known to be harmless, not of known attacks. An object that is reached both as
// one of the exceptions and in another way (a field's appearance that is also
// part of a page) has to be equal. A number that the signed document mentions
// but had no object for, which could be filled later, counts as an object.
//
// Only what the signed document and the present one show is compared; what
// revisions in between showed and took back is not.
package changes
