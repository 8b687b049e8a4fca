package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/signing"
	counters "sigillo/signing/counter"
	"sigillo/vault"
)

// CounterDesk is what an operator's own application asks of the counters. Kinds of errors:
// of counter, staff and signing.
type CounterDesk interface {
	Customers(ctx context.Context, by staff.Member, who string) ([]counters.Customer, error)
	RegisterCustomer(ctx context.Context, by staff.Member, n counters.NewCustomer) (counters.Customer, error)
	Withdraw(ctx context.Context, by staff.Member, holder string) error
	Tablets(ctx context.Context, by staff.Member) ([]counters.Tablet, error)
	Upload(ctx context.Context, by staff.Member, holder, name string, r io.Reader) (signing.Document, error)
	OpenDossier(ctx context.Context, by staff.Member, n counters.NewDossier) (counters.Session, error)
	OpenEnrolment(ctx context.Context, by staff.Member, n counters.NewEnrolment) (counters.Session, error)
	Challenge(ctx context.Context, by staff.Member, id, second string) (vault.Challenge, error)
	Begin(ctx context.Context, by staff.Member, id string, presence vault.Evidence) (counters.Session, error)
	Sessions(ctx context.Context, by staff.Member) ([]counters.Session, error)
	Session(ctx context.Context, by staff.Member, id string) (counters.Session, error)
	Watch(ctx context.Context, by staff.Member, id string, seen int64) (counters.Session, error)
	Page(ctx context.Context, by staff.Member, id, document string, page int) ([]byte, error)
	Output(ctx context.Context, by staff.Member, id string, seq int) (*signing.Output, error)
	RemoveSample(ctx context.Context, by staff.Member, id string, index int) (counters.Session, error)
	FinishEnrolment(ctx context.Context, by staff.Member, id, second string, presence vault.Evidence) (counters.Session, error)
	Cancel(ctx context.Context, by staff.Member, id, reason string) (counters.Session, error)
}

// The addresses of the counters in the REST interface. Who signs in there is a member of
// the staff, with a token that is good nowhere else.
const (
	apiCounter        = apiBase + "/counter"
	apiCounterSession = apiCounter + "/session"
)

// atCounter lets a member of the staff in with a bearer token.
func (s *Server) atCounter(c *fiber.Ctx, token string) error {
	r := current(c)
	if s.cfg.CounterDesk == nil || s.cfg.Staff == nil {
		return fail(NoRoute, "there are no counters here", nil)
	}
	m, err := s.cfg.Staff.StaffSession(c.UserContext(), token, r.visit)
	if err == nil {
		r.member, r.token = &m, token
		return nil
	}
	switch signing.KindOf(err) {
	case signing.Busy, signing.KeyUnavailable, signing.DiskFull:
		return err
	}
	return fail(Unauthenticated, "no such session", err)
}

// isCounter says whether an address is one of a member of the staff.
func isCounter(path string) bool { return strings.HasPrefix(path, apiCounter+"/") }

// isCounterUpload says whether the body of a request is a document.
func isCounterUpload(method, path string) bool {
	return method == fiber.MethodPost && strings.HasPrefix(path, apiCounter+"/customers/") && strings.HasSuffix(path, "/documents")
}

func memberOf(ctx context.Context) staff.Member { return *requestOf(ctx).member }

// presenceBody is how a member shows to be there, now: a fresh code or a passkey's answer.
type presenceBody struct {
	OTP     string          `json:"otp,omitempty" maxLength:"40" doc:"A fresh one-time password of the member; who has a passkey uses that"`
	Passkey json.RawMessage `json:"passkey,omitempty" doc:"What the member's passkey answered to the challenge: the JSON of PublicKeyCredential"`
	Browser string          `json:"browser,omitempty" maxLength:"1000" doc:"What the sign-in answered as browser: others who guess at the member's factors then do not lock this client out"`
}

func (p presenceBody) evidence(ctx context.Context) vault.Evidence {
	return vault.Evidence{OTP: digits(p.OTP), Passkey: p.Passkey, Browser: p.Browser, Client: clientOf(ctx)}
}

