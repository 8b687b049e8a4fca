package web

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sigillo/auth"
	"sigillo/signing"
)

type sessionInput struct {
	Body struct {
		Username string `json:"username" minLength:"1" maxLength:"200"`
		Password secret `json:"password"`
		OTP      string `json:"otp" minLength:"6" maxLength:"40" doc:"One-time password, a code that was sent, or a recovery code; each works once"`
		Label    string `json:"label,omitempty" maxLength:"100" doc:"What the program calls itself, for the holder's list of sessions"`
		Browser  string `json:"browser,omitempty" maxLength:"1000" doc:"What the last sign-in answered as browser: others who guess then do not lock this client out"`
	}
}

// Session is the answer to a sign-in.
type Session struct {
	Token   string    `json:"token" doc:"Bearer token, for the Authorization header"`
	Expires time.Time `json:"expires" doc:"When the session ends in any case"`
	Idle    int       `json:"idle_seconds" doc:"The session ends earlier when it is idle for so long"`
	Browser string    `json:"browser,omitempty" doc:"To be sent with the next sign-in; it opens nothing"`
}

type sessionOutput struct{ Body Session }

// SessionInfo is one of a holder's sessions, without what opens it.
type SessionInfo struct {
	ID      string    `json:"id" doc:"Names the session; it opens nothing"`
	Current bool      `json:"current" doc:"It is the one that asks"`
	Face    string    `json:"face" enum:"pages,programs" doc:"Where it is used: on the pages or in this interface"`
	Methods []string  `json:"methods" doc:"How the holder was recognised (RFC 8176): pwd, otp, sms, pop (a passkey), sc (a card)"`
	Address string    `json:"address" doc:"Where it was opened from"`
	Agent   string    `json:"agent,omitempty" doc:"What the browser or program says it is"`
	Label   string    `json:"label,omitempty"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen" doc:"Last request, to the minute"`
	Expires time.Time `json:"expires" doc:"When it ends in any case"`
}

func sessionInfo(s auth.Session, ref string) SessionInfo {
	if s.Methods == nil {
		s.Methods = []string{} // [] and not null
	}
	return SessionInfo{ID: s.Ref(), Current: s.Ref() == ref, Face: s.Face, Methods: s.Methods, Address: s.Client,
		Agent: s.Agent, Label: s.Label, Created: s.Created.UTC(), Seen: s.Seen.UTC(), Expires: s.Expires.UTC()}
}

// EndedSessions is how many sessions were ended.
type EndedSessions struct {
	Ended int `json:"ended"`
}

func (s *Server) apiSessions(api huma.API) {
	op := operation("createSession", http.MethodPost, "/session", "Sign in with password and one-time password",
		http.StatusForbidden, http.StatusTooManyRequests, http.StatusUnprocessableEntity)
	huma.Register(api, op, func(ctx context.Context, in *sessionInput) (*sessionOutput, error) {
		defer clear(in.Body.Password)
		v := requestOf(ctx).visit
		v.Label = in.Body.Label
		signed, err := s.openSession(ctx, in.Body.Username, signing.Evidence{Password: in.Body.Password,
			OTP: digits(in.Body.OTP), Browser: in.Body.Browser, Client: clientOf(ctx)}, v)
		if err != nil {
			return nil, apiFail(ctx, err)
		}
		return &sessionOutput{Session{Token: signed.Token, Expires: s.cfg.Now().Add(s.cfg.SessionMax).UTC().Truncate(time.Second),
			Idle: int(s.cfg.SessionIdle.Seconds()), Browser: signed.Browser}}, nil
	})
	op = operation("deleteSession", http.MethodDelete, "/session", "Sign out: the token is worth nothing afterwards")
	op.DefaultStatus = http.StatusNoContent
	huma.Register(api, op, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		if err := s.cfg.Accounts.SignOut(ctx, requestOf(ctx).token); err != nil {
			return nil, apiFail(ctx, err)
		}
		return nil, nil
	})
	s.apiOtherSessions(api)
}

// apiOtherSessions describes what a holder can do about sessions opened elsewhere.
func (s *Server) apiOtherSessions(api huma.API) {
	huma.Register(api, operation("listSessions", http.MethodGet, "/sessions", "The holder's open sessions, the last used one first"),
		func(ctx context.Context, _ *struct{}) (*listOutput[SessionInfo], error) {
			all, err := s.cfg.Accounts.Sessions(ctx, holderOf(ctx))
			var out []SessionInfo
			for _, one := range all {
				out = append(out, sessionInfo(one, requestOf(ctx).session.Ref()))
			}
			return list(ctx, out, err)
		})
	op := operation("endSession", http.MethodDelete, "/sessions/{id}", "End one session at once, wherever it was opened", http.StatusNotFound)
	op.DefaultStatus = http.StatusNoContent
	huma.Register(api, op, func(ctx context.Context, in *idInput) (*struct{}, error) {
		if err := s.cfg.Accounts.EndSession(ctx, holderOf(ctx), in.ID); err != nil {
			return nil, apiFail(ctx, err)
		}
		return nil, nil
	})
	huma.Register(api, operation("endOtherSessions", http.MethodDelete, "/sessions", "End all sessions but the one that asks"),
		func(ctx context.Context, _ *struct{}) (*oneOutput[EndedSessions], error) {
			n, err := s.cfg.Accounts.EndOtherSessions(ctx, holderOf(ctx), requestOf(ctx).session.Ref())
			return one(ctx, EndedSessions{n}, err)
		})
}
