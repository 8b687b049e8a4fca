package pki

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"sigillo/hsm"
	"sigillo/store"
)

var errFault = errors.New("fault")

// failAt makes the k-th use of the keys fail: before the thing is done, or after
// (the token did it, the answer was lost). It returns how to ask whether it came
// to that.
func (k *softKeys) failAt(n int, before bool) (happened func() bool) {
	count, hit := 0, false
	k.fault = func(_, _ string, b bool) error {
		if b != before {
			return nil
		}
		if count++; count == n {
			hit = true
			return errFault
		}
		return nil
	}
	return func() bool { return hit }
}

// refuseRows makes the database refuse what the trigger names, as a full disk
// would, until the returned function is called.
func refuseRows(t *testing.T, db *store.DB, trigger string) (restore func()) {
	t.Helper()
	run := func(q string) {
		raw, err := sql.Open("sqlite", "file:"+db.Path()+"?_pragma=busy_timeout(5000)")
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		if _, err := raw.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	run(`CREATE TRIGGER fault ` + trigger + ` BEGIN SELECT RAISE(FAIL, 'fault'); END`)
	return func() { run(`DROP TRIGGER fault`) }
}

// checkRegister is the rule that no fault may break: every signature a CA made
// has a row that says so; a certificate is valid only if it is stored whole;
// after Resolve no intent is left, and what is presumed is on the list.
func (h *house) checkRegister(t *testing.T) {
	t.Helper()
	h.keys.fault = nil
	if _, err := h.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := h.db.Read(t.Context(), func(tx *store.Tx) error {
		for _, ca := range authorities {
			rows, err := tx.CertificatesByIssuer(ca)
			if err != nil {
				return err
			}
			lists := h.listNumbers(t, ca)
			if made := int64(h.keys.signed[ca]); made > int64(len(rows))+lists {
				t.Errorf("%s signed %d times, there are %d rows and %d lists", ca, made, len(rows), lists)
			}
		}
		left, err := tx.CertificatesInState(store.CertIntent)
		if len(left) > 0 {
			t.Errorf("%d intents are left", len(left))
		}
		presumed, _ := tx.CertificatesInState(store.CertPresumedIssued)
		for _, c := range presumed {
			if c.Issuer == IssuingCA && h.listing(t, c.Serial) == "" {
				t.Errorf("%s is presumed issued and not on the list", c.Serial)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.checkJournal(t)
}

// listNumbers returns how many list numbers a CA has used up.
func (h *house) listNumbers(t *testing.T, ca string) (n int64) {
	t.Helper()
	raw, err := sql.Open("sqlite", "file:"+h.db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := raw.QueryRow(`SELECT next - 1 FROM serials WHERE unit = ?`, "crl/"+ca).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Every use of a key while a certificate is issued fails once, before and after
// the fact. The request fails, nothing is delivered, the register stays right,
// and asking again succeeds.
func TestIssueFaultsOfTheToken(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		h := newHouse(t, testConfig())
		for n := 1; ; n++ {
			r := h.enrol(t, fmt.Sprint(n), hsm.P256)
			happened := h.keys.failAt(n, before)
			cert, err := h.Issue(t.Context(), r)
			if !happened() {
				if n == 1 {
					t.Fatal("no fault was tried")
				}
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if cert != nil || KindOf(err) != KeyUnavailable || !errors.Is(err, errFault) {
				t.Errorf("before %v, use %d: %v", before, n, err)
			}
			h.checkRegister(t)
			if _, err := h.Issue(t.Context(), r); err != nil {
				t.Errorf("asking again: %v", err)
			}
		}
	}
}

// The same for the database: the intent, its journal entry, the certificate, the
// credential, and the second journal entry are refused in turn.
func TestIssueFaultsOfTheDatabase(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		trigger string
		signed  int // by the CA, although the request failed
	}{
		"intent":           {`BEFORE INSERT ON certificates`, 0},
		"intent's entry":   {`BEFORE INSERT ON journal WHEN NEW.event = 'certificate.intent'`, 0},
		"certificate":      {`BEFORE UPDATE ON certificates WHEN NEW.state = 'valid'`, 1},
		"credential":       {`BEFORE UPDATE ON credentials`, 1},
		"certificate's en": {`BEFORE INSERT ON journal WHEN NEW.event = 'certificate.issued'`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, testConfig())
			r := h.enrol(t, "1", hsm.P256)
			before := h.keys.signed[IssuingCA]
			restore := refuseRows(t, h.db, tt.trigger)
			cert, err := h.Issue(t.Context(), r)
			if cert != nil || err == nil {
				t.Fatal("issued although it could not be stored")
			}
			if made := h.keys.signed[IssuingCA] - before; made != tt.signed {
				t.Errorf("%d signatures, want %d", made, tt.signed)
			}
			restore()
			n, err := h.Resolve(t.Context())
			if err != nil || n != tt.signed {
				t.Errorf("%d intents settled, want %d (%v)", n, tt.signed, err)
			}
			h.checkRegister(t)
			if _, err := h.Issue(t.Context(), r); err != nil {
				t.Errorf("asking again: %v", err)
			}
		})
	}
}

// A change of status and its journal entry are one commit.
func TestStatusFaultsOfTheDatabase(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	serial := serialOf(h.issue(t, "1"))
	restore := refuseRows(t, h.db, `BEFORE INSERT ON journal WHEN NEW.event = 'certificate.suspended'`)
	if err := h.Suspend(t.Context(), serial, 6, "ra"); err == nil || KindOf(err) == Unpublished {
		t.Fatal(err)
	}
	restore()
	if s, _ := h.Status(t.Context(), serial); s != store.CertValid {
		t.Errorf("%s without a journal entry", s)
	}
	restore = refuseRows(t, h.db, `BEFORE INSERT ON crls`)
	wantKind(t, h.Suspend(t.Context(), serial, 6, "ra"), Unpublished)
	restore()
	if s, _ := h.Status(t.Context(), serial); s != store.CertSuspended {
		t.Error(s)
	}
	h.checkRegister(t)
}

// Resolving is itself interrupted, and finished by the next try.
func TestResolveInterrupted(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	h.keys.failAt(1, false) // the signature was made, the answer lost
	_, err := h.Issue(t.Context(), h.enrol(t, "1", hsm.P256))
	wantKind(t, err, KeyUnavailable)
	h.keys.fault = nil
	restore := refuseRows(t, h.db, `BEFORE INSERT ON journal WHEN NEW.event = 'certificate.presumed-issued'`)
	if _, err := h.Resolve(t.Context()); err == nil {
		t.Fatal("settled without a journal entry")
	}
	restore()
	h.keys.fault = func(_, _ string, _ bool) error { return errFault }
	if n, err := h.Resolve(t.Context()); err == nil || n != 1 {
		t.Fatal(n, err)
	}
	h.keys.fault = nil
	if err := h.PublishCRLs(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.checkRegister(t)
}

// The ceremony is cut short at every use of a key, before and after the fact,
// and resumed: the house it leaves is whole.
func TestCeremonyFaults(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.RootKey = hsm.P256 // quicker
	for _, before := range []bool{true, false} {
		for n := 1; ; n++ {
			h := &house{keys: newSoftKeys(), clock: &clock{t: t0()}, db: openStore(t)}
			happened := h.keys.failAt(n, before)
			err := Ceremony(t.Context(), h.db, h.keys, cfg, h.clock.now, &bytes.Buffer{})
			if err == nil && happened() {
				continue // a look into the empty token; that it fails is as good as finding nothing
			}
			if err == nil {
				if n < 15 {
					t.Fatalf("only %d faults were tried", n-1)
				}
				break
			}
			if !happened() || !errors.Is(err, errFault) {
				t.Fatalf("use %d: %v", n, err)
			}
			h.keys.fault = nil
			if _, err := Open(t.Context(), h.db, h.keys, cfg, h.clock.now); err == nil && n < 10 {
				t.Errorf("use %d: half a house opens", n)
			}
			var record bytes.Buffer
			if err := Ceremony(t.Context(), h.db, h.keys, cfg, h.clock.now, &record); err != nil {
				t.Fatalf("use %d, resumed: %v", n, err)
			}
			for _, s := range ceremonyPlan(cfg) {
				if !strings.Contains(record.String(), ". "+s.label+"\n") {
					t.Errorf("use %d: %s is not in the record", n, s.label)
				}
			}
			h.reopen(t, cfg)
			h.issue(t, "1")
			h.checkRegister(t)
		}
	}
}

// A ceremony whose record cannot be written was not held.
func TestCeremonyWithoutRecord(t *testing.T) {
	t.Parallel()
	db, keys := openStore(t), newSoftKeys()
	full := &fullDisk{room: 900}
	if err := Ceremony(t.Context(), db, keys, testConfig(), t0, full); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	if err := Ceremony(t.Context(), db, keys, testConfig(), t0, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, Ceremony(context.Background(), db, keys, testConfig(), t0, &bytes.Buffer{}), Exists)
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, errFault
	}
	return len(p), nil
}
