package vault

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// TestUnitLife follows a unit from its key to its end.
func TestUnitLife(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	ctx, pki := t.Context(), cmstest.New(t)
	r.refused(tsa.Stopped)
	make := func(by Consent) error {
		_, err := r.c.MakeUnit(ctx, NewUnit{Series: "main", Type: "p256", Consent: by})
		return err
	}
	want(t, make(Consent{Operator: "anna"}), NotAllowed)
	want(t, make(Consent{Operator: "anna", Passphrase: []byte("wrong")}), WrongPassword)
	want(t, make(Consent{Passphrase: []byte(servicePhrase)}), BadRequest)
	_, err := r.c.MakeUnit(ctx, NewUnit{Series: "other", Type: "p256", Consent: consent()})
	want(t, err, BadRequest)
	u, err := r.c.MakeUnit(ctx, NewUnit{Series: "main", Type: "p256", Consent: consent()})
	if err != nil || u.Name != "tsu-1" || u.Number != 5<<10|1 || u.State != UnitMade {
		t.Fatalf("%+v, %v", u, err)
	}

	// Nothing but time-stamps is signed with its key.
	_, err = r.c.Signer(ctx, "tsu-1")
	want(t, err, NotAllowed)
	_, err = r.c.CreateKey(ctx, "tsu-2", "p256")
	want(t, err, NotAllowed)
	want(t, signLabel(r, "tsu-1", make32()), NotAllowed)

	_, err = r.c.ActivateUnit(ctx, "tsu-1", consent())
	want(t, err, NotAllowed)
	good := r.certifyCarefully(pki, u)
	r.refused(tsa.Stopped)
	_, err = r.c.ActivateUnit(ctx, "tsu-1", Consent{Operator: "anna", Passphrase: []byte("wrong")})
	want(t, err, WrongPassword)
	if u, err = r.c.ActivateUnit(ctx, "tsu-1", consent()); err != nil || !u.Serving || !u.Current {
		t.Fatalf("%+v, %v", u, err)
	}
	first := r.stamp(pki)
	if first.Unit != "tsu-1" || first.Serial>>46 != 5<<10|1 {
		t.Errorf("unit %s, serial %x", first.Unit, first.Serial)
	}
	if _, err = r.c.InstallUnit(ctx, "tsu-1", good.Certificate.Raw, nil); KindOf(err) != NotAllowed {
		t.Errorf("the certificate of an active unit was changed: %v", err)
	}

	r.stopAndGoOn(pki, first)
	r.retireAndLook()
}

