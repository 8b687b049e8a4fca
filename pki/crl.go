package pki

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// listed are the states that are on the list.
var listed = []store.CertState{store.CertSuspended, store.CertRevoked, store.CertPresumedIssued}

// PublishCRLs makes and stores a new list for every CA. It is also the house's
// regular round: intents that were given up are settled and the responders'
// certificates renewed, before the lists are made. Call it well within the
// lists' life. One CA's failure does not keep the others from publishing.
func (a *Authority) PublishCRLs(ctx context.Context) error {
	_, err := a.resolve(ctx, a.now().Add(-intentLife))
	errs := []error{err, a.renewResponders(ctx)}
	for _, ca := range authorities {
		errs = append(errs, a.publish(ctx, ca))
	}
	return errors.Join(errs...)
}

// publish makes, checks and stores the list of one CA.
//
//  1. In one commit the number is reserved and the entries are read: a higher
//     number never shows an older state, and no number is used twice, even if
//     the list is lost after this.
//  2. The CA's key signs; the signature is checked.
//  3. The list is time-stamped, if the house has it so. One that cannot be is
//     published all the same, and the journal says so: a revocation must reach
//     those who ask, and the next list is stamped again.
//  4. List, token and the journal's entry are durable in one commit. That is the
//     publication: [Authority.CRL] serves this row.
func (a *Authority) publish(ctx context.Context, label string) error {
	ca := a.CA(label)
	if ca == nil {
		return errorf(NotFound, "there is no CA %q", label)
	}
	list, err := a.newList(ctx, label, ca) // 1
	if err != nil {
		return err
	}
	signer, err := a.keys.Signer(ctx, label)
	if err != nil {
		return wrap(KeyUnavailable, "the key "+label+" cannot be used", err)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca, signer) // 2
	if err != nil {
		return wrap(KeyUnavailable, "the list of "+label+" could not be signed", err)
	}
	parsed, err := x509.ParseRevocationList(der)
	if err == nil {
		err = parsed.CheckSignatureFrom(ca)
	}
	if err != nil {
		return wrap(Failed, "the list of "+label+" is not well signed", err)
	}
	var unstamped error
	row := store.CRL{Issuer: label, Number: list.Number.Int64(), DER: der, ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate}
	if a.cfg.Stamp != nil { // 3
		row.Timestamp, unstamped = a.stamp(ctx, der)
	}
	row.Published = a.now()
	return stored("publish the list of "+label, a.db.Write(ctx, func(tx *store.Tx) error { // 4
		if err := tx.PutCRL(row); err != nil {
			return err
		}
		return audit.Append(tx, row.Published, audit.Event{Actor: "pki", Event: "crl.published", Subject: label,
			Detail: listDetail(row, len(list.RevokedCertificateEntries), unstamped)})
	}))
}

// stampWait is how long a list waits for its time-stamp.
const stampWait = 5 * time.Second

func (a *Authority) stamp(ctx context.Context, der []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, stampWait)
	defer cancel()
	return a.cfg.Stamp(ctx, der)
}

func listDetail(row store.CRL, entries int, unstamped error) map[string]string {
	sum := sha256.Sum256(row.DER)
	d := map[string]string{
		"number": strconv.FormatInt(row.Number, 10), "entries": strconv.Itoa(entries), "sha256": hex.EncodeToString(sum[:]),
		"this-update": row.ThisUpdate.Format(time.RFC3339), "next-update": row.NextUpdate.Format(time.RFC3339),
	}
	if row.Timestamp != nil {
		sum := sha256.Sum256(row.Timestamp)
		d["timestamp-sha256"] = hex.EncodeToString(sum[:])
	}
	if unstamped != nil {
		d["not-stamped"] = unstamped.Error()
	}
	return d
}

// newList reserves the number and collects the entries. Entries stay after the
// certificate has expired, and the list says so.
func (a *Authority) newList(ctx context.Context, label string, ca *x509.Certificate) (*x509.RevocationList, error) {
	algorithm, _, err := signatureAlgorithm(ca.PublicKey)
	if err != nil {
		return nil, err
	}
	stay, err := expiredOnCRL(ca.NotBefore)
	if err != nil {
		return nil, wrap(Failed, "encode the list", err)
	}
	list := &x509.RevocationList{SignatureAlgorithm: algorithm, ExtraExtensions: []pkix.Extension{stay}}
	err = a.db.Write(ctx, func(tx *store.Tx) error {
		number, err := tx.NextCRLNumber(label)
		if err != nil {
			return err
		}
		list.Number = big.NewInt(number)
		list.ThisUpdate = a.now().UTC().Truncate(time.Second)
		list.NextUpdate = list.ThisUpdate.Add(a.cfg.CRLLife)
		rows, err := tx.CertificatesByIssuer(label, listed...)
		if err != nil {
			return err
		}
		for _, c := range rows {
			entry, err := listEntry(c)
			if err != nil {
				return err
			}
			list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, entry)
		}
		return nil
	})
	return list, stored("prepare the list of "+label, err)
}

func listEntry(c store.Certificate) (x509.RevocationListEntry, error) {
	serial, ok := new(big.Int).SetString(c.Serial, 16)
	if !ok {
		return x509.RevocationListEntry{}, errorf(Failed, "the register holds a serial that is no number")
	}
	return x509.RevocationListEntry{SerialNumber: serial, RevocationTime: c.StatusAt.UTC().Truncate(time.Second), ReasonCode: c.Reason}, nil
}

// CRL returns the current list of a CA, DER.
func (a *Authority) CRL(ctx context.Context, label string) ([]byte, error) {
	var row store.CRL
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.LatestCRL(label)
		return err
	})
	return row.DER, stored("list of that CA", err)
}

// CRLs returns the current lists of all CAs of the house.
func (a *Authority) CRLs(ctx context.Context) ([][]byte, error) {
	var lists [][]byte
	for _, ca := range authorities {
		der, err := a.CRL(ctx, ca)
		if err != nil {
			return nil, err
		}
		lists = append(lists, der)
	}
	return lists, nil
}
