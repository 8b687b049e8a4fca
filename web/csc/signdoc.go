package csc

import (
	"bytes"
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"sigillo/signing"
	"sigillo/signing/remote"
)

const documentsLimit = 32 << 20 // of a request with documents, base64 and all

func tooBusy() error {
	return &Error{Code: soon, Description: "The service is busy; try again", status: http.StatusServiceUnavailable, wait: 5 * time.Second}
}

type signDocInput struct {
	CredentialID string      `json:"credentialID" doc:"This or signatureQualifier" bad:"Missing (or invalid type) string parameter credentialID"`
	Qualifier    string      `json:"signatureQualifier"`
	SAD          string      `json:"SAD" doc:"Of an authorisation with hashType SDR. Not needed if the bearer token is of scope credential"`
	Documents    []document  `json:"documents" bad:"Invalid array parameter documents"`
	Digests      []docDigest `json:"documentDigests" bad:"Invalid object parameter documentDigests"`
	Mode         *string     `json:"operationMode" enum:"S,A"`
	Validity     *int        `json:"validity_period" minimum:"1" doc:"Milliseconds that the result of mode A is kept, at most 3,600,000"`
	ResponseURI  *string     `json:"response_uri" doc:"Refused: nobody is called back"`
	Info         bool        `json:"returnValidationInfo"`
	ClientData   string      `json:"clientData"`
}

type document struct {
	Document blob         `json:"document" required:"true" bad:"Invalid Base64 documents string parameter"`
	Format   string       `json:"signature_format" required:"true" enum:"C,P,X,J"`
	Level    string       `json:"conformance_level" doc:"Ades-B-B, Ades-B-T, Ades-B-LT or Ades-B-LTA"`
	SignAlgo string       `json:"signAlgo" required:"true"`
	Params   string       `json:"signAlgoParams" bad:"Missing (or invalid type) string parameter signAlgoParams"`
	Props    []signedProp `json:"signed_props"`
	Envelope string       `json:"signed_envelope_property"`
	// Container is ours, of the name it has in the EU's reference implementation.
	Container string `json:"container" enum:"No,ASiC-S,ASiC-E" doc:"Ours: the document and its signature (C or X) in a container of EN 319 162-1"`
}

type docDigest struct {
	Hashes        []string     `json:"hashes" required:"true" single:"true" element:"Invalid Base64 hashes string parameter"`
	HashAlgorithm string       `json:"hashAlgorithmOID"`
	Format        string       `json:"signature_format" required:"true" enum:"C,P" doc:"C: detached. P: the message for the signature dictionary; hashes are of the ByteRange"`
	Level         string       `json:"conformance_level" doc:"Ades-B-B or Ades-B-T; of C also Ades-B-LT"`
	SignAlgo      string       `json:"signAlgo" required:"true"`
	Params        string       `json:"signAlgoParams" bad:"Missing (or invalid type) string parameter signAlgoParams"`
	Props         []signedProp `json:"signed_props"`
	Envelope      string       `json:"signed_envelope_property"`
}

type signedProp struct {
	Name  string `json:"attribute_name" required:"true" doc:"Reason or Location, of PAdES"`
	Value string `json:"attribute_value" doc:"Text in UTF-8, base64"`
}

type signDocOutput struct {
	DocumentWithSignature []string        `json:"DocumentWithSignature,omitempty" doc:"Signatures with their document, base64"`
	SignatureObject       []string        `json:"SignatureObject,omitempty" doc:"Signatures beside their document, base64"`
	ResponseID            string          `json:"responseID,omitempty" doc:"Of mode A"`
	ValidationInfo        *validationInfo `json:"validationInfo,omitempty"`
}

type validationInfo struct {
	OCSP         []string `json:"ocsp" required:"true"`
	CRL          []string `json:"crl" required:"true"`
	Certificates []string `json:"certificates" required:"true"`
}

// The formats with their envelopes, the default of each first.
var (
	formatNames   = []string{"C", "X", "P", "J"}
	envelopeNames = [][]string{{"Attached", "Detached"}, {"Enveloped", "Enveloping", "Detached"}, {"Certification", "Revision"}, {"Attached", "Detached"}}
	formOf        = map[string][]signing.Form{
		"C": {signing.CAdES, signing.CAdESSeparate},
		"X": {signing.XAdES, signing.XAdESEnveloping, signing.XAdESDetached},
		"P": {signing.PAdESCertified, signing.PAdES},
		"J": {signing.JAdES, signing.JAdESDetached},
	}
	levelNames = []string{"Ades-B-B", "Ades-B-T", "Ades-B-LT", "Ades-B-LTA"}
	levels     = []signing.Level{signing.BB, signing.BT, signing.BLT, signing.BLTA}
)

// signed is one signature to be made.
type signed struct {
	data   []byte // nil: only the digest is known
	digest []byte
	order  signing.Order
	beside bool
}

