package csc

import (
	"bytes"
	"net/http"
	"strings"

	"sigillo/signing"
	"sigillo/signing/remote"
)

// evidence reads the factors of authData: PIN and one second factor.
func (k *call) evidence(list []authObject) (signing.Evidence, error) {
	e := signing.Evidence{Client: k.client}
	for _, a := range list {
		second := e.OTP != "" || e.Passkey != nil
		switch {
		case len(a.Value) == 0:
			return e, badAuthData()
		case a.ID == pinID && e.Password == nil:
			e.Password = a.Value
		case (a.ID == otpID || a.ID == smsID) && !second:
			e.OTP = strings.ReplaceAll(string(a.Value), " ", "")
		case a.ID == passkeyID && !second:
			var ok bool
			if e.Passkey, ok = assertion(a.Value); !ok {
				return e, badAuthData()
			}
		default:
			return e, badAuthData()
		}
	}
	if e.Password == nil || e.OTP == "" && e.Passkey == nil { // nothing is counted as a wrong try
		return e, badAuthData()
	}
	return e, nil
}

// codeEvidence is evidence where only a code can be the second factor: no challenge is
// made for it.
func (k *call) codeEvidence(list []authObject) (signing.Evidence, error) {
	e, err := k.evidence(list)
	if err == nil && e.Passkey != nil {
		err = badAuthData()
	}
	return e, err
}

// assertion reads what a passkey answered: the JSON of PublicKeyCredential, in base64url
// or as it is.
func assertion(value []byte) ([]byte, bool) {
	if text := bytes.TrimSpace(value); len(text) > 0 && text[0] == '{' {
		return text, true
	}
	return fromBase64(blob(value))
}

// speaks is the language of a code that is sent: the one asked for, or else that of the
// service's country.
func (k *call) speaks(lang string) string {
	if lang == "" && k.cfg.Region == "IT" {
		return "it"
	}
	return language(lang)
}

type sendOTPInput struct {
	CredentialID string `json:"credentialID" required:"true"`
	Lang         string `json:"lang" doc:"Of the message, ours; \"it\" or \"en\""`
	ClientData   string `json:"clientData"`
}

// sendOTP has a code sent to the holder (v1 §11.9).
func (k *call) sendOTP(in *sendOTPInput) (any, error) {
	if k.access.Holder == "" {
		return nil, noHolder()
	}
	err := k.cfg.Remote.SendCode(k.ctx, k.access.Holder, k.access.Application, in.CredentialID, k.speaks(in.Lang))
	if err != nil && signing.KindOf(err) == signing.Locked {
		e := told(err, 1)
		e.Description = "OTP locked"
		return nil, e
	}
	return noContent, err
}

type challengeInput struct {
	CredentialID  string   `json:"credentialID" required:"true"`
	AuthObjectID  string   `json:"authObjectID" required:"true" bad:"Invalid parameter authObjectID" doc:"SMS (or OTP): a code is sent. passkey: what the holder's passkey is to sign"`
	Hashes        []string `json:"hashes" element:"Invalid Base64 hash string parameter" doc:"Ours, of a passkey: those that will be authorised, and no others"`
	HashAlgorithm string   `json:"hashAlgorithmOID" doc:"Ours; with hashes"`
	HashType      string   `json:"hashType" enum:"DTBSR,SDR" doc:"Ours; with hashes, as in credentials/authorize"`
	Lang          string   `json:"lang" doc:"Of the message, ours; \"it\" or \"en\""`
	ClientData    string   `json:"clientData"`
}

type challengeOutput struct {
	Challenge string `json:"challenge" required:"true" doc:"PublicKeyCredentialRequestOptions (WebAuthn Level 3 §5.5), JSON"`
}

// getChallenge has a code sent, or gives what the holder's passkey is to sign.
func (k *call) getChallenge(in *challengeInput) (any, error) {
	if _, err := k.credential(k.ctx, in.CredentialID); err != nil {
		return nil, err
	}
	switch {
	case (in.AuthObjectID == smsID || in.AuthObjectID == otpID) && k.cfg.SentCodes:
		return noContent, k.cfg.Remote.SendCode(k.ctx, k.access.Holder, k.access.Application, in.CredentialID, k.speaks(in.Lang))
	case in.AuthObjectID == passkeyID && k.cfg.Passkeys:
		return k.passkeyChallenge(in)
	}
	return nil, bad("authObjectID")
}

func (k *call) passkeyChallenge(in *challengeInput) (any, error) {
	o := remote.Order{Credential: in.CredentialID, Application: k.access.Application}
	if len(in.Hashes) > 0 {
		var ok bool
		if in.HashAlgorithm == "" {
			return nil, missing("string", "hashAlgorithmOID")
		}
		if o.Hash, ok = hashes[in.HashAlgorithm]; !ok {
			return nil, bad("hashAlgorithmOID")
		}
		if in.HashType != "" && in.HashType != "DTBSR" && in.HashType != "SDR" {
			return nil, bad("hashType")
		}
		var err error
		if o.Digests, err = digestsOf(in.Hashes, o.Hash); err != nil {
			return nil, err
		}
		o.Documents = in.HashType == "SDR"
	}
	ch, err := k.cfg.Remote.Challenge(k.ctx, k.access.Holder, o)
	if err != nil {
		return nil, err
	}
	return challengeOutput{string(ch.Options)}, nil
}

// aheadMethods are those for factors that are asked for before they are given; they are
// offered where there can be such factors.
func (s *Server) aheadMethods() (out []method) {
	if s.cfg.SentCodes {
		out = append(out, givesNothing(define(1, "credentials/sendOTP", "Send a one-time password to the holder", serviceScope, (*call).sendOTP)))
	}
	if s.cfg.SentCodes || s.cfg.Passkeys {
		m := givesNothing(define(2, "credentials/getChallenge", "Have a code sent to the holder, or a challenge made", serviceScope, (*call).getChallenge))
		out = append(out, gives[challengeOutput](m, http.StatusOK))
	}
	return out
}
