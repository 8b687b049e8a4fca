// Package load puts a time-stamping service under load and measures it.
//
// It shares the machine with the server, so it has to be cheap: one thread and
// one epoll serve all connections, requests are encoded once and patched (digest
// and nonce) for each sending, and nothing is allocated on the way. A request
// costs it about 6 µs of processor time, of which the kernel's TCP is nearly all.
//
// Every answer is looked at: HTTP status, PKIStatus granted, and in the TSTInfo
// the digest and the nonce that were sent. That is a walk along a few lengths.
// Each Nth answer is kept and, when the load is over, checked in full with a
// library that shares no code with the server.
//
// There are two kinds of load. In the closed loop each of the clients has one
// request under way and sends the next when it has the answer; it shows the
// greatest rate, and its latencies are those of a service under as much load as
// it can bear. In the open loop requests begin at their times whatever the
// server does, as they do in the world, and the latency counts from the time at
// which a request was to begin, not from when it could be sent: a server that
// stands still for a moment is charged for all who came in that moment.
package load
