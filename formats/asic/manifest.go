package asic

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // the digests of manifests
	_ "crypto/sha512"
	"encoding/base64"
	"strings"

	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// Namespaces of the manifests.
const (
	asicNamespace = "http://uri.etsi.org/02918/v1.2.1#"
	dsNamespace   = "http://www.w3.org/2000/09/xmldsig#"
	odfNamespace  = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
)

// maxReferences bounds what one manifest may name.
const maxReferences = maxEntries

// digestURIs names the digests of XMLDSig §6.2 and RFC 9231 §2.1. SHA-1 is compared
// and called weak.
var digestURIs = map[crypto.Hash]string{
	crypto.SHA1:   dsNamespace + "sha1",
	crypto.SHA256: "http://www.w3.org/2001/04/xmlenc#sha256",
	crypto.SHA384: "http://www.w3.org/2001/04/xmldsig-more#sha384",
	crypto.SHA512: "http://www.w3.org/2001/04/xmlenc#sha512",
}

// reference is a DataObjectReference of a manifest.
type reference struct {
	name, mediaType string
	root            bool
	hash            crypto.Hash // 0 if it is not supported
	digest          []byte
}

// manifest is an ASiCManifest (EN 319 162-1 Annex A.4).
type manifest struct {
	file       string // where it stands
	signature  string // the file of SigReference
	references []reference
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;").Replace

// write gives the XML of the manifest. mediaType is that of what it is signed by.
func (m *manifest) write(mediaType string) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<asic:ASiCManifest xmlns:asic="` + asicNamespace + `" xmlns:ds="` + dsNamespace + `">` +
		`<asic:SigReference URI="` + escape(toURI(m.signature)) + `" MimeType="` + mediaType + `"/>`)
	for _, r := range m.references {
		b.WriteString(`<asic:DataObjectReference URI="` + escape(toURI(r.name)) + `"`)
		if r.mediaType != "" {
			b.WriteString(` MimeType="` + escape(r.mediaType) + `"`)
		}
		if r.root {
			b.WriteString(` Rootfile="true"`)
		}
		b.WriteString(`><ds:DigestMethod Algorithm="` + digestURIs[r.hash] + `"/><ds:DigestValue>` +
			base64.StdEncoding.EncodeToString(r.digest) + `</ds:DigestValue></asic:DataObjectReference>`)
	}
	b.WriteString(`</asic:ASiCManifest>`)
	return b.Bytes()
}

// readManifest reads an ASiCManifest strictly: one SigReference first, then
// DataObjectReferences, each of another file and none of the manifest itself or of
// what signs it.
func readManifest(file string, raw []byte) (*manifest, error) {
	doc, err := c14n.Parse(raw)
	if err != nil {
		return nil, fromXML(err, file)
	}
	if !doc.Root.Is(asicNamespace, "ASiCManifest") {
		return nil, fail(cms.Malformed, "%s is not an ASiCManifest", file)
	}
	m := &manifest{file: file}
	seen := map[string]bool{}
	for i, n := range doc.Root.Elements() {
		switch {
		case i == 0 && n.Is(asicNamespace, "SigReference"):
			uri, _ := n.Attr("", "URI")
			m.signature = fromURI(uri)
		case i > 0 && n.Is(asicNamespace, "DataObjectReference"):
			r, err := readReference(file, n)
			if err != nil {
				return nil, err
			}
			if seen[r.name] || r.name == file || r.name == m.signature {
				return nil, fail(cms.Malformed, "%s names %q twice, or names itself or what signs it", file, r.name)
			}
			seen[r.name] = true
			m.references = append(m.references, r)
		case i > 0 && n.Is(asicNamespace, "ASiCManifestExtensions"):
			if err := noncritical(file, n); err != nil {
				return nil, err
			}
		default:
			return nil, fail(cms.Malformed, "%s has an unexpected part %q", file, n.Local)
		}
	}
	if m.signature == "" || len(m.references) == 0 || len(m.references) > maxReferences {
		return nil, fail(cms.Malformed, "%s does not name what signs it, or from one to %d files", file, maxReferences)
	}
	return m, nil
}

// noncritical refuses extensions that must be understood: none is known.
func noncritical(file string, n *c14n.Node) error {
	for _, x := range n.Elements() {
		if v, _ := x.Attr("", "Critical"); v != "false" && v != "0" {
			return fail(cms.Unsupported, "%s has a critical extension that is not known", file)
		}
	}
	return nil
}

func readReference(file string, n *c14n.Node) (reference, error) {
	uri, _ := n.Attr("", "URI")
	media, _ := n.Attr("", "MimeType")
	root, _ := n.Attr("", "Rootfile")
	r := reference{name: fromURI(strings.TrimPrefix(uri, "./")), mediaType: media, root: root == "true" || root == "1"}
	parts := n.Elements()
	if len(parts) == 3 && parts[2].Is(asicNamespace, "DataObjectReferenceExtensions") {
		if err := noncritical(file, parts[2]); err != nil {
			return r, err
		}
		parts = parts[:2]
	}
	if r.name == "" || len(parts) != 2 || !parts[0].Is(dsNamespace, "DigestMethod") || !parts[1].Is(dsNamespace, "DigestValue") {
		return r, fail(cms.Malformed, "a reference of %s lacks its name, its digest or the digest's algorithm", file)
	}
	algorithm, _ := parts[0].Attr("", "Algorithm")
	for h, u := range digestURIs {
		if u == algorithm {
			r.hash = h
		}
	}
	text, ok := parts[1].Text()
	digest, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || !ok {
		return r, fail(cms.Malformed, "a digest of %s is not base64", file)
	}
	r.digest = digest
	return r, nil
}

// odf gives META-INF/manifest.xml: the list of the documents as OpenDocument has
// it, which programs of several countries expect beside XAdES signatures.
func odf(mediaType string, docs []Document) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<manifest:manifest xmlns:manifest="` + odfNamespace + `" manifest:version="1.2">` +
		`<manifest:file-entry manifest:full-path="/" manifest:media-type="` + escape(mediaType) + `"/>`)
	for _, d := range docs {
		b.WriteString(`<manifest:file-entry manifest:full-path="` + escape(d.Name) + `" manifest:media-type="` + escape(d.mediaType()) + `"/>`)
	}
	b.WriteString(`</manifest:manifest>`)
	return b.Bytes()
}

// mediaTypes reads META-INF/manifest.xml: the media types of the documents. A file
// that cannot be read tells none.
func mediaTypes(raw []byte) map[string]string {
	out := map[string]string{}
	doc, err := c14n.Parse(raw)
	if err != nil || !doc.Root.Is(odfNamespace, "manifest") {
		return out
	}
	for _, n := range doc.Root.Elements() {
		path, _ := n.Attr(odfNamespace, "full-path")
		media, _ := n.Attr(odfNamespace, "media-type")
		if n.Is(odfNamespace, "file-entry") && !strings.HasSuffix(path, "/") {
			out[path] = media
		}
	}
	return out
}