// certifyCarefully tries every certificate that must not be taken, then gives the
// right one.
func (r *rig) certifyCarefully(pki *cmstest.PKI, u Unit) *cmstest.Identity {
	t, ctx := r.t, context.Background()
	t.Helper()
	good := certify(t, pki, u.PublicKey, time.Time{}, time.Time{})
	for name, der := range map[string][]byte{
		"another key": pki.TSU(t, "p256").Certificate.Raw, "noise": []byte("x"), "none": nil,
		"a signer's": pki.Identity(t, publicOnly{public: good.Certificate.PublicKey}, &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature}).Certificate.Raw,
		"usage not critical": pki.Identity(t, publicOnly{public: good.Certificate.PublicKey}, &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature,
			ExtraExtensions: []pkix.Extension{cmstest.TimeStampingEKU(false)}}).Certificate.Raw,
		"period over": certify(t, pki, u.PublicKey, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)).Certificate.Raw,
	} {
		if _, err := r.c.InstallUnit(ctx, "tsu-1", der, nil); KindOf(err) != NotAllowed {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := r.c.InstallUnit(ctx, "tsu-1", good.Certificate.Raw, [][]byte{pki.Root.Raw})
	want(t, err, NotAllowed)
	_, err = r.c.InstallUnit(ctx, "tsu-9", good.Certificate.Raw, nil)
	want(t, err, NotAllowed)
	u, err = r.c.InstallUnit(ctx, "tsu-1", good.Certificate.Raw, [][]byte{pki.CA.Raw})
	if err != nil || u.State != UnitReady || !u.To.Equal(good.Certificate.NotAfter) {
		t.Fatalf("%+v, %v", u, err)
	}
	return good
}

// stopAndGoOn stops the unit, starts it again, and has the vault started again, which
// the client that activated it does not notice.
func (r *rig) stopAndGoOn(pki *cmstest.PKI, first tsa.Stamp) {
	t, ctx := r.t, context.Background()
	t.Helper()
	u, err := r.c.StopUnit(ctx, "tsu-1", "anna", "maintenance")
	if err != nil || u.State != UnitStopped || u.Serving || u.Stamps != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	r.refused(tsa.Stopped)
	if u, err = r.c.ActivateUnit(ctx, "tsu-1", consent()); err != nil {
		t.Fatal(err)
	}
	if s := r.stamp(pki); s.Serial <= first.Serial || s.GenTime.Before(first.GenTime) {
		t.Errorf("serial %d after %d", s.Serial, first.Serial)
	}

	// The client that activated it brings it back after the vault was started anew.
	r.restart()
	if u := r.unit("tsu-1"); u.State != UnitActive || u.Stamps != 2 {
		t.Errorf("after a restart: %+v", u)
	}
	if s := r.stamp(pki); s.Serial <= first.Serial {
		t.Errorf("serial %d after %d", s.Serial, first.Serial)
	}
}

// retireAndLook ends the unit and looks at what is left: no key, and the journal.
func (r *rig) retireAndLook() {
	t, ctx := r.t, context.Background()
	t.Helper()
	_, err := r.c.RetireUnit(ctx, "tsu-1", "given up", Consent{Operator: "anna"})
	want(t, err, NotAllowed)
	if u, err := r.c.RetireUnit(ctx, "tsu-1", "given up", consent()); err != nil || u.State != UnitRetired || u.Stamps != 3 {
		t.Fatalf("%+v, %v", u, err)
	}
	r.refused(tsa.Stopped)
	_, err = r.c.ActivateUnit(ctx, "tsu-1", consent())
	want(t, err, NotAllowed)
	v, done := r.direct()
	defer done()
	if has, err := v.tok.Has("tsu-1"); has || err != nil {
		t.Errorf("the key of a retired unit is still there: %v", err)
	}
	n := r.events()
	for event, want := range map[string]int{"tsa.passphrase.set": 1, "tsu.intent": 1, "tsu.made": 1, "tsu.certified": 1,
		"tsu.started": 3, "tsu.stopped": 2, "tsu.retired": 1, "tsu.destroyed": 1, "tsu.waiting": 1, "tsa.refused": 4} {
		if n[event] != want {
			t.Errorf("%d entries %s, want %d", n[event], event, want)
		}
	}
}

func make32() []byte { return make([]byte, 32) }

// TestPassphrase: the first one is set in provisioning only; wrong ones count and
// lock; a new one ends what the old one allowed.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	ctx, pki := t.Context(), cmstest.New(t)
	r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
	want(t, r.c.SetPassphrase(ctx, PassphraseChange{Operator: "eva", New: []byte("un'altra frase lunga")}), NotAllowed)
	want(t, r.c.SetPassphrase(ctx, PassphraseChange{Operator: "eva", Old: []byte("no"), New: []byte("un'altra frase lunga")}), WrongPassword)
	want(t, r.c.SetPassphrase(ctx, PassphraseChange{Operator: "eva", Old: []byte(servicePhrase), New: []byte("short")}), BadRequest)
	if err := r.c.SetPassphrase(ctx, PassphraseChange{Operator: "eva", Old: []byte(servicePhrase), New: []byte("un'altra frase lunga")}); err != nil {
		t.Fatal(err)
	}
	_, err := r.c.MakeUnit(ctx, NewUnit{Series: "main", Type: "p256", Consent: Consent{Operator: "eva"}})
	want(t, err, NotAllowed) // the ticket went with the old passphrase
	r.stamp(pki)             // the unit did not
	other := func(p string) error {
		_, err := r.c.ActivateUnit(ctx, "tsu-1", Consent{Operator: "eva", Passphrase: []byte(p)})
		return err
	}
	for range 5 {
		want(t, other(servicePhrase), WrongPassword)
	}
	want(t, other("un'altra frase lunga"), Locked)
	want(t, other("un'altra frase lunga"), Locked)
	if s, err := r.c.TimeStamping(ctx); err != nil || s.LockedUntil.IsZero() || !s.Passphrase {
		t.Errorf("%+v, %v", s, err)
	}
	r.clock.move(time.Minute)
	if err := other("un'altra frase lunga"); err != nil {
		t.Error(err)
	}
	if n := r.events(); n["tsa.refused"] != 8 || n["tsa.passphrase.replaced"] != 1 { // 2 × wrong and none, 5 × wrong, 1 × locked
		t.Errorf("journal: %v", n)
	}
	fresh := newConfig(t)
	fresh.TSA = tsaConfig()
	rf := &rig{t: t, cfg: fresh, fault: func(string) {}, c: Dial(fresh.Socket)}
	defer rf.c.Close()
	rf.start()
	if _, err := rf.c.MakeUnit(ctx, NewUnit{Series: "main", Type: "p256", Consent: Consent{Operator: "eva"}}); err != nil {
		t.Errorf("in the ceremony, before there is a passphrase: %v", err)
	}
	rf.cfg.Provision = false
	rf.restart()
	defer rf.stop()
	want(t, rf.c.SetPassphrase(ctx, PassphraseChange{Operator: "eva", New: []byte("un'altra frase lunga")}), NotAllowed)
	_, err = rf.c.MakeUnit(ctx, NewUnit{Series: "main", Type: "p256", Consent: Consent{Operator: "eva"}})
	want(t, err, NotAllowed)
}

