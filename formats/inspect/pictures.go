package inspect

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The pictures in a package are judged by what they are, whatever they are
// called. Of those made of pixels only movement counts: bytes too many or a
// strange header, which are refused in a file of its own, are common in honest
// documents and change nothing that is shown. An SVG drawing is a document with
// scripts, animations and pictures from elsewhere, and judged like one.

// packed is one part of a package that may be a picture.
type packed struct {
	*report
	file  *zip.File
	drawn bool // it is shown, unlike the thumbnail of the document
}

func newPacked(r *report, f *zip.File) packed {
	lower := strings.ToLower(f.Name)
	return packed{r, f, !strings.HasPrefix(lower, "thumbnails/") && !strings.HasPrefix(lower, "docprops/thumbnail")}
}

// picture judges a part that is a picture by its first bytes. What it leaves
// unread of whole is for the caller to read to the end.
func (p packed) picture(head []byte, whole io.Reader, kind string) {
	r := bufio.NewReaderSize(whole, 32<<10)
	moving := ""
	switch text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), "\t\n\f\r "); {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")): // a compressed drawing, which some programs open
		p.add("zip.nested", p.file.Name, "gzip")
	case !p.drawn:
	case bytes.HasPrefix(head, []byte("GIF8")):
		g := &gifScan{r: r}
		if frames, _ := g.run(&scan{report: newReport()}); frames > 1 {
			moving = fmt.Sprintf("%d frames", frames)
		}
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		var gamma uint32
		if moving, gamma = oddPNG(r); gamma != 0 {
			p.add("image.gamma", p.file.Name, fmt.Sprint("gAMA ", gamma))
		}
	case bytes.HasPrefix(head, []byte("RIFF")) && len(head) >= 12 && string(head[8:12]) == "WEBP":
		moving = movingWebP(r)
	case bytes.HasPrefix(text, []byte("<")), bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")),
		strings.Contains(kind, "svg"):
		p.svg(r, strings.Contains(kind, "svg") || strings.HasSuffix(strings.ToLower(p.file.Name), ".svg"))
	}
	if moving != "" {
		p.add("image.animated", p.file.Name, moving)
	}
}

// svg judges a part whose root element is that of a drawing; or that is called
// one, by the name or type of its part.
func (p packed) svg(r io.Reader, called bool) {
	if p.file.UncompressedSize64 > maxMarkup {
		if called {
			p.add("size", p.file.Name, "")
		}
		return
	}
	s := &scan{report: newReport(), packed: true}
	if root := s.xmlFrom(r, "svg"); !called && !isSVG(root) {
		return
	}
	for _, f := range s.Findings {
		// What is only unusual or hidden shows the same to everybody.
		if f.Severity == Refuse && f.Rule != "html.malformed" {
			p.add(f.Rule, p.file.Name+" "+f.Where, f.Quote)
		}
	}
}

func isSVG(root xml.Name) bool {
	return root.Local == "svg" && (root.Space == nsSVG || root.Space == "")
}

// drawing judges a part again that turned out to be a drawing though its type
// says no more than that it is XML.
func (p packed) drawing(a *zipArchive) error {
	rc, err := a.open(p.file)
	if err != nil {
		return err
	}
	defer rc.Close()
	p.svg(rc, true)
	_, err = io.Copy(io.Discard, rc)
	return err
}

// oddPNG looks for the chunk that makes a PNG an animation (ISO/IEC 15948
// §11.3.2.1), and for a correction of brightness that gives it two faces; "" and 0
// if there is none.
func oddPNG(r *bufio.Reader) (moving string, gamma uint32) {
	if _, err := r.Discard(8); err != nil {
		return "", 0
	}
	var head [8]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil || string(head[4:]) == "IEND" {
			return moving, gamma
		}
		switch string(head[4:]) {
		case "acTL":
			moving = "APNG"
		case "gAMA":
			if value, err := r.Peek(4); err == nil && oddGamma(binary.BigEndian.Uint32(value)) {
				gamma = max(binary.BigEndian.Uint32(value), 1)
			}
		}
		if _, err := io.CopyN(io.Discard, r, int64(binary.BigEndian.Uint32(head[:]))+4); err != nil {
			return moving, gamma
		}
	}
}

// movingWebP looks for the chunks of an animation (RFC 9649 §2.7.1.1).
func movingWebP(r *bufio.Reader) string {
	if _, err := r.Discard(12); err != nil {
		return ""
	}
	var head [8]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return ""
		}
		if kind := string(head[:4]); kind == "ANIM" || kind == "ANMF" {
			return kind
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
			return ""
		}
	}
}
