package oauth

import (
	"github.com/gofiber/fiber/v2"
)

// metadataBody is RFC 8414 §2, with the additions of RFC 8705, 9126, 9207 and 9396.
type metadataBody struct {
	Issuer                  string   `json:"issuer"`
	Authorization           string   `json:"authorization_endpoint"`
	Token                   string   `json:"token_endpoint"`
	Revocation              string   `json:"revocation_endpoint"`
	Pushed                  string   `json:"pushed_authorization_request_endpoint"`
	RequirePushed           bool     `json:"require_pushed_authorization_requests"`
	Scopes                  []string `json:"scopes_supported"`
	ResponseTypes           []string `json:"response_types_supported"`
	ResponseModes           []string `json:"response_modes_supported"`
	GrantTypes              []string `json:"grant_types_supported"`
	Methods                 []string `json:"token_endpoint_auth_methods_supported"`
	Algorithms              []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationMethods       []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms    []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	Challenges              []string `json:"code_challenge_methods_supported"`
	Details                 []string `json:"authorization_details_types_supported,omitempty"`
	Languages               []string `json:"ui_locales_supported"`
	IssuerInAnswer          bool     `json:"authorization_response_iss_parameter_supported"`
	CertificateBound        bool     `json:"tls_client_certificate_bound_access_tokens"`
	RequestObjects          bool     `json:"request_parameter_supported"`
	RequestObjectsByAddress bool     `json:"request_uri_parameter_supported"`
}

func (s *Server) metadata(c *fiber.Ctx) error {
	base := s.cfg.BaseURL
	methods := []string{"client_secret_basic", "client_secret_post", PrivateKeyJWT, TLSClientAuth, SelfSignedTLS, None}
	m := metadataBody{
		Issuer: base, Authorization: base + "/oauth2/authorize", Token: base + "/oauth2/token",
		Revocation: base + "/oauth2/revoke", Pushed: base + "/oauth2/pushed_authorize",
		Scopes: s.scopes(), ResponseTypes: []string{"code"}, ResponseModes: []string{"query"},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
		Methods:    methods, RevocationMethods: methods, Algorithms: algorithmNames(), RevocationAlgorithms: algorithmNames(),
		Challenges: []string{"S256"}, Languages: []string{"it", "en"}, IssuerInAnswer: true, CertificateBound: true,
	}
	if s.cfg.Signing != nil {
		m.Details = detailTypes
	}
	return c.JSON(m)
}

func (s *Server) scopes() []string {
	if s.cfg.Signing == nil {
		return []string{Service}
	}
	return []string{Service, Credential}
}
