package front

import (
	"context"
	"sync"
	"time"

	"sigillo/tsa"
	"sigillo/tsa/clock"
)

// Unit is a time-stamping unit as everybody may see it.
type Unit struct {
	tsa.UnitStatus
	Certificate []byte   // DER
	Chain       [][]byte // its issuers, DER, the one that issued the other's certificate after it
}

// Publication is what the authority tells everybody about itself.
type Publication struct {
	Policies []tsa.Policy // the first is the default
	Units    []Unit
	// Clock is the zero value when it is not known.
	Clock clock.Status
	// Told: the back end has told units and clock; else the units are those last known.
	Told bool
}

// publicationAge is how old a publication may be: long enough that who reloads
// the page does not keep the back end busy.
const publicationAge = 5 * time.Second

// shown is the last publication.
type shown struct {
	mu   sync.Mutex
	at   time.Time
	last Publication
}

// Publication tells about policies, units and clock. What the back end does not
// tell within two seconds is left as it was last known.
func (f *Front) Publication(ctx context.Context) Publication {
	s := &f.shown
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) < publicationAge {
		return s.last
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s.last.Policies, s.last.Told = f.cfg.Policies, f.cfg.Units != nil && f.cfg.Clock != nil
	if f.cfg.Units != nil {
		units, err := f.cfg.Units(ctx)
		if err == nil {
			s.last.Units = units
		}
		s.last.Told = s.last.Told && err == nil
	}
	if f.cfg.Clock != nil {
		status, err := f.cfg.Clock(ctx)
		if err != nil { // the last known state would be a claim about now
			status = clock.Status{}
		}
		s.last.Clock, s.last.Told = status, s.last.Told && err == nil
	}
	s.at = time.Now()
	return s.last
}
