package web

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
)

// pageImage serves one page as an image. It is as private as the document.
func (s *Server) pageImage(c *fiber.Ctx) error { return s.picture(c, s.cfg.Signing.Page) }

// difference serves one of two pictures of a page that two programs show
// differently.
func (s *Server) difference(c *fiber.Ctx) error { return s.picture(c, s.cfg.Signing.Difference) }

func (s *Server) picture(c *fiber.Ctx, get func(ctx context.Context, holder, id string, n int) ([]byte, error)) error {
	n, err := pageNumber(c)
	if err != nil {
		return err
	}
	png, err := get(c.UserContext(), current(c).holder.ID, c.Params("id"), n)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "image/png")
	return c.Send(png)
}

// pageText serves the words of one page as plain text, which no browser takes
// for anything else (X-Content-Type-Options).
func (s *Server) pageText(c *fiber.Ctx) error {
	n, err := pageNumber(c)
	if err != nil {
		return err
	}
	text, err := s.cfg.Signing.PageText(c.UserContext(), current(c).holder.ID, c.Params("id"), n)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	return c.SendString(text)
}

func pageNumber(c *fiber.Ctx) (int, error) {
	n, err := strconv.Atoi(c.Params("n"))
	if err != nil || n < 1 {
		return 0, fail(Kind(signing.NotFound), "pages are counted from 1", nil)
	}
	return n, nil
}

// convert makes a PDF/A of a refused document and goes on to its page.
func (s *Server) convert(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	defer s.within(c, convertTimeout)()
	made, err := s.cfg.Signing.Convert(c.UserContext(), current(c).holder.ID, c.Params("id"))
	if err == nil {
		return c.Redirect("/documents/"+pathSegment(made.ID), fiber.StatusSeeOther)
	}
	o, orderErr := s.orderFor(c, []string{c.Params("id")})
	if orderErr != nil {
		return err
	}
	return s.again(c, s.documentView(c, o), err)
}

// shown is a document with what the templates ask about its pages.
type shown struct{ signing.Document }

// Shown is the document of the page.
func (d documentData) Shown() shown { return shown{d.Document} }

// Pictures are the numbers of the two pictures of a difference.
func (shown) Pictures() []int { return []int{1, 2} }

// Converted: LibreOffice laid the pages out, which other programs may do in
// another way.
func (d shown) Converted() bool { return strings.HasPrefix(d.Renderer, "LibreOffice") }
