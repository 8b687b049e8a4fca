package audit_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

func Example() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "journal")
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, filepath.Join(dir, "appliance.db"), store.Appliance)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	// The effect and its entry are one commit.
	err = db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutSetting("motto", []byte("festina lente")); err != nil {
			return err
		}
		return audit.Append(tx, time.Now(), audit.Event{Actor: "anna", Event: "motto.changed"})
	})
	if err != nil {
		fmt.Println(err)
	}

	// In production the key is in the HSM.
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := audit.New(db, time.Now).Checkpoint(ctx, key, "journal"); err != nil {
		fmt.Println(err)
	}
	report, err := audit.Verify(ctx, db, map[string]crypto.PublicKey{"journal": key.Public()})
	fmt.Println(report.OK, report.Entries, report.Signed, err)
	// Output: true 1 1 <nil>
}
