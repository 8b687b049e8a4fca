package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/legible"
)

// Bounds of one exchange with an authority.
const (
	askTimeout = 30 * time.Second
	maxAnswer  = 1 << 20 // octets
)

// authority is a time-stamping authority as its client sees it.
type authority struct {
	url            string
	client         *http.Client
	user, password string
	bearer         string
	policy         asn1.ObjectIdentifier
	certReq, nonce bool
	tsu            []*x509.Certificate // for tokens without certificates
}

// authority reads what the options say about it.
func (o *stampOptions) authority() (*authority, error) {
	a := &authority{url: o.url, user: o.user, policy: o.oid, certReq: !o.noCert, nonce: o.nonce}
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, badUsage("--url non è un indirizzo http o https (le credenziali vanno in --user e --password-file)", "--url is no http or https address (credentials go into --user and --password-file)")
	}
	secret := o.passwordFile
	if o.tokenFile != "" {
		secret = o.tokenFile
	}
	if secret != "" {
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return nil, badUsage("su http le credenziali sarebbero leggibili da tutti: usare https", "over http anybody could read the credentials: use https")
		}
		value, err := readPassword(secret)
		if err != nil {
			return nil, &stampError{exitUsage, "le credenziali non si possono leggere", "the credentials cannot be read", err}
		}
		if len(value) == 0 || bytes.ContainsFunc(value, func(c rune) bool { return c < 0x20 || c == 0x7f }) {
			return nil, badUsage(secret+" non contiene credenziali", secret+" holds no credentials")
		}
		if o.tokenFile != "" {
			a.bearer = string(value)
		} else {
			a.password = string(value)
		}
	}
	if o.tsu != "" {
		if a.tsu, err = readCertificates(o.tsu); err != nil {
			return nil, &stampError{exitUsage, "--tsu non si può leggere", "--tsu cannot be read", err}
		}
	}
	a.client, err = o.httpClient()
	return a, err
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// httpClient follows no redirections: whoever is asked next would get the
// credentials, or see what is stamped.
func (o *stampOptions) httpClient() (*http.Client, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.ca != "" {
		roots, err := readCertificates(o.ca)
		if err != nil {
			return nil, &stampError{exitUsage, "--ca non si può leggere", "--ca cannot be read", err}
		}
		c.RootCAs = x509.NewCertPool()
		for _, r := range roots {
			c.RootCAs.AddCert(r)
		}
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, &stampError{exitUsage, "il certificato client non si può usare", "the client certificate cannot be used", err}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{
		Timeout:       askTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: c},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// request makes the TimeStampReq for a digest.
func (a *authority) request(h crypto.Hash, digest []byte) ([]byte, error) {
	r := cms.TimestampRequest{Hash: h, Imprint: digest, Policy: a.policy, CertReq: a.certReq}
	if a.nonce {
		// 63 bits: some programs take it for a signed number of eight octets.
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
		if err != nil {
			return nil, err
		}
		r.Nonce = n
	}
	return r.Marshal()
}

// ask gets a time-stamp over a digest: the answer as it came, and its token, which
// was checked.
func (a *authority) ask(ctx context.Context, h crypto.Hash, digest []byte) ([]byte, *cms.Token, error) {
	req, err := a.request(h, digest)
	if err != nil {
		return nil, nil, err
	}
	answer, err := a.post(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	token, err := checkResponse(req, answer, a.tsu)
	return answer, token, err
}

// post sends a request (RFC 3161 §3.4).
func (a *authority) post(ctx context.Context, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("Accept", "application/timestamp-reply")
	if a.user != "" {
		req.SetBasicAuth(a.user, a.password)
	}
	if a.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+a.bearer)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, &stampError{exitFailed, "l'autorità di marcatura non risponde", "the time-stamping authority does not answer", err}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, &stampError{exitFailed, "l'autorità di marcatura non accetta le credenziali", "the time-stamping authority does not accept the credentials", errors.New(resp.Status)}
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, &stampError{exitFailed, "l'autorità di marcatura rinvia altrove", "the time-stamping authority sends elsewhere", fmt.Errorf("%s %q", resp.Status, resp.Header.Get("Location"))}
	case resp.StatusCode != http.StatusOK:
		return nil, &stampError{exitFailed, "l'autorità di marcatura ha risposto con un errore", "the time-stamping authority answered with an error", errors.New(resp.Status)}
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("more than %d octets", maxAnswer)
	}
	if err != nil {
		return nil, &stampError{exitFailed, "la risposta dell'autorità di marcatura non si può leggere", "the answer of the time-stamping authority cannot be read", err}
	}
	return answer, nil
}

// refusals are the reasons of RFC 3161 §2.4.2 in words.
var refusals = map[cms.FailureInfo][2]string{
	cms.BadAlg:              {"algoritmo non accettato", "the algorithm is not accepted"},
	cms.BadRequest:          {"richiesta non permessa", "the request is not permitted"},
	cms.BadDataFormat:       {"richiesta malformata", "the request is malformed"},
	cms.TimeNotAvailable:    {"l'ora certa non è disponibile", "the time is not available"},
	cms.UnacceptedPolicy:    {"politica non accettata", "the policy is not accepted"},
	cms.UnacceptedExtension: {"estensione non accettata", "an extension is not accepted"},
	cms.AddInfoNotAvailable: {"informazioni non disponibili", "information is not available"},
	cms.SystemFailure:       {"guasto del servizio", "the service has failed"},
}

// refused tells why the authority refuses, in words and in its own.
func refused(r *cms.Refusal) error {
	why, ok := refusals[r.FailureInfo]
	if !ok {
		why = [2]string{"motivo non indicato", "no reason is given"}
	}
	code := fmt.Sprintf(" (%v)", r.FailureInfo)
	return &stampError{exitFailed, "marca rifiutata: " + why[0] + code, "time-stamp refused: " + why[1] + code, errors.New(legible.Line(r.Text))}
}

func wrong(it, en string, err error) error {
	return &stampError{exitBad, "la risposta non è giusta: " + it, "the answer is not right: " + en, err}
}

// checkResponse gives the token of a response after checking that it answers
// the request: imprint, nonce, policy, signature. Whom to trust is another question:
// see `sigillo verify`. tsu are certificates for tokens without.
func checkResponse(req, resp []byte, tsu []*x509.Certificate) (*cms.Token, error) {
	request, refusal := cms.ParseTimestampRequest(req)
	if refusal != nil {
		return nil, refusal
	}
	response, err := cms.ParseResponse(resp)
	if err != nil {
		return nil, wrong("non è una TimeStampResp", "it is no TimeStampResp", err)
	}
	if response.Refusal != nil {
		return nil, refused(response.Refusal)
	}
	token, err := cms.ParseToken(response.Token)
	if err != nil {
		return nil, wrong("la marca non si può leggere", "the token cannot be read", err)
	}
	if err := token.Answers(request); err != nil {
		return nil, wrong("la marca non risponde alla richiesta", "the token does not answer the request", err)
	}
	if id := token.Signer.SigningCertificate; token.Certificate == nil && id != nil {
		if i := slices.IndexFunc(tsu, id.Matches); i >= 0 {
			token.Certificate = tsu[i]
		}
	}
	if err := token.VerifySignature(); err != nil {
		return nil, wrong("la firma della marca non è valida", "the signature of the token is not valid", err)
	}
	return token, nil
}

// unreadableFile is about a file that was named and cannot be read; the cause names
// it. `sigillo verify` ends in the same way.
func unreadableFile(err error) error {
	return &stampError{exitUnreadable, "il file non si può leggere", "the file cannot be read", err}
}

// fileDigest reads a file of any size.
func fileDigest(path string, h crypto.Hash) ([]byte, error) {
	f, err := os.Open(path) // also a pipe: it is read once
	if err != nil {
		return nil, unreadableFile(err)
	}
	defer f.Close()
	d := h.New()
	if _, err := io.Copy(d, f); err != nil {
		return nil, unreadableFile(err)
	}
	return d.Sum(nil), nil
}

func writeBytes(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}
