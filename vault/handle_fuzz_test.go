package vault

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/auth/graphometric"
	"sigillo/hsm"
)

// softToken keeps its keys in memory, for the fuzzing of what stands before it: a
// real one would take all the time. It remembers what it has signed with holders'
// keys.
type softToken struct {
	mu     sync.Mutex
	keys   map[string][32]byte // guarded by mu
	signed [][]byte            // guarded by mu; digests
}

func (s *softToken) key(label string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keys[label]
	if !ok {
		rand.Read(k[:])
		s.keys[label] = k
	}
	return k[:]
}

func (s *softToken) Info() hsm.Info { return hsm.Info{Label: "soft"} }
func (s *softToken) Has(string) (bool, error) {
	return true, nil
}
func (s *softToken) GenerateSigner(context.Context, string, hsm.KeyType) (*hsm.Signer, error) {
	return nil, &hsm.Error{Kind: hsm.Unsupported, Msg: "no signers"}
}
func (s *softToken) GenerateFastSigner(ctx context.Context, l string, kt hsm.KeyType) (*hsm.Signer, error) {
	return s.GenerateSigner(ctx, l, kt)
}
func (s *softToken) DestroySigner(context.Context, string) error   { return nil }
func (s *softToken) GenerateMaster(context.Context, string) error  { return nil }
func (s *softToken) GenerateMACKey(context.Context, string) error  { return nil }
func (s *softToken) GenerateSealKey(context.Context, string) error { return nil }
func (s *softToken) Signer(string) (*hsm.Signer, error) {
	return nil, &hsm.Error{Kind: hsm.NotFound, Msg: "no signers"}
}
func (s *softToken) SelfTest(context.Context) (hsm.Report, error) { return hsm.Report{}, nil }
func (s *softToken) Longest() time.Duration                       { return 0 }
func (s *softToken) Close() error                                 { return nil }

func (s *softToken) MAC(_ context.Context, label string, data []byte) ([]byte, error) {
	m := hmac.New(sha256.New, s.key(label))
	m.Write(data)
	return m.Sum(nil), nil
}

func gcm(key []byte) cipher.AEAD {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCMWithRandomNonce(b)
	if err != nil {
		panic(err)
	}
	return a
}

func (s *softToken) Seal(_ context.Context, label string, aad, plain []byte) ([]byte, error) {
	return gcm(s.key(label)).Seal(nil, nil, plain, aad), nil
}

func (s *softToken) Unseal(_ context.Context, label string, aad, sealed []byte) ([]byte, error) {
	b, err := gcm(s.key(label)).Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, &hsm.Error{Kind: hsm.WrongSecret, Msg: "does not open"}
	}
	return b, nil
}

func (s *softToken) kek(master string, d [32]byte) []byte {
	k := sha256.Sum256(append(s.key(master), d[:]...))
	return k[:]
}

func (s *softToken) GenerateWrapped(_ context.Context, master string, d [32]byte, kt hsm.KeyType, prove func(crypto.Signer) error) (w hsm.Wrapped, err error) {
	k, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err2 := x509.MarshalPKCS8PrivateKey(k)
	w.SPKI, err = x509.MarshalPKIXPublicKey(k.Public())
	if err := errors.Join(err1, err2, err); err != nil || kt != hsm.P256 {
		return w, errors.Join(err, &hsm.Error{Kind: hsm.Unsupported, Msg: "only P-256"})
	}
	w.Type, w.Blob = kt, gcm(s.kek(master, d)).Seal(nil, nil, der, nil)
	return w, prove(k)
}

func (s *softToken) UseWrapped(_ context.Context, master string, d [32]byte, w hsm.Wrapped, use func(crypto.Signer) error) error {
	der, err := gcm(s.kek(master, d)).Open(nil, nil, w.Blob, nil)
	if err != nil {
		return &hsm.Error{Kind: hsm.WrongSecret, Msg: "does not unwrap"}
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return err
	}
	return use(watched{k.(crypto.Signer), s})
}

func (s *softToken) Rewrap(_ context.Context, master string, from, to [32]byte, w hsm.Wrapped) (hsm.Wrapped, error) {
	der, err := gcm(s.kek(master, from)).Open(nil, nil, w.Blob, nil)
	if err != nil {
		return w, &hsm.Error{Kind: hsm.WrongSecret, Msg: "does not unwrap"}
	}
	w.Blob = gcm(s.kek(master, to)).Seal(nil, nil, der, nil)
	return w, nil
}

type watched struct {
	crypto.Signer
	s *softToken
}

func (w watched) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	w.s.mu.Lock()
	w.s.signed = append(w.s.signed, bytes.Clone(digest))
	w.s.mu.Unlock()
	return w.Signer.Sign(r, digest, o)
}

