package clock

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Run watches the clock until ctx ends, and without it there is no time: it belongs
// in a goroutine of its own for the whole life of a gate in mode System. When it
// returns, the gate gives no more time; that is no anomaly and is not latched.
func (g *Gate) Run(ctx context.Context) {
	if g.c.Mode == Unverified {
		<-ctx.Done()
		return
	}
	defer g.leave()
	set := g.sys.watchSet(ctx)
	tick := time.NewTicker(g.c.Every)
	defer tick.Stop()
	g.mu.Lock()
	g.running = true
	g.mu.Unlock()
	for {
		g.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-set:
			// At once, without waiting for the daemons: a step shows in one reading.
			g.mu.Lock()
			g.settle(ctx, g.read())
			g.mu.Unlock()
		}
	}
}

// leave takes the pass back when nobody watches any more.
func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running = false
	if !g.stop.Set() {
		g.wait(finding{cause: CauseNotWatched, reason: "the watch has ended"})
		g.publish(g.read())
	}
}

// round asks all witnesses and settles the state.
func (g *Gate) round(ctx context.Context) {
	g.question(ctx)
	if ctx.Err() != nil {
		return // what was not answered says nothing
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(ctx, g.read())
}

// question asks both chronyd at the same time, outside the lock.
func (g *Gate) question(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, min(patience, g.c.Every))
	defer cancel()
	var wg sync.WaitGroup
	for i := range g.sources {
		if s := &g.sources[i]; s.address != "" {
			wg.Go(func() {
				got, err := g.ask(ctx, s.address)
				g.mu.Lock()
				defer g.mu.Unlock()
				s.err = err
				if err == nil && (s.sample == nil || got.at >= s.sample.at) {
					s.sample = got
				}
			})
		}
	}
	wg.Wait()
	g.mu.Lock()
	g.asked = g.sys.mono()
	g.mu.Unlock()
}

// weight is what a finding does.
type weight int

const (
	fine    weight = iota
	warning        // stamps go on
	passing        // no stamps, and it passes by itself in a known time
	unshown        // no proof: stops after the grace
	anomaly        // stops at once
)

// finding is what was found, and what it does.
type finding struct {
	weight weight
	cause  Cause
	reason string
}

func found(w weight, c Cause, format string, a ...any) finding {
	return finding{w, c, fmt.Sprintf(format, a...)}
}

// settle brings the state in line with what is known at a reading. It holds mu.
func (g *Gate) settle(ctx context.Context, r reading) {
	defer g.publish(r)
	g.repay(ctx)
	if g.stop.Set() {
		g.keep(ctx)
		g.persists = ""
		if err := g.liftable(&r); err != nil {
			g.persists = err.Msg
		}
		return
	}
	if !g.running {
		return
	}
	f := g.look(&r)
	if half := g.half(&r); !g.had && f.weight <= warning && half.weight != fine {
		// The first figures after a start vary: who begins with less than half in
		// hand may be stopped by the next.
		half.weight = unshown
		f = half
	}
	switch {
	case f.weight == passing:
		if !g.had {
			g.wait(f)
		}
	case f.weight >= unshown && !g.had:
		g.wait(f) // not an anomaly: there was nothing yet to lose
	case f.weight == anomaly || f.weight == unshown && g.graceOver(&r):
		g.halt(ctx, f)
	case f.weight == unshown:
		if g.state != StateWaiting {
			g.wait(f)
			g.tell(ctx, g.event("clock.waiting", ""))
		}
	default:
		g.unproven = 0
		g.allow(ctx, r, f)
	}
}

// graceOver says whether the kernel has not vouched for longer than it may.
func (g *Gate) graceOver(r *reading) bool {
	if g.unproven == 0 {
		g.unproven = r.after
	}
	return r.after-g.unproven >= int64(g.c.Grace)
}

// look judges the whole: the kernel, then the sources. The first of the weightiest
// is what is told.
func (g *Gate) look(r *reading) finding {
	g.leap.note(r)
	if g.had && r.err == nil && r.off(g.offset) && g.leap.explains(r, g.offset) {
		g.offset += g.leap.move
		g.leap = leap{}
	}
	offset := g.offset
	if !g.had {
		offset = r.offset() // nothing to compare with yet
	}
	if f := g.kernel(r, offset); f.weight != fine {
		return f
	}
	if silent := r.after - g.asked; silent > int64(g.c.MaxAge) {
		return found(unshown, CauseNotWatched, "nobody has looked at the clock for %v", time.Duration(silent).Round(time.Second))
	}
	f := g.first(r.after)
	if s := g.second(r.after); s.weight > f.weight {
		f = s
	}
	if f.weight > fine {
		return f
	}
	return g.half(r)
}

// half warns when more than half of the accuracy is used.
func (g *Gate) half(r *reading) finding {
	if w := g.worst(r); w > g.c.Accuracy.Seconds()/2 {
		return found(warning, CauseHalf, "the clock may be off by %.6f s, more than half of %v", w, g.c.Accuracy)
	}
	return finding{}
}