func (p presenceBody) empty() bool { return p.OTP == "" && len(p.Passkey) == 0 }

// CounterIdentity is how the operator has seen who the customer is.
type CounterIdentity struct {
	Kind    string `json:"kind" enum:"identity-card,passport,driving-licence,residence-permit,other-art-35" doc:"Kind of the identity document (art. 35 DPR 445/2000)"`
	Number  string `json:"number" minLength:"1" maxLength:"40"`
	Issuer  string `json:"issuer" minLength:"1" maxLength:"100"`
	Expires string `json:"expires" format:"date" doc:"The document is good until the end of this day"`
}

func (i CounterIdentity) read() counters.Identification {
	day, _ := time.Parse(time.DateOnly, i.Expires) // the schema has refused what is no day; the zero day has passed
	return counters.Identification{Kind: i.Kind, Number: i.Number, Issuer: i.Issuer, Expires: day.Add(24*time.Hour - time.Second)}
}

// NewCounterSession asks for a session at a counter.
type NewCounterSession struct {
	Purpose        counters.Purpose `json:"purpose" enum:"sign,enrol" doc:"sign: a dossier; enrol: the customer's signatures, to be compared with later"`
	Holder         string           `json:"holder" maxLength:"100" doc:"Identifier of the customer"`
	Tablet         string           `json:"tablet" maxLength:"100" doc:"Identifier of a tablet of the operator's centre"`
	Identification CounterIdentity  `json:"identification"`
	Documents      []signing.Order  `json:"documents,omitempty" maxItems:"20" doc:"For sign: documents that were uploaded for this customer at this centre"`
	Reference      string           `json:"reference,omitempty" maxLength:"100" doc:"Name of the dossier in the application's own books"`
	Locale         string           `json:"locale,omitempty" enum:"it,en" doc:"Language of the tablet; the customer's unless given"`
	Callback       string           `json:"callback,omitempty" maxLength:"100" doc:"Name of an address in the configuration that is told when the session has ended"`
	Presence       presenceBody     `json:"presence,omitzero" doc:"Begins the session at once; without it, it waits for begin"`
}

type (
	counterSessionInput struct{ Body NewCounterSession }
	counterPresence     struct {
		ID   string `path:"id" maxLength:"100" doc:"Identifier of the session"`
		Body presenceBody
	}
	counterChallengeOutput struct{ Body json.RawMessage }
	counterWatchInput      struct {
		ID   string `path:"id" maxLength:"100" doc:"Identifier of the session"`
		Seen int64  `query:"seen" doc:"The version that the caller has: the answer waits for another one, for 25 seconds at most"`
	}
	counterCancelInput struct {
		ID     string `path:"id" maxLength:"100" doc:"Identifier of the session"`
		Reason string `query:"reason" enum:"operator,customer,pen" default:"operator"`
	}
	counterPageInput struct {
		ID       string `path:"id" maxLength:"100" doc:"Identifier of the session"`
		Document string `path:"document" maxLength:"100" doc:"Identifier of the document"`
		N        int    `path:"n" minimum:"1" doc:"Page, counted from 1"`
	}
	counterSampleInput struct {
		ID    string `path:"id" maxLength:"100" doc:"Identifier of the session"`
		Index int    `path:"index" minimum:"0" doc:"Which of the signatures, from 0"`
	}
	counterWhoInput struct {
		Who string `query:"who" required:"true" minLength:"1" maxLength:"200" doc:"Username, codice fiscale or serial number of a certificate, exactly"`
	}
)

// counterOperation is operation for what members of the staff do.
func counterOperation(id, method, path, summary string, errors ...int) huma.Operation {
	op := operation(id, method, "/counter"+path, summary, append(errors, http.StatusForbidden)...)
	if path != "/session" || method != http.MethodPost {
		op.Security = []map[string][]string{{counterBearer: {}}}
	}
	op.Tags = []string{"counter"}
	return op
}

// counterBearer is the name of the token of a member of the staff.
const counterBearer = "counter"

