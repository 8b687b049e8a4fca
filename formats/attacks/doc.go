// Package attacks holds no code, only tests: it attacks the validator with
// every kind of signed file that the other packages make.
//
// A validator is asked one question: may I rely on what this file shows me,
// because this person signed it? Whoever wants to deceive does not break the
// signature algorithm. They take a file that somebody did sign and look for a
// place where what is checked and what is shown come apart: an element that the
// digest does not reach, a second entry of the same name, an object that a
// later revision replaces, a certificate that is not the one that was meant, a
// proof of time that belongs to something else. For each such place that was
// ever found there are many that were not, so the tests do not keep a list of
// known attacks. They make one signature of each form, packaging and level, take
// each apart into all the pieces that its syntax has, and do to each piece all
// that can be done to it:
//
//	octets    flipped, taken away, put in, exchanged; files cut, doubled, joined
//	ASN.1     each element deleted, doubled, moved, emptied, retagged, encoded otherwise; each identifier exchanged
//	XML       each element deleted, doubled, moved, wrapped, renamed; each attribute and text changed
//	JSON      each member deleted, doubled, renamed, exchanged, of another type
//	PDF       each object of the document replaced in a later revision in each of its entries
//	ZIP       each entry deleted, doubled, renamed, exchanged, described otherwise
//	grafts    each piece taken from the same place of another signature: another signer, another document, another time
//	PKI       certificates, lists, answers and time-stamps that are wrong in one respect
//
// Then comes what has a name in the literature (wrapping, shadow attacks,
// certification attacks, signed attributes as content, and so on) where taking
// pieces apart does not lead there by itself.
//
// # What must hold
//
// Whatever is done, the validator ends within two seconds, without a panic, and
// within bounded memory. If it then says TOTAL_PASSED of any signature in the
// file, it must be true: what the file shows is what was signed, seen by readers
// that share no code with the validator where there are such; the signer, the
// claimed time and everything else that the signature says are those of the
// original; and it is not proven older than it was.
//
// Some changes may pass, since the standards leave parts of a file open:
// certificates that nobody needs, unsigned properties that no time-stamp is
// over, the way in which the same values are written. The table harmless names
// each such part with the reason why it is open. A change that passes anywhere
// else fails the test, even if all that was said above still holds.
//
// The tests take a sample that is the same each time. A number in SIGILLO_ATTACKS
// makes it that many times as large (20: some minutes), the word all leaves nothing
// out (more than half a million files, an hour); both print how many changes of each
// kind there were. SIGILLO_ATTACKS_KEEP names a directory for the files that passed
// and should not have.
package attacks
