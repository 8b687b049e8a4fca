package counter

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/store"
	"sigillo/vault"
)

// A tablet comes to its counter in three steps. A member of the technical service gives it
// a code, which is typed into its page; the tablet makes a key, which never leaves it, and
// shows the key's fingerprint; the member compares that, and confirms it with password and
// second factor, which the vault checks: from then on it knows the key. What the tablet
// shows us with each request is a token; it opens no key.

const (
	// TabletCodeLife is how long the code of a tablet is good for.
	TabletCodeLife = time.Hour
	// MaxTablets is how many a house has, without those that are revoked.
	MaxTablets    = 1000
	tabletPurpose = "tablet"
	maxPublicKey  = 200 // bytes of SubjectPublicKeyInfo; one of P-256 has 91
)

// The classes of devices.
var classes = map[string]bool{"pointer": true, "wacom-stu": true}

// NewTabletCode makes the code that a tablet is registered with; it is shown once.
func (s *Service) NewTabletCode(ctx context.Context, by member, n NewTablet) (out Tablet, code string, expires time.Time, err error) {
	if err := by.May(staff.CounterTablets); err != nil {
		return out, "", expires, err
	}
	if err := staff.CheckCentre(n.Centre); err != nil {
		return out, "", expires, err
	}
	if strings.TrimSpace(n.Name) == "" || strings.TrimSpace(n.Name) != n.Name || len(n.Name) > 64 || !utf8.ValidString(n.Name) ||
		strings.ContainsFunc(n.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return out, "", expires, fail(Invalid, "the name of a tablet has 1 to 64 bytes and no spaces around it", nil)
	}
	if code, err = auth.NewRecoveryCode(); err != nil {
		return out, "", expires, fail(Internal, "no random numbers", err)
	}
	now := s.cfg.Now()
	t := store.Tablet{ID: "tablet-" + newID()[:16], Name: n.Name, Centre: n.Centre, State: string(TabletInvited), Code: codeVerifier(code),
		CodeExpires: now.Add(TabletCodeLife), InvitedBy: by.ID, Created: now, Changed: now}
	err = s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if list, err := tx.Tablets("", false); err != nil || len(list) >= MaxTablets {
			return firstOf(err, fail(TooMany, "there are a thousand tablets; revoke those that are not used", nil))
		}
		if err := tx.PutTablet(t); err != nil {
			return err
		}
		return audit.Append(tx, now, audit.Event{Actor: by.ID, Event: "tablet.invited", Subject: t.ID, Detail: map[string]string{"name": t.Name, "centre": t.Centre}})
	})
	if err != nil {
		return out, "", expires, fromStore(err)
	}
	return s.tablet(t, false), code, t.CodeExpires, nil
}

// codeVerifier is what is kept of a tablet's code; nil when it cannot be one.
func codeVerifier(typed string) []byte {
	code, ok := auth.ParseRecoveryCode(typed)
	if !ok {
		return nil
	}
	return auth.CodeVerifier(tabletPurpose, "", code)
}

// EnrolTablet gives a tablet its place: publicKey is its key for signatures,
// SubjectPublicKeyInfo of P-256, class "pointer" or "wacom-stu". The token is what the
// tablet shows with each request; it is of no use before the tablet is confirmed.
func (s *Service) EnrolTablet(ctx context.Context, code, class string, publicKey []byte) (out Tablet, token string, err error) {
	if !classes[class] {
		return out, "", fail(Invalid, "there is no such class of tablets", nil)
	}
	if err := checkKey(publicKey); err != nil {
		return out, "", err
	}
	verifier := codeVerifier(code)
	wrong := fail(WrongCode, "this is no code of a tablet that is good now; have another made", nil)
	if verifier == nil {
		return out, "", wrong
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	token = base64.RawURLEncoding.EncodeToString(secret)
	now := s.cfg.Now()
	var t store.Tablet
	err = s.cfg.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if t, err = tx.TabletByCode(verifier); err != nil {
			return err
		}
		if !now.Before(t.CodeExpires) {
			return wrong
		}
		t.Class, t.State, t.Code, t.PublicKey, t.Token, t.Changed = class, string(TabletPending), nil, publicKey, tokenHash(token), now
		if err := tx.ChangeTablet(t, string(TabletInvited)); err != nil {
			return err
		}
		return audit.Append(tx, now, audit.Event{Actor: "tablet", Event: "tablet.enrolled", Subject: t.ID,
			Detail: map[string]string{"class": class, "key": fingerprint(publicKey)}})
	})
	switch store.KindOf(err) {
	case store.NotFound, store.Conflict:
		return out, "", wrong
	}
	if err != nil {
		return out, "", fromStore(err)
	}
	return s.tablet(t, false), token, nil
}

