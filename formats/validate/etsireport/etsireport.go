// Package etsireport writes a validation report in the XML of ETSI TS 119 102-2
// V1.4.1, the form in which validation services give their results to machines
// and archives.
//
// It says for every signature what [validate.Report] says: how it is identified,
// when it was validated and since when it is proven to exist, what the signer
// said under it, the result with its sub-indication, the path of certificates and
// the revocation information relied upon. All of these are validation objects,
// each once with its octets and the proof of its existence; time-stamps carry a
// report of their own. The report is not signed.
//
// The namespace is that of the schema of V1.4.1 or, with [Options], the one of
// V1.2.1 to V1.3.1, which older readers want; the elements used are the same.
package etsireport

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/validate"
)

// The namespaces of the schema.
const (
	V121 = "http://uri.etsi.org/19102/v1.2.1#" // of TS 119 102-2 V1.2.1 to V1.3.1
	V141 = "http://uri.etsi.org/19102/v1.4.1#" // of TS 119 102-2 V1.4.1
)

const (
	dsNamespace    = "http://www.w3.org/2000/09/xmldsig#"
	xadesNamespace = "http://uri.etsi.org/01903/v1.3.2#"
	sha256URI      = "http://www.w3.org/2001/04/xmlenc#sha256"
)

// Options say how to write. The zero value is the usual report.
type Options struct {
	Namespace string // V141 when empty
	// Document is the SHA-256 of the file that was validated; nil: not told.
	Document []byte
}

// Write writes the report. A report without signatures cannot be written, since
// the schema asks for one; that is an error.
func Write(w io.Writer, r validate.Report, o Options) error {
	if len(r.Signatures) == 0 {
		return fmt.Errorf("etsireport: the file has no signature to report on")
	}
	if o.Namespace == "" {
		o.Namespace = V141
	}
	b := &builder{report: r, o: o}
	doc := b.document()
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := doc.write(e); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// node is an element. Names are written with their prefixes, which the root
// declares.
type node struct {
	name     string
	attr     []xml.Attr
	text     string
	children []*node
}

func el(name string, children ...*node) *node { return &node{name: name, children: children} }

func text(name, value string) *node { return &node{name: name, text: clean(value)} }

func (n *node) with(name, value string) *node {
	n.attr = append(n.attr, xml.Attr{Name: xml.Name{Local: name}, Value: value})
	return n
}

func (n *node) add(children ...*node) *node {
	for _, c := range children {
		if c != nil {
			n.children = append(n.children, c)
		}
	}
	return n
}

func (n *node) write(e *xml.Encoder) error {
	start := xml.StartElement{Name: xml.Name{Local: n.name}, Attr: n.attr}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if n.text != "" {
		if err := e.EncodeToken(xml.CharData(n.text)); err != nil {
			return err
		}
	}
	for _, c := range n.children {
		if c == nil {
			continue
		}
		if err := c.write(e); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

// clean takes out what XML cannot hold.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c < 0xd800 || c >= 0xe000 && c != 0xfffe && c != 0xffff {
			return c
		}
		return '?'
	}, s)
}

func instant(name string, t time.Time) *node {
	return text(name, t.UTC().Truncate(time.Second).Format(time.RFC3339))
}

func encoded(name string, b []byte) *node { return text(name, base64.StdEncoding.EncodeToString(b)) }

func digest(b []byte) *node {
	return el("DigestAlgAndValue", el("ds:DigestMethod").with("Algorithm", sha256URI), encoded("ds:DigestValue", b))
}

// reference refers to validation objects.
func reference(name string, ids ...string) *node {
	return el(name).with("VOReference", strings.Join(ids, " "))
}

var mainIndications = map[validate.Indication]string{
	validate.TotalPassed: "total-passed", validate.TotalFailed: "total-failed", validate.Indeterminate: "indeterminate",
}

// status is a ValidationStatus; part is for a time-stamp, whose indications have
// other names (TS 119 102-2 §4.2.4).
func status(name string, i validate.Indication, sub validate.SubIndication, part bool, data *node) *node {
	main := mainIndications[i]
	if part {
		main = strings.TrimPrefix(main, "total-")
	}
	n := el(name, text("MainIndication", "urn:etsi:019102:mainindication:"+main))
	if sub != "" {
		n.add(text("SubIndication", "urn:etsi:019102:subindication:"+string(sub)))
	}
	return n.add(data)
}

// poe is a proof of existence; by is the time-stamp behind it, if known.
func poe(name string, at time.Time) *node {
	return el(name, instant("POETime", at), text("TypeOfProof", "urn:etsi:019102:poetype:validation"))
}

// processes are the validation processes by what the signature has.
func process(level string) string {
	switch {
	case ades.Level(level) == ades.BLTA:
		return "urn:etsi:019102:validationprocess:LTA"
	case ades.Level(level).AtLeast(ades.BT):
		return "urn:etsi:019102:validationprocess:LTVM"
	}
	return "urn:etsi:019102:validationprocess:Basic"
}

func sum(b []byte) []byte {
	d := sha256.Sum256(b)
	return d[:]
}
