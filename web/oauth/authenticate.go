package oauth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
)

// caller is a client that has shown who it is, and the certificate of its connection.
type caller struct {
	*Client
	certificate *x509.Certificate
}

// thumbprint is what tokens of this caller are bound to; empty: to nothing.
func (c caller) thumbprint() []byte {
	if !c.tls() || c.certificate == nil {
		return []byte{}
	}
	return thumbprint(c.certificate)
}

func thumbprint(cert *x509.Certificate) []byte {
	sum := sha256.Sum256(cert.Raw)
	return sum[:]
}

// called is a request of an application to one of its endpoints.
type called struct {
	caller
	parameters
}

// parameters are those of a request. Each is there once.
type parameters map[string]string

// readParameters refuses a parameter that is there twice (RFC 6749 §3.1, §3.2).
func readParameters(values url.Values) (parameters, error) {
	out := parameters{}
	for name, v := range values {
		if len(v) != 1 {
			return nil, fail(InvalidRequest, "a parameter is there more than once")
		}
		if !utf8.ValidString(v[0]) { // which the journal does not take
			return nil, fail(InvalidRequest, "a parameter is not UTF-8")
		}
		if v[0] != "" { // RFC 6749 §3.1: without a value is as if left out
			out[name] = v[0]
		}
	}
	return out, nil
}

// call reads a request to an endpoint for applications and finds out who it is from.
func (s *Server) call(c *fiber.Ctx) (called, error) {
	form, err := s.house.Form(c)
	if err != nil {
		return called{}, &Error{Kind: InvalidRequest, Msg: "a form of parameters is expected", Err: err}
	}
	values := url.Values{}
	for name, all := range form {
		for _, v := range all {
			values.Add(name, string(v))
			clear(v)
		}
	}
	p, err := readParameters(values)
	if err != nil {
		return called{}, err
	}
	client, cert, err := s.authenticate(c, p)
	return called{caller{client, cert}, p}, err
}

var errClient = fail(InvalidClient, "the client is unknown, or did not show who it is in the way it is registered for")

// authenticate finds out which client asks. It may show who it is in one way only
// (RFC 6749 §2.3), and in the one it is registered for.
func (s *Server) authenticate(c *fiber.Ctx, p parameters) (*Client, *x509.Certificate, error) {
	_, cert := s.house.Client(c)
	id, secret, isBasic := basic(c.Get(fiber.HeaderAuthorization))
	assertion, isAssertion := p["client_assertion"]
	posted, isPosted := p["client_secret"]
	ways := 0
	for _, way := range []bool{c.Get(fiber.HeaderAuthorization) != "", isAssertion, isPosted} {
		if way {
			ways++
		}
	}
	switch {
	case ways > 1:
		return nil, nil, fail(InvalidRequest, "a client shows who it is in one way only")
	case c.Get(fiber.HeaderAuthorization) != "" && !isBasic:
		return nil, nil, errClient
	case isBasic && p["client_id"] != "" && p["client_id"] != id:
		return nil, nil, errClient
	case isPosted:
		secret = posted
	}
	if !isBasic {
		id = p["client_id"]
	}
	if id == "" && isAssertion {
		id = unverifiedSubject(assertion)
	}
	client, err := s.clients.Client(c.UserContext(), id)
	if KindOf(err) == UnknownClient {
		return nil, nil, errClient
	}
	if err != nil {
		return nil, nil, err
	}
	good := false
	switch client.Method {
	case ClientSecret:
		good = (isBasic || isPosted) && subtle.ConstantTimeCompare(digest(secret), client.Secret) == 1
	case PrivateKeyJWT:
		if !isAssertion || p["client_assertion_type"] != assertionType {
			return nil, nil, errClient
		}
		if err := s.checkAssertion(c.UserContext(), client, assertion); err != nil {
			return nil, nil, err
		}
		good = true
	case TLSClientAuth, SelfSignedTLS:
		good = ways == 0 && cert != nil && s.recognises(client, cert)
	case None:
		good = ways == 0
	}
	if !good {
		return nil, nil, errClient
	}
	return client, cert, nil
}

// basic reads the Authorization header of RFC 6749 §2.3.1: both parts are encoded as in
// a form, which changes nothing of what we give out.
func basic(header string) (id, secret string, ok bool) {
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(raw), ":")
	if !ok {
		return "", "", false
	}
	if id, err = url.QueryUnescape(id); err != nil {
		return "", "", false
	}
	secret, err = url.QueryUnescape(secret)
	return id, secret, err == nil
}

// recognises says whether a certificate is this client's (RFC 8705 §2). That whoever
// presents it has its key, the handshake has shown.
func (s *Server) recognises(client *Client, cert *x509.Certificate) bool {
	now := s.cfg.Now()
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return false
	}
	if client.Method == SelfSignedTLS {
		return slices.ContainsFunc(client.Certificates, func(known []byte) bool { return bytes.Equal(known, thumbprint(cert)) })
	}
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	for _, der := range client.Authorities {
		authority, err := x509.ParseCertificate(der)
		if err != nil {
			return false
		}
		if bytes.Equal(authority.RawIssuer, authority.RawSubject) {
			roots.AddCert(authority)
		} else {
			others.AddCert(authority)
		}
	}
	_, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return false
	}
	if client.DNS != "" {
		return slices.Contains(cert.DNSNames, client.DNS)
	}
	return cert.Subject.String() == client.Subject
}
