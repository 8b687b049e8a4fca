package csc

import (
	"math/big"
	"net/http"
	"strings"
	"time"

	"sigillo/formats/cms"
)

type timestampInput struct {
	Hash       string `json:"hash" required:"true" doc:"Base64 or base64url"`
	HashAlgo   string `json:"hashAlgo" required:"true" doc:"OID of SHA-256, SHA-384 or SHA-512"`
	Nonce      string `json:"nonce" doc:"Hexadecimal, at most 64 digits"`
	ClientData string `json:"clientData"`
}

type timestampOutput struct {
	Timestamp string `json:"timestamp" required:"true" doc:"RFC 3161 token, DER in base64"`
}

const maxNonce = 64 // hexadecimal digits

func (k *call) timestamp(in *timestampInput) (any, error) {
	if in.Hash == "" {
		return nil, invalid("Empty hash parameter")
	}
	h, ok := hashes[in.HashAlgo]
	if !ok {
		return nil, bad("hashAlgo")
	}
	digest, ok := fromBase64(in.Hash)
	if !ok {
		return nil, invalid(badBase64)
	}
	if len(digest) != h.Size() {
		return nil, invalid(badLength)
	}
	var nonce *big.Int
	if in.Nonce != "" {
		n, ok := new(big.Int).SetString(in.Nonce, 16)
		if !ok || len(in.Nonce) > maxNonce || strings.ContainsAny(in.Nonce, "+-_") {
			return nil, bad("nonce")
		}
		nonce = n
	}
	who := k.access.Holder // however many applications ask
	if who == "" {
		who = "application " + k.access.Application
	}
	if wait := k.stamps.take(who, k.cfg.Now()); wait > 0 {
		return nil, &Error{Code: soon, Description: "Too many time-stamps are asked for; slow down", status: http.StatusServiceUnavailable, wait: wait}
	}
	query, err := cms.MarshalTimestampRequest(h, digest, nonce, true)
	if err != nil {
		return nil, err
	}
	response, err := cms.ParseResponse(k.cfg.Stamp(k.ctx, query))
	if err != nil {
		return nil, err
	}
	if len(response.Token) == 0 {
		return nil, &Error{Code: soon, Description: "No time-stamp can be made at the moment; try again later", status: http.StatusServiceUnavailable, wait: 30 * time.Second}
	}
	return timestampOutput{toBase64(response.Token)}, nil
}