// kernel words what judge says.
func (g *Gate) kernel(r *reading, offset int64) finding {
	switch c := r.judge(offset, int64(g.c.Accuracy)); c {
	case "":
		return finding{}
	case CauseLeap:
		return found(passing, c, "a leap second is passing")
	case CauseKernelFails:
		return found(unshown, c, "the kernel does not give the state of the clock: %v", r.err)
	case CauseUnsynchronised:
		return found(unshown, c, "the kernel says the clock is not synchronised; is chronyd running, with rtcsync in its configuration?")
	case CauseBound:
		return found(anomaly, c, "the kernel's bound is %v, the accuracy to keep %v", time.Duration(r.bound), g.c.Accuracy)
	case CauseBackward:
		return found(anomaly, c, "the time is %v before the last one given", time.Duration(r.last-r.time))
	default:
		moved := time.Duration(r.offset() - offset).Round(time.Microsecond)
		if slept := g.sys.boot() - g.sys.mono() - g.asleep; slept > int64(slack) {
			return found(anomaly, CauseSuspended, "the machine was suspended for %v", time.Duration(slept).Round(time.Millisecond))
		}
		return found(anomaly, c, "the clock was set by %v", moved)
	}
}

// first judges the chronyd that disciplines the clock.
func (g *Gate) first(now int64) finding {
	s := &g.sources[0]
	if s.address == "" {
		return finding{}
	}
	if s.sample == nil {
		return found(unshown, CauseSourceLost, "the first source has not vouched yet: %v", s.err)
	}
	bound, age, limit := s.sample.bound(now), s.sample.old(now), g.c.MaxAge.Seconds()
	switch {
	case bound+rounding.Seconds() > g.c.Accuracy.Seconds():
		return found(anomaly, CauseSourceBound, "the first source says the clock may be off by %.6f s, the accuracy to keep is %v", bound, g.c.Accuracy)
	case age > limit:
		return found(anomaly, CauseSourceLost, "the first source measured last %.0f s ago, %.0f s are allowed%s", age, limit, because(s.err))
	case age > limit/2:
		return found(warning, CauseSourceOld, "the first source measured last %.0f s ago, %.0f s are allowed%s", age, limit, because(s.err))
	}
	return finding{}
}

// second judges the chronyd that only watches, and both against each other. They
// contradict one another when no error of the clock fits both. As long as even the
// worse of the two keeps the clock within the budget that is a warning: whichever is
// right, the stamps are. Beyond it nobody knows, and the clock stops.
func (g *Gate) second(now int64) finding {
	one, two := g.sources[0].sample, g.sources[1].sample
	if g.sources[1].address == "" {
		return finding{}
	}
	limit := g.c.MaxAge.Seconds()
	if two == nil || two.old(now) > limit {
		return found(warning, CauseSecondLost, "the second source is lost%s", because(g.sources[1].err))
	}
	vouches := two.bound(now)+rounding.Seconds() <= g.c.Accuracy.Seconds()
	if one != nil && g.fresh(one, now) && g.fresh(two, now) {
		differ := abs(one.offset - two.offset)
		if differ > one.error(now)+two.error(now) {
			if !vouches {
				return found(anomaly, CauseDisagree, "the sources differ by %.6f s and cannot both be right; the second says the clock may be off by %.6f s", differ, two.bound(now))
			}
			return found(warning, CauseDiffer, "the sources differ by %.6f s, more than both admit", differ)
		}
		if one.track.LeapStatus != two.track.LeapStatus {
			return found(warning, CauseLeapDiffers, "only one of the sources announces a leap second")
		}
		if one.track.IPAddr != nil && one.track.IPAddr.Equal(two.track.IPAddr) {
			return found(warning, CauseSameServer, "both sources follow %v; give the second other servers", one.track.IPAddr)
		}
	}
	if !vouches {
		return found(warning, CauseCoarse, "the second source cannot tell better than %.6f s", two.bound(now))
	}
	if two.old(now) > limit/2 {
		return found(warning, CauseSecondOld, "the second source measured last %.0f s ago, %.0f s are allowed%s", two.old(now), limit, because(g.sources[1].err))
	}
	return finding{}
}

// fresh says whether a sample is of the last rounds, so that two can be compared.
func (g *Gate) fresh(s *sample, now int64) bool { return now-s.at < 3*int64(g.c.Every)+int64(patience) }

// worst is how far the clock may be off by the word of those the stamps rest on.
func (g *Gate) worst(r *reading) float64 {
	w := seconds(r.bound)
	if s := g.sources[0].sample; s != nil {
		w = max(w, s.bound(r.after))
	}
	return w + rounding.Seconds()
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// machine is the real one.
func machine() system {
	start := time.Now()
	return system{
		adjtimex: unix.Adjtimex,
		mono:     func() int64 { return int64(time.Since(start)) },
		boot: func() int64 {
			var ts unix.Timespec
			if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
				return 0
			}
			return ts.Nano()
		},
		wall:     time.Now,
		watchSet: watchSet,
		track:    trackAt,
	}
}
