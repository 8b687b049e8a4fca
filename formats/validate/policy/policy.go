// Package policy holds the rules by which signatures are judged that change with
// the years and the relying party: which algorithms and key lengths are good
// enough, until when, and for what use; how old revocation information may be;
// which signature policies are known.
//
// They are a TOML file to be read and changed by people. The built-in one
// (default.toml, [Default]) follows ETSI TS 119 312 and says which version; the
// dates are the point of it: an algorithm past its date is still good for what a
// time-stamp proves to be older, so an archive renewed in time stays valid.
package policy

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"sigillo/formats/cms"
)

// Use is what an algorithm is used for.
type Use string

// The uses.
const (
	Signature   Use = "signature"   // of a document, and the digests it relies on
	Certificate Use = "certificate" // of a certificate by its issuer
	Revocation  Use = "revocation"  // of a revocation list or OCSP answer
	Timestamp   Use = "timestamp"   // of a time-stamp token, and its imprint
	Reference   Use = "reference"   // digest by which a signature or a token names its certificate
)

var uses = []Use{Signature, Certificate, Revocation, Timestamp, Reference}

// Policy is a set of rules. It may be used by many goroutines.
type Policy struct {
	Name    string `toml:"name"`
	Version string `toml:"version"`
	Source  string `toml:"source"` // where the rules come from
	// UnknownSignaturePolicy is "accept" (also when empty) or "indeterminate".
	UnknownSignaturePolicy string `toml:"unknown-signature-policy"`
	// UnnamedCertificate is what to do with a CMS signature that does not name its
	// certificate under its protection: "accept" (also when empty) or "indeterminate".
	UnnamedCertificate string            `toml:"unnamed-certificate"`
	Digests            []Digest          `toml:"digest"`
	Signatures         []SignatureRule   `toml:"signature"`
	Revocation         Freshness         `toml:"revocation"`
	SignaturePolicies  []SignaturePolicy `toml:"signature-policy"`
}

// Digest says until when a digest algorithm is good.
type Digest struct {
	Algorithm string          `toml:"algorithm"` // as crypto.Hash spells it: "SHA-256"
	Until     *toml.LocalDate `toml:"until"`
	Uses      []Use           `toml:"uses"` // empty: all
}

// SignatureRule says until when a signature scheme is good with keys of at least
// some length.
type SignatureRule struct {
	Scheme cms.Scheme      `toml:"scheme"`
	Bits   int             `toml:"bits"`
	Until  *toml.LocalDate `toml:"until"`
	Uses   []Use           `toml:"uses"` // empty: all
}

// Freshness says how old revocation information may be.
type Freshness struct {
	MaxAge Duration `toml:"max-age"` // 0: until its own nextUpdate
	// NoNextUpdate is how long an OCSP answer without nextUpdate is fresh; 0: not at
	// all, but for what is older. MaxAge, if there is one, goes before it.
	NoNextUpdate Duration `toml:"no-next-update"`
	// ExpiredSigner is what to do with information whose signer's certificate has
	// expired since: "accept" (also when empty), or "prove" that it is older.
	ExpiredSigner string `toml:"expired-signer"`
}

// SignaturePolicy is one that signers may name.
type SignaturePolicy struct {
	OID  string `toml:"oid"`
	Name string `toml:"name"`
	// Digest of its text in hexadecimal, by Algorithm; empty: any text.
	Algorithm string `toml:"algorithm"`
	Digest    string `toml:"digest"`
}

// Means reports whether a digest that a signer states is that of this policy. A
// digest by another algorithm cannot be compared and is taken for right.
func (s SignaturePolicy) Means(h crypto.Hash, digest []byte) bool {
	if s.Digest == "" || h != cms.HashByName(s.Algorithm) {
		return true
	}
	return strings.EqualFold(s.Digest, hex.EncodeToString(digest))
}

// Duration is a time.Duration written as "36h".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err == nil && v < 0 {
		err = errors.New("a duration may not be negative")
	}
	*d = Duration(v)
	return err
}

//go:embed default.toml
var builtIn []byte

var parsed = sync.OnceValue(func() *Policy {
	p, err := Parse(builtIn)
	if err != nil {
		panic("policy: the built-in policy: " + err.Error()) // a test reads it
	}
	return p
})

// Default is the built-in policy.
func Default() *Policy { return parsed() }

// Text is the built-in policy as a file, to be copied and changed.
func Text() []byte { return bytes.Clone(builtIn) }

// maxText bounds a policy file.
const maxText = 1 << 20

