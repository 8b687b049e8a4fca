package store

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 21, 10, 0, 0, 123e6, time.UTC)

// seed stores a holder, a credential and a document for the rows that refer to them.
func seed(t *testing.T, db *DB) {
	t.Helper()
	write(t, db, func(tx *Tx) error {
		if err := tx.PutHolder(Holder{ID: "h", Username: "u", Created: t0}); err != nil {
			return err
		}
		if err := tx.PutCredential(Credential{ID: "c", Holder: "h", Created: t0}); err != nil {
			return err
		}
		return tx.PutDocument(Document{ID: "d", Holder: "h", State: "new", Created: t0})
	})
}

// roundTrip puts a row, gets it back, and finds that it can be put once only.
func roundTrip[T any](t *testing.T, db *DB, row T, put func(*Tx, T) error, get func(*Tx) (T, error)) {
	t.Helper()
	read(t, db, func(tx *Tx) error {
		_, err := get(tx)
		wantKind(t, err, NotFound)
		return nil
	})
	write(t, db, func(tx *Tx) error { return put(tx, row) })
	read(t, db, func(tx *Tx) error {
		got, err := get(tx)
		if !reflect.DeepEqual(got, row) {
			t.Errorf("%T: got %+v, want %+v", row, got, row)
		}
		return err
	})
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return put(tx, row) }), Conflict)
}

func TestRoundTripsAppliance(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	seed(t, db)
	roundTrip(t, db, Holder{"h2", "u2", "Zoë", "D'Amico", "F", "e@x", "it", []byte("{}"), t0},
		(*Tx).PutHolder, func(tx *Tx) (Holder, error) { return tx.Holder("h2") })
	roundTrip(t, db, Credential{"c2", "h", "p256", []byte{0, 1}, "", t0},
		(*Tx).PutCredential, func(tx *Tx) (Credential, error) { return tx.Credential("c2") })
	roundTrip(t, db, Certificate{"0a", "issuing-ca", "p", "CN=x", "h", "c", CertIntent, []byte("tbs"), nil,
		t0, t0.AddDate(3, 0, 0), t0, time.Time{}, t0, 0, "ra"},
		(*Tx).PutCertificate, func(tx *Tx) (Certificate, error) { return tx.Certificate("0a") })
	roundTrip(t, db, CRL{"root-ca", 7, []byte("crl"), t0, t0.Add(time.Hour), t0, []byte("tst")},
		(*Tx).PutCRL, func(tx *Tx) (CRL, error) { return tx.LatestCRL("root-ca") })
	roundTrip(t, db, Document{"d2", "h", "a.pdf", "pdf", "application/pdf", math.MaxInt64, []byte("sum"), "/p", []byte("{}"), "allow", 3, "new", t0, []byte("{}"), "d"},
		(*Tx).PutDocument, func(tx *Tx) (Document, error) { return tx.Document("d2") })
	roundTrip(t, db, Transaction{"t", "h", "c", "prepared", "SHA-256", "", "", t0, t0},
		(*Tx).PutTransaction, func(tx *Tx) (Transaction, error) { return tx.Transaction("t") })
	roundTrip(t, db, Item{"t", 0, "d", "pades", "B-T", []byte("dig"), []byte("{}"), nil, nil, "", "", nil, nil},
		(*Tx).PutItem, func(tx *Tx) (i Item, err error) {
			list, err := tx.Items("t")
			if err == nil && len(list) == 0 {
				return i, &Error{Kind: NotFound}
			}
			return list[0], err
		})
	roundTrip(t, db, Session{[]byte("id"), "h", t0, t0, t0.Add(time.Hour), "pages", []string{"pwd", "otp"}, "192.0.2.1", "Browser/1", "label", []byte("b"), []byte("e")},
		(*Tx).PutSession, func(tx *Tx) (Session, error) { return tx.Session([]byte("id")) })
	roundTrip(t, db, JournalEntry{1, t0, "a", "e", "s", []byte("{}"), make([]byte, 32), []byte("hash")},
		(*Tx).AppendJournal, func(tx *Tx) (JournalEntry, error) { return tx.JournalHead() })
}

