package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigillo/appliance"
	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/store"
)

// clerk is an invented member of the staff. Like a holder, it has three codes at hand
// without waiting, of which one is used by its activation.
type clerk struct {
	staff.Member
	password string
	secret   []byte
	used     int64
}

// colleagues are invented; their fiscal codes have right check letters.
var colleagues = map[staff.Role]appliance.NewMember{
	staff.Security:             {Username: "sara", GivenName: "Sara", Surname: "Sicura", FiscalCode: "SCRSRA70A41H501M"},
	staff.Certification:        {Username: "carlo", GivenName: "Carlo", Surname: "Certo", FiscalCode: "CRTCRL71B12F205A"},
	staff.Technical:            {Username: "tina", GivenName: "Tina", Surname: "Tecnica", FiscalCode: "TCNTNA72C43L219S"},
	staff.RegistrationOperator: {Username: "olga", GivenName: "Olga", Surname: "Registra", FiscalCode: "RGSLGO73D14D612X", Centre: branch},
}

// appointed puts somebody in office, past the proposals when founding is over.
func (h *house) appointed(t testing.TB, roles ...staff.Role) []*clerk {
	t.Helper()
	var out []*clerk
	var codes []string
	for _, r := range roles {
		n := colleagues[r]
		n.Role = r
		hand, err := h.AppointFirst(t.Context(), "test", n)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, hand.Code)
		out = append(out, &clerk{Member: staff.Member{ID: hand.Subject, Username: n.Username, Role: r, FiscalCode: n.FiscalCode}, password: randomWords()})
	}
	for i, c := range out {
		now, err := h.Activate(t.Context(), codes[i], []byte(c.password), "test")
		if err != nil {
			t.Fatal(err)
		}
		if c.secret, err = otpSecret(now.OTPURI); err != nil {
			t.Fatal(err)
		}
		c.used = auth.OTPStep(time.Now()) - 2
		if _, err := h.Confirm(t.Context(), codes[i], signing.Evidence{Password: []byte(c.password), OTP: c.otp(), Client: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// otp is the next code that was not used, waiting for it if it is too early.
func (c *clerk) otp() string {
	for auth.OTPStep(time.Now()) < c.used { // one step ahead is accepted
		time.Sleep(100 * time.Millisecond)
	}
	c.used = max(c.used+1, earliest(time.Now()))
	return auth.TOTP(c.secret, time.Unix(c.used*int64(auth.OTPPeriod/time.Second), 0))
}

// earliest is the first step whose code will still be good when a slow machine looks: the
// one before the present one, early in it.
func earliest(now time.Time) int64 {
	if step := auth.OTPStep(now); now.Unix()%30 < 12 {
		return step - 1
	}
	return auth.OTPStep(now)
}

// early is the code of the earliest step.
func early(secret []byte) string {
	return auth.TOTP(secret, time.Unix(earliest(time.Now())*30, 0))
}

// typed is what the member types when asked who it is.
func (c *clerk) typed(more ...string) string {
	return strings.Join(append([]string{c.Username, c.password, c.otp()}, more...), "\n") + "\n"
}

// command types a command, with what is typed when it asks.
func (h *house) command(t testing.TB, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = dispatch(t.Context(), env{in: strings.NewReader(in), out: &o, err: &e}, append(args, "--dir", h.Layout.Dir))
	return code, o.String(), e.String()
}

// must is command, which must end with 0.
func (h *house) must(t testing.TB, in string, args ...string) string {
	t.Helper()
	code, out, errs := h.command(t, in, args...)
	if code != exitGood {
		t.Fatalf("%v: %d\n%s%s", args, code, out, errs)
	}
	return out
}

// wont is command, which must be refused with a word.
func (h *house) wont(t testing.TB, word, in string, args ...string) {
	t.Helper()
	code, out, errs := h.command(t, in, args...)
	if code == exitGood || !strings.Contains(errs, word) {
		t.Errorf("%v: %d, without %q\n%s%s", args, code, word, out, errs)
	}
}

var (
	codeInText     = regexp.MustCompile(`\b[0-9A-Z]{4}(-[0-9A-Z]{4}){7}\b`)
	emergencyCode  = regexp.MustCompile(`\b[0-9A-Z]{4}(-[0-9A-Z]{4}){3}\b`)
	proposalInText = regexp.MustCompile(`proposal-[0-9a-f]{16}`)
)

// The house is founded at the console, then everything is done in somebody's name, and
// what is critical by two.
func TestStaffCommands(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.holder(t, hsm.P256)
	serial := h.serialOf(t, ada)
	h.must(t, "", "certificate", "suspend", serial) // nobody was appointed: the console acts
	h.must(t, "", "certificate", "reactivate", serial)

	appoint := func(r staff.Role) []string {
		n := colleagues[r]
		return []string{"staff", "appoint", "--role", string(r), "--username", n.Username, "--given-name", n.GivenName, "--surname", n.Surname, "--fiscal-code", n.FiscalCode}
	}
	out := h.must(t, "", appoint(staff.Security)...)
	sara := h.activate(t, "sara", codeInText.FindString(out))
	h.wont(t, "Operator", "", "certificate", "suspend", serial) // now somebody has to say who it is
	h.wont(t, "has a role", "", append(appoint(staff.Security)[:4], "--username", "sara2", "--given-name", "S", "--surname", "S", "--fiscal-code", colleagues[staff.Security].FiscalCode)...)
	out = h.must(t, "", appoint(staff.Certification)...)
	carlo := h.activate(t, "carlo", codeInText.FindString(out))

	// From here on it takes two.
	h.wont(t, "Operator", "", appoint(staff.Technical)...)
	h.wont(t, "wrong", "sara\nnot the password\n000000\n", appoint(staff.Technical)...)
	h.wont(t, "wrong", "nobody\nnot the password\n000000\n", appoint(staff.Technical)...)
	out = h.must(t, sara.typed(), appoint(staff.Technical)...)
	id := proposalInText.FindString(out)
	h.wont(t, "not approved", carlo.typed("no"), "staff", "approve", id)
	out = h.must(t, carlo.typed("yes"), "staff", "approve", id)
	if !strings.Contains(out, "fiscal-code") || !codeInText.MatchString(out) {
		t.Errorf("the approval shows\n%s", out)
	}
	if out = h.must(t, "", "staff", "list"); !strings.Contains(out, "tina") || !strings.Contains(out, "appointed") {
		t.Error(out)
	}
	for event, detail := range map[string][2]string{"proposal.approved": {"act", "appoint-staff"}, "staff.appointed": {"username", "tina"},
		"staff.recognised": {"username", "carlo"}, "staff.sign-in-refused": {"kind", string(signing.WrongFactors)}} {
		if !h.journalled(t, event, detail[0], detail[1]) {
			t.Errorf("%s is not in the journal", event)
		}
	}
}

// activate walks a member through the activation at a terminal, with a wrong code first.
func (h *house) activate(t testing.TB, username, code string) *clerk {
	t.Helper()
	c := &clerk{Member: staff.Member{Username: username}, password: randomWords()}
	in, typing := io.Pipe()
	shown, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- dispatch(t.Context(), env{in: in, out: out, err: io.Discard}, []string{"staff", "activate", "--dir", h.Layout.Dir})
		out.Close()
	}()
	go fmt.Fprintf(typing, "%s\n%s\n%s\n", strings.ToLower(code), c.password, c.password)
	var text strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := shown.Read(buf)
		text.Write(buf[:n])
		if i := strings.Index(text.String(), "otpauth://"); c.secret == nil && i >= 0 && strings.Contains(text.String()[i:], "\n") {
			if c.secret, err = otpSecret(strings.Fields(text.String()[i:])[0]); err != nil {
				t.Fatal(err)
			}
			c.used = auth.OTPStep(time.Now()) - 2
			otp := c.otp()
			go fmt.Fprintf(typing, "%s\n%s\n", wrongOTP(otp), otp)
		}
		if err != nil {
			break
		}
	}
	if code := <-ended; code != exitGood || !strings.Contains(text.String(), username+" is active") {
		t.Fatalf("activate: %d\n%s", code, text.String())
	}
	return c
}

// serialOf is the serial number of a holder's certificate.
func (h *house) serialOf(t testing.TB, c *client) string {
	t.Helper()
	list, err := h.Signing.Credentials(t.Context(), h.holderID(t, c))
	if err != nil || len(list) != 1 {
		t.Fatal(err)
	}
	return list[0].Serial
}

func (h *house) status(t testing.TB, serial string) store.CertState {
	t.Helper()
	s, err := h.PKI.Status(t.Context(), serial)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A member of the staff takes a call: the code is what counts, not who says it.
func TestEmergencyByTelephone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.holder(t, hsm.P256)
	serial := h.serialOf(t, ada)
	olga := h.appointed(t, staff.Security, staff.Certification, staff.RegistrationOperator)[2]
	out := h.must(t, olga.typed(), "certificate", "code", serial)
	code := emergencyCode.FindString(out)
	h.wont(t, "code", olga.typed("0000-0000-0000-0000"), "certificate", "suspend", "--code", ada.holder.Username)
	if h.status(t, serial) != store.CertValid || !h.journalled(t, "emergency.refused", "", "") {
		t.Fatal("a wrong code has suspended, or was not journalled")
	}
	s, err := h.SuspendByCode(t.Context(), staff.Emergency{Who: ada.holder.Username, Code: strings.ToLower(code), Client: "telephone", Actor: olga.ID})
	if err != nil || s.Before || s.Serial != serial || h.status(t, serial) != store.CertSuspended {
		t.Errorf("%+v: %v", s, err)
	}
}

// The code, whatever it is said with; what does not fit it; and nobody can keep an owner
// from using it.
func TestEmergencyCode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := demoPeople[0]
	n.Password = []byte(randomWords())
	reg, err := h.Register(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := otpSecret(reg.OTPURI)
	if err != nil {
		t.Fatal(err)
	}
	cred, err := h.Complete(t.Context(), reg, auth.TOTP(secret, time.Now()))
	if err != nil || !emergencyCode.MatchString(reg.EmergencyCode) {
		t.Fatalf("%q: %v", reg.EmergencyCode, err)
	}
	other := h.holder(t, hsm.P256)
	otherCode, err := h.NewEmergencyCode(t.Context(), h.serialOf(t, other), "test")
	if err != nil {
		t.Fatal(err)
	}
	call := func(who, code string) (staff.Suspended, error) {
		return h.SuspendByCode(t.Context(), staff.Emergency{Who: who, Code: code, Client: "192.0.2.1"})
	}
	wrong := 0
	for _, c := range [][2]string{{n.Username, otherCode}, {"nobody", reg.EmergencyCode}, {"", reg.EmergencyCode}, {n.Username, ""},
		{n.Username, "zzzz"}, {strings.Repeat("x", 500), reg.EmergencyCode}, {cred.Certificate + "0", reg.EmergencyCode}, {other.holder.Username, reg.EmergencyCode},
		{"%", reg.EmergencyCode}, {h.serialOf(t, other), reg.EmergencyCode}} {
		if _, err := call(c[0], c[1]); staff.KindOf(err) != staff.WrongCode {
			t.Errorf("%v: %v", c, err)
		}
		wrong++
	}
	for range 500 { // an attacker who knows the name
		if _, err := call(n.Username, must(auth.NewEmergencyCode())); staff.KindOf(err) != staff.WrongCode {
			t.Fatal(err)
		}
		wrong++
	}
	told := 0
	for _, e := range h.events(t, "") {
		if e.Event == "emergency.refused" {
			told++
		}
	}
	if told == 0 || told > 40 {
		t.Errorf("%d of %d wrong codes are in the journal", told, wrong)
	}
	if h.status(t, cred.Certificate) != store.CertValid {
		t.Fatal("suspended by a wrong code")
	}
	s, err := call(strings.ToLower(n.FiscalCode), " "+strings.ToLower(strings.ReplaceAll(reg.EmergencyCode, "-", " ")))
	if err != nil || s.Before || h.status(t, cred.Certificate) != store.CertSuspended {
		t.Fatalf("%+v: %v", s, err)
	}
	for _, who := range []string{n.Username, strings.ToUpper(cred.Certificate), n.FiscalCode} {
		if s, err := call(who, reg.EmergencyCode); err != nil || !s.Before || s.Revoked || s.Serial != cred.Certificate {
			t.Errorf("%s: %+v, %v", who, s, err)
		}
	}
	if err := h.PKI.Revoke(t.Context(), cred.Certificate, 0, "test"); err != nil {
		t.Fatal(err)
	}
	if s, err := call(n.Username, reg.EmergencyCode); err != nil || !s.Revoked {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := h.NewEmergencyCode(t.Context(), cred.Certificate, "test"); staff.KindOf(err) != staff.Invalid {
		t.Error(err)
	}
	if !h.journalled(t, "emergency.accepted", "client", "192.0.2.1") {
		t.Error("the suspension by code is not in the journal")
	}
}

// A holder who was invited chooses the password alone; what a wrong code, a used one and
// an old one give; the certificate of the automatic procedure says so.
func TestActivateHolder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := demoPeople[1]
	n.Automatic = true
	hand, err := h.Invite(t.Context(), n, "operator")
	if err != nil {
		t.Fatal(err)
	}
	password := randomWords()
	_, err = h.Activate(t.Context(), must(auth.NewActivationCode()), []byte(password), "test")
	if staff.KindOf(err) != staff.WrongCode {
		t.Error(err)
	}
	_, err = h.Activate(t.Context(), hand.Code, []byte("short"), "test")
	if auth.KindOf(err) != auth.TooShort {
		t.Error(err)
	}
	_, err = h.Confirm(t.Context(), hand.Code, signing.Evidence{Password: []byte(password), OTP: "000000"})
	if staff.KindOf(err) != staff.Invalid {
		t.Errorf("confirmed before it was begun: %v", err)
	}
	now, err := h.Activate(t.Context(), strings.ToLower(hand.Code), []byte(password), "test")
	if err != nil || now.Username != n.Username || now.Staff {
		t.Fatal(now, err)
	}
	secret, err := otpSecret(now.OTPURI)
	if err != nil {
		t.Fatal(err)
	}
	otp := early(secret)
	_, err = h.Confirm(t.Context(), hand.Code, signing.Evidence{Password: []byte(password), OTP: wrongOTP(otp)})
	if signing.KindOf(err) != signing.WrongFactors {
		t.Error(err)
	}
	done, err := h.Confirm(t.Context(), hand.Code, signing.Evidence{Password: []byte(password), OTP: otp})
	if err != nil || !emergencyCode.MatchString(done.Emergency) {
		t.Fatal(done, err)
	}
	for range 2 {
		if _, err := h.Confirm(t.Context(), hand.Code, signing.Evidence{Password: []byte(password), OTP: otp}); staff.KindOf(err) != staff.WrongCode {
			t.Errorf("a used code: %v", err)
		}
	}
	if _, err := h.SuspendByCode(t.Context(), staff.Emergency{Who: n.Username, Code: done.Emergency}); err != nil {
		t.Error(err)
	}
	var row store.Certificate
	if err := h.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.Certificate(done.Certificate)
		return err
	}); err != nil || row.Profile != "automatic-procedure" {
		t.Errorf("profile %s: %v", row.Profile, err)
	}
	for _, e := range h.events(t, "") {
		plain, _ := auth.ParseActivationCode(hand.Code)
		for _, s := range []string{hand.Code, plain, done.Emergency, password} {
			if strings.Contains(string(e.Detail), s) {
				t.Errorf("%s holds a secret", e.Event)
			}
		}
	}
}

