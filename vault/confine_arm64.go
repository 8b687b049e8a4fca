package vault

// oldCalls are those that only another kind of processor still has.
var oldCalls []uint32
