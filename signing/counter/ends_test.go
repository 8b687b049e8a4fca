package counter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/auth/staff"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// However a session is broken off: a clear state, an entry, nothing open, nothing signed.
func TestEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do    func(*rig, Session) error
		state State
		why   string
	}{
		"operator": {func(r *rig, s Session) error {
			_, err := r.Cancel(r.t.Context(), r.ornella, s.ID, WhyOperator) // a colleague of the centre may
			return err
		}, Cancelled, WhyOperator},
		"pen": {func(r *rig, s Session) error { _, err := r.Leave(r.t.Context(), r.tablet, s.ID, WhyPen); return err }, Cancelled, WhyPen},
		"customer": {func(r *rig, s Session) error {
			_, err := r.Leave(r.t.Context(), r.tablet, s.ID, WhyCustomer)
			return err
		}, Refused, WhyCustomer},
		"silent": {func(r *rig, s Session) error {
			r.clock.pass(AwayLife + time.Second)
			return r.Sweep(r.t.Context())
		}, Cancelled, WhyTablet},
		"slow": {func(r *rig, s Session) error {
			for range 20 {
				r.clock.pass(time.Minute)
				r.awake(r.tablet)
			}
			return r.Sweep(r.t.Context())
		}, Expired, WhyTime},
		"restart": {func(r *rig, s Session) error {
			r.restart()
			_, err := r.Resolve(r.t.Context())
			return err
		}, Cancelled, WhyRestart},
		"vault restarted": {func(r *rig, s Session) error {
			r.readAll(s)
			clear(r.vault.open)
			if _, err := r.Arm(r.t.Context(), r.tablet, s.ID); KindOf(err) != BadState {
				return err
			}
			return nil
		}, Cancelled, WhyRestart},
		"tablet revoked": {func(r *rig, s Session) error { return r.RevokeTablet(r.t.Context(), r.tullio, r.tablet, "stolen") }, Cancelled, WhyTablet},
		"vault silent": {func(r *rig, s Session) error { // the end does not wait for it
			r.vault.fail["close"] = &vault.Error{Kind: vault.Unavailable}
			_, err := r.Cancel(r.t.Context(), r.oreste, s.ID, WhyPen)
			return err
		}, Cancelled, WhyPen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enrolled()
			s := r.dossier(2)
			r.must(c.do(r, s))
			got, err := r.Session(t.Context(), r.oreste, s.ID)
			r.must(err)
			if got.State != c.state || got.Why != c.why {
				t.Errorf("%s %s", got.State, got.Why)
			}
			r.journalled(s.ID, "counter."+string(c.state))
			if r.signs.transactions[s.Transaction].State != signing.Failed || len(r.signs.signed) != 0 || len(r.vault.open) != 0 {
				t.Error("something was left, or signed")
			}
			if name != "tablet revoked" {
				if v := r.awake(r.tablet); v.Step != StepStopped || v.Why != c.why || v.Customer != "" {
					t.Errorf("%+v", v)
				}
			}
			for what, err := range map[string]error{
				"begin":  second(r.Begin(t.Context(), r.oreste, s.ID, otp("9"))),
				"arm":    second(r.Arm(t.Context(), r.tablet, s.ID)),
				"submit": second(r.Submit(t.Context(), r.tablet, s.ID, Captured{})),
				"read":   second(r.Read(t.Context(), r.tablet, s.ID, s.Documents[0].ID, 1)),
				"cancel": second(r.Cancel(t.Context(), r.oreste, s.ID, WhyPen)),
				"leave":  second(r.Leave(t.Context(), r.tablet, s.ID, WhyPen)),
			} {
				if KindOf(err) != BadState {
					t.Errorf("%s after the end: %v", what, err)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// A service that dies right after the signature: who comes next finds out what there is.
func TestResolve(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		left  signing.State
		state State
		why   string
	}{
		"delivered": {signing.Delivered, Done, ""},
		"signed":    {signing.Signed, Matched, ""},
		"failed":    {signing.Failed, Failed, WhyFault},
		"prepared":  {signing.Prepared, Cancelled, WhyRestart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enrolled()
			s := r.dossier(1)
			r.readAll(s)
			r.signs.transactions[s.Transaction].State = c.left
			r.restart()
			_, err := r.Resolve(t.Context())
			r.must(err)
			got, err := r.Session(t.Context(), r.oreste, s.ID)
			if err != nil || got.State != c.state || got.Why != c.why {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}

// A session that nobody begins ends before one that was begun.
func TestNotBegun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s, err := r.OpenEnrolment(t.Context(), r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.must(err)
	r.vault.fail["open"] = &vault.Error{Kind: vault.WrongOTP}
	if _, err := r.Begin(t.Context(), r.oreste, s.ID, otp("1")); signing.KindOf(err) != signing.WrongFactors {
		t.Error(err)
	}
	r.journalled(s.ID, "counter.presence-refused")
	r.vault.fail["open"] = &vault.Error{Kind: vault.SignatureLocked, RetryAfter: time.Hour}
	var e *Error
	if _, err := r.Begin(t.Context(), r.oreste, s.ID, otp("1")); !errors.As(err, &e) || e.Kind != Locked || e.RetryAfter != time.Hour {
		t.Errorf("the customer is locked, and the operator is told %v", err)
	}
	_, err = r.Begin(t.Context(), r.ornella, s.ID, otp("1"))
	r.wants(NotPermitted, err)
	c, err := r.Challenge(t.Context(), r.oreste, s.ID, "")
	if err != nil || string(c.Options) != "vault.NewCapture" {
		t.Errorf("%s %v", c.Options, err)
	}
	r.clock.pass(OpenLife)
	r.must(r.Sweep(t.Context()))
	if s, _ = r.Session(t.Context(), r.oreste, s.ID); s.State != Expired {
		t.Errorf("%+v", s)
	}
}

// A centre sees nothing of another.
func TestCentres(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	ctx := t.Context()
	s := r.dossier(1)
	x := r.elsewhere
	for what, err := range map[string]error{
		"session": second(r.Session(ctx, x, s.ID)),
		"watch":   second(r.Watch(ctx, x, s.ID, 0)),
		"page":    second(r.Page(ctx, x, s.ID, s.Documents[0].ID, 1)),
		"output":  second(r.Output(ctx, x, s.ID, 0)),
		"cancel":  second(r.Cancel(ctx, x, s.ID, WhyOperator)),
		"begin":   second(r.Begin(ctx, x, s.ID, otp("1"))),
		"remove":  second(r.RemoveSample(ctx, x, s.ID, 0)),
		"tablet":  second(r.OpenEnrolment(ctx, x, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})),
	} {
		if KindOf(err) != NotFound && KindOf(err) != TabletBusy {
			t.Errorf("%s: %v", what, err)
		}
	}
	list, err := r.Sessions(ctx, x)
	tablets, err2 := r.Tablets(ctx, x)
	if err != nil || err2 != nil || len(list) != 0 || len(tablets) != 0 {
		t.Errorf("%v %v %v %v", list, tablets, err, err2)
	}
	other := r.newTablet("Sportello", there)
	for what, err := range map[string]error{
		"state":  second(r.Read(ctx, other, s.ID, s.Documents[0].ID, 1)),
		"page":   second(r.TabletPage(ctx, other, s.ID, s.Documents[0].ID, 1)),
		"arm":    second(r.Arm(ctx, other, s.ID)),
		"submit": second(r.Submit(ctx, other, s.ID, Captured{})),
		"leave":  second(r.Leave(ctx, other, s.ID, WhyPen)),
	} {
		if KindOf(err) != NotFound {
			t.Errorf("%s of another tablet: %v", what, err)
		}
	}
	r.must(second(r.Cancel(ctx, r.oreste, s.ID, WhyOperator)))
	d := r.brought(x, 1)
	_, err = r.OpenDossier(ctx, r.oreste, NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: d})
	r.wants(NotFound, err) // brought elsewhere
	for _, m := range []member{r.security, r.tullio, r.carla, {ID: "o", Role: staff.RegistrationOperator}} {
		if _, err := r.Sessions(ctx, m); staff.KindOf(err) != staff.NotPermitted {
			t.Errorf("%s: %v", m.Role, err)
		}
	}
}

// What does not make a session.
func TestOpening(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	ctx := t.Context()
	good := func() NewDossier {
		return NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: r.brought(r.oreste, 1)}
	}
	for name, c := range map[string]struct {
		change func(*NewDossier)
		want   Kind
	}{
		"no customer":    {func(n *NewDossier) { n.Holder = "x" }, NotFound},
		"no tablet":      {func(n *NewDossier) { n.Tablet = "x" }, NotFound},
		"old document":   {func(n *NewDossier) { n.Identification.Expires = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }, Internal},
		"language":       {func(n *NewDossier) { n.Locale = "de" }, Invalid},
		"reference":      {func(n *NewDossier) { n.Reference = "a\nb" }, Invalid},
		"none":           {func(n *NewDossier) { n.Documents = nil }, TooMany},
		"too many":       {func(n *NewDossier) { n.Documents = make([]signing.Order, MaxDocuments+1) }, TooMany},
		"twice":          {func(n *NewDossier) { n.Documents = append(n.Documents, n.Documents[0]) }, Invalid},
		"not brought":    {func(n *NewDossier) { n.Documents[0].Document = "x" }, NotFound},
		"not to be seen": {func(n *NewDossier) { n.Documents = r.brought(r.oreste, 0) }, Internal},
		"too long":       {func(n *NewDossier) { n.Documents = r.brought(r.oreste, MaxPages, 1) }, TooMany},
	} {
		n := good()
		c.change(&n)
		if _, err := r.OpenDossier(ctx, r.oreste, n); err == nil || KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := r.OpenDossier(ctx, r.oreste, good())
	r.must(err)
	_, err = r.OpenDossier(ctx, r.ornella, good())
	r.wants(TabletBusy, err)
	r.must(second(r.Cancel(ctx, r.oreste, s.ID, WhyOperator)))
	r.clock.pass(awayAfter + time.Second)
	_, err = r.OpenDossier(ctx, r.oreste, good())
	r.wants(TabletAway, err)
}

func TestTablets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	if _, _, _, err := r.NewTabletCode(ctx, r.oreste, NewTablet{Name: "x", Centre: here}); staff.KindOf(err) != staff.NotPermitted {
		t.Error(err)
	}
	_, _, _, err := r.NewTabletCode(ctx, r.tullio, NewTablet{Name: "a\x00", Centre: here})
	r.wants(Invalid, err)
	_, code, _, err := r.NewTabletCode(ctx, r.tullio, NewTablet{Name: "due", Centre: here})
	r.must(err)
	key := newKey(t)
	_, _, err = r.EnrolTablet(ctx, strings.Repeat("0", 16), "pointer", key)
	r.wants(WrongCode, err)
	_, _, err = r.EnrolTablet(ctx, code, "mouse", key)
	r.wants(Invalid, err)
	_, _, err = r.EnrolTablet(ctx, code, "pointer", []byte("no key"))
	r.wants(Invalid, err)
	tab, token, err := r.EnrolTablet(ctx, strings.ToLower(code), "wacom-stu", key)
	r.must(err)
	if tab.State != TabletPending || tab.Fingerprint == "" {
		t.Errorf("%+v", tab)
	}
	_, _, err = r.EnrolTablet(ctx, code, "pointer", key)
	r.wants(WrongCode, err) // once
	if got, err := r.TabletOf(ctx, token); err != nil || got.ID != tab.ID || got.State != TabletPending {
		t.Errorf("%+v %v", got, err)
	}
	_, err = r.TabletOf(ctx, token[1:]+"A")
	r.wants(Unknown, err)
	_, err = r.ConfirmTablet(ctx, r.tullio, tab.ID, "0000", vault.Evidence{Password: []byte("p"), OTP: "1"})
	r.wants(Invalid, err)
	if _, err = r.ConfirmTablet(ctx, r.tullio, tab.ID, tab.Fingerprint, vault.Evidence{OTP: "1"}); signing.KindOf(err) != signing.WrongFactors {
		t.Error(err)
	}
	// The vault has it, and we die: the second time it is found there.
	r.vault.fail["register"] = &vault.Error{Kind: vault.Unavailable}
	if _, err = r.ConfirmTablet(ctx, r.tullio, tab.ID, tab.Fingerprint, vault.Evidence{Password: []byte("p")}); err == nil {
		t.Error("confirmed")
	}
	tab, err = r.ConfirmTablet(ctx, r.tullio, tab.ID, strings.ToUpper(tab.Fingerprint), vault.Evidence{Password: []byte("p")})
	if err != nil || tab.State != TabletActive || r.vault.known[tab.ID].Class != "wacom-stu" {
		t.Errorf("%+v %v", tab, err)
	}
	r.vault.fail["revoke"] = &vault.Error{Kind: vault.Unavailable}
	if err := r.RevokeTablet(ctx, r.tullio, tab.ID, "lost"); signing.KindOf(err) != signing.KeyUnavailable {
		t.Error(err)
	}
	_, err = r.TabletOf(ctx, token)
	r.wants(Unknown, err)                                 // at once
	r.must(r.RevokeTablet(ctx, r.tullio, tab.ID, "lost")) // and the vault, too
	_, late, _, err := r.NewTabletCode(ctx, r.tullio, NewTablet{Name: "tre", Centre: here})
	r.must(err)
	r.clock.pass(TabletCodeLife)
	_, _, err = r.EnrolTablet(ctx, late, "pointer", newKey(t))
	r.wants(WrongCode, err)
	all, err := r.Tablets(ctx, r.tullio)
	if err != nil || len(all) != 3 {
		t.Errorf("%+v %v", all, err)
	}
}

// Who waits is told, and a tablet that comes back from a restart is answered at once.
func TestWaiting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	v := r.awake(r.tablet)
	var wg sync.WaitGroup
	seen := make([]TabletView, 4)
	for i := range seen {
		wg.Go(func() { seen[i], _ = r.TabletState(ctx, r.tablet, v.Version) })
	}
	s, err := r.OpenEnrolment(ctx, r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.must(err)
	wg.Wait()
	for _, one := range seen {
		if one.Session != s.ID || one.Version <= v.Version {
			t.Errorf("%+v", one)
		}
	}
	wg.Go(func() { s, _ = r.Watch(ctx, r.oreste, s.ID, s.Version) })
	r.must(r.Report(ctx, r.tablet, Device{Class: "pointer", Rate: 200, Levels: 1024, Hover: true}))
	wg.Wait()
	if s.Device.Levels != 1024 {
		t.Errorf("%+v", s)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, _ = r.TabletState(gone, r.tablet, s.Version) // does not wait
	r.clock.pass(time.Second)
	r.restart()
	if v := r.awake(r.tablet); v.Version <= s.Version {
		t.Errorf("a version of after the restart is %d, and was %d", v.Version, s.Version)
	}
}

// Many at once: one of them ends the session, the others are told.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	s := r.dossier(1)
	r.readAll(s)
	c := r.captured(s.ID)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			switch i % 4 {
			case 0:
				_, _ = r.Submit(t.Context(), r.tablet, s.ID, c)
			case 1:
				_, _ = r.Cancel(t.Context(), r.oreste, s.ID, WhyOperator)
			case 2:
				_ = r.Sweep(t.Context())
			default:
				_, _ = r.TabletState(t.Context(), r.tablet, -1)
			}
		})
	}
	wg.Wait()
	s, err := r.Session(t.Context(), r.oreste, s.ID)
	r.must(err)
	state := r.signs.transactions[s.Transaction].State
	if !s.State.Ended() || (s.State == Done) != (state == signing.Delivered) || len(r.signs.signed) > 1 {
		t.Errorf("%s, and the transaction is %s", s.State, state)
	}
	ends := 0
	for _, e := range r.events(s.ID) {
		if e == "counter.done" || e == "counter.cancelled" {
			ends++
		}
	}
	if ends != 1 || len(r.locks.held) != 0 {
		t.Errorf("%d ends, %d locks are left", ends, len(r.locks.held))
	}
}