func TestCounterRows(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	one := CounterRow{CounterCapture, "a", "over", "h", "tablet", t0, 1, []byte("{}"), []byte("mac")}
	two := one
	two.ID, two.State, two.Due = "b", "open", t0.Add(time.Hour)
	three := CounterRow{Kind: CounterTablet, ID: "a", State: "in-use", Version: 1, Record: []byte("{}"), MAC: []byte("mac")}
	write(t, db, func(tx *Tx) error {
		for _, r := range []CounterRow{one, two, three} {
			if err := tx.PutCounterRow(r); err != nil {
				return err
			}
		}
		return nil
	})
	ids := func(rows []CounterRow, err error) (s string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			s += r.ID
		}
		return s
	}
	read(t, db, func(tx *Tx) error {
		for what, got := range map[string][2]string{
			"all":        {ids(tx.CounterRows(CounterCapture, "open")), "ba"},
			"of holder":  {ids(tx.CounterRowsOf(CounterCapture, "open", "h")), "b"},
			"of nobody":  {ids(tx.CounterRowsOf(CounterCapture, "open", "x")), ""},
			"at tablet":  {ids(tx.CounterRowsAbout(CounterCapture, "over", "tablet")), "a"},
			"due":        {ids(tx.DueCounterRows(t0)), "a"},
			"due later":  {ids(tx.DueCounterRows(t0.Add(time.Hour))), "ab"},
			"due before": {ids(tx.DueCounterRows(t0.Add(-time.Hour))), ""},
		} {
			if got[0] != got[1] {
				t.Errorf("%s: %q, want %q", what, got[0], got[1])
			}
		}
		n, err := tx.CountCounterRows(CounterCapture, "open")
		if n != 1 {
			t.Errorf("%d rows", n)
		}
		if id, err := tx.CounterRowAt(CounterCapture, "open", 0); err != nil || id != "b" {
			t.Errorf("%q, %v", id, err)
		}
		return err
	})
	next := two
	next.Version, next.State = 2, "over"
	write(t, db, func(tx *Tx) error { return tx.SetCounterRow(next) })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.SetCounterRow(next) }), Conflict)
	write(t, db, func(tx *Tx) error { return tx.DeleteCounterRow(CounterCapture, "b") })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.SetCounterRow(next) }), Conflict)
}

func TestTemplatesAndCounts(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	write(t, db, func(tx *Tx) error {
		for v := range int64(5) {
			if err := tx.PutTemplate(Template{Credential: "c", Version: v + 1, Created: t0, Wrapped: []byte("k"), Sealed: []byte("s")}); err != nil {
				return err
			}
		}
		if n, err := tx.DeleteTemplates("c", 2, 3); err != nil || n != 2 {
			t.Errorf("%d, %v", n, err)
		}
		if err := tx.PutFingerprint([]byte("f"), t0); err != nil {
			return err
		}
		return errors.Join(tx.Count("a", 1), tx.Count("a", 2), tx.Count("b", 1))
	})
	read(t, db, func(tx *Tx) error {
		ts, err := tx.Templates("c")
		if err != nil || len(ts) != 3 || ts[0].Version != 5 || ts[2].Version != 1 || len(ts[0].Sealed) > 0 || len(ts[0].Wrapped) > 0 {
			t.Errorf("%+v, %v", ts, err)
		}
		for print, want := range map[string]bool{"f": true, "g": false} {
			if has, err := tx.HasFingerprint([]byte(print)); err != nil || has != want {
				t.Errorf("%s: %v, %v", print, has, err)
			}
		}
		n, err := tx.Counts()
		if n["a"] != 3 || n["b"] != 1 || len(n) != 2 {
			t.Errorf("%v", n)
		}
		return err
	})
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.PutFingerprint([]byte("f"), t0) }), Conflict)
}

