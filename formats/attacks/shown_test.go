package attacks

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"sigillo/formats/c14n"
)

func sum(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

var errNothing = errors.New("there is no content")

// cmsContent is the eContent of a message, read by hand.
func cmsContent(file []byte) (string, error) {
	root := parseDER(file)
	if root == nil {
		return "", errors.New("no ASN.1")
	}
	e := root.at(1, 0, 2, 1, 0)
	if e == nil {
		return "", errNothing
	}
	return string(e.octets()), nil
}

// cmsSpans names the parts of a message or of the token in a response.
func cmsSpans(file []byte) (out []span) {
	root := parseDER(file)
	if root == nil {
		return nil
	}
	if len(root.kids) > 1 && len(root.kids[1].kids) == 2 && root.kids[0].tag() == 0x30 { // a response
		root = root.kids[1]
	}
	sd := root.at(1, 0)
	if sd == nil {
		return nil
	}
	name := func(n *tlv, s string) { out = append(out, span{n.start, n.end, s}) }
	for i, k := range sd.kids {
		switch {
		case i == 0:
			name(k, "version")
		case i == 1:
			name(k, "digest algorithms")
		case i == 2:
			name(k, "content")
		case k.tag() == 0xa0:
			name(k, "certificates")
		case k.tag() == 0xa1:
			name(k, "crls")
		case k.tag() == 0x31 && i > 2:
			name(k, "signers")
			for _, si := range k.kids {
				nameSigner(si, "signer", name)
			}
		}
	}
	return out
}

func nameSigner(si *tlv, prefix string, name func(*tlv, string)) {
	name(si, prefix)
	for i, k := range si.kids {
		switch k.tag() {
		case 0x02, 0x30:
			name(k, prefix+" "+[]string{"version", "identifier", "digest algorithm", "3", "signature algorithm", "5", "6"}[min(i, 6)])
		case 0x04:
			name(k, prefix+" value")
		case 0xa0:
			name(k, prefix+" signed")
		case 0xa1:
			name(k, prefix+" unsigned")
			for _, a := range k.kids {
				if len(a.kids) == 2 && len(a.kids[1].kids) > 0 {
					nameAttribute(a, prefix, name)
				}
			}
		}
	}
}

func nameAttribute(a *tlv, prefix string, name func(*tlv, string)) {
	kind := map[string]string{
		"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x0e": "stamp", "\x04\x00\x8d\x45\x02\x04": "archive",
		"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x06": "counter",
	}[string(a.kids[0].octets())]
	name(a, prefix+" "+kind)
	v := a.kids[1].kids[0]
	switch sd := v.at(1, 0); {
	case kind == "counter":
		nameSigner(v, prefix+" counter", name)
	case sd != nil && len(sd.kids) > 3:
		if sd.kids[3].tag() == 0xa0 {
			name(sd.kids[3], prefix+" "+kind+" certificates")
		}
		for _, si := range sd.kids[len(sd.kids)-1].kids {
			nameSigner(si, prefix+" "+kind+" signer", name)
		}
	}
}

const dsNamespace = "http://www.w3.org/2000/09/xmldsig#"

// xmlContent is a document without signatures, and the objects of those, as the
// standard library's parser sees it.
func xmlContent(file []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(file))
	var out strings.Builder
	var stack []xml.Name
	enveloping := false
	depthOf := func(local string) int {
		return slices.IndexFunc(stack, func(n xml.Name) bool { return n.Local == local && n.Space == dsNamespace })
	}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return out.String(), nil
		}
		if err != nil {
			return "", err
		}
		if s, ok := tok.(xml.StartElement); ok {
			stack = append(stack, s.Name)
			enveloping = enveloping || len(stack) == 1 && s.Name.Local == "Signature"
		}
		object, properties := depthOf("Object") >= 0, slices.ContainsFunc(stack, func(n xml.Name) bool { return n.Local == "QualifyingProperties" })
		if depthOf("Signature") < 0 || enveloping && (object && !properties && stack[len(stack)-1].Local != "Object" || object && !properties && isText(tok)) {
			write(&out, tok, len(stack))
		}
		if _, ok := tok.(xml.EndElement); ok {
			stack = stack[:len(stack)-1]
		}
	}
}

func isText(tok xml.Token) bool { _, ok := tok.(xml.CharData); return ok }

func write(out *strings.Builder, tok xml.Token, depth int) {
	switch x := tok.(type) {
	case xml.StartElement:
		attrs := slices.DeleteFunc(slices.Clone(x.Attr), func(a xml.Attr) bool { return a.Name.Space == "xmlns" || a.Name.Local == "xmlns" })
		slices.SortFunc(attrs, func(a, b xml.Attr) int {
			return strings.Compare(a.Name.Space+" "+a.Name.Local, b.Name.Space+" "+b.Name.Local)
		})
		fmt.Fprintf(out, "<%v %q>", x.Name, attrs)
	case xml.EndElement:
		fmt.Fprintf(out, "</%v>", x.Name)
	case xml.CharData:
		if depth > 0 { // white space around the document element is no part of the document
			out.WriteString(strings.Join(strings.Fields(string(x)), ""))
		}
	}
}

// xmlSpans names each element by the way to it from the document element.
func xmlSpans(file []byte) (out []span) {
	tree, err := c14n.Parse(file)
	if err != nil {
		return nil
	}
	names := map[*c14n.Node]string{}
	tree.Root.Walk(func(n *c14n.Node) bool {
		if n.Kind == c14n.ElementNode {
			names[n] = strings.TrimPrefix(names[n.Parent]+"/"+n.Local, "/")
			out = append(out, span{n.Start, n.End, names[n]})
		}
		return true
	})
	return out
}

// jsonContent is every payload that any reader could find.
func jsonContent(file []byte) (string, error) {
	if parts := strings.Split(string(file), "."); len(parts) == 3 && !bytes.HasPrefix(file, []byte("{")) {
		b, err := base64.RawURLEncoding.DecodeString(parts[1])
		return string(b), err
	}
	d := json.NewDecoder(bytes.NewReader(file))
	if _, err := d.Token(); err != nil {
		return "", err
	}
	found := ""
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return "", err
		}
		var v string
		_ = json.Unmarshal(raw, &v)
		if k, _ := key.(string); strings.EqualFold(k, "payload") {
			b, err := base64.RawURLEncoding.DecodeString(v)
			if err != nil {
				return "", err
			}
			found += string(b)
		}
	}
	return found, nil
}

// zipContent is all documents of a container, as the standard library unpacks it.
func zipContent(file []byte) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return "", err
	}
	var out []string
	for _, f := range z.File {
		if strings.HasPrefix(f.Name, "META-INF/") || f.Name == "mimetype" || strings.HasSuffix(f.Name, "/") && f.UncompressedSize64 == 0 {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return "", err
		}
		out = append(out, fmt.Sprintf("%q %q\n", f.Name, b))
	}
	slices.Sort(out)
	return strings.Join(out, ""), nil
}

var firstWord = regexp.MustCompile(`(?m)^"([^"\\]|\\.)*" `)

// zipUnnamed is zipContent without names: an ASiC-S with CAdES or a time-stamp is
// over the octets of its document and not over what it is called (EN 319 162-1 §4.3).
func zipUnnamed(file []byte) (string, error) {
	s, err := zipContent(file)
	return firstWord.ReplaceAllString(s, ""), err
}
