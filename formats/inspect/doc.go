// Package inspect answers one question before a document is signed: can what
// it shows change without a single byte of it changing?
//
// A document that can, because it carries macros, executable code, fields that
// are worked out when it is opened, or content fetched from elsewhere, does not
// have the effect of a signed document (art. 4 c. 3 DPCM 22 February 2013; the
// manual, §4.12 and Appendix A). Two people may then hold the same valid
// signature and read two different texts. Such content is therefore found,
// named and shown to the holder before the signature is made (SIG-3, SIG-4).
//
// This is not a virus scanner. A macro that is perfectly innocent is refused,
// and so is a DATE field; an exploit in an image codec is not looked for.
//
// # How it judges
//
// The format is decided by the content, never by the name; a name that says
// something else, or content that can be read as two formats, is refused,
// because then two programs would show two documents. Formats we cannot read
// to the last byte are refused too, and so are those that every program shows in
// its own way: mail, web archives, Office documents in a single XML file, sheets
// in SYLK or DIF; what is in them is named where that is easy. Nothing is
// repaired: a file that a tolerant program mends is a file that another program
// mends differently.
//
// Every finding names a rule of the table in rules.go, the place, a short
// quotation and, in Italian and English, what to do about it. A [Policy] says for
// each rule whether that is refused, confirmed (the holder is shown the finding and
// has to accept it) or allowed (recorded only); the verdict is the gravest of them.
// The policies of the house are the files policies/standard.toml and strict.toml.
// Scanners know no policy: a report made once can be judged by any.
//
// # How it survives
//
// Every size, depth and count is bounded (limits.go), the document is read
// through an io.ReaderAt and never held whole (but for the text and tables of a
// binary Word document), and image data in a PDF is not inflated. Still, a parser
// may fall: the product runs this package in the disposable process of
// signing/worker and treats a crash as a refusal.
package inspect
