package csc

import (
	"strings"

	"sigillo/signing/remote"
)

// prompt is the label and the description of a factor.
type prompt struct{ label, description string }

// prompts are those of the factors, by language and by the identifier of v2.
var prompts = map[string]map[string]prompt{
	"it": {
		pinID:     {"Password", "La password del titolare"},
		otpID:     {"Codice monouso", "Il codice che mostra il dispositivo del titolare"},
		smsID:     {"Codice inviato", "Il codice inviato al telefono del titolare"},
		passkeyID: {"Passkey", "La risposta della passkey del titolare"},
		pageID:    {"Approvazione", "Il titolare approva all'indirizzo"},
	},
	"en": {
		pinID:     {"Password", "The holder's password"},
		otpID:     {"One-time password", "The code that the holder's device shows"},
		smsID:     {"Code sent", "The code that is sent to the holder's phone"},
		passkeyID: {"Passkey", "The answer of the holder's passkey"},
		pageID:    {"Approval", "The holder approves at"},
	},
}

// mode is how this caller's authorisations are given. Under a delegation nobody is asked.
func (k *call) mode() string {
	if k.itself() {
		return "implicit"
	}
	if k.access.login || k.cfg.Gate == nil {
		return "explicit"
	}
	return "oauth2code"
}

// second is what second factors the holder can use here: those that the holder has, and
// for which this service is configured. Only who collects factors is told, or asks.
func (k *call) second() (remote.Second, error) {
	if k.mode() != "explicit" {
		return remote.Second{}, nil
	}
	s, err := k.cfg.Remote.Second(k.ctx, k.access.Holder)
	s.Phone, s.Passkey = s.Phone && k.cfg.SentCodes, s.Passkey && k.cfg.Passkeys
	return s, err
}

// factors1 are PIN and OTP of v1, where there is one OTP: who has a device needs no code
// sent, although one may be.
func factors1(s remote.Second, lang string) (*pinInfo, *otpInfo) {
	p := prompts[lang]
	otp := &otpInfo{"true", "offline", "N", p[otpID].label, p[otpID].description}
	if !s.Device && s.Phone {
		otp = &otpInfo{"true", "online", "N", p[smsID].label, p[smsID].description}
	}
	return &pinInfo{"true", "A", p[pinID].label, p[pinID].description}, otp
}

// factors2 are the authentication objects of v2, and how they go together.
func (k *call) factors2(s remote.Second, lang string) authInfo {
	auth := authInfo{Mode: k.mode(), Objects: []authMethod{}}
	if auth.Mode != "explicit" {
		return auth
	}
	p := prompts[lang]
	add := func(id, kind, format, generator string) string {
		auth.Objects = append(auth.Objects, authMethod{kind, id, format, p[id].label, p[id].description, generator})
		return id
	}
	add(pinID, "Password", "A", "")
	var second []string
	if s.Device {
		generator := ""
		if s.Clock {
			generator = "totp"
		}
		second = append(second, add(otpID, "Password", "N", generator))
	}
	if s.Phone {
		second = append(second, add(smsID, "ChallengeResponse", "N", ""))
	}
	if s.Passkey {
		second = append(second, add(passkeyID, "ChallengeResponse", "A", "webauthn"))
	}
	if len(second) == 0 { // recovery codes are left
		second = append(second, add(otpID, "Password", "A", ""))
	}
	auth.Expression = second[0]
	if len(second) > 1 {
		auth.Expression = "(" + strings.Join(second, " XOR ") + ")"
	}
	auth.Expression = pinID + " AND " + auth.Expression
	if k.cfg.Page != "" {
		add(pageID, "PasswordOOB", "A", "")
		auth.Objects[len(auth.Objects)-1].Description += " " + k.cfg.Page
		auth.Expression = "(" + auth.Expression + ") XOR " + pageID
	}
	return auth
}
