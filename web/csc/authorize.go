package csc

import (
	"crypto"
	"net/http"
	"strings"
	"unicode/utf8"

	"sigillo/signing"
	"sigillo/signing/remote"
)

const maxDescription = 500 // characters, CSC §11.6

// The identifiers of the authentication objects (v2).
const (
	pinID     = "PIN"
	otpID     = "OTP"
	smsID     = "SMS"     // a code that is sent
	passkeyID = "passkey" // a passkey's answer to a challenge
	pageID    = "PAGE"    // the holder gives the factors on our own page
)

type authorizeInput struct {
	CredentialID  string   `json:"credentialID" required:"true"`
	NumSignatures int      `json:"numSignatures" required:"true" minimum:"1"`
	Hash          []string `json:"hash" required:"true" element:"Invalid Base64 hash string parameter" doc:"Base64 or base64url. The length tells the algorithm: SHA-256, SHA-384, SHA-512"`
	PIN           secret   `json:"PIN" doc:"The holder's password"`
	OTP           string   `json:"OTP" doc:"One-time password"`
	Description   string   `json:"description"`
	ClientData    string   `json:"clientData"`
}

type sadOutput struct {
	SAD       string `json:"SAD" required:"true"`
	ExpiresIn int    `json:"expiresIn" required:"true" doc:"Seconds"`
}

func (k *call) authorize(in *authorizeInput) (any, error) {
	list, err := digests(in.Hash)
	if err != nil {
		return nil, err
	}
	h := bySize(list)
	if h == 0 {
		return nil, invalid(badLength)
	}
	if err := k.sensible(in.CredentialID, in.NumSignatures, list, in.Description); err != nil {
		return nil, err
	}
	otp := strings.ReplaceAll(in.OTP, " ", "")
	switch { // known without asking; nothing is counted as a wrong try
	case len(in.PIN) == 0:
		return nil, &Error{Code: "invalid_pin", Description: "The PIN is invalid", status: 400}
	case otp == "":
		return nil, &Error{Code: "invalid_otp", Description: "The OTP is invalid", status: 400}
	}
	return k.grant(remote.Order{Credential: in.CredentialID, Hash: h, Digests: list, Description: in.Description},
		signing.Evidence{Password: in.PIN, OTP: otp, Client: k.client})
}

type authorizeInput2 struct {
	CredentialID  string       `json:"credentialID" required:"true"`
	NumSignatures int          `json:"numSignatures" required:"true" minimum:"1"`
	Hashes        []string     `json:"hashes" required:"true" element:"Invalid Base64 hash string parameter" doc:"Base64 or base64url"`
	HashAlgorithm string       `json:"hashAlgorithmOID" required:"true" doc:"SHA-256, SHA-384 or SHA-512"`
	AuthData      []authObject `json:"authData" bad:"The authentication data is invalid" doc:"The object PIN with one of OTP, SMS and passkey; or PAGE alone: the holder gives the factors on our page"`
	Delegation    string       `json:"delegation" doc:"Ours, for an application that signs in for itself: the name of the delegation that a holder has given it. No authData then"`
	DocumentKind  string       `json:"documentKind" doc:"Ours, with delegation: what the documents are, one of the kinds that the delegation allows"`
	HashType      string       `json:"hashType" enum:"DTBSR,SDR" doc:"DTBSR: data to be signed, for signHash. SDR: documents, for signDoc. As in the rich authorization requests of 2.2; DTBSR when it is not given"`
	Description   string       `json:"description"`
	ClientData    string       `json:"clientData"`
}

type authObject struct {
	ID    string `json:"id" required:"true"`
	Value secret `json:"value"`
}

func badAuthData() error {
	return &Error{Code: "invalid_authentication_data", Description: "The authentication data is invalid", status: 400}
}

func (k *call) authorize2(in *authorizeInput2) (any, error) {
	h, ok := hashes[in.HashAlgorithm]
	if !ok {
		return nil, bad("hashAlgorithmOID")
	}
	list, err := digests(in.Hashes)
	if err != nil {
		return nil, err
	}
	if in.HashType != "" && in.HashType != "DTBSR" && in.HashType != "SDR" {
		return nil, bad("hashType")
	}
	if in.Delegation != "" {
		return k.delegated(in, list, h)
	}
	if len(in.AuthData) == 1 && in.AuthData[0].ID == pageID && k.cfg.Page != "" {
		return k.leave(in.CredentialID, in.NumSignatures, list, h, in.HashType == "SDR", in.Description)
	}
	if err := k.sensible(in.CredentialID, in.NumSignatures, list, in.Description); err != nil {
		return nil, err
	}
	e, err := k.evidence(in.AuthData)
	if err != nil {
		return nil, err
	}
	return k.grant(remote.Order{Credential: in.CredentialID, Hash: h, Digests: list, Documents: in.HashType == "SDR", Description: in.Description}, e)
}

