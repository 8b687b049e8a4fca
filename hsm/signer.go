package hsm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"io"
	"time"

	"github.com/miekg/pkcs11"

	"sigillo/formats/der"
)

// Signer is a persistent signing key of a Token, a crypto.Signer.
//
// Sign takes the digest of the message, never the message, of SHA-256, SHA-384
// or SHA-512 (anything weaker or unnamed is Unsupported, ETSI TS 119 312 §5.2)
// and of exactly that hash's length. The options choose the scheme:
//
//   - RSA key, opts a crypto.Hash: RSASSA-PKCS1-v1_5 (RFC 8017 §8.2);
//   - RSA key, opts an *rsa.PSSOptions: RSASSA-PSS with MGF1 over the same hash
//     (RFC 8017 §8.1); PSSSaltLengthEqualsHash is what signature standards want,
//     PSSSaltLengthAuto is the longest salt that fits, as in crypto/rsa;
//   - EC key: ECDSA, returned as the ASN.1 DER of ECDSA-Sig-Value (RFC 3279
//     §2.2.3), not as the bare pair that PKCS#11 gives.
//
// An Ed25519 key is the exception: it signs messages, of up to 64 kB, and the
// options are crypto.Hash(0), as for crypto/ed25519.
//
// The random source is ignored: the token has its own.
type Signer struct {
	token  *Token
	label  string
	public crypto.PublicKey
}

var _ crypto.Signer = (*Signer)(nil)

// signWait is how long Sign, which has no context, waits for a session.
const signWait = 30 * time.Second

// Signer returns the signing key of that label. NotFound if there is none,
// Conflict if the label belongs to something else.
func (t *Token) Signer(label string) (*Signer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), signWait)
	defer cancel()
	return t.signer(ctx, label)
}

func (t *Token) signer(ctx context.Context, label string) (*Signer, error) {
	k := &Signer{token: t, label: label}
	err := t.with(ctx, "look up the key "+label, func(s *session) error {
		o, err := t.object(ctx, s, label, roleSigner)
		k.public = o.public
		return err
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Public returns an *rsa.PublicKey, an *ecdsa.PublicKey or an ed25519.PublicKey.
func (k *Signer) Public() crypto.PublicKey { return k.public }

// Label is the key's label in the token.
func (k *Signer) Label() string { return k.label }

// Sign is SignContext with a limit of 30 seconds for the wait for a session.
func (k *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), signWait)
	defer cancel()
	return k.SignContext(ctx, digest, opts)
}

// SignContext signs a digest; ctx limits the wait for a session (Kind Busy), not
// the signature itself, which the token cannot break off.
func (k *Signer) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	job, err := newJob(k.public, digest, opts)
	if err != nil {
		return nil, err
	}
	var sig []byte
	err = k.token.with(ctx, "sign with "+k.label, func(s *session) error {
		o, err := k.token.object(ctx, s, k.label, roleSigner)
		if err != nil {
			return err
		}
		if !samePublic(o.public, k.public) {
			return fail(NotFound, nil, "the key %q was replaced by another one; open it again", k.label)
		}
		sig, err = job.run(k.token.api, s.id, o.handle)
		return err
	})
	return sig, err
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// job is one signature, ready for C_Sign.
type job struct {
	mech  mechanism
	data  []byte
	bytes int // ECDSA: length of r and of s; else 0
	size  int // length of what C_Sign must return
}

// digestInfo are the DER prefixes of DigestInfo (RFC 8017 §9.2 note 1).
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
}

// The mechanisms without a parameter that sign. Nobody changes them.
var (
	mechECDSA = mech(pkcs11.CKM_ECDSA)
	mechPKCS1 = mech(pkcs11.CKM_RSA_PKCS)
	mechEdDSA = mech(ckmEdDSA)
	mechMAC   = mech(pkcs11.CKM_SHA256_HMAC)
)

// maxMessage bounds what an Ed25519 key signs in one call.
const maxMessage = 64 << 10

// pssHashes are the CKM_… and CKG_MGF1_… of each hash.
var pssHashes = map[crypto.Hash][2]uint{
	crypto.SHA256: {pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256},
	crypto.SHA384: {pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384},
	crypto.SHA512: {pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512},
}

func mechPSS(hash crypto.Hash, salt int) mechanism {
	ids := pssHashes[hash]
	return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.NewPSSParams(ids[0], ids[1], uint(salt)))
}

