package clock

import (
	"context"
	"time"
)

// Latch keeps the stop over restarts.
type Latch interface {
	// Load gives the stop that was stored last; the zero Stop means there is none.
	Load(ctx context.Context) (Stop, error)
	// Store replaces it, durably when it returns. The zero Stop lifts.
	Store(ctx context.Context, s Stop) error
}

// Stop is why and since when the clock is stopped.
type Stop struct {
	Since  time.Time `json:"since"`
	Cause  Cause     `json:"cause"`
	Reason string    `json:"reason"` // with figures, English
}

// Set says whether there is a stop.
func (s Stop) Set() bool { return s.Cause != "" }

// File is a latch in a file: written anew beside, synced and renamed. What cannot
// be read counts as a stop.
type File string
