package tsa

import (
	"context"
	"encoding/asn1"
	"time"
)

// Backend makes time-stamps: it has the keys, the time and the serial numbers, and
// nothing else. The front end, which knows who asks and keeps what was issued, asks
// it through this interface; [*Authority] is one in the same process, the vault's
// client one across its socket.
type Backend interface {
	// Stamp answers a TimeStampReq in DER (RFC 3161 §2.4.1), which is read strictly
	// here whatever has been read before. The error is an *[Error]; [Refusal] gives
	// what the requester is told. The request is not kept.
	Stamp(ctx context.Context, request []byte) (Stamp, error)
}

// Stamp is an issued time-stamp with the facts that its archive needs.
type Stamp struct {
	Unit    string                // name of the unit that signed it
	Serial  int64                 // positive; unique over units, nodes and restarts
	GenTime time.Time             // as in the token: UTC, to the millisecond
	Policy  asn1.ObjectIdentifier // as in the token; shared, not to be changed
	// Token is the TimeStampToken in DER. It belongs to the caller.
	Token []byte
	// Certs says where the certificates are: Token[Certs[0]:Certs[1]] is the field
	// certificates [0] of SignedData (RFC 5652 §5.1), the same bytes in every token
	// of the unit that has them, so that an archive may leave them out and put them
	// back. Equal numbers: the token has none.
	Certs [2]int
}

// Clock gives the time and vouches for it. An error means that the time cannot be
// shown to be within the accuracy, and no stamp is made (EN 319 421: time-stamps
// shall not be issued when the clock is out of the stated accuracy).
//
// A clock may say by a method Keeps() time.Duration to which accuracy it is held;
// then no policy may state a better one.
type Clock interface {
	Now(ctx context.Context) (time.Time, error)
}

// Counter keeps the serial numbers and the promise about the time. It is durable
// when it returns.
type Counter interface {
	// Reserve gives the first of n consecutive numbers (n ≥ 1, first ≥ 1) that no
	// call has given before or will give again for this unit, each greater than all
	// that were given before.
	//
	// until is a promise that the unit makes: before the next call of Reserve it
	// states no time after until. A promise is not taken back: the Counter keeps the
	// latest that was ever made. before is the latest that was made by the calls
	// before this one, zero if there was none: what ran before a crash may have
	// stated any time up to it, so nothing is stamped until it has passed.
	Reserve(ctx context.Context, unit string, n int64, until time.Time) (first int64, before time.Time, err error)
}

// Serial numbers are a unit's number and its count in one positive INTEGER of 64
// bits: 17 bits say which unit of which node, 46 bits count.
const (
	numberBits  = 17
	counterBits = 63 - numberBits
	maxNumber   = 1<<numberBits - 1
	maxCount    = 1<<counterBits - 1
)

// UnitNumber gives the number of a unit from that of its node (0 to 127) and its
// own on the node (0 to 1023). A number is given to one key ever: serial numbers
// are unique because unit numbers are.
func UnitNumber(node, unit uint32) (uint32, error) {
	if node > 127 || unit > 1023 {
		return 0, fail(BadConfig, nil, "nodes are numbered from 0 to 127 and their units from 0 to 1023")
	}
	return node<<10 | unit, nil
}
