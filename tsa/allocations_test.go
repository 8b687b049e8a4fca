//go:build !race

// The race detector has pools forget at random.

package tsa

import "testing"

// Two allocations for a token, its own octets among them.
func TestEncodingAllocations(t *testing.T) { // not parallel: it counts allocations
	if n := testing.AllocsPerRun(1000, encoding(t, nil)); n > 2 {
		t.Errorf("a token takes %v allocations", n)
	}
}
