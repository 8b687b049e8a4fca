package vault

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
	"sigillo/store"
)

// counterRig is a counter with a tablet, an operator, a second member of the staff and a
// customer.
type counterRig struct {
	*rig
	operator, second *holder
	tablet           *pad
	customer         string
	hand             *synthetic.Signer
	cred             Credential
	next             int // number of the next signature of the customer
}

// pad is a signature tablet, with its key.
type pad struct {
	id  string
	key *ecdsa.PrivateKey
	now *handClock
}

// newCounter enrols the staff and registers a tablet.
func newCounter(t testing.TB, r *rig) *counterRig {
	t.Helper()
	c := &counterRig{rig: r, operator: r.enrol("operator"), second: r.enrol("second"), customer: "customer", hand: newHand()}
	c.use(c.operator)
	c.use(c.second)
	c.tablet = c.newPad("tablet-1")
	return c
}

// use has somebody sign in once, as members of the staff do.
func (c *counterRig) use(h *holder) {
	c.t.Helper()
	if err := h.authenticate(goodPassword, h.otp()); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counterRig) newPad(id string) *pad {
	c.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	p := &pad{id: id, key: k, now: c.clock}
	if err := c.c.RegisterTablet(c.t.Context(), c.newTablet(p)); err != nil {
		c.t.Fatal(err)
	}
	return p
}

func (c *counterRig) newTablet(p *pad) NewTablet {
	spki, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		c.t.Fatal(err)
	}
	return NewTablet{Factors: c.operator.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: c.operator.otp(), Client: "test"},
		ID: p.id, Name: "left of the door", Centre: "centre-1", Class: "pointer", PublicKey: spki, Request: "register " + p.id}
}

// present is a fresh presence of somebody.
func (h *holder) present() Evidence { return Evidence{OTP: h.otp(), Client: "test"} }

// opening is a capture that should be opened: to enrol, or to sign digests.
func (c *counterRig) opening(request string, digests [][]byte) NewCapture {
	n := NewCapture{Purpose: ToEnrol, Operator: c.operator.factors, Presence: c.operator.present(), Holder: c.customer, Tablet: c.tablet.id,
		Client: "test", Request: request}
	if len(digests) > 0 {
		n.Purpose, n.Credential, n.Hash, n.Digests = ToSign, c.cred, "SHA-256", digests
	}
	return n
}

func (c *counterRig) open(request string, digests [][]byte) string {
	c.t.Helper()
	o, err := c.c.OpenCapture(c.t.Context(), c.opening(request, digests))
	if err != nil {
		c.t.Fatal(err)
	}
	return o.ID
}

// signature is the next signature of the customer, of a later session than those enrolled.
func (c *counterRig) signature() *graphometric.Sample {
	c.next++
	return c.hand.Sign(1+c.next/3, c.next)
}

// write has somebody write a signature on the tablet of a capture.
func (c *counterRig) write(capture string, s *graphometric.Sample) Captured {
	c.t.Helper()
	a, err := c.c.ArmCapture(c.t.Context(), capture)
	if err != nil {
		c.t.Fatal(err)
	}
	sent := c.tablet.send(c.t, capture, a, graphometric.AppendCapture(nil, s))
	c.clock.move(s.Duration())
	return sent
}

// send is what a tablet makes of what was written on it.
func (p *pad) send(t testing.TB, capture string, a Armed, json []byte) Captured {
	t.Helper()
	s := Captured{Capture: capture, Nonce: a.Nonce, Started: p.now.now().UnixMilli()}
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.Ephemeral = key.PublicKey().Bytes()
	k, err := captureKey(key, a.PublicKey, a.Nonce, a.Context)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := newGCM(k)
	if err != nil {
		t.Fatal(err)
	}
	s.Sealed = aead.Seal(nil, make([]byte, captureIV), json, a.Context)
	p.sign(t, &s, a.Context)
	return s
}

// sign puts the tablet's signature on what is sent.
func (p *pad) sign(t testing.TB, s *Captured, context []byte) {
	t.Helper()
	h := sha256.Sum256(s.signed(context))
	r, v, err := ecdsa.Sign(rand.Reader, p.key, h[:])
	if err != nil {
		t.Fatal(err)
	}
	s.Signature = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
}

// enrolCustomer enrols the customer with five signatures.
func (c *counterRig) enrolCustomer() {
	c.t.Helper()
	capture := c.open("enrol "+c.customer, nil)
	step := c.fill(capture, 5)
	if !step.Ready {
		c.t.Fatalf("after five signatures: %+v", step)
	}
	c.finish(capture, "grapho-"+c.customer)
}

// fill writes signatures until n are accepted.
func (c *counterRig) fill(capture string, n int) EnrolStep {
	c.t.Helper()
	return c.fillFrom(capture, 0, n)
}

// fillFrom is fill with the signatures from a number on.
func (c *counterRig) fillFrom(capture string, i, n int) (step EnrolStep) {
	c.t.Helper()
	for ; step.Count < n; i++ {
		var err error
		if step, err = c.c.EnrolCapture(c.t.Context(), c.write(capture, c.hand.Sign(0, i))); err != nil || step.Failed {
			c.t.Fatalf("signature %d: %+v, %v", i, step, err)
		}
	}
	return step
}