// What is kept of an identification is whole in its row, and masked in the journal.
func TestIdentification(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.db.Read(t.Context(), func(tx *store.Tx) error {
		list, err := tx.Identifications(r.holder)
		if err != nil || len(list) != 1 || list[0].Number != passport.Number || list[0].IdentifiedBy != r.oreste.ID {
			t.Errorf("%+v %v", list, err)
		}
		made, err := tx.JournalOfEvent(r.holder, "holder.identified", 2)
		if err != nil || len(made) != 1 || strings.Contains(string(made[0].Detail), "YA1234") || !strings.Contains(string(made[0].Detail), "…567") {
			t.Errorf("%s %v", made[0].Detail, err)
		}
		return nil
	}))
	_, err := r.RegisterCustomer(t.Context(), r.oreste, NewCustomer{GivenName: "B", Surname: "R", FiscalCode: "SMPDAA80A41H501X", Identification: passport})
	r.wants(Invalid, err)
	_, err = r.RegisterCustomer(t.Context(), r.oreste, NewCustomer{GivenName: "B", Surname: "R", FiscalCode: "X", Identification: passport})
	r.wants(Invalid, err)
}

func TestTexts(t *testing.T) {
	t.Parallel()
	all := Texts()
	if len(all) != 2 || all[0].Locale != "it" || all[0].SHA256 == all[1].SHA256 {
		t.Fatalf("%+v", all)
	}
	again, err := NewText("it-1", strings.ReplaceAll(all[0].Body, "\n", "\r\n"))
	if err != nil || again.SHA256 != all[0].SHA256 {
		t.Error("the ends of lines change the text")
	}
	for _, id := range []string{"", "it", "ita-1", "it-"} {
		if _, err := NewText(id, all[0].Body); KindOf(err) != Invalid {
			t.Errorf("%q: %v", id, err)
		}
	}
	if slices.ContainsFunc(all, func(x Text) bool { return !strings.Contains(x.Body, "2016/679") }) {
		t.Error("the law is not named")
	}
}

// The report is for who answers for the service.
func TestCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if c, err := r.Counts(t.Context(), r.carla); err != nil || c.Enrolments != 7 {
		t.Error(err)
	}
	if _, err := r.Counts(t.Context(), r.oreste); staff.KindOf(err) != staff.NotPermitted {
		t.Error(err)
	}
	r.must(r.RollBack(t.Context(), r.carla, "c", 1, "disputed", vault.Evidence{Password: []byte("p")}))
	if err := r.RollBack(t.Context(), r.oreste, "c", 1, "disputed", vault.Evidence{}); staff.KindOf(err) != staff.NotPermitted {
		t.Error(err)
	}
}
