package csc

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	maxJobs       = 1000 // whose results are kept
	maxJobsOf     = 50   // of one application of one holder
	maxJobsAtOnce = 16   // under way
)

// job is a request in mode A. Its result is kept in memory until it expires: what a
// stopped process leaves unfinished is asked for again with the same SAD, or
// authorised again.
type job struct {
	holder, application string
	expires             time.Time // of the result
	done                bool
	out                 any
	err                 error
}

type jobs struct {
	mu      sync.Mutex
	by      map[string]*job
	running int
}

func newJobs() jobs { return jobs{by: map[string]*job{}} }

// start runs work and gives the identifier of its result.
func (j *jobs) start(a Access, work func(context.Context) (any, error), keep time.Duration, now func() time.Time) (string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.room(a, now()) {
		return "", &Error{Code: soon, Description: "Too many requests are under way; fetch the results of some", status: http.StatusServiceUnavailable, wait: 5 * time.Second}
	}
	id := randomToken()
	one := &job{holder: a.Holder, application: a.Application, expires: now().Add(signTime + keep)}
	j.by[id] = one
	j.running++
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), signTime)
		defer cancel()
		out, err := guarded(ctx, work)
		j.mu.Lock()
		defer j.mu.Unlock()
		j.running--
		one.done, one.out, one.err, one.expires = true, out, err, now().Add(keep)
	}()
	return id, nil
}

// guarded turns a panic into an error: nobody else would catch it here.
func guarded(ctx context.Context, work func(context.Context) (any, error)) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Code: "server_error", Description: "The service failed", status: http.StatusInternalServerError}
		}
	}()
	return work(ctx)
}

// room forgets what has expired and says whether one more fits.
func (j *jobs) room(a Access, now time.Time) bool {
	own := 0
	for id, one := range j.by {
		switch {
		case !now.Before(one.expires):
			delete(j.by, id)
		case one.holder == a.Holder && one.application == a.Application:
			own++
		}
	}
	return len(j.by) < maxJobs && own < maxJobsOf && j.running < maxJobsAtOnce
}

// result gives what came of a job; ok is false where there is none of this caller's.
func (j *jobs) result(id string, a Access, now time.Time) (one job, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	kept := j.by[id]
	if kept == nil || kept.holder != a.Holder || kept.application != a.Application || !now.Before(kept.expires) {
		return job{}, false
	}
	return *kept, true
}
