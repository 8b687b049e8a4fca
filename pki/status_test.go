package pki

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"sigillo/hsm"
	"sigillo/store"
)

func serialOf(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber) }

// list returns the current list of a CA, checked.
func (h *house) list(t testing.TB, label string) *x509.RevocationList {
	t.Helper()
	der, err := h.CRL(t.Context(), label)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(h.CA(label)); err != nil {
		t.Fatal(err)
	}
	return list
}

// listing says how a certificate stands on the list of the issuing CA: "" or
// "reason date".
func (h *house) listing(t testing.TB, serial string) string {
	t.Helper()
	for _, e := range h.list(t, IssuingCA).RevokedCertificateEntries {
		if fmt.Sprintf("%x", e.SerialNumber) == serial {
			return fmt.Sprint(e.ReasonCode, " ", e.RevocationTime.Format(time.RFC3339))
		}
	}
	return ""
}

func (h *house) instant() string {
	return h.clock.now().UTC().Truncate(time.Second).Format(time.RFC3339)
}

func wantKind(t testing.TB, err error, k Kind) {
	t.Helper()
	if KindOf(err) != k {
		t.Fatalf("got %q (%v), want %q", KindOf(err), err, k)
	}
}

// A certificate's life, as the list and the register show it.
func TestLife(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	ctx, serial := t.Context(), serialOf(h.issue(t, "1"))
	other := serialOf(h.issue(t, "2"))
	expect := func(state store.CertState, listing string) {
		t.Helper()
		got, err := h.Status(ctx, serial)
		if err != nil || got != state {
			t.Fatalf("state %s, want %s (%v)", got, state, err)
		}
		if l := h.listing(t, serial); l != listing {
			t.Fatalf("listed %q, want %q", l, listing)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect(store.CertValid, "")
	wantKind(t, h.Reactivate(ctx, serial, 0, "ra"), Conflict)

	h.clock.advance(time.Hour)
	must(h.Suspend(ctx, serial, 6, "mario"))
	expect(store.CertSuspended, "6 "+h.instant())
	wantKind(t, h.Suspend(ctx, serial, 6, "mario"), Conflict)

	h.clock.advance(time.Hour)
	must(h.Reactivate(ctx, serial, 0, "ra"))
	expect(store.CertValid, "") // as if it had never been suspended

	h.clock.advance(time.Hour)
	held := h.instant()
	must(h.Suspend(ctx, serial, 0, "mario"))
	h.clock.advance(time.Hour)
	must(h.Revoke(ctx, serial, 1, "ra"))
	expect(store.CertRevoked, "1 "+held) // since the suspension began
	wantKind(t, h.Revoke(ctx, serial, 1, "ra"), Conflict)
	wantKind(t, h.Suspend(ctx, serial, 6, "ra"), Conflict)
	wantKind(t, h.Reactivate(ctx, serial, 0, "ra"), Conflict)

	h.clock.advance(time.Hour)
	must(h.Revoke(ctx, other, 0, "ra"))
	if got := h.listing(t, other); got != "0 "+h.instant() {
		t.Errorf("revoked without a reason: listed %q", got)
	}
	h.clock.advance(5 * 365 * 24 * time.Hour) // entries stay after the certificate has expired
	must(h.publish(ctx, IssuingCA))
	expect(store.CertRevoked, "1 "+held)
	want := []string{"certificate.intent", "certificate.issued", "certificate.suspended", "certificate.reactivated", "certificate.suspended", "certificate.revoked"}
	if got := h.events(t, serial); !reflect.DeepEqual(got, want) {
		t.Errorf("journal %v", got)
	}
	h.checkJournal(t)
}

func TestRefusedChanges(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	ctx, serial := t.Context(), serialOf(h.issue(t, "1"))
	before := h.list(t, IssuingCA).Number
	for name, tt := range map[string]struct {
		err  error
		kind Kind
	}{
		"suspend for a compromise": {h.Suspend(ctx, serial, 1, "ra"), BadRequest},
		"reactivate with a reason": {h.Reactivate(ctx, serial, 6, "ra"), BadRequest},
		"revoke as hold":           {h.Revoke(ctx, serial, 6, "ra"), BadRequest},
		"revoke removeFromCRL":     {h.Revoke(ctx, serial, 8, "ra"), BadRequest},
		"revoke CA compromise":     {h.Revoke(ctx, serial, 2, "ra"), BadRequest},
		"revoke 7":                 {h.Revoke(ctx, serial, 7, "ra"), BadRequest},
		"nobody":                   {h.Revoke(ctx, serial, 0, ""), BadRequest},
		"no such serial":           {h.Revoke(ctx, "abc", 0, "ra"), NotFound},
		"upper case":               {h.Revoke(ctx, "ABC", 0, "ra"), NotFound},
		"the root":                 {h.Revoke(ctx, serialOf(h.CA(RootCA)), 0, "ra"), BadRequest},
		"suspend a CA":             {h.Suspend(ctx, serialOf(h.CA(IssuingCA)), 6, "ra"), BadRequest},
	} {
		if KindOf(tt.err) != tt.kind {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
	if h.list(t, IssuingCA).Number.Cmp(before) != 0 {
		t.Error("a refused change published a list")
	}
	if _, err := h.Status(ctx, "zz<script>"); KindOf(err) != NotFound || strings.Contains(err.Error(), "script") {
		t.Error(err)
	}
	// A CA's own certificate is revoked on the root's list.
	if err := h.Revoke(ctx, serialOf(h.CA(IssuingCA)), 2, "ra"); err != nil {
		t.Error(err)
	}
	if n := len(h.list(t, RootCA).RevokedCertificateEntries); n != 1 {
		t.Errorf("%d entries on the root's list", n)
	}
}

// One certificate, many who want to change it: one change of each kind wins.
func TestRacingChanges(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	serial := serialOf(h.issue(t, "1"))
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = h.Suspend(context.Background(), serial, 6, "ra") })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if KindOf(err) != Conflict {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d suspensions", won)
	}
	h.checkJournal(t)
}

func TestListForm(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	ctx, serial := t.Context(), serialOf(h.issue(t, "1"))
	if err := h.Suspend(ctx, serial, 6, "ra"); err != nil {
		t.Fatal(err)
	}
	list := h.list(t, IssuingCA)
	if list.NextUpdate.Sub(list.ThisUpdate) != 2*time.Hour || list.ThisUpdate.After(h.clock.now()) {
		t.Errorf("%v to %v", list.ThisUpdate, list.NextUpdate)
	}
	if string(list.AuthorityKeyId) != string(h.CA(IssuingCA).SubjectKeyId) {
		t.Error("authority key identifier")
	}
	found := false
	for _, e := range list.Extensions {
		if e.Id.Equal(oidExpired) {
			found = !e.Critical && string(e.Value[2:]) == h.CA(IssuingCA).NotBefore.Format("20060102150405Z")
		}
	}
	if !found {
		t.Error("ExpiredCertsOnCRL is missing or wrong")
	}
	// Numbers grow by one for each list of each CA.
	if err := h.PublishCRLs(ctx); err != nil {
		t.Fatal(err)
	}
	if next := h.list(t, IssuingCA).Number.Int64(); next != list.Number.Int64()+1 {
		t.Errorf("number %d follows %d", next, list.Number)
	}
	all, err := h.CRLs(ctx)
	if err != nil || len(all) != 3 {
		t.Error(len(all), err)
	}
	if _, err := h.CRL(ctx, "else"); KindOf(err) != NotFound {
		t.Error(err)
	}
}

// crlExceptions are the linter's rules on lists that ours break knowingly.
var crlExceptions = map[string]string{
	"e_cab_crl_has_valid_reason_code": "CA/Browser Forum: no certificateHold. Italian law has suspension (DPCM 22 February 2013 art. 26), RFC 5280 §5.3.1 the code.",
	"e_crl_extensions_validity":       "CA/Browser Forum, a warning: ExpiredCertsOnCRL is X.509 §9.5.2.8, demanded by EN 319 411-2 CSS-6.3.10 when entries stay.",
}

func TestListLint(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	if err := h.Suspend(t.Context(), serialOf(h.issue(t, "1")), 6, "ra"); err != nil {
		t.Fatal(err)
	}
	der, err := h.CRL(t.Context(), IssuingCA)
	if err != nil {
		t.Fatal(err)
	}
	list, err := zx509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	results := zlint.LintRevocationList(list).Results
	for rule, r := range results {
		if r.Status >= lint.Notice && crlExceptions[rule] == "" {
			t.Errorf("%s %s: %s", r.Status, rule, r.Details)
		}
	}
	for rule := range crlExceptions {
		if results[rule] == nil || results[rule].Status < lint.Notice {
			t.Errorf("the exception of %s is needed no longer", rule)
		}
	}
}

// Lists made at the same time have different numbers, and the one with the
// highest shows the latest state.
func TestConcurrentLists(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	var serials []string
	for i := range 6 {
		serials = append(serials, serialOf(h.issue(t, fmt.Sprint(i))))
	}
	var wg sync.WaitGroup
	for _, s := range serials {
		wg.Go(func() {
			if err := h.Revoke(context.Background(), s, 4, "ra"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(h.list(t, IssuingCA).RevokedCertificateEntries); n != len(serials) {
		t.Errorf("%d of %d entries on the list with the highest number", n, len(serials))
	}
	h.checkJournal(t)
}

// When the list cannot be signed or stored the change stays, is told
// as unpublished, its number is not used again, and the next round heals it.
func TestUnpublished(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ breakIt, mend func(*house) }{
		"key gone": {func(h *house) { h.keys.fault = func(_, _ string, _ bool) error { return errors.New("gone") } }, func(h *house) { h.keys.fault = nil }},
		"sign fails": {func(h *house) {
			h.keys.fault = func(what, _ string, _ bool) error {
				if what == "sign" {
					return errors.New("gone")
				}
				return nil
			}
		}, func(h *house) { h.keys.fault = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, testConfig())
			ctx, serial := t.Context(), serialOf(h.issue(t, "1"))
			before := h.list(t, IssuingCA).Number.Int64()
			tt.breakIt(h)
			wantKind(t, h.Suspend(ctx, serial, 6, "ra"), Unpublished)
			tt.mend(h)
			if s, _ := h.Status(ctx, serial); s != store.CertSuspended {
				t.Fatalf("the suspension was lost: %s", s)
			}
			if h.listing(t, serial) != "" {
				t.Fatal("it is on a list that was not published")
			}
			if err := h.PublishCRLs(ctx); err != nil {
				t.Fatal(err)
			}
			if after := h.list(t, IssuingCA).Number.Int64(); after != before+2 {
				t.Errorf("number %d after %d and one that was lost", after, before)
			}
			if h.listing(t, serial) == "" {
				t.Error("the suspension is not on the list")
			}
		})
	}
}

// A list that cannot be stamped is published, and the journal tells.
func TestUnstampedList(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	h.cfg.Stamp = func(ctx context.Context, _ []byte) ([]byte, error) {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("a revocation waits without end")
		}
		return nil, errors.New("no unit is in service")
	}
	serial := serialOf(h.issue(t, "1"))
	if err := h.Suspend(t.Context(), serial, 6, "ra"); err != nil {
		t.Fatal(err)
	}
	if h.listing(t, serial) == "" {
		t.Error("the suspension is not on the list")
	}
	err := h.db.Read(t.Context(), func(tx *store.Tx) error {
		e, err := tx.JournalOf(IssuingCA, 1)
		if err == nil && (len(e) != 1 || !strings.Contains(string(e[0].Detail), `"not-stamped":"no unit is in service"`)) {
			t.Errorf("journal: %+v", e)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestStampedList(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	var stamped [][]byte
	h.cfg.Stamp = func(_ context.Context, der []byte) ([]byte, error) {
		stamped = append(stamped, der)
		return []byte("token"), nil
	}
	if err := h.PublishCRLs(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := h.db.Read(t.Context(), func(tx *store.Tx) error {
		row, err := tx.LatestCRL(TSACA)
		if string(row.Timestamp) != "token" || !slices.ContainsFunc(stamped, func(b []byte) bool { return string(b) == string(row.DER) }) {
			t.Errorf("token %q", row.Timestamp)
		}
		return err
	})
	if err != nil || len(stamped) != 3 {
		t.Error(len(stamped), err)
	}
}

// The regular round gives the responders new certificates in time.
func TestRespondersAreRenewed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	old := h.CA(OCSPIssuing)
	h.clock.advance(19 * 24 * time.Hour)
	if err := h.PublishCRLs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.CA(OCSPIssuing) != old {
		t.Error("renewed too early")
	}
	h.clock.advance(2 * 24 * time.Hour)
	if err := h.PublishCRLs(t.Context()); err != nil {
		t.Fatal(err)
	}
	renewed := h.CA(OCSPIssuing)
	if renewed == old || !renewed.NotAfter.After(old.NotAfter) || !reflect.DeepEqual(renewed.PublicKey, old.PublicKey) {
		t.Error("not renewed")
	}
	h.reopen(t, testConfig())
	if !h.CA(OCSPIssuing).Equal(renewed) {
		t.Error("the renewed certificate is forgotten")
	}
}

func TestCertificateMayNotOutliveItsCA(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	h.clock.advance(13 * 365 * 24 * time.Hour)
	_, err := h.Issue(t.Context(), h.enrol(t, "1", hsm.P256))
	if KindOf(err) != Failed || !strings.Contains(err.Error(), "outlive") {
		t.Error(err)
	}
}
