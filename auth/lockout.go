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
// guesser has 104 tries on the first day and 96 on each further one (see
// [GuessesPerDay]), each at a handful of codes out of a million, and all of them
// for nothing without the password.
//
// Who guesses in another's name must not lock that other out: whoever counts
// failures counts those of strangers apart from those of the browsers a holder has
// signed in with before.
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

// GuessesPerDay is the most failures one lane of the lock-out lets happen in a day:
// the free ones, those behind the growing delays, and one each quarter of an hour for
// the rest of it. A test counts them.
const GuessesPerDay = 104