func checkKey(spki []byte) error {
	if len(spki) > maxPublicKey {
		return fail(Invalid, "this is no key of a tablet", nil)
	}
	k, err := x509.ParsePKIXPublicKey(spki)
	if key, ok := k.(*ecdsa.PublicKey); err != nil || !ok || key.Curve != elliptic.P256() {
		return fail(Invalid, "the key of a tablet is of the curve P-256", err)
	}
	return nil
}

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte("sigillo tablet token v1 " + token))
	return sum[:]
}

// fingerprint is what a tablet and the one who confirms it compare: 128 bits of the
// SHA-256 of its key, in eight groups.
func fingerprint(publicKey []byte) string {
	sum := sha256.Sum256(publicKey)
	h := hex.EncodeToString(sum[:16])
	groups := make([]string, 0, 8)
	for ; h != ""; h = h[4:] {
		groups = append(groups, h[:4])
	}
	return strings.Join(groups, " ")
}

// ConfirmTablet makes a tablet known to the vault, which checks the member's password and
// second factor in e; the password is wiped. print is the fingerprint that the tablet
// shows.
func (s *Service) ConfirmTablet(ctx context.Context, by member, id, print string, e vault.Evidence) (Tablet, error) {
	defer clear(e.Password)
	t, n, err := s.confirming(ctx, by, id, e)
	switch {
	case err != nil:
		return Tablet{}, err
	case plain(print) != plain(fingerprint(t.PublicKey)):
		return Tablet{}, fail(Invalid, "the tablet has another key; compare what it shows, and revoke it if it is not the same", nil)
	}
	err = s.cfg.Vault.RegisterTablet(ctx, n)
	if vault.KindOf(err) == vault.NotAllowed && s.registered(ctx, t) { // a crash came between
		err = nil
	}
	if err != nil {
		return Tablet{}, fromVault(err)
	}
	now := s.cfg.Now()
	t.State, t.ConfirmedBy, t.Changed = string(TabletActive), by.ID, now
	err = s.cfg.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := tx.ChangeTablet(t, string(TabletPending)); err != nil {
			return err
		}
		return audit.Append(tx, now, audit.Event{Actor: by.ID, Event: "tablet.confirmed", Subject: t.ID,
			Detail: map[string]string{"name": t.Name, "centre": t.Centre, "key": fingerprint(t.PublicKey)}})
	})
	s.hub.touch(t.ID)
	return s.tablet(t, false), fromStore(err)
}

// ChallengeTablet makes the challenge that a member's passkey answers for ConfirmTablet, from
// this client and browser.
func (s *Service) ChallengeTablet(ctx context.Context, by member, id, client, browser string) (vault.Challenge, error) {
	_, n, err := s.confirming(ctx, by, id, vault.Evidence{Client: client, Browser: browser})
	if err != nil {
		return vault.Challenge{}, err
	}
	c, err := s.cfg.Vault.Challenge(ctx, n)
	return c, fromVault(err)
}

// confirming is a tablet that waits to be confirmed, and what the vault is asked for it.
func (s *Service) confirming(ctx context.Context, by member, id string, e vault.Evidence) (t store.Tablet, n vault.NewTablet, err error) {
	if err := by.May(staff.CounterTablets); err != nil {
		return t, n, err
	}
	if t, err = s.oneTablet(ctx, id); err != nil {
		return t, n, err
	}
	if t.State != string(TabletPending) {
		return t, n, fail(BadState, "the tablet is "+t.State+", it does not wait to be confirmed", nil)
	}
	f, _, err := s.factors(ctx, by.ID)
	return t, vault.NewTablet{Factors: f, Evidence: e, ID: t.ID, Name: t.Name, Centre: t.Centre, Class: t.Class, PublicKey: t.PublicKey, Request: t.ID}, err
}

// registered says whether the vault knows a tablet by its key.
func (s *Service) registered(ctx context.Context, t store.Tablet) bool {
	list, err := s.cfg.Vault.Tablets(ctx)
	for _, v := range list {
		if err == nil && v.ID == t.ID && bytes.Equal(v.PublicKey, t.PublicKey) && v.Revoked.IsZero() {
			return true
		}
	}
	return false
}

