package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/auth/graphometric"
	"sigillo/hsm"
	"sigillo/store"
)

// A profile is what a holder's handwritten signatures are compared with, and with it the
// secret that the credential's KEK is derived from. Both rest encrypted in one template for
// each version of the profile:
//
//	key    = 32 random bytes, for this version and no other
//	Sealed = AES-256-GCM(key, secret ‖ profile), AAD = credential, holder, version, class, algorithm
//	Wrapped = the token's sealing key "vault-templates" over key, with the same AAD
//
// A template in the place of another one does not open. The head of the profile, a row under
// a MAC whose changes the journal tells, says which version is in force: the newest one,
// always. Which signature matched how well is nowhere.
//
// The secret is in escrow: who has the vault's state, the token and its PIN can open it, and
// sign with the key. That is not so for a credential with a password.

const (
	secretSize = 32
	// keptVersions is how many versions are kept besides the one that was enrolled.
	keptVersions = 8
	// maxTemplate bounds what a version may be.
	maxTemplate = 8 << 20
)

// The states of a profile.
const (
	profileActive = "active"
	profileGone   = "destroyed"
)

// profile is the head of a profile.
type profile struct {
	Credential string `json:"credential"`
	Holder     string `json:"holder"`
	Class      string `json:"class"`
	Version    int64  `json:"template"` // the version in force: the newest
	First      int64  `json:"first"`    // the oldest but the one enrolled that is kept
	Consent    []byte `json:"consent"`  // SHA-256 of the text that was agreed to
	Operator   string `json:"operator"` // who enrolled
	Second     string `json:"second"`
	Enrolled   int64  `json:"enrolled"` // ms
	Destroyed  int64  `json:"destroyed,omitempty"`

	mismatches
	version int64 // of the row
}

// mismatches are those of one day, UTC, and until when no signature is looked at because of
// them. They are counted apart from wrong passwords and codes: neither do strangers lock a
// customer out at the counter, nor does a forger there lock the holder's other keys.
type mismatches struct {
	Day      int64 `json:"day,omitempty"`
	Failures int   `json:"failures,omitempty"`
	Until    int64 `json:"until,omitempty"` // ms
}

var errProfile = fail(NotAllowed, "there is no profile for this credential: it was destroyed, or never enrolled")

// lockAfter is how long no signature is looked at after so many mismatches on a day; 0: one
// may go on. With three attempts for each presence of an operator a forger has nine tries a
// day.
func lockAfter(failures int) time.Duration {
	switch {
	case failures%MaxAttempts != 0:
		return 0
	case failures <= MaxAttempts:
		return 15 * time.Minute
	case failures <= 2*MaxAttempts:
		return 4 * time.Hour
	}
	return 24 * time.Hour
}

// locked says whether signatures are looked at.
func (p *mismatches) locked(now time.Time) error {
	if wait := time.UnixMilli(p.Until).Sub(now); p.Until > 0 && wait > 0 {
		return &Error{Kind: SignatureLocked, Msg: "the signature was not recognised too often; wait, or go another way", RetryAfter: wait}
	}
	return nil
}

// fail counts n mismatches.
func (p *mismatches) fail(n int, now time.Time) {
	if day := now.Unix() / 86400; day != p.Day {
		p.Day, p.Failures = day, 0
	}
	for range n {
		p.Failures++
		if wait := lockAfter(p.Failures); wait > 0 {
			p.Until = max(p.Until, millis(now.Add(wait)))
		}
	}
}

// profile reads the head of a profile that may be used.
func (v *server) profile(tx *store.Tx, credential string) (*profile, error) {
	p, err := v.anyProfile(tx, credential)
	if err == nil && p.Destroyed != 0 {
		return nil, errProfile
	}
	return p, err
}

