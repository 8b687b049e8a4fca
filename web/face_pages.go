package web

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sigillo/formats/inspect"
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

// Kinds are findings as the holder reads them: those of one rule together, since
// they say the same of several places, and what refuses the document first.
func (v view) Kinds(findings []inspect.Finding) [][]inspect.Finding {
	var out [][]inspect.Finding
	for _, f := range findings {
		i := slices.IndexFunc(out, func(k []inspect.Finding) bool { return k[0].Rule == f.Rule && k[0].Severity == f.Severity })
		if i < 0 {
			i, out = len(out), append(out, nil)
		}
		out[i] = append(out[i], f)
	}
	slices.SortStableFunc(out, func(a, b []inspect.Finding) int { return gravity[b[0].Severity] - gravity[a[0].Severity] })
	return out
}

var gravity = map[inspect.Verdict]int{inspect.Confirm: 1, inspect.Refuse: 2}

// shown is a document with what the templates ask about its pages.
type shown struct{ signing.Document }

// Shown is the document of the page.
func (d documentData) Shown() shown { return shown{d.Document} }

// Pictures are the numbers of the two pictures of a difference.
func (shown) Pictures() []int { return []int{1, 2} }

// Converted: LibreOffice laid the pages out, which other programs may do in
// another way.
func (d shown) Converted() bool { return strings.HasPrefix(d.Renderer, "LibreOffice") }
