package cms

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"io"

	"sigillo/formats/der"
)

// Limits bound what a message may cost its reader. A field of zero takes the
// value of [DefaultLimits].
type Limits struct {
	Content      int64 // bytes of the encapsulated content
	Pieces       int   // pieces the content may be cut into
	Structure    int64 // bytes of all the rest, which is held in memory
	Depth        int   // levels of nesting
	Certificates int   // certificates, and as many CRLs and OCSP responses
	Signers      int
	Attributes   int  // attributes of one signer, and values of one attribute
	Padding      bool // zero bytes may follow, as in the Contents of a PDF signature
}

// DefaultLimits are meant for files that people send: contents of up to 1 TiB,
// everything else up to 16 MiB.
var DefaultLimits = Limits{
	Content: 1 << 40, Pieces: 64 << 20, Structure: 16 << 20,
	Depth: 32, Certificates: 512, Signers: 64, Attributes: 64,
}

func (l Limits) filled() Limits {
	d := DefaultLimits
	d.Padding = l.Padding
	if l.Content > 0 {
		d.Content = l.Content
	}
	if l.Pieces > 0 {
		d.Pieces = l.Pieces
	}
	if l.Structure > 0 {
		d.Structure = l.Structure
	}
	if l.Depth > 0 {
		d.Depth = l.Depth
	}
	if l.Certificates > 0 {
		d.Certificates = l.Certificates
	}
	if l.Signers > 0 {
		d.Signers = l.Signers
	}
	if l.Attributes > 0 {
		d.Attributes = l.Attributes
	}
	return d
}

// SignedData is a parsed message (RFC 5652 §5.1).
type SignedData struct {
	Version     int
	ContentType asn1.ObjectIdentifier
	// RawCertificates are all certificates as they stand in the message.
	// Certificates are those of them that are X.509 and could be parsed.
	RawCertificates [][]byte
	Certificates    []*x509.Certificate
	// RawRevocation are all RevocationInfoChoices as they stand in the message.
	// CRLs are those of them that are X.509 CRLs, OCSP the OCSP responses, both
	// DER; a bare BasicOCSPResponse is given as the OCSPResponse around it.
	RawRevocation [][]byte
	CRLs, OCSP    [][]byte
	Signers       []*SignerInfo
	// Size is the size of the message itself, without padding.
	Size int64

	limits           Limits
	r                io.ReaderAt
	encapsulated     span // the EncapsulatedContentInfo in r
	digestAlgorithms [][]byte
	content          *content
	evidence         carried
	roots            roots
}

// span is a stretch of octets.
type span struct{ from, to int64 }

// ParseBytes reads a message that is in memory. The result refers to b.
func ParseBytes(b []byte, l Limits) (*SignedData, error) {
	return Parse(bytes.NewReader(b), int64(len(b)), l)
}

// Parse reads a message of the given size. The content is measured, not read;
// r must stay readable as long as the content is wanted.
func Parse(r io.ReaderAt, size int64, l Limits) (*SignedData, error) {
	l = l.filled()
	if size < 2 {
		return nil, fail(NotCMS, "the file is empty")
	}
	src := newSource(r, size, l.Structure)
	root := &frame{src: src, end: size, depth: l.Depth}
	info, data, err := openSignedData(root)
	if err != nil {
		return nil, err
	}
	sd := &SignedData{r: r, limits: l}
	if err := sd.parse(data, l); err != nil {
		return nil, err
	}
	wrapper := info.wrapper
	for _, step := range []struct{ parent, child *frame }{{wrapper, data}, {info.frame, wrapper}, {root, info.frame}} {
		if err := step.parent.leave(step.child); err != nil {
			return nil, err
		}
	}
	sd.Size = root.pos
	if err := checkTrailer(r, root.pos, size, l.Padding); err != nil {
		return nil, err
	}
	return sd, nil
}

type contentInfo struct{ frame, wrapper *frame }

