package clock

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// writing is how long the latch and the journal may take, and maxOwed how many
// events wait for a journal that fails.
const (
	writing = 5 * time.Second
	maxOwed = 64
)

// settled is how many rounds in a row have to be without a warning before it is
// taken back, so that a figure at its limit does not fill the journal.
const settled = 3

// object is what a stamp does that found something: one of many at the same time
// settles it, and the others find another pass, or none.
func (g *Gate) object(ctx context.Context, p *pass, r reading) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pass.Load() == p {
		g.settle(ctx, r)
	}
}

// halt stops the clock: nobody gets a time any more, then the latch has it, then the
// journal, and then the refusals begin.
func (g *Gate) halt(ctx context.Context, f finding) {
	g.refusal.Store(nil)
	g.pass.Store(nil)
	g.stop = Stop{Since: g.sys.wall().UTC(), Cause: f.cause, Reason: plain(f.reason)}
	g.stored, g.stopped, g.had, g.unproven = false, g.sys.mono(), false, 0
	g.measured, g.persists = g.sources[0].address == "", f.reason
	g.enter(StateStopped, f)
	g.keep(ctx)
	g.tell(ctx, g.event("clock.stopped", ""))
	g.refusal.Store(refusalOf(g.stop))
}

func refusalOf(s Stop) *Error {
	return fail(Stopped, nil, "the clock is stopped since %s (%s); an authorised operator has to lift it",
		s.Since.Format(time.RFC3339), s.Cause)
}

// keep stores a stop that is not stored yet; what fails is tried again each round.
func (g *Gate) keep(ctx context.Context) {
	if g.stored {
		return
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	g.stored = g.c.Latch.Store(ctx, g.stop) == nil
}

// lasting is a context for what must be written though the asker has gone.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writing)
}

// wait gives no time until something changes.
func (g *Gate) wait(f finding) {
	g.refusal.Store(fail(Waiting, nil, "the time is not proven (%s)", f.cause))
	g.pass.Store(nil)
	g.enter(StateWaiting, f)
}

// allow gives a new pass, in state ok or warn.
func (g *Gate) allow(ctx context.Context, r reading, f finding) {
	state := StateOK
	if f.weight == warning {
		state, g.calm = StateWarn, 0
	} else if g.calm++; g.state == StateWarn && g.calm < settled {
		state, f = StateWarn, g.why
	}
	if !g.had && !g.anchor(&r) {
		g.wait(finding{cause: CauseStarting, reason: "the machine is too busy to read its clocks together"})
		return
	}
	if g.pass.Load() == nil { // from no time to time: the journal has it first
		if err := g.say(ctx, g.eventOf("clock.ready", "", state, f)); err != nil {
			g.wait(finding{cause: CauseJournal, reason: "the journal does not take the start: " + err.Error()})
			return
		}
		g.enter(state, f)
	} else if state != g.state || f.cause != g.why.cause {
		g.enter(state, f)
		g.tell(ctx, g.eventOf("clock."+string(state), "", state, f))
	}
	g.why = f
	g.pass.Store(&pass{offset: g.offset, until: g.until()})
}

// anchor notes where the clock is against the monotonic one. A reading during which
// the thread lost its processor for long says too little, so it looks for a better.
func (g *Gate) anchor(r *reading) bool {
	const narrow = int64(slack) / 4
	for i := 0; r.after-r.before > narrow; i++ {
		if i == 10 {
			return false
		}
		if *r = g.read(); g.kernel(r, r.offset()).weight != fine {
			return false
		}
	}
	g.offset, g.had = r.offset(), true
	g.asleep = g.sys.boot() - g.sys.mono()
	return true
}

// until is how long what is known now suffices without another round.
func (g *Gate) until() int64 {
	until := g.asked + int64(g.c.MaxAge)
	if s := g.sources[0].sample; s != nil {
		until = min(until, s.at+int64((g.c.MaxAge.Seconds()-s.age)*1e9),
			s.at+int64((g.c.Accuracy.Seconds()-rounding.Seconds()-s.bound(s.at))/growth*1e9))
	}
	return until
}

// enter notes a state.
func (g *Gate) enter(s State, f finding) {
	if s != g.state || g.since.IsZero() {
		g.state, g.since = s, g.sys.wall().UTC()
	}
	g.why = f
}

