package vault

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/store"
)

const (
	minSeed, maxSeed = 16, 64
	maxTries         = 10 // of confirming a device
)

// handleFactors does what a request about the factors of a holder asks for.
func (v *server) handleFactors(ctx context.Context, q request) (any, error) {
	switch q.Op {
	case opMeans:
		return with(q, func(b *Factors) (any, error) { return v.means(ctx, b) })
	case opAdoptFactors:
		return with(q, func(b *Factors) (any, error) { return nil, v.adoptFactors(ctx, b) })
	case opForgetBrowsers:
		return with(q, func(b *Factors) (any, error) { return nil, v.forgetBrowsers(ctx, b) })
	case opPasskeyOptions:
		return with(q, func(b *Factors) (any, error) { return v.passkeyOptions(ctx, b) })
	case opChallenge:
		return with(q, func(b *challengeRequest) (any, error) { return v.challenge(ctx, b) })
	case opSendCode:
		return with(q, func(b *challengeRequest) (any, error) { return v.sendCode(ctx, b) })
	case opSendActivation:
		return with(q, func(b *ActivationMessage) (any, error) { return v.sendActivation(ctx, b) })
	case opConfirmDevice:
		return with(q, func(b *DeviceConfirmation) (any, error) { return nil, v.confirmDevice(ctx, b) })
	case opAddDevice:
		return with(q, func(b *NewDevice) (any, error) {
			defer clear(b.Password)
			defer clear(b.Seed)
			return v.addDevice(ctx, q.ID, b)
		})
	case opRemoveDevice:
		return with(q, func(b *DeviceRemoval) (any, error) {
			defer clear(b.Password)
			return v.removeDevice(ctx, q.ID, b)
		})
	case opResynchronise:
		return with(q, func(b *Resynchronisation) (any, error) {
			defer clear(b.Password)
			return nil, v.resynchronise(ctx, q.ID, b)
		})
	case opRecoveryCodes:
		return with(q, func(b *NewCodes) (any, error) {
			defer clear(b.Password)
			return v.recoveryCodes(ctx, q.ID, b)
		})
	case opChangePassword:
		return with(q, func(b *PasswordChange) (any, error) {
			defer clear(b.Password)
			defer clear(b.New)
			return v.changePassword(ctx, q.ID, b)
		})
	case opRecover:
		return with(q, func(b *Recovery) (any, error) { return v.recover(ctx, b) })
	}
	return nil, fail(BadRequest, "there is no operation of this name")
}

// addDevice makes a further device.
//
//  1. The request makes sense; a passkey was made for it.
//  2. The new record is made, with the device in it.
//  3. The holder's factors. Durable, in the same transaction: that the record is
//     pending, and the journal.
//  4. The answer, with the secret: the only time it is outside the vault.
func (v *server) addDevice(ctx context.Context, id string, n *NewDevice) (*AddedDevice, error) {
	d := Device{ID: newDeviceID(), Kind: n.Kind, Label: n.Label, Created: v.now().UTC().Truncate(time.Second)}
	state := &deviceState{Added: millis(v.now())}
	secret, err := v.admitDevice(n, &d, state) // 1
	defer clear(secret)
	if err != nil {
		return nil, err
	}
	f, secrets, err := v.next(ctx, &n.Factors) // 2
	if err != nil {
		return nil, err
	}
	if len(f.Devices) >= MaxDevices {
		return nil, failf(NotAllowed, "a holder has %d devices at most; remove one first", MaxDevices)
	}
	f.Devices, secrets = append(f.Devices, d), append(secrets, secret)
	err = v.finishFactors(ctx, f, secrets)
	for _, s := range secrets {
		defer clear(s)
	}
	if err != nil {
		return nil, err
	}
	detail := map[string]string{"client": n.Client, "new": d.ID, "kind": string(d.Kind), "to": masked(d.To)}
	u := use{op: opAddDevice, request: id, content: n.content(), strong: true,
		event: audit.Event{Actor: f.Holder, Event: "device.added", Subject: f.Holder, Detail: detail},
		then: func(_ *store.Tx, s *holderState) error {
			s.propose(&n.Factors, f, "device added")
			s.setDevice(d.ID, state)
			return nil
		}}
	who, err := v.checkFactors(ctx, &n.Factors, &n.Evidence, u) // 3
	who.wipe()
	if err != nil {
		return nil, err
	}
	v.tell(ctx, &n.Factors, opAddDevice)
	a := &AddedDevice{Factors: *f, Device: d.ID} // 4
	switch d.Kind {
	case TOTP:
		a.URI = auth.OTPURI("Sigillo", f.Username, secret)
	case HOTP:
		a.URI = auth.HOTPURI("Sigillo", f.Username, secret)
	}
	return a, nil
}