// words notes what is logged as a panic.
type words struct {
	mu     sync.Mutex
	panics []string
}

func (w *words) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("msg=panic")) {
		w.mu.Lock()
		w.panics = append(w.panics, string(p))
		w.mu.Unlock()
	}
	return len(p), nil
}

// fuzzed is a vault over a softToken with one holder, who has signed in and
// authorised three digests.
type fuzzed struct {
	v      *server
	tok    *softToken
	log    *words
	values *strings.Replacer // what stands for the parts of requests that nobody can invent
	allow  map[string]bool   // the digests that may be signed
	secret []byte
}

func newFuzzed(f testing.TB) *fuzzed {
	f.Helper()
	dir := f.TempDir()
	clock := newClock()
	z := &fuzzed{tok: &softToken{keys: map[string][32]byte{}}, log: &words{}, allow: map[string]bool{}}
	cfg := Config{Socket: filepath.Join(dir, "sock"), StateDB: filepath.Join(dir, "vault.db"), Node: "node-1", Provision: true,
		Argon: fastArgon, Now: clock.now, token: z.tok}
	v, unlock, err := start(f.Context(), cfg, func(string) {})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { v.close(); unlock() })
	v.log = slog.New(slog.NewTextHandler(z.log, nil))
	z.v = v
	var enrolled enrolAnswer
	z.must(f, opEnrol, Enrolment{Holder: "h", Username: "ada", Password: []byte(goodPassword)}, &enrolled)
	z.secret = secretOf(f, enrolled.URI)
	h := &holder{r: &rig{t: f, clock: clock}, factors: enrolled.Factors, secret: z.secret}
	evidence := func() Evidence { return Evidence{Password: []byte(goodPassword), OTP: h.otp(), Client: "fuzz"} }
	var made credentialAnswer
	z.must(f, opCreateCredential, NewCredential{Factors: h.factors, Evidence: evidence(), ID: "c", Type: hsm.P256, MaxDigests: 10}, &made)
	counter := z.counter(f, h)
	ds := digests(3)
	for _, d := range ds {
		z.allow[string(d)] = true
	}
	var sad SAD
	last := evidence()
	z.must(f, opAuthorise, Authorisation{Factors: h.factors, Credential: made.Credential, Evidence: last, Hash: "SHA-256", Digests: ds, Request: "tx"}, &sad)
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		return string(b)
	}
	z.values = strings.NewReplacer("$F", text(h.factors), "$C", text(made.Credential), "$S", text(sad.Token), "$P", text([]byte(goodPassword)),
		"$O", text(last.OTP), "$G", text(counter.cred), "$K", text(counter.capture), "$W", counter.written, "$0", text(ds[0]), "$1", text(ds[1]), "$2", text(ds[2]))
	return z
}

// atCounter is what a service that was taken over has of a counter: the credential of a
// customer who signs with a pen, a capture that is open, and a signature that was compared.
type atCounter struct {
	cred    Credential
	capture string
	written string // JSON
}

// counter enrols a customer at the counter, and has a forger try in the customer's place.
func (z *fuzzed) counter(f testing.TB, operator *holder) (a atCounter) {
	f.Helper()
	second := &holder{r: operator.r}
	var enrolled enrolAnswer
	z.must(f, opEnrol, Enrolment{Holder: "second", Username: "eve", Password: []byte(goodPassword)}, &enrolled)
	second.factors, second.secret = enrolled.Factors, secretOf(f, enrolled.URI)
	var signedIn Recognition
	z.must(f, opAuthenticate, Authentication{Factors: second.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: second.otp(), Client: "fuzz"}}, &signedIn)
	c := &counterRig{rig: operator.r, operator: operator, second: second, customer: "customer", hand: newHand()}
	c.tablet = newRogue(f, c)
	c.tablet.id = "tablet-1"
	var none any
	z.must(f, opRegisterTablet, c.newTablet(c.tablet), &none)
	open := func(n NewCapture) string {
		var o Capture
		z.must(f, opOpenCapture, n, &o)
		return o.ID
	}
	write := func(capture string, n int) Captured {
		var armed Armed
		z.must(f, opArmCapture, captureRequest{ID: capture}, &armed)
		s := c.hand.Sign(0, n)
		sent := c.tablet.send(f, capture, armed, graphometric.AppendCapture(nil, s))
		c.clock.move(s.Duration())
		return sent
	}
	enrol := open(c.opening("enrol", nil))
	for n, step := 0, (EnrolStep{}); step.Count < 4; n++ {
		z.must(f, opEnrolCapture, write(enrol, n), &step)
	}
	var made credentialAnswer
	z.must(f, opFinishEnrolment, c.finishing(enrol, "grapho-customer"), &made)
	a.cred, c.cred = made.Credential, made.Credential
	ds := digests(1)
	sent := write(open(c.opening("spent", ds)), 0) // a copy
	b, err := json.Marshal(sent)
	if err != nil {
		f.Fatal(err)
	}
	auth := c.capturedFor("spent", ds, sent)
	body, err := json.Marshal(auth)
	if err != nil {
		f.Fatal(err)
	}
	_, err = z.v.inTurn(f.Context(), request{ID: "copy", Op: opAuthorise, Body: body})
	want(f, err, Unrecognised)
	a.written = string(b)
	c.clock.move(24 * time.Hour)
	a.capture = open(c.opening("open", ds))
	return a
}

