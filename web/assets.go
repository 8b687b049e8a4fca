package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// The pattern takes assets/static, which is always there, and assets/dist,
// which `npm ci` and build.sh make; without dist the pages do with their own
// style sheet. It leaves out node_modules and the scripts beside them.
//
//go:embed assets/[ds]*
var assetFiles embed.FS

// assets are the embedded files below one address that changes with their
// content, so that browsers may keep them for ever.
type assets struct {
	Base    string // "/assets/<hash>"
	HasDist bool   // Bootstrap Italia was built in
	files   map[string]asset
}

type asset struct {
	media     string
	plain, gz []byte // gz is nil where it brings nothing
}

// assetMedia is fixed here because the tables of package mime differ from one
// machine to the next.
var assetMedia = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2",
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "assets/")
		sum.Write([]byte(name))
		sum.Write(data)
		file := asset{media: assetMedia[path.Ext(name)], plain: data}
		if file.media == "" {
			file.media = fiber.MIMETextPlainCharsetUTF8 // licences
		}
		switch path.Ext(name) {
		case ".css", ".js", ".svg":
			if file.gz, err = compressed(data); err != nil {
				return err
			}
		}
		a.files[name] = file
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.Base = "/assets/" + hex.EncodeToString(sum.Sum(nil)[:8])
	_, a.HasDist = a.files["dist/css/bootstrap-italia.min.css"]
	return a, nil
}

func compressed(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(data) {
		return nil, nil
	}
	return b.Bytes(), nil
}

func (s *Server) routeAssets() {
	s.app.Get(s.assets.Base+"/*", func(c *fiber.Ctx) error {
		file, ok := s.assets.files[c.Params("*")]
		if !ok {
			return fiber.ErrNotFound
		}
		c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
		c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
		c.Set(fiber.HeaderContentType, file.media)
		if file.gz != nil && strings.Contains(c.Get(fiber.HeaderAcceptEncoding), "gzip") {
			c.Set(fiber.HeaderContentEncoding, "gzip")
			return c.Send(file.gz)
		}
		return c.Send(file.plain)
	})
	s.app.Get("/favicon.ico", func(c *fiber.Ctx) error {
		return c.Redirect(s.assets.Base+"/static/logo.svg", fiber.StatusFound)
	})
}
