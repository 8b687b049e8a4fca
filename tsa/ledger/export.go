package ledger

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxZip is how many tokens one zip holds at most: its directory is in memory
// until the end.
const MaxZip = 100_000

// Export writes what a query selects, in the order of recording, as it goes; memory
// is bounded. On an error w holds part of it. Query.Limit 0 means all. A zip of more
// than [MaxZip] tokens is refused before anything is written (TooMany): give a Limit
// and go on with After, or export a shorter time. Newest is not for exports, and a
// query or format that makes no sense is refused before as well (BadQuery).
//
//	csv         seq, unit, serial, gen_time, policy, hash, imprint, nonce, account, lot,
//	            unverified ("yes": nobody vouched for the time)
//	accounting  account, lot, month, stamps
//	zip         index.csv (as csv, and the file), tokens/….tst
func (l *Ledger) Export(ctx context.Context, w io.Writer, q Query, f Format) (Exported, error) {
	if q.Newest || q.Limit < 0 {
		return Exported{}, fail(BadQuery, nil, "an export goes from the oldest to the newest")
	}
	s := l.search(q)
	defer s.r.close()
	switch f {
	case CSV:
		return s.exportCSV(ctx, w, false)
	case Accounting:
		return s.exportAccounting(ctx, w)
	case Zip:
		return s.exportZip(ctx, w)
	}
	return Exported{}, fail(BadQuery, nil, "there is no export format %.20q; use csv, accounting or zip", string(f))
}

func (x *Exported) count(seq int64, limit int) {
	x.Entries++
	x.LastSeq = seq
	x.More = limit > 0 && x.Entries == int64(limit)
}

var csvHead = []string{"seq", "unit", "serial", "gen_time", "policy", "hash", "imprint", "nonce", "account", "lot", "unverified"}

func (s *search) exportCSV(ctx context.Context, w io.Writer, files bool) (x Exported, err error) {
	out := csv.NewWriter(w)
	head := csvHead
	if files {
		head = append(slices.Clone(head), "file")
	}
	_ = out.Write(head) // the error comes with Flush
	line := make([]string, 0, len(head))
	err = s.each(ctx, s.q.Limit, func(f *found) error {
		policy, unverified := parseOID(f.policy), ""
		if s.l.isUnverified(policy) {
			unverified = "yes"
		}
		line = append(line[:0], strconv.FormatInt(f.seq, 10), plain(f.unit), strconv.FormatInt(f.serial, 10),
			nanoTime(f.time).Format(time.RFC3339Nano), policy.String(), f.hash.String(),
			hex.EncodeToString(f.imprint), hex.EncodeToString(f.nonce), plain(string(f.account)), plain(string(f.lot)), unverified)
		if files {
			line = append(line, tokenName(f))
		}
		x.count(f.seq, s.q.Limit)
		if err := out.Write(line); err != nil {
			return fail(Failed, err, "write the export")
		}
		return nil
	})
	if err != nil {
		return x, err
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return x, fail(Failed, err, "write the export")
	}
	return x, nil
}

// plain keeps a spreadsheet from taking a name for a formula.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t", rune(s[0])) {
		return "'" + s
	}
	return s
}

// tokenName is where a token is in the zip: one name per entry, good everywhere.
func tokenName(f *found) string {
	unit := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, f.unit)
	return fmt.Sprintf("tokens/%012d-%s-%d.tst", f.seq, unit, f.serial)
}

func (s *search) exportZip(ctx context.Context, w io.Writer) (Exported, error) {
	n := s.q.Limit
	if n == 0 {
		if err := s.each(ctx, MaxZip+1, func(*found) error { n++; return nil }); err != nil {
			return Exported{}, err
		}
	}
	if n > MaxZip {
		return Exported{}, fail(TooMany, nil, "a zip holds %d tokens at most; export a shorter time, or limit the number and go on after the last", MaxZip)
	}
	z := zip.NewWriter(w)
	index, err := z.Create("index.csv")
	if err != nil {
		return Exported{}, fail(Failed, err, "write the export")
	}
	x, err := s.exportCSV(ctx, index, true)
	if err != nil {
		return x, err
	}
	err = s.each(ctx, s.q.Limit, func(f *found) error {
		token, err := s.r.whole(f.stored)
		if err != nil {
			return err
		}
		// Stored: what is alike is so from token to token, which a zip cannot use, and
		// deflating costs fifty times what the rest does.
		file, err := z.CreateHeader(&zip.FileHeader{Name: tokenName(f), Method: zip.Store, Modified: nanoTime(f.time)})
		if err == nil {
			_, err = file.Write(token)
		}
		if err != nil {
			return fail(Failed, err, "write the export")
		}
		return nil
	})
	if err != nil {
		return x, err
	}
	if err := z.Close(); err != nil {
		return x, fail(Failed, err, "write the export")
	}
	return x, nil
}

func (s *search) exportAccounting(ctx context.Context, w io.Writer) (Exported, error) {
	list, x, err := s.months(ctx)
	if err != nil {
		return x, err
	}
	out := csv.NewWriter(w)
	_ = out.Write([]string{"account", "lot", "month", "stamps"})
	for _, m := range list {
		_ = out.Write([]string{plain(m.Account), plain(m.Lot), m.Month, strconv.FormatInt(m.Stamps, 10)})
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return x, fail(Failed, err, "write the export")
	}
	return x, nil
}

// Months returns what was used per account, lot and month (UTC) by stamps in
// [from, to), in this order; a zero time is no bound.
func (l *Ledger) Months(ctx context.Context, from, to time.Time) ([]Month, error) {
	s := l.search(Query{From: from, To: to})
	defer s.r.close()
	list, _, err := s.months(ctx)
	return list, err
}

func (s *search) months(ctx context.Context) ([]Month, Exported, error) {
	type key struct {
		account, lot string
		month        int32
	}
	var x Exported
	sums := map[key]*int64{}
	var last key
	var sum *int64
	err := s.each(ctx, s.q.Limit, func(f *found) error {
		y, m, _ := nanoTime(f.time).Date()
		month := int32(y)*12 + int32(m) - 1
		if sum == nil || month != last.month || string(f.account) != last.account || string(f.lot) != last.lot {
			last = key{string(f.account), string(f.lot), month}
			if sum = sums[last]; sum == nil {
				sum = new(int64)
				sums[last] = sum
			}
		}
		*sum++
		x.count(f.seq, s.q.Limit)
		return nil
	})
	if err != nil {
		return nil, x, err
	}
	list := make([]Month, 0, len(sums))
	for k, n := range sums {
		list = append(list, Month{k.account, k.lot, fmt.Sprintf("%04d-%02d", k.month/12, k.month%12+1), *n})
	}
	slices.SortFunc(list, func(a, b Month) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Month, b.Month), cmp.Compare(a.Lot, b.Lot))
	})
	return list, x, nil
}