// signDoc makes AdES signatures over documents that the holder has authorised by their
// digests. What comes in goes the way of every document: it is inspected, and one that
// is refused, or has findings that its signer would have to confirm, is not signed
// (SIG-4); what goes out our own validation has accepted.
func (k *call) signDoc(in *signDocInput) (any, error) {
	later, err := asynchronous(in.Mode, in.Validity, in.ResponseURI)
	if err != nil {
		return nil, err
	}
	handle, err := k.handle(in.SAD)
	if err != nil {
		return nil, err
	}
	c, err := k.signer(in, handle)
	if err != nil {
		return nil, err
	}
	list, err := in.list(c)
	if err != nil {
		return nil, err
	}
	if later == 0 {
		return k.make(k.ctx, c, handle, list, in.Info)
	}
	// The documents stay in memory until they are signed.
	if !k.large.take(k.access.Holder) {
		return nil, tooBusy()
	}
	s, info := *k, in.Info
	id, err := k.jobs.start(k.access, func(ctx context.Context) (any, error) {
		defer s.large.drop(s.access.Holder)
		t, err := s.transact(ctx, c, handle, list)
		return fetcher(func(k *call) (any, error) { return k.outcome(c, t, list, info) }), err
	}, later, k.cfg.Now)
	if err != nil {
		k.large.drop(k.access.Holder)
		return nil, err
	}
	return signDocOutput{ResponseID: id}, nil
}

// signer finds the credential: the one named, or that of the authorisation.
func (k *call) signer(in *signDocInput, handle string) (remote.Credential, error) {
	id := in.CredentialID
	switch {
	case in.Qualifier != "" && in.Qualifier != k.qualifier():
		return remote.Credential{}, bad("signatureQualifier")
	case id == "" && in.Qualifier == "":
		return remote.Credential{}, missing("string", "credentialID")
	case id == "":
		g, err := k.cfg.Remote.Grant(handle)
		if err != nil {
			return remote.Credential{}, err
		}
		id = g.Credential
	}
	return k.credential(k.ctx, id)
}

// make signs and gives the result.
func (k *call) make(ctx context.Context, c remote.Credential, handle string, list []signed, info bool) (any, error) {
	t, err := k.transact(ctx, c, handle, list)
	if err != nil {
		return nil, err
	}
	return k.outcome(c, t, list, info)
}

// transact takes the documents in and has them signed, all or none.
func (k *call) transact(ctx context.Context, c remote.Credential, handle string, list []signed) (t signing.Transaction, err error) {
	a := remote.Activation{Credential: c.ID, Hash: crypto.SHA256}
	for _, d := range list {
		a.Digests = append(a.Digests, d.digest)
	}
	err = k.cfg.Remote.SignDocuments(ctx, k.access.Holder, k.access.Application, handle, a,
		func(sign func(context.Context, [][]byte, string) ([][]byte, error)) error {
			r, err := k.takeIn(ctx, c, list)
			if err != nil {
				return err
			}
			if t, err = k.cfg.Documents.Prepare(ctx, k.access.Holder, r); err != nil {
				return err
			}
			t, err = k.cfg.Documents.SignAuthorised(ctx, k.access.Holder, t.ID, k.client, sign)
			return err
		})
	if err != nil && signing.KindOf(err) == remote.Unauthorised {
		err = &Error{Code: "invalid_hash", Description: "Document or documentDigest does not match authorized hash", status: http.StatusForbidden, err: err}
	}
	return t, err
}

// takeIn has every document inspected. A digest of a document that stays elsewhere is
// taken as the application states it: that the holder has authorised this very digest
// confirms it, as it does for a hash that is signed.
func (k *call) takeIn(ctx context.Context, c remote.Credential, list []signed) (signing.Request, error) {
	r := signing.Request{Credential: c.ID}
	for i, d := range list {
		name := "document-" + strconv.Itoa(i+1)
		var doc signing.Document
		var err error
		if d.data != nil {
			doc, err = k.cfg.Documents.Upload(ctx, k.access.Holder, name, bytes.NewReader(d.data))
		} else {
			doc, err = k.cfg.Documents.Declare(ctx, k.access.Holder, signing.Declaration{Name: name,
				SHA256: hex.EncodeToString(d.digest), InspectedBy: "CSC: " + k.access.Application})
			r.Confirmed = true
		}
		if err != nil {
			return r, err
		}
		o := d.order
		o.Document = doc.ID
		r.Documents = append(r.Documents, o)
	}
	return r, nil
}

// outcome reads the signed documents.
func (k *call) outcome(c remote.Credential, t signing.Transaction, list []signed, info bool) (any, error) {
	var out signDocOutput
	for i, d := range list {
		text, err := k.output(t.ID, i)
		if err != nil {
			return nil, err
		}
		if d.beside {
			out.SignatureObject = append(out.SignatureObject, text)
		} else {
			out.DocumentWithSignature = append(out.DocumentWithSignature, text)
		}
	}
	if !info {
		return out, nil
	}
	crls, err := k.cfg.Evidence.CRLs(k.ctx)
	if err != nil {
		return nil, err
	}
	status, err := k.cfg.Evidence.StatusOf(k.ctx, c.Certificate)
	if err != nil {
		return nil, err
	}
	out.ValidationInfo = &validationInfo{OCSP: allToBase64([][]byte{status}), CRL: allToBase64(crls), Certificates: []string{}}
	for _, ca := range c.Chain {
		out.ValidationInfo.Certificates = append(out.ValidationInfo.Certificates, toBase64(ca.Raw))
	}
	return out, nil
}

// maxOutput is the largest signed document that is read into an answer.
const maxOutput = 2 * documentsLimit

func (k *call) output(transaction string, seq int) (string, error) {
	o, err := k.cfg.Documents.Output(k.ctx, k.access.Holder, transaction, seq)
	if err != nil {
		return "", err
	}
	defer o.File.Close()
	data, err := io.ReadAll(io.LimitReader(o.File, maxOutput+1))
	if err == nil && len(data) > maxOutput {
		err = errors.New("csc: a signed document is too large for an answer")
	}
	return toBase64(data), err
}
