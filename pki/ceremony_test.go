package pki

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"sigillo/hsm"
	"sigillo/store"
)

func TestCeremonyRecord(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	for _, s := range ceremonyPlan(h.cfg) {
		if s.profile == "" {
			continue
		}
		cert := h.CA(s.label)
		sum := sha256.Sum256(cert.Raw)
		for _, want := range []string{s.label, grouped(hex.EncodeToString(sum[:])), serialOf(cert), readableName(cert.RawSubject)} {
			if !strings.Contains(h.record, want) {
				t.Errorf("%s: the record lacks %q", s.label, want)
			}
		}
	}
	for _, want := range []string{"Anna Bianchi", "Carlo Verdi", "Prova S.p.A.", "not qualified", "p384", "7. journal", "Ended"} {
		if !strings.Contains(h.record, want) {
			t.Errorf("the record lacks %q", want)
		}
	}
	// The record names the head of the journal, which makes it a witness.
	err := h.db.Read(t.Context(), func(tx *store.Tx) error {
		head, err := tx.JournalHead()
		if head.Event != "ceremony.ended" || !strings.Contains(h.record, grouped(hex.EncodeToString(head.Hash))) {
			t.Errorf("the journal ends with %s, and the record does not say so", head.Event)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	h.checkJournal(t)
}

func TestCeremonyIsHeldOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	var again bytes.Buffer
	wantKind(t, Ceremony(t.Context(), h.db, h.keys, testConfig(), h.clock.now, &again), Exists)
	if again.Len() > 0 {
		t.Error("a refused ceremony wrote a record")
	}
	// The same token with another database: its keys are somebody's.
	err := Ceremony(t.Context(), openStore(t), h.keys, testConfig(), h.clock.now, &again)
	wantKind(t, err, Exists)
	if _, err := Open(t.Context(), openStore(t), newSoftKeys(), testConfig(), h.clock.now); KindOf(err) != NotFound {
		t.Error(err)
	}
}

// testedKeys are keys in something that can be tested, as the vault's are.
type testedKeys struct {
	*softKeys
	err error
}

func (k testedKeys) SelfTest(context.Context) (hsm.Report, error) {
	return hsm.Report{Label: "sigillo", Serial: "4711", Checks: []hsm.Check{
		{Name: "private keys cannot be read", OK: true}, {Name: "objects have a counter", OK: false}}}, k.err
}

func TestCeremonyRecordsTheSelfTest(t *testing.T) {
	t.Parallel()
	var record bytes.Buffer
	keys := testedKeys{newSoftKeys(), errors.New("keys can be read")}
	db := openStore(t)
	if err := Ceremony(t.Context(), db, keys, testConfig(), t0, &record); KindOf(err) != Failed || len(keys.keys) > 0 {
		t.Fatalf("%v; %d keys were made in a token that failed", err, len(keys.keys))
	}
	record.Reset()
	keys.err = nil
	if err := Ceremony(t.Context(), db, keys, testConfig(), t0, &record); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4711", "yes  private keys cannot be read", "no   objects have a counter"} {
		if !strings.Contains(record.String(), want) {
			t.Errorf("the record lacks %q", want)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"no country":        func(c *Config) { c.Country = "" },
		"small country":     func(c *Config) { c.Country = "it" },
		"no organisation":   func(c *Config) { c.Organisation = "" },
		"long organisation": func(c *Config) { c.Organisation = strings.Repeat("x", 41) },
		"odd organisation":  func(c *Config) { c.Organisation = "A\x00B" },
		"identifier":        func(c *Config) { c.OrganisationID = "VATIT_1" },
		"no address":        func(c *Config) { c.BaseURL = "" },
		"ftp":               func(c *Config) { c.BaseURL = "ftp://host" },
		"slash":             func(c *Config) { c.BaseURL = "http://host/" },
		"space":             func(c *Config) { c.BaseURL = "http://host/a b" },
		"no disclosure":     func(c *Config) { c.Qualified = true },
		"http disclosure": func(c *Config) {
			c.Qualified, c.PDSEnglish, c.PDSItalian = true, "http://host/en", "https://host/it"
		},
		"arc":      func(c *Config) { c.PolicyArc = "3.1" },
		"arc text": func(c *Config) { c.PolicyArc = "a.b" },
		"arc 1.40": func(c *Config) { c.PolicyArc = "1.40.1" },
		"days":     func(c *Config) { c.HolderDays = -1 },
		"years":    func(c *Config) { c.RootDays = 40000 },
	} {
		c := testConfig()
		change(&c)
		if err := Ceremony(t.Context(), openStore(t), newSoftKeys(), c, t0, &bytes.Buffer{}); KindOf(err) != BadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}
