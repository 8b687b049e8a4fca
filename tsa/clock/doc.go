// Package clock is the provable clock of the time-stamping authority: it gives a
// time only while it can show how far that time may be off (ETSI EN 319 421), and an
// anomaly that breaks the accuracy is journalled and blocks it until an authorised
// operator lifts the block (DPCM 22/2/2013 art. 52).
//
// # The proof
//
// Each stamp asks the kernel once: adjtimex(2) gives the time and the greatest error
// it may have in the same call, so nothing can change between the two. The time
// daemon tells the kernel that error and the kernel lets it grow while it hears
// nothing, so that a daemon that died stops the stamps by itself. With chrony this
// needs rtcsync in its configuration. The same call is held against the monotonic
// clock: slewing moves both together, so whatever moves one against the other was
// setting the clock, however small the error that the daemon states afterwards.
//
// Every few seconds [Gate.Run] asks the chronyd that disciplines the clock, and a
// second one on other servers that only watches (chronyd -x). A source bounds the
// error of the clock by |system offset| + root dispersion + root delay/2, the sum
// chrony's manual gives; while it is silent its bound grows by the 500 ppm that the
// kernel counts with too. The age of its last measurement is limited apart from
// that, because chronyd by default lets its own bound grow by 1 ppm only. Setting
// the clock is noticed at once through a timer that the kernel cancels then.
//
// Whether the servers behind the sources tell the truth is for chronyd: NTS, several
// servers, minsources, and the second source on servers of somebody else. This
// package speaks no NTP and so no NTS.
//
// # What stops, what only refuses
//
// Losing something that was shown is an anomaly; not having it yet, after the start
// or a lift, is not. "Stops" is latched; "waits" and "refuses" pass by themselves.
//
//	found                                          before it was shown   after
//	kernel: not synchronised, or no answer         waits                 stops, after Grace (0: at once); refuses till then
//	kernel: bound + 1 ms beyond the accuracy       waits                 stops
//	clock set by more than 1 ms (monotonic clock)  -                     stops
//	machine was suspended                          -                     stops
//	earlier than a time given before               -                     stops
//	leap second passing                            refuses               refuses
//	first source: bound + 1 ms beyond the accuracy waits                 stops
//	first source: measured longer than MaxAge ago  waits                 stops
//	first source: longer than MaxAge/2             warns                 warns
//	sources contradict each other, and the second
//	  one's bound is beyond the accuracy           waits                 stops
//	sources contradict each other within it        warns                 warns
//	second source lost, old, coarse, on the same
//	  server, or with another leap second          warns                 warns
//	more than half of the accuracy used            waits                 warns
//	no round for MaxAge                            waits                 stops, after Grace
//	Run has ended (shutdown)                       waits                 waits
//	latch unreadable at the start                  stops                 -
//	journal does not take clock.ready              waits                 waits
//
// A source that does not answer, or says it is not synchronised, or has measured too
// little to know its skew (500 ppm), or serves its own clock ("local"), only ages; its
// last good word stands until it is too old. A warning is taken back after three
// rounds without one.
//
// # The leap second
//
// On a day with a leap second announced no time from 23:59:59 until 00:00:01 is
// given (from 23:59:58 where a second is left out), with LeapSecond as the kind of
// refusal. The kernel counts 23:59:59 twice, and a clock that is off by a part of
// its bound counts it a little early or late; readers of GeneralizedTime differ
// about 23:59:60. So the repeated name is never used, 23:59:60 is never written, and
// the times given still rise. The move of one second against the monotonic clock is
// then expected, once, at that midnight and only in the announced direction; any
// other is a step. This is right for clocks that step (chrony: leapsecmode system,
// the default); servers that smear the second must not be used.
//
// # The latch
//
// A stop is in the [Latch] and the event with the journal before anybody is refused
// because of it; it survives restarts, and a latch that cannot be read is a stop.
// [Gate.Lift] looks at everything afresh and refuses while the cause persists; with
// a first source it needs a measurement younger than the stop, because chronyd does
// not notice by itself that its clock was set. It is journalled, then stored, then
// effective.
//
// The latest time given is kept in memory: a gate never gives an earlier one, but a
// restarted one does not know it. The authority keeps that promise over restarts,
// with its serial numbers.
//
// # Unverified
//
// In mode [Unverified] the machine's clock is believed. It says so in its [Status]
// and through [Gate.Verified], never latches, and still refuses a time before one
// that it gave.
package clock