// apiCounters describes what a bank's own counter application does, in the name of the
// operator who has signed in with it.
func (s *Server) apiCounters(api huma.API) {
	s.apiCounterSignIn(api)
	s.apiCounterCustomers(api)
	s.apiCounterSessions(api)
	s.apiCounterEnrolment(api)
	s.apiCounterDocuments(api)
}

func (s *Server) apiCounterSignIn(api huma.API) {
	op := counterOperation("createCounterSession", http.MethodPost, "/session", "Sign in as an operator with password and one-time password",
		http.StatusTooManyRequests, http.StatusUnprocessableEntity)
	huma.Register(api, op, func(ctx context.Context, in *sessionInput) (*sessionOutput, error) {
		defer clear(in.Body.Password)
		r := requestOf(ctx)
		if s.cfg.Staff == nil {
			return nil, apiFail(ctx, fail(NoRoute, "there are no counters here", nil))
		}
		if wait := s.attempts.take(r.client, s.cfg.Now()); wait > 0 {
			return nil, apiFail(ctx, tooOften(wait))
		}
		v := r.visit
		v.Label = in.Body.Label
		signed, err := s.cfg.Staff.StaffSignIn(ctx, in.Body.Username, signing.Evidence{Password: in.Body.Password,
			OTP: digits(in.Body.OTP), Browser: in.Body.Browser, Client: r.client}, v)
		if err != nil {
			return nil, apiFail(ctx, err)
		}
		return &sessionOutput{Session{Token: signed.Token, Expires: s.cfg.Now().Add(auth.SessionLife).UTC().Truncate(time.Second),
			Idle: int(auth.SessionIdle.Seconds()), Browser: signed.Browser}}, nil
	})
	op = counterOperation("deleteCounterSession", http.MethodDelete, "/session", "Sign out: the token is worth nothing afterwards")
	op.DefaultStatus = http.StatusNoContent
	huma.Register(api, op, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		if err := s.cfg.Staff.StaffSignOut(ctx, requestOf(ctx).token); err != nil {
			return nil, apiFail(ctx, err)
		}
		return nil, nil
	})
}

func (s *Server) apiCounterSessions(api huma.API) {
	op := counterOperation("openCounterSession", http.MethodPost, "/sessions", "Open a session with a customer at a tablet: a dossier, or an enrolment",
		http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity)
	op.DefaultStatus = http.StatusCreated
	op.Description = "With presence it begins at once: a fresh factor of the operator, who stands beside the customer. What the presence does not open is given up."
	huma.Register(api, op, s.apiOpenCounter)
	huma.Register(api, counterOperation("listCounterSessions", http.MethodGet, "/sessions", "The sessions of the operator's centre: those under way first"),
		func(ctx context.Context, _ *struct{}) (*listOutput[counters.Session], error) {
			all, err := s.cfg.CounterDesk.Sessions(ctx, memberOf(ctx))
			return list(ctx, all, err)
		})
	huma.Register(api, counterOperation("getCounterSession", http.MethodGet, "/sessions/{id}", "One session; waits for a change where seen is given", http.StatusNotFound),
		func(ctx context.Context, in *counterWatchInput) (*oneOutput[counters.Session], error) {
			look := s.cfg.CounterDesk.Session
			if in.Seen > 0 {
				look = func(_ context.Context, by staff.Member, id string) (counters.Session, error) {
					ctx, cancel := context.WithTimeout(s.leaving, patienceTime) // nobody waits for who waits
					defer cancel()
					return s.cfg.CounterDesk.Watch(ctx, by, id, in.Seen)
				}
			}
			v, err := look(ctx, memberOf(ctx), in.ID)
			return one(ctx, v, err)
		})
	challenge := counterOperation("challengeCounterSession", http.MethodPost, "/sessions/{id}/challenge",
		"What a passkey of the member signs: to begin, or to approve", http.StatusNotFound, http.StatusConflict)
	huma.Register(api, challenge, func(ctx context.Context, in *idInput) (*counterChallengeOutput, error) {
		c, err := s.cfg.CounterDesk.Challenge(ctx, memberOf(ctx), in.ID, "")
		if err != nil {
			return nil, apiFail(ctx, err)
		}
		return &counterChallengeOutput{c.Options}, nil
	})
	huma.Register(api, counterOperation("beginCounterSession", http.MethodPost, "/sessions/{id}/begin", "Begin: the operator is there",
		http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests), func(ctx context.Context, in *counterPresence) (*oneOutput[counters.Session], error) {
		v, err := s.cfg.CounterDesk.Begin(ctx, memberOf(ctx), in.ID, in.Body.evidence(ctx))
		return one(ctx, v, err)
	})
	huma.Register(api, counterOperation("cancelCounterSession", http.MethodDelete, "/sessions/{id}", "Break a session off; nothing is signed",
		http.StatusNotFound, http.StatusConflict), func(ctx context.Context, in *counterCancelInput) (*oneOutput[counters.Session], error) {
		v, err := s.cfg.CounterDesk.Cancel(ctx, memberOf(ctx), in.ID, in.Reason)
		return one(ctx, v, err)
	})
}

