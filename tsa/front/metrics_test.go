package front

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
	"sigillo/tsa/clock"
	"sigillo/tsa/ledger"
)

func metricsOf(f *Front) string {
	var b strings.Builder
	f.WriteMetrics(&b)
	return b.String()
}

func TestMetricsOfTheBackEnd(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	now := time.Now()
	units := []Unit{
		{UnitStatus: tsa.UnitStatus{Name: "tsu-1", Series: "a", State: tsa.UnitExpired, To: now.Add(-48 * time.Hour)}},
		{UnitStatus: tsa.UnitStatus{Name: "tsu-2", Series: "a", State: tsa.UnitActive, Current: true, To: now.Add(240*time.Hour + time.Minute), Failures: 3},
			Certificate: tsu.Certificate.Raw},
		{UnitStatus: tsa.UnitStatus{Name: "tsu-3", Series: "b", State: tsa.UnitWaiting}},
	}
	status := clock.Status{State: clock.StateWarn, Mode: clock.System, Verified: true, Bound: 0.25, Budget: 0.5, Looked: 1.5, Refused: 4,
		Sources: []clock.Source{{Name: "chrony", State: "good", Age: 7, Offset: -0.001}, {Name: "second", State: "lost"}}}
	r := newRig(t)
	r.cfg.Units = func(context.Context) ([]Unit, error) { return units, nil }
	r.cfg.Clock = func(context.Context) (clock.Status, error) { return status, nil }
	got := metricsOf(r.Front)
	for _, want := range []string{"sigillo_tsa_archive_up 1", "sigillo_tsa_backend_up 1", "sigillo_tsa_in_service 1",
		`sigillo_tsa_clock_state{state="ok"} 0`, `sigillo_tsa_clock_state{state="warn"} 1`, `sigillo_tsa_clock_state{state="stopped"} 0`,
		"sigillo_tsa_clock_verified 1", "sigillo_tsa_clock_bound_seconds 0.25", "sigillo_tsa_clock_budget_seconds 0.5",
		"sigillo_tsa_clock_checked_seconds 1.5", "sigillo_tsa_clock_refused_total 4",
		`sigillo_tsa_clock_source_up{source="second"} 0`, `sigillo_tsa_clock_source_age_seconds{source="chrony"} 7`,
		`sigillo_tsa_clock_source_offset_seconds{source="chrony"} -0.001`,
		`sigillo_tsa_unit_state{unit="tsu-1",series="a",state="expired"} 1`, `sigillo_tsa_unit_state{unit="tsu-2",series="a",state="active"} 1`,
		`sigillo_tsa_unit_state{unit="tsu-3",series="b",state="waiting"} 1`, `sigillo_tsa_unit_state{unit="tsu-3",series="b",state="active"} 0`,
		`sigillo_tsa_unit_current{unit="tsu-2",series="a"} 1`, `sigillo_tsa_unit_days{unit="tsu-1",series="a",end="use"} -2.00`,
		`sigillo_tsa_unit_days{unit="tsu-2",series="a",end="use"} 10.00`, `sigillo_tsa_unit_days{unit="tsu-2",series="a",end="certificate"}`,
		`sigillo_tsa_unit_failures_total{unit="tsu-2",series="a"} 3`, `sigillo_tsa_refused_total{reason="not-recorded"} 0`,
		`sigillo_tsa_refused_total{reason="locked-out"} 0`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, `source_age_seconds{source="second"}`) || strings.Contains(got, `unit_days{unit="tsu-3"`) {
		t.Errorf("something that is not known is told:\n%s", got)
	}
}

// What the back end does not tell is not told by us, and both ends of the way are
// seen to be down.
func TestMetricsOfSilence(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Front){
		"units": func(f *Front) { f.cfg.Units = func(context.Context) ([]Unit, error) { return nil, errors.New("away") } },
		"clock": func(f *Front) {
			f.cfg.Clock = func(context.Context) (clock.Status, error) { return clock.Status{}, errors.New("away") }
		},
	} {
		r := newRig(t)
		r.cfg.Units = func(context.Context) ([]Unit, error) {
			return []Unit{{UnitStatus: tsa.UnitStatus{Name: "tsu-1", State: tsa.UnitActive, Current: true}}}, nil
		}
		r.cfg.Clock = func(context.Context) (clock.Status, error) { return clock.Status{State: clock.StateOK}, nil }
		if got := metricsOf(r.Front); !strings.Contains(got, "sigillo_tsa_in_service 1") {
			t.Fatal(got)
		}
		r.shown.at = time.Time{} // five seconds later
		change(r.Front)
		r.ledger.err = &ledger.Error{Kind: ledger.Stopped, Msg: "x"}
		got := metricsOf(r.Front)
		for _, want := range []string{"sigillo_tsa_backend_up 0", "sigillo_tsa_in_service 0", "sigillo_tsa_archive_up 0"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %s is missing in\n%s", name, want, got)
			}
		}
		if strings.Contains(got, "sigillo_tsa_unit_state{") || strings.Contains(got, "sigillo_tsa_clock_state{") {
			t.Errorf("%s: what was is told as what is:\n%s", name, got)
		}
	}
}