func (z *fuzzed) must(f testing.TB, op string, body, out any) {
	f.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		f.Fatal(err)
	}
	a, err := z.v.inTurn(f.Context(), request{ID: "setup-" + op, Op: op, Body: b})
	if err == nil {
		b, err = json.Marshal(a)
	}
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		f.Fatalf("%s: %v", op, err)
	}
}

// requests are the seeds: one of each operation, as it should be.
var requests = [][2]string{
	{opStatus, `{}`}, {opSelfTest, `{}`}, {opPublicKey, `{"label":"root-ca"}`}, {opCreateKey, `{"label":"root-ca","type":"p256"}`},
	{opSignDigest, `{"label":"issuing-ca","hash":"SHA-256","digest":$0}`},
	{opEnrol, `{"holder":"i","username":"bea","password":$P}`},
	{opCreateCredential, `{"factors":$F,"password":$P,"otp":$O,"id":"d","type":"p256","maxDigests":3}`},
	{opAuthenticate, `{"factors":$F,"password":$P,"otp":$O,"client":"x"}`}, {opAuthenticate, `{}`},
	{opAuthorise, `{"factors":$F,"credential":$C,"password":$P,"otp":$O,"hash":"SHA-256","digests":[$0,$1,$2],"request":"tx"}`},
	{opSign, `{"sad":$S,"credential":$C,"hash":"SHA-256","digests":[$0],"scheme":"ecdsa","request":"one"}`},
	{opSign, `{"sad":$S,"credential":$C,"hash":"SHA-256","digests":[$1,$2],"scheme":"ecdsa","request":"two"}`},
	{opExtendSAD, `{"sad":$S,"credential":$C,"digests":[$2],"client":"x","request":"e"}`},
	{opDestroyCredential, `{"credential":{"id":"x"},"by":"a","reason":"b"}`},
	{opDelegate, `{"factors":$F,"credential":$C,"password":$P,"otp":$O,"id":"g","count":2,"expires":"2026-12-01T00:00:00Z","clientCertificate":$0,"kinds":["a"],"request":"r"}`},
	{opDelegations, `{"holder":"h"}`}, {opRevokeDelegation, `{"id":"g","by":"a","reason":"b"}`},
	{opAuthoriseDelegated, `{"delegation":"g","credential":$C,"clientCertificate":$0,"kind":"a","hash":"SHA-256","digests":[$0],"request":"r"}`},
	{opMeans, `$F`}, {opAdoptFactors, `$F`}, {opForgetBrowsers, `$F`}, {opPasskeyOptions, `$F`},
	{opAddDevice, `{"factors":$F,"password":$P,"otp":$O,"kind":"hotp","label":"a","client":"x"}`},
	{opConfirmDevice, `{"factors":$F,"device":"a","code":"123456","client":"x"}`},
	{opRemoveDevice, `{"factors":$F,"password":$P,"otp":$O,"device":"a","client":"x"}`},
	{opResynchronise, `{"factors":$F,"password":$P,"otp":$O,"device":"a","second":"123456","client":"x"}`},
	{opRecoveryCodes, `{"factors":$F,"password":$P,"otp":"0000-0000-0000-0000","client":"x"}`},
	{opChangePassword, `{"factors":$F,"password":$P,"otp":$O,"new":$P,"credentials":[$C],"client":"x"}`},
	{opRecover, `{"holder":"nobody","by":["a","b"],"reason":"c"}`},
	{opChallenge, `{"op":"authorise","request":{"factors":$F,"credential":$C,"hash":"SHA-256","digests":[$0]}}`},
	{opChallenge, `{"op":"authorise","request":{"factors":$F,"credential":$C,"application":"app"}}`},
	{opSendCode, `{"op":"authenticate","request":{"factors":$F},"code":{}}`},
	{opSendActivation, `{"activation":"a","subject":"nobody","to":"+39333123456","by":"a"}`},
	{opSendCode, `{"op":"authorise","request":{"factors":$F,"credential":$C,"application":"app"},"code":{}}`},
	{opRegisterTablet, `{"factors":$F,"password":$P,"otp":$O,"client":"x","id":"t2","name":"a","centre":"b","class":"pointer","publicKey":$0,"request":"r"}`},
	{opRevokeTablet, `{"id":"t2","by":"a","reason":"b"}`}, {opTablets, `{}`}, {opGraphometricReport, `{}`}, {opProfiles, `{"holder":"customer"}`},
	{opOpenCapture, `{"purpose":"sign","operator":$F,"presence":{"otp":$O},"holder":"customer","tablet":"tablet-1","credential":$G,"hash":"SHA-256","digests":[$0],"client":"x","request":"r"}`},
	{opArmCapture, `{"id":$K}`}, {opEnrolCapture, `$W`}, {opRemoveCapture, `{"id":$K,"index":1}`},
	{opFinishEnrolment, `{"capture":$K,"second":$F,"secondPresence":{"otp":$O},"consent":$0,"id":"n","type":"p256","maxDigests":3,"client":"x","request":"r"}`},
	{opAuthorise, `{"credential":$G,"capture":$W,"hash":"SHA-256","digests":[$0],"client":"x","request":"r"}`},
	{opRollBackProfile, `{"factors":$F,"password":$P,"otp":$O,"client":"x","credential":"grapho-customer","version":1,"reason":"a","request":"r"}`},
	{opCloseCapture, `{"id":"x","reason":"b"}`}, {opDestroyProfile, `{"credential":"x","by":"a","reason":"b"}`},
	{opChallenge, `{"op":"counter-open-capture","request":{"purpose":"sign","operator":$F,"credential":$G,"digests":[$0]}}`},
	{opWitnessJournal, `{"seq":1,"hash":$0}`}, {opTSAStatus, `{}`}, {opTSAMake, `{"series":"main"}`}, {"nothing", `{}`},
}

