// Package graphometric says whether a signature written with a pen on a tablet
// is by the person who was enrolled. It compares how the signature was written
// (place, pressure and tilt over time), not how it looks.
//
// It is one factor of two: even the best methods in print accept some percent of
// the forgeries of people who trained for it, so that whoever uses this package
// must ask for another proof beside it, here the presence of an operator
// (docs/graphometry.md has the figures). The package needs no training data and
// ships none. It does no I/O beyond the readers and writers of files of signatures,
// has no clock and starts no goroutine.
//
// # How two signatures are compared
//
// A [Sample] is cleaned: 100 readings a second inside of each stroke, nothing made
// up between strokes. From the readings come 17 channels: place, pressure, tilt,
// their changes, acceleration, direction, curvature, speed. Place and size do not
// count, the level of the speed does, because a slow copy is told by it.
// Derivatives do not reach from one stroke into the next: the leap of the pen
// through the air is larger than all its movements on paper and would drown them.
//
// Two samples are aligned by dynamic time warping over the 13 channels that are
// there on every tablet. Along the alignment each channel has a distance of its
// own. A sample is compared with all of a profile; of each channel counts the
// distance half way between the nearest and the mean of them, divided by how far
// those of the enrolment are from one another in that channel, to the power of 0.6:
// few samples of one day tell a person's variation only roughly, so that it is
// trusted only in part. The score is the mean of the logarithms of these ratios,
// and 0.15 of the logarithm of how many deviations the figures of the whole
// (duration, strokes, rhythm, …) are off. No channel has a weight of its own:
// a mean of many weak witnesses needs no training, and each can be explained.
//
// # What comes from a population
//
// Only the [Spread]: how far the figures of the whole go in one person. The shipped
// one is that of the made-up people of package synthetic, made anew by a test's
// flag; [EstimateSpread] makes one of others, and a [Policy] may have it. The
// thresholds of the policies are choices, not measurements; the command sigillo
// graphometric eval says what they give on a set.
//
// # Profiles
//
// An [Enrolment] takes 4 to 6 samples that are alike and makes a [Profile], which
// [Profile.Match] compares with, [Profile.Update] lets follow its holder, and
// [Profile.MarshalBinary] writes for a vault to seal. Copies of samples that the
// profile has are found by [Profile.Match] also when they were changed a little;
// those of all others by [Sample.Fingerprint], as long as they were not.
package graphometric
