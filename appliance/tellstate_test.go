package appliance

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sigillo/tsa/clock"
	"sigillo/vault"
)

// The log says of the clock and of each unit how it is, and what to type.
func TestStampingWords(t *testing.T) {
	t.Parallel()
	to := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	right := clock.Status{State: clock.StateOK, Mode: clock.System}
	for name, c := range map[string]struct {
		in    vault.TimeStamping
		about string
		level slog.Level
		says  []string
	}{
		"right": {vault.TimeStamping{Clock: right}, "clock", slog.LevelInfo, []string{"is right", "mode system"}},
		"not yet": {vault.TimeStamping{Clock: clock.Status{State: clock.StateWaiting, Mode: clock.System, Cause: "x"}}, "clock", slog.LevelWarn,
			[]string{"not shown to be right", "cause x", "sigillo tsa status --dir /srv/a"}},
		"stopped": {vault.TimeStamping{Clock: clock.Status{State: clock.StateStopped}}, "clock", slog.LevelError, []string{"sigillo tsa lift --dir /srv/a"}},
		"warned":  {vault.TimeStamping{Clock: clock.Status{State: clock.StateWarn, Mode: clock.System}}, "clock", slog.LevelWarn, []string{"somebody should look"}},
		"believed": {vault.TimeStamping{Clock: clock.Status{State: clock.StateOK, Mode: clock.Unverified}}, "clock", slog.LevelWarn,
			[]string{"nobody vouches"}},
		"fault":   {vault.TimeStamping{Fault: "rolled back"}, "service", slog.LevelError, []string{"out of order", "rolled back"}},
		"no unit": {vault.TimeStamping{Clock: right, Units: []vault.Unit{{Name: "tsu-1", State: vault.UnitRetired}}}, "unit", slog.LevelWarn, []string{"sigillo tsa new-unit --dir /srv/a"}},
		"serving": {vault.TimeStamping{Clock: right, Units: []vault.Unit{{Name: "tsu-1", Series: "tsu", State: vault.UnitActive, Serving: true, To: to}}}, "unit tsu-1",
			slog.LevelInfo, []string{"in service", "series tsu", "state active", "until 2027-02-01"}},
		"waiting": {vault.TimeStamping{Clock: right, Units: []vault.Unit{{Name: "tsu-1", State: vault.UnitActive}}}, "unit tsu-1", slog.LevelWarn,
			[]string{"waits for the passphrase", "state waiting", "sigillo tsa start --dir /srv/a"}},
		"ready": {vault.TimeStamping{Clock: right, Units: []vault.Unit{{Name: "tsu-2", State: vault.UnitReady}}}, "unit tsu-2", slog.LevelWarn,
			[]string{"waits for the passphrase", "sigillo tsa start --dir /srv/a"}},
		"unit stopped": {vault.TimeStamping{Clock: right, Units: []vault.Unit{{Name: "tsu-1", State: vault.UnitStopped, Reason: "audit"}}}, "unit tsu-1", slog.LevelWarn,
			[]string{"is stopped", "reason audit", "sigillo tsa start tsu-1 --dir /srv/a"}},
		"made": {vault.TimeStamping{Clock: right, Units: []vault.Unit{{Name: "tsu-1", State: vault.UnitMade}}}, "unit tsu-1", slog.LevelWarn,
			[]string{"no certificate yet", "state made"}},
	} {
		w, ok := stampingWords(c.in, "/srv/a")[c.about]
		line := w.text + " " + fmt.Sprintln(w.args...)
		for _, says := range c.says {
			if !ok || w.level != c.level || !strings.Contains(line, says) {
				t.Errorf("%s: %v %s", name, w.level, line)
			}
		}
	}
	if got := quoted("/srv/l'ente a"); got != `'/srv/l'\''ente a'` {
		t.Error(got)
	}
}
