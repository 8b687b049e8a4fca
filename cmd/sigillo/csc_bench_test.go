package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/vault"
)

// cscRuns are the loads of the benchmark: clients, each an application of a holder of its
// own, and the digests of an authorisation. each is how many a client has in a turn.
var cscRuns = []struct{ clients, size, each int }{{1, 1, 8}, {8, 1, 4}, {32, 1, 2}, {1, 100, 4}, {8, 100, 2}, {32, 100, 1}}

const (
	cscClients = 32 // at most
	cscTurns   = 3  // of each load
)

// BenchmarkCSC measures hashes signed over the CSC API by HTTP with SCAL 2: each
// activation has an authorisation of its own (credentials/authorize, with the holder's
// password and a one-time password) over exactly its hashes, one or a hundred, which
// signatures/signHash then signs. "csc.signhash" is the second alone, "csc.whole" both:
// what an authorisation costs is above all the stretching of the password. Beside them,
// in turns of the same run and with the same token, by as many goroutines: what the
// token takes to derive, unwrap and sign as many, and bare signatures of a key that
// rests in it.
func BenchmarkCSC(b *testing.B) {
	h := newCSCHouse(b)
	tok := h.rawToken(b)
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.RSA3072} {
		b.Run(string(kt), func(b *testing.B) {
			people := make([]*cscSigner, cscClients)
			for i := range people {
				people[i] = newCSCSigner(b, h, kt)
			}
			raw := newRawKeys(b, tok, kt)
			b.ResetTimer()
			for range b.N {
				for _, r := range cscRuns {
					var given, signed, unwrapped, bare pace
					for range cscTurns {
						run := people[:r.clients]
						given.all(b, run, r.each*r.size, func(s *cscSigner) error { return s.authorise(r.each, r.size) })
						signed.all(b, run, r.each*r.size, (*cscSigner).signAll)
						unwrapped.during(b, r.clients, signed.took, func() (int, error) { return r.size, raw.unwrapped(r.size) })
						bare.during(b, r.clients, signed.took, func() (int, error) { return 1, raw.sign() })
					}
					name := fmt.Sprintf("%s.batch%d.c%d.sps", kt, r.size, r.clients)
					whole := pace{signed.n, given.took + signed.took}
					const derive, rest = "token, derive + unwrap + sign", "token, bare signatures"
					figure("csc.signhash."+name, signed.rate(), "1/s", derive, unwrapped.rate())
					figure("csc.signhash."+name, signed.rate(), "1/s", rest, bare.rate())
					figure("csc.whole."+name, whole.rate(), "1/s", derive, unwrapped.rate())
					figure("csc.whole."+name, whole.rate(), "1/s", rest, bare.rate())
				}
			}
		})
	}
}

// pace adds up signatures and time.
type pace struct {
	n    int
	took time.Duration
}

func (p pace) rate() float64 { return float64(p.n) / p.took.Seconds() }

// all has every client work at once; each makes n.
func (p *pace) all(b *testing.B, people []*cscSigner, n int, work func(*cscSigner) error) {
	b.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for _, s := range people {
		wg.Go(func() {
			if err := work(s); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	p.took += time.Since(began)
	p.n += n * len(people)
	if b.Failed() {
		b.FailNow()
	}
}

// during has goroutines work until they have had as long as total in all, a tenth of a second
// at least; work says how many signatures it made.
func (p *pace) during(b *testing.B, goroutines int, total time.Duration, work func() (int, error)) {
	b.Helper()
	began, least := time.Now(), max(total-p.took, 100*time.Millisecond)
	var n atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for time.Since(began) < least {
				made, err := work()
				if err != nil {
					b.Error(err)
					return
				}
				n.Add(int64(made))
			}
		})
	}
	wg.Wait()
	p.took += time.Since(began)
	p.n += int(n.Load())
}