// openSignedData enters the ContentInfo (RFC 5652 §3) down to the SignedData.
func openSignedData(root *frame) (contentInfo, *frame, error) {
	notCMS := func(err error) (contentInfo, *frame, error) {
		if KindOf(err) == Failed {
			return contentInfo{}, nil, err
		}
		return contentInfo{}, nil, wrap(NotCMS, err, "the file is not a CMS signature")
	}
	info, err := root.open(der.Sequence, "a ContentInfo")
	if err != nil {
		return notCMS(err)
	}
	h, err := info.header()
	if err != nil || !h.is(der.ObjectIdentifier) || h.length > 64 {
		return notCMS(err)
	}
	e, err := info.take()
	if err != nil {
		return notCMS(err)
	}
	oid, err := readOID(e)
	if err != nil {
		return notCMS(err)
	}
	if !oid.Equal(OIDSignedData) {
		return notCMS(fail(Unsupported, "its content type is %v, not signed data", oid))
	}
	wrapper, err := info.open(der.Context0Con, "the content of the ContentInfo")
	if err != nil {
		return contentInfo{}, nil, err
	}
	data, err := wrapper.open(der.Sequence, "a SignedData")
	return contentInfo{info, wrapper}, data, err
}

func checkTrailer(r io.ReaderAt, pos, size int64, padding bool) error {
	if pos == size {
		return nil
	}
	if !padding {
		return fail(Malformed, "%d bytes follow the end of the signature", size-pos)
	}
	rest := io.NewSectionReader(r, pos, size-pos)
	buf := make([]byte, 4096)
	for {
		n, err := rest.Read(buf)
		for _, c := range buf[:n] {
			if c != 0 {
				return fail(Malformed, "data other than zero bytes follows the end of the signature")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return wrap(Failed, err, "reading the message")
		}
	}
}

// parse reads the members of the SignedData.
func (sd *SignedData) parse(f *frame, l Limits) error {
	e, err := f.take()
	if err != nil {
		return err
	}
	if sd.Version, err = readSmall(e); err != nil {
		return err
	}
	if e, err = f.take(); err != nil {
		return err
	}
	if !e.is(der.Set) {
		return fail(Malformed, "the set of digest algorithms was expected")
	}
	if sd.digestAlgorithms, err = members(e, l.Depth, l.Signers); err != nil {
		return err
	}
	sd.encapsulated.from = f.pos
	if err := sd.parseContent(f, l); err != nil {
		return err
	}
	sd.encapsulated.to = f.pos
	for {
		if e, err = f.take(); err != nil {
			return err
		}
		switch {
		case e.is(der.Context0):
			err = sd.parseCertificates(e, l)
		case e.is(der.Context0 | 1):
			err = sd.parseRevocation(e, l)
		case e.is(der.Set):
			return sd.parseSigners(e, l)
		default:
			err = fail(Malformed, "a SignedData has a member that it may not have")
		}
		if err != nil {
			return err
		}
	}
}

// parseContent reads the EncapsulatedContentInfo (RFC 5652 §5.2).
func (sd *SignedData) parseContent(f *frame, l Limits) error {
	in, err := f.open(der.Sequence, "the encapsulated content")
	if err != nil {
		return err
	}
	e, err := in.take()
	if err != nil {
		return err
	}
	if sd.ContentType, err = readOID(e); err != nil {
		return err
	}
	more, err := in.more()
	if err != nil {
		return err
	}
	if more {
		wrapper, err := in.open(der.Context0Con, "the content")
		if err != nil {
			return err
		}
		if sd.content, err = measure(wrapper, l); err != nil {
			return err
		}
		if err := in.leave(wrapper); err != nil {
			return err
		}
	}
	return f.leave(in)
}

// members gives the members of a constructed element as they stand.
func members(e element, depth, limit int) ([][]byte, error) {
	all, err := fields(e.body, depth, limit)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(all))
	for i, m := range all {
		out[i] = m.raw
	}
	return out, nil
}

func (sd *SignedData) parseCertificates(e element, l Limits) error {
	var err error
	if sd.RawCertificates, err = members(e, l.Depth, l.Certificates); err != nil {
		return err
	}
	for _, raw := range sd.RawCertificates {
		if raw[0] != der.Sequence {
			continue // attribute certificates and other formats are kept, not read
		}
		if cert, err := x509.ParseCertificate(raw); err == nil {
			sd.Certificates = append(sd.Certificates, cert)
		}
	}
	return nil
}

func (sd *SignedData) parseSigners(e element, l Limits) error {
	all, err := fields(e.body, l.Depth, l.Signers)
	if err != nil {
		return err
	}
	left := budget{l.Signers, maxStamps}
	for _, s := range all {
		si, err := parseSigner(s, l, maxCounterDepth, &left)
		if err != nil {
			return err
		}
		si.contentType = sd.ContentType
		si.within(sd)
		sd.Signers = append(sd.Signers, si)
	}
	return nil
}
