package worker

import (
	"context"
	"sync"

	"sigillo/formats/inspect"
)

// Pool keeps workers that are started and wait in their cages, so that a document
// waits for its inspection only, not for the start of a program. Each still sees one
// document and ends; another takes its place.
type Pool struct {
	exe   string
	size  int
	ready chan *process

	mu     sync.Mutex
	under  int  // guarded by mu; being started, or ready
	closed bool // guarded by mu
	starts sync.WaitGroup
}

// NewPool keeps size workers ready, made from the executable exe ("" for the running
// one). It returns before they are.
func NewPool(exe string, size int) *Pool {
	p := &Pool{exe: exe, size: size, ready: make(chan *process, size)}
	p.fill()
	return p
}

// Inspect is [Inspect] by a worker that is ready; when all are taken it starts one.
func (p *Pool) Inspect(ctx context.Context, path, name string) (inspect.Report, error) {
	defer p.fill()
	take := p.next
	return inspectBy(ctx, path, name, func() (*process, error) {
		w, err := take()
		take = p.start // where one that waited has died, others may have
		return w, err
	})
}

func (p *Pool) next() (*process, error) {
	select {
	case w, ok := <-p.ready:
		if ok {
			p.mu.Lock()
			p.under--
			p.mu.Unlock()
			return w, nil
		}
	default:
	}
	return p.start()
}

func (p *Pool) start() (*process, error) { return start(p.exe, Command) }

// fill starts what is missing. What does not start is tried again with the next
// document, and the error told to whoever wants that one inspected.
func (p *Pool) fill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; !p.closed && p.under < p.size; p.under++ {
		p.starts.Go(func() {
			w, err := p.start()
			if err != nil {
				p.mu.Lock()
				p.under--
				p.mu.Unlock()
				return
			}
			p.ready <- w // there is room for all
		})
	}
}

// Close ends the workers that are ready. Inspections under way go on, and later ones
// start a worker each.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.starts.Wait()
	close(p.ready)
	for w := range p.ready {
		w.kill()
	}
}