// A service that stamps while the passphrase is replaced brings its units back
// after that as before; the old ticket is good for nothing.
func TestPassphraseUnderWay(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	pki := cmstest.New(t)
	r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
	serving := Dial(r.cfg.Socket)
	defer serving.Close()
	q := stampRequest(t)
	if _, err := serving.Stamp(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	old := serving.ticketNow()
	if err := r.c.SetPassphrase(t.Context(), PassphraseChange{Operator: "eva", Old: []byte(servicePhrase), New: []byte("un'altra frase lunga")}); err != nil {
		t.Fatal(err)
	}
	if _, err := serving.Stamp(t.Context(), q); err != nil { // what is told comes before
		t.Fatal(err)
	}
	thief := Dial(r.cfg.Socket)
	defer thief.Close()
	thief.keepTicket(old)
	_, err := thief.MakeUnit(t.Context(), NewUnit{Series: "main", Type: "p256", Consent: Consent{Operator: "eva"}})
	want(t, err, NotAllowed)
	r.restart()
	if s, err := serving.Stamp(t.Context(), q); err != nil {
		t.Errorf("after a restart: %v", err)
	} else {
		checkStamp(t, q, s)
	}
}

// ticketNow is the ticket the client holds.
func (c *Client) ticketNow() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.ticket)
}

// TestTicketIsHandedOver: who stamps over a stream brings the units back after a
// crash, whoever activated them.
func TestTicketIsHandedOver(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	pki := cmstest.New(t)
	early, late := Dial(r.cfg.Socket), Dial(r.cfg.Socket)
	defer early.Close()
	defer late.Close()
	if _, err := early.Stamp(t.Context(), stampRequest(t)); tsa.KindOf(err) != tsa.Stopped {
		t.Fatal(err)
	}
	r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
	late.Attend()
	r.c.Close() // the operator's command ends
	for name, c := range map[string]*Client{"early": early, "late": late} {
		q := stampRequest(t)
		if _, err := c.Stamp(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.restart()
		if s, err := c.Stamp(t.Context(), q); err != nil {
			t.Errorf("%s, after a restart: %v", name, err)
		} else {
			checkStamp(t, q, s)
		}
	}
	early.Close()
	r.restart()
	r.c = late // nobody stamps: the unit comes back by itself
	for end := time.Now().Add(10 * time.Second); !r.unit("tsu-1").Serving; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody brought the unit back")
		}
	}
	late.Close()
	r.restart()
	r.c = Dial(r.cfg.Socket) // a stranger, without a ticket
	t.Cleanup(func() { r.c.Close() })
	r.refused(tsa.Stopped)
	if u := r.unit("tsu-1"); u.State != UnitActive || u.Serving {
		t.Errorf("without a ticket: %+v", u)
	}
}

