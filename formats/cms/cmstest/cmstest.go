// Package cmstest makes the keys and certificates that tests of signatures need:
// a root, an issuing authority, signers and time-stamping units of any key type.
// Nothing of it is secret or lasting; it is never linked into the program.
package cmstest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/formats/cms"
)

// PKI is a root and an issuing authority made for one test.
type PKI struct {
	Root, CA *x509.Certificate
	rootKey  crypto.Signer
	caKey    crypto.Signer
	mu       sync.Mutex
	serial   int64
}

// Identity is a key with its certificate and the certificates above it, without
// the root.
type Identity struct {
	Key         crypto.Signer
	Certificate *x509.Certificate
	Chain       []*x509.Certificate
	PSS         bool // an RSA key that signs with RSASSA-PSS
}

// New makes the two authorities, valid from a year before now to ten years after.
func New(t testing.TB) *PKI {
	t.Helper()
	p := &PKI{rootKey: Key(t, "p256"), caKey: Key(t, "p256")}
	p.Root = p.issue(t, &x509.Certificate{
		Subject: pkix.Name{Country: []string{"IT"}, Organization: []string{"Sigillo test"}, CommonName: "Test root"},
		IsCA:    true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, nil, p.rootKey.Public(), p.rootKey)
	p.CA = p.issue(t, &x509.Certificate{
		Subject: pkix.Name{Country: []string{"IT"}, Organization: []string{"Sigillo test"}, CommonName: "Test issuing CA"},
		IsCA:    true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, p.Root, p.caKey.Public(), p.rootKey)
	return p
}

// Signer makes a signer with keyUsage nonRepudiation. The type of key is one of
// [Key]; "-pss" after an RSA one makes it sign with RSASSA-PSS.
func (p *PKI) Signer(t testing.TB, keyType string) *Identity {
	t.Helper()
	return p.typed(t, keyType, &x509.Certificate{
		Subject:  pkix.Name{Country: []string{"IT"}, CommonName: "Ada Test"},
		KeyUsage: x509.KeyUsageContentCommitment,
	})
}

// TSU makes a time-stamping unit as RFC 3161 §2.3 wants its certificate; key types
// as for Signer.
func (p *PKI) TSU(t testing.TB, keyType string) *Identity {
	t.Helper()
	return p.typed(t, keyType, &x509.Certificate{
		Subject:         pkix.Name{Country: []string{"IT"}, CommonName: "Test TSU"},
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{TimeStampingEKU(true)},
	})
}

func (p *PKI) typed(t testing.TB, keyType string, template *x509.Certificate) *Identity {
	t.Helper()
	bare, pss := strings.CutSuffix(keyType, "-pss")
	id := p.Identity(t, Key(t, bare), template)
	id.PSS = pss
	return id
}

// TimeStampingEKU gives the extended key usage of a time-stamping certificate.
func TimeStampingEKU(critical bool) pkix.Extension {
	return pkix.Extension{
		Id: []int{2, 5, 29, 37}, Critical: critical,
		Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 8},
	}
}

// Identity makes a certificate of the given template for the key. Validity is
// and serial number are filled in if they are missing.
func (p *PKI) Identity(t testing.TB, key crypto.Signer, template *x509.Certificate) *Identity {
	t.Helper()
	c := p.issue(t, template, p.CA, key.Public(), p.caKey)
	return &Identity{Key: key, Certificate: c, Chain: []*x509.Certificate{p.CA}}
}

func (p *PKI) issue(t testing.TB, c, issuer *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	p.mu.Lock()
	p.serial++
	if c.SerialNumber == nil {
		c.SerialNumber = new(big.Int).Add(big.NewInt(0x7fffffff00), big.NewInt(p.serial))
	}
	p.mu.Unlock()
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(10, 0, 0)
	}
	if issuer == nil {
		issuer = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var rsaKeys sync.Map // key type → *rsa.PrivateKey, since RSA keys are slow to make

// Key makes a key: p256, p384, p521, ed25519, rsa2048, rsa3072. RSA keys are made
// once for each size and run of the tests.
func Key(t testing.TB, keyType string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch keyType {
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		if k, ok := rsaKeys.Load(keyType); ok {
			return k.(crypto.Signer)
		}
		bits := 0
		if _, err := fmt.Sscanf(keyType, "rsa%d", &bits); err != nil {
			t.Fatalf("unknown key type %q", keyType)
		}
		key, err = rsa.GenerateKey(rand.Reader, bits)
		rsaKeys.Store(keyType, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Hash gives the digest this identity signs with when nobody asks for another:
// SHA-512 for Ed25519, which takes no other in CMS, SHA-256 for all others.
func (id *Identity) Hash() crypto.Hash {
	if _, ok := id.Key.(ed25519.PrivateKey); ok {
		return crypto.SHA512
	}
	return crypto.SHA256
}

// Options gives the options to sign with this identity and digest.
func (id *Identity) Options(h crypto.Hash) cms.SignerOptions {
	return cms.SignerOptions{Certificate: id.Certificate, Chain: id.Chain, Hash: h, PSS: id.PSS}
}

// Prepared is what all forms of signature have in common when they lack only the
// value.
type Prepared interface {
	DTBS() []byte
	Algorithm() cms.Algorithm
}

// Sign signs what was prepared, as its algorithm says.
func (id *Identity) Sign(t testing.TB, p Prepared) []byte {
	t.Helper()
	alg := p.Algorithm()
	sig, err := id.Key.Sign(rand.Reader, alg.Input(p.DTBS()), alg.SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// Stamp makes a time-stamp token over an imprint with this unit's key.
func (id *Identity) Stamp(t testing.TB, h crypto.Hash, imprint []byte, at time.Time) []byte {
	t.Helper()
	p, err := cms.PrepareToken(&cms.TSTInfo{
		Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Hash: h, Imprint: imprint,
		SerialNumber: big.NewInt(time.Now().UnixNano()), GenTime: at, Accuracy: time.Second,
	}, id.Options(id.Hash()))
	if err != nil {
		t.Fatal(err)
	}
	token, err := p.Assemble(id.Sign(t, p), nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// PEM gives certificates as PEM text, as openssl wants them.
func PEM(certs ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			panic(err) // writing to a bytes.Buffer does not fail
		}
	}
	return b.Bytes()
}
