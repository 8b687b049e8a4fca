package ledger

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/csv"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/store"
)

func openIndex(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), path, store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// month gives serial numbers times over three months.
func month(serial int64) time.Time { return t0.AddDate(0, int(serial/40), int(serial%40)/2) }

// mixed is the n-th entry of a ledger with all sorts in it.
func mixed(n int64) Entry {
	e := made([]string{"tsu-a", "tsu-b"}[n%2], n, []string{"acme", "house", "=sum"}[n%3], []string{"", "l1"}[n%5/4])
	e.GenTime = month(n)
	if n%10 == 0 {
		e.Imprint = bytes.Repeat([]byte{0xd1}, 32) // stamped again and again
	}
	return e
}

// want is what a query must find, by the book.
func want(q Query, total int64) (list []int64) {
	for n := int64(1); n <= total; n++ {
		e := mixed(n)
		if (q.Serial == 0 || q.Serial == n) && (q.Unit == "" || q.Unit == e.Unit) && (q.Account == "" || q.Account == e.Account) &&
			(q.Digest == nil || bytes.Equal(q.Digest, e.Imprint)) && (q.From.IsZero() || !e.GenTime.Before(q.From)) &&
			(q.To.IsZero() || e.GenTime.Before(q.To)) && (q.After == 0 || (n > q.After) != q.Newest && n != q.After) {
			list = append(list, n)
		}
	}
	if q.Newest {
		slices.Reverse(list)
	}
	if q.Limit > 0 {
		list = list[:min(q.Limit, len(list))]
	}
	return list
}

var queries = map[string]Query{
	"all":             {},
	"limit":           {Limit: 7},
	"newest":          {Newest: true, Limit: 9},
	"newest, after":   {Newest: true, Limit: 9, After: 50},
	"page":            {After: 33, Limit: 20},
	"digest":          {Digest: bytes.Repeat([]byte{0xd1}, 32)},
	"digest, newest":  {Digest: bytes.Repeat([]byte{0xd1}, 32), Newest: true, Limit: 4},
	"no such digest":  {Digest: make([]byte, 32)},
	"serial":          {Serial: 77},
	"serial and unit": {Serial: 77, Unit: "tsu-a"},
	"unit":            {Unit: "tsu-b", Limit: 5},
	"account":         {Account: "acme"},
	"account, page":   {Account: "acme", After: 44, Limit: 11},
	"account, newest": {Account: "acme", Newest: true, Limit: 11},
	"account, older":  {Account: "acme", Newest: true, Limit: 100, After: 90},
	"account, time":   {Account: "acme", From: month(45), To: month(90)},
	"time":            {From: month(41), To: month(60)},
	"time, newest":    {From: month(41), To: month(60), Newest: true, Limit: 6},
	"since":           {From: month(100)},
	"before":          {To: month(10)},
	"never":           {From: month(400)},
}

func checkQueries(t *testing.T, l *Ledger, total int64, when string) {
	t.Helper()
	for name, q := range queries {
		list, err := l.Lookup(t.Context(), q)
		if err != nil {
			t.Errorf("%s, %s: %v", when, name, err)
			continue
		}
		var got []int64
		for _, e := range list {
			got = append(got, e.Seq)
		}
		if w := want(q, total); !slices.Equal(got, w) {
			t.Errorf("%s, %s: got %v, want %v", when, name, got, w)
		}
		for _, e := range list[:min(len(list), 3)] {
			wantEntry(t, l, e, mixed(e.Serial))
		}
	}
}

