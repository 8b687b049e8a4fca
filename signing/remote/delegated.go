package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// The automatic procedure (SIG-7): the holder authenticates once, for a delegation, and
// an application signs within its bounds without the holder. It presents a certificate
// of its own instead of the holder's factors. The vault judges the bounds; that the
// certificate was presented, and that the documents are of a kind, is said by us.

// NotDelegated: no delegation allows this, or not any more, or the credential is none
// that can be delegated.
const NotDelegated signing.Kind = "not-delegated"

// Delegation is the bounds of a delegation that a holder gives.
type Delegation struct {
	// ID is a name that [NewDelegationID] made. The same one with the same bounds again
	// gives no second delegation.
	ID         string
	Credential string
	Count      int       // signatures, 1 to vault.MaxDelegated
	Expires    time.Time // at most vault.DelegationLife from now
	// ClientCertificate is the SHA-256 of the DER of the application's certificate.
	ClientCertificate []byte
	Kinds             []string // of documents, 1 to 16 names
}

var delegationID = regexp.MustCompile(`^delegation-[0-9a-zA-Z]{16,64}$`)

// NewDelegationID makes a name for a delegation that is to be given.
func NewDelegationID() string { return "delegation-" + newID() }

// Delegate gives a delegation of a credential of the automatic procedure. Its intent is
// journalled before the vault is asked, its outcome before the answer. The password is
// wiped.
//
// Kinds: NotFound, NotDelegated, BadRequest, Cert…, WrongFactors, ReusedOTP, Locked,
// KeyUnavailable, Busy, DiskFull.
func (s *Service) Delegate(ctx context.Context, holder string, n Delegation, e signing.Evidence) (vault.Delegation, error) {
	defer clear(e.Password)
	var none vault.Delegation
	if !delegationID.MatchString(n.ID) {
		return none, fail(signing.BadRequest, "a delegation has a name that was made for it", nil)
	}
	if len(n.ClientCertificate) != sha256.Size {
		return none, fail(signing.BadRequest, "the application's certificate is named by its SHA-256", nil)
	}
	c, err := s.load(ctx, holder, n.Credential)
	if err == nil {
		err = c.usable()
	}
	if err == nil && !c.record.Automatic {
		err = fail(NotDelegated, "the credential is not for the automatic procedure", nil)
	}
	if err != nil {
		return none, err
	}
	factors, err := c.factors()
	if err != nil {
		return none, err
	}
	id := n.ID
	ev := audit.Event{Actor: holder, Event: "delegation.intent", Subject: id, Detail: map[string]string{
		"credential": n.Credential, "count": strconv.Itoa(n.Count), "expires": n.Expires.UTC().Format(time.RFC3339),
		"clientCertificate": hex.EncodeToString(n.ClientCertificate), "client": e.Client}}
	if err := s.journal(ctx, ev, stillValid(c.row.Certificate)); err != nil {
		return none, err
	}
	d, err := s.cfg.Vault.Delegate(ctx, vault.NewDelegation{Factors: factors, Credential: c.record, Evidence: e, ID: id, Count: n.Count,
		Expires: n.Expires, ClientCertificate: n.ClientCertificate, Kinds: n.Kinds, Request: id})
	if err != nil {
		err = fromDelegation(err)
		s.note(ctx, audit.Event{Actor: holder, Event: "delegation.refused", Subject: id, Detail: map[string]string{
			"kind": string(signing.KindOf(err)), "credential": n.Credential, "client": e.Client}})
		return none, err
	}
	ev.Event = "delegation.given"
	ev.Detail["kinds"] = strings.Join(d.Kinds, ", ") // the vault has checked them
	return d, s.journal(context.WithoutCancel(ctx), ev, nil)
}

// Delegations lists the delegations of a holder, at most 100: first all that are in force,
// then those that are over, the newest of each first.
func (s *Service) Delegations(ctx context.Context, holder string) ([]vault.Delegation, error) {
	ds, err := s.cfg.Vault.Delegations(ctx, holder)
	return ds, fromVault(err)
}

// RevokeDelegation ends a delegation of a holder at once; SADs under it sign nothing any
// more. by is who revokes it: the holder, or a member of the staff. No factors are asked
// for, because it takes power away. Kinds: NotFound, KeyUnavailable, Busy, DiskFull.
func (s *Service) RevokeDelegation(ctx context.Context, holder, id, by, reason string) error {
	ds, err := s.Delegations(ctx, holder)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(ds, func(d vault.Delegation) bool { return d.ID == id }) {
		return fail(signing.NotFound, "no such delegation", nil)
	}
	if err := s.cfg.Vault.RevokeDelegation(ctx, id, by, reason); err != nil {
		return fromVault(err)
	}
	return s.journal(context.WithoutCancel(ctx), audit.Event{Actor: by, Event: "delegation.revoked", Subject: id,
		Detail: map[string]string{"holder": holder, "reason": reason}}, nil)
}

// DelegatedTo lists the credentials of a holder that are delegated now to whoever
// presents a certificate, given by its SHA-256. A holder who does not exist has none:
// who asks may not learn who does.
func (s *Service) DelegatedTo(ctx context.Context, username string, certificate []byte) ([]Credential, error) {
	var h store.Holder
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.HolderByUsername(username)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fromStore(err)
	}
	all, err := s.Credentials(ctx, h.ID)
	if err != nil {
		return nil, err
	}
	ds, err := s.Delegations(ctx, h.ID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c Credential) bool { return !delegated(ds, c.ID, certificate) }), nil
}