// Lift removes the stop in the name of an operator, whom the caller has
// authenticated and authorised (DPCM 22/2/2013 art. 52). It asks all witnesses
// afresh and refuses with StillWrong while the time is not proven, which needs a
// measurement of the first source that is younger than the stop; with Unavailable if
// the journal or the latch fails; with NotStopped if there is nothing to lift. After
// it the clock is waiting until it is found proven, in general at once.
func (g *Gate) Lift(ctx context.Context, operator string) error {
	if !named(operator) {
		return fail(BadOperator, nil, "name the operator, in at most %d bytes of plain text", maxOperator)
	}
	g.mu.Lock()
	stopped := g.stop.Set()
	g.mu.Unlock()
	if !stopped {
		return fail(NotStopped, nil, "the clock is not stopped")
	}
	g.question(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.stop.Set() {
		return fail(NotStopped, nil, "the clock is not stopped")
	}
	r := g.read()
	defer func() { g.publish(r) }()
	if err := g.liftable(&r); err != nil {
		g.tell(ctx, g.refusedLift(operator, err.Msg))
		return err
	}
	g.repay(ctx)
	if len(g.owed) > 0 {
		return fail(Unavailable, nil, "the journal does not take what happened before; it has to come first")
	}
	if err := g.say(ctx, g.event("clock.lifted", operator)); err != nil {
		return fail(Unavailable, err, "the lift cannot be journalled and so has not happened")
	}
	wctx, cancel := lasting(ctx)
	defer cancel()
	if err := g.c.Latch.Store(wctx, Stop{}); err != nil {
		// It may have been stored all the same: the stop goes back in.
		g.stored = false
		g.tell(ctx, g.refusedLift(operator, "the latch could not be stored"))
		return fail(Unavailable, err, "the lift cannot be stored and so has not happened")
	}
	g.stop, g.had, g.calm = Stop{}, false, settled
	g.wait(finding{cause: CauseStarting, reason: "the stop has been lifted"})
	g.settle(ctx, r)
	return nil
}

// liftable says what still stands against a lift.
func (g *Gate) liftable(r *reading) *Error {
	g.had = false // the place of the clock against the monotonic one is taken anew
	if f := g.look(r); f.weight > warning {
		return fail(StillWrong, nil, "the stop cannot be lifted yet: %s", f.reason)
	}
	if s := g.sources[0].sample; s != nil && s.old(r.after) < seconds(r.after-g.stopped) {
		g.measured = true // for good: chronyd puts the time of a later one back at will
	}
	if !g.measured {
		return fail(StillWrong, nil, "the stop cannot be lifted yet: the first source has not measured the clock since; "+
			"wait for its next measurement (chronyc tracking shows it)")
	}
	return nil
}

const maxOperator = 256

func named(operator string) bool {
	if operator == "" || len(operator) > maxOperator || !utf8.ValidString(operator) {
		return false
	}
	for _, r := range operator {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// event describes the present state.
func (g *Gate) event(name, operator string) Event {
	return g.eventOf(name, operator, g.state, g.why)
}

func (g *Gate) eventOf(name, operator string, s State, f finding) Event {
	return Event{Time: g.sys.wall().UTC(), Name: name, State: s, Cause: f.cause, Reason: plain(f.reason), Operator: operator}
}

const maxReason = 1000

// plain makes a reason, which may quote an error of somebody else, what every
// journal takes: a stop whose event is refused could never be lifted.
func plain(reason string) string {
	reason = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(reason, "?"))
	for i := range reason {
		if i > maxReason {
			return reason[:i] + "…"
		}
	}
	return reason
}

func (g *Gate) refusedLift(operator, reason string) Event {
	ev := g.event("clock.lift.refused", operator)
	ev.Reason = plain(reason)
	return ev
}

// say tells the journal and gives its error.
func (g *Gate) say(ctx context.Context, ev Event) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := g.c.OnEvent(ctx, ev); err != nil {
		return fmt.Errorf("%s: %w", ev.Name, err)
	}
	return nil
}

// tell tells the journal what has happened anyway, now or later.
func (g *Gate) tell(ctx context.Context, ev Event) {
	if len(g.owed) > 0 || g.say(ctx, ev) != nil {
		g.owe(ev)
	}
}

// owe keeps an event for later. Where too many wait, a stop is not what goes.
func (g *Gate) owe(ev Event) {
	if len(g.owed) >= maxOwed && ev.Name != "clock.stopped" {
		return
	}
	g.owed = append(g.owed, ev)
}

// repay tells the journal what it is owed, in order.
func (g *Gate) repay(ctx context.Context) {
	for len(g.owed) > 0 && g.say(ctx, g.owed[0]) == nil {
		g.owed = g.owed[1:]
	}
}
