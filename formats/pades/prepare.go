package pades

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"sigillo/formats/cms"
	"sigillo/formats/pdf"
)

// Options says who signs and what the signature dictionary tells.
type Options struct {
	// Certificate is the signer's; its key decides the algorithm.
	Certificate *x509.Certificate
	// Chain is put beside it in the message: the issuers, in any order.
	Chain []*x509.Certificate
	// Hash is the digest of the document and of the signed attributes.
	Hash crypto.Hash
	// PSS signs with RSASSA-PSS instead of PKCS#1 v1.5.
	PSS bool
	// SigningTime is the time that the signer claims, /M, to the second. It is mandatory (EN 319 142-1 §6.3).
	SigningTime time.Time
	// Timestamp is an upper bound in bytes of the time-stamp token that [Prepared.Assemble] will get; 0 means
	// that there will be none, level B-B.
	Timestamp int
	// Reason, Location and Name go into the dictionary as text strings; empty ones are left out.
	Reason, Location, Name string
}

// maxText bounds Reason, Location and Name, in bytes of UTF-8.
const maxText = 4096

// maxTimestamp bounds what may be reserved for a token.
const maxTimestamp = 1 << 20

func (o Options) check() error {
	if o.Certificate == nil {
		return failure(BadOptions, "a signature needs the signer's certificate")
	}
	if o.SigningTime.IsZero() || o.SigningTime.UTC().Year() < 1970 || o.SigningTime.UTC().Year() > 9999 {
		return failure(BadOptions, "a PAdES signature needs a signing time")
	}
	if o.Timestamp < 0 || o.Timestamp > maxTimestamp {
		return failure(BadOptions, "no time-stamp has %d bytes", o.Timestamp)
	}
	for _, s := range []string{o.Reason, o.Location, o.Name} {
		if len(s) > maxText || !utf8.ValidString(s) {
			return failure(BadOptions, "reason, location and name must be UTF-8 of at most %d bytes", maxText)
		}
	}
	return nil
}

func (o Options) signer() cms.SignerOptions {
	return cms.SignerOptions{Certificate: o.Certificate, Chain: o.Chain, Hash: o.Hash, PSS: o.PSS}
}

// Prepared is a signed document that lacks the document and the signature value. It is plain data, may be stored
// as JSON, and holds nothing secret.
type Prepared struct {
	// Size and Digest (with the hash of CMS) are those of the document before signing.
	Size   int64  `json:"size"`
	Digest []byte `json:"digest"`
	// Field is the name of the new signature field.
	Field string `json:"field"`
	// Tail is what is appended to the document; the hexadecimal digits of /Contents are zeros still.
	Tail []byte `json:"tail"`
	// Contents is where these digits begin in Tail, Room how many bytes of CMS they hold.
	Contents int `json:"contents"`
	Room     int `json:"room"`
	// Timestamp is that of [Options].
	Timestamp int           `json:"timestamp,omitempty"`
	CMS       *cms.Prepared `json:"cms"`
}

// Prepare builds everything of a signature but its value. The document is read through a small window, then once from
// end to end for the digest; only the appended part, some kilobytes, is kept.
//
// It refuses an encrypted document, one that a certification or lock forbids to change, one with an XFA form,
// and one that is not well formed (see package pdf).
func Prepare(doc io.ReaderAt, size int64, o Options) (*Prepared, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	// The message has the same size for every digest: a first one of zeros tells how much room to keep.
	if !o.Hash.Available() {
		return nil, failure(BadOptions, "this digest algorithm is not available")
	}
	blank, err := cms.Prepare(make([]byte, o.Hash.Size()), o.signer())
	if err != nil {
		return nil, fromCMS(err)
	}
	p := &Prepared{Size: size, Room: blank.MaxSize(o.Timestamp), Timestamp: o.Timestamp}
	if err := p.buildTail(doc, o); err != nil {
		return nil, err
	}
	h := o.Hash.New()
	if err := stream(h, doc, size); err != nil {
		return nil, err
	}
	p.Digest = h.Sum(nil) // the state goes on: what follows is the digest of the ranges
	h.Write(p.Tail[:p.Contents-1])
	h.Write(p.Tail[p.Contents+2*p.Room+1:])
	if p.CMS, err = cms.Prepare(h.Sum(nil), o.signer()); err != nil {
		return nil, fromCMS(err)
	}
	return p, nil
}

// buildTail encodes the update of the document with an empty /Contents and fills in /ByteRange.
func (p *Prepared) buildTail(doc io.ReaderAt, o Options) error {
	f, err := pdf.Open(doc, p.Size, pdf.Limits{})
	if err != nil {
		return fromPDF(err)
	}
	u, err := pdf.NewUpdate(f)
	if err != nil {
		return fromPDF(err)
	}
	form, err := readForm(f)
	if err != nil {
		return fromPDF(err)
	}
	if err := form.mayChange(); err != nil {
		return fromPDF(err)
	}
	var rangeAt, contentsAt int64
	sig := u.Add(dictionary(o, p.Room, &rangeAt, &contentsAt))
	p.Field = form.freeName()
	if err := form.addField(u, p.Field, sig); err != nil {
		return fromPDF(err)
	}
	if p.Tail, err = u.Bytes(); err != nil {
		return fromPDF(err)
	}
	p.Contents = int(contentsAt-p.Size) + 1 // after <
	end := contentsAt + 2*int64(p.Room) + 2
	ranges := fmt.Sprintf("[0 %d %d %d", contentsAt, end, p.Size+int64(len(p.Tail))-end)
	if len(ranges) >= rangeRoom {
		return failure(Limit, "the document is too large")
	}
	at := p.Tail[rangeAt-p.Size:][:rangeRoom]
	copy(at, ranges)
	at[rangeRoom-1] = ']'
	return nil
}

// rangeRoom is the space kept for /ByteRange: the brackets and four numbers of up to 19 digits.
const rangeRoom = 64

// dictionary is the signature dictionary (ISO 32000-1 §12.8.1 table 252, EN 319 142-1 §6.3). Where its /ByteRange and
// /Contents come to stand is told when the update is encoded.
func dictionary(o Options, room int, rangeAt, contentsAt *int64) pdf.Dict {
	contents := bytes.Repeat([]byte{'0'}, 2*room+2)
	contents[0], contents[len(contents)-1] = '<', '>'
	d := pdf.Dict{
		"Type":      pdf.Name("Sig"),
		"Filter":    pdf.Name("Adobe.PPKLite"),
		"SubFilter": pdf.Name("ETSI.CAdES.detached"),
		"ByteRange": pdf.Verbatim{Text: bytes.Repeat([]byte{' '}, rangeRoom), Offset: rangeAt},
		"Contents":  pdf.Verbatim{Text: contents, Offset: contentsAt},
		"M":         pdf.Date(o.SigningTime),
	}
	for key, text := range map[pdf.Name]string{"Reason": o.Reason, "Location": o.Location, "Name": o.Name} {
		if text != "" {
			d[key] = pdf.TextString(text)
		}
	}
	return d
}

// stream copies the document to w in pieces.
func stream(w io.Writer, doc io.ReaderAt, size int64) error {
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{io.NewSectionReader(doc, 0, size)}, make([]byte, 128<<10))
	if err != nil {
		return &Error{Kind: Failed, Msg: "the document cannot be copied", Err: err}
	}
	if n != size {
		return failure(Changed, "the document is shorter than the %d bytes it should have", size)
	}
	return nil
}