// newJob checks digest and options against the key and chooses the mechanism.
func newJob(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (job, error) {
	if opts == nil {
		return job{}, fail(Unsupported, nil, "sign: name the hash of the digest")
	}
	hash := opts.HashFunc()
	if _, isEd := public.(ed25519.PublicKey); isEd {
		if hash != 0 || len(digest) > maxMessage {
			return job{}, fail(Unsupported, nil, "sign: an Ed25519 key signs messages of up to %d bytes, not digests", maxMessage)
		}
		return job{mech: mechEdDSA, data: digest, size: ed25519.SignatureSize}, nil
	}
	prefix, ok := digestInfo[hash]
	if !ok {
		return job{}, fail(Unsupported, nil, "sign: the hash must be SHA-256, SHA-384 or SHA-512")
	}
	if len(digest) != hash.Size() {
		return job{}, fail(Unsupported, nil, "sign: a digest of %v has %d bytes, not %d", hash, hash.Size(), len(digest))
	}
	pss, isPSS := opts.(*rsa.PSSOptions)
	switch pub := public.(type) {
	case *ecdsa.PublicKey:
		if isPSS {
			return job{}, fail(Unsupported, nil, "sign: RSA-PSS asked of an EC key")
		}
		n := (pub.Curve.Params().N.BitLen() + 7) / 8
		// FIPS 186-5 §6.4.1: the leftmost bits of a digest longer than the order.
		return job{mech: mechECDSA, data: digest[:min(len(digest), n)], bytes: n, size: 2 * n}, nil
	case *rsa.PublicKey:
		if !isPSS {
			data := append(append(make([]byte, 0, len(prefix)+len(digest)), prefix...), digest...)
			return job{mech: mechPKCS1, data: data, size: pub.Size()}, nil
		}
		longest := (pub.N.BitLen()-1+7)/8 - 2 - hash.Size()
		salt := pss.SaltLength
		switch salt {
		case rsa.PSSSaltLengthAuto:
			salt = longest
		case rsa.PSSSaltLengthEqualsHash:
			salt = hash.Size()
		}
		if salt < 0 || salt > longest {
			return job{}, fail(Unsupported, nil, "sign: a PSS salt of %d bytes does not fit", salt)
		}
		return job{mech: mechPSS(hash, salt), data: digest, size: pub.Size()}, nil
	}
	return job{}, fail(Unsupported, nil, "sign: the key is neither RSA nor EC")
}

// run signs and brings the result into the form that Go and the signature
// standards use. It makes one piece of memory: the token writes behind the place
// where the DER will be.
func (j job) run(api cryptoki, s sessionID, key handle) ([]byte, error) {
	room := 0
	if j.bytes > 0 {
		room = maxDER(j.bytes)
	}
	buf := make([]byte, room+j.size)
	raw, err := api.sign(s, j.mech, key, j.data, buf[room:])
	if err != nil {
		return nil, err
	}
	if len(raw) != j.size {
		return nil, fail(Failed, nil, "sign: the token returned %d bytes instead of %d", len(raw), j.size)
	}
	if j.bytes == 0 {
		return raw, nil
	}
	return signatureDER(buf, raw[:j.bytes], raw[j.bytes:]), nil
}

// maxDER is the size of the longest ECDSA-Sig-Value of two numbers of n bytes,
// for n up to 66: a length of two bytes for the SEQUENCE, a zero before each.
func maxDER(n int) int { return 3 + 2*(2+1+n) }

// signatureDER writes the ECDSA-Sig-Value (RFC 3279 §2.2.3) of r and s, which are
// big-endian and not negative, into room of at least [maxDER]; they do not lie there.
func signatureDER(room, r, s []byte) []byte {
	const longest = 3 // header of the SEQUENCE
	numbers := der.AppendUnsigned(der.AppendUnsigned(room[:longest], r), s)[longest:]
	head := der.Size(len(numbers)) - len(numbers)
	der.AppendHeader(room[:longest-head], der.Sequence, len(numbers))
	return room[longest-head : longest+len(numbers)]
}

// verify checks a signature made by a job of the same arguments.
func verify(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts, sig []byte) error {
	switch pub := public.(type) {
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(pub, digest, sig) {
			return errors.New("ECDSA signature does not verify")
		}
		return nil
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(pub, opts.HashFunc(), digest, sig, &rsa.PSSOptions{SaltLength: pss.SaltLength})
		}
		return rsa.VerifyPKCS1v15(pub, opts.HashFunc(), digest, sig)
	}
	return errors.New("unknown kind of key")
}
