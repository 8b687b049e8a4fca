package signing

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigillo/formats/cades"
	"sigillo/formats/inspect"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
	"sigillo/formats/xades"
	"sigillo/store"
)

// prepared is what every signature form gives: data to be signed now, a
// signed file once the signature value is there.
type prepared interface {
	DTBSR() []byte
	StampDigest(signature []byte, h crypto.Hash) ([]byte, error)
	Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error
}

// signer is what goes into a signature besides the document.
type signer struct {
	certificate *x509.Certificate
	chain       []*x509.Certificate
	hash        crypto.Hash
	time        time.Time
	tokenSize   int // 0 for B-B
	mediaType   string
	name        string // of the document
	digest      []byte // of the document, SHA-256
	order       Order
}

// form is one row of the table below.
type form struct {
	fits    func(format string) bool                                      // documents it is offered for
	prepare func(doc io.ReaderAt, size int64, s signer) (prepared, error) // doc is nil if only its digest is known
	load    func(data []byte) (prepared, error)
	name    func(name string) string // file name of the result
	media   string                   // media type of the result
	beside  bool                     // the document is not in the result
}

var forms = map[Form]form{
	PAdES: {
		fits: func(format string) bool { return format == "pdf" },
		prepare: func(doc io.ReaderAt, size int64, s signer) (prepared, error) {
			return pades.Prepare(doc, size, pades.Options{Certificate: s.certificate, Chain: s.chain, Hash: s.hash,
				SigningTime: s.time, Timestamp: s.tokenSize, Reason: s.order.Reason, Location: s.order.Location,
				Name: s.certificate.Subject.CommonName})
		},
		load:  load[pades.Prepared],
		name:  func(n string) string { return strings.TrimSuffix(n, filepath.Ext(n)) + "-firmato.pdf" },
		media: "application/pdf",
	},
	CAdES: {
		fits: func(format string) bool { return format != digestOnly },
		prepare: func(doc io.ReaderAt, size int64, s signer) (prepared, error) {
			return cades.Prepare(doc, size, cades.Options{Certificate: s.certificate, Chain: s.chain, Hash: s.hash,
				SigningTime: s.time, Timestamp: s.tokenSize})
		},
		load:  load[cades.Prepared],
		name:  func(n string) string { return n + ".p7m" },
		media: "application/pkcs7-mime",
	},
	CAdESDetached: {
		fits: func(format string) bool { return format == digestOnly },
		prepare: func(_ io.ReaderAt, _ int64, s signer) (prepared, error) {
			return cades.PrepareDigest(s.digest, cades.Options{Certificate: s.certificate, Chain: s.chain, Hash: crypto.SHA256,
				SigningTime: s.time, Timestamp: s.tokenSize})
		},
		load:  load[cades.Prepared],
		name:  func(n string) string { return n + ".p7s" },
		media: "application/pkcs7-signature", beside: true,
	},
	XAdES: {
		fits: func(format string) bool { return format == "xml" },
		prepare: func(doc io.ReaderAt, size int64, s signer) (prepared, error) {
			return xades.Prepare(doc, size, xades.Options{Certificate: s.certificate, Chain: s.chain, Hash: s.hash,
				SigningTime: s.time, Timestamp: s.tokenSize, MediaType: s.mediaType})
		},
		load:  load[xades.Prepared],
		name:  func(n string) string { return strings.TrimSuffix(n, filepath.Ext(n)) + "-firmato.xml" },
		media: "application/xml",
	},
}

func init() {
	anything := func(format string) bool { return format != digestOnly }
	certified := forms[PAdES]
	certified.prepare = func(doc io.ReaderAt, size int64, s signer) (prepared, error) {
		return pades.Prepare(doc, size, pades.Options{Certificate: s.certificate, Chain: s.chain, Hash: s.hash,
			SigningTime: s.time, Timestamp: s.tokenSize, Reason: s.order.Reason, Location: s.order.Location,
			Name: s.certificate.Subject.CommonName, Certify: pades.FillForms})
	}
	forms[PAdESCertified] = certified
	forms[CAdESSeparate] = form{
		fits: anything,
		prepare: func(doc io.ReaderAt, size int64, s signer) (prepared, error) {
			return cades.Prepare(doc, size, cades.Options{Certificate: s.certificate, Chain: s.chain, Hash: s.hash,
				SigningTime: s.time, Timestamp: s.tokenSize, Detached: true})
		},
		load: load[cades.Prepared], name: func(n string) string { return n + ".p7s" },
		media: "application/pkcs7-signature", beside: true,
	}
	xml := func(packaging xades.Packaging, beside bool) form {
		return form{
			fits: anything,
			prepare: func(doc io.ReaderAt, size int64, s signer) (prepared, error) {
				return xades.Prepare(doc, size, xades.Options{Certificate: s.certificate, Chain: s.chain, Hash: s.hash,
					SigningTime: s.time, Timestamp: s.tokenSize, MediaType: s.mediaType, Packaging: packaging, Name: s.name})
			},
			load: load[xades.Prepared], name: func(n string) string { return n + ".xml" }, media: "application/xml", beside: beside,
		}
	}
	forms[XAdESEnveloping], forms[XAdESDetached] = xml(xades.Enveloping, false), xml(xades.Detached, true)
	json := func(packaging jades.Packaging, beside bool) form {
		return form{
			fits: anything,
			prepare: func(doc io.ReaderAt, size int64, s signer) (prepared, error) {
				return jades.Prepare(doc, size, jades.Options{Certificate: s.certificate, Chain: s.chain, Hash: s.hash, SigningTime: s.time,
					Timestamp: s.tokenSize, Serialization: jades.Flattened, MediaType: s.mediaType, Packaging: packaging, Name: s.name})
			},
			load: load[jades.Prepared], name: func(n string) string { return n + ".json" }, media: "application/jose+json", beside: beside,
		}
	}
	forms[JAdES], forms[JAdESDetached] = json(jades.Enveloping, false), json(jades.Detached, true)
}

// load brings back what Prepare stored, perhaps days ago.
func load[T any, P interface {
	*T
	prepared
}](data []byte) (prepared, error) {
	p := P(new(T))
	if err := json.Unmarshal(data, p); err != nil {
		return nil, err
	}
	return p, nil
}

// formsFor lists the forms a document can take, the natural one first.
func formsFor(d store.Document) []Form {
	out := []Form{}
	if d.Path == "" && d.Format != digestOnly || inspect.Verdict(d.Verdict) == inspect.Refuse {
		return out
	}
	for _, f := range []Form{PAdES, XAdES, CAdES, CAdESDetached} {
		if forms[f].fits(d.Format) {
			out = append(out, f)
		}
	}
	return slices.Clip(out)
}
