package web

import (
	"crypto/x509"

	"github.com/gofiber/fiber/v2"

	"sigillo/web/csc"
)

// CSC is the face to signing applications. *csc.Server satisfies it.
type CSC interface {
	Mount(r fiber.Router, h csc.House)
}

// applicationHouse is what this server does for the face to signing applications.
type applicationHouse struct{ s *Server }

func (h applicationHouse) Client(c *fiber.Ctx) (address string, certificate *x509.Certificate) {
	return house(h).Client(c)
}

func (h applicationHouse) Attempt(c *fiber.Ctx) (func(), error) { return house(h).Attempt(c) }

// Body reads a small body; what fasthttp prefetched of it, which may hold a password,
// is overwritten. Its errors know their HTTP status.
func (h applicationHouse) Body(c *fiber.Ctx, limit int64) ([]byte, error) {
	b := current(c).body
	data, err := b.all(limit)
	if err != nil {
		return nil, h.s.problem(current(c).locale, err)
	}
	b.wipePrefetched(c)
	return data, nil
}
