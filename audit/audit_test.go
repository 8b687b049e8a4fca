package audit

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"sigillo/store"
)

var t0 = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

type book struct {
	*Journal
	db   *store.DB
	key  *ecdsa.PrivateKey
	keys map[string]crypto.PublicKey
}

// newBook returns a journal with n entries and a checkpoint of entry signed (0:
// none).
func newBook(t *testing.T, n, signed int) *book {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "book.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &book{New(db, func() time.Time { return t0 }), db, key, map[string]crypto.PublicKey{"journal": &key.PublicKey}}
	b.fill(t, 1, max(signed, 1), n)
	if signed > 0 {
		b.sign(t)
	}
	b.fill(t, max(signed, 1)+1, n, n)
	return b
}

// fill appends the entries from first to last, but not beyond most, in one commit.
func (b *book) fill(t *testing.T, first, last, most int) {
	t.Helper()
	err := b.db.Write(t.Context(), func(tx *store.Tx) error {
		for i := first; i <= min(last, most); i++ {
			ev := Event{Actor: "anna", Event: "document.inspected", Subject: "d-" + string(rune('a'+i)),
				Detail: map[string]string{"verdict": "allow", "n": string(rune('a' + i))}}
			if err := Append(tx, t0, ev); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *book) sign(t *testing.T) {
	t.Helper()
	if err := b.Checkpoint(t.Context(), b.key, "journal"); err != nil {
		t.Fatal(err)
	}
}

func (b *book) verify(t *testing.T, witnessed ...store.Checkpoint) Report {
	t.Helper()
	r, err := Verify(t.Context(), b.db, b.keys, witnessed...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tamper changes the file behind the program's back.
func (b *book) tamper(t *testing.T, statements ...string) {
	t.Helper()
	raw, err := sql.Open("sqlite", "file:"+b.db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, s := range statements {
		res, err := raw.Exec(s)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := res.RowsAffected(); n == 0 {
			t.Fatalf("%s changed nothing", s)
		}
	}
}

func TestGoodJournal(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 7, 2*pageSize + 1} {
		b := newBook(t, n, n/2)
		b.sign(t)
		b.sign(t) // the same head is signed once
		r := b.verify(t)
		want := int64(1)
		switch {
		case n == 0:
			want = 0
		case n > 1:
			want = 2
		}
		if !r.OK || r.Entries != int64(n) || r.Head.Seq != int64(n) || r.Checkpoints != want || r.Signed != int64(n) {
			t.Errorf("%d entries: %+v", n, r)
		}
	}
}

// Every way to falsify a journal of ten entries with a checkpoint of entry eight
// is found, at the entry where it was done.
func TestTampering(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   []string
		seq  int64
		kind ProblemKind
	}{
		{"actor changed", []string{`UPDATE journal SET actor = 'carlo' WHERE seq = 4`}, 4, Changed},
		{"event changed", []string{`UPDATE journal SET event = 'document.deleted' WHERE seq = 4`}, 4, Changed},
		{"subject changed", []string{`UPDATE journal SET subject = 'x' WHERE seq = 4`}, 4, Changed},
		{"time changed", []string{`UPDATE journal SET time = time + 1 WHERE seq = 4`}, 4, Changed},
		{"detail changed", []string{`UPDATE journal SET detail = '{"n":"e","verdict":"refuse"}' WHERE seq = 4`}, 4, Changed},
		{"detail doubled", []string{`UPDATE journal SET detail = '{"n":"e","verdict":"refuse","verdict":"allow"}' WHERE seq = 4`}, 4, Changed},
		{"detail spaced", []string{`UPDATE journal SET detail = '{ "n":"e","verdict":"allow"}' WHERE seq = 4`}, 4, Changed},
		{"detail nonsense", []string{`UPDATE journal SET detail = 'x' WHERE seq = 4`}, 4, Changed},
		{"bytes moved between fields", []string{`UPDATE journal SET actor = 'annadocument', event = '.inspected' WHERE seq = 4`}, 4, Changed},
		{"last entry changed", []string{`UPDATE journal SET actor = 'carlo' WHERE seq = 10`}, 10, Changed},
		{"hash changed", []string{`UPDATE journal SET hash = zeroblob(32) WHERE seq = 4`}, 4, Changed},
		{"link changed", []string{`UPDATE journal SET prev = zeroblob(32) WHERE seq = 4`}, 4, BrokenLink},
		{"entry removed", []string{`DELETE FROM journal WHERE seq = 4`}, 5, Missing},
		{"entries removed", []string{`DELETE FROM journal WHERE seq IN (4, 5)`}, 6, Missing},
		{"beginning removed", []string{`DELETE FROM journal WHERE seq < 4`}, 4, Missing},
		{"removed and renumbered", []string{`DELETE FROM journal WHERE seq = 4`, `UPDATE journal SET seq = seq - 1 WHERE seq > 4`}, 4, BrokenLink},
		{"swapped", []string{`UPDATE journal SET seq = -4 WHERE seq = 4`, `UPDATE journal SET seq = 4 WHERE seq = 5`, `UPDATE journal SET seq = 5 WHERE seq = -4`}, 4, BrokenLink},
		{"inserted", []string{`UPDATE journal SET seq = -seq WHERE seq > 4`, `UPDATE journal SET seq = 1 - seq WHERE seq < 0`,
			`INSERT INTO journal SELECT 5, time, actor, event, subject, detail, hash, hash FROM journal WHERE seq = 4`}, 5, Changed},
		{"inserted before the first", []string{`INSERT INTO journal SELECT 0, time, actor, event, subject, detail, prev, hash FROM journal WHERE seq = 1`}, 0, Inserted},
		{"tail cut off", []string{`DELETE FROM journal WHERE seq > 6`}, 8, CutOff},
		{"all removed", []string{`DELETE FROM journal`}, 8, CutOff},
		{"signed hash changed", []string{`UPDATE checkpoints SET hash = zeroblob(32)`}, 8, BadCheckpoint},
		{"checkpoint moved", []string{`UPDATE checkpoints SET seq = 7`}, 7, BadCheckpoint},
		{"checkpoint's time changed", []string{`UPDATE checkpoints SET time = time + 1`}, 8, BadCheckpoint},
		{"signature changed", []string{`UPDATE checkpoints SET signature = x'3006020101020101'`}, 8, BadCheckpoint},
		{"another key's name", []string{`UPDATE checkpoints SET key = 'mine'`}, 8, UnknownKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBook(t, 10, 8)
			b.tamper(t, tt.do...)
			r := b.verify(t)
			if r.OK || len(r.Problems) == 0 {
				t.Fatalf("not found: %+v", r)
			}
			if p := r.Problems[0]; p.Seq != tt.seq || p.Kind != tt.kind {
				t.Errorf("first problem is %+v, want %d %s; all: %+v", p, tt.seq, tt.kind, r.Problems)
			}
		})
	}
}

// rewrite puts entries in the place of those with their numbers.
func rewrite(b *book, entries []store.JournalEntry) error {
	raw, err := sql.Open("sqlite", "file:"+b.db.Path())
	if err != nil {
		return err
	}
	defer raw.Close()
	for _, e := range entries {
		if _, err := raw.Exec(`UPDATE journal SET actor = ?, prev = ?, hash = ? WHERE seq = ?`, e.Actor, e.Prev, e.Hash, e.Seq); err != nil {
			return err
		}
	}
	return nil
}

// A forger who recomputes every hash is stopped by the checkpoint; behind the
// last one he is not, and the report says how far that is.
func TestForgedChain(t *testing.T) {
	t.Parallel()
	b := newBook(t, 10, 8)
	entries := forged(t, b, 4)
	if err := rewrite(b, entries); err != nil {
		t.Fatal(err)
	}
	r := b.verify(t)
	if len(r.Problems) != 1 || r.Problems[0].Seq != 8 || r.Problems[0].Kind != Rewritten {
		t.Errorf("forged before the checkpoint: %+v", r.Problems)
	}
	b = newBook(t, 10, 8)
	if err := rewrite(b, forged(t, b, 9)); err != nil {
		t.Fatal(err)
	}
	if r := b.verify(t); !r.OK || r.Signed != 8 || r.Entries != 10 {
		t.Errorf("forged behind the checkpoint: %+v", r)
	}
}

// forged returns the journal with entry seq changed and all hashes recomputed, as
// the owner of the file can.
func forged(t *testing.T, b *book, seq int64) (entries []store.JournalEntry) {
	t.Helper()
	err := b.db.Read(t.Context(), func(tx *store.Tx) (err error) {
		entries, err = tx.Journal(1, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	prev := make([]byte, hashSize)
	for i, e := range entries {
		if e.Seq == seq {
			e.Actor = "nobody"
		}
		detail := map[string]string{}
		if err := json.Unmarshal(e.Detail, &detail); err != nil {
			t.Fatal(err)
		}
		e.Prev = prev
		e.Hash = hash(e, detail)
		prev, entries[i] = e.Hash, e
	}
	return entries
}

// One key signs the journals of two databases: a whole journal, checkpoints and
// all, put in the place of the other is found.
func TestSwappedJournal(t *testing.T) {
	t.Parallel()
	b := newBook(t, 10, 8)
	path := filepath.Join(t.TempDir(), "vault.db")
	db, err := store.Open(t.Context(), path, store.Vault)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := New(db, func() time.Time { return t0 }).Append(t.Context(), Event{Actor: "vault", Event: "vault.started"}); err != nil {
		t.Fatal(err)
	}
	if err := New(db, func() time.Time { return t0 }).Checkpoint(t.Context(), b.key, "journal"); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(t.Context(), db, b.keys); err != nil || !r.OK || r.Signed != 1 {
		t.Fatalf("the vault's own: %+v, %v", r, err)
	}
	b.tamper(t, `DELETE FROM journal`, `DELETE FROM checkpoints`, `ATTACH '`+path+`' AS other;
		INSERT INTO journal SELECT * FROM other.journal; INSERT INTO checkpoints SELECT * FROM other.checkpoints`)
	r := b.verify(t)
	if len(r.Problems) != 1 || r.Problems[0].Kind != BadCheckpoint || r.Entries != 1 || r.Signed != 0 {
		t.Errorf("the vault's journal in the appliance's database: %+v", r)
	}
}

// Entries deleted together with the checkpoints behind them are found with a
// checkpoint that was kept elsewhere.
func TestWitnessed(t *testing.T) {
	t.Parallel()
	b := newBook(t, 10, 8)
	var kept []store.Checkpoint
	err := b.db.Read(t.Context(), func(tx *store.Tx) (err error) {
		kept, err = tx.Checkpoints(0, 0)
		return err
	})
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	if r := b.verify(t, kept...); !r.OK {
		t.Errorf("%+v", r.Problems)
	}
	b.tamper(t, `DELETE FROM checkpoints`, `DELETE FROM journal WHERE seq > 5`)
	if r := b.verify(t); !r.OK || r.Signed != 0 {
		t.Errorf("without a witness nothing is to be seen: %+v", r)
	}
	r := b.verify(t, kept...)
	if len(r.Problems) != 1 || r.Problems[0].Kind != CutOff || r.Problems[0].Seq != 8 {
		t.Errorf("%+v", r.Problems)
	}
}

func TestManyProblemsAreCut(t *testing.T) {
	t.Parallel()
	b := newBook(t, maxProblems+5, 0)
	b.tamper(t, `UPDATE journal SET actor = 'x'`)
	if r := b.verify(t); len(r.Problems) != maxProblems || !r.Truncated || r.OK {
		t.Errorf("%d problems, truncated %v", len(r.Problems), r.Truncated)
	}
}

// More checkpoints than fit on a page, several for some entries.
func TestManyCheckpoints(t *testing.T) {
	t.Parallel()
	b := newBook(t, 0, 0)
	labels := []string{"k1", "k2", "k3"}
	for _, l := range labels {
		b.keys[l] = &b.key.PublicKey
	}
	err := b.db.Write(t.Context(), func(tx *store.Tx) error {
		for range store.MaxRows/len(labels) + 5 {
			if err := Append(tx, t0, Event{Actor: "a", Event: "e"}); err != nil {
				return err
			}
			head, err := tx.JournalHead()
			if err != nil {
				return err
			}
			for _, l := range labels {
				c := store.Checkpoint{Seq: head.Seq, Hash: head.Hash, Time: t0, Key: l}
				digest := sha256.Sum256(encodeCheckpoint(b.db.Schema(), c))
				if c.Signature, err = b.key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
					return err
				}
				if err := tx.PutCheckpoint(c); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := b.verify(t); !r.OK || r.Checkpoints != 3*r.Entries {
		t.Errorf("%d entries, %d checkpoints, %v", r.Entries, r.Checkpoints, r.Problems)
	}
}

func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 0)
	long := func(n int) string { return strings.Repeat("x", n) }
	many := map[string]string{}
	for i := range MaxDetail + 1 {
		many[string(rune(0x4e00+i))] = ""
	}
	large := map[string]string{}
	for i := range MaxTotal/MaxValue + 1 {
		large[string(rune('a'+i%26))+long(i/26)] = long(MaxValue)
	}
	for name, ev := range map[string]Event{
		"no name":        {Actor: "a"},
		"capital":        {Actor: "a", Event: "Document.inspected"},
		"space":          {Actor: "a", Event: "document inspected"},
		"two dots":       {Actor: "a", Event: "document..inspected"},
		"long name":      {Actor: "a", Event: long(MaxEvent + 1)},
		"no actor":       {Event: "e"},
		"long actor":     {Actor: long(MaxName + 1), Event: "e"},
		"long subject":   {Actor: "a", Event: "e", Subject: long(MaxName + 1)},
		"no UTF-8":       {Actor: "a\xff", Event: "e"},
		"long value":     {Actor: "a", Event: "e", Detail: map[string]string{"k": long(MaxValue + 1)}},
		"long key":       {Actor: "a", Event: "e", Detail: map[string]string{long(MaxKey + 1): ""}},
		"empty key":      {Actor: "a", Event: "e", Detail: map[string]string{"": "v"}},
		"value no UTF-8": {Actor: "a", Event: "e", Detail: map[string]string{"k": "\xff"}},
		"many details":   {Actor: "a", Event: "e", Detail: many},
		"large detail":   {Actor: "a", Event: "e", Detail: large},
	} {
		if err := b.Append(t.Context(), ev); KindOf(err) != BadEvent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r := b.verify(t); r.Entries != 1 {
		t.Errorf("a refused event left an entry: %+v", r)
	}
}

// The entry and its effect are one commit.
func TestAppendBelongsToTheTransaction(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 0)
	boom := errors.New("boom")
	err := b.db.Write(t.Context(), func(tx *store.Tx) error {
		if err := Append(tx, t0, Event{Actor: "a", Event: "e", Detail: map[string]string{"odd": "<&>\u2028\x00\n"}}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	err = b.db.Write(t.Context(), func(tx *store.Tx) error {
		for range 3 {
			if err := Append(tx, t0.Add(time.Microsecond), Event{Actor: "a", Event: "e", Detail: map[string]string{"odd": "<&>\u2028\x00\n"}}); err != nil {
				return err
			}
		}
		return tx.PutSetting("effect", nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := b.verify(t); !r.OK || r.Entries != 4 {
		t.Errorf("%+v", r)
	}
}

type badSigner struct {
	crypto.Signer
	sig []byte
	err error
}

func (s badSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.sig, s.err }

func TestCheckpointKeys(t *testing.T) {
	t.Parallel()
	b := newBook(t, 3, 0)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	b.keys["rsa"] = &rsaKey.PublicKey
	if err := b.Checkpoint(t.Context(), rsaKey, "rsa"); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("token gone")
	for name, s := range map[string]crypto.Signer{
		"fails":    badSigner{b.key, nil, gone},
		"nonsense": badSigner{b.key, []byte("nonsense"), nil},
		"Ed25519":  edKey,
	} {
		if err := b.Checkpoint(t.Context(), s, "x"); err == nil {
			t.Errorf("%s: a checkpoint was made", name)
		}
	}
	if err := b.Checkpoint(t.Context(), badSigner{b.key, nil, gone}, "x"); !errors.Is(err, gone) || KindOf(err) != Failed {
		t.Error(err)
	}
	if r := b.verify(t); !r.OK || r.Checkpoints != 1 || r.Signed != 3 {
		t.Errorf("%+v", r)
	}
	b.keys["rsa"] = &b.key.PublicKey
	if r := b.verify(t); len(r.Problems) != 1 || r.Problems[0].Kind != BadCheckpoint || r.Signed != 0 {
		t.Errorf("with the wrong key: %+v", r)
	}
}

// The JSON shape is what `journal verify --json` promises.
func TestReportShape(t *testing.T) {
	t.Parallel()
	b := newBook(t, 0, 0)
	got, err := json.Marshal(b.verify(t))
	want := `{"ok":true,"entries":0,"head":{"seq":0,"hash":""},"checkpoints":0,"signed":0,"problems":[],"truncated":false}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	b = newBook(t, 2, 0)
	b.tamper(t, `UPDATE journal SET actor = 'x' WHERE seq = 2`)
	got, _ = json.Marshal(b.verify(t))
	if !strings.HasSuffix(string(got), `"problems":[{"seq":2,"kind":"changed","text":"entry 2 is not what was hashed"}],"truncated":false}`) {
		t.Errorf("got %s", got)
	}
}

func TestVerifyCancelled(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := Verify(ctx, b.db, nil); err == nil || r.OK {
		t.Errorf("a journal that was not read is good: %+v", r)
	}
}
