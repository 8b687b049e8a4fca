package store

import (
	"math"
	"strings"
	"time"
)

// Document is an uploaded file and what inspection said of it.
type Document struct {
	ID        string
	Holder    string
	Name      string // file name as uploaded
	Format    string
	MediaType string
	Size      int64 // bytes
	SHA256    []byte
	Path      string // where the bytes are
	Report    []byte // JSON of inspect.Report, nil before inspection
	Verdict   string // "allow", "confirm", "refuse", "" before inspection
	Pages     int
	State     string
	Created   time.Time
	Account   []byte // JSON of view.Account: how the pages shown were made; nil when none are
	Origin    string // document that this one was converted from; "" for an upload
}

const documentColumns = `id, holder, name, format, media_type, size, sha256, path, report, verdict, pages, state, created, account, origin`

func documentRow(d *Document) []any {
	return []any{&d.ID, &d.Holder, &d.Name, &d.Format, &d.MediaType, &d.Size, &d.SHA256, &d.Path,
		&d.Report, &d.Verdict, &d.Pages, &d.State, at(&d.Created), &d.Account, &d.Origin}
}

// PutDocument stores a new document; Conflict if the ID is taken or the holder
// does not exist.
func (tx *Tx) PutDocument(d Document) error {
	return tx.put("put document", `INSERT INTO documents (`+documentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.ID, d.Holder, d.Name, d.Format, d.MediaType, d.Size, bytes(d.SHA256), d.Path,
		d.Report, d.Verdict, d.Pages, d.State, ms(d.Created), d.Account, d.Origin)
}

// Document returns the document with this ID.
func (tx *Tx) Document(id string) (Document, error) {
	return one(tx, "document", documentRow, `SELECT `+documentColumns+` FROM documents WHERE id = ?`, id)
}

// documentListing is documentColumns for a list: without the images of the account,
// 67 bytes a page, which nobody looks at there.
var documentListing = strings.Replace(documentColumns, `account`, `json_remove(CAST(account AS TEXT), '$.images')`, 1)

// DocumentsOf returns up to limit documents of the holder that were created
// before a moment (the zero time: all), newest first. Their Account has no "images".
func (tx *Tx) DocumentsOf(holder string, limit int, before time.Time) ([]Document, error) {
	cut := int64(math.MaxInt64)
	if !before.IsZero() {
		cut = ms(before)
	}
	return many(tx, "documents of holder", documentRow,
		`SELECT `+documentListing+` FROM documents WHERE holder = ? AND created < ? ORDER BY created DESC, id DESC LIMIT ?`,
		holder, cut, limited(limit))
}

// SetDocumentInspected stores the result of inspection and moves the document
// from one state to another; Conflict when it is not in from.
func (tx *Tx) SetDocumentInspected(id, from, to, format, mediaType, verdict string, report []byte) error {
	return tx.transition("set document inspected", from, tx.documentState(id),
		`UPDATE documents SET state = ?, format = ?, media_type = ?, verdict = ?, report = ? WHERE id = ? AND state = ?`,
		to, format, mediaType, verdict, report, id, from)
}

// SetDocumentView stores how the pages shown were made, and how many they are.
func (tx *Tx) SetDocumentView(id string, pages int, account []byte) error {
	return tx.change("set document's view", `UPDATE documents SET pages = ?, account = ? WHERE id = ?`, pages, account, id)
}

// SetDocumentState moves a document from one state to another; Conflict when it
// is not in from.
func (tx *Tx) SetDocumentState(id, from, to string) error {
	return tx.transition("set document state", from, tx.documentState(id),
		`UPDATE documents SET state = ? WHERE id = ? AND state = ?`, to, id, from)
}

func (tx *Tx) documentState(id string) func() (string, error) {
	return func() (string, error) {
		d, err := tx.Document(id)
		return d.State, err
	}
}
