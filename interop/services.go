package main

import (
	"crypto"
	"crypto/rand"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/cms"
)

// services publishes what an authority publishes, on the loopback: lists,
// answers, its certificate, and time-stamps.
type services struct {
	pki      *pki
	listener net.Listener
	serial   atomic.Int64
}

// listen takes an address before there is a PKI, whose certificates name it.
func listen() (*services, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &services{listener: l}
	s.serial.Store(time.Now().UnixNano())
	return s, nil
}

func (s *services) base() string { return "http://" + s.listener.Addr().String() }

func (s *services) serve() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /root.crl", func(w http.ResponseWriter, _ *http.Request) { w.Write(s.pki.rootCRL) })
	mux.HandleFunc("GET /ca.crl", func(w http.ResponseWriter, _ *http.Request) { w.Write(s.pki.caCRL) })
	mux.HandleFunc("GET /ca.crt", func(w http.ResponseWriter, _ *http.Request) { w.Write(s.pki.ca.Raw) })
	mux.HandleFunc("POST /ocsp", s.answer)
	mux.HandleFunc("POST /tsa", s.stamped)
	go http.Serve(s.listener, mux)
}

func (s *services) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q, err := ocsp.ParseRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	der, err := s.pki.ocsp(q.SerialNumber)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Write(der)
}

func (s *services) stamped(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/timestamp-reply")
	body, err := io.ReadAll(io.LimitReader(r.Body, cms.MaxRequestSize))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q, refusal := cms.ParseTimestampRequest(body)
	if refusal != nil {
		w.Write(cms.MarshalRefusal(*refusal))
		return
	}
	token, err := s.token(q.Hash, q.Imprint, q.Nonce)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(cms.MarshalResponse(token))
}

// token stamps an imprint. Its certificates are always in it.
func (s *services) token(h crypto.Hash, imprint []byte, nonce *big.Int) ([]byte, error) {
	id := s.pki.tsu
	p, err := cms.PrepareToken(&cms.TSTInfo{
		Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Hash: h, Imprint: imprint, Nonce: nonce,
		SerialNumber: big.NewInt(s.serial.Add(1)), GenTime: time.Now(), Accuracy: time.Second,
	}, cms.SignerOptions{Certificate: id.certificate, Chain: id.chain, Hash: id.hash})
	if err != nil {
		return nil, err
	}
	value, err := id.key.Sign(rand.Reader, p.DTBSR(), p.Algorithm().SignerOpts())
	if err != nil {
		return nil, err
	}
	return p.Assemble(value, nil)
}

// tokenSize is a bound of the size of a token of this run.
const tokenSize = 8 << 10

// value signs what was prepared: the data themselves with Ed25519, else their digest.
func (id *identity) value(a cms.Algorithm, dtbs []byte) ([]byte, error) {
	return id.key.Sign(rand.Reader, a.Input(dtbs), a.SignerOpts())
}
