package fetch

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/cms"
)

// certificates reads what stands at a caIssuers address.
func certificates(body []byte) ([]*x509.Certificate, error) {
	if b, _ := pem.Decode(body); b != nil { // not allowed, and common
		body = b.Bytes
	}
	if c, err := x509.ParseCertificate(body); err == nil {
		return []*x509.Certificate{c}, nil
	}
	sd, err := cms.ParseBytes(body, cms.Limits{})
	if err != nil {
		return nil, &Error{Kind: BadAnswer, Msg: "what stands at the address of the issuer is no certificate", Err: err}
	}
	return sd.Certificates, nil
}

// list reads what stands at a distribution point, as far as to tell a list from
// an error page. Who uses it reads it whole.
func list(body []byte) ([]byte, error) {
	if b, _ := pem.Decode(body); b != nil {
		body = b.Bytes
	}
	if !bytes.HasPrefix(body, []byte{0x30}) {
		return nil, &Error{Kind: BadAnswer, Msg: "what stands at the distribution point is no revocation list"}
	}
	return body, nil
}

// OCSP asks the responders of a certificate (RFC 6960, Appendix A). The answer
// is not checked. Ask only for certificates with a path to a trusted authority.
func (c *Client) OCSP(ctx context.Context, cert, issuer *x509.Certificate) ([][]byte, error) {
	var first error
	for _, address := range few(cert.OCSPServer) {
		req, err := ocsp.CreateRequest(cert, issuer, &ocsp.RequestOptions{Hash: crypto.SHA1}) // what every responder knows (RFC 5019 §2.1.1)
		if err != nil {
			return nil, &Error{Kind: BadAnswer, Msg: "no OCSP request can be made for this certificate", Err: err}
		}
		body, err := c.post(ctx, c.vouched, address, "application/ocsp-request", req)
		if err == nil {
			if _, err = ocsp.ParseResponse(body, nil); err == nil {
				return [][]byte{body}, nil
			}
			if _, refused := err.(ocsp.ResponseError); !refused { // signed by a responder that has to be looked at
				return [][]byte{body}, nil
			}
			err = &Error{Kind: BadAnswer, Msg: "the OCSP responder refuses", Err: err}
		}
		first = either(first, err)
	}
	return nil, first
}

// Stamp gets a time-stamp token over a digest from a time-stamping authority
// (RFC 3161 §3.4) and checks that it answers the request. Whether the authority
// is to be trusted is another question.
func (c *Client) Stamp(ctx context.Context, address string, h crypto.Hash, digest []byte) ([]byte, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	der, err := cms.MarshalTimestampRequest(h, digest, nonce, true)
	if err != nil {
		return nil, err
	}
	request, refusal := cms.ParseTimestampRequest(der)
	if refusal != nil {
		return nil, refusal
	}
	body, err := Post(ctx, c.vouched, address, "application/timestamp-query", der)
	if err != nil {
		return nil, err
	}
	resp, err := cms.ParseResponse(body)
	if err != nil {
		return nil, &Error{Kind: BadAnswer, Msg: "the time-stamping authority's answer cannot be read", Err: err}
	}
	der, err = resp.Granted()
	if err != nil {
		return nil, err
	}
	token, err := cms.ParseToken(der)
	if err != nil {
		return nil, &Error{Kind: BadAnswer, Msg: "the time-stamp cannot be read", Err: err}
	}
	if err := token.Answers(request); err != nil {
		return nil, &Error{Kind: BadAnswer, Msg: "the time-stamp is not the one asked for", Err: err}
	}
	return der, nil
}
