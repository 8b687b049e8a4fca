package appliance

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"sigillo/audit"
	"sigillo/store"
	"sigillo/vault"
)

// The vault keeps its state and its journal for itself. Who puts an old copy of both
// in their place leaves nothing in them that shows it; but the appliance's journal
// notes what the vault's has reached, and its own head is signed by the token.

const (
	vaultJournal = "vault-journal" // subject of the entries
	vaultHead    = "vault.head"
)

// noteVaultHead puts the last checkpoint of the vault's journal into the appliance's.
// When the vault's journal does not have what was noted last, that is told loudly,
// and the vault has stopped its time-stamping units. The appliance goes on all the
// same: revocation lists and answers about certificates must. What is noted then is
// the journal as it is now, so that it is told once.
func (a *Appliance) noteVaultHead(ctx context.Context) error {
	noted, err := a.NotedVaultHeads(ctx)
	if err != nil {
		return err
	}
	if len(noted) > 0 {
		if err := a.witnessJournal(ctx, noted[0]); err != nil {
			return err
		}
	}
	s, err := a.Vault.Status(ctx)
	if err != nil || s.Journal.Seq == 0 || len(noted) > 0 && bytes.Equal(noted[0].Hash, s.Journal.Hash) {
		return err
	}
	c, err := json.Marshal(s.Journal)
	if err != nil {
		return err
	}
	return a.journal.Append(ctx, audit.Event{Actor: "appliance", Event: vaultHead, Subject: vaultJournal, Detail: map[string]string{
		"seq": strconv.FormatInt(s.Journal.Seq, 10), "hash": hex.EncodeToString(s.Journal.Hash), "checkpoint": string(c)}})
}

// witnessJournal asks the vault whether its journal has what was noted of it.
func (a *Appliance) witnessJournal(ctx context.Context, noted store.Checkpoint) error {
	err := a.Vault.WitnessJournal(ctx, noted)
	if vault.KindOf(err) != vault.Tampered {
		return err
	}
	a.log.Error("the vault is not the one it was; no time-stamps are made", "err", err,
		"do", "look with `sigillo journal verify`; restore the vault's state from the newest backup, or go on from here with `sigillo tsa start`")
	return a.journal.Append(ctx, audit.Event{Actor: "appliance", Event: "vault.set-back", Subject: "vault",
		Detail: map[string]string{"entry": strconv.FormatInt(noted.Seq, 10)}})
}

// NotedVaultHeads are the checkpoints of the vault's journal that the appliance's
// journal knows of, for [audit.Verify]: the last [store.MaxRows], newest first. More
// than one, because a journal that was set back grows again and passes the last.
func (a *Appliance) NotedVaultHeads(ctx context.Context) ([]store.Checkpoint, error) {
	var entries []store.JournalEntry
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		entries, err = tx.JournalOf(vaultJournal, store.MaxRows)
		return err
	})
	noted := make([]store.Checkpoint, len(entries))
	for i, e := range entries {
		if err := readCheckpoint(e.Detail, &noted[i]); err != nil {
			return nil, fmt.Errorf("appliance: entry %d of the journal cannot be read: %w", e.Seq, err)
		}
	}
	return noted, err
}

func readCheckpoint(detail []byte, c *store.Checkpoint) error {
	var d map[string]string
	if err := json.Unmarshal(detail, &d); err != nil {
		return err
	}
	return json.Unmarshal([]byte(d["checkpoint"]), c)
}
