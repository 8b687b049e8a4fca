package vault

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"runtime"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/hsm"
	"sigillo/tsa"
	"sigillo/tsa/clock"
)

const servicePhrase = "quattro gatti nella torre"

func tsaConfig() *TSAConfig {
	return &TSAConfig{Node: 5, Policies: testPolicies(), Clock: clock.Config{Mode: clock.Unverified, Accuracy: time.Second}}
}

// newTSARig starts a vault that makes time-stamps, with its passphrase set.
func newTSARig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, clock: &handClock{t: time.Now()}, fault: func(string) {}}
	r.cfg = newConfig(t)
	r.cfg.Now, r.cfg.TSA, r.cfg.boot = r.clock.now, tsaConfig(), "boot 1"
	if change != nil {
		change(&r.cfg)
	}
	r.c = Dial(r.cfg.Socket)
	t.Cleanup(func() { r.c.Close() })
	r.start()
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the vault ended with %v", err)
		}
		runtime.GOMAXPROCS(processors()) // benchmarks are told when it is left otherwise
	})
	if err := r.c.SetPassphrase(context.Background(), PassphraseChange{Operator: "anna", New: []byte(servicePhrase)}); err != nil {
		t.Fatal(err)
	}
	return r
}

func consent() Consent { return Consent{Operator: "anna", Passphrase: []byte(servicePhrase)} }

// publicOnly is a key of which only the public half is at hand.
type publicOnly struct {
	crypto.Signer
	public crypto.PublicKey
}

func (k publicOnly) Public() crypto.PublicKey { return k.public }

// certify makes a certificate for a unit, with a time of use if one is given.
func certify(t testing.TB, pki *cmstest.PKI, spki []byte, from, to time.Time) *cmstest.Identity {
	t.Helper()
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "TSU"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{cmstest.TimeStampingEKU(true)}}
	if !to.IsZero() {
		type period struct {
			From time.Time `asn1:"tag:0,generalized"`
			To   time.Time `asn1:"tag:1,generalized"`
		}
		der, err := asn1.Marshal(period{from.UTC().Truncate(time.Second), to.UTC().Truncate(time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{2, 5, 29, 16}, Value: der})
	}
	return pki.Identity(t, publicOnly{public: pub}, c)
}

// newUnit makes a unit with its certificate.
func (r *rig) newUnit(pki *cmstest.PKI, kt hsm.KeyType, from, to time.Time) Unit {
	r.t.Helper()
	u, err := r.c.MakeUnit(context.Background(), NewUnit{Series: "main", Type: kt, Consent: consent()})
	if err != nil {
		r.t.Fatal(err)
	}
	id := certify(r.t, pki, u.PublicKey, from, to)
	if u, err = r.c.InstallUnit(context.Background(), u.Name, id.Certificate.Raw, [][]byte{pki.CA.Raw}); err != nil {
		r.t.Fatal(err)
	}
	return u
}

func (r *rig) newActiveUnit(pki *cmstest.PKI, kt hsm.KeyType, from, to time.Time) Unit {
	r.t.Helper()
	u, err := r.c.ActivateUnit(context.Background(), r.newUnit(pki, kt, from, to).Name, consent())
	if err != nil || u.State != UnitActive || !u.Serving {
		r.t.Fatalf("%+v, %v", u, err)
	}
	return u
}

// stampRequest makes a request, and the digest it asks for.
func stampRequest(t testing.TB) []byte {
	t.Helper()
	digest := make([]byte, 32)
	rand.Read(digest)
	q, err := cms.MarshalTimestampRequest(crypto.SHA256, digest, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// stamp has one made and checks it.
func (r *rig) stamp(pki *cmstest.PKI) tsa.Stamp {
	r.t.Helper()
	q := stampRequest(r.t)
	s, err := r.c.Stamp(context.Background(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	checkStamp(r.t, q, s)
	return s
}

func checkStamp(t testing.TB, q []byte, s tsa.Stamp) {
	t.Helper()
	token, err := cms.ParseToken(s.Token)
	if err != nil {
		t.Fatal(err)
	}
	asked, refusal := cms.ParseTimestampRequest(q)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if err := token.Answers(asked); err != nil {
		t.Fatal(err)
	}
	if err := token.VerifySignature(); err != nil {
		t.Fatal(err)
	}
	if token.Info.SerialNumber.Int64() != s.Serial || !token.Info.GenTime.Equal(s.GenTime) {
		t.Fatalf("the token says %v at %v, the stamp %v at %v", token.Info.SerialNumber, token.Info.GenTime, s.Serial, s.GenTime)
	}
}

func (r *rig) refused(kind tsa.Kind) {
	r.t.Helper()
	if s, err := r.c.Stamp(context.Background(), stampRequest(r.t)); tsa.KindOf(err) != kind {
		r.t.Fatalf("stamp %v, %v; want %s", s.Serial, err, kind)
	}
}

func (r *rig) unit(name string) Unit {
	r.t.Helper()
	s, err := r.c.TimeStamping(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, u := range s.Units {
		if u.Name == name {
			return u
		}
	}
	r.t.Fatalf("no unit %s", name)
	return Unit{}
}
