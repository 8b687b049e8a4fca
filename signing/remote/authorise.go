package remote

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"sigillo/audit"
	"sigillo/signing"
	"sigillo/vault"
)

// Authorise has the holder's factors checked and gives a grant over exactly the
// digests of o.
//
//  1. The order makes sense, and the credential is the holder's and signs as many
//     digests at once.
//  2. The certificate is valid now (SIG-5), and not for the automatic procedure.
//  3. The vault checks the factors and mints a SAD over these digests. Durable there:
//     the second factor is used up.
//  4. Durable here: entry "signature.granted", with a hash over the digests. Only
//     then is the grant in force.
//
// The password is wiped before Authorise returns. Kinds: NotFound, BadRequest, TooMany,
// WeakHash, BadDigest, Cert…, AutomaticOnly, WrongFactors, ReusedOTP, Locked,
// KeyUnavailable, Busy, DiskFull.
func (s *Service) Authorise(ctx context.Context, holder string, o Order, e signing.Evidence) (Grant, error) {
	defer clear(e.Password)
	c, err := s.load(ctx, holder, o.Credential) // 1
	if err == nil {
		err = o.check(c.record.MaxDigests)
	}
	if err != nil {
		return Grant{}, err
	}
	refused := func(err error) (Grant, error) {
		s.note(ctx, audit.Event{Actor: holder, Event: "signature.refused", Subject: o.Credential, Detail: map[string]string{
			"kind": string(signing.KindOf(err)), "application": o.Application, "client": e.Client}})
		return Grant{}, err
	}
	if err := c.attended(); err != nil { // 2
		return refused(err)
	}
	request, err := c.authorisation(o)
	if err != nil {
		return Grant{}, err
	}
	request.Evidence = e
	sad, err := s.cfg.Vault.Authorise(ctx, request) // 3
	if err != nil {
		return refused(fromVault(err))
	}
	g := &granted{sad: sad.Token, left: count(o.Digests), Grant: Grant{ID: sad.ID, Holder: holder, Application: o.Application,
		Credential: o.Credential, Hash: o.Hash, Documents: o.Documents, Left: len(o.Digests), Description: o.Description, Expires: sad.Expires}}
	err = s.journal(ctx, grantedEvent("signature.granted", g, o.Digests, e.Client), nil) // 4
	if err != nil {
		return Grant{}, err
	}
	return s.hand(g)
}

// hand puts a grant in force and gives it with its handle.
func (s *Service) hand(g *granted) (Grant, error) {
	handle, err := s.grants.put(g, s.cfg.Now())
	if err != nil {
		return Grant{}, err
	}
	out := g.Grant
	out.Handle = handle
	return out, nil
}

// Extend gives a new grant over digests of another one that are not signed yet, all of
// them when digests is empty, and ends the old one. It never covers digests that the
// holder has not authorised. The vault bounds how often.
//
// Kinds: NoGrant, GrantExpired, Unauthorised, NotFound, Cert…, KeyUnavailable, Busy,
// DiskFull.
func (s *Service) Extend(ctx context.Context, holder, application, handle string, digests [][]byte) (Grant, error) {
	g, err := s.withdraw(handle, holder, application, digests)
	if err != nil {
		return Grant{}, err
	}
	if len(digests) == 0 {
		digests = g.unsigned()
	}
	next, err := s.extended(ctx, g, digests)
	if err != nil {
		s.restore(handle, g)
		return Grant{}, err
	}
	return s.hand(next)
}

// withdraw takes a grant out of force, so that nothing is signed with it while it is
// being extended.
func (s *Service) withdraw(handle, holder, application string, digests [][]byte) (*granted, error) {
	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	g, key, err := s.grants.find(handle, s.cfg.Now())
	if err != nil {
		return nil, err
	}
	if g.user() != holder || g.Application != application {
		return nil, fail(NoGrant, "no such authorisation", nil)
	}
	if len(digests) > 0 && !g.holds(digests) {
		return nil, fail(Unauthorised, "the authorisation is not for these digests, or they are signed", nil)
	}
	s.grants.drop(key)
	g.ended = true
	return g, nil
}

// restore puts a grant in force again that could not be extended.
func (s *Service) restore(handle string, g *granted) {
	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	s.grants.keep(sha256.Sum256([]byte(handle)), g)
}

func (s *Service) extended(ctx context.Context, g *granted, digests [][]byte) (*granted, error) {
	c, err := s.load(ctx, g.Holder, g.Credential)
	if err == nil {
		err = c.usable()
	}
	if err != nil {
		return nil, err
	}
	sad, err := s.cfg.Vault.ExtendSAD(ctx, vault.Extension{SAD: g.sad, Credential: c.record, Digests: digests, Client: g.Application, Request: newID()})
	if err != nil {
		return nil, fromVault(err)
	}
	next := &granted{sad: sad.Token, left: count(digests), Grant: g.Grant}
	next.ID, next.Expires, next.Left = sad.ID, sad.Expires, len(digests)
	ev := grantedEvent("signature.extended", next, digests, "")
	ev.Detail["from"] = g.ID
	return next, s.journal(ctx, ev, nil)
}

