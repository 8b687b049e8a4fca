package vault

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// class groups the operations that wait for each other. A token that is slow, or
// hangs, under the requests of one class leaves places to the others.
type class int

const (
	holderClass  class = iota // keys of holders: all that is not named otherwise
	guestClass                // sign-ins, which anybody on the network can cause
	houseClass                // keys of authorities and units, and their look-after
	controlClass              // needs neither the token nor time
	classes
)

// classOf is where an operation waits.
func classOf(op string) class {
	switch op {
	case opAuthenticate, opMeans, opChallenge, opPasskeyOptions, opSendCode:
		return guestClass
	case opStatus, opPublicKey, opWitnessJournal, opTSAStatus, opTSAWitness:
		return controlClass
	case opCreateKey, opSelfTest, opSignDigest, opTSAPassphrase, opTSAMake, opTSAInstall, opTSAActivate, opTSAStop, opTSARetire, opTSALift:
		return houseClass
	}
	return holderClass
}

const (
	waitsPerPlace = 4                // requests that may wait, for each that may use the token
	tokenPatience = 10 * time.Second // how long they do
	shortestRetry = time.Second
	longestRetry  = 30 * time.Second
	// hangLimit is how long an operation of the token may take before the vault ends, to
	// be started again: a call that does not come back from the library cannot be broken
	// off. Nobody waits for it by then. To make an RSA key takes a small token minutes.
	hangLimit = 5 * time.Minute
)

// placesIn is how many requests of a class use the token at a time. More than the
// token has cores bring nothing, but keep places free that others would wait for.
func placesIn(c class) int {
	switch c {
	case holderClass:
		return 2 * runtime.NumCPU()
	case controlClass:
		return maxConns
	}
	return runtime.NumCPU()
}

// tokenSessions is how many sessions the vault may use at a time: enough for every
// class at its fullest, and for the time-stamps.
func tokenSessions(stamps int) int {
	return placesIn(holderClass) + placesIn(guestClass) + placesIn(houseClass) + max(stamps, runtime.NumCPU())
}

// queue bounds how many requests of a class use the token, how many wait to, and
// for how long. All others are told at once to come back later.
type queue struct {
	places   chan struct{} // one taken for each request that uses the token
	most     int           // requests that may wait
	patience time.Duration

	mu      sync.Mutex
	waiting int           // guarded by mu
	took    time.Duration // guarded by mu; by a request, of late
}

func newQueue(places int) *queue {
	return &queue{places: make(chan struct{}, places), most: waitsPerPlace * places, patience: tokenPatience}
}

func newQueues() (qs [classes]*queue) {
	for c := range classes {
		qs[c] = newQueue(placesIn(c))
	}
	return qs
}

// enter waits for a place. Kind Busy, with the time after which it is worth trying
// again, if too many wait already or it takes too long.
func (q *queue) enter(ctx context.Context) (leave func(), err error) {
	select {
	case q.places <- struct{}{}:
		return q.taken(), nil
	default:
	}
	q.mu.Lock()
	if q.waiting >= q.most {
		defer q.mu.Unlock()
		return nil, q.busy("the token is slow and %d requests wait for it already; try again in a few seconds", q.waiting)
	}
	q.waiting++
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		q.waiting--
		q.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, q.patience)
	defer cancel()
	select {
	case q.places <- struct{}{}:
		return q.taken(), nil
	case <-ctx.Done():
		q.mu.Lock()
		defer q.mu.Unlock()
		return nil, q.busy("the token is slow: no turn came within %v; try again in a few seconds", q.patience)
	}
}

// busy is the refusal. The caller holds mu.
func (q *queue) busy(format string, arg any) error {
	retry := q.took * time.Duration(q.waiting+1) / time.Duration(cap(q.places))
	return &Error{Kind: Busy, Msg: fmt.Sprintf(format, arg), RetryAfter: min(max(retry, shortestRetry), longestRetry)}
}

// taken gives a function that frees the place and remembers how long it was taken.
func (q *queue) taken() (leave func()) {
	begun := time.Now()
	return func() {
		<-q.places
		q.mu.Lock()
		defer q.mu.Unlock()
		q.took += (time.Since(begun) - q.took) / 8
	}
}

// watchToken ends the vault when the token hangs.
func (v *server) watchToken(ctx context.Context, end context.CancelFunc) {
	limit := v.cfg.hangLimit
	if limit == 0 {
		limit = hangLimit
	}
	t := time.NewTicker(limit / 4)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if d := v.tok.Longest(); d > limit {
			v.log.Error("a call has not come back from the token; the vault ends, to be started again", "after", d)
			v.hung.Store(true)
			end()
			return
		}
	}
}
