// Package worker runs the inspection of a document in a process of its own that
// is thrown away afterwards.
//
// Documents come from anywhere and their formats are deep. A parser may be made
// to recurse until the stack ends or to ask for all the memory there is, and
// neither can be caught inside a Go program; a cleverer document may do worse.
// So the parent starts its own executable again with a hidden command, hands it
// the open document over a socket and nothing else, and reads one JSON report
// from its standard output. Before the document comes the child gives
// up what it does not need: new privileges, every file (landlock), TCP and
// signals (landlock, as far as the kernel knows them), any new descriptor at
// all, memory and processor time beyond a limit.
//
// The parent believes the child only within reason: the report must be strict
// JSON, must name rules that exist with the severity they have, and its verdict
// must follow from its findings. Crash, time-out and nonsense mean the same
// thing: the document is refused, with the finding "inspect.failed".
package worker