func TestRoundTripsVault(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	roundTrip(t, db, OTPState{"h", 5, "r", 2, t0, []byte("mac")},
		(*Tx).PutOTPState, func(tx *Tx) (OTPState, error) { return tx.OTPState("h") })
	roundTrip(t, db, Spent{"j", 1, "r", "h", "c", []byte{7}, []byte("b"), SpentIntent, nil, t0, t0.Add(time.Hour)},
		(*Tx).PutSpent, func(tx *Tx) (Spent, error) { return tx.Spent("j", "r") })
	roundTrip(t, db, CredentialState{"c", "h", "r", 1, []byte("rec"), CredentialActive, t0, []byte("mac")},
		(*Tx).PutCredentialState, func(tx *Tx) (CredentialState, error) { return tx.CredentialState("c") })
	roundTrip(t, db, Delegation{"d", "h", "c", "active", t0, t0.Add(time.Hour), 1, []byte("{}"), []byte("mac")},
		(*Tx).PutDelegation, func(tx *Tx) (Delegation, error) { return tx.Delegation("d") })
	roundTrip(t, db, CounterRow{CounterCapture, "k", "open", "h", "tablet", t0, 1, []byte("{}"), []byte("mac")},
		(*Tx).PutCounterRow, func(tx *Tx) (CounterRow, error) { return tx.CounterRow(CounterCapture, "k") })
	roundTrip(t, db, Template{"c", 1, t0, "pointer", "a-1", "enrolled", []byte("key"), []byte("sealed"), []byte("mac")},
		(*Tx).PutTemplate, func(tx *Tx) (Template, error) { return tx.Template("c", 1) })
	roundTrip(t, db, JournalEntry{1, t0, "a", "e", "s", []byte("{}"), make([]byte, 32), []byte("hash")},
		(*Tx).AppendJournal, func(tx *Tx) (JournalEntry, error) { return tx.JournalHead() })
}

// transitions runs a change that must succeed once, conflict the second time,
// and not find a row that does not exist.
func transitions(t *testing.T, db *DB, change func(tx *Tx, id string) error, id string) {
	t.Helper()
	write(t, db, func(tx *Tx) error { return change(tx, id) })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return change(tx, id) }), Conflict)
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return change(tx, "absent") }), NotFound)
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	seed(t, db)
	write(t, db, func(tx *Tx) error {
		if err := tx.PutCertificate(Certificate{Serial: "01", Issuer: "ca", State: CertIntent, Intent: t0}); err != nil {
			return err
		}
		if err := tx.PutTransaction(Transaction{ID: "t", Holder: "h", Credential: "c", Certificate: "0a", State: "prepared"}); err != nil {
			return err
		}
		return tx.PutItem(Item{Transaction: "t", Document: "d"})
	})
	transitions(t, db, func(tx *Tx, id string) error { return tx.SetCertificateIssued(id, []byte("der"), t0) }, "01")
	transitions(t, db, func(tx *Tx, id string) error {
		return tx.SetCertificateStatus(id, CertValid, CertSuspended, t0, 6)
	}, "01")
	transitions(t, db, func(tx *Tx, id string) error {
		return tx.SetDocumentInspected(id, "new", "inspected", "pdf", "application/pdf", "allow", []byte("{}"))
	}, "d")
	transitions(t, db, func(tx *Tx, id string) error { return tx.SetDocumentState(id, "inspected", "gone") }, "d")
	transitions(t, db, func(tx *Tx, id string) error {
		return tx.SetTransactionState(id, "prepared", "authorised", t0)
	}, "t")
	transitions(t, db, func(tx *Tx, id string) error { return tx.SetTransactionState(id, "authorised", "signed", t0) }, "t")
	transitions(t, db, func(tx *Tx, id string) error { return tx.SetTransactionFailed(id, "signed", "failed", "why", t0) }, "t")
	transitions(t, db, func(tx *Tx, id string) error { return tx.SetItemSignature(id, 0, []byte("sig")) }, "t")
	transitions(t, db, func(tx *Tx, id string) error { return tx.SetItemToken(id, 0, []byte("tst")) }, "t")
	read(t, db, func(tx *Tx) error {
		c, _ := tx.Certificate("01")
		if c.State != CertSuspended || c.Reason != 6 || string(c.DER) != "der" || !c.Issued.Equal(t0) {
			t.Errorf("certificate %+v", c)
		}
		tr, _ := tx.Transaction("t")
		if tr.State != "failed" || tr.Error != "why" || tr.Certificate != "0a" || !tr.Updated.Equal(t0) {
			t.Errorf("transaction %+v", tr)
		}
		return nil
	})
}

