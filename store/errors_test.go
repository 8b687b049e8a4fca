package store

import (
	"errors"
	"strings"
	"testing"
)

// What has a name is said in our words; the driver's stay within reach. Of what has
// none they are all that is known.
func TestDriverText(t *testing.T) {
	t.Parallel()
	driver := errors.New("UNIQUE constraint failed: t.id (1555)")
	for kind, told := range map[Kind]bool{NotFound: false, Conflict: false, Busy: false, Full: true, Failed: true} {
		err := &Error{Kind: kind, Msg: "store: put", Err: driver}
		if strings.Contains(err.Error(), "UNIQUE") != told || !errors.Is(err, driver) || !strings.HasPrefix(err.Error(), "store: put") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
