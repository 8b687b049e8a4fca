package web

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/formats/cms"
	"sigillo/tsa"
	"sigillo/tsa/front"
)

// routeStamps opens what is around POST /tsa, which itself stampDoor takes in:
// a page for people, the certificates, and what the owners of accounts see.
func (s *Server) routeStamps() {
	s.app.Get(stampPath, s.stampAbout)
	s.app.Get(stampPath+"/units/:file", s.unitCertificate)
	s.app.Get(stampPath+"/certificates.pem", s.stampCertificates)
	s.routeStampCustomers()
	s.app.Get(stampPath+"/:policy", func(c *fiber.Ctx) error {
		if !s.hasPolicy(c, c.Params("policy")) {
			return fiber.ErrNotFound
		}
		return c.Redirect(stampPath, fiber.StatusSeeOther)
	})
	for _, path := range []string{stampPath, stampPath + "/:policy"} {
		s.app.All(path, func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderAllow, "GET, HEAD, POST")
			if c.Path() == accountPath {
				c.Set(fiber.HeaderAllow, "GET, HEAD")
			}
			return fiber.ErrMethodNotAllowed
		})
	}
}

func (s *Server) hasPolicy(c *fiber.Ctx, name string) bool {
	for _, p := range s.cfg.Stamps.Publication(c.UserContext()).Policies {
		if p.Name == name {
			return true
		}
	}
	return false
}

// stampAbout tells people what the address is that they were given for their
// program. RFC 3161 §3.4 itself knows only POST.
func (s *Server) stampAbout(c *fiber.Ctx) error {
	s.speakAsChosen(c)
	data := newStampAbout(s.cfg.Stamps.Publication(c.UserContext()), s.cfg.Now())
	data.Base = s.address(c)
	data.Page = s.cfg.StampPage != StampPageOff
	return s.render(c, s.newView(c, "tsa", current(c).locale.T("tsa.title"), data))
}

// address is how the caller addresses this server.
func (s *Server) address(c *fiber.Ctx) string {
	scheme := "http"
	if s.cfg.Secure || s.peerOf(c.Context()).tls {
		scheme = "https"
	}
	return scheme + "://" + string(c.Request().Host())
}

type stampAbout struct {
	Base     string // of this server's addresses
	Page     bool   // there is a page to stamp files on
	State    string // of the clock; "" when it is not known
	Policies []aboutPolicy
	Units    []aboutUnit
}

type aboutPolicy struct {
	Name, OID, Hashes, Path string
	Accuracy                string
	Default, Qualified      bool
}

type aboutUnit struct {
	Name, Series, State, Subject, SHA256, Path string
	Current                                    bool
	From, To                                   time.Time
}

func newStampAbout(p front.Publication, now time.Time) stampAbout {
	out := stampAbout{State: clockState(p)}
	for i, policy := range p.Policies {
		out.Policies = append(out.Policies, aboutPolicy{Name: policy.Name, OID: policy.OID.String(), Hashes: hashNames(policy.Hashes),
			Accuracy: shortTime(policy.Accuracy), Default: i == 0, Qualified: policy.Qualified, Path: stampPath + "/" + url.PathEscape(policy.Name)})
	}
	for _, unit := range p.Units {
		u := aboutUnit{Name: unit.Name, Series: unit.Series, State: unitState(unit.UnitStatus, now), Current: unit.Current, From: unit.From, To: unit.To}
		if cert, err := x509.ParseCertificate(unit.Certificate); err == nil {
			sum := sha256.Sum256(cert.Raw)
			u.Subject, u.SHA256 = cms.ReadableName(cert.RawSubject), hex.EncodeToString(sum[:])
			u.Path = stampPath + "/units/" + url.PathEscape(unit.Name) + ".crt"
		}
		out.Units = append(out.Units, u)
	}
	return out
}

// unitState is what is shown of a unit. One that is out of use before its period has
// ended was retired by somebody.
func unitState(u tsa.UnitStatus, now time.Time) string {
	if u.State == tsa.UnitExpired && now.Before(u.To) {
		return "retired"
	}
	return string(u.State)
}

// clockState is what is shown of the clock. One that nobody vouches for has no
// state worth showing: the page says so on top.
func clockState(p front.Publication) string {
	if !p.Clock.Verified {
		return ""
	}
	return string(p.Clock.State)
}

// shortTime writes an accuracy, which has whole milliseconds and is a second at
// most.
func shortTime(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + " s"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
}

// hashNames lists digest algorithms as people write them.
func hashNames(hashes []crypto.Hash) string {
	if len(hashes) == 0 {
		hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} // see tsa.Policy
	}
	names := make([]string, 0, len(hashes))
	for _, h := range hashes {
		names = append(names, h.String())
	}
	return strings.Join(names, ", ")
}

func (s *Server) unitCertificate(c *fiber.Ctx) error {
	file, err := url.PathUnescape(c.Params("file"))
	name, ok := strings.CutSuffix(file, ".crt")
	if err != nil || !ok {
		return fiber.ErrNotFound
	}
	for _, unit := range s.cfg.Stamps.Publication(c.UserContext()).Units {
		if unit.Name == name && len(unit.Certificate) > 0 {
			public(c)
			return cached(c, unit.Certificate, mediaCertificate, time.Hour)
		}
	}
	return fiber.ErrNotFound
}

// stampCertificates gives all that a verifier needs in one file: the
// certificates of the units, old ones too, and of their issuers.
func (s *Server) stampCertificates(c *fiber.Ctx) error {
	var out bytes.Buffer
	seen := map[string]bool{}
	write := func(der []byte) {
		if len(der) > 0 && !seen[string(der)] {
			seen[string(der)] = true
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a buffer does not fail
		}
	}
	units := s.cfg.Stamps.Publication(c.UserContext()).Units
	for _, unit := range units {
		write(unit.Certificate)
	}
	for _, unit := range units {
		for _, issuer := range unit.Chain {
			write(issuer)
		}
	}
	if out.Len() == 0 {
		return fiber.ErrNotFound
	}
	public(c)
	return cached(c, out.Bytes(), "application/x-pem-file", 5*time.Minute)
}