func TestVaultTransitions(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	write(t, db, func(tx *Tx) error {
		if err := tx.PutSpent(Spent{JTI: "j", Seq: 1, State: SpentIntent, Created: t0, Expires: t0}); err != nil {
			return err
		}
		return tx.PutOTPState(OTPState{Holder: "h", Step: 5})
	})
	write(t, db, func(tx *Tx) error { // an intent is never forgotten
		n, err := tx.DeleteExpiredSpent(t0)
		if n != 0 {
			t.Errorf("%d intents were forgotten", n)
		}
		return err
	})
	transitions(t, db, func(tx *Tx, id string) error { return tx.SetSpentDone(id, 1, []byte("sigs")) }, "j")
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.SetOTPState(OTPState{Holder: "h", Step: 4}) }), Conflict)
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.SetOTPState(OTPState{Holder: "x"}) }), NotFound)
	write(t, db, func(tx *Tx) error {
		if err := tx.SetOTPState(OTPState{Holder: "h", Step: 5, Failures: 3, LockedUntil: t0, MAC: []byte("m")}); err != nil {
			return err
		}
		s, err := tx.OTPState("h")
		if s.Failures != 3 || !s.LockedUntil.Equal(t0) {
			t.Errorf("%+v", s)
		}
		if s, _ := tx.Spent("j", ""); s.State != SpentDone || string(s.Signatures) != "sigs" {
			t.Errorf("%+v", s)
		}
		n, _ := tx.DeleteExpiredSpent(t0)
		if n != 1 {
			t.Errorf("%d rows were forgotten", n)
		}
		return err
	})
}

// TestUses: the uses of one SAD are told apart by their number and their request, and
// the last one is found.
func TestUses(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	use := func(seq int, request string) func(*Tx) error {
		return func(tx *Tx) error {
			return tx.PutSpent(Spent{JTI: "j", Seq: seq, Request: request, Taken: []byte{byte(seq)}, State: SpentIntent, Created: t0, Expires: t0})
		}
	}
	write(t, db, use(1, "a"))
	write(t, db, use(2, "b"))
	wantKind(t, db.Write(t.Context(), use(2, "c")), Conflict)
	wantKind(t, db.Write(t.Context(), use(3, "a")), Conflict)
	read(t, db, func(tx *Tx) error {
		last, err := tx.LastSpent("j")
		n, _ := tx.CountSpent("j")
		open, _ := tx.SpentIntents()
		if last.Seq != 2 || last.Request != "b" || n != 2 || len(open) != 2 {
			t.Errorf("%+v, %d uses, %d open", last, n, len(open))
		}
		_, none := tx.LastSpent("x")
		wantKind(t, none, NotFound)
		return err
	})
}

