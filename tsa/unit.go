package tsa

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"math"
	"math/big"
	"sync"
	"time"

	"sigillo/formats/cms"
)

// Serials gives out serial numbers. Reserve gives the first of n consecutive
// numbers, greater than 0, that no call has given before or will give again for
// this unit; this must be durable when it returns.
type Serials interface {
	Reserve(ctx context.Context, unit string, n int64) (first int64, err error)
}

// Stamped is an issued time-stamp as the archive keeps it.
type Stamped struct {
	Serial  int64
	Unit    string
	Hash    crypto.Hash
	Imprint []byte
	GenTime time.Time // as in the token, to the millisecond
	Account string    // who asked; "" is nobody in particular
	DER     []byte    // the token
}

// Archive keeps what was issued. Put must be durable when it returns.
type Archive interface {
	Put(ctx context.Context, s Stamped) error
}

// serialBlock is how many serial numbers are reserved at once: one durable write
// for so many stamps, and at most so many lost by a restart.
const serialBlock = 512

// Config describes a unit.
type Config struct {
	// Name of the unit, for its serial numbers and its archive; never change it
	// while the certificate stays the same.
	Name string
	// Signer is the key, Certificate its certificate: extended key usage
	// timeStamping, critical and alone (RFC 3161 §2.3). Chain holds the issuers
	// that go into the token with it.
	Signer      crypto.Signer
	Certificate *x509.Certificate
	Chain       []*x509.Certificate
	// Policy is the time-stamp policy that the tokens state.
	Policy asn1.ObjectIdentifier
	// Accuracy is stated in the tokens: between a millisecond and the second that
	// EN 319 421 allows. The Clock must keep it.
	Accuracy time.Duration
	// Hashes are the digest algorithms of imprints that are accepted; none means
	// SHA-256, SHA-384 and SHA-512 (EN 319 422 §5).
	Hashes []crypto.Hash
	// PSS signs with RSASSA-PSS.
	PSS bool
	// NameInToken puts the certificate's subject into the tsa field.
	NameInToken bool
	// Check verifies each token before it is archived and answered: it finds a
	// faulty key device, at the price of one verification.
	Check bool

	Clock   Clock
	Serials Serials
	Archive Archive
	// Last is the latest time this unit has issued before, from the archive; zero
	// if none. No stamp is made for a time before it.
	Last time.Time
	// OnRefusal, if set, is told of every stamp that was refused, with the cause
	// that the requester is not told.
	OnRefusal func(ctx context.Context, account string, err error)
}

// Unit is a time-stamping unit. Its methods may be called from many goroutines.
//
// mu guards last, next and end: choosing the time and the serial number is one
// step, so that a higher serial number never has an earlier time. Signing and
// archiving happen outside it, side by side.
type Unit struct {
	cfg       Config
	algorithm cms.Algorithm // of the token's signature
	tsa       []byte        // GeneralName or nil
	from, to  time.Time
	maxToken  int

	mu        sync.Mutex
	last      time.Time
	next, end int64 // serial numbers in hand: next ≤ n < end
}

// New checks the configuration and makes the unit. It asks neither the clock nor
// the key.
func New(cfg Config) (*Unit, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if len(cfg.Hashes) == 0 {
		cfg.Hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
	}
	u := &Unit{cfg: cfg, last: cfg.Last}
	var err error
	if u.algorithm, err = cms.AlgorithmFor(cfg.Certificate.PublicKey, signatureHash(cfg.Certificate.PublicKey), cfg.PSS); err != nil {
		return nil, fail(BadConfig, err, "the key of the unit cannot sign time-stamps")
	}
	if cfg.NameInToken {
		u.tsa = cms.DirectoryName(cfg.Certificate.RawSubject)
	}
	if u.from, u.to, err = keyPeriod(cfg.Certificate); err != nil {
		return nil, err
	}
	if u.maxToken, err = u.computeMaxTokenSize(); err != nil {
		return nil, err
	}
	return u, nil
}

func (cfg *Config) check() error {
	bad := func(msg string) error { return fail(BadConfig, nil, "%s", msg) }
	switch {
	case cfg.Name == "":
		return bad("the unit needs a name")
	case cfg.Signer == nil || cfg.Certificate == nil:
		return bad("the unit needs a key and a certificate")
	case cfg.Clock == nil || cfg.Serials == nil || cfg.Archive == nil:
		return bad("the unit needs a clock, serial numbers and an archive")
	case len(cfg.Policy) < 2:
		return bad("the unit needs the object identifier of its policy")
	case cfg.Accuracy < time.Millisecond || cfg.Accuracy > time.Second:
		return bad("the accuracy must be between a millisecond and a second")
	}
	if s, ok := cfg.Clock.(System); ok && s.Accuracy > cfg.Accuracy {
		return bad("the clock is held to a lower accuracy than the tokens state")
	}
	for _, h := range cfg.Hashes {
		if cms.HashOID(h) == nil || !h.Available() || h.Size() < 32 {
			return bad("a digest algorithm of the unit is too weak or not known; use SHA-256, SHA-384 or SHA-512")
		}
	}
	return checkCertificate(cfg.Certificate, cfg.Chain, cfg.Signer)
}

// MaxTokenSize gives the size in octets of the largest token that [Unit.Stamp] can
// give: that for the longest accepted digest, the greatest serial number and the
// longest signature value.
func (u *Unit) MaxTokenSize() int { return u.maxToken }

func (u *Unit) computeMaxTokenSize() (int, error) {
	largest := 0
	for _, h := range u.cfg.Hashes {
		req := &cms.TimestampRequest{Hash: h, Imprint: make([]byte, h.Size()), CertReq: true}
		at := time.Date(2049, 12, 31, 23, 59, 59, 999_000_000, time.UTC)
		p, err := u.prepare(req, at, math.MaxInt64)
		if err != nil {
			return 0, fail(BadConfig, err, "no token can be made with this configuration")
		}
		largest = max(largest, p.MaxSize(0))
	}
	return largest, nil
}

// prepare makes the token that lacks its signature value.
func (u *Unit) prepare(req *cms.TimestampRequest, at time.Time, serial int64) (*cms.Prepared, error) {
	return cms.PrepareToken(&cms.TSTInfo{
		Policy: u.cfg.Policy, Hash: req.Hash, HashAlgorithmRaw: req.HashAlgorithmRaw, Imprint: req.Imprint,
		SerialNumber: big.NewInt(serial), GenTime: at, Accuracy: u.cfg.Accuracy,
		Nonce: req.Nonce, NonceRaw: req.NonceRaw, TSA: u.tsa,
	}, cms.SignerOptions{
		Certificate: u.cfg.Certificate, Chain: u.cfg.Chain, Hash: u.algorithm.Hash, PSS: u.cfg.PSS, OmitCertificates: !req.CertReq,
	})
}

// sign gives the token with its value.
func (u *Unit) sign(p *cms.Prepared) ([]byte, error) {
	value, err := u.cfg.Signer.Sign(rand.Reader, u.algorithm.Input(p.DTBS()), u.algorithm.SignerOpts())
	if err != nil {
		return nil, err
	}
	if u.cfg.Check {
		if err := p.VerifySignature(value); err != nil {
			return nil, err
		}
	}
	return p.Assemble(value, nil)
}