// TestReboot: after a start of the machine nobody's ticket is good.
func TestReboot(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	pki := cmstest.New(t)
	r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
	r.stamp(pki)
	r.cfg.boot = "boot 2"
	r.restart()
	r.refused(tsa.Stopped)
	if u := r.unit("tsu-1"); u.State != UnitReady {
		t.Errorf("%+v", u)
	}
	if _, err := r.c.ActivateUnit(t.Context(), "tsu-1", consent()); err != nil {
		t.Fatal(err)
	}
	r.stamp(pki)
}

// TestUnattended: with a passphrase file the units are active from the start.
func TestUnattended(t *testing.T) {
	t.Parallel()
	var file string
	r := newTSARig(t, func(c *Config) {
		file = filepath.Join(filepath.Dir(c.Socket), "passphrase")
		if err := os.WriteFile(file, []byte(servicePhrase+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.TSA.PassphraseFile, c.TSA.PSS = file, true
	})
	pki := cmstest.New(t)
	u, err := r.c.MakeUnit(t.Context(), NewUnit{Series: "main", Type: "rsa2048", Consent: Consent{Operator: "job"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.c.InstallUnit(t.Context(), u.Name, certify(t, pki, u.PublicKey, time.Time{}, time.Time{}).Certificate.Raw, [][]byte{pki.CA.Raw}); err != nil {
		t.Fatal(err)
	}
	r.cfg.boot = "boot 2"
	r.restart()
	stranger := Dial(r.cfg.Socket)
	defer stranger.Close()
	deadline := time.Now().Add(10 * time.Second)
	for !r.unit("tsu-1").Serving && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	q := stampRequest(t)
	s, err := stranger.Stamp(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	checkStamp(t, q, s)
	if err := r.c.LiftClock(t.Context(), Consent{Operator: "job"}); KindOf(err) != NotAllowed {
		t.Errorf("the file lifted the clock's stop: %v", err)
	}
	// Whoever guesses locks out people, not the file.
	for range 7 {
		if _, err := r.c.ActivateUnit(t.Context(), "tsu-1", Consent{Operator: "mallory", Passphrase: []byte("guessed wrongly")}); err == nil {
			t.Fatal("a guess was taken")
		}
	}
	r.restart()
	if !r.unit("tsu-1").Serving {
		t.Error("wrong passphrases keep an unattended vault from starting its units")
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = r.c.MakeUnit(t.Context(), NewUnit{Series: "main", Type: "p256", Consent: Consent{Operator: "job"}})
	want(t, err, Failed)
}

// TestRollOver: a successor takes over when its time begins, without a gap and
// without a passphrase while the activation holds; the old one is there until its
// own time ends.
func TestRollOver(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	ctx, pki := t.Context(), cmstest.New(t)
	old, err := r.c.MakeUnit(ctx, NewUnit{Series: "main", Type: "p256", Consent: consent()})
	if err != nil {
		t.Fatal(err)
	}
	next, err := r.c.MakeUnit(ctx, NewUnit{Series: "main", Type: "rsa2048", Consent: consent()})
	if err != nil || next.Name != "tsu-2" {
		t.Fatalf("%+v, %v", next, err)
	}
	now := time.Now() // keys take their time to make
	handover, over := now.Add(3*time.Second).Truncate(time.Second), now.Add(5*time.Second).Truncate(time.Second)
	take := func(u Unit, from, to time.Time, by Consent) {
		t.Helper()
		id := certify(t, pki, u.PublicKey, from, to)
		if _, err := r.c.InstallUnit(ctx, u.Name, id.Certificate.Raw, [][]byte{pki.CA.Raw}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.c.ActivateUnit(ctx, u.Name, by); err != nil {
			t.Fatal(err)
		}
	}
	take(old, now.Add(-time.Hour), over, consent())
	take(next, handover, now.Add(time.Hour), Consent{Operator: "job"}) // by the ticket
	seen := map[string]bool{}
	var units []string
	serials := map[int64]bool{}
	for time.Now().Before(over) {
		s := r.stamp(pki)
		if (s.Unit == "tsu-2") != !s.GenTime.Before(handover) {
			t.Errorf("at %v %s stamped, the handover was at %v", s.GenTime, s.Unit, handover)
		}
		if serials[s.Serial] {
			t.Errorf("serial %d twice", s.Serial)
		}
		if serials[s.Serial] = true; !seen[s.Unit] {
			seen[s.Unit] = true
			units = append(units, s.Unit)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !slices.Equal(units, []string{"tsu-1", "tsu-2"}) {
		t.Errorf("stamped by %v", units)
	}
	time.Sleep(time.Second)
	if _, err := r.c.StopUnit(ctx, "tsu-2", "anna", "test"); err != nil {
		t.Fatal(err)
	}
	r.refused(tsa.NotValid) // the time of the only unit left is over
	if _, err := r.c.ActivateUnit(ctx, "tsu-2", consent()); err != nil {
		t.Fatal(err)
	}
	v, done := r.direct()
	defer done()
	v.minute(ctx, 1)
	if n := r.entries("tsu.retired"); len(n) != 1 || n[0]["reason"] != "its usage period is over" {
		t.Errorf("journal: %v", n)
	}
}

// The vault keeps how far the archive was when it was shown, over restarts too, and
// never goes back with it.
func TestArchiveShown(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	ctx, pki := t.Context(), cmstest.New(t)
	r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
	kept := func(seq, made int64, hash byte) {
		t.Helper()
		s, err := r.c.TimeStamping(ctx)
		if err != nil || s.Archive.Seq != seq || s.Archive.Made != made || seq > 0 && s.Archive.Hash[0] != hash {
			t.Fatalf("%+v, %v; want %d of %d", s.Archive, err, seq, made)
		}
	}
	head := func(seq int64, hash byte) Archive {
		return Archive{Seq: seq, Hash: bytes.Repeat([]byte{hash}, 32), Made: 1 << 40}
	}
	show := func(a Archive) error { return r.c.Witness(ctx, nil, a) }
	if err := show(head(0, 0)); err != nil {
		t.Fatal(err)
	}
	kept(0, 0, 0)
	for range 3 {
		r.stamp(pki)
	}
	if err := show(head(2, 1)); err != nil { // one is on its way
		t.Fatal(err)
	}
	kept(2, 3, 1)
	r.restart()
	r.stamp(pki)
	if err := show(head(2, 1)); err != nil { // nothing new
		t.Fatal(err)
	}
	kept(2, 3, 1)
	want(t, show(head(1, 1)), Tampered)
	want(t, show(Archive{}), Tampered)
	want(t, show(head(2, 2)), Tampered)
	want(t, show(Archive{Seq: 3}), BadRequest)
	want(t, show(Archive{Seq: -1}), BadRequest)
	kept(2, 3, 1)
	if err := show(head(4, 2)); err != nil {
		t.Fatal(err)
	}
	kept(4, 4, 2)
	named := func(seq int64, id byte) Archive {
		a := head(seq, 3)
		a.Ledger = bytes.Repeat([]byte{id}, 16)
		return a
	}
	if err := show(named(5, 1)); err != nil { // a program that says which one it is
		t.Fatal(err)
	}
	want(t, show(named(6, 2)), Tampered)
	if err := show(named(6, 1)); err != nil {
		t.Fatal(err)
	}
}
