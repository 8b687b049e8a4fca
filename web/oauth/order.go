package oauth

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"sigillo/vault"
)

// Limits of an order. The credential itself may be good for fewer digests at once.
const (
	maxDigests       = vault.MaxDigests
	descriptionLimit = 500 // characters, CSC v1 §8.3.2
	labelLimit       = 500
	identifierLimit  = 255
)

// hashes are the digest algorithms that are signed. Nothing under SHA-256 is.
var hashes = map[string]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

// readOrder reads what is to be signed from single parameters: "hash" of CSC v1, "hashes"
// of v2.
func readOrder(p parameters) (*order, error) {
	o := &order{}
	list := p["hashes"]
	if v1 := p["hash"]; v1 != "" {
		if list != "" {
			return nil, fail(InvalidRequest, "give hash (v1) or hashes (v2), not both")
		}
		list, o.Legacy = v1, true
	}
	if list == "" {
		return nil, fail(InvalidRequest, "hashes are missing: a credential signs only what it was authorised for (SCAL 2)")
	}
	if strings.Count(list, ",") >= maxDigests {
		return nil, tooManyDigests
	}
	return o, o.complete(p, strings.Split(list, ","), p["hashAlgorithmOID"], p["numSignatures"])
}

var tooManyDigests = fail(InvalidRequest, fmt.Sprintf("at most %d hashes are signed at once", maxDigests))

// complete reads the rest of an order and checks that it is one.
func (o *order) complete(p parameters, digests []string, oid, count string) error {
	o.Credential, o.Qualifier = p["credentialID"], p["signatureQualifier"]
	for _, text := range digests {
		raw, ok := decode(text)
		if !ok {
			return fail(InvalidRequest, "a hash is not base64url")
		}
		o.Digests = append(o.Digests, raw)
	}
	var known bool
	if o.Hash, known = hashes[oid]; !known && (oid != "" || !o.guessHash()) {
		return fail(InvalidRequest, "hashAlgorithmOID must be that of SHA-256, SHA-384 or SHA-512")
	}
	switch n, isNumber := number(count); {
	case (o.Credential == "") == (o.Qualifier == ""):
		return fail(InvalidRequest, "give either credentialID or signatureQualifier")
	case len(o.Credential) > identifierLimit || len(o.Qualifier) > identifierLimit:
		return fail(InvalidRequest, "credentialID or signatureQualifier is too long")
	case slices.ContainsFunc(o.Digests, func(d []byte) bool { return len(d) != o.Hash.Size() }):
		return fail(InvalidRequest, "a hash has not the length of its algorithm")
	case count != "" && (!isNumber || n != len(o.Digests)):
		return fail(InvalidRequest, "numSignatures must be the number of hashes")
	case utf8.RuneCountInString(p["description"]) > descriptionLimit:
		return fail(InvalidRequest, "description is longer than 500 characters")
	}
	return nil
}

// guessHash takes the algorithm from the length, for CSC v1, whose requests do not name
// it.
func (o *order) guessHash() bool {
	for _, h := range hashes {
		if len(o.Digests[0]) == h.Size() {
			o.Hash = h
			return true
		}
	}
	return false
}

// decode reads base64 or base64url, padded or not.
func decode(text string) ([]byte, bool) {
	if len(text) > 2*crypto.SHA512.Size() {
		return nil, false
	}
	plain := strings.NewReplacer("-", "+", "_", "/", " ", "+").Replace(strings.TrimRight(text, "="))
	raw, err := base64.RawStdEncoding.Strict().DecodeString(plain)
	return raw, err == nil && len(raw) > 0
}

// detailTypes are the types of authorization_details (RFC 9396) that are known: those of
// CSC v2.0 and of v2.2.
var detailTypes = []string{"credential", "https://cloudsignatureconsortium.org/2025/credential"}

// detail is an element of authorization_details. RFC 9396 §2 has everything refused that
// its type does not know.
type detail struct {
	Type       string      `json:"type"`
	Locations  []string    `json:"locations"` // there is one place here
	Credential string      `json:"credentialID"`
	Qualifier  string      `json:"signatureQualifier"`
	Hash       string      `json:"hashAlgorithmOID"`
	Count      json.Number `json:"numSignatures"`
	Digests    []struct {
		Hash          string          `json:"hash"`
		Label         string          `json:"label"`
		Type          string          `json:"hashType"`
		Circumstances json.RawMessage `json:"circumstantialData"` // not looked at
		Properties    json.RawMessage `json:"signed_props"`       // not looked at
	} `json:"documentDigests"`
}

// readDetails reads what is to be signed from authorization_details.
func readDetails(text string, p parameters) (*order, error) {
	for _, name := range []string{"credentialID", "signatureQualifier", "hash", "hashes", "hashAlgorithmOID", "numSignatures"} {
		if p[name] != "" {
			return nil, fail(InvalidRequest, "what is to be signed stands in authorization_details or in parameters, not in both")
		}
	}
	var all []detail
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&all); err != nil {
		return nil, &Error{Kind: InvalidDetails, Msg: "authorization_details must be a JSON array of objects as their type has them", Err: err}
	}
	if _, err := dec.Token(); err != io.EOF || len(all) != 1 {
		return nil, fail(InvalidDetails, "authorization_details must be one object in an array")
	}
	d := all[0]
	switch {
	case !slices.Contains(detailTypes, d.Type):
		return nil, fail(InvalidDetails, "type of authorization_details must be one of: "+strings.Join(detailTypes, ", "))
	case len(d.Digests) == 0:
		return nil, fail(InvalidDetails, "documentDigests are missing: a credential signs only what it was authorised for (SCAL 2)")
	case len(d.Digests) > maxDigests:
		return nil, tooManyDigests
	}
	o := &order{}
	var digests []string
	for i, one := range d.Digests {
		documents := one.Type == "SDR"
		switch {
		case one.Type != "" && one.Type != "DTBSR" && one.Type != "SDR":
			return nil, fail(InvalidDetails, "hashType must be DTBSR or SDR")
		case i > 0 && documents != o.Documents:
			return nil, fail(InvalidDetails, "hashType must be the same for all of documentDigests")
		case utf8.RuneCountInString(one.Label) > labelLimit:
			return nil, fail(InvalidDetails, "a label is longer than 500 characters")
		}
		o.Documents = documents
		o.Labels = append(o.Labels, one.Label)
		digests = append(digests, one.Hash)
	}
	inner := parameters{"credentialID": d.Credential, "signatureQualifier": d.Qualifier, "description": p["description"]}
	if err := o.complete(inner, digests, d.Hash, d.Count.String()); err != nil {
		return nil, fail(InvalidDetails, err.(*Error).Msg)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return nil, &Error{Kind: InvalidDetails, Msg: "authorization_details must be JSON", Err: err}
	}
	o.Details = compact.Bytes()
	return o, nil
}
