package csc

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sigillo/signing/remote"
)

type listInput struct {
	UserID     *string `json:"userID" doc:"Must not be given: the token tells the user" bad:"Invalid parameter userID"`
	MaxResults *int    `json:"maxResults" minimum:"1"`
	PageToken  *string `json:"pageToken"`
	ClientData string  `json:"clientData"`
}

type listOutput struct {
	CredentialIDs []string `json:"credentialIDs" required:"true"`
	NextPageToken string   `json:"nextPageToken,omitempty"`
}

// own refuses a userID: every token is of one user, or of none.
func (k *call) own(userID *string) error {
	switch {
	case userID != nil:
		return invalid("userID parameter MUST be null")
	case k.access.Holder == "":
		return noHolder()
	}
	return nil
}

func (k *call) listCredentials(in *listInput) (any, error) {
	all, err := k.listed(in.UserID)
	if err != nil {
		return nil, err
	}
	out := listOutput{CredentialIDs: ids(all)}
	if in.PageToken != nil { // the last identifier of the page before
		at := slices.Index(out.CredentialIDs, *in.PageToken)
		if at < 0 {
			return nil, bad("pageToken")
		}
		out.CredentialIDs = out.CredentialIDs[at+1:]
	}
	if in.MaxResults != nil {
		if *in.MaxResults < 1 {
			return nil, bad("maxResults")
		}
		if n := *in.MaxResults; n < len(out.CredentialIDs) {
			out.CredentialIDs = out.CredentialIDs[:n]
			out.NextPageToken = out.CredentialIDs[n-1]
		}
	}
	return out, nil
}

func ids(list []remote.Credential) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.ID
	}
	return out
}

type listInput2 struct {
	UserID         *string `json:"userID" doc:"The username, for an application that signs in for itself: what that user has delegated to it. Else it must not be given: the token tells the user" bad:"Invalid parameter userID"`
	CredentialInfo bool    `json:"credentialInfo"`
	Certificates   *string `json:"certificates" enum:"none,single,chain"`
	CertInfo       bool    `json:"certInfo"`
	AuthInfo       bool    `json:"authInfo"`
	OnlyValid      bool    `json:"onlyValid"`
	Lang           string  `json:"lang"`
	ClientData     string  `json:"clientData"`
}

type listOutput2 struct {
	CredentialIDs   []string       `json:"credentialIDs" required:"true"`
	CredentialInfos []credentialV2 `json:"credentialInfos,omitempty"`
	OnlyValid       bool           `json:"onlyValid,omitempty"`
}

func (k *call) listCredentials2(in *listInput2) (any, error) {
	all, err := k.listed(in.UserID)
	if err != nil {
		return nil, err
	}
	want, err := wanted(in.Certificates, in.CertInfo, in.AuthInfo, in.Lang)
	if err != nil {
		return nil, err
	}
	if in.OnlyValid {
		all = slices.DeleteFunc(all, func(c remote.Credential) bool { return !c.Usable() })
	}
	out := listOutput2{CredentialIDs: ids(all), OnlyValid: in.OnlyValid}
	if in.CredentialInfo {
		second, err := k.second()
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			info := k.describe2(c, want, second)
			info.CredentialID = c.ID
			out.CredentialInfos = append(out.CredentialInfos, info)
		}
	}
	return out, nil
}

type credentialInput struct {
	CredentialID string  `json:"credentialID" required:"true"`
	Certificates *string `json:"certificates" enum:"none,single,chain"`
	CertInfo     bool    `json:"certInfo"`
	AuthInfo     bool    `json:"authInfo"`
	Lang         string  `json:"lang"`
	ClientData   string  `json:"clientData"`
}

// want is what a client wants to know of a credential.
type want struct {
	certificates   string
	cert, authInfo bool
	lang           string
}

func wanted(certificates *string, certInfo, authInfo bool, lang string) (want, error) {
	w := want{"single", certInfo, authInfo, language(lang)}
	if certificates != nil {
		w.certificates = *certificates
	}
	if w.certificates != "none" && w.certificates != "single" && w.certificates != "chain" {
		return w, bad("certificates")
	}
	return w, nil
}

type keyInfo struct {
	Status string   `json:"status" required:"true" enum:"enabled,disabled"`
	Algo   []string `json:"algo" required:"true"`
	Len    int      `json:"len" required:"true"`
	Curve  string   `json:"curve,omitempty"`
}

type certInfo struct {
	Status       string   `json:"status,omitempty" enum:"valid,expired,revoked,suspended"`
	Certificates []string `json:"certificates,omitempty" doc:"X.509, DER in base64; the signer's first, the root last"`
	IssuerDN     string   `json:"issuerDN,omitempty"`
	SerialNumber string   `json:"serialNumber,omitempty"`
	SubjectDN    string   `json:"subjectDN,omitempty"`
	ValidFrom    string   `json:"validFrom,omitempty"`
	ValidTo      string   `json:"validTo,omitempty"`
}

type credentialV1 struct {
	Description string   `json:"description,omitempty"`
	Key         keyInfo  `json:"key" required:"true"`
	Cert        certInfo `json:"cert" required:"true"`
	AuthMode    string   `json:"authMode" required:"true" enum:"explicit,oauth2code"`
	SCAL        string   `json:"SCAL" required:"true" enum:"2"`
	PIN         *pinInfo `json:"PIN,omitempty"`
	OTP         *otpInfo `json:"OTP,omitempty"`
	Multisign   int      `json:"multisign" required:"true"`
	Lang        string   `json:"lang" required:"true"`
}