// admitDevice is step 1 of addDevice. It returns the secret of the device.
func (v *server) admitDevice(n *NewDevice, d *Device, state *deviceState) (secret []byte, err error) {
	err = checkName("the client", n.Client, maxName)
	if n.Label != "" {
		err = firstError(err, checkName("the name of the device", n.Label, maxName))
	}
	if err != nil {
		return nil, err
	}
	switch {
	case n.Kind != Phone && n.To != "", n.Kind != Passkey && len(n.Registration) > 0, n.Kind != TOTP && n.Kind != HOTP && len(n.Seed) > 0:
		return nil, fail(BadRequest, "this kind of device has nothing of what was given")
	}
	switch n.Kind {
	case TOTP, HOTP:
		if n.Kind == HOTP {
			state.Last = -1
		}
		if len(n.Seed) == 0 {
			secret, err = auth.NewOTPSecret()
			return secret, because(err, "no random numbers")
		}
		if len(n.Seed) < minSeed || len(n.Seed) > maxSeed {
			return nil, failf(BadRequest, "the secret of a device has %d to %d bytes", minSeed, maxSeed)
		}
		return slices.Clone(n.Seed), nil
	case Passkey:
		key, count, err := v.readRegistration(&n.Factors, n.Registration)
		if err != nil {
			return nil, err
		}
		state.Confirmed, state.Count = true, count
		d.Key, err = json.Marshal(key)
		return nil, because(err, "the passkey cannot be encoded")
	case Phone:
		if v.cfg.Courier == nil {
			return nil, errNoCourier
		}
		d.To = strings.TrimSpace(n.To)
		return nil, checkAddress(d.To)
	}
	return nil, fail(BadRequest, "the kind of device must be totp, hotp, passkey or phone")
}

// confirmDevice makes a new device count, when its code is right. Of who guesses, ten
// tries are counted, durably.
func (v *server) confirmDevice(ctx context.Context, c *DeviceConfirmation) error {
	f := &c.Factors
	if err := firstError(checkName("the client", c.Client, maxName), v.shown(ctx, f)); err != nil {
		return err
	}
	d := f.find(c.Device)
	if d == nil {
		return fail(NotAllowed, "the holder has no device of this name")
	}
	u := use{op: opConfirmDevice, content: c.content()}
	p, err := v.prepare(ctx, f, &Evidence{OTP: c.Code}, u)
	if err != nil {
		return err
	}
	defer p.wipe()
	var refused error
	err = v.alter(ctx, f, func(tx *store.Tx, s *holderState) error {
		ds, now := s.device(d.ID), v.now()
		p.known = v.knownBrowser(s, c.Browser)
		if ds.Confirmed {
			return nil
		}
		if now.Sub(time.UnixMilli(ds.Added)) > ConfirmWithin || ds.Tries >= maxTries {
			return fail(NotAllowed, "this device was not confirmed in time; remove it and add it again")
		}
		ev := audit.Event{Actor: f.Holder, Event: "device.confirmed", Subject: f.Holder,
			Detail: map[string]string{"device": d.ID, "kind": string(d.Kind), "client": c.Client}}
		m := p.matchNew(s, f, d, u, now)
		if len(m.hits) == 0 {
			ds.Tries++
			s.missed(p)
			refused = fail(WrongOTP, "the code is wrong")
			ev.Event = "device.refused"
		} else {
			m.apply(s, p, now)
		}
		return because(audit.Append(tx, now, ev), "the journal cannot be written")
	})
	return firstError(err, refused)
}

// matchNew looks for the code of one device, which does not count yet.
func (p *presented) matchNew(s *holderState, f *Factors, d *Device, u use, now time.Time) (m found) {
	ds := s.device(d.ID)
	ds.Confirmed = true // as far as matching is concerned
	defer func() { ds.Confirmed = false }()
	if d.Kind == Phone {
		p.matchSent(s, u, now, &m)
		return m
	}
	for i, other := range f.devices() {
		if other.ID == d.ID {
			p.matchDevice(s, &other, p.secrets[i], now, &m)
		}
	}
	return m
}

