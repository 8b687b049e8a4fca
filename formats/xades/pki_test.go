package xades

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
)

var signedAt = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)

// party is a key with its certificate and the one that issued it.
type party struct {
	key  crypto.Signer
	cert *x509.Certificate
	root *x509.Certificate
}

// authority is a root the tests make once.
var authority = sync.OnceValue(func() party {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root", Country: []string{"IT"}},
		NotBefore: signedAt.AddDate(-1, 0, 0), NotAfter: signedAt.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	return issue(t, key, party{key: key})
})

var serial int64 = 100
var serialLock sync.Mutex

func issue(t *x509.Certificate, key crypto.Signer, by party) party {
	parent := by.cert
	if parent == nil {
		parent = t
	}
	der := must(x509.CreateCertificate(rand.Reader, t, parent, key.Public(), by.key))
	return party{key: key, cert: must(x509.ParseCertificate(der)), root: by.cert}
}

func holder(key crypto.Signer) party {
	serialLock.Lock()
	defer serialLock.Unlock()
	serial++
	return issue(&x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Ada Prova & Figli"},
		NotBefore: signedAt.AddDate(0, -1, 0), NotAfter: signedAt.AddDate(2, 0, 0), KeyUsage: x509.KeyUsageContentCommitment}, key, authority())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	ecHolder   = sync.OnceValue(func() party { return holder(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))) })
	ec384      = sync.OnceValue(func() party { return holder(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))) })
	rsaHolder  = sync.OnceValue(func() party { return holder(must(rsa.GenerateKey(rand.Reader, 2048))) })
	stampAgent = sync.OnceValue(func() party {
		eku := must(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}))
		return issue(&x509.Certificate{SerialNumber: big.NewInt(50), Subject: pkix.Name{CommonName: "Test TSU"},
			NotBefore: signedAt.AddDate(0, -1, 0), NotAfter: signedAt.AddDate(2, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: eku}}},
			must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), authority())
	})
)

// sign makes the signature value over a prepared digest.
func (p party) sign(t testing.TB, prepared *Prepared) []byte {
	t.Helper()
	a := prepared.Algorithm()
	v, err := p.key.Sign(rand.Reader, a.Input(prepared.DTBS()), a.SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// peerLock guards digitorus/timestamp, whose BER encoder writes a global variable.
var peerLock sync.Mutex

// stamp makes a real time-stamp token over a digest.
func stamp(t testing.TB, digest []byte) []byte {
	t.Helper()
	peerLock.Lock()
	defer peerLock.Unlock()
	agent := stampAgent()
	ts := timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: digest, Time: signedAt.Add(time.Minute),
		Policy: asn1.ObjectIdentifier{1, 2, 3}, AddTSACertificate: true}
	der, err := ts.CreateResponseWithOpts(agent.cert, agent.key, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := timestamp.ParseResponse(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.RawToken
}