// anyProfile reads the head of a profile, also of one that was destroyed.
func (v *server) anyProfile(tx *store.Tx, credential string) (*profile, error) {
	p := &profile{}
	var err error
	if p.version, err = v.counterRow(tx, store.CounterProfile, credential, p); err == errNoCounterRow {
		err = errProfile
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// keepProfile writes the next version of a head.
func (v *server) keepProfile(tx *store.Tx, p *profile, ev audit.Event) error {
	r := store.CounterRow{Kind: store.CounterProfile, ID: p.Credential, State: profileActive, Holder: p.Holder, Version: p.version}
	if p.Destroyed != 0 {
		r.State = profileGone
	}
	if ev.Detail == nil {
		ev.Detail = map[string]string{}
	}
	ev.Detail["holder"], ev.Detail["template"] = p.Holder, strconv.FormatInt(p.Version, 10)
	if err := v.keepCounterRow(tx, r, p, ev); err != nil {
		return err
	}
	p.version++
	return nil
}

func (v *server) templateMAC(t store.Template) []byte {
	return newMessage("sigillo template row v1").text(t.Credential).num(t.Version).num(millis(t.Created)).text(t.Class).text(t.Algorithm).
		text(t.Reason).mac(&v.rowKey)
}

// templateContext ties a template to its place.
func templateContext(p *profile, t *store.Template) []byte {
	return newMessage("sigillo template v1").text(p.Holder).text(p.Credential).num(t.Version).text(t.Class).text(t.Algorithm)
}

// sealTemplate encrypts a version of a profile, under a fresh key.
func (v *server) sealTemplate(ctx context.Context, p *profile, version int64, algorithm, reason string, secret *[secretSize]byte, of *graphometric.Profile) (t store.Template, err error) {
	t = store.Template{Credential: p.Credential, Version: version, Created: time.UnixMilli(millis(v.now())).UTC(), Class: p.Class,
		Algorithm: algorithm, Reason: reason}
	b, err := of.MarshalBinary()
	defer clear(b)
	if err != nil || len(b) > maxTemplate {
		return t, &Error{Kind: Failed, Msg: "the profile cannot be encoded", Err: err}
	}
	plain, err := newLocked(secretSize + len(b))
	if err != nil {
		return t, err
	}
	defer plain.release()
	copy(plain.b, secret[:])
	copy(plain.b[secretSize:], b)
	return t, v.sealPlain(ctx, p, &t, plain.b)
}

// sealPlain is sealTemplate for what is encoded.
func (v *server) sealPlain(ctx context.Context, p *profile, t *store.Template, plain []byte) error {
	key := make([]byte, 32)
	defer clear(key)
	rand.Read(key)
	aead, err := newGCM(key)
	if err != nil {
		return because(err, "the profile cannot be encrypted")
	}
	t.Sealed = aead.Seal(nil, make([]byte, captureIV), plain, templateContext(p, t)) // one key, one text
	if t.Wrapped, err = v.tok.Seal(ctx, keyTemplates, templateContext(p, t), key); err != nil {
		return because(err, "the token did not wrap the profile's key")
	}
	t.MAC = v.templateMAC(*t)
	return nil
}

// openTemplate decrypts a version. The caller releases what it returns: secret ‖ profile.
func (v *server) openTemplate(ctx context.Context, p *profile, t *store.Template) (*locked, error) {
	damaged := fail(Tampered, "the profile of this credential was changed; restore it from a backup or enrol anew")
	if !hmac.Equal(t.MAC, v.templateMAC(*t)) || t.Credential != p.Credential || t.Class != p.Class || len(t.Sealed) < secretSize+captureTag ||
		len(t.Sealed) > secretSize+maxTemplate+captureTag {
		return nil, damaged
	}
	key, err := v.tok.Unseal(ctx, keyTemplates, templateContext(p, t), t.Wrapped)
	defer clear(key)
	if hsm.KindOf(err) == hsm.WrongSecret || err == nil && len(key) != 32 {
		return nil, damaged
	}
	if err != nil {
		return nil, because(err, "the token did not open the profile's key")
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, because(err, "the profile cannot be decrypted")
	}
	l, err := newLocked(len(t.Sealed))
	if err != nil {
		return nil, err
	}
	if l.b, err = aead.Open(l.b[:0], make([]byte, captureIV), t.Sealed, templateContext(p, t)); err != nil {
		l.release()
		return nil, damaged
	}
	return l, nil
}

// putTemplate makes t the version in force, with the head and the journal, and forgets the
// oldest but the one that was enrolled.
func (v *server) putTemplate(tx *store.Tx, p *profile, t store.Template, ev audit.Event) error {
	p.Version = t.Version
	if err := tx.PutTemplate(t); err != nil {
		return err
	}
	if old := t.Version - keptVersions; old >= p.First && old > 1 {
		n, err := tx.DeleteTemplates(p.Credential, max(p.First, 2), old)
		if err != nil {
			return err
		}
		if n > 0 {
			v.erased.Store(true)
		}
		p.First = old + 1
	}
	return v.keepProfile(tx, p, ev)
}

// endProfile erases the profile of a credential that is destroyed. None is no error.
func (v *server) endProfile(tx *store.Tx, credential, by, reason string) error {
	p, err := v.anyProfile(tx, credential)
	if err == errProfile || err == nil && p.Destroyed != 0 {
		return nil
	}
	if err == errCounterRow { // of no use already; its templates go all the same
		p, err = nil, nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.DeleteTemplates(credential, 0, 1<<62); err != nil {
		return err
	}
	v.erased.Store(true)
	if p == nil {
		return nil
	}
	p.Destroyed = millis(v.now())
	if err := tx.Count(countDestroyed, 1); err != nil {
		return err
	}
	if err := v.endCapturesFor(tx, p.Holder, credential, "the profile was destroyed"); err != nil {
		return err
	}
	return v.keepProfile(tx, p, audit.Event{Actor: by, Event: profileDestroyed, Detail: map[string]string{"reason": reason}})
}

// setPolicy reads how strictly handwritten signatures are compared.
func (v *server) setPolicy() error {
	switch v.cfg.Signatures {
	case "", "standard":
		v.policy = graphometric.Standard()
	case "high":
		v.policy = graphometric.High()
	case "highest":
		v.policy = graphometric.Highest()
	default:
		return fail(Failed, `the policy for handwritten signatures must be "standard", "high" or "highest"`)
	}
	return nil
}

// withTemplates says why no handwritten signature can be looked at; nil: they can.
func (v *server) withTemplates() error {
	if e := v.templates.Load(); e != nil {
		return e
	}
	return nil
}

// openTemplates sees to it that the token has the key of the templates. Where it does not
// succeed, everything but handwritten signatures works, and it is tried again every minute:
// a token without room for one key more, or one that was restored without this one, keeps
// nobody else from signing.
func (v *server) openTemplates(ctx context.Context) {
	was := v.templates.Load()
	err := v.templateKey(ctx)
	if err == nil {
		if v.templates.Store(nil); was != nil {
			v.log.Info("handwritten signatures can be compared again")
		}
		return
	}
	// To who asks it is the token that is not there: nothing was used up, try again later.
	e := &Error{Kind: TokenGone, Msg: "the token has no key for profiles of handwritten signatures; see the log of the vault", Err: err, RetryAfter: time.Minute}
	if own, ok := err.(*Error); ok {
		e.Msg = own.Msg
	}
	if v.templates.Store(e); was == nil {
		v.log.Error("handwritten signatures are out of order; it is tried again every minute", "err", err)
	}
}

// templateKey makes the key of the templates, at the first start of a program that knows it,
// and journals that. Where the journal says that there was one it is not made again: without
// it nothing can be read, and somebody must know.
func (v *server) templateKey(ctx context.Context) error {
	has, err := v.tok.Has(keyTemplates)
	if err != nil {
		return because(err, "the token cannot be searched")
	}
	made := true
	err = v.db.Read(ctx, func(tx *store.Tx) error {
		_, err := tx.LastJournalOf(keyTemplates, "key.created")
		if store.KindOf(err) == store.NotFound {
			made, err = false, nil
		}
		return err
	})
	switch {
	case err != nil:
		return because(err, "the vault's journal cannot be read")
	case has && made:
		return nil
	case made:
		return failf(NotAllowed, "the token lacks the key %s: no handwritten signature can be compared; restore it from a backup", keyTemplates)
	case !has:
		if err := v.tok.GenerateSealKey(ctx, keyTemplates); err != nil {
			return because(err, "no handwritten signature can be compared: the token did not make the key "+keyTemplates)
		}
	}
	// Also when it was made before and the vault died then.
	err = v.journal(ctx, audit.Event{Actor: "vault", Event: "key.created", Subject: keyTemplates})
	return because(err, "the vault's journal cannot be written")
}