// DelegatedCredential gives one credential that is delegated now to whoever presents a
// certificate. Kind: NotFound.
func (s *Service) DelegatedCredential(ctx context.Context, certificate []byte, id string) (Credential, error) {
	c, err := s.ownedBySomebody(ctx, id)
	if err != nil {
		return Credential{}, err
	}
	ds, err := s.Delegations(ctx, c.row.Holder)
	if err == nil && !delegated(ds, id, certificate) {
		err = fail(signing.NotFound, "no such credential", nil)
	}
	if err != nil {
		return Credential{}, err
	}
	return c.present(), nil
}

func delegated(ds []vault.Delegation, credential string, certificate []byte) bool {
	return slices.ContainsFunc(ds, func(d vault.Delegation) bool {
		return d.State == vault.DelegationActive && d.Credential == credential && string(d.ClientCertificate) == string(certificate)
	})
}

// ownedBySomebody loads a credential whoever its holder is.
func (s *Service) ownedBySomebody(ctx context.Context, id string) (credential, error) {
	var row store.Credential
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.Credential(id)
		return err
	})
	if err != nil {
		return credential{}, fromStore(err)
	}
	return s.load(ctx, row.Holder, id)
}

// delegatedOnce loads a credential that is or was delegated to whoever presents a
// certificate. To others it says the same whether there is such a credential or not.
func (s *Service) delegatedOnce(ctx context.Context, certificate []byte, id string) (credential, error) {
	unknown := fail(NotDelegated, "no delegation allows this, or not any more", nil)
	c, err := s.ownedBySomebody(ctx, id)
	if signing.KindOf(err) == signing.NotFound {
		return c, unknown
	}
	if err != nil {
		return c, err
	}
	ds, err := s.Delegations(ctx, c.row.Holder)
	if err == nil && !slices.ContainsFunc(ds, func(d vault.Delegation) bool {
		return d.Credential == id && string(d.ClientCertificate) == string(certificate)
	}) {
		err = unknown
	}
	return c, err
}

// AuthoriseDelegated gives a grant over the digests of o under a delegation, as
// [Service.Authorise] does with the holder's factors: the certificate is valid now, the
// vault finds the request within the bounds and counts it, then it is journalled.
// certificate is the SHA-256 of the DER of the one that o.Application presented on this
// connection; kind says what the documents are. The digests are counted whether they
// are signed in the end or not.
//
// Kinds: BadRequest, NotDelegated, TooMany, WeakHash, BadDigest, Cert…,
// KeyUnavailable, Busy, DiskFull.
func (s *Service) AuthoriseDelegated(ctx context.Context, certificate []byte, delegation string, o Order, kind, client string) (Grant, error) {
	if len(certificate) != sha256.Size || delegation == "" || kind == "" || o.Documents {
		return Grant{}, fail(signing.BadRequest, "certificate, delegation and kind of documents are needed, and digests of data to be signed", nil)
	}
	c, err := s.delegatedOnce(ctx, certificate, o.Credential)
	if err == nil {
		err = o.check(c.record.MaxDigests)
	}
	if err != nil {
		return Grant{}, err
	}
	refused := func(err error) (Grant, error) {
		// The name of the delegation and the kind are the application's words: what the
		// vault has not accepted is not put into the journal.
		s.note(ctx, audit.Event{Actor: o.Application, Event: "signature.refused", Subject: o.Credential, Detail: map[string]string{
			"kind": string(signing.KindOf(err)), "application": o.Application, "client": client, "procedure": "automatic"}})
		return Grant{}, err
	}
	if err := c.usable(); err != nil {
		return refused(err)
	}
	sad, err := s.cfg.Vault.AuthoriseDelegated(ctx, vault.DelegatedAuthorisation{Delegation: delegation, Credential: c.record,
		ClientCertificate: certificate, Kind: kind, Hash: o.Hash.String(), Digests: o.Digests, Client: client, Request: newID()})
	if err != nil {
		return refused(fromDelegation(err))
	}
	g := &granted{sad: sad.Token, left: count(o.Digests), Grant: Grant{ID: sad.ID, Holder: c.row.Holder, Application: o.Application,
		Credential: o.Credential, Hash: o.Hash, Left: len(o.Digests), Description: o.Description, Expires: sad.Expires, Delegation: delegation},
		certificate: hex.EncodeToString(certificate)}
	ev := grantedEvent("signature.granted", g, o.Digests, client)
	ev.Detail["delegation"], ev.Detail["documentKind"] = delegation, kind
	if err := s.journal(context.WithoutCancel(ctx), ev, nil); err != nil {
		return Grant{}, err
	}
	return s.hand(g)
}

// SignDelegated is [Service.Sign] for a grant of AuthoriseDelegated, by the application
// that presents the same certificate. Kind NotDelegated besides: the delegation was
// revoked.
func (s *Service) SignDelegated(ctx context.Context, application string, certificate []byte, handle string, a Activation) ([][]byte, error) {
	return s.Sign(ctx, presented(hex.EncodeToString(certificate)), application, handle, a)
}

// presented stands in the place of the holder where a grant under a delegation is
// used: no holder has such a name, so none of the ways of holders leads to it.
func presented(certificate string) string { return "certificate " + certificate }

// fromDelegation tells what is outside of the bounds from other faults.
func fromDelegation(err error) error {
	if vault.KindOf(err) == vault.NotAllowed {
		return fail(NotDelegated, "no delegation allows this, or not any more", err)
	}
	return fromVault(err)
}
