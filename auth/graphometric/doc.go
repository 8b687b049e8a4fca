// Package graphometric says whether a signature written with a pen on a tablet
// is by the person who was enrolled. It compares how the signature was written
// (x, y, pressure over time), not how it looks.
//
// It is one factor of two: even the best methods in print accept some percent of
// the forgeries of people who trained for it, so that whoever uses this package
// must ask for another proof beside it, here the presence of an operator
// (docs/graphometry.md has the figures). The package needs no training data and
// ships none. It does no I/O, has no clock and starts no goroutine.
package graphometric
