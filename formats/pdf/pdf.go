// Package pdf reads PDF files strictly and appends to them, and does nothing else.
//
// A document that will be signed must have one meaning. Most PDF readers repair what is broken, each in
// its own way, so a broken file can show one page in one viewer and another page in the next. This reader
// never repairs: a file is read as ISO 32000-1 describes it, or it is refused with the reason and the place.
// The few freedoms it gives are those of the standard (white space, comments, optional end-of-line marks).
//
// [Open] reads the header, the end of the file and the chain of cross-reference sections: tables, streams,
// hybrids of both, and the two-part form of linearized files. Objects are read when they are asked for
// ([File.Get]), through a window of a few kilobytes; a small cache is all that stays in memory, so that a
// file of many gigabytes costs what a small one does. Every number that the file claims (sizes, counts,
// widths, lengths) is checked against [Limits] or against the bytes that are really there before memory is
// spent on it.
//
// Each saved state of the document is a [Revision]; [File.At] opens the file as it was then, so that objects
// replaced by later revisions stay reachable.
//
// [Update] writes changed and new objects with a cross-reference section of the file's own kind after the last
// byte, as ISO 32000-1 §7.5.6 asks. The bytes before are never touched: that is what signatures in the
// file rely on.
//
// Where programs that people use depart from the standard in a way that all readers take alike (white space after the
// end, a stream compressed from nothing to nothing, the /Size of poppler's pdfunite) the departure is accepted. Where readers
// would differ the file is refused; saving the document again with another program helps.
//
// A file encrypted by the standard security handler (§7.6) is read and updated with its user or owner password, see
// [OpenWith]; every key length and algorithm that was ever in the standard is known. Files encrypted for certificates are
// refused.
//
// What it does not do: decode images, interpret page contents.
package pdf

import (
	"bytes"
	"io"
	"strconv"
)

// Limits bound what a file may ask for. A value of zero means the one in [DefaultLimits].
type Limits struct {
	Objects      int   // highest object number, and cross-reference entries in all sections together
	Revisions    int   // cross-reference sections in the /Prev chain
	Depth        int   // nesting of arrays and dictionaries, and of the page tree
	ObjectBytes  int64 // bytes of text of one object, the data of its stream not counted
	ObjectItems  int   // numbers, names, strings … in one object
	ObjectStream int64 // bytes of one object stream when decoded
	Inflated     int64 // bytes decoded from all streams over the life of the File
	Pages        int   // pages of the document
}

// DefaultLimits are generous for documents made by people and mean to files made to exhaust a machine.
var DefaultLimits = Limits{
	Objects:      1_000_000,
	Revisions:    1_000,
	Depth:        100,
	ObjectBytes:  8 << 20,
	ObjectItems:  500_000,
	ObjectStream: 16 << 20,
	Inflated:     500 << 20,
	Pages:        20_000,
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	pick := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	pick64 := func(v *int64, def int64) {
		if *v <= 0 {
			*v = def
		}
	}
	pick(&l.Objects, d.Objects)
	pick(&l.Revisions, d.Revisions)
	pick(&l.Depth, d.Depth)
	pick64(&l.ObjectBytes, d.ObjectBytes)
	pick(&l.ObjectItems, d.ObjectItems)
	pick64(&l.ObjectStream, d.ObjectStream)
	pick64(&l.Inflated, d.Inflated)
	pick(&l.Pages, d.Pages)
	return l
}

// File is an open PDF. It is not safe for concurrent use: open the reader twice instead.
type File struct {
	parsed   int64 // see Parsed
	trailers int64 // text of the trailers, see countTrailer

	r      io.ReaderAt
	size   int64
	limits Limits

	version   string
	startXRef int64     // offset of the newest cross-reference section
	sections  []section // newest first
	revisions []Revision
	table     table // all sections merged, as the newest revision sees the objects
	trailer   Dict

	encrypted  bool
	encryptRef Ref       // of the encryption dictionary, if it is an object of its own
	security   *security // nil: not encrypted, or locked
	locked     error     // why an encrypted file has no key
	password   string

	cache       objectCache
	streams     streamCache
	packed      map[int64][]int // see Packed
	loading     []int           // objects being read now: a cycle through /Length or object streams ends here
	lexers      []*lexer        // spare windows
	packedLexer lexer           // for the object in an object stream being read
	packedText  bytes.Reader    // its source
	objects     parser          // see parser
	inflated    int64
	inflater    io.ReadCloser // of a stream that was read to its end, for the next
}

