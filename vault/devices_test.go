package vault

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/auth"
)

// addDevice adds a device as a service does, and gives its secret.
func (h *holder) addDevice(n NewDevice) (id string, secret []byte) {
	t := h.r.t
	t.Helper()
	n.Factors = h.factors
	if n.Password == nil {
		n.Evidence = h.evidence(goodPassword)
	}
	a, err := h.r.c.AddDevice(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	h.factors = a.Factors
	if err := h.r.c.AdoptFactors(t.Context(), h.factors); err != nil {
		t.Fatal(err)
	}
	if a.URI != "" {
		secret = secretOf(t, a.URI)
	}
	return a.Device, secret
}

func (h *holder) confirm(device, code string) error {
	return h.r.c.ConfirmDevice(h.r.t.Context(), DeviceConfirmation{Factors: h.factors, Device: device, Code: code, Client: "test"})
}

func (h *holder) means() Means {
	h.r.t.Helper()
	m, err := h.r.c.Means(h.r.t.Context(), h.factors)
	if err != nil {
		h.r.t.Fatal(err)
	}
	return m
}

func TestDevices(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	if m := h.means(); len(m.Devices) != 1 || m.Devices[0].Confirmed {
		t.Errorf("a device counts before its first code: %+v", m)
	}
	first := h.factors.Devices[0].ID
	id, secret := h.addDevice(NewDevice{Kind: HOTP, Label: "the key ring"})
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 0)), WrongOTP) // not yet
	want(t, h.confirm(id, auth.HOTP(secret, 77)), WrongOTP)
	want(t, h.confirm(id, h.otp()), WrongOTP) // of another device
	want(t, h.confirm("none", "123456"), NotAllowed)
	want(t, h.confirm(id, auth.HOTP(secret, 0)), "")
	want(t, h.confirm(id, auth.HOTP(secret, 1)), "") // again: nothing to do
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 0)), ReusedOTP)
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 4)), "")
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 4)), ReusedOTP)
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 3)), ReusedOTP)
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 5+auth.HOTPWindow+1)), WrongOTP)
	r.restart()
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 4)), ReusedOTP)
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 5+auth.HOTPWindow)), "")
	want(t, h.authenticate(goodPassword, h.otp()), "") // the first one too
	m := h.means()
	if len(m.Devices) != 2 || m.Devices[1].Label != "the key ring" || !m.Devices[0].Confirmed || !m.Devices[1].Confirmed || m.Devices[1].Used.IsZero() {
		t.Errorf("%+v", m)
	}
	remove := func(device, code string) error {
		f, err := r.c.RemoveDevice(t.Context(), DeviceRemoval{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: code, Client: "test"}, Device: device})
		if err == nil {
			h.factors = f
		}
		return err
	}
	want(t, remove("none", h.otp()), NotAllowed)
	old := *h
	want(t, remove(first, h.otp()), "")
	want(t, old.authenticate(goodPassword, old.otp()), "") // until the new record is shown
	want(t, r.c.AdoptFactors(t.Context(), h.factors), "")
	want(t, old.authenticate(goodPassword, old.otp()), Tampered)
	want(t, h.authenticate(goodPassword, h.otp()), WrongOTP) // the device is gone
	want(t, remove(id, auth.HOTP(secret, 20)), NotAllowed)   // the last one stays
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 20)), "")
	if n := r.events(); n["device.added"] != 1 || n["device.confirmed"] != 1 || n["device.refused"] != 2 || n["device.removed"] != 1 {
		t.Errorf("journal: %v", n)
	}
}

func TestDeviceRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	for name, c := range map[string]struct {
		n    NewDevice
		kind Kind
	}{
		"no kind":            {NewDevice{}, BadRequest},
		"an unknown kind":    {NewDevice{Kind: "x"}, BadRequest},
		"a short seed":       {NewDevice{Kind: TOTP, Seed: make([]byte, 15)}, BadRequest},
		"a long seed":        {NewDevice{Kind: TOTP, Seed: make([]byte, 65)}, BadRequest},
		"a seed of no use":   {NewDevice{Kind: Passkey, Seed: make([]byte, 20)}, BadRequest},
		"a number of no use": {NewDevice{Kind: TOTP, To: "+39333123456"}, BadRequest},
		"no passkeys here":   {NewDevice{Kind: Passkey, Registration: []byte("{}")}, NotAllowed},
		"no courier here":    {NewDevice{Kind: Phone, To: "+39333123456"}, NotAllowed},
		"a label too long":   {NewDevice{Kind: TOTP, Label: strings.Repeat("x", 201)}, BadRequest},
	} {
		c.n.Factors, c.n.Evidence = h.factors, h.evidence(goodPassword)
		if _, err := r.c.AddDevice(t.Context(), c.n); KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, e := range map[string]Evidence{
		"wrong password": h.evidence("wrong"),
		"no code":        {Password: []byte(goodPassword), Client: "test"},
	} {
		if _, err := r.c.AddDevice(t.Context(), NewDevice{Factors: h.factors, Evidence: e, Kind: TOTP}); KindOf(err) != WrongPassword && KindOf(err) != WrongOTP {
			t.Errorf("%s: %v", name, err)
		}
	}
	for len(h.factors.Devices) < MaxDevices {
		h.addDevice(NewDevice{Kind: TOTP, Seed: bytes.Repeat([]byte{7}, 20)})
	}
	if _, err := r.c.AddDevice(t.Context(), NewDevice{Factors: h.factors, Evidence: h.evidence(goodPassword), Kind: TOTP}); KindOf(err) != NotAllowed {
		t.Errorf("a ninth device: %v", err)
	}
	// One that nobody confirms in time never counts; who guesses has ten tries.
	id := h.factors.Devices[1].ID
	for range maxTries {
		want(t, h.confirm(id, "x"), WrongOTP)
	}
	want(t, h.confirm(id, auth.TOTP(bytes.Repeat([]byte{7}, 20), r.clock.now())), NotAllowed)
	r.clock.move(ConfirmWithin)
	want(t, h.confirm(h.factors.Devices[2].ID, auth.TOTP(bytes.Repeat([]byte{7}, 20), r.clock.now())), NotAllowed)
}

// TestTwoDevicesOneCode: a code that fits two devices is used up in both.
func TestTwoDevicesOneCode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	seed := bytes.Repeat([]byte{7}, 20)
	for range 2 {
		id, _ := h.addDevice(NewDevice{Kind: TOTP, Seed: bytes.Clone(seed)})
		h.otp()
		want(t, h.confirm(id, auth.TOTP(seed, r.clock.now())), "")
	}
	r.clock.move(auth.OTPPeriod)
	code := auth.TOTP(seed, r.clock.now())
	want(t, h.authenticate(goodPassword, code), "")
	want(t, h.authenticate(goodPassword, code), ReusedOTP)
}

// TestDrift: a clock that goes slowly astray is followed; one that is far away is found
// again with two codes, and not by guessing.
func TestDrift(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	code := func(ahead int64) string { return auth.HOTP(h.secret, auth.OTPStep(r.clock.now())+ahead) }
	for ahead := range int64(6) {
		r.clock.move(10 * auth.OTPPeriod)
		want(t, h.authenticate(goodPassword, code(ahead)), "")
	}
	r.clock.move(10 * auth.OTPPeriod)
	want(t, h.authenticate(goodPassword, code(0)), WrongOTP)
	want(t, h.authenticate(goodPassword, code(-15)), WrongOTP)
	resync := func(password, first, second string) error {
		return r.c.Resynchronise(t.Context(), Resynchronisation{Factors: h.factors, Device: h.factors.Devices[0].ID, Second: second,
			Evidence: Evidence{Password: []byte(password), OTP: first, Client: "test"}})
	}
	r.clock.move(100 * auth.OTPPeriod)
	want(t, resync("wrong", code(-15), code(-14)), WrongPassword)
	want(t, resync(goodPassword, code(-15), code(-13)), WrongOTP)
	r.clock.move(time.Hour) // out of the lock-out
	want(t, resync(goodPassword, code(-15), code(-14)), "")
	want(t, h.authenticate(goodPassword, code(-14)), ReusedOTP) // used up by it
	want(t, h.authenticate(goodPassword, code(-13)), "")
	want(t, resync(goodPassword, code(-15), code(-14)), WrongOTP) // of before
	want(t, resync(goodPassword, code(30), code(31)), WrongOTP)   // beyond the limit
	want(t, resync(goodPassword, "", ""), WrongOTP)
	if n := r.events(); n["device.resynchronised"] != 1 {
		t.Errorf("journal: %v", n)
	}
}

