// Package tsa is the time-stamping authority: units that answer time-stamp
// requests (RFC 3161, ETSI EN 319 422) and the clocks they ask.
//
// A [Unit] is one key with one certificate and one policy. What it must not get
// wrong is little, and each point has one place:
//
//   - The time is shown to be right or no stamp is made: a [Clock] gives a time
//     only while it can vouch for the accuracy, and a time before one already
//     issued is refused. [System] asks the kernel, which knows how far the clock
//     may be off; [Unproven] vouches for nothing and is for demonstrations.
//   - A serial number is used once, ever: [Serials] reserves them durably in
//     blocks before the first of a block is used, so that a crash leaves a gap and
//     never a repetition.
//   - What was issued is known: [Archive] has taken the token in durably before
//     the answer leaves.
//   - A key past its time does not stamp: the validity of the certificate and the
//     privateKeyUsagePeriod are looked at for each stamp, at the time stamped.
//
// Every answer of [Unit.Respond] is a TimeStampResp, also when the request is
// noise or the token in the HSM has gone: clients understand nothing else.
package tsa