// leave leaves an order for its holder, who approves it on our own page.
func (k *call) leave(id string, number int, list [][]byte, h crypto.Hash, documents bool, description string) (any, error) {
	if err := k.sensible(id, number, list, description); err != nil {
		return nil, err
	}
	handle, err := k.cfg.Remote.Ask(k.ctx, k.access.Holder, remote.Order{Credential: id, Hash: h, Digests: list,
		Documents: documents, Description: description, Application: k.access.Application})
	if err != nil {
		return nil, err
	}
	return reply{http.StatusAccepted, handleOutput{handle}}, nil
}

type handleOutput struct {
	Handle string `json:"handle" required:"true" doc:"For credentials/authorizeCheck"`
}

// sensible checks what an authorisation is asked for.
func (k *call) sensible(id string, number int, list [][]byte, description string) error {
	c, err := k.credential(k.ctx, id)
	switch {
	case err != nil:
		return err
	case number > c.MaxDigests:
		return invalid(tooMany)
	case number < 1 || number != len(list): // no signature without its hash, see the package comment
		return invalid(badNumber)
	}
	return sensibleText(description)
}

func sensibleText(description string) error {
	if utf8.RuneCountInString(description) > maxDescription || len(description) > remote.MaxDescription {
		return bad("description")
	}
	return nil
}

// grant has the holder's factors checked for an order.
func (k *call) grant(o remote.Order, e signing.Evidence) (any, error) {
	o.Application = k.access.Application
	g, err := k.cfg.Remote.Authorise(k.ctx, k.access.Holder, o, e)
	if err != nil {
		return nil, err
	}
	return k.sad(g), nil
}

func (k *call) sad(g remote.Grant) sadOutput {
	return sadOutput{g.Handle, max(int(g.Expires.Sub(k.cfg.Now()).Seconds()), 0)}
}

type checkInput struct {
	Handle string `json:"handle" required:"true" bad:"Invalid parameter handle"`
}

// authorizeCheck tells how an authorisation stands: 202 while it waits for the holder,
// then the SAD. A SAD is taken for a handle too, and given with the time that is left.
func (k *call) authorizeCheck(in *checkInput) (any, error) {
	g, waiting, err := k.cfg.Remote.Outcome(k.access.Holder, k.access.Application, in.Handle)
	switch {
	case waiting:
		return reply{http.StatusAccepted, handleOutput{in.Handle}}, nil
	case err == nil:
		return k.sad(g), nil
	case signing.KindOf(err) == signing.WrongFactors:
		return nil, err
	}
	return k.check(in)
}

func (k *call) check(in *checkInput) (any, error) {
	g, err := k.cfg.Remote.Grant(in.Handle)
	if err != nil || g.Delegation != "" || g.Holder != k.access.Holder || g.Application != k.access.Application {
		return nil, bad("handle")
	}
	g.Handle = in.Handle
	return k.sad(g), nil
}

type extendInput struct {
	CredentialID string   `json:"credentialID" required:"true"`
	SAD          string   `json:"SAD" required:"true"`
	Hash         []string `json:"hash" element:"Invalid Base64 hash string parameter" doc:"Some of those not signed yet; none: all of them"`
	ClientData   string   `json:"clientData"`
}

type extendInput2 struct {
	CredentialID  string   `json:"credentialID" required:"true"`
	SAD           string   `json:"SAD" required:"true"`
	Hashes        []string `json:"hashes" element:"Invalid Base64 hash string parameter" doc:"Some of those not signed yet; none: all of them"`
	HashAlgorithm string   `json:"hashAlgorithmOID"`
	ClientData    string   `json:"clientData"`
}

func (k *call) extend(in *extendInput) (any, error) {
	return k.renew(in.CredentialID, in.SAD, in.Hash, "")
}

func (k *call) extend2(in *extendInput2) (any, error) {
	if _, ok := hashes[in.HashAlgorithm]; !ok && in.HashAlgorithm != "" {
		return nil, bad("hashAlgorithmOID")
	}
	if len(in.Hashes) > 0 && in.HashAlgorithm == "" {
		return nil, missing("string", "hashAlgorithmOID")
	}
	return k.renew(in.CredentialID, in.SAD, in.Hashes, in.HashAlgorithm)
}

func (k *call) renew(id, sad string, list []string, oid string) (any, error) {
	if _, err := k.credential(k.ctx, id); err != nil {
		return nil, err
	}
	var some [][]byte
	if len(list) > 0 {
		var err error
		if some, err = digests(list); err != nil {
			return nil, err
		}
	}
	if err := k.fits(sad, id, some, hashes[oid]); err != nil {
		return nil, err
	}
	g, err := k.cfg.Remote.Extend(k.ctx, k.access.Holder, k.access.Application, sad, some)
	if err != nil {
		return nil, err
	}
	return k.sad(g), nil
}

// fits checks what a SAD is for before it is extended. h is 0 where it is not said.
func (k *call) fits(sad, id string, some [][]byte, h crypto.Hash) error {
	g, err := k.cfg.Remote.Grant(sad)
	if err != nil {
		return err
	}
	if g.Credential != id {
		return invalid(badSAD)
	}
	for _, d := range some {
		if len(d) != g.Hash.Size() || h != 0 && h != g.Hash {
			return invalid(badLength)
		}
	}
	return nil
}
