package csc

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"sigillo/signing"
)

type loginInput struct {
	RefreshToken *string `json:"refresh_token" doc:"Of a former login, instead of the header Authorization" bad:"Invalid string parameter: refresh_token"`
	RememberMe   bool    `json:"rememberMe" doc:"A refresh token is wanted"`
	OTP          string  `json:"OTP" doc:"One-time password. Without it the last six characters of the password are it"`
	ClientData   string  `json:"clientData"`
}

type loginOutput struct {
	AccessToken  string `json:"access_token" required:"true" doc:"Bearer token of scope service"`
	RefreshToken string `json:"refresh_token,omitempty" doc:"Works once, until eight hours after the login"`
	ExpiresIn    int    `json:"expires_in" required:"true" doc:"Seconds"`
}

// authenticationFailed says nothing about why.
func authenticationFailed(err error) error {
	e := &Error{Code: "authentication_error", Description: "An error occurred during authentication process", status: http.StatusBadRequest, err: err}
	var below *signing.Error
	if errors.As(err, &below) && below.Kind == signing.Locked {
		e.status, e.wait = http.StatusTooManyRequests, below.RetryAfter
	}
	return e
}

// login opens a session of an application with HTTP Basic (CSC v1 §11.2) and a
// one-time password, or goes on with one.
func (k *call) login(in *loginInput) (any, error) {
	now := k.cfg.Now()
	if in.RefreshToken != nil {
		if *in.RefreshToken == "" {
			return nil, invalid("Invalid string parameter: refresh_token")
		}
		t, ok := k.tokens.renew(*in.RefreshToken, now)
		if !ok {
			return nil, invalid("Invalid refresh_token")
		}
		if err := k.same(k.ctx, t); err != nil {
			if told(err, k.v).status != http.StatusServiceUnavailable {
				err = invalid("Invalid refresh_token")
			}
			return nil, err
		}
		return k.loggedIn(t, true)
	}
	username, password, err := k.credentials()
	if err != nil {
		return nil, err
	}
	defer clear(password)
	secret, otp := splitOTP(password, in.OTP)
	succeeded, err := k.attempt()
	if err != nil {
		return nil, authenticationFailed(err)
	}
	holder, epoch, err := k.cfg.Login(k.ctx, username, signing.Evidence{Password: bytes.Clone(secret), OTP: otp, Client: loginName + " " + k.client})
	switch kind := signing.KindOf(err); {
	case err == nil:
		succeeded()
	case kind == signing.WrongFactors || kind == signing.ReusedOTP || kind == signing.Locked:
		return nil, authenticationFailed(err)
	default:
		return nil, err
	}
	return k.loggedIn(token{holder: holder, family: randomToken(), epoch: epoch, ends: now.Add(refreshLife)}, in.RememberMe)
}

// loggedIn gives tokens of the login that t is of.
func (k *call) loggedIn(t token, remember bool) (any, error) {
	now := k.cfg.Now()
	access, refresh, err := k.tokens.issue(t, remember, now)
	if err != nil {
		return nil, err
	}
	life := earlier(now.Add(accessLife), t.ends).Sub(now)
	return loginOutput{AccessToken: access, RefreshToken: refresh, ExpiresIn: int(life.Seconds())}, nil
}

// same refuses a token whose holder has other factors than when it was given.
func (s *Server) same(ctx context.Context, t token) error {
	epoch, err := s.cfg.Epoch(ctx, t.holder)
	switch {
	case err != nil:
		return err
	case len(t.epoch) > 0 && bytes.Equal(epoch, t.epoch):
		return nil
	}
	s.tokens.end(t.family)
	return expiredToken()
}

// credentials reads the header of HTTP Basic (RFC 7617).
func (k *call) credentials() (username string, password []byte, err error) {
	dot := ""
	if k.v == 1 {
		dot = "."
	}
	malformed := &Error{Code: "invalid_request", Description: "Malformed authentication parameter" + dot, status: http.StatusUnauthorized}
	scheme, value, ok := strings.Cut(k.basic, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", nil, malformed
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil || !utf8.Valid(data) {
		return "", nil, malformed
	}
	name, password, ok := bytes.Cut(data, []byte(":"))
	if !ok || len(name) == 0 || len(password) == 0 {
		return "", nil, invalid("Malformed username-password" + dot)
	}
	return string(name), password, nil
}

// otpDigits is how long a code is that is appended to a password.
const otpDigits = 6

// splitOTP parts a password from the code appended to it, unless the code was given
// apart. Without a code there is none, and the vault refuses.
func splitOTP(password []byte, otp string) ([]byte, string) {
	if otp = strings.ReplaceAll(otp, " ", ""); otp != "" {
		return password, otp
	}
	cut := len(password) - otpDigits
	if cut <= 0 {
		return password, ""
	}
	for _, b := range password[cut:] {
		if b < '0' || b > '9' {
			return password, ""
		}
	}
	return password[:cut], string(password[cut:])
}

type revokeInput struct {
	Token      string  `json:"token" required:"true" bad:"Invalid string parameter token"`
	Hint       *string `json:"token_type_hint" enum:"access_token,refresh_token" bad:"Invalid string parameter token_type_hint"`
	ClientData string  `json:"clientData"`
}

// revoke ends a token of auth/login. One that is not the holder's, or none at all, is
// no error (RFC 7009 §2.2).
func (k *call) revoke(in *revokeInput) (any, error) {
	if in.Hint != nil && *in.Hint != "access_token" && *in.Hint != "refresh_token" {
		return nil, invalid("Invalid string parameter token_type_hint")
	}
	if in.Token == "" {
		return nil, invalid("Invalid string parameter token")
	}
	k.tokens.revoke(in.Token, k.access.Holder)
	return noContent, nil
}
