package appliance

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"sigillo/tsa/clock"
	"sigillo/vault"
)

// word is one line for the log about the time-stamping authority.
type word struct {
	level slog.Level
	text  string
	args  []any
}

// tellStamping puts into the log in what state the clock and the units are, at the
// start of the service and then whenever that has changed, with the command that
// helps where somebody has to do something. Units that have ended are not told.
func (a *Appliance) tellStamping(ctx context.Context) error {
	t, err := a.Vault.TimeStamping(ctx)
	if err != nil {
		return err
	}
	words := stampingWords(t, a.Layout.Dir)
	for _, about := range slices.Sorted(maps.Keys(words)) {
		w := words[about]
		if line := w.text + fmt.Sprint(w.args...); a.told[about] != line {
			a.told[about] = line
			a.log.Log(ctx, w.level, w.text, w.args...)
		}
	}
	return nil
}

// stampingWords says how the authority is, by what it is about. Nothing in it moves
// while the state stays the same.
func stampingWords(t vault.TimeStamping, dir string) map[string]word {
	if t.Fault != "" {
		return map[string]word{"service": {slog.LevelError, "the time-stamping service is out of order: no time-stamps",
			[]any{"fault", t.Fault, "command", "sigillo tsa status --dir " + quoted(dir)}}}
	}
	words := map[string]word{"clock": clockWord(t.Clock, dir)}
	for _, u := range t.Units {
		if u.State != vault.UnitRetired {
			words["unit "+u.Name] = unitWord(u, dir)
		}
	}
	if len(words) == 1 {
		words["unit"] = word{slog.LevelWarn, "there is no time-stamping unit: no time-stamps",
			[]any{"command", "sigillo tsa new-unit --dir " + quoted(dir)}}
	}
	return words
}

func clockWord(c clock.Status, dir string) word {
	args := []any{"state", c.State, "mode", c.Mode}
	if c.Cause != "" {
		args = append(args, "cause", c.Cause)
	}
	switch {
	case c.State == clock.StateStopped:
		return word{slog.LevelError, "the clock of the time-stamping authority is stopped: no time-stamps until somebody authorised lifts it",
			append(args, "command", "sigillo tsa lift --dir "+quoted(dir))}
	case c.State == clock.StateWaiting:
		return word{slog.LevelWarn, "the clock of the time-stamping authority is not shown to be right (yet): no time-stamps",
			append(args, "command", "sigillo tsa status --dir "+quoted(dir))}
	case c.Mode == clock.Unverified:
		return word{slog.LevelWarn, "nobody vouches for the clock of the time-stamping authority: for demonstration only", args}
	case c.State == clock.StateWarn:
		return word{slog.LevelWarn, "the clock of the time-stamping authority is right, but somebody should look",
			append(args, "command", "sigillo tsa status --dir "+quoted(dir))}
	}
	return word{slog.LevelInfo, "the clock of the time-stamping authority is right", args}
}

func unitWord(u vault.Unit, dir string) word {
	state := string(u.State)
	if u.State == vault.UnitReady || u.State == vault.UnitActive && !u.Serving {
		state = "waiting"
	}
	args := []any{"unit", u.Name, "series", u.Series, "state", state}
	if !u.To.IsZero() {
		args = append(args, "until", u.To.Format("2006-01-02"))
	}
	switch {
	case state == "waiting":
		return word{slog.LevelWarn, "a time-stamping unit waits for the passphrase", append(args, "command", "sigillo tsa start --dir "+quoted(dir))}
	case u.Trouble != "":
		return word{slog.LevelError, "a time-stamping unit cannot stamp; look at the disk", append(args, "trouble", u.Trouble)}
	case u.State == vault.UnitActive:
		return word{slog.LevelInfo, "a time-stamping unit is in service", args}
	case u.State == vault.UnitStopped:
		return word{slog.LevelWarn, "a time-stamping unit is stopped", append(args, "reason", u.Reason,
			"command", "sigillo tsa start "+u.Name+" --dir "+quoted(dir))}
	}
	return word{slog.LevelWarn, "a time-stamping unit has no certificate yet", append(args, "command", "sigillo tsa status --dir "+quoted(dir))}
}

// quoted is a folder as a shell takes it.
func quoted(dir string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-"
	if dir != "" && strings.Trim(dir, plain) == "" {
		return dir
	}
	return "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
}