// Open reads the structure of a PDF of size bytes; objects are read later, on demand. The reader must give
// the same bytes for as long as the File is used.
//
// Kinds of errors: NotPDF, Truncated, Malformed, Limit, Unreadable. A file that needs a password to be read opens all the
// same, and stays locked: see [File.Locked].
func Open(r io.ReaderAt, size int64, l Limits) (*File, error) { return open(r, size, l, "") }

// OpenWith is [Open] for a file that may be encrypted; the password is the user's or the owner's. Beside Open's kinds of
// errors, Encrypted says that it is neither, and Unsupported that the file is encrypted in a way that has no password.
//
// The password of a file that is not encrypted does not matter. The empty one is that of files which everybody may read
// and only the owner may change, and which [Open] therefore reads too.
func OpenWith(r io.ReaderAt, size int64, l Limits, password string) (*File, error) {
	f, err := open(r, size, l, password)
	if err == nil && f.locked != nil {
		return nil, f.locked
	}
	return f, err
}

func open(r io.ReaderAt, size int64, l Limits, password string) (*File, error) {
	f := &File{r: r, size: size, limits: l.withDefaults(), packed: map[int64][]int{}, password: password}
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	start, err := f.readEnd()
	if err != nil {
		return nil, err
	}
	f.startXRef = start
	if err := f.readSections(); err != nil {
		return nil, err
	}
	f.table = mergeSections(f.sections)
	if err := f.checkGenerations(); err != nil {
		return nil, err
	}
	f.trailer = f.sections[0].trailer
	if err := f.buildRevisions(); err != nil {
		return nil, err
	}
	if err := f.unlock(password); err != nil {
		return nil, err
	}
	if err := f.checkRoot(); err != nil {
		return nil, err
	}
	return f, nil
}

// checkRoot asks for what every reader needs: a catalog that is there (ISO 32000-1 §7.7.2).
func (f *File) checkRoot() error {
	root, ok := f.trailer["Root"].(Ref)
	if !ok {
		return malformed("the trailer has no /Root reference")
	}
	if f.locked != nil {
		return nil // the catalog may lie in an object stream that only a key opens
	}
	catalog, err := f.Catalog()
	if err != nil {
		return err
	}
	if catalog["Type"] != Name("Catalog") {
		return malformed("object %d %d, the /Root of the trailer, is not a /Catalog", root.Num, root.Gen)
	}
	return nil
}

// Version is what the header says, for instance "1.7". The catalog may raise it (ISO 32000-1 §7.5.2).
func (f *File) Version() string { return f.version }

// Size is the number of bytes of the file.
func (f *File) Size() int64 { return f.size }

// Encrypted tells whether the trailer names an encryption dictionary, whether or not it was opened.
func (f *File) Encrypted() bool { return f.encrypted }

// Locked is why an encrypted file cannot be read, an error of kind Encrypted (no password, or not the right one) or
// Unsupported; nil if it can. Strings of a locked file are as they are in the file, still encrypted; to decode a stream or to
// begin an update fails with this error.
func (f *File) Locked() error { return f.locked }

// Trailer is the dictionary of the newest cross-reference section. Treat it as read-only.
func (f *File) Trailer() Dict { return f.trailer }

// Root is the reference of the catalog.
func (f *File) Root() Ref {
	ref, _ := f.trailer["Root"].(Ref)
	return ref
}

// Catalog is the document's root dictionary. Treat it as read-only.
func (f *File) Catalog() (Dict, error) {
	catalog, ok, err := As[Dict](f, f.trailer["Root"])
	if err == nil && !ok {
		err = malformed("the catalog that the trailer names is missing")
	}
	return catalog, err
}

func (r Ref) String() string { return strconv.Itoa(r.Num) + " " + strconv.Itoa(r.Gen) + " R" }
