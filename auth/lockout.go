package auth

import "time"

const (
	// FreeFailures is how many failures in a row cost no waiting.
	FreeFailures = 4
	firstDelay   = 30 * time.Second
	longestDelay = 15 * time.Minute
)

// Delay returns how long a holder must wait after so many failures in a row:
// nothing for fewer than five, then 30 s doubling to 15 minutes. At that rate a
// guesser has about a hundred tries a day at a six-digit code which changes
// meanwhile, and the holder is never shut out for good by somebody else's
// guesses.
func Delay(failures int) time.Duration {
	if failures <= FreeFailures {
		return 0
	}
	d := firstDelay
	for i := FreeFailures + 1; i < failures && d < longestDelay; i++ {
		d *= 2
	}
	return min(d, longestDelay)
}
