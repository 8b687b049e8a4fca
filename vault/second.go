package vault

import (
	"context"
	"crypto/hmac"
	"strings"
	"time"

	"sigillo/auth"
)

// presented is the second factor of a request, made ready to be judged: all that needs
// the token or does not depend on the holder's state has been done.
type presented struct {
	secrets  [][]byte // of the holder's devices, in their order
	code     string
	recovery []byte // the token's MAC, when code can be a recovery code
	passkey  *proved
	pair     *pair
	known    bool   // the browser is one the vault knows
	open     []byte // of the use
	proof    []byte // tells what was presented from anything else
	// sent returns what the MAC of a code that was sent must be.
	sent func(device string, until int64) []byte
}

// pair is the second code of a resynchronisation.
type pair struct {
	device string
	second string
}

func (p *presented) wipe() {
	for _, s := range p.secrets {
		clear(s)
	}
}

// strong says whether the second factor is one that cannot be guessed, and tells what
// it is for or is on paper.
func (p *presented) strong() bool { return p.passkey != nil || p.recovery != nil }

// prepare makes the second factor ready. The token is asked the same for every holder.
func (v *server) prepare(ctx context.Context, f *Factors, e *Evidence, u use) (*presented, error) {
	p := &presented{code: strings.TrimSpace(e.OTP), pair: u.pair, open: u.open}
	if len(p.code) > maxOTP {
		p.code = ""
	}
	var err error
	if p.secrets, err = v.unsealSecrets(ctx, f); err != nil {
		return nil, err
	}
	if len(e.Passkey) > 0 {
		p.code, p.passkey = "", v.readPasskey(f, e.Passkey, u)
	} else if code, ok := auth.ParseRecoveryCode(p.code); ok && !u.presence {
		p.code = code
		if p.recovery, err = v.recoveryMAC(ctx, f.Holder, code); err != nil {
			p.wipe()
			return nil, err
		}
	}
	m := newMessage("sigillo presented v1").text(f.Holder).text(p.code).bytes(e.Passkey)
	if p.pair != nil {
		m = m.text(p.pair.device).text(p.pair.second)
	}
	p.proof = m.mac(&v.rowKey)
	p.sent = func(device string, until int64) []byte { return v.sentMAC(f.Holder, device, p.code, until) }
	return p, nil
}

func (v *server) recoveryMAC(ctx context.Context, holder, code string) ([]byte, error) {
	mac, err := v.tok.MAC(ctx, keyMAC, newMessage("sigillo recovery code v1").text(holder).text(code))
	return mac, because(err, "the token did not check the recovery code")
}

// hit is a second factor that was found to be right.
type hit struct {
	device string // "": a recovery code
	method string // RFC 8176
	last   int64  // what deviceState.Last becomes
	drift  int64
	count  uint32
	code   int // of a recovery code
	slot   int // of a code that was sent
}

// found is what a second factor is worth on a state.
type found struct {
	hits   []hit
	used   bool // it was right once
	cloned bool // the key of a passkey is in two places
}

// match looks for what was presented. All codes of all devices are computed and
// compared, whatever is found: the time tells nothing about them.
func (p *presented) match(s *holderState, f *Factors, u use, now time.Time) (m found) {
	switch {
	case p.passkey != nil:
		p.passkey.match(s, &m, now)
	case p.recovery != nil:
		for i, c := range s.Codes {
			if hmac.Equal(c, p.recovery) {
				m.hits = append(m.hits, hit{method: amrOTP, code: i})
			}
		}
	default:
		for i, d := range f.devices() {
			p.matchDevice(s, &d, p.secrets[i], now, &m)
		}
		if p.pair == nil {
			p.matchSent(s, u, now, &m)
		}
	}
	if len(m.hits) == 0 && hmac.Equal(s.Proof, p.proof) && now.Sub(time.UnixMilli(s.At)) < retryFor {
		m.used = true
	}
	return m
}

// matchDevice compares the code with those of one authenticator.
func (p *presented) matchDevice(s *holderState, d *Device, secret []byte, now time.Time, m *found) {
	ds := s.device(d.ID)
	var at int64
	var ok, used bool
	switch d.Kind {
	case TOTP:
		if p.pair != nil {
			at, ok = auth.MatchPair(secret, p.code, p.pair.second, auth.OTPStep(now)-auth.MaxDrift, auth.OTPStep(now)+auth.MaxDrift, ds.Last)
			break
		}
		at, ok = auth.MatchDrifted(secret, p.code, now, ds.Drift, ds.Last)
		_, used = auth.MatchDrifted(secret, p.code, now, ds.Drift, -1)
	case HOTP:
		if p.pair != nil {
			at, ok = auth.MatchPair(secret, p.code, p.pair.second, ds.Last+1, ds.Last+1+ResyncSteps, ds.Last)
			break
		}
		at, ok = auth.MatchHOTP(secret, p.code, ds.Last+1)
		used = auth.UsedHOTP(secret, p.code, ds.Last+1)
	default:
		return
	}
	if !s.counts(d.ID) || p.pair != nil && p.pair.device != d.ID {
		return
	}
	if ok {
		h := hit{device: d.ID, method: amrOTP, last: at}
		if d.Kind == TOTP {
			h.drift = at - auth.OTPStep(now)
		}
		m.hits = append(m.hits, h)
	}
	m.used = m.used || used && !ok
}

// apply uses up what was right: a code that fits two devices is used up in both.
func (m *found) apply(s *holderState, p *presented, now time.Time) {
	for _, h := range m.hits {
		if h.device == "" {
			s.Codes = append(s.Codes[:h.code:h.code], s.Codes[h.code+1:]...)
			continue
		}
		d := s.device(h.device)
		d.Used, d.Confirmed = millis(now), true
		switch h.method {
		case amrOTP:
			d.Last, d.Drift = h.last, h.drift
		case amrSMS:
			s.Sent[h.slot] = nil
		case amrPasskey:
			d.Count = h.count
			s.useNonce(p.passkey, now)
		}
	}
}