func (s *Server) apiOpenCounter(ctx context.Context, in *counterSessionInput) (*createdOutput[counters.Session], error) {
	by, b := memberOf(ctx), in.Body
	var v counters.Session
	var err error
	if b.Purpose == counters.Enrol {
		v, err = s.cfg.CounterDesk.OpenEnrolment(ctx, by, counters.NewEnrolment{Holder: b.Holder, Tablet: b.Tablet,
			Identification: b.Identification.read(), Locale: b.Locale, Reference: b.Reference, Callback: b.Callback})
	} else {
		v, err = s.cfg.CounterDesk.OpenDossier(ctx, by, counters.NewDossier{Holder: b.Holder, Tablet: b.Tablet,
			Identification: b.Identification.read(), Documents: b.Documents, Locale: b.Locale, Reference: b.Reference, Callback: b.Callback})
	}
	if err == nil && !b.Presence.empty() {
		id := v.ID
		if v, err = s.cfg.CounterDesk.Begin(ctx, by, id, b.Presence.evidence(ctx)); err != nil {
			if _, gone := s.cfg.CounterDesk.Cancel(context.WithoutCancel(ctx), by, id, counters.WhyOperator); gone != nil {
				s.cfg.Log.Error("a session that was not begun could not be given up", "session", id, "err", gone)
			}
		}
	}
	if err != nil {
		return nil, apiFail(ctx, err)
	}
	return &createdOutput[counters.Session]{apiCounter + "/sessions/" + pathSegment(v.ID), v}, nil
}

func (s *Server) apiCounterEnrolment(api huma.API) {
	huma.Register(api, counterOperation("removeCounterSample", http.MethodDelete, "/sessions/{id}/samples/{index}", "Take one of the signatures of an enrolment away",
		http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity), func(ctx context.Context, in *counterSampleInput) (*oneOutput[counters.Session], error) {
		v, err := s.cfg.CounterDesk.RemoveSample(ctx, memberOf(ctx), in.ID, in.Index)
		return one(ctx, v, err)
	})
	approve := counterOperation("approveEnrolment", http.MethodPost, "/sessions/{id}/approve", "Approve an enrolment as the second person: key and certificate are made",
		http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests)
	approve.Description = "Another member than the operator, with an own token. The answer has the emergency code, once."
	huma.Register(api, approve, func(ctx context.Context, in *counterPresence) (*oneOutput[counters.Session], error) {
		ctx, cancel := s.longer(ctx, signTimeout)
		defer cancel()
		v, err := s.cfg.CounterDesk.FinishEnrolment(ctx, memberOf(ctx), in.ID, "", in.Body.evidence(ctx))
		return one(ctx, v, err)
	})
}

// schemaName names the schema of a type in the OpenAPI document. The counters have
// sessions and documents of their own.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if strings.HasSuffix(t.PkgPath(), "/signing/counter") {
		return "Counter" + name
	}
	return name
}