func plain(print string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == ':' || r == '-' {
			return -1
		}
		return unicode.ToLower(r)
	}, print)
}

// RevokeTablet ends a tablet for good, and the session that it shows. It may be done
// again where the vault could not be reached.
func (s *Service) RevokeTablet(ctx context.Context, by member, id, reason string) error {
	if err := by.May(staff.CounterTablets); err != nil {
		return err
	}
	if strings.TrimSpace(reason) == "" || len(reason) > 200 {
		return fail(Invalid, "say why, in at most 200 bytes", nil)
	}
	ctx = context.WithoutCancel(ctx)
	now := s.cfg.Now()
	var last store.CounterSession
	err := s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		t, err := tx.Tablet(id)
		if err != nil {
			return err
		}
		if last, err = tx.CounterSessionAt(id); err != nil && store.KindOf(err) != store.NotFound {
			return err
		}
		from := t.State
		if from == string(TabletRevoked) {
			return nil
		}
		t.State, t.Code, t.Token, t.Changed = string(TabletRevoked), nil, nil, now
		if err := tx.ChangeTablet(t, from); err != nil {
			return err
		}
		return audit.Append(tx, now, audit.Event{Actor: by.ID, Event: "tablet.revoked", Subject: id, Detail: map[string]string{"reason": reason}})
	})
	if err != nil {
		return fromStore(err)
	}
	s.hub.touch(id)
	err = s.cfg.Vault.RevokeTablet(ctx, id, by.ID, reason)
	if vault.KindOf(err) == vault.NotAllowed { // it has never known it: the tablet was not confirmed
		err = nil
	}
	err = fromVault(err)
	if last.ID != "" && !State(last.State).Ended() {
		err = firstOf(err, s.lose(ctx, last.ID))
	}
	return err
}

// lose ends a session whose tablet is gone.
func (s *Service) lose(ctx context.Context, id string) error {
	v, release, err := s.hold(ctx, id, func(*session) bool { return true })
	if err != nil {
		return err
	}
	defer release()
	if v.state() != Open && v.state() != Reading && v.state() != Signing {
		return nil
	}
	return s.end(ctx, v, Cancelled, WhyTablet, "appliance")
}

// Tablets lists those of the member's centre; all of them for who registers tablets.
func (s *Service) Tablets(ctx context.Context, by member) ([]Tablet, error) {
	centre := by.Centre
	if by.May(staff.CounterTablets) == nil {
		centre = ""
	} else if err := at(by, staff.Counter); err != nil {
		return nil, err
	}
	var out []Tablet
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		list, err := tx.Tablets(centre, centre == "")
		for _, t := range list {
			last, err := tx.CounterSessionAt(t.ID)
			if err != nil && store.KindOf(err) != store.NotFound {
				return err
			}
			out = append(out, s.tablet(t, err == nil && !State(last.State).Ended()))
		}
		return err
	})
	return out, fromStore(err)
}

// TabletOf is the tablet of a token: one that is in use, or waits to be confirmed.
func (s *Service) TabletOf(ctx context.Context, token string) (Tablet, error) {
	unknown := fail(Unknown, "this tablet is not registered, or was revoked; register it", nil)
	if len(token) != base64.RawURLEncoding.EncodedLen(32) {
		return Tablet{}, unknown
	}
	var t store.Tablet
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		t, err = tx.TabletByToken(tokenHash(token))
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return Tablet{}, unknown
	}
	return s.tablet(t, false), fromStore(err)
}

func (s *Service) oneTablet(ctx context.Context, id string) (t store.Tablet, err error) {
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		t, err = tx.Tablet(id)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return t, fail(NotFound, "there is no such tablet", err)
	}
	return t, fromStore(err)
}

func (s *Service) tablet(t store.Tablet, busy bool) Tablet {
	_, device := s.hub.look(t.ID)
	out := Tablet{ID: t.ID, Name: t.Name, Centre: t.Centre, Class: t.Class, State: TabletState(t.State), Busy: busy,
		Online: s.online(t.ID), Device: device, Created: t.Created}
	if len(t.PublicKey) > 0 {
		out.Fingerprint = fingerprint(t.PublicKey)
	}
	return out
}
