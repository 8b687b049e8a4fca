package clientcert

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"

	"sigillo/formats/certpath"
	"sigillo/formats/legible"
)

const (
	maxChain   = 8 // certificates of a client that are looked at
	atOnce     = 8
	verifyTime = 15 * time.Second
	cacheSize  = 64 << 20 // octets of lists and signatures that were checked
)

// Fetcher gets what is said about revocation. *fetch.Client satisfies it.
type Fetcher interface {
	CRLs(ctx context.Context, cert *x509.Certificate) ([][]byte, error)
	OCSP(ctx context.Context, cert, issuer *x509.Certificate) ([][]byte, error)
}

// Config says whom to believe.
type Config struct {
	// Authorities are trusted to say who people are, by decision: whether they were
	// revoked themselves is not asked.
	Authorities []*x509.Certificate
	// Policies are those of which a certificate must have one; none: any.
	Policies []x509.OID
	// Fetch asks the world; nil: nothing is known about revocation.
	Fetch Fetcher
	// SoftFail lets a certificate through of which it is not known whether it was
	// revoked.
	SoftFail bool
	Now      func() time.Time // nil: time.Now
}

// Identity is whom a certificate belongs to.
type Identity struct {
	FiscalCode string
	Subject    string // RFC 4514, fit to be shown
	Issuer     string
	Serial     string    // of the certificate, hexadecimal
	SHA256     string    // of the certificate, hexadecimal
	NotAfter   time.Time // end of its validity
	Unverified bool      // it was let through without a word about revocation, see Config.SoftFail
}

// Verifier verifies certificates. It is safe for concurrent use.
type Verifier struct {
	cfg    Config
	search *certpath.Search
	cache  *certpath.Cache
	kept   kept
	places chan struct{}
}

// New makes a verifier. The kind of its error is BadConfig.
func New(cfg Config) (*Verifier, error) {
	if len(cfg.Authorities) == 0 {
		return nil, fail(BadConfig, "there is no authority whose certificates are believed")
	}
	for _, c := range cfg.Authorities {
		if !c.IsCA {
			return nil, fail(BadConfig, "%s is no authority", legible.Line(c.Subject.String()))
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cache := certpath.NewCache(cacheSize)
	return &Verifier{cfg: cfg, cache: cache, places: make(chan struct{}, atOnce),
		search: &certpath.Search{Anchors: cfg.Authorities}, kept: kept{now: cfg.Now}}, nil
}

// Verify tells whose certificate it is that a TLS client has proved to have the key
// of. chain is what the client sent, its own certificate first.
//
//  1. A path to an authority is found, and the certificate is made for signing in.
//     Nothing is fetched before that, so that strangers make us ask nobody.
//  2. The path is valid now.
//  3. It was not revoked.
//  4. The subject says whose it is.
func (v *Verifier) Verify(ctx context.Context, chain []*x509.Certificate) (Identity, error) {
	if len(chain) == 0 {
		return Identity{}, fail(None, "no certificate was sent; insert the card and try again")
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	select {
	case v.places <- struct{}{}:
		defer func() { <-v.places }()
	case <-ctx.Done():
		return Identity{}, &Error{Kind: Unverifiable, Msg: "too many sign in at the same time; try again", Err: ctx.Err()}
	}
	leaf := chain[0]
	verifier := &certpath.Verifier{Cache: v.cache}
	search := v.search.With(chain[1:min(len(chain), maxChain)], verifier)
	var paths []certpath.Path
	for p := range search.Paths(leaf) { // 1
		if len(p) > 1 { // not the authority itself
			paths = append(paths, p)
		}
		if len(paths) == maxChain {
			break
		}
	}
	if len(paths) == 0 {
		return Identity{}, fail(Untrusted, "the certificate does not come from an authority that is accepted here")
	}
	if err := purpose(leaf); err != nil {
		return Identity{}, err
	}
	id := Identity{Subject: legible.Line(leaf.Subject.String()), Issuer: legible.Line(leaf.Issuer.String()),
		Serial: leaf.SerialNumber.Text(16), SHA256: fingerprint(leaf), NotAfter: leaf.NotAfter}
	path, err := v.valid(paths) // 2
	if err != nil {
		return id, err
	}
	if id.Unverified, err = v.status(ctx, search, path); err != nil { // 3
		return id, err
	}
	id.FiscalCode, err = fiscalCode(leaf) // 4
	return id, err
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// purpose says whether a certificate is made for signing in.
func purpose(c *x509.Certificate) error {
	switch {
	case c.IsCA:
		return fail(NotForThis, "the certificate is that of an authority")
	case c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return fail(NotForThis, "the certificate is not made for signing in (key usage); choose the one for authentication")
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return fail(NotForThis, "the certificate is not made for signing in (extended key usage); choose the one for authentication")
	}
	return nil
}

// valid gives the first path without faults, or the fault of the first one.
func (v *Verifier) valid(paths []certpath.Path) (certpath.Path, error) {
	rules := certpath.Constraints{Policies: v.cfg.Policies, RequireExplicitPolicy: len(v.cfg.Policies) > 0}
	var first error
	for _, p := range paths {
		faults := p.Check(v.cfg.Now(), rules)
		if len(faults) == 0 {
			return p, nil
		}
		if first == nil {
			first = refusal(faults)
		}
	}
	return nil, first
}

// refusal is the worst of some faults.
func refusal(faults []certpath.Fault) error {
	rank := func(f certpath.Fault) int {
		switch f.Kind {
		case certpath.Revoked, certpath.OnHold:
			return 0
		case certpath.NoStatus:
			return 3
		case certpath.Expired, certpath.NotYetValid:
			return 2
		}
		return 1
	}
	slices.SortStableFunc(faults, func(a, b certpath.Fault) int { return rank(a) - rank(b) })
	f := faults[0]
	switch f.Kind {
	case certpath.Revoked, certpath.OnHold:
		return fail(Revoked, "the certificate was revoked or suspended")
	case certpath.Expired, certpath.NotYetValid:
		return fail(Expired, "the certificate has expired, or is not valid yet")
	case certpath.NoStatus:
		return fail(Unverifiable, "whether the certificate was revoked cannot be found out now; try again later")
	case certpath.NoPolicy:
		return fail(NotForThis, "the certificate is not of a kind that is accepted here")
	}
	return fail(Untrusted, "the certificate cannot be accepted (%s)", f.Kind)
}