// TestFuzzedSigns: the seeds do reach the keys.
func TestFuzzedSigns(t *testing.T) {
	t.Parallel()
	z := newFuzzed(t)
	for _, s := range requests {
		out, err := z.v.inTurn(t.Context(), request{ID: "id", Op: s[0], Body: json.RawMessage(z.values.Replace(s[1]))})
		z.check(t, s[0], out, err)
	}
	if len(z.tok.signed) != 3 {
		t.Errorf("%d signatures, want 3", len(z.tok.signed))
	}
}

// FuzzHandle sends the vault requests of a service that was taken over: well formed,
// with parts that only the vault could have made and a password and OTP that were
// used. It does not fail, says nothing secret, and signs nothing but what the holder
// has authorised.
func FuzzHandle(f *testing.F) {
	for _, s := range requests {
		f.Add(s[0], "id", s[1])
		f.Add(s[0], "id-2", s[1][:len(s[1])/2])
	}
	z := newFuzzed(f)
	f.Fuzz(func(t *testing.T, op, id, body string) {
		if op == opStampStream || len(body) > 1<<16 {
			return
		}
		b, err := json.Marshal(request{ID: id, Op: op, Body: json.RawMessage(z.values.Replace(body))})
		if err != nil {
			return // not JSON: FuzzFrame plays that
		}
		q, err := parseRequest(b)
		if err != nil {
			want(t, err, BadRequest)
			return
		}
		out, err := z.v.inTurn(t.Context(), q)
		z.check(t, op, out, err)
	})
}

func (z *fuzzed) check(t *testing.T, op string, out any, err error) {
	t.Helper()
	z.log.mu.Lock()
	panics := z.log.panics
	z.log.mu.Unlock()
	if len(panics) > 0 {
		t.Fatal(panics)
	}
	w := toWire(err)
	if w != nil && !kinds[w.Kind] {
		t.Errorf("%s: an error of no kind: %v", op, err)
	}
	b, bad := json.Marshal(answer{ID: "x", Error: w})
	if bad == nil && err == nil && out != nil {
		b, bad = json.Marshal(out)
	}
	if bad != nil {
		t.Errorf("%s: the answer cannot be encoded: %v", op, bad)
	}
	for what, s := range map[string][]byte{"password": []byte(goodPassword), "OTP secret": z.secret} {
		if bytes.Contains(b, s) || bytes.Contains(b, []byte(base64.StdEncoding.EncodeToString(s))) {
			t.Errorf("%s: the answer holds the %s: %s", op, what, b)
		}
	}
	z.tok.mu.Lock()
	defer z.tok.mu.Unlock()
	times := map[string]int{}
	for _, d := range z.tok.signed {
		times[string(d)]++
	}
	for _, d := range z.tok.signed {
		switch {
		case z.allow[string(d)] && times[string(d)] > 1:
			t.Errorf("%s: %x was signed %d times", op, d, times[string(d)])
		case !z.allow[string(d)]:
			t.Errorf("%s: %x was signed, which nobody authorised", op, d)
		}
	}
}
