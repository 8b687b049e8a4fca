package signing

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"sigillo/formats/inspect"
	"sigillo/store"
	"sigillo/vault"
)

func TestCleanName(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"contratto.pdf", "contratto.pdf"},
		{"../../etc/passwd", "passwd"},
		{`C:\Documenti\lettera.docx`, "lettera.docx"},
		{".bashrc", "bashrc"},
		{"", "document"},
		{"...", "document"},
		{"a\r\nSet-Cookie: x.pdf", "a__Set-Cookie_ x.pdf"},
		{"fattura\u202efdp.exe", "fattura_fdp.exe"}, // an override that hides the extension
		{"\xff\xfe.pdf", "_.pdf"},
		{strings.Repeat("à", 200) + ".pdf", strings.Repeat("à", 58) + ".pdf"},
	} {
		got := cleanName(tc.in)
		if got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.in, got, tc.want)
		}
		if len(got) > 120 || !utf8.ValidString(got) {
			t.Errorf("%q: %q is too long or not UTF-8", tc.in, got)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	f.Add("a/b\\c\x00.pdf")
	f.Add(strings.Repeat("\u202e", 300))
	f.Fuzz(func(t *testing.T, in string) {
		got := cleanName(in)
		if got == "" || len(got) > 120 || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\\x00\r\n") || got[0] == '.' {
			t.Errorf("%q became %q", in, got)
		}
	})
}

func TestFormsFor(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ format, path, want string }{
		{"pdf", "x", "[pades cades]"},
		{"xml", "x", "[xades cades]"},
		{"docx", "x", "[cades]"},
		{"pdf", "", "[]"}, // refused, so not kept
	} {
		if got := fmt.Sprint(formsFor(store.Document{Format: tc.format, Path: tc.path})); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.format, got, tc.want)
		}
	}
}

func TestConsent(t *testing.T) {
	t.Parallel()
	report := []byte(`{"verdict":"confirm","ruleset":"r","findings":[{"rule":"a","severity":"confirm"},{"rule":"b","severity":"allow"}]}`)
	for _, tc := range []struct {
		verdict   inspect.Verdict
		confirmed bool
		kind      Kind
		rules     int
	}{
		{inspect.Allow, false, "", 0},
		{inspect.Confirm, false, Unconfirmed, 0},
		{inspect.Confirm, true, "", 1},
		{inspect.Refuse, true, Refused, 0},
		{"nonsense", true, Refused, 0},
		{"", true, Refused, 0},
	} {
		c, err := consent(store.Document{Verdict: string(tc.verdict), Report: report, SHA256: []byte{0xab}}, tc.confirmed)
		if (err == nil) != (tc.kind == "") || err != nil && KindOf(err) != tc.kind || (c != nil) != (tc.rules > 0) {
			t.Errorf("%q, %v: %v, %v", tc.verdict, tc.confirmed, c, err)
		}
		if c != nil && (len(c.Rules) != tc.rules || c.Rules[0] != "a" || c.Ruleset != "r" || c.Document != "ab") {
			t.Errorf("%+v", c)
		}
	}
}

// A wrong password and a wrong OTP become one kind, with one text.
func TestFactorsAreNotToldApart(t *testing.T) {
	t.Parallel()
	a := FromVault(&vault.Error{Kind: vault.WrongPassword, Msg: "the password or the code is wrong"})
	b := FromVault(&vault.Error{Kind: vault.WrongOTP, Msg: "the password or the code is wrong"})
	if KindOf(a) != WrongFactors || KindOf(b) != WrongFactors || a.Error() != b.Error() {
		t.Errorf("%v, %v", a, b)
	}
	locked := FromVault(&vault.Error{Kind: vault.Locked, RetryAfter: time.Minute})
	var own *Error
	if !errors.As(locked, &own) || own.RetryAfter != time.Minute {
		t.Errorf("the time to wait is lost: %v", locked)
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	s := &Service{cfg: Config{MaxUpload: 10}}
	full := iotest.ErrReader(fmt.Errorf("write: %w", diskError{syscall.ENOSPC}))
	for _, tc := range []struct {
		name string
		r    io.Reader
		kind Kind
	}{
		{"at the limit", strings.NewReader("0123456789"), ""},
		{"over the limit", strings.NewReader("0123456789a"), TooLarge},
		{"empty", strings.NewReader(""), Empty},
		{"broken off", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("0123"))), BadRequest},
		{"refused by the reader", iotest.ErrReader(&Error{Kind: TooLarge}), TooLarge},
		{"disk full", full, DiskFull},
	} {
		size, sum, err := s.receive(t.TempDir()+"/x", tc.r)
		if (err == nil) != (tc.kind == "") || err != nil && KindOf(err) != tc.kind {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err == nil && (size != 10 || len(sum) != 32) {
			t.Errorf("%s: %d bytes, digest of %d", tc.name, size, len(sum))
		}
	}
}

// What is given up is signed by nobody; what is signed stays so.
func TestAbandon(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), t.TempDir()+"/a.db", store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now()
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.PutHolder(store.Holder{ID: "h", Username: "h", Created: now}); err != nil {
			return err
		}
		if err := tx.PutCredential(store.Credential{ID: "c", Holder: "h", Created: now}); err != nil {
			return err
		}
		for _, s := range []State{Prepared, Authorised, Delivered} {
			if err := tx.PutTransaction(store.Transaction{ID: string(s), Holder: "h", Credential: "c", State: string(s), Created: now, Updated: now}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{cfg: Config{DB: db, Now: time.Now}}
	if err := s.Abandon(t.Context(), "other", string(Prepared), "x"); KindOf(err) != NotFound {
		t.Error(err)
	}
	for state, want := range map[State]string{Prepared: string(Failed), Authorised: string(Authorised), Delivered: string(Delivered)} {
		if err := s.Abandon(t.Context(), "h", string(state), "the pen"); err != nil {
			t.Error(err)
		}
		var row store.Transaction
		if err := db.Read(t.Context(), func(tx *store.Tx) (err error) { row, err = tx.Transaction(string(state)); return err }); err != nil || row.State != want {
			t.Errorf("%s is %s, %v", state, row.State, err)
		}
	}
}

// The handwritten signature's refusals are told apart in this many ways, and no more.
func TestHandwritten(t *testing.T) {
	t.Parallel()
	for from, to := range map[vault.Kind]Kind{vault.Mismatch: NotRecognised, vault.Unrecognised: NotRecognised,
		vault.BadSample: BadCapture, vault.StaleCapture: BadCapture} {
		if got := KindOf(FromVault(&vault.Error{Kind: from})); got != to {
			t.Errorf("%s: %s", from, got)
		}
	}
}