// Lookups are complete and in order whatever part of the ledger is indexed: none,
// some of a segment, some segments, all; after a crash of the indexing, and after
// the index was thrown away.
func TestLookup(t *testing.T) {
	t.Parallel()
	dir, path := filepath.Join(quickDir(t), "ledger"), filepath.Join(t.TempDir(), "index.db")
	const total = 120
	l := openTest(t, dir, Options{SegmentSize: 16 << 10})
	for n := range int64(total) {
		put(t, l, mixed(n+1))
	}
	checkQueries(t, l, total, "without an index")
	_ = l.Close()

	db := openIndex(t, path)
	early, err := Open(dir, Options{SegmentSize: 16 << 10, Index: db, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	checkQueries(t, early, total, "beside, before anything is indexed")
	_ = early.Close()
	o := Options{SegmentSize: 16 << 10, Index: db}
	l = openTest(t, dir, o)
	<-indexed(l, total)
	checkQueries(t, l, total, "indexed")
	for steps := 0; ; steps++ { // again, step by step, as after a crash between any two
		_ = l.Close()
		l = openTest(t, dir, Options{SegmentSize: 16 << 10})
		l.o.Index = db
		if steps == 0 {
			l.o.Rebuild = true
		}
		x, err := newIndexer(l)
		if err != nil {
			t.Fatal(err)
		}
		n, err := x.step()
		if err != nil {
			t.Fatal(err)
		}
		close(x.done) // nobody runs it
		l.indexer = x
		if steps%3 == 0 || n == 0 {
			checkQueries(t, l, total, "indexed in part")
		}
		if n == 0 {
			if steps < 4 {
				t.Fatalf("only %d steps: the test shows less than it should", steps)
			}
			break
		}
	}
	_ = l.Close()
	aside, err := Open(dir, Options{ReadOnly: true, Index: db})
	if serial, at, ok := l.Latest("tsu-b"); !ok || serial != 119 || !at.Equal(month(119)) {
		t.Errorf("the latest of tsu-b is %d of %v", serial, at)
	}
	if _, _, ok := l.Latest("none"); ok {
		t.Error("there is a latest of none")
	}
	if err != nil {
		t.Fatal(err)
	}
	checkQueries(t, aside, total, "beside")
	_ = aside.Close()

	// The index is of this ledger, and the ledger is not shorter than it.
	other := openTest(t, t.TempDir(), Options{})
	_ = other.Close()
	_, err = Open(other.dir, o)
	wantKind(t, err, Foreign)
	last, places := batchesOf(t, dir)
	if len(places) < 2 {
		t.Fatal("the last segment is empty")
	}
	f, _ := system{}.open(last, 2)
	_ = f.truncate(places[len(places)-2])
	_ = f.Close()
	_, err = Open(dir, o)
	wantKind(t, err, Lost)
	o.Rebuild = true // whoever wants it so
	l = openTest(t, dir, o)
	checkQueries(t, l, total-1, "rebuilt")
}

// indexed is closed when so many entries are.
func indexed(l *Ledger, n int64) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for l.indexer.last().Last < n {
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return done
}

// While many record, the index is filled and lookups find what was acknowledged.
func TestLookupMeanwhile(t *testing.T) {
	t.Parallel()
	l := openTest(t, filepath.Join(quickDir(t), "ledger"), Options{SegmentSize: 64 << 10, Index: openIndex(t, filepath.Join(t.TempDir(), "i.db")), IndexShare: 1})
	for n := range int64(300) {
		e := made("tsu", n+1, "acme", "")
		put(t, l, e)
		if n%7 == 0 {
			list, err := l.Lookup(t.Context(), Query{Digest: e.Imprint})
			if err != nil || len(list) != 1 {
				t.Fatalf("entry %d: %d found, %v", n+1, len(list), err)
			}
			wantEntry(t, l, list[0], e)
		}
	}
	<-indexed(l, 300)
	verify(t, l)
}

func TestExport(t *testing.T) {
	t.Parallel()
	l := openTest(t, filepath.Join(quickDir(t), "ledger"), Options{SegmentSize: 16 << 10, Index: openIndex(t, filepath.Join(t.TempDir(), "i.db"))})
	const total = 100
	for n := range int64(total) {
		put(t, l, mixed(n+1))
	}
	var out bytes.Buffer
	x, err := l.Export(t.Context(), &out, Query{Account: "=sum", Limit: 4}, CSV)
	if err != nil || x != (Exported{4, 11, true}) {
		t.Fatal(x, err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 5 || lines[1][8] != "'=sum" || lines[1][3] != month(2).Format(time.RFC3339Nano) || lines[1][4] != policy.String() || lines[1][5] != "SHA-256" {
		t.Fatal(lines, err)
	}
	out.Reset()
	x, err = l.Export(t.Context(), &out, Query{}, Accounting)
	if err != nil || x.Entries != total || x.More {
		t.Fatal(x, err)
	}
	sums := map[[3]string]int{}
	for n := range int64(total) {
		e := mixed(n + 1)
		sums[[3]string{e.Account, e.Lot, e.GenTime.Format("2006-01")}]++
	}
	months, err := l.Months(t.Context(), time.Time{}, time.Time{})
	if err != nil || len(months) != len(sums) {
		t.Fatal(months, err)
	}
	for _, m := range months {
		if sums[[3]string{m.Account, m.Lot, m.Month}] != int(m.Stamps) {
			t.Errorf("%+v, not %d", m, sums[[3]string{m.Account, m.Lot, m.Month}])
		}
	}
	if n := strings.Count(out.String(), "\n"); n != len(sums)+1 {
		t.Errorf("%d lines", n)
	}
	out.Reset()
	q := Query{Unit: "tsu-b", From: month(41)}
	if x, err = l.Export(t.Context(), &out, q, Zip); err != nil {
		t.Fatal(err)
	}
	checkZip(t, out.Bytes(), want(q, total))
	out.Reset()
	_, err = l.Export(t.Context(), &out, Query{Limit: MaxZip + 1}, Zip)
	if wantKind(t, err, TooMany); out.Len() > 0 {
		t.Error("something was written")
	}
	n := int64(0)
	err = l.Each(t.Context(), Query{}, func(e Entry, token func() ([]byte, error)) error {
		n++
		if der, err := token(); err != nil || !bytes.Equal(der, mixed(n).Token) || e.Seq != n {
			t.Errorf("entry %d: %v", n, err)
		}
		return nil
	})
	if err != nil || n != total {
		t.Error(n, err)
	}
	if _, err := l.Export(t.Context(), &out, Query{Newest: true}, CSV); err == nil {
		t.Error("newest first is exported")
	}
	if _, err := l.Export(t.Context(), &out, Query{}, "xml"); err == nil {
		t.Error("an unknown format is exported")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Export(ended, io.Discard, Query{}, CSV); err == nil {
		t.Error("the end of the context is not heard")
	}
}

// Tokens are marked by the policy that they state, whatever the clock is now.
func TestUnverified(t *testing.T) {
	t.Parallel()
	none := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 99}
	l := openTest(t, filepath.Join(quickDir(t), "ledger"), Options{Unverified: none})
	for n := range int64(4) {
		e := mixed(n + 1)
		if n%2 == 1 {
			e.Policy = none
		}
		put(t, l, e)
	}
	for _, q := range []Query{{}, {Newest: true}} {
		list, err := l.Lookup(t.Context(), q)
		if err != nil || len(list) != 4 {
			t.Fatal(list, err)
		}
		for _, e := range list {
			if e.Unverified != (e.Seq%2 == 0) {
				t.Errorf("entry %d under %v: %t", e.Seq, e.Policy, e.Unverified)
			}
		}
	}
	var out bytes.Buffer
	if _, err := l.Export(t.Context(), &out, Query{}, CSV); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 5 || lines[0][10] != "unverified" || lines[1][10] != "" || lines[2][10] != "yes" {
		t.Error(lines, err)
	}
}

func checkZip(t *testing.T, data []byte, want []int64) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(z.File) != len(want)+1 {
		t.Fatal(len(z.File), err)
	}
	index, err := z.Open("index.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(index).ReadAll()
	if err != nil || len(lines) != len(want)+1 {
		t.Fatal(lines, err)
	}
	for i, n := range want {
		f, err := z.Open(lines[i+1][11])
		if err != nil {
			t.Fatal(err)
		}
		token, err := io.ReadAll(f)
		if err != nil || !reflect.DeepEqual(token, mixed(n).Token) {
			t.Fatalf("the token of %d is not as delivered: %v", n, err)
		}
	}
}

// BenchmarkIndex is what the index costs per entry.
func BenchmarkIndex(b *testing.B) {
	l := openTest(b, filepath.Join(quickDir(b), "ledger"), Options{})
	for n := range int64(b.N) {
		e := made("tsu", n+1, "acme", "l1")
		l.w.build(&group{entries: []Entry{e}})
		if err := l.ahead.write(l.w.file, l.w.batch(), l.w.at); err != nil {
			b.Fatal(err)
		}
		l.publish(&group{entries: []Entry{e}})
	}
	l.o.Index = openIndex(b, filepath.Join(b.TempDir(), "i.db"))
	x, err := newIndexer(l)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	before := cpu()
	for {
		n, err := x.step()
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}
