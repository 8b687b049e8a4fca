package store

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
)

// TestErase: what was replaced is neither in the file nor in its log any more, while the
// database is open.
func TestErase(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 1000, 9000} { // on one page, and on several
		db := openTest(t, Appliance)
		key := make([]byte, size)
		rand.Read(key)
		write(t, db, func(tx *Tx) error {
			if err := tx.PutHolder(Holder{ID: "h", Username: "ada", Created: t0}); err != nil {
				return err
			}
			return tx.PutCredential(Credential{ID: "c", Holder: "h", Record: key, Created: t0})
		})
		write(t, db, func(tx *Tx) error { return tx.SetCredentialRecord("c", []byte("{}")) })
		if err := db.Erase(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{db.Path(), db.Path() + "-wal"} {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range [][]byte{key[:64], key[size-64:]} {
				if strings.Contains(string(b), string(part)) {
					t.Errorf("%d bytes are still in %s", size, name)
				}
			}
		}
		read(t, db, func(tx *Tx) error {
			c, err := tx.Credential("c")
			if string(c.Record) != "{}" {
				t.Errorf("%q", c.Record)
			}
			return err
		})
	}
}