// rawToken opens the appliance's own token beside its vault.
func (h *cscHouse) rawToken(b *testing.B) *hsm.Token {
	b.Helper()
	for _, e := range h.Config.HSM.Environment { // as the vault's, which the module reads
		name, value, _ := strings.Cut(e, "=")
		b.Setenv(name, value)
	}
	pin, err := os.ReadFile(h.Config.HSM.PINFile)
	if err != nil {
		b.Fatal(err)
	}
	tok, err := hsm.Open(hsm.Config{Module: h.Config.HSM.Module, Arguments: h.Config.HSM.Arguments, Token: h.Config.HSM.Token, PIN: bytes.TrimSpace(pin)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { tok.Close() })
	return tok
}

// rawKeys are a wrapped key, as holders have them, and one that rests in the token.
type rawKeys struct {
	tok    *hsm.Token
	master string
	d      [32]byte
	w      hsm.Wrapped
	bare   *hsm.Signer
	digest [32]byte
}

func newRawKeys(b *testing.B, tok *hsm.Token, kt hsm.KeyType) *rawKeys {
	b.Helper()
	ctx := context.Background()
	k := &rawKeys{tok: tok, master: "raw-master-" + rand.Text()[:6], d: sha256.Sum256([]byte("password")), digest: sha256.Sum256([]byte("document"))}
	err := tok.GenerateMaster(ctx, k.master)
	if err == nil {
		k.w, err = tok.GenerateWrapped(ctx, k.master, k.d, kt, nil)
	}
	if err == nil {
		k.bare, err = tok.GenerateSigner(ctx, "raw-"+rand.Text()[:6], kt)
	}
	if err != nil {
		b.Fatal(err)
	}
	return k
}

// unwrapped derives, unwraps, and signs n times.
func (k *rawKeys) unwrapped(n int) error {
	return k.tok.UseWrapped(context.Background(), k.master, k.d, k.w, func(key crypto.Signer) error {
		for range n {
			if _, err := key.Sign(rand.Reader, k.digest[:], crypto.SHA256); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k *rawKeys) sign() error {
	_, err := k.bare.SignContext(context.Background(), k.digest[:], crypto.SHA256)
	return err
}

// cscSigner is an application of one holder, whose codes come from a counter: they need
// no waiting.
type cscSigner struct {
	h          *cscHouse
	http       *http.Client
	credential string
	algo       string
	token      string // of scope service
	password   string
	secret     []byte
	count      int64
	open       []authorised
}

// authorised is what has not been signed yet.
type authorised struct {
	sad    string
	hashes []string
}

func newCSCSigner(b *testing.B, h *cscHouse, kt hsm.KeyType) *cscSigner {
	b.Helper()
	c := h.cscHolder(b, kt, 100)
	holder := h.holderID(b, c)
	s := &cscSigner{h: h, http: &http.Client{Transport: &http.Transport{}}, credential: c.holder.Credential, algo: "1.2.840.113549.1.1.11",
		token: h.gate.service(holder), password: c.holder.Password}
	b.Cleanup(s.http.CloseIdleConnections)
	if kt == hsm.P256 {
		s.algo = "1.2.840.10045.4.3.2"
	}
	added, err := h.AddDevice(b.Context(), holder, vault.NewDevice{Kind: vault.HOTP, Label: "counter",
		Evidence: signing.Evidence{Password: []byte(s.password), OTP: c.mustOTP(b), Client: "bench"}})
	if err != nil {
		b.Fatal(err)
	}
	if s.secret, err = otpSecret(added.URI); err != nil {
		b.Fatal(err)
	}
	if err := h.ConfirmDevice(b.Context(), holder, vault.DeviceConfirmation{Device: added.Device, Code: s.otp(), Client: "bench"}); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *cscSigner) otp() string {
	s.count++
	return auth.HOTP(s.secret, s.count-1)
}

// authorise has the holder authorise n times size random hashes.
func (s *cscSigner) authorise(n, size int) error {
	for range n {
		hashes := make([]string, size)
		for i := range hashes {
			var d [sha256.Size]byte
			rand.Read(d[:])
			hashes[i] = b64(d[:])
		}
		var out struct{ SAD string }
		err := s.ask("credentials/authorize", map[string]any{"credentialID": s.credential, "numSignatures": size, "hashes": hashes,
			"hashAlgorithmOID": "2.16.840.1.101.3.4.2.1", "authData": []map[string]string{{"id": "PIN", "value": s.password}, {"id": "OTP", "value": s.otp()}}}, &out)
		if err != nil {
			return err
		}
		s.open = append(s.open, authorised{out.SAD, hashes})
	}
	return nil
}

// signAll has all signed that is authorised.
func (s *cscSigner) signAll() error {
	for _, a := range s.open {
		var out struct{ Signatures []string }
		err := s.ask("signatures/signHash", map[string]any{"credentialID": s.credential, "SAD": a.sad, "hashes": a.hashes, "signAlgo": s.algo}, &out)
		if err == nil && len(out.Signatures) != len(a.hashes) {
			err = fmt.Errorf("%d signatures over %d hashes", len(out.Signatures), len(a.hashes))
		}
		if err != nil {
			return err
		}
	}
	s.open = nil
	return nil
}

func (s *cscSigner) ask(method string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, s.h.url+"/csc/v2/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", method, res.Status, answer)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}
