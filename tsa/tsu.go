package tsa

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math"
	"math/big"
	"sync/atomic"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/der"
	"sigillo/p256"
)

// unit is a UnitConfig in service.
type unit struct {
	cfg       UnitConfig
	numbers   numbers
	templates []*template // by the policy's index; nil where the policy has another series
	maxToken  int
	// verify checks the value with the public key of the certificate, before anyone
	// sees it: a faulty key device is found here.
	verify func(t *template, s *scratch, value []byte) error

	stamps, failures atomic.Int64
}

// contextSigner is a key that can be asked with a context, as those in a token can:
// it limits the wait for the device.
type contextSigner interface {
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// newUnit checks a configuration and prepares the tokens. It does not ask the key.
func (a *Authority) newUnit(cfg UnitConfig) (*unit, error) {
	switch {
	case cfg.Name == "" || cfg.Series == "":
		return nil, fail(BadConfig, nil, "the unit needs a name and a series")
	case cfg.Number > maxNumber:
		return nil, fail(BadConfig, nil, "the number of unit %q is too large; UnitNumber gives it", cfg.Name)
	case cfg.Signer == nil || cfg.Certificate == nil:
		return nil, fail(BadConfig, nil, "unit %q needs a key and a certificate", cfg.Name)
	}
	if err := checkCertificate(cfg.Certificate, cfg.Chain, cfg.Signer); err != nil {
		return nil, err
	}
	from, to, err := keyPeriod(cfg.Certificate)
	if err != nil {
		return nil, err
	}
	if cfg.From.After(from) {
		from = cfg.From
	}
	if !cfg.To.IsZero() && cfg.To.Before(to) {
		to = cfg.To
	}
	if from, to = within(from), within(to); !from.Before(to) {
		return nil, fail(BadConfig, nil, "unit %q has no time of use: it ends before it begins", cfg.Name)
	}
	u := &unit{cfg: cfg, templates: make([]*template, len(a.policies)), numbers: numbers{
		clock: a.cfg.Clock, counter: a.cfg.Counter, name: cfg.Name, number: int64(cfg.Number) << counterBits,
		from: from.UnixNano(), to: to.UnixNano(),
	}}
	if err := u.prepare(a); err != nil {
		return nil, err
	}
	if u.verify, err = verifier(cfg.Certificate.PublicKey); err != nil {
		return nil, fail(BadConfig, err, "the key of unit %q is broken", cfg.Name)
	}
	return u, nil
}

func verifier(key crypto.PublicKey) (func(*template, *scratch, []byte) error, error) {
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		var fast *rsaKey
		if pub, ok := key.(*rsa.PublicKey); ok {
			fast = newRSA(pub)
		}
		return func(t *template, s *scratch, value []byte) error {
			if fast != nil && plain(t.options) && fast.matches([sha256.Size]byte(s.input), value) {
				return nil
			}
			return t.algorithm.Verify(key, s.attributes, value)
		}, nil
	}
	v, err := p256.New(pub, p256.Large)
	if err != nil {
		return nil, err
	}
	return func(_ *template, s *scratch, value []byte) error {
		return v.Verify([sha256.Size]byte(s.input), value)
	}, nil
}

// within keeps a time to what nanoseconds in 64 bits can say, 1970 to 2261: some
// certificates are valid to the year 9999.
func within(t time.Time) time.Time {
	if last := time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC); t.After(last) {
		return last
	}
	if first := time.Unix(0, 0); t.Before(first) {
		return first
	}
	return t
}

