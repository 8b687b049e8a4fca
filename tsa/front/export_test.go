package front

import (
	"errors"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

// An export begins with its first octet: whatever can be refused is refused before.
func TestExportBegins(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.customer(t, 3)
	if _, err := h.Answer(t.Context(), h.caller(), randomQuery(t)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		query  ledger.Query
		format ledger.Format
		want   ledger.Kind
	}{
		"newest":   {ledger.Query{Newest: true}, ledger.CSV, ledger.BadQuery},
		"negative": {ledger.Query{Limit: -1}, ledger.CSV, ledger.BadQuery},
		"format":   {ledger.Query{}, "xml", ledger.BadQuery},
		"too many": {ledger.Query{Limit: ledger.MaxZip + 1}, ledger.Zip, ledger.TooMany},
	} {
		err := h.ExportTokens(t.Context(), h.caller(), c.query, c.format, func() io.Writer { t.Errorf("%s: begun", name); return io.Discard })
		if ledger.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	var out strings.Builder
	begun := 0
	err := h.ExportTokens(t.Context(), h.caller(), ledger.Query{}, ledger.Zip, func() io.Writer { begun++; return &out })
	if err != nil || begun != 1 || !strings.HasPrefix(out.String(), "PK") {
		t.Errorf("begun %d times, %d octets, %v", begun, out.Len(), err)
	}
	r := newRig(t)
	r.ledger.err = &ledger.Error{Kind: ledger.Damaged, Msg: "x"}
	err = r.ExportTokens(t.Context(), accounts.Caller{}, ledger.Query{}, ledger.CSV, func() io.Writer { t.Error("begun"); return io.Discard })
	if ledger.KindOf(err) != ledger.Damaged {
		t.Error(err)
	}
	for part, begins := range map[int]int{200: 0, 300: 1} { // of 4 KiB
		r.ledger.part, begun = part, 0
		out.Reset()
		err = r.ExportTokens(t.Context(), accounts.Caller{}, ledger.Query{}, ledger.CSV, func() io.Writer { begun++; return &out })
		if ledger.KindOf(err) != ledger.Damaged || begun != begins || out.Len() != begins*part<<12 {
			t.Errorf("damaged after %d KiB: begun %d times, %d octets, %v", part*4, begun, out.Len(), err)
		}
	}
}

var seconds = regexp.MustCompile(`\d+ seconds?`)

// Who guesses passwords is told how long to wait, by an answer that programs show,
// and it is counted as that.
func TestLockedOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.customer(t, 1)
	var texts []string
	for i := range 12 {
		c := accounts.Caller{Username: customer, Password: []byte{'x', byte('a' + i)}, Addr: netip.MustParseAddr("198.51.100.9")}
		if i%2 == 1 {
			c.Username = "nobody"
		}
		out, err := h.Answer(t.Context(), c, randomQuery(t))
		if accounts.KindOf(err) == accounts.Unknown {
			continue
		}
		texts = append(texts, seconds.ReplaceAllString(answered(t, out).Text, "N seconds"))
	}
	if len(texts) != 7 {
		t.Fatalf("%d refused: %q", len(texts), texts)
	}
	for _, text := range texts {
		if text != texts[0] || !strings.HasPrefix(text, "transaction not permitted: too many wrong passwords came from this address") ||
			!strings.Contains(text, "for N seconds") || strings.Contains(text, customer) {
			t.Errorf("%q", text)
		}
	}
	if n := h.meter.refused[lockedOut].Load(); n != 7 {
		t.Errorf("%d counted", n)
	}
	var e *tsa.Error
	if err, why := explain(t.Context(), &accounts.Error{Kind: accounts.LockedOut, Wait: time.Minute}); !errors.As(err, &e) || e.Kind != tsa.NotPermitted || why != lockedOut {
		t.Error(err, why)
	}
}