func TestDelegations(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	d := Delegation{ID: "d", Holder: "h", Credential: "c", State: "active", Created: t0, Due: t0.Add(time.Hour), Version: 1}
	write(t, db, func(tx *Tx) error { return tx.PutDelegation(d) })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.SetDelegation(d) }), Conflict)
	d.Version = 2
	write(t, db, func(tx *Tx) error { return tx.SetDelegation(d) })
	over := Delegation{ID: "over", Holder: "h2", Credential: "c2", State: "revoked", Created: t0.Add(time.Hour), Version: 1}
	live := Delegation{ID: "live", Holder: "h2", Credential: "c2", State: "active", Created: t0, Version: 1}
	write(t, db, func(tx *Tx) error { return tx.PutDelegation(live) })
	write(t, db, func(tx *Tx) error { return tx.PutDelegation(over) })
	read(t, db, func(tx *Tx) error {
		active, _ := tx.DelegationsOf("h2", "active", 1)
		newest, err := tx.DelegationsOf("h2", "", 1)
		if len(active) != 1 || active[0].ID != "live" || len(newest) != 1 || newest[0].ID != "over" {
			t.Errorf("active first: %v, newest first: %v", active, newest)
		}
		return err
	})
	read(t, db, func(tx *Tx) error {
		of, _ := tx.DelegationsOf("h", "active", 0)
		under, _ := tx.DelegationsUnder("c", "active")
		early, _ := tx.DueDelegations(t0)
		due, err := tx.DueDelegations(t0.Add(time.Hour))
		if len(of) != 1 || len(under) != 1 || len(early) != 0 || len(due) != 1 {
			t.Errorf("%d of the holder, %d of the credential, %d too early, %d due", len(of), len(under), len(early), len(due))
		}
		return err
	})
	d.Version, d.State, d.Due = 3, "revoked", time.Time{}
	write(t, db, func(tx *Tx) error { return tx.SetDelegation(d) })
	read(t, db, func(tx *Tx) error {
		due, err := tx.DueDelegations(t0.Add(24 * time.Hour))
		if len(due) != 0 {
			t.Errorf("%+v is due for ever", due)
		}
		return err
	})
}

func TestLastJournalOf(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	write(t, db, func(tx *Tx) error {
		for i, e := range []string{"a", "b", "c"} {
			if err := tx.AppendJournal(JournalEntry{Seq: int64(i + 1), Event: e, Subject: "s", Time: t0}); err != nil {
				return err
			}
		}
		return nil
	})
	read(t, db, func(tx *Tx) error {
		e, err := tx.LastJournalOf("s", "a", "b")
		if e.Event != "b" {
			t.Errorf("%+v", e)
		}
		_, none := tx.LastJournalOf("s", "d")
		wantKind(t, none, NotFound)
		return err
	})
}

func TestLists(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	seed(t, db)
	accounts := map[string][]byte{"e": []byte(`{"renderer":"r","images":["1","2"],"second":"s"}`)}
	write(t, db, func(tx *Tx) error {
		for i, id := range []string{"a", "b", "e"} {
			at := t0.Add(time.Duration(i+1) * time.Second)
			_ = tx.PutHolder(Holder{ID: "h" + id, Username: "u" + id})
			_ = tx.PutDocument(Document{ID: id, Holder: "h", Created: at, Account: accounts[id]})
			_ = tx.PutTransaction(Transaction{ID: id, Holder: "h", Credential: "c", State: "s" + id, Created: at})
			_ = tx.PutCertificate(Certificate{Serial: id, Issuer: "ca", Holder: "h", State: CertIntent, TBS: []byte("x"), Intent: at})
		}
		return tx.SetCertificateIssued("b", []byte("der"), t0)
	})
	read(t, db, func(tx *Tx) error {
		docs, _ := tx.DocumentsOf("h", 2, time.Time{})
		older, _ := tx.DocumentsOf("h", 0, docs[1].Created)
		trs, _ := tx.TransactionsOf("h", 2)
		in, _ := tx.TransactionsInState("sa", "se")
		none, _ := tx.TransactionsInState()
		all, _ := tx.CertificatesByIssuer("ca")
		valid, _ := tx.CertificatesByIssuer("ca", CertValid, CertRevoked)
		intents, _ := tx.CertificatesInState(CertIntent)
		of, _ := tx.CertificatesOf("h")
		holders, _ := tx.Holders(2, "u")
		creds, _ := tx.CredentialsOf("h")
		got := []any{len(docs), docs[0].ID, docs[1].ID, string(docs[0].Account), docs[1].Account == nil, len(older), older[0].ID, len(trs), trs[0].ID, len(in), in[0].ID, len(none),
			len(all), len(valid), valid[0].Serial, valid[0].TBS == nil, len(intents), string(intents[0].TBS), len(of),
			len(holders), holders[0].ID, len(creds)}
		want := []any{2, "e", "b", `{"renderer":"r","second":"s"}`, true, 2, "a", 2, "e", 2, "a", 0, 3, 1, "b", true, 2, "x", 3, 2, "ha", 1}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		return nil
	})
}

