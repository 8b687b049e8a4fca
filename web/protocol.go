package web

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
)

const (
	ocspLimit = 64 << 10 // a status request is some 100 bytes

	mediaOCSPRequest  = "application/ocsp-request" // RFC 6960 App. A.1
	mediaOCSPResponse = "application/ocsp-response"
	mediaCRL          = "application/pkix-crl" // RFC 2585 §4
	mediaCertificate  = "application/pkix-cert"
)

// authorityLabel is the shape of a label in an address.
var authorityLabel = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// routeProtocols opens the doors for machines that speak a standard. They are
// public: no session, no cookie, any origin.
func (s *Server) routeProtocols() {
	if s.cfg.Stamps != nil {
		s.routeStamps()
	}
	if s.cfg.Status != nil {
		s.app.Post("/ocsp/:ca", s.ocspPost)
		s.app.Get("/ocsp/:ca/*", s.ocspGet)
		s.app.Get("/crl/:file", s.crl)
		s.app.Get("/certs/:file", s.authorityCertificate)
	}
	s.app.Get("/healthz", s.healthz)
	s.app.Get("/metrics", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, "text/plain; version=0.0.4; charset=utf-8")
		var b strings.Builder
		b.WriteString(s.metrics.text(&s.stampCounts))
		for _, m := range s.cfg.Metrics {
			m.WriteMetrics(&b)
		}
		return c.SendString(b.String())
	})
}

// der reads the body of a protocol request of one media type.
func (s *Server) der(c *fiber.Ctx, media string, limit int64) ([]byte, error) {
	if got, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType)); got != media {
		return nil, fail(UnsupportedMedia, "Content-Type must be "+media, nil)
	}
	return current(c).body.all(limit)
}

func (s *Server) ocspPost(c *fiber.Ctx) error {
	request, err := s.der(c, mediaOCSPRequest, ocspLimit)
	if err != nil {
		return err
	}
	return s.ocsp(c, request)
}

// ocspGet takes the request from the address (RFC 6960 App. A.1.1): base64,
// then URL-encoded. Base64 has slashes, and not every client encodes them, so
// everything after the authority's label counts.
func (s *Server) ocspGet(c *fiber.Ctx) error {
	raw, _, _ := strings.Cut(c.OriginalURL(), "?")
	if u, err := url.Parse(raw); err == nil {
		raw = u.EscapedPath()
	}
	encoded, err := url.PathUnescape(strings.TrimPrefix(raw, "/ocsp/"+c.Params("ca")+"/"))
	if err != nil {
		return fail(Kind(signing.BadRequest), "the request is not URL-encoded", err)
	}
	request, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil {
		return fail(Kind(signing.BadRequest), "the request is not base64", err)
	}
	return s.ocsp(c, request)
}

func (s *Server) ocsp(c *fiber.Ctx, request []byte) error {
	ca := c.Params("ca")
	if !authorityLabel.MatchString(ca) {
		return fiber.ErrNotFound
	}
	response := s.cfg.Status.OCSP(c.UserContext(), ca, request)
	if len(response) == 0 {
		return fail("internal", "the responder gave no response", nil)
	}
	public(c)
	c.Set(fiber.HeaderContentType, mediaOCSPResponse)
	return c.Send(response)
}

// crl serves the current list. Caches may keep it for five minutes, though
// never past nextUpdate: a suspension must be seen soon.
func (s *Server) crl(c *fiber.Ctx) error {
	ca, ok := strings.CutSuffix(c.Params("file"), ".crl")
	if !ok || !authorityLabel.MatchString(ca) {
		return fiber.ErrNotFound
	}
	der, err := s.cfg.Status.CRL(c.UserContext(), ca)
	if err != nil {
		return err
	}
	maxAge := 5 * time.Minute
	public(c)
	if list, err := x509.ParseRevocationList(der); err == nil {
		c.Set(fiber.HeaderLastModified, list.ThisUpdate.UTC().Format(http.TimeFormat))
		c.Set(fiber.HeaderExpires, list.NextUpdate.UTC().Format(http.TimeFormat))
		maxAge = max(0, min(maxAge, list.NextUpdate.Sub(s.cfg.Now())))
	}
	return cached(c, der, mediaCRL, maxAge)
}

func (s *Server) authorityCertificate(c *fiber.Ctx) error {
	ca, ok := strings.CutSuffix(c.Params("file"), ".crt")
	if !ok || !authorityLabel.MatchString(ca) {
		return fiber.ErrNotFound
	}
	der, err := s.cfg.Status.Certificate(c.UserContext(), ca)
	if err != nil {
		return err
	}
	public(c)
	return cached(c, der, mediaCertificate, time.Hour)
}

// cached sends bytes that caches may keep, and 304 to who has them already.
func cached(c *fiber.Ctx, data []byte, media string, maxAge time.Duration) error {
	sum := sha256.Sum256(data)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	c.Set(fiber.HeaderETag, etag)
	c.Set(fiber.HeaderCacheControl, "public, max-age="+strconv.Itoa(int(maxAge.Seconds())))
	if strings.Contains(c.Get(fiber.HeaderIfNoneMatch), etag) {
		return c.SendStatus(fiber.StatusNotModified)
	}
	c.Set(fiber.HeaderContentType, media)
	return c.Send(data)
}

// public lets other origins use an answer.
func public(c *fiber.Ctx) {
	c.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// healthz says only whether the appliance works; why not is in the log.
func (s *Server) healthz(c *fiber.Ctx) error {
	if s.cfg.Health != nil {
		if err := s.cfg.Health.Health(c.UserContext()); err != nil {
			current(c).fault = err
			return c.Status(fiber.StatusServiceUnavailable).JSON(fiber.Map{"status": "failing"})
		}
	}
	return c.JSON(fiber.Map{"status": "ok"})
}
