package certpath

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	defaultBudget  = 8000      // see Verifier.Budget
	maxCertificate = 256 << 10 // octets; larger ones are not looked at, since every check reads all of it
)

// Verifier checks signatures, within a budget: a service makes one for each
// file, all with the same Cache. It may be used by many goroutines. The zero
// value has the default budget and remembers nothing.
type Verifier struct {
	// Cache remembers what was checked; nil: nothing is.
	Cache *Cache
	// Budget bounds the work of checking, since those who made a file choose how
	// many signatures there are and how long each takes. A check with RSA-2048 or
	// P-256 counts as 2, with RSA-4096 as 7, with P-521 as 30, with RSA-16384 as
	// 97, and each 64 KB signed as 1 more. 0: 8000, about half a second. What the
	// Cache knows costs nothing of it.
	Budget int

	spent, steps atomic.Int64
	cut          atomic.Bool // a search was given up
	missed       atomic.Bool // a statement against a certificate may have gone unheard
}

// Spent gives how much of the budget is gone.
func (v *Verifier) Spent() int { return int(v.spent.Load()) }

// signedObject is SIGNED{ToBeSigned} of X.509: a certificate, list or answer.
type signedObject struct {
	tbs, algorithm []byte // DER
	value          []byte
	digests        map[crypto.Hash][]byte // of tbs; nil: not kept
}

// readSigned takes SEQUENCE { tbs, algorithm, value } apart.
func readSigned(in *cryptobyte.String) (signedObject, bool) {
	var s signedObject
	var tbs, algorithm cryptobyte.String
	if !in.ReadASN1Element(&tbs, cbasn1.SEQUENCE) || !in.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) ||
		!in.ReadASN1BitStringAsBytes(&s.value) {
		return s, false
	}
	s.tbs, s.algorithm = tbs, algorithm
	return s, true
}

func certificateSigned(c *x509.Certificate) (signedObject, error) {
	in, body := cryptobyte.String(c.Raw), cryptobyte.String(nil)
	if in.ReadASN1(&body, cbasn1.SEQUENCE) && in.Empty() {
		if s, ok := readSigned(&body); ok && body.Empty() {
			return s, nil
		}
	}
	return signedObject{}, fail(Malformed, nil, "a certificate was not parsed from DER")
}

func (s *signedObject) digest(h crypto.Hash) []byte {
	if d, ok := s.digests[h]; ok {
		return d
	}
	f := h.New()
	f.Write(s.tbs)
	d := f.Sum(nil)
	if s.digests != nil {
		s.digests[h] = d
	}
	return d
}

// key names a signature and the key that is to have made it.
func (s *signedObject) key(issuer *x509.Certificate) cacheKey {
	f := sha256.New()
	var n [24]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(issuer.RawSubjectPublicKeyInfo)))
	binary.BigEndian.PutUint64(n[8:], uint64(len(s.tbs)))
	binary.BigEndian.PutUint64(n[16:], uint64(len(s.algorithm)))
	f.Write(n[:])
	f.Write(issuer.RawSubjectPublicKeyInfo)
	f.Write(s.tbs)
	f.Write(s.algorithm)
	f.Write(s.value)
	return cacheKey(f.Sum(nil))
}

// certificate checks that issuer's key signed c.
func (v *Verifier) certificate(c, issuer *x509.Certificate) error {
	if len(c.Raw) > maxCertificate || len(issuer.Raw) > maxCertificate {
		return fail(Limit, nil, "a certificate of more than %d octets is not looked at", maxCertificate)
	}
	s, err := certificateSigned(c)
	if err != nil {
		return err
	}
	return v.remembered(&s, issuer)
}

// remembered is check with the cache.
func (v *Verifier) remembered(s *signedObject, issuer *x509.Certificate) error {
	if v.Cache == nil {
		return v.check(s, issuer)
	}
	key := s.key(issuer)
	if _, ok := v.Cache.get(key); ok {
		return nil
	}
	err := v.check(s, issuer)
	if err == nil {
		v.Cache.put(key, nil, 0)
	}
	return err
}

// check checks a signature, at the budget's expense.
func (v *Verifier) check(s *signedObject, issuer *x509.Certificate) error {
	a, err := readAlgorithm(s.algorithm)
	if err != nil {
		return err
	}
	if err := v.spend(price(issuer.PublicKey) + int64(len(s.tbs)>>16)); err != nil {
		return err
	}
	return verifyValue(issuer.PublicKey, a, s.tbs, s.digest, s.value)
}

func (v *Verifier) spend(units int64) error {
	if v.exhausted() || v.spent.Add(units) > v.budget() {
		return fail(Limit, nil, "checking the signatures of all certificates, lists and answers would take too long")
	}
	return nil
}

func (v *Verifier) budget() int64 {
	if v.Budget == 0 {
		return defaultBudget
	}
	return int64(v.Budget)
}

// Exhausted reports that something was not checked or not looked for because it
// would have cost too much. What was found is right, but a path may be missing, and
// so may a list that revokes, of which Missed tells: whoever wants to rely on there
// being none must not.
func (v *Verifier) Exhausted() bool { return v.exhausted() || v.cut.Load() }

// Missed reports that a revocation may have gone unheard: there was a list or answer
// that says something against a certificate which was asked about, and it could not
// be told whether it is authentic, because to check everything would have cost too
// much; or [Sources.Add] was given more than it takes. While it is false, being
// Exhausted has only taken good words away; good words about those who signed a
// revocation too, which is for whoever judges them to remember.
func (v *Verifier) Missed() bool { return v.missed.Load() }

// exhausted reports that nothing more will be checked.
func (v *Verifier) exhausted() bool { return v.spent.Load() > v.budget() }

// price is about how long a check with a key takes; see [Verifier.Budget].
func price(key crypto.PublicKey) int64 {
	switch k := key.(type) {
	case *rsa.PublicKey:
		n := int64(k.N.BitLen()+2047) / 2048
		if k.E > 1<<20 {
			n *= 2
		}
		return 1 + n*n*3/2
	case *ecdsa.PublicKey:
		switch n := k.Curve.Params().BitSize; {
		case n > 384:
			return 30
		case n > 256:
			return 10
		}
	}
	return 2
}
