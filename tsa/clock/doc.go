// Package clock is the provable clock of the time-stamping authority: it gives a
// time only while it can show how far that time may be off.
package clock
