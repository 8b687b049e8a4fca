package audit

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"time"

	"sigillo/store"
)

// Checkpoint signs the head of the journal (which journal it is, sequence number,
// hash, time) with SHA-256 and an ECDSA or RSA (PKCS #1 v1.5) key, and stores the
// signature under the key's label. It does nothing when the journal is empty or
// its head bears this key's checkpoint already. The key is used outside of any
// transaction.
func (j *Journal) Checkpoint(ctx context.Context, signer crypto.Signer, keyID string) error {
	c, fresh, err := j.next(ctx, keyID)
	if err != nil || !fresh {
		return err
	}
	digest := sha256.Sum256(encodeCheckpoint(j.db.Schema(), c))
	if c.Signature, err = signer.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		return &Error{Failed, "audit: sign the checkpoint with " + keyID, err}
	}
	if err := verifyCheckpoint(j.db.Schema(), c, signer.Public()); err != nil {
		return err // a signer that answers with nonsense is found here, not by the auditor
	}
	err = j.db.Write(ctx, func(tx *store.Tx) error { return tx.PutCheckpoint(c) })
	if store.KindOf(err) == store.Conflict {
		return nil // somebody else signed the same head meanwhile
	}
	return err
}

// next returns the checkpoint to be signed and whether there is need of it.
func (j *Journal) next(ctx context.Context, keyID string) (c store.Checkpoint, fresh bool, err error) {
	err = j.db.Read(ctx, func(tx *store.Tx) error {
		head, err := tx.JournalHead()
		if store.KindOf(err) == store.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		old, err := tx.Checkpoints(head.Seq, 0)
		for _, o := range old {
			if o.Seq == head.Seq && o.Key == keyID {
				return err
			}
		}
		c = store.Checkpoint{Seq: head.Seq, Hash: head.Hash, Time: j.now().UTC().Truncate(time.Millisecond), Key: keyID}
		fresh = true
		return err
	})
	return c, fresh, err
}

// verifyCheckpoint checks the signature of a checkpoint of this journal.
func verifyCheckpoint(journal store.Schema, c store.Checkpoint, key crypto.PublicKey) error {
	digest := sha256.Sum256(encodeCheckpoint(journal, c))
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(k, digest[:], c.Signature) {
			return &Error{BadKey, "audit: the checkpoint's signature is wrong", nil}
		}
		return nil
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], c.Signature); err != nil {
			return &Error{BadKey, "audit: the checkpoint's signature is wrong", err}
		}
		return nil
	}
	return &Error{BadKey, "audit: checkpoints need an ECDSA or RSA key", errors.ErrUnsupported}
}
