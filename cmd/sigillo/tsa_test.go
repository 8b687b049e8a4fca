package main

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigillo/store"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
	"sigillo/vault"
)

// A day counts in as a whole, in UTC: a search from it to it finds what was stamped on
// it, and no more. A time counts to the moment.
func TestArchivePeriod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to, first, beyond string }{
		{"2026-11-22", "2026-11-22", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"2026-11-01", "2026-12-31", "2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"2026-11-22T10:00:00Z", "2026-11-22T10:00:00.5Z", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.5Z"},
		{"2026-11-22T10:00:00+01:00", "2026-11-22", "2026-11-22T09:00:00Z", "2026-11-23T00:00:00Z"},
	} {
		f := newArchiveFlags(env{err: new(bytes.Buffer)}, "find")
		if code, ok := parse(f.FlagSet, []string{"--from", c.from, "--to", c.to}); !ok {
			t.Fatal(code)
		}
		q, err := f.query()
		if err != nil || q.From.UTC().Format(time.RFC3339Nano) != c.first || q.To.UTC().Format(time.RFC3339Nano) != c.beyond {
			t.Errorf("%s to %s: [%v, %v), %v", c.from, c.to, q.From, q.To, err)
		}
	}
	for _, bad := range []string{"22/11/2026", "2026-11-31", "today", "2026-11-22T10:00:00"} {
		if _, err := end(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A serial number is decimal, also with zeros in front, or hexadecimal with 0x.
func TestArchiveSerial(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"10": 10, "010": 10, "0089": 89, "0x10": 16, "0X1f": 31, "9223372036854775807": 1<<63 - 1,
		"": 0, "0": 0, "-1": 0, "0x": 0, "0x-1": 0, "0b1": 0, "0o7": 0, "1_0": 0, "ff": 0, "9223372036854775808": 0} {
		got, err := parseSerial(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

// What is listed is marked by the policy of each token.
func TestEntriesAreMarked(t *testing.T) {
	t.Parallel()
	entries := []ledger.Entry{
		{Unit: "tsu-1", Serial: 1, Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA256, Account: "acme"},
		{Unit: "tsu-1", Serial: 2, Policy: asn1.ObjectIdentifier{1, 2, 4}, Hash: crypto.SHA256, Account: "x\u202ey", Unverified: true},
	}
	var table, lines bytes.Buffer
	if err := errors.Join(printEntries(&table, entries, false), printEntries(&lines, entries, true)); err != nil {
		t.Fatal(err)
	}
	if s := table.String(); strings.Count(s, "(UNVERIFIED)")+strings.Count(s, "(NON VERIFICATA)") != 1 || !strings.Contains(s, "1.2.4 (") || !strings.Contains(s, "x[U+202E]y") {
		t.Error(s)
	}
	if s := strings.Split(lines.String(), "\n"); !strings.Contains(s[0], `"unverified":false`) || !strings.Contains(s[1], `"unverified":true`) {
		t.Error(s)
	}
}

// Units that are stopped are not started with those that wait, and are not passed over
// in silence either.
func TestWaiting(t *testing.T) {
	t.Parallel()
	unit := func(name string, state vault.UnitState, serving bool) vault.Unit {
		return vault.Unit{Name: name, State: state, Serving: serving}
	}
	ready, stopped := unit("tsu-1", vault.UnitReady, false), unit("tsu-2", vault.UnitStopped, false)
	back, serves, over := unit("tsu-3", vault.UnitActive, false), unit("tsu-4", vault.UnitActive, true), unit("tsu-5", vault.UnitRetired, false)
	for _, c := range []struct {
		units []vault.Unit
		want  string
		says  string
	}{
		{[]vault.Unit{ready, stopped, back, serves, over}, "tsu-1 tsu-3", ""},
		{[]vault.Unit{stopped, serves, over, unit("tsu-6", vault.UnitStopped, false)}, "", "`sigillo tsa start tsu-2 tsu-6`"},
		{[]vault.Unit{serves, over}, "", "wait"},
		{nil, "", "wait"},
	} {
		got, err := waiting(c.units)
		if strings.Join(got, " ") != c.want || (err == nil) != (c.says == "") {
			t.Errorf("%v, %v; want %q", got, err, c.want)
		}
		if err != nil && language() != "it" && !strings.Contains(err.Error(), c.says) {
			t.Error(err)
		}
	}
}

// The database is not quoted where it says what is known; of its failures it is.
func TestReason(t *testing.T) {
	t.Parallel()
	driver := errors.New("constraint failed: UNIQUE constraint failed: stamp_accounts.id (1555)")
	row := func(k store.Kind, msg string) error { return &store.Error{Kind: k, Msg: msg, Err: driver} }
	for _, c := range []struct {
		err           error
		with, without []string
	}{
		{&accounts.Error{Kind: accounts.Conflict, Msg: "the name is in use", Err: row(store.Conflict, "store: put: conflicts")}, []string{"the name is in use"}, []string{"UNIQUE", "store"}},
		{&accounts.Error{Kind: accounts.NotFound, Msg: "there is no lot", Err: row(store.NotFound, "store: cancel: no such row")}, []string{"there is no lot"}, []string{"row"}},
		{fmt.Errorf("open: %w", row(store.Full, "store: put: the disk is full")), []string{"open: ", "the disk is full"}, []string{"UNIQUE"}},
		{row(store.Conflict, "store: put: conflicts"), []string{"conflicts"}, []string{"UNIQUE"}},
		{row(store.Failed, "store: put"), []string{"store: put", "UNIQUE"}, nil},
		{errors.New("else"), []string{"else"}, nil},
	} {
		got := reason(c.err)
		for _, s := range c.with {
			if !strings.Contains(got, s) {
				t.Errorf("%q lacks %q", got, s)
			}
		}
		for _, s := range c.without {
			if strings.Contains(got, s) {
				t.Errorf("%q has %q", got, s)
			}
		}
	}
}