// Grant tells what a handle is for. Kinds: NoGrant, GrantExpired.
func (s *Service) Grant(handle string) (Grant, error) {
	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	g, _, err := s.grants.find(handle, s.cfg.Now())
	if err != nil {
		return Grant{}, err
	}
	return g.Grant, nil
}

// Revoke ends a grant: nothing more is signed with it. It says whether there was one.
func (s *Service) Revoke(ctx context.Context, handle string) bool {
	s.grants.mu.Lock()
	g, key, err := s.grants.find(handle, s.cfg.Now())
	if err == nil {
		s.grants.drop(key)
		g.ended = true
	}
	s.grants.mu.Unlock()
	if err != nil {
		return false
	}
	s.note(ctx, audit.Event{Actor: g.Application, Event: "signature.grant-revoked", Subject: g.ID,
		Detail: map[string]string{"holder": g.Holder, "left": strconv.Itoa(g.Left)}})
	return true
}

// RevokeAll ends all grants of an application by a holder, and declines what waits, when
// the holder wants nothing more to do with it. What it has under a delegation
// ends with that. It says how many grants there were.
func (s *Service) RevokeAll(ctx context.Context, holder, application string) int {
	var ended []*granted
	s.grants.mu.Lock()
	for _, key := range slices.Clone(s.grants.lots[lot(holder, "")]) {
		if g := s.grants.by[key]; g.Application == application {
			s.grants.drop(key)
			g.ended = true
			ended = append(ended, g)
		}
	}
	s.grants.mu.Unlock()
	for _, g := range ended {
		s.note(ctx, audit.Event{Actor: holder, Event: "signature.grant-revoked", Subject: g.ID,
			Detail: map[string]string{"application": application, "left": strconv.Itoa(g.Left)}})
	}
	for _, one := range s.Asked(ctx, holder) {
		if one.Order.Application == application {
			_ = s.Decline(ctx, holder, one.ID) // it was answered in the meantime
		}
	}
	return len(ended)
}

// check says whether an order makes sense; most is what the credential signs at once.
func (o Order) check(most int) error {
	if err := o.checkTexts(); err != nil {
		return err
	}
	if len(o.Digests) > most {
		return failf(TooMany, "the credential signs %d digests at once", most)
	}
	return checkDigests(o.Hash, o.Digests)
}

func (o Order) checkTexts() error {
	if len(o.Description) > MaxDescription || len(o.Application) > MaxApplication || o.Application == "" {
		return fail(signing.BadRequest, "the texts of the order are missing or too long", nil)
	}
	return nil
}

// checkDigests refuses hash functions under SHA-256 (ETSI TS 119 312) and digests that
// are none.
func checkDigests(h crypto.Hash, digests [][]byte) error {
	if h != crypto.SHA256 && h != crypto.SHA384 && h != crypto.SHA512 {
		return fail(WeakHash, "the hash function must be SHA-256, SHA-384 or SHA-512", nil)
	}
	if len(digests) == 0 {
		return fail(signing.BadRequest, "there are no digests", nil)
	}
	for _, d := range digests {
		if len(d) != h.Size() {
			return failf(BadDigest, "a digest has %d bytes; %s makes %d", len(d), h, h.Size())
		}
	}
	return nil
}

// grantedEvent names what was authorised by a hash that does not depend on the order.
func grantedEvent(name string, g *granted, digests [][]byte, client string) audit.Event {
	sorted := slices.Clone(digests)
	slices.SortFunc(sorted, bytes.Compare)
	sum := sha256.Sum256(bytes.Join(sorted, nil))
	d := map[string]string{"credential": g.Credential, "application": g.Application, "hash": g.Hash.String(),
		"count": strconv.Itoa(len(digests)), "digests": hex.EncodeToString(sum[:]), "documents": strconv.FormatBool(g.Documents)}
	if client != "" {
		d["client"] = client
	}
	if g.Description != "" {
		d["description"] = g.Description
	}
	return audit.Event{Actor: g.Holder, Event: name, Subject: g.ID, Detail: d}
}

func count(digests [][]byte) map[string]int {
	n := make(map[string]int, len(digests))
	for _, d := range digests {
		n[string(d)]++
	}
	return n
}

// newID makes an unguessable identifier: 130 bits, lower-case base32.
func newID() string {
	var b [17]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))[:26]
}
