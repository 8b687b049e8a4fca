package csc

import (
	"context"
	"net/http"
	"time"

	"sigillo/signing/remote"
)

type signHashInput struct {
	CredentialID string   `json:"credentialID" required:"true"`
	SAD          string   `json:"SAD" doc:"Of credentials/authorize, or a token of scope credential. Not needed if the bearer token is one"`
	Hash         []string `json:"hash" required:"true" element:"Invalid Base64 hash string parameter" doc:"Base64 or base64url, in any order"`
	HashAlgo     string   `json:"hashAlgo" doc:"OID; needed if signAlgo does not imply it"`
	SignAlgo     string   `json:"signAlgo" required:"true" doc:"OID, one of key/algo of the credential"`
	Params       string   `json:"signAlgoParams" bad:"Missing (or invalid type) string parameter signAlgoParams" doc:"RSASSA-PSS-params, DER in base64; needed with RSASSA-PSS"`
	ClientData   string   `json:"clientData"`
}

type signHashInput2 struct {
	CredentialID  string   `json:"credentialID" required:"true"`
	SAD           string   `json:"SAD" doc:"Of credentials/authorize, or a token of scope credential. Not needed if the bearer token is one"`
	Hashes        []string `json:"hashes" required:"true" element:"Invalid Base64 hash string parameter" doc:"Base64 or base64url, in any order"`
	HashAlgorithm string   `json:"hashAlgorithmOID" doc:"OID; needed if signAlgo does not imply it"`
	SignAlgo      string   `json:"signAlgo" required:"true" doc:"OID, one of key/algo of the credential"`
	Params        string   `json:"signAlgoParams" bad:"Missing (or invalid type) string parameter signAlgoParams" doc:"RSASSA-PSS-params, DER in base64; needed with RSASSA-PSS"`
	Mode          *string  `json:"operationMode" enum:"S,A" doc:"A: the answer is fetched with signatures/signPolling"`
	Validity      *int     `json:"validity_period" minimum:"1" doc:"Milliseconds that the result of mode A is kept, at most 3,600,000"`
	ResponseURI   *string  `json:"response_uri" doc:"Refused: nobody is called back"`
	ClientData    string   `json:"clientData"`
}

type signaturesOutput struct {
	Signatures []string `json:"signatures,omitempty" doc:"Base64, in the order of the hashes; ECDSA as DER"`
	ResponseID string   `json:"responseID,omitempty" doc:"Of mode A: the requestID of signatures/signPolling"`
}

func (k *call) signHash(in *signHashInput) (any, error) {
	sign, err := k.prepare(in.CredentialID, in.SAD, in.Hash, in.HashAlgo, in.SignAlgo, in.Params)
	if err != nil {
		return nil, err
	}
	return sign(k.ctx)
}

func (k *call) signHash2(in *signHashInput2) (any, error) {
	later, err := asynchronous(in.Mode, in.Validity, in.ResponseURI)
	if err != nil {
		return nil, err
	}
	sign, err := k.prepare(in.CredentialID, in.SAD, in.Hashes, in.HashAlgorithm, in.SignAlgo, in.Params)
	if err != nil {
		return nil, err
	}
	if later == 0 {
		return sign(k.ctx)
	}
	id, err := k.jobs.start(k.access, sign, later, k.cfg.Now)
	if err != nil {
		return nil, err
	}
	return signaturesOutput{ResponseID: id}, nil
}

// prepare checks all that can be checked before the key is used, and gives what uses
// it.
func (k *call) prepare(id, sad string, list []string, hashAlgo, signAlgo, params string) (func(context.Context) (any, error), error) {
	if len(list) == 0 {
		return nil, invalid(emptyHash)
	}
	handle, err := k.handle(sad)
	if err != nil {
		return nil, err
	}
	c, use, err := k.keyOf(handle, id)
	if err != nil {
		return nil, err
	}
	a, err := choose(k.v, signAlgo, params, hashAlgo)
	if err != nil {
		return nil, err
	}
	if !a.scheme.Fits(c.KeyType) {
		return nil, bad("signAlgo")
	}
	ds, err := digestsOf(list, a.hash)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (any, error) {
		signatures, err := use(ctx, remote.Activation{Credential: id, Hash: a.hash, Digests: ds, Scheme: a.scheme})
		if err != nil {
			return nil, err
		}
		return signaturesOutput{Signatures: allToBase64(signatures)}, nil
	}, nil
}

// handle is that of the grant: the parameter SAD, or the bearer token of scope
// credential itself.
func (k *call) handle(sad string) (string, error) {
	switch {
	case k.access.Scope == ScopeCredential && (sad == "" || sad == k.access.Handle):
		return k.access.Handle, nil
	case k.access.Scope == ScopeCredential:
		return "", invalid(badSAD)
	case sad == "":
		return "", missing("string", "SAD")
	}
	return sad, nil
}

const (
	defaultValidity = 10 * time.Minute
	maxValidity     = time.Hour
)

// asynchronous says how long the result of mode A is kept; 0: mode S.
func asynchronous(mode *string, validity *int, uri *string) (time.Duration, error) {
	later := mode != nil && *mode == "A"
	switch {
	case mode != nil && *mode != "A" && *mode != "S":
		return 0, bad("operationMode")
	case uri != nil:
		return 0, bad("response_uri")
	case validity != nil && !later:
		return 0, bad("validity_period")
	case validity != nil && (*validity < 1 || int64(*validity) > maxValidity.Milliseconds()):
		return 0, invalid("Out of bounds parameter validity_period")
	case !later:
		return 0, nil
	case validity == nil:
		return defaultValidity, nil
	}
	return time.Duration(*validity) * time.Millisecond, nil
}

type pollInput struct {
	RequestID  string  `json:"requestID" required:"true"`
	UserID     *string `json:"userID" doc:"Must not be given: the token tells the user" bad:"Invalid parameter \"userID\""`
	ClientData string  `json:"clientData"`
}

// poll gives the result of an asynchronous request, as often as it is asked for until
// it expires.
func (k *call) poll(in *pollInput) (any, error) {
	if in.UserID != nil {
		return nil, invalid("userID parameter SHALL be null")
	}
	one, ok := k.jobs.result(in.RequestID, k.access, k.cfg.Now())
	switch {
	case !ok:
		return nil, bad("requestID")
	case !one.done:
		return nil, &Error{Code: "accepted_request", status: http.StatusAccepted,
			Description: "The previous async request has been accepted but not yet completed"}
	}
	if fetch, later := one.out.(fetcher); later && one.err == nil {
		return fetch(k)
	}
	return one.out, one.err
}

// fetcher gets a large result when it is asked for, so that it is not kept in memory.
type fetcher func(k *call) (any, error)

// pollOutput is what either method gives.
type pollOutput struct {
	Signatures            []string        `json:"signatures,omitempty" doc:"Of signHash"`
	DocumentWithSignature []string        `json:"DocumentWithSignature,omitempty" doc:"Of signDoc"`
	SignatureObject       []string        `json:"SignatureObject,omitempty" doc:"Of signDoc"`
	ValidationInfo        *validationInfo `json:"validationInfo,omitempty" doc:"Of signDoc"`
}
