package csc

import (
	"fmt"
	"net/http"
	"reflect"
)

// method is one method of one version of the API.
type method struct {
	v       int
	name    string // "credentials/list"
	summary string
	scopes  []string // of the access token; nil: anybody may call it
	limit   int64    // of the body
	signs   bool     // may take long
	in      reflect.Type
	outs    map[int]reflect.Type // by status; nil: no body
	errors  []int                // statuses besides those that all have
	run     func(k *call, o object) (any, error)
}

func (m method) path() string { return fmt.Sprintf("/csc/v%d/%s", m.v, m.name) }

// define makes a method of a function and the type it takes.
func define[I any](v int, name, summary string, scopes []string, run func(*call, *I) (any, error)) method {
	return method{v: v, name: name, summary: summary, scopes: scopes, limit: bodyLimit, in: reflect.TypeFor[I](),
		run: func(k *call, o object) (any, error) {
			in := new(I)
			defer wipe(in)
			if err := decode(o, in); err != nil {
				return nil, err
			}
			return run(k, in)
		}}
}

// gives says what a method answers with.
func gives[O any](m method, status int) method {
	if m.outs == nil {
		m.outs = map[int]reflect.Type{}
	}
	m.outs[status] = reflect.TypeFor[O]()
	return m
}

func givesNothing(m method) method {
	m.outs = map[int]reflect.Type{http.StatusNoContent: nil}
	return m
}

func slow(m method) method { m.signs = true; return m }

// wipe overwrites the secrets of a request.
func wipe(in any) {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i).Interface().(type) {
		case secret:
			clear(f)
		case []authObject:
			for _, a := range f {
				clear(a.Value)
			}
		}
	}
}

var (
	anyScope     = []string{ScopeService, ScopeCredential}
	serviceScope = []string{ScopeService}
)

// list is all methods that this server has: what the configuration has no room for is
// not offered.
func (s *Server) list() []method {
	out := append(append(s.v1(), s.v2()...), s.keyMethods()...)
	if s.cfg.Login != nil {
		for v := 1; v <= 2; v++ {
			login := gives[loginOutput](define(v, "auth/login", "Sign in with HTTP Basic", nil, (*call).login), http.StatusOK)
			login.errors = []int{http.StatusUnauthorized, http.StatusTooManyRequests}
			out = append(out, login,
				givesNothing(define(v, "auth/revoke", "End an access or refresh token of auth/login", serviceScope, (*call).revoke)))
		}
	}
	if s.cfg.Stamp != nil {
		for v := 1; v <= 2; v++ {
			out = append(out, gives[timestampOutput](define(v, "signatures/timestamp", "A time-stamp token over a hash", anyScope, (*call).timestamp), http.StatusOK))
		}
	}
	if s.cfg.Documents != nil && s.cfg.Evidence != nil {
		m := slow(gives[signDocOutput](define(2, "signatures/signDoc", "Sign documents, or digests of documents", anyScope, (*call).signDoc), http.StatusOK))
		m.limit = documentsLimit
		out = append(out, m)
	}
	return append(out, s.aheadMethods()...)
}

func (s *Server) v1() []method {
	return []method{
		gives[infoOutput](define(1, "info", "What this service is and can", nil, (*call).info), http.StatusOK),
		gives[listOutput](define(1, "credentials/list", "The holder's credentials", serviceScope, (*call).listCredentials), http.StatusOK),
		gives[credentialV1](define(1, "credentials/info", "One credential with its certificates", anyScope, (*call).credentialInfo), http.StatusOK),
		slow(gives[sadOutput](define(1, "credentials/authorize", "Have the holder's factors checked for these hashes", serviceScope, (*call).authorize), http.StatusOK)),
		gives[sadOutput](define(1, "credentials/extendTransaction", "Renew a SAD for hashes of it that are not signed yet", serviceScope, (*call).extend), http.StatusOK),
		slow(gives[signaturesOutput](define(1, "signatures/signHash", "Sign hashes", anyScope, (*call).signHash), http.StatusOK)),
	}
}

func (s *Server) v2() []method {
	return []method{
		gives[infoOutput2](define(2, "info", "What this service is and can", nil, (*call).info2), http.StatusOK),
		gives[listOutput2](define(2, "credentials/list", "The holder's credentials", serviceScope, (*call).listCredentials2), http.StatusOK),
		gives[credentialV2](define(2, "credentials/info", "One credential with its certificates", anyScope, (*call).credentialInfo2), http.StatusOK),
		slow(gives[handleOutput](gives[sadOutput](define(2, "credentials/authorize", "Have the holder's factors checked for these hashes", serviceScope, (*call).authorize2), http.StatusOK), http.StatusAccepted)),
		gives[handleOutput](gives[sadOutput](define(2, "credentials/authorizeCheck", "How an authorisation stands", serviceScope, (*call).authorizeCheck), http.StatusOK), http.StatusAccepted),
		gives[sadOutput](define(2, "credentials/extendTransaction", "Renew a SAD for hashes of it that are not signed yet", serviceScope, (*call).extend2), http.StatusOK),
		slow(gives[signaturesOutput](define(2, "signatures/signHash", "Sign hashes", anyScope, (*call).signHash2), http.StatusOK)),
		gives[pollOutput](define(2, "signatures/signPolling", "The result of an asynchronous request", anyScope, (*call).poll), http.StatusOK),
	}
}
