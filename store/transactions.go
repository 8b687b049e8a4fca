package store

import (
	"strings"
	"time"
)

// Transaction is one act of signing: one authorisation, one or more items.
type Transaction struct {
	ID          string
	Holder      string
	Credential  string
	State       string // "prepared", "authorised", "signed", "delivered", "failed"
	Hash        string // "SHA-256", …
	Certificate string // serial of the certificate that the prepared signatures name
	Error       string // why it failed
	Created     time.Time
	Updated     time.Time
}

const transactionColumns = `id, holder, credential, state, hash, certificate, error, created, updated`

func transactionRow(t *Transaction) []any {
	return []any{&t.ID, &t.Holder, &t.Credential, &t.State, &t.Hash, &t.Certificate, &t.Error, at(&t.Created), at(&t.Updated)}
}

// PutTransaction stores a new transaction; Conflict if the ID is taken or the
// holder or credential does not exist.
func (tx *Tx) PutTransaction(t Transaction) error {
	return tx.put("put transaction", `INSERT INTO transactions (`+transactionColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ID, t.Holder, t.Credential, t.State, t.Hash, t.Certificate, t.Error, ms(t.Created), ms(t.Updated))
}

// Transaction returns the transaction with this ID.
func (tx *Tx) Transaction(id string) (Transaction, error) {
	return one(tx, "transaction", transactionRow, `SELECT `+transactionColumns+` FROM transactions WHERE id = ?`, id)
}

// SetTransactionState moves a transaction from one state to another; Conflict
// when it is not in from.
func (tx *Tx) SetTransactionState(id, from, to string, when time.Time) error {
	return tx.transition("set transaction state", from, tx.transactionState(id),
		`UPDATE transactions SET state = ?, updated = ? WHERE id = ? AND state = ?`, to, ms(when), id, from)
}

// SetTransactionFailed moves a transaction to a state that says it failed and
// keeps the reason; Conflict when it is not in from.
func (tx *Tx) SetTransactionFailed(id, from, to, why string, when time.Time) error {
	return tx.transition("set transaction failed", from, tx.transactionState(id),
		`UPDATE transactions SET state = ?, error = ?, updated = ? WHERE id = ? AND state = ?`,
		to, why, ms(when), id, from)
}

func (tx *Tx) transactionState(id string) func() (string, error) {
	return func() (string, error) {
		t, err := tx.Transaction(id)
		return t.State, err
	}
}

// TransactionsOf returns up to limit transactions of the holder, newest first.
func (tx *Tx) TransactionsOf(holder string, limit int) ([]Transaction, error) {
	return many(tx, "transactions of holder", transactionRow,
		`SELECT `+transactionColumns+` FROM transactions WHERE holder = ? ORDER BY created DESC, id DESC LIMIT ?`,
		holder, limited(limit))
}

// TransactionsInState returns up to MaxRows transactions in any of the states,
// oldest first.
func (tx *Tx) TransactionsInState(states ...string) ([]Transaction, error) {
	if len(states) == 0 {
		return nil, nil
	}
	args := make([]any, 0, len(states)+1)
	for _, s := range states {
		args = append(args, s)
	}
	return many(tx, "transactions in state", transactionRow,
		`SELECT `+transactionColumns+` FROM transactions WHERE state IN (?`+strings.Repeat(`, ?`, len(states)-1)+`)
		ORDER BY created, id LIMIT ?`, append(args, MaxRows)...)
}

// Item is one document of a transaction on its way to being signed.
type Item struct {
	Transaction  string
	Seq          int // from 0, the order in which the digests were authorised
	Document     string
	Form         string // "pades", "cades", "xades"
	Level        string // "B-B", "B-T"
	Digest       []byte // DTBS/R
	Prepared     []byte // JSON of the format's Prepared
	Signature    []byte
	Token        []byte // RFC 3161 signature time-stamp
	Output       string // path of the signed file
	OutputName   string // name under which the holder gets it
	OutputSHA256 []byte
	Report       []byte // JSON of the own validation
}

const itemColumns = `transaction_id, seq, document, form, level, digest, prepared, signature, token,
	output, output_name, output_sha256, report`

func itemRow(i *Item) []any {
	return []any{&i.Transaction, &i.Seq, &i.Document, &i.Form, &i.Level, &i.Digest, &i.Prepared, &i.Signature, &i.Token,
		&i.Output, &i.OutputName, &i.OutputSHA256, &i.Report}
}

// PutItem stores a new item; Conflict if the place is taken or the transaction
// or document does not exist.
func (tx *Tx) PutItem(i Item) error {
	return tx.put("put item", `INSERT INTO items (`+itemColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		i.Transaction, i.Seq, i.Document, i.Form, i.Level, bytes(i.Digest), bytes(i.Prepared), i.Signature, i.Token,
		i.Output, i.OutputName, i.OutputSHA256, i.Report)
}

// Items returns all items of a transaction in their order. There is no limit:
// the number is bounded by what the credential allows per authorisation.
func (tx *Tx) Items(transaction string) ([]Item, error) {
	return many(tx, "items", itemRow, `SELECT `+itemColumns+` FROM items WHERE transaction_id = ? ORDER BY seq`, transaction)
}

// SetItemSignature stores the signature value, once: Conflict if there is one.
func (tx *Tx) SetItemSignature(transaction string, seq int, signature []byte) error {
	return tx.once("set item's signature", "signature", transaction, seq, signature)
}

// SetItemToken stores the signature time-stamp, once: Conflict if there is one.
func (tx *Tx) SetItemToken(transaction string, seq int, token []byte) error {
	return tx.once("set item's token", "token", transaction, seq, token)
}

func (tx *Tx) once(what, column, transaction string, seq int, value []byte) error {
	n, err := tx.exec(what,
		`UPDATE items SET `+column+` = ? WHERE transaction_id = ? AND seq = ? AND `+column+` IS NULL`,
		bytes(value), transaction, seq)
	if err != nil || n == 1 {
		return err
	}
	if _, err := one(tx, what, itemRow, `SELECT `+itemColumns+` FROM items WHERE transaction_id = ? AND seq = ?`, transaction, seq); err != nil {
		return err
	}
	return errorf(Conflict, "store: %s: there is one already", what)
}

// SetItemOutput stores where the finished file is, its digest and the report of
// our own validation. It may be repeated: the same item assembles to a new file
// after a crash.
func (tx *Tx) SetItemOutput(transaction string, seq int, path, name string, sha256, report []byte) error {
	return tx.change("set item's output",
		`UPDATE items SET output = ?, output_name = ?, output_sha256 = ?, report = ? WHERE transaction_id = ? AND seq = ?`,
		path, name, sha256, report, transaction, seq)
}
