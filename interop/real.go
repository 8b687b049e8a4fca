package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigillo/formats/ades"
	"sigillo/formats/pades"
	"sigillo/formats/pdf/appearance"
)

// sources are what the producers are given.
//
//go:embed pdfs
var sources embed.FS

// found is a PDF that some program made.
type found struct {
	name, path, password string
}

// realWorld signs PDFs that many programs made: each one visibly, and some of
// them up to B-LTA.
func (r *run) realWorld(ctx context.Context) error {
	dir := filepath.Join(r.dir, "found")
	src, err := r.writeSources(ctx, dir)
	if err != nil {
		return err
	}
	pdfs := r.produce(ctx, dir, src)
	c := &craft{r.pki, r.services}
	var samples []sample
	for i, f := range pdfs {
		levels := []ades.Level{ades.BT}
		if i%3 == 0 || f.archive() {
			levels = append(levels, ades.BLTA)
		}
		for _, l := range levels {
			s, err := f.sign(c, l, dir)
			if err != nil {
				r.matrix.broken(s.kind, "sigillo", fmt.Errorf("could not be signed: %w", err))
				continue
			}
			samples = append(samples, s)
		}
	}
	fmt.Printf("%d PDFs made by other programs were signed\n", len(pdfs))
	if len(pdfs) == 0 {
		return errors.New("no program made a PDF")
	}
	return r.judge(ctx, samples)
}

// sign signs visibly at B-T; at the other levels invisibly, to have both.
func (f found) sign(c *craft, l ades.Level, dir string) (sample, error) {
	s := sample{kind: f.name + " " + string(l), form: padesForm, levels: baseline(padesForm, l), document: f.path, password: f.password, archive: f.archive(),
		path: filepath.Join(dir, f.name+"-"+string(l)+".signed.pdf")}
	doc, err := os.ReadFile(f.path)
	if err != nil {
		return s, err
	}
	signed, err := makePades(func(o *pades.Options) {
		if f.password != "" {
			o.Password = []byte(f.password)
		}
		if l == ades.BT {
			o.Appearance, o.Page, o.Rect = f.appearance(), 1, [4]float64{10, 10, 160, 70}
		}
	})(c, doc, c.pki.signers["p256"], l)
	if err != nil {
		return s, err
	}
	if !bytes.HasPrefix(signed, doc) {
		return s, errors.New("the signed file does not begin with the document")
	}
	return s, os.WriteFile(s.path, signed, 0o600)
}

// appearance is text with an image; PDF/A-1 has no transparency (ISO 19005-1 §6.4).
func (f found) appearance() *appearance.Appearance {
	a := &appearance.Appearance{Text: seen, Image: picture()}
	if strings.Contains(f.name, "pdfa-1") {
		a.Image = nil
	}
	return a
}

// archive reports whether the file says that it is PDF/A.
func (f found) archive() bool { return strings.Contains(f.name, "pdfa") }

// produce has all producers make their files. A program that is not there, or
// makes nothing, is named.
func (r *run) produce(ctx context.Context, dir, src string) []found {
	var pdfs []found
	for _, p := range producers {
		path, err := p.produce(ctx, dir, src)
		if err != nil {
			fmt.Printf("  MISSING  %s: %v\n", p.name, err)
			continue
		}
		pdfs = append(pdfs, found{p.name, path, p.password})
	}
	return append(pdfs, r.producedByPython(ctx, dir, src)...)
}

// producedByPython runs the libraries of Python.
func (r *run) producedByPython(ctx context.Context, dir, src string) []found {
	if r.python == "" {
		fmt.Println("  MISSING  the PDF libraries of Python")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, produceTime)
	defer cancel()
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, r.python, filepath.Join(src, "make.py"), dir, src)
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		fmt.Printf("  MISSING  the PDF libraries of Python: %v: %s\n", err, oneLine(log.String()))
	}
	var pdfs []found
	for line := range strings.Lines(string(out)) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		name := strings.TrimSuffix(filepath.Base(col[0]), ".pdf")
		if len(col) > 2 {
			fmt.Printf("  MISSING  %s: %s\n", name, col[2])
			continue
		}
		pdfs = append(pdfs, found{name: name, path: col[0]})
	}
	return pdfs
}

// writeSources puts what the producers need into a folder.
func (r *run) writeSources(ctx context.Context, dir string) (string, error) {
	src := filepath.Join(dir, "sources")
	if err := os.MkdirAll(src, 0o700); err != nil {
		return "", err
	}
	entries, err := sources.ReadDir("pdfs")
	if err != nil {
		return "", err
	}
	files := map[string][]byte{"picture.png": picture()}
	for _, e := range entries {
		if files[e.Name()], err = sources.ReadFile("pdfs/" + e.Name()); err != nil {
			return "", err
		}
	}
	for name, document := range map[string]string{"letter.docx": "lettera.docx", "letter.pdf": "contratto.pdf"} {
		if files[name], err = os.ReadFile(r.document(document)); err != nil {
			return "", err
		}
	}
	if files["scan.jpg"], err = scan(); err != nil {
		return "", err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(src, name), data, 0o600); err != nil {
			return "", err
		}
	}
	if _, err := tool(ctx, "ps2pdf", filepath.Join(src, "page.ps"), filepath.Join(src, "plain.pdf")); err != nil {
		fmt.Println("  MISSING  ghostscript:", err)
	}
	return src, nil
}

// scan is a picture as a scanner makes it.
func scan() ([]byte, error) {
	m := image.NewGray(image.Rect(0, 0, 300, 420))
	for y := range 420 {
		for x := range 300 {
			m.SetGray(x, y, color.Gray{uint8(255 - (x*y/50)%40)})
		}
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, nil)
	return b.Bytes(), err
}
