package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/store"
	"sigillo/vault"
)

// cscHolders are the holders whose applications sign at once.
const cscHolders = 8

// cscRuns are the rounds of the benchmark. No more digests are signed than a holder
// authorises at once: each holder's share is rounds times size.
var cscRuns = []struct {
	clients, size, rounds int // rounds for each holder
}{{1, 1, 128}, {8, 1, 64}, {32, 1, 64}, {1, 100, 2}, {8, 100, 2}, {32, 100, 3}}

// BenchmarkCSC measures signatures/signHash over HTTP, under SADs that are bound to
// all hashes (SCAL 2), beside the vault alone asked for the same over its socket.
func BenchmarkCSC(b *testing.B) {
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.RSA3072} {
		b.Run(string(kt), func(b *testing.B) {
			h := newCSCHouse(b)
			people := make([]*cscSigner, cscHolders)
			for i := range people {
				people[i] = newCSCSigner(b, h, kt)
			}
			b.ResetTimer()
			for _, r := range cscRuns {
				ours := rate(b, people, r.clients, r.size, r.rounds, (*cscSigner).overHTTP)
				theirs := rate(b, people, r.clients, r.size, r.rounds, (*cscSigner).byVault)
				figure(fmt.Sprintf("csc.signhash.%s.batch%d.c%d.sps", kt, r.size, r.clients), ours, "1/s", "the vault alone, the same digests", theirs)
			}
		})
	}
}

// cscSigner is a holder with two authorisations over random digests: a grant, and a SAD
// of the vault's own.
type cscSigner struct {
	h          *cscHouse
	credential string
	record     vault.Credential
	algo       string
	scheme     string
	grant, sad string
	mu         sync.Mutex
	left       map[string][][]byte // by the authorisation
}

func newCSCSigner(b *testing.B, h *cscHouse, kt hsm.KeyType) *cscSigner {
	const most = 1024
	c := h.cscHolder(b, kt, most)
	s := &cscSigner{h: h, credential: c.holder.Credential, algo: "1.2.840.113549.1.1.11", scheme: "pkcs1", left: map[string][][]byte{}}
	if kt == hsm.P256 {
		s.algo, s.scheme = "1.2.840.10045.4.3.2", "ecdsa"
	}
	digests := make([][]byte, most)
	for i := range digests {
		digests[i] = make([]byte, 32)
		rand.Read(digests[i])
	}
	holder := h.holderID(b, c)
	s.grant = h.grant(b, c, holder, remote.Order{Credential: s.credential, Hash: crypto.SHA256, Digests: digests})
	var factors vault.Factors
	err := h.DB.Read(b.Context(), func(tx *store.Tx) error {
		row, err := tx.Credential(s.credential)
		if err == nil {
			err = json.Unmarshal(row.Record, &s.record)
		}
		owner, err2 := tx.Holder(holder)
		if err2 == nil {
			err2 = json.Unmarshal(owner.Factors, &factors)
		}
		return firstErr(err, err2)
	})
	if err != nil {
		b.Fatal(err)
	}
	sad, err := h.Vault.Authorise(b.Context(), vault.Authorisation{Factors: factors, Credential: s.record, Hash: "SHA-256", Digests: digests, Request: rand.Text(),
		Evidence: signing.Evidence{Password: []byte(c.holder.Password), OTP: c.mustOTP(b), Client: "bench"}})
	if err != nil {
		b.Fatal(err)
	}
	s.sad = sad.Token
	s.left[s.grant], s.left[s.sad] = digests, digests
	return s
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// some takes n digests that an authorisation has not signed.
func (s *cscSigner) some(of string, n int) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.left[of][:n]
	s.left[of] = s.left[of][n:]
	return out
}

// overHTTP has n digests signed by the CSC API.
func (s *cscSigner) overHTTP(client *http.Client, n int) error {
	in := struct {
		Credential string   `json:"credentialID"`
		Algo       string   `json:"signAlgo"`
		Hashes     []string `json:"hashes"`
	}{s.credential, s.algo, nil}
	for _, d := range s.some(s.grant, n) {
		in.Hashes = append(in.Hashes, b64(d))
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, s.h.url+"/csc/v2/signatures/signHash", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.grant)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, answer)
	}
	return err
}

// byVault has n digests signed by the vault alone.
func (s *cscSigner) byVault(_ *http.Client, n int) error {
	_, err := s.h.Vault.Sign(context.Background(), vault.Activation{SAD: s.sad, Credential: s.record, Hash: "SHA-256",
		Digests: s.some(s.sad, n), Scheme: s.scheme, Request: rand.Text()})
	return err
}

// rate has clients sign, shared among the holders, and gives signatures a second.
func rate(b *testing.B, people []*cscSigner, clients, size, rounds int, sign func(*cscSigner, *http.Client, int) error) float64 {
	people = people[:min(clients, len(people))]
	work := make(chan *cscSigner, len(people)*rounds)
	for range rounds {
		for _, p := range people {
			work <- p
		}
	}
	close(work)
	connections := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer connections.CloseIdleConnections()
	began := time.Now()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for p := range work {
				if err := sign(p, connections, size); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return float64(len(people)*rounds*size) / time.Since(began).Seconds()
}
