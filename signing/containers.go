package signing

import (
	"crypto"
	"io"

	"sigillo/formats/asic"
	"sigillo/formats/cms"
)

// inContainer is a signature in a container with its document (EN 319 162-1).
type inContainer struct{ *asic.Prepared }

// Assemble writes the container.
func (c *inContainer) Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error {
	var docs []asic.Document
	for _, d := range c.Documents { // one
		docs = append(docs, asic.Document{Name: d.Name, Reader: doc, Size: size})
	}
	return c.Prepared.Assemble(w, docs, signature, token)
}

// pdfMessage is the CMS message of a signature in a PDF that stays elsewhere (EN 319
// 142-1 §4.1): the client has laid out the document with the room for it, and gave the
// digest of all the rest. The time of signing is the client's to say, in the dictionary.
type pdfMessage struct {
	CMS *cms.Prepared `json:"cms"`
}

// DTBSR gives the digest to be signed.
func (p *pdfMessage) DTBSR() []byte { return p.CMS.DTBSR() }

// StampDigest gives the imprint of the signature time-stamp.
func (p *pdfMessage) StampDigest(signature []byte, h crypto.Hash) ([]byte, error) {
	return p.CMS.StampDigest(signature, h)
}

// Assemble writes the message.
func (p *pdfMessage) Assemble(w io.Writer, _ io.ReaderAt, _ int64, signature, token []byte) error {
	message, err := p.CMS.Assemble(signature, token)
	if err == nil {
		_, err = w.Write(message)
	}
	return err
}

func init() {
	container := func(typ asic.Type, inner asic.Form, extension, media string) form {
		return form{
			fits: func(format string) bool { return format != digestOnly },
			prepare: func(doc io.ReaderAt, size int64, s signer) (prepared, error) {
				docs := []asic.Document{{Name: s.name, MediaType: s.mediaType, Reader: doc, Size: size}}
				p, err := asic.Prepare(docs, asic.Options{Certificate: s.certificate, Chain: s.chain, Hash: s.hash, SigningTime: s.time,
					Timestamp: s.tokenSize, Type: typ, Form: inner})
				return &inContainer{p}, err
			},
			load: load[inContainer], name: func(n string) string { return n + extension }, media: media,
		}
	}
	const simple, extended = "application/vnd.etsi.asic-s+zip", "application/vnd.etsi.asic-e+zip"
	forms[ASiCSCAdES], forms[ASiCSXAdES] = container(asic.Simple, asic.CAdES, ".asics", simple), container(asic.Simple, asic.XAdES, ".asics", simple)
	forms[ASiCECAdES], forms[ASiCEXAdES] = container(asic.Extended, asic.CAdES, ".asice", extended), container(asic.Extended, asic.XAdES, ".asice", extended)
	forms[PAdESDigest] = form{
		fits: func(format string) bool { return format == digestOnly },
		prepare: func(_ io.ReaderAt, _ int64, s signer) (prepared, error) {
			p, err := cms.Prepare(s.digest, cms.SignerOptions{Certificate: s.certificate, Chain: s.chain, Hash: crypto.SHA256})
			return &pdfMessage{p}, err
		},
		load: load[pdfMessage], name: func(n string) string { return n + ".p7s" }, media: "application/pkcs7-signature", beside: true,
	}
}