// prepare makes the templates, and the size of the largest token: that for the
// longest accepted digest, the greatest number and the longest signature value.
func (u *unit) prepare(a *Authority) error {
	c := u.cfg.Certificate
	o := cms.SignerOptions{Certificate: c, Chain: u.cfg.Chain, Hash: signatureHash(c.PublicKey), PSS: u.cfg.PSS}
	var name []byte
	if a.cfg.NameInToken {
		name = cms.DirectoryName(c.RawSubject)
	}
	policies := 0
	for _, p := range a.policies {
		if p.Series != u.cfg.Series {
			continue
		}
		t, err := newTemplate(p.Policy, name, o)
		if err != nil {
			return fail(BadConfig, err, "unit %q cannot make tokens", u.cfg.Name)
		}
		u.templates[p.index] = t
		policies++
		for _, h := range p.Hashes {
			prepared, err := cms.PrepareToken(&cms.TSTInfo{
				Policy: p.OID, Hash: h, HashAlgorithmRaw: der.TLV(der.Sequence, der.OID(cms.HashOID(h)), der.TLV(der.Null)),
				Imprint: make([]byte, h.Size()), SerialNumber: big.NewInt(math.MaxInt64),
				GenTime:  time.Date(2049, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
				Accuracy: p.Accuracy, TSA: name, Qualified: p.Qualified,
			}, o)
			if err != nil {
				return fail(BadConfig, err, "unit %q cannot make tokens", u.cfg.Name)
			}
			u.maxToken = max(u.maxToken, prepared.MaxSize(0))
		}
	}
	if policies == 0 {
		return fail(BadConfig, nil, "no policy names the series %q of unit %q", u.cfg.Series, u.cfg.Name)
	}
	return nil
}

// succeededBy reports whether a new unit may take the place of this one: it is the
// same key with the same numbers, and this one does not stamp any more. The new one
// goes on after the highest number seen.
func (u *unit) succeededBy(next *unit) bool {
	pub, ok := u.cfg.Certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if u.cfg.Name != next.cfg.Name || u.cfg.Number != next.cfg.Number || !ok || !pub.Equal(next.cfg.Certificate.PublicKey) {
		return false
	}
	u.numbers.mu.Lock()
	defer u.numbers.mu.Unlock()
	next.numbers.end = u.numbers.end
	next.numbers.last = u.numbers.last
	return u.numbers.stopped != ""
}

// start asks for the first numbers, so that no stamp has to wait for them, nor for
// the promise of the run before.
func (u *unit) start() {
	ctx, cancel := context.WithTimeout(context.Background(), reserveLimit)
	defer cancel()
	at, err := u.numbers.clock.Now(ctx)
	if err != nil {
		return // the first stamp asks again
	}
	u.numbers.mu.Lock()
	defer u.numbers.mu.Unlock()
	u.numbers.fill(at)
}

// token makes the token of one stamp: signed, and verified.
func (u *unit) token(ctx context.Context, p *policy, r *cms.RequestView, serial int64, at time.Time, room []byte) ([]byte, [2]int, *Error) {
	t := u.templates[p.index]
	s := scratches.Get().(*scratch)
	t.fill(s, r, serial, at)
	value, err := u.sign(ctx, t, s)
	if err != nil {
		// s is not used again: a device that was given up may still read from it.
		u.failures.Add(1)
		return nil, [2]int{}, fail(Unavailable, err, "the key of the unit is not available; try again later")
	}
	if err := u.verify(t, s, value); err != nil {
		u.failures.Add(1)
		return nil, [2]int{}, fail(Unavailable, err, "the key of the unit gave a value that does not verify; try again later")
	}
	token, certs := t.token(room, s, value, r.CertReq)
	scratches.Put(s)
	u.stamps.Add(1)
	return token, certs, nil
}

func (u *unit) sign(ctx context.Context, t *template, s *scratch) ([]byte, error) {
	if key, ok := u.cfg.Signer.(contextSigner); ok {
		return key.SignContext(ctx, s.input, t.options)
	}
	random := rand.Reader
	if _, ok := u.cfg.Signer.(*ecdsa.PrivateKey); ok {
		random = nil // the nonce from key and digest, RFC 6979: a quarter faster, and as good
	}
	return u.cfg.Signer.Sign(random, s.input, t.options)
}

func (u *unit) status(now time.Time) UnitStatus {
	n := &u.numbers
	n.mu.Lock()
	defer n.mu.Unlock()
	s := UnitStatus{
		Name: u.cfg.Name, Number: u.cfg.Number, Series: u.cfg.Series, State: UnitActive, Reason: n.stopped,
		From: time.Unix(0, n.from).UTC(), To: time.Unix(0, n.to).UTC(),
		Stamps: u.stamps.Load(), Failures: u.failures.Load(), Trouble: n.trouble(now),
	}
	if n.last > 0 {
		s.LastTime = time.Unix(0, n.last).UTC()
	}
	switch {
	case n.stopped != "":
		s.State = UnitStopped
	case now.Before(s.From):
		s.State = UnitWaiting
	case now.After(s.To):
		s.State = UnitExpired
	}
	return s
}
