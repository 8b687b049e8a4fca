// Package synthetic makes up people who sign, and people who forge their
// signatures, for tests and demonstrations: no signature of a real person is
// needed, and none is in it.
//
// The model is the kinematic theory of rapid movements. A signature is a plan:
// virtual targets, joined by arcs of a circle. Each arc is one elementary movement
// of the hand; its speed over time is a log-normal pulse, and the pulses overlap,
// so that the pen does not stop between them. A plan is composed like writing, of
// an initial, letters up and down with loops, ascenders and descenders, further
// names, dots and bars, a flourish; slant, roundness, size, pace, pressure and how
// often the pen is lifted are the person's.
//
// What differs from one signature to the next: every target (the error carries
// over to the next target and dies away, as the eye corrects it), every movement's
// times, size, tempo, direction, pressure. What differs from one session to the
// next: size, tempo, pressure, slant, how the letters sit and flow. Within a session
// the hand gets a little quicker and less exact.
//
// The pen's readings have the device's rate with jitter, its steps in place, time
// and pressure, a ramp of pressure where the pen comes down and leaves, movement
// in the air where the device sees it, tilt, and the tremor of a hand.
//
// # How real it is
//
// What comes out was compared with a research set of real signatures (twenty
// people, two sessions, skilled forgeries by others; not part of this repository),
// by these figures, as the 10th, 50th and 90th percentile over the signatures:
// duration, time in the air, number of strokes between lifts, width, height over
// width, length of the path over the diagonal, speed in diagonals a second, highest
// over mean speed, minima of speed a second, mean and deviation of the pressure;
// and for each of them the deviation within a session, the change between sessions,
// and forgeries over genuine ones. In orders of magnitude, real and made up alike:
// 1.5 to 4.5 seconds, about four strokes, a path of three diagonals, one and a half
// diagonals a second, nine minima of speed a second, a highest speed of three times
// the mean, 5 % deviation of duration within a session and another 6 % between two.
// The ranges in this package are round numbers from such a look, none is fitted.
//
// So were the scores of a plain comparison by dynamic time warping, enrolled with
// five signatures of the first session: the logarithms of the distances of genuine
// signatures of the second session, of skilled and of random forgeries lie apart
// about as far as with real people, and are spread about as widely (medians 0.1,
// 0.6 and 1.4 against 0.15, 0.55 and 1.3; equal error against skilled forgeries 6 %
// against 10 %). Tracers lie between skilled and random forgeries. The comparison
// of package graphometric, as `sigillo graphometric eval` measures it, erred 5.8 %
// with twenty made-up people and 6.5 % with the twenty real ones (equal error,
// skilled forgeries), and never took one person for another with either.
//
// What is not like real ones: the made-up people are of one kind, they have no
// script, and hardly ever change the way they sign; the skilled forgers are a bit
// slower than those of the set, and none is as good as the best of these. Error
// rates that are measured with this package say whether a change made something
// better or worse. They say nothing of people.
package synthetic