// removeDevice takes a device away, in the order of addDevice.
func (v *server) removeDevice(ctx context.Context, id string, r *DeviceRemoval) (*Factors, error) {
	if err := checkName("the client", r.Client, maxName); err != nil {
		return nil, err
	}
	f, secrets, err := v.next(ctx, &r.Factors)
	if err != nil {
		return nil, err
	}
	for _, s := range secrets {
		defer clear(s)
	}
	i := slices.IndexFunc(f.Devices, func(d Device) bool { return d.ID == r.Device })
	if i < 0 {
		return nil, fail(NotAllowed, "the holder has no device of this name")
	}
	f.Devices, secrets = slices.Delete(f.Devices, i, i+1), slices.Delete(slices.Clone(secrets), i, i+1)
	if err := v.finishFactors(ctx, f, secrets); err != nil {
		return nil, err
	}
	u := use{op: opRemoveDevice, request: id, content: r.content(), strong: true,
		event: audit.Event{Actor: f.Holder, Event: "device.removed", Subject: f.Holder, Detail: map[string]string{"client": r.Client, "removed": r.Device}},
		then: func(_ *store.Tx, s *holderState) error {
			if !slices.ContainsFunc(f.Devices, func(d Device) bool { return s.device(d.ID).Confirmed }) {
				return fail(NotAllowed, "this is the last device that counts; add another one first")
			}
			s.propose(&r.Factors, f, "device removed")
			return nil
		}}
	who, err := v.checkFactors(ctx, &r.Factors, &r.Evidence, u)
	who.wipe()
	if err != nil {
		return nil, err
	}
	v.tell(ctx, &r.Factors, opRemoveDevice)
	return f, nil
}

// resynchronise finds a device again by two codes that follow each other.
func (v *server) resynchronise(ctx context.Context, id string, r *Resynchronisation) error {
	if err := checkName("the client", r.Client, maxName); err != nil {
		return err
	}
	if len(r.Second) > maxOTP || len(r.Passkey) > 0 {
		return fail(BadRequest, "two codes of the device are wanted")
	}
	if d := r.Factors.find(r.Device); d == nil || d.Kind != TOTP && d.Kind != HOTP {
		return fail(NotAllowed, "the holder has no authenticator of this name")
	}
	u := use{op: opResynchronise, request: id, content: r.content(), pair: &pair{r.Device, strings.TrimSpace(r.Second)},
		event: audit.Event{Actor: r.Factors.Holder, Event: "device.resynchronised", Subject: r.Factors.Holder,
			Detail: map[string]string{"client": r.Client}}}
	if _, ok := auth.ParseRecoveryCode(r.OTP); ok {
		return fail(BadRequest, "two codes of the device are wanted")
	}
	who, err := v.checkFactors(ctx, &r.Factors, &r.Evidence, u)
	who.wipe()
	return err
}

// recoveryCodes makes codes in the place of all former ones: the vault keeps a MAC of
// each. The same request sent again makes others.
func (v *server) recoveryCodes(ctx context.Context, id string, n *NewCodes) (codes []string, err error) {
	if err := firstError(checkName("the client", n.Client, maxName), v.ownFactors(ctx, &n.Factors)); err != nil {
		return nil, err
	}
	var macs [][]byte
	for range auth.RecoveryCodes {
		code, err := auth.NewRecoveryCode()
		if err != nil {
			return nil, because(err, "no random numbers")
		}
		plain, _ := auth.ParseRecoveryCode(code)
		mac, err := v.recoveryMAC(ctx, n.Factors.Holder, plain)
		if err != nil {
			return nil, err
		}
		codes, macs = append(codes, code), append(macs, mac)
	}
	u := use{op: opRecoveryCodes, request: id, content: n.content(), strong: true,
		event: audit.Event{Actor: n.Factors.Holder, Event: "recovery-codes.made", Subject: n.Factors.Holder, Detail: map[string]string{"client": n.Client}},
		then:  func(_ *store.Tx, s *holderState) error { s.Codes = macs; return nil }}
	who, err := v.checkFactors(ctx, &n.Factors, &n.Evidence, u)
	who.wipe()
	if err != nil {
		return nil, err
	}
	v.tell(ctx, &n.Factors, opRecoveryCodes)
	return codes, nil
}

// means lists what a holder is recognised by.
func (v *server) means(ctx context.Context, f *Factors) (*Means, error) {
	if err := v.shown(ctx, f); err != nil {
		return nil, err
	}
	m := &Means{}
	err := v.db.Read(ctx, func(tx *store.Tx) error {
		s, err := v.holderOf(tx, f)
		if err != nil {
			return err
		}
		m.Codes = len(s.Codes)
		for _, d := range f.devices() {
			ds := s.device(d.ID)
			status := DeviceStatus{ID: d.ID, Kind: d.Kind, Label: d.Label, To: masked(d.To), Created: d.Created, Confirmed: ds.Confirmed}
			if ds.Used > 0 {
				status.Used = time.UnixMilli(ds.Used).UTC()
			}
			m.Devices = append(m.Devices, status)
		}
		return nil
	})
	return m, because(err, "the vault's state cannot be read")
}