// Parse reads a policy. Names that are not known are errors, since a misspelt
// rule would be no rule.
func Parse(text []byte) (*Policy, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("the policy has %d bytes, more than the %d allowed", len(text), maxText)
	}
	p := &Policy{}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(p); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) {
			return nil, fmt.Errorf("the policy has fields that are not known:\n%s", strict.String())
		}
		return nil, fmt.Errorf("the policy cannot be read: %w", err)
	}
	return p, p.check()
}

func (p *Policy) check() error {
	if p.Name == "" {
		return errors.New("the policy has no name")
	}
	if !slices.Contains([]string{"", "accept", "indeterminate"}, p.UnknownSignaturePolicy) {
		return fmt.Errorf("unknown-signature-policy is %q, not accept or indeterminate", p.UnknownSignaturePolicy)
	}
	if !slices.Contains([]string{"", "accept", "indeterminate"}, p.UnnamedCertificate) {
		return fmt.Errorf("unnamed-certificate is %q, not accept or indeterminate", p.UnnamedCertificate)
	}
	if !slices.Contains([]string{"", "accept", "prove"}, p.Revocation.ExpiredSigner) {
		return fmt.Errorf("expired-signer is %q, not accept or prove", p.Revocation.ExpiredSigner)
	}
	for _, d := range p.Digests {
		if cms.HashByName(d.Algorithm) == 0 {
			return fmt.Errorf("the digest algorithm %q is not known", d.Algorithm)
		}
		if err := checkUses(d.Uses); err != nil {
			return err
		}
	}
	for _, s := range p.Signatures {
		if !slices.Contains([]cms.Scheme{cms.PKCS1, cms.PSS, cms.ECDSA, cms.Ed25519}, s.Scheme) || s.Bits <= 0 {
			return fmt.Errorf("a rule for %q with keys of %d bits makes no sense", s.Scheme, s.Bits)
		}
		if err := checkUses(s.Uses); err != nil {
			return err
		}
	}
	for _, s := range p.SignaturePolicies {
		if _, err := hex.DecodeString(s.Digest); s.OID == "" || err != nil || s.Digest != "" && cms.HashByName(s.Algorithm) == 0 {
			return fmt.Errorf("the signature policy %q needs an oid and, with a digest in hexadecimal, its algorithm", s.OID)
		}
	}
	return nil
}

func checkUses(us []Use) error {
	for _, u := range us {
		if !slices.Contains(uses, u) {
			return fmt.Errorf("the use %q is not known", u)
		}
	}
	return nil
}

// Validity is until when something is good: the zero time means that no end is
// known. Known is false for what was never good.
type Validity struct {
	Known bool
	Until time.Time
}

// At reports whether something is good at a time.
func (v Validity) At(t time.Time) bool {
	return v.Known && (v.Until.IsZero() || t.Before(v.Until))
}

// And is the shorter of two validities.
func (v Validity) And(w Validity) Validity {
	switch {
	case !v.Known || !w.Known:
		return Validity{}
	case v.Until.IsZero() || !w.Until.IsZero() && w.Until.Before(v.Until):
		return w
	}
	return v
}

// Digest gives until when a digest algorithm is good for a use.
func (p *Policy) Digest(h crypto.Hash, u Use) Validity {
	for _, d := range p.Digests {
		if cms.HashByName(d.Algorithm) == h && h != 0 && fits(d.Uses, u) {
			return Validity{true, day(d.Until)}
		}
	}
	return Validity{}
}

// Algorithm gives until when a signature algorithm with this key is good for a
// use, its digest included.
func (p *Policy) Algorithm(a cms.Algorithm, key crypto.PublicKey, u Use) Validity {
	bits := Bits(key)
	var best *SignatureRule
	for i := range p.Signatures {
		s := &p.Signatures[i]
		if s.Scheme == a.Scheme && s.Bits <= bits && fits(s.Uses, u) && (best == nil || s.Bits > best.Bits) {
			best = s
		}
	}
	if best == nil {
		return Validity{}
	}
	v := Validity{true, day(best.Until)}
	if a.Scheme == cms.Ed25519 {
		return v // its digest is part of it (RFC 8032 §5.1)
	}
	return v.And(p.Digest(a.Hash, u))
}

// SignaturePolicy gives a known signature policy, nil if it is not known.
func (p *Policy) SignaturePolicy(oid string) *SignaturePolicy {
	for i := range p.SignaturePolicies {
		if p.SignaturePolicies[i].OID == oid {
			return &p.SignaturePolicies[i]
		}
	}
	return nil
}

// Bits is the length of a key as the tables count it, 0 for unknown kinds.
func Bits(key crypto.PublicKey) int {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return 256
	}
	return 0
}

func fits(only []Use, u Use) bool { return len(only) == 0 || slices.Contains(only, u) }

func day(d *toml.LocalDate) time.Time {
	if d == nil {
		return time.Time{}
	}
	return d.AsTime(time.UTC)
}
