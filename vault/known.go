package vault

import (
	"crypto/sha256"
	"sync"
)

// known remembers records of credentials that were found good, so that a signature
// need not ask the token and the state each time: which record of a credential it was,
// and that it was the current one. Only this process changes what is remembered here,
// and each change makes it forget all of it.
type known struct {
	mu      sync.Mutex
	changes int64                       // guarded by mu; of states of credentials, begun or done
	good    map[[sha256.Size]byte]int64 // guarded by mu; by the whole record; the changes when it was current, -1: it is the vault's own
}

// maxKnown is how many records are remembered.
const maxKnown = 4096

// fingerprint names a record, all of it.
func fingerprint(c *Credential) [sha256.Size]byte {
	return sha256.Sum256(credentialMessage(c).bytes(c.MAC))
}

// own reports whether a record is known to bear the token's MAC.
func (k *known) own(f [sha256.Size]byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.good[f]
	return ok
}

// current reports whether a record is known to be the current one.
func (k *known) current(f [sha256.Size]byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, ok := k.good[f]
	return ok && at == k.changes
}

// now is the number of changes so far.
func (k *known) now() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changes
}

// learn remembers a record; it was the current one after so many changes, -1: nobody
// has looked.
func (k *known) learn(f [sha256.Size]byte, at int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.good) >= maxKnown {
		clear(k.good)
	}
	if k.good == nil {
		k.good = make(map[[sha256.Size]byte]int64)
	}
	if was, ok := k.good[f]; !ok || at > was {
		k.good[f] = at
	}
}

// changed is called in the transaction that changes the state of a credential.
func (k *known) changed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
}
