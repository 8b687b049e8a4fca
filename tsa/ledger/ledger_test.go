package ledger

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	t0     = time.Date(2026, 11, 22, 9, 0, 0, 123e6, time.UTC)
	policy = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 3, 1}
	certs  = pattern(1450, 7)
)

// pattern is n bytes that differ from place to place and from seed to seed.
func pattern(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// made is an entry of the size that a P-256 unit makes: 1,450 bytes of
// certificates inside of a token of about 2,100.
func made(unit string, serial int64, account, lot string) Entry {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(serial))
	imprint := sha256.Sum256(append([]byte(unit), n[:]...))
	token := pattern(260, uint64(serial))
	token = append(token, certs...)
	token = append(token, pattern(330, uint64(serial)+1)...)
	return Entry{
		Unit: unit, Serial: serial, GenTime: t0.Add(time.Duration(serial) * time.Millisecond), Policy: policy,
		Hash: crypto.SHA256, Imprint: imprint[:], Nonce: n[:], Account: account, Lot: lot,
		Token: token, Certs: [2]int{260, 260 + len(certs)},
	}
}

func openTest(t testing.TB, dir string, o Options) *Ledger {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func put(t testing.TB, l *Ledger, e Entry) {
	t.Helper()
	if err := l.Append(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, want Kind) {
	t.Helper()
	if KindOf(err) != want {
		t.Fatalf("got %v (%s), want the kind %s", err, KindOf(err), want)
	}
}

// verify checks the whole ledger and that its totals are those of the entries.
func verify(t testing.TB, l *Ledger, checkpoints ...Head) Report {
	t.Helper()
	r, err := l.Verify(context.Background(), checkpoints...)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if got := l.Totals(); !reflect.DeepEqual(got, r.Totals) {
		t.Fatalf("totals are %+v, the entries give %+v", got, r.Totals)
	}
	return r
}

// wantEntry compares an entry that was looked up with the one that was put in, and
// its token.
func wantEntry(t testing.TB, l *Ledger, got, want Entry) {
	t.Helper()
	token, err := l.Token(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(token, want.Token) {
		t.Fatalf("entry %d: the token is not as it was delivered", got.Seq)
	}
	want.Token, want.Certs, want.Seq = nil, [2]int{}, got.Seq
	got.segment, got.place = 0, 0
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	plain := made("tsu-2", 7, "acme", "")
	plain.Nonce, plain.Certs, plain.Hash = nil, [2]int{}, crypto.SHA3_512
	plain.Imprint = pattern(64, 3)
	plain.Policy = asn1.ObjectIdentifier{2, 999, 1 << 40, 0, 127, 128}
	whole := made("tsu-2", 8, "acme", "l1")
	whole.Certs = [2]int{0, len(whole.Token)} // a token of nothing but certificates
	entries := []Entry{made("tsu-1", 1, "acme", "l1"), made("tsu-1", 2, "house", ""), plain, made("tsu-1", 3, "Città <&>", "lotto ½"), whole}
	for _, e := range entries {
		put(t, l, e)
	}
	check := func() {
		t.Helper()
		list, err := l.Lookup(t.Context(), Query{})
		if err != nil || len(list) != len(entries) {
			t.Fatalf("%d entries, %v", len(list), err)
		}
		for i, e := range list {
			if e.Seq != int64(i+1) {
				t.Fatalf("entry %d has the number %d", i+1, e.Seq)
			}
			wantEntry(t, l, e, entries[i])
		}
		if u, lot := l.Used("acme"), l.UsedOfLot("acme", "l1"); u != 3 || lot != 2 {
			t.Fatalf("acme used %d, %d of the lot", u, lot)
		}
		verify(t, l, Head{}, l.Head())
	}
	check()
	head := l.Head()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantKind(t, l.Append(t.Context(), made("tsu-1", 9, "a", "")), Stopped)
	l = openTest(t, dir, Options{})
	if l.Head() != head || head.Seq != 5 {
		t.Fatalf("the head is %v, it was %v", l.Head(), head)
	}
	check()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	put(t, l, made("tsu", 10, "a", ""))
	put(t, l, made("tsu", 12, "a", ""))
	put(t, l, made("tsu", 11, "a", "")) // late, not twice
	put(t, l, made("other", 10, "a", ""))
	for name, c := range map[string]struct {
		change func(*Entry)
		want   Kind
	}{
		"twice":            {func(e *Entry) { e.Serial = 11; e.GenTime = t0.Add(11 * time.Millisecond) }, Repeated},
		"far behind":       {func(e *Entry) { e.Serial = 1 }, Backwards},
		"time back":        {func(e *Entry) { e.GenTime = t0 }, Backwards},
		"no unit":          {func(e *Entry) { e.Unit = "" }, BadEntry},
		"long unit":        {func(e *Entry) { e.Unit = strings.Repeat("x", MaxName+1) }, BadEntry},
		"no account":       {func(e *Entry) { e.Account = "" }, BadEntry},
		"line in account":  {func(e *Entry) { e.Account = "a\nb" }, BadEntry},
		"no text":          {func(e *Entry) { e.Lot = "\xff" }, BadEntry},
		"serial 0":         {func(e *Entry) { e.Serial = 0 }, BadEntry},
		"no time":          {func(e *Entry) { e.GenTime = time.Time{} }, BadEntry},
		"short imprint":    {func(e *Entry) { e.Imprint = e.Imprint[1:] }, BadEntry},
		"no hash":          {func(e *Entry) { e.Hash, e.Imprint = 0, nil }, BadEntry},
		"unheard-of hash":  {func(e *Entry) { e.Hash = 200 }, BadEntry},
		"long nonce":       {func(e *Entry) { e.Nonce = make([]byte, MaxNonce+1) }, BadEntry},
		"no token":         {func(e *Entry) { e.Token, e.Certs = nil, [2]int{} }, BadEntry},
		"large token":      {func(e *Entry) { e.Token = make([]byte, MaxToken+1) }, BadEntry},
		"certificates out": {func(e *Entry) { e.Certs = [2]int{5, len(e.Token) + 1} }, BadEntry},
		"certificates < 0": {func(e *Entry) { e.Certs = [2]int{-1, 5} }, BadEntry},
		"no policy":        {func(e *Entry) { e.Policy = nil }, BadEntry},
		"policy 1.40":      {func(e *Entry) { e.Policy = asn1.ObjectIdentifier{1, 40} }, BadEntry},
	} {
		e := made("tsu", 13, "a", "")
		c.change(&e)
		if err := l.Append(t.Context(), e); KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, l.Append(ended, made("tsu", 13, "a", "")), Busy)
	put(t, l, made("tsu", 13, "a", ""))
	put(t, l, made("tsu", 13+2*windowSize, "a", ""))
	wantKind(t, l.Append(t.Context(), made("tsu", 14, "a", "")), Repeated) // cannot be told any more
	if r := verify(t, l); r.Entries != 6 {
		t.Fatalf("%d entries", r.Entries)
	}
	if _, err := Open(dir, Options{}); KindOf(err) != Busy {
		t.Fatalf("opened twice: %v", err)
	}
	_ = l.Close()
	l = openTest(t, dir, Options{})
	wantKind(t, l.Append(t.Context(), made("tsu", 13+2*windowSize-1, "a", "")), Repeated) // from before
	put(t, l, made("tsu", 14+2*windowSize, "a", ""))
}

// Many callers on small segments: each entry is there once, the sums in the heads
// are right, and checkpoints made on the way are found again.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openTest(t, dir, Options{SegmentSize: 32 << 10})
	const clients, each = 16, 40
	var group sync.WaitGroup
	var mu sync.Mutex
	var heads []Head
	for c := range clients {
		group.Go(func() {
			for i := range each {
				e := made(fmt.Sprintf("tsu-%d", c%3), int64(1+i*clients+c), fmt.Sprintf("account-%d", c%4), fmt.Sprintf("lot-%d", i%2))
				e.GenTime = t0
				if err := l.Append(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
			mu.Lock()
			heads = append(heads, l.Head())
			mu.Unlock()
		})
	}
	group.Wait()
	r := verify(t, l, heads...)
	if r.Entries != clients*each || r.Segments < 5 {
		t.Fatalf("%d entries in %d segments", r.Entries, r.Segments)
	}
	for _, h := range heads {
		if err := l.CheckHead(t.Context(), h); err != nil {
			t.Error(err)
		}
		h.Hash[3]++
		wantKind(t, l.CheckHead(t.Context(), h), Damaged)
		if _, err := l.Verify(t.Context(), h); KindOf(err) != Damaged {
			t.Errorf("a checkpoint that never was: %v", err)
		}
	}
	if _, err := l.Verify(t.Context(), Head{Seq: clients*each + 1}); KindOf(err) != Damaged {
		t.Errorf("a checkpoint of the future: %v", err)
	}
	aside, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if aside.Head() != l.Head() {
		t.Error("whoever reads beside sees another ledger")
	}
	verify(t, aside)
	wantKind(t, aside.Append(t.Context(), made("x", 1, "a", "")), Stopped)
	if err := aside.Close(); err != nil {
		t.Error(err)
	}
}

func TestOIDs(t *testing.T) {
	t.Parallel()
	for _, oid := range []asn1.ObjectIdentifier{{0, 0}, {1, 39, 1}, {2, 5, 4, 3}, {2, 999, 3}, {1, 3, math.MaxInt}, policy} {
		got := appendOID(nil, oid)
		der, err := asn1.Marshal(oid)
		if err == nil && !bytes.Equal(der[2:], got) {
			t.Errorf("%v: %x, encoding/asn1 says %x", oid, got, der[2:])
		}
		if !parseOID(got).Equal(oid) {
			t.Errorf("%v is read back as %v", oid, parseOID(got))
		}
	}
	for _, bad := range [][]byte{nil, {0x80}, {0x2a, 0x81}, bytes.Repeat([]byte{0xff}, 12), make([]byte, 40)} {
		if got := parseOID(bad); got != nil {
			t.Errorf("%x is read as %v", bad, got)
		}
	}
}

// slow is a disk whose syncs wait for the test.
type slow struct {
	system
	gate chan struct{}
}

type slowFile struct {
	file
	gate chan struct{}
}

func (d *slow) open(path string, flag int) (file, error) {
	f, err := d.system.open(path, flag)
	if err != nil {
		return nil, err
	}
	return &slowFile{f, d.gate}, nil
}

func (f *slowFile) sync() error {
	<-f.gate
	return f.file.sync()
}

// While the disk is behind, callers gather up to a bound; those beyond it wait for
// their turn, and give up when their time is over with nothing recorded.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	d := &slow{gate: make(chan struct{}, 1000)}
	for range 10 {
		d.gate <- struct{}{} // for opening
	}
	l, err := open(t.TempDir(), Options{}, d)
	if err != nil {
		t.Fatal(err)
	}
	for len(d.gate) > 0 {
		<-d.gate
	}
	large := func(serial int64) Entry { // 15 of these are all that may wait
		e := made("tsu", serial, "a", "")
		e.Token, e.Certs, e.GenTime = pattern(MaxToken, 5), [2]int{}, t0
		return e
	}
	const callers = 60
	results := make(chan error, callers)
	ctx, cancel := context.WithCancel(t.Context())
	for n := range int64(callers) {
		go func() { results <- l.Append(ctx, large(n+1)) }()
	}
	waiting := func() (n int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.waiting.entries)
	}
	for waiting() < maxWaitingBytes/(2*MaxToken+5000) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	busy := 0
	for len(results) < callers-40 {
		time.Sleep(time.Millisecond)
	}
	for range callers {
		select {
		case d.gate <- struct{}{}:
		default:
		}
	}
	for range callers {
		switch err := <-results; KindOf(err) {
		case Busy:
			busy++
		case "":
		default:
			t.Error(err)
		}
	}
	if r := verify(t, l); int(r.Entries) != callers-busy || busy < 20 || r.Entries < 15 || r.Entries > 32 {
		t.Errorf("%d gave up, %d are there", busy, r.Entries)
	}
	for range 10 {
		d.gate <- struct{}{}
	}
	_ = l.Close()
}