// What members do at the counter, on real certificates: by right, never with those of the
// house, whose revocation takes two.
func TestCounter(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.holder(t, hsm.P256)
	serial := h.serialOf(t, ada)
	staffed := h.appointed(t, staff.Security, staff.Certification, staff.RegistrationOperator)
	sara, carlo, olga := staffed[0].Member, staffed[1].Member, staffed[2].Member
	responder := fmt.Sprintf("%x", h.PKI.CA("ocsp-tsa").SerialNumber)
	for name, c := range map[string]struct {
		err  error
		want staff.Kind
	}{
		"revoked by an operator":      {h.RevokeFor(t.Context(), olga, serial, 0), staff.NotPermitted},
		"reactivated by security":     {h.ReactivateFor(t.Context(), sara, serial), staff.NotPermitted},
		"suspended, of the house":     {h.SuspendFor(t.Context(), olga, responder), staff.Invalid},
		"revoked, of the house":       {h.RevokeFor(t.Context(), carlo, responder, 0), staff.Invalid},
		"suspended, none":             {h.SuspendFor(t.Context(), olga, "00ff"), staff.NotFound},
		"looked up by a non-operator": {second(h.FindHolders(t.Context(), staff.Member{ID: "x", Role: staff.Logistic}, ada.holder.Username)), staff.NotPermitted},
		"a holder's, as a proposal":   {second(h.ProposeRevocation(t.Context(), carlo, serial, "1")), staff.Invalid},
		"a house's, for no reason":    {second(h.ProposeRevocation(t.Context(), carlo, responder, "many")), staff.Invalid},
	} {
		if staff.KindOf(c.err) != c.want {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	for _, who := range []string{ada.holder.Username, strings.ToUpper(serial), demoPeople[0].FiscalCode} {
		found, err := h.FindHolders(t.Context(), olga, who)
		if err != nil || len(found) != 1 || len(found[0].Certificates) != 1 || found[0].Certificates[0].Serial != serial {
			t.Errorf("%s: %+v, %v", who, found, err)
		}
	}
	if found, err := h.FindHolders(t.Context(), olga, "ad%"); err != nil || len(found) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if !h.journalled(t, "holder.looked-up", "", "") {
		t.Error("a look is not in the journal")
	}
	for _, step := range []struct {
		do   func() error
		want store.CertState
	}{
		{func() error { return h.SuspendFor(t.Context(), olga, serial) }, store.CertSuspended},
		{func() error { return h.ReactivateFor(t.Context(), olga, serial) }, store.CertValid},
		{func() error { return h.RevokeFor(t.Context(), carlo, serial, 4) }, store.CertRevoked},
	} {
		if err := step.do(); err != nil || h.status(t, serial) != step.want {
			t.Errorf("%s: %v", step.want, err)
		}
	}
	p, err := h.ProposeRevocation(t.Context(), carlo, responder, "4")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := h.Approve(t.Context(), sara, p.ID, p.Digest()); err != nil || out.Proposal.State != staff.Executed || h.status(t, responder) != store.CertRevoked {
		t.Errorf("%+v: %v", out, err)
	}
	if !h.journalled(t, "certificate.revoked", "reason", "4") {
		t.Error("the revocation is not in the journal")
	}
}

func second[T any](_ T, err error) error { return err }

// must is what cannot fail here.
func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}