func TestSettersAndSessions(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	seed(t, db)
	write(t, db, func(tx *Tx) error {
		wantKind(t, tx.SetFactors("x", nil), NotFound)
		wantKind(t, tx.SetCredentialCertificate("x", "1"), NotFound)
		wantKind(t, tx.SetDocumentView("x", 1, nil), NotFound)
		wantKind(t, tx.TouchSession([]byte("x"), t0), NotFound)
		wantKind(t, tx.SetItemOutput("x", 0, "", "", nil, nil), NotFound)
		for _, err := range []error{
			tx.SetFactors("h", []byte("f")), tx.SetCredentialCertificate("c", "0b"), tx.SetDocumentView("d", 9, []byte("{}")),
			tx.PutSession(Session{ID: []byte("1"), Holder: "h", Expires: t0}),
			tx.PutSession(Session{ID: []byte("2"), Holder: "h", Expires: t0.Add(time.Millisecond)}),
			tx.TouchSession([]byte("2"), t0),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		for id, want := range map[string]bool{"absent": false, "1": true} {
			if there, err := tx.DeleteSession([]byte(id)); err != nil || there != want {
				t.Errorf("%s: %v, %v", id, there, err)
			}
		}
		for _, s := range []Session{{ID: []byte("3"), Expires: t0, Seen: t0.Add(time.Minute)}, {ID: []byte("4"), Expires: t0.Add(time.Hour)}} {
			s.Holder = "h"
			if err := tx.PutSession(s); err != nil {
				t.Error(err)
			}
		}
		expired, err := tx.ExpiredSessions(t0)
		if len(expired) != 1 || string(expired[0].ID) != "3" {
			t.Errorf("expired: %+v", expired)
		}
		return err
	})
	read(t, db, func(tx *Tx) error {
		all, err := tx.SessionsOf("h")
		if len(all) != 3 || string(all[0].ID) != "3" || string(all[1].ID) != "2" {
			t.Errorf("%+v", all)
		}
		none, _ := tx.SessionsOf("x")
		if len(none) != 0 {
			t.Errorf("%+v", none)
		}
		return err
	})
	read(t, db, func(tx *Tx) error {
		h, _ := tx.HolderByUsername("u")
		c, _ := tx.Credential("c")
		d, _ := tx.Document("d")
		s, err := tx.Session([]byte("2"))
		if string(h.Factors) != "f" || c.Certificate != "0b" || d.Pages != 9 || !s.Seen.Equal(t0) {
			t.Errorf("%+v %+v %+v %+v", h, c, d, s)
		}
		return err
	})
}

func TestCounters(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	next := func(count func(*Tx) (int64, error)) (n int64) {
		write(t, db, func(tx *Tx) (err error) { n, err = count(tx); return err })
		return n
	}
	crl := func(ca string) func(*Tx) (int64, error) {
		return func(tx *Tx) (int64, error) { return tx.NextCRLNumber(ca) }
	}
	got := []int64{next(crl("a")), next(crl("b")), next(crl("a")), next(crl("a"))}
	if !reflect.DeepEqual(got, []int64{1, 1, 2, 3}) { // no counter is shared
		t.Error(got)
	}
	write(t, db, func(tx *Tx) error {
		return tx.put("", `UPDATE serials SET next = ? WHERE unit = 'crl/a'`, int64(math.MaxInt64))
	})
	if err := db.Write(t.Context(), func(tx *Tx) error { _, err := tx.NextCRLNumber("a"); return err }); err == nil {
		t.Error("the counter ran over")
	}
}

func TestJournalOrder(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	entry := func(seq int64) error {
		return db.Write(t.Context(), func(tx *Tx) error { return tx.AppendJournal(JournalEntry{Seq: seq, Subject: "s", Time: t0}) })
	}
	wantKind(t, entry(2), Conflict)
	for i := int64(1); i <= 3; i++ {
		if err := entry(i); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, entry(3), Conflict)
	wantKind(t, entry(5), Conflict)
	write(t, db, func(tx *Tx) error {
		for _, key := range []string{"a", "b"} {
			if err := tx.PutCheckpoint(Checkpoint{Seq: 2, Key: key, Time: t0}); err != nil {
				return err
			}
		}
		wantKind(t, tx.PutCheckpoint(Checkpoint{Seq: 2, Key: "a", Time: t0.Add(1e9)}), Conflict)
		from2, _ := tx.Journal(2, 1)
		of, _ := tx.JournalOf("s", 2)
		cps, err := tx.Checkpoints(2, 0)
		if len(from2) != 1 || from2[0].Seq != 2 || len(of) != 2 || of[0].Seq != 3 || len(cps) != 2 {
			t.Errorf("%v %v %v", from2, of, cps)
		}
		return err
	})
}

func TestTimes(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	rome := time.FixedZone("Europe/Rome", 3600)
	fine := time.Date(2026, 11, 21, 11, 0, 0, 123456789, rome)
	write(t, db, func(tx *Tx) error { return tx.PutHolder(Holder{ID: "h", Created: fine}) })
	read(t, db, func(tx *Tx) error {
		h, err := tx.Holder("h")
		if !h.Created.Equal(fine.Truncate(time.Millisecond)) || h.Created.Location() != time.UTC {
			t.Errorf("got %v", h.Created)
		}
		return err
	})
}

func TestHolderState(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	roundTrip(t, db, HolderState{"h", 1, []byte("record"), []byte("mac")},
		(*Tx).PutHolderState, func(tx *Tx) (HolderState, error) { return tx.HolderState("h") })
	set := func(v int64) error {
		return db.Write(t.Context(), func(tx *Tx) error { return tx.SetHolderState(HolderState{"h", v, []byte("next"), []byte("m")}) })
	}
	wantKind(t, set(1), Conflict)
	wantKind(t, set(3), Conflict)
	if err := set(2); err != nil {
		t.Error(err)
	}
	write(t, db, func(tx *Tx) error {
		if err := tx.PutOTPState(OTPState{Holder: "h"}); err != nil {
			return err
		}
		if err := tx.DeleteOTPState("h"); err != nil {
			return err
		}
		_, err := tx.OTPState("h")
		wantKind(t, err, NotFound)
		return tx.DeleteOTPState("h")
	})
}

func TestReplaceFactors(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	seed(t, db)
	write(t, db, func(tx *Tx) error { return tx.SetFactors("h", []byte("one")) })
	replace := func(holder, old, next string) error {
		return db.Write(t.Context(), func(tx *Tx) error { return tx.ReplaceFactors(holder, []byte(old), []byte(next)) })
	}
	wantKind(t, replace("h", "none", "two"), Conflict)
	wantKind(t, replace("x", "one", "two"), NotFound)
	if err := replace("h", "one", "two"); err != nil {
		t.Error(err)
	}
	write(t, db, func(tx *Tx) error { return tx.SetCredentialRecord("c", []byte("record")) })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.SetCredentialRecord("x", nil) }), NotFound)
	read(t, db, func(tx *Tx) error {
		h, err := tx.Holder("h")
		c, err2 := tx.Credential("c")
		if string(h.Factors) != "two" || string(c.Record) != "record" {
			t.Errorf("%+v, %+v", h, c)
		}
		return firstOf(err, err2)
	})
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