func TestHOTPResync(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	id, secret := h.addDevice(NewDevice{Kind: HOTP})
	want(t, h.confirm(id, auth.HOTP(secret, 0)), "")
	resync := func(first, second int64) error {
		return r.c.Resynchronise(t.Context(), Resynchronisation{Factors: h.factors, Device: id, Second: auth.HOTP(secret, second),
			Evidence: Evidence{Password: []byte(goodPassword), OTP: auth.HOTP(secret, first), Client: "test"}})
	}
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 60)), WrongOTP)
	want(t, resync(60, 61), "")
	want(t, h.authenticate(goodPassword, auth.HOTP(secret, 62)), "")
	want(t, resync(62+ResyncSteps+2, 62+ResyncSteps+3), WrongOTP)
	want(t, resync(10, 11), WrongOTP)
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, other := r.newHolder("h", "p256"), r.enrol("other")
	codes, err := r.c.RecoveryCodes(t.Context(), NewCodes{Factors: h.factors, Evidence: h.evidence(goodPassword)})
	if err != nil || len(codes) != auth.RecoveryCodes {
		t.Fatal(codes, err)
	}
	want(t, h.authenticate("wrong", codes[0]), WrongPassword)
	want(t, other.authenticate(goodPassword, codes[0]), WrongOTP)
	want(t, h.authenticate(goodPassword, strings.ToLower(codes[0])), "")
	want(t, h.authenticate(goodPassword, codes[0]), ReusedOTP)
	r.clock.move(retryFor)
	want(t, h.authenticate(goodPassword, codes[0]), WrongOTP)
	want(t, h.authenticate(goodPassword, strings.ReplaceAll(codes[1], "-", " ")), "")
	a := h.authorisation("with a code", 1)
	a.OTP = codes[2]
	if _, err := r.c.Authorise(t.Context(), a); err != nil {
		t.Errorf("instead of an OTP: %v", err)
	}
	if m := h.means(); m.Codes != len(codes)-3 {
		t.Errorf("%d codes left", m.Codes)
	}
	again, err := r.c.RecoveryCodes(t.Context(), NewCodes{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: codes[3], Client: "test"}})
	if err != nil {
		t.Fatal(err)
	}
	r.restart()
	want(t, h.authenticate(goodPassword, codes[4]), WrongOTP) // replaced
	want(t, h.authenticate(goodPassword, again[9]), "")
	if n := r.events(); n["recovery-code.used"] != 5 || n["recovery-codes.made"] != 2 {
		t.Errorf("journal: %v", n)
	}
	for _, code := range []string{again[0], strings.ReplaceAll(again[0], "-", "")} {
		if n := count(t, r.cfg.StateDB, "SELECT count(*) FROM holder_states WHERE instr(record, '"+code+"') > 0"); n != 0 {
			t.Error("a code is in the state")
		}
	}
}

// TestDeviceRace: of many who confirm, or use one code of a device, at once, one wins.
func TestDeviceRace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	id, secret := h.addDevice(NewDevice{Kind: HOTP})
	want(t, h.confirm(id, auth.HOTP(secret, 0)), "")
	var wg sync.WaitGroup
	results := make(chan Kind, 8)
	for range 8 {
		wg.Go(func() {
			_, err := r.c.Authenticate(context.Background(), Authentication{Factors: h.factors,
				Evidence: Evidence{Password: []byte(goodPassword), OTP: auth.HOTP(secret, 1), Client: "test"}})
			results <- KindOf(err)
		})
	}
	wg.Wait()
	close(results)
	n := map[Kind]int{}
	for k := range results {
		n[k]++
	}
	if n[""] != 1 || n[ReusedOTP] != 7 {
		t.Errorf("%v", n)
	}
}