func (c *counterRig) finishing(capture, credential string) FinishEnrolment {
	consent := sha256.Sum256([]byte("I agree"))
	return FinishEnrolment{Capture: capture, Second: c.second.factors, SecondPresence: c.second.present(), Consent: consent[:], ID: credential,
		Type: "p256", MaxDigests: 10, Client: "test", Request: "finish " + credential}
}

func (c *counterRig) finish(capture, credential string) {
	c.t.Helper()
	cred, csr, err := c.c.FinishEnrolment(c.t.Context(), c.finishing(capture, credential))
	if err != nil {
		c.t.Fatal(err)
	}
	q, err := x509.ParseCertificateRequest(csr)
	if err != nil || q.CheckSignature() != nil || !bytes.Equal(q.RawSubjectPublicKeyInfo, cred.PublicKey) {
		c.t.Fatalf("the request: %v", err)
	}
	c.cred = cred
}

// capturedFor is the authorisation that a signature should give.
func (c *counterRig) capturedFor(request string, digests [][]byte, s Captured) Authorisation {
	return Authorisation{Credential: c.cred, Evidence: Evidence{Capture: &s, Client: "test"}, Hash: "SHA-256", Digests: digests, Request: request}
}

// attempt opens a capture and has a signature compared.
func (c *counterRig) attempt(request string, digests [][]byte, s *graphometric.Sample) (SAD, error) {
	c.t.Helper()
	capture := c.open(request, digests)
	return c.c.Authorise(c.t.Context(), c.capturedFor(request, digests, c.write(capture, s)))
}

// tomorrow begins another day, when no mismatches count any more.
func (c *counterRig) tomorrow() { c.clock.move(25 * 3600e9) }

// TestCounter is what happens at a counter on a good day: somebody is enrolled, signs two
// documents with one signature of the pen, and the vault learns from it.
func TestCounter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	if !c.cred.Graphometric || c.cred.Holder != c.customer {
		t.Fatalf("%+v", c.cred)
	}
	ds := digests(2)
	sad, err := c.attempt("tx", ds, c.signature())
	if err != nil {
		t.Fatal(err)
	}
	claims, err := (&mint{}).peek(sad.Token)
	if err != nil || !slices.Equal(claims.AMR, capturedMethods) || claims.Capture == "" || claims.Subject != c.customer {
		t.Fatalf("%+v, %v", claims, err)
	}
	h := &holder{r: r, cred: c.cred}
	if h.key, err = x509.ParsePKIXPublicKey(c.cred.PublicKey); err != nil {
		t.Fatal(err)
	}
	act := Activation{SAD: sad.Token, Credential: c.cred, Hash: "SHA-256", Digests: ds, Scheme: schemeECDSA, Request: "tx"}
	signatures, err := r.c.Sign(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(act, signatures)
	ps, err := r.c.Profiles(t.Context(), c.customer)
	if err != nil || len(ps) < 1 || !ps[0].Current || ps[len(ps)-1].Reason != "enrolled" {
		t.Fatalf("%+v, %v", ps, err)
	}
	rep, err := r.c.GraphometricReport(t.Context())
	if err != nil || rep.Enrolments != 1 || rep.Captures != 1 || rep.Attempts[0].Match != 1 || rep.ProfilesActive != 1 || rep.TabletsActive != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if n := r.events(); n["operator.present"] != 2 || n["enrolment.intent"] != 1 || n[captureCompared] != 1 || n["signature.done"] != 1 {
		t.Errorf("%v", n)
	}
}

// peek reads what a SAD says without its MAC.
func (*mint) peek(token string) (*claims, error) {
	parts := strings.Split(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	return parseClaims(b)
}

// record reads the row of something at the counter, as an attacker with the file would.
func (c *counterRig) record(kind, id string, into any) error {
	return c.db().Read(c.t.Context(), func(tx *store.Tx) error {
		r, err := tx.CounterRow(kind, id)
		if err != nil {
			return err
		}
		return json.Unmarshal(r.Record, into)
	})
}

// context is what a capture is bound to.
func (c *counterRig) context(id string) []byte {
	c.t.Helper()
	var k capture
	if err := c.record(store.CounterCapture, id, &k); err != nil {
		c.t.Fatal(err)
	}
	return k.Context
}

// failures are the mismatches of the day.
func (c *counterRig) failures() int {
	c.t.Helper()
	var p profile
	if err := c.record(store.CounterProfile, c.cred.ID, &p); err != nil {
		c.t.Fatal(err)
	}
	return p.Failures
}

// newRogue is a tablet that nobody has registered.
func newRogue(t testing.TB, c *counterRig) *pad {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &pad{id: "rogue", key: k, now: c.clock}
}

// newHand is the hand of the customer.
func newHand() *synthetic.Signer { return synthetic.New(7) }