type pinInfo struct {
	Presence    string `json:"presence" required:"true"`
	Format      string `json:"format" required:"true"`
	Label       string `json:"label" required:"true"`
	Description string `json:"description" required:"true"`
}

type otpInfo struct {
	Presence    string `json:"presence" required:"true"`
	Type        string `json:"type" required:"true"`
	Format      string `json:"format" required:"true"`
	Label       string `json:"label" required:"true"`
	Description string `json:"description" required:"true"`
}

type credentialV2 struct {
	CredentialID       string   `json:"credentialID,omitempty" doc:"In lists"`
	Description        string   `json:"description,omitempty"`
	SignatureQualifier string   `json:"signatureQualifier" required:"true"`
	Key                keyInfo  `json:"key" required:"true"`
	Cert               certInfo `json:"cert" required:"true"`
	Auth               authInfo `json:"auth" required:"true"`
	SCAL               string   `json:"SCAL" required:"true" enum:"2"`
	Multisign          int      `json:"multisign" required:"true"`
	Lang               string   `json:"lang" required:"true"`
}

type authInfo struct {
	Mode       string       `json:"mode" required:"true" enum:"implicit,explicit,oauth2code"`
	Expression string       `json:"expression,omitempty"`
	Objects    []authMethod `json:"objects" required:"true" doc:"Empty in the modes implicit (delegated) and oauth2code"`
}

type authMethod struct {
	Type        string `json:"type" required:"true"`
	ID          string `json:"id" required:"true"`
	Format      string `json:"format" required:"true"`
	Label       string `json:"label" required:"true"`
	Description string `json:"description" required:"true"`
	Generator   string `json:"generator,omitempty" doc:"totp; webauthn: the challenge is the JSON of PublicKeyCredentialRequestOptions, and the value that of PublicKeyCredential, in base64url"`
}

// credential loads one of the caller's credentials.
func (k *call) credential(ctx context.Context, id string) (remote.Credential, error) {
	if k.access.Holder == "" {
		return remote.Credential{}, noHolder()
	}
	return k.cfg.Remote.Credential(ctx, k.access.Holder, id)
}

func (k *call) credentialInfo(in *credentialInput) (any, error) {
	w, err := wanted(in.Certificates, in.CertInfo, in.AuthInfo, in.Lang)
	if err != nil {
		return nil, err
	}
	c, err := k.credential(k.ctx, in.CredentialID)
	if err != nil {
		return nil, err
	}
	out := credentialV1{Key: describeKey(c), Cert: describeCert(c, w), AuthMode: k.mode(), SCAL: "2", Multisign: c.MaxDigests, Lang: w.lang}
	if w.authInfo && out.AuthMode == "explicit" {
		second, err := k.second()
		if err != nil {
			return nil, err
		}
		out.PIN, out.OTP = factors1(second, w.lang)
	}
	return out, nil
}

func (k *call) credentialInfo2(in *credentialInput) (any, error) {
	w, err := wanted(in.Certificates, in.CertInfo, in.AuthInfo, in.Lang)
	if err != nil {
		return nil, err
	}
	c, err := k.shown(in.CredentialID)
	if err != nil {
		return nil, err
	}
	second, err := k.second()
	if err != nil {
		return nil, err
	}
	return k.describe2(c, w, second), nil
}

func (k *call) describe2(c remote.Credential, w want, second remote.Second) credentialV2 {
	return credentialV2{SignatureQualifier: k.qualifier(), Key: describeKey(c), Cert: describeCert(c, w),
		Auth: k.factors2(second, w.lang), SCAL: "2", Multisign: c.MaxDigests, Lang: w.lang}
}

// qualifier is what signatures made here are.
func (s *Server) qualifier() string {
	if s.cfg.Qualified {
		return "eu_eidas_aesqc"
	}
	return "eu_eidas_aes"
}

func describeKey(c remote.Credential) keyInfo {
	shape := keyShapes[c.KeyType]
	k := keyInfo{Status: "disabled", Algo: shape.algorithms, Len: shape.bits, Curve: shape.curve}
	if c.Usable() {
		k.Status = "enabled"
	}
	return k
}

func describeCert(c remote.Credential, w want) certInfo {
	if c.Certificate == nil {
		return certInfo{}
	}
	out := certInfo{Status: string(c.Status)}
	if w.certificates != "none" {
		out.Certificates = []string{toBase64(c.Certificate.Raw)}
	}
	if w.certificates == "chain" {
		for _, ca := range c.Chain {
			out.Certificates = append(out.Certificates, toBase64(ca.Raw))
		}
	}
	if w.cert {
		out.IssuerDN, out.SubjectDN = c.Certificate.Issuer.String(), c.Certificate.Subject.String()
		out.SerialNumber = fmt.Sprintf("%X", c.Certificate.SerialNumber)
		out.ValidFrom, out.ValidTo = generalized(c.Certificate.NotBefore), generalized(c.Certificate.NotAfter)
	}
	return out
}

// generalized writes a time as GeneralizedTime (RFC 5280 §4.1.2.5.2).
func generalized(t time.Time) string { return t.UTC().Format("20060102150405Z") }
