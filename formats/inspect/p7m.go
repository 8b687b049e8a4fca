package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"strings"

	"sigillo/formats/cms"
	"sigillo/formats/der"
)

const maxEnvelopeMemory = 64 << 20 // bytes of an envelope in base64, or whose content is cut into pieces

// p7m inspects what a signed envelope holds (CAdES, RFC 5652 §5): signing the
// envelope again vouches for the document inside.
func (s *scan) p7m() {
	if s.envelopes >= maxEnvelopes {
		s.add("p7m.nested", "", "")
		return
	}
	r, size, err := s.binary()
	if err != nil {
		s.add("p7m.malformed", "", err.Error())
		return
	}
	sd, err := cms.Parse(r, size, cms.Limits{})
	switch {
	case err != nil:
		s.add("p7m.malformed", "", err.Error())
		return
	case sd.Size != size:
		s.add("p7m.malformed", "", "data after the envelope")
		return
	case !sd.HasContent():
		s.add("p7m.detached", "", "")
		return
	}
	if len(sd.Signers) > 0 {
		s.add("p7m.signed", "", "")
	}
	n := sd.ContentSize()
	content, err := contiguous(r, size, sd, n)
	if err != nil {
		s.add("size", "", err.Error())
		return
	}
	name := s.name
	if extension(name) == "p7m" {
		name = strings.TrimRight(name, " .")
		name = name[:len(name)-len(".p7m")]
	}
	if !strings.Contains(name, ".") {
		name = "" // nothing is said of the inner format
	}
	inner := &scan{report: s.report, r: content, size: n, name: name, envelopes: s.envelopes + 1}
	inner.run()
}

// binary undoes base64 and PEM, which mail programs and portals put around
// envelopes.
func (s *scan) binary() (io.ReaderAt, int64, error) {
	var first [1]byte
	if _, err := s.r.ReadAt(first[:], 0); err == nil && first[0] == 0x30 {
		return s.r, s.size, nil
	}
	if s.size > maxEnvelopeMemory {
		return nil, 0, errors.New("too large an envelope in base64")
	}
	text, err := io.ReadAll(s.reader())
	if err != nil {
		return nil, 0, err
	}
	text = bytes.TrimSpace(text)
	if bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		block, rest := pem.Decode(text)
		if block == nil || len(bytes.TrimSpace(rest)) > 0 {
			return nil, 0, errors.New("defective PEM")
		}
		return bytes.NewReader(block.Bytes), int64(len(block.Bytes)), nil
	}
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(raw, bytes.ReplaceAll(text, []byte(" "), nil))
	if err != nil {
		return nil, 0, errors.New("defective base64")
	}
	return bytes.NewReader(raw[:n]), int64(n), nil
}

// contiguous gives random access to the content. In DER it lies in one piece in
// the envelope, which is found and compared; of BER in pieces a copy is made.
func contiguous(r io.ReaderAt, size int64, sd *cms.SignedData, n int64) (io.ReaderAt, error) {
	head := make([]byte, min(size, headSize))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	header := der.AppendHeader(nil, der.Octets, n)
	if i := bytes.Index(head, header); i >= 0 {
		section := io.NewSectionReader(r, int64(i+len(header)), n)
		if equalStreams(section, sd.Content()) {
			return section, nil
		}
	}
	if n > maxEnvelopeMemory {
		return nil, errors.New("too large a content in pieces")
	}
	b, err := io.ReadAll(sd.Content())
	return bytes.NewReader(b), err
}

func equalStreams(a, b io.Reader) bool {
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err1 := io.ReadFull(a, x)
		m, err2 := io.ReadFull(b, y)
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false
		}
		if err1 != nil || err2 != nil {
			return (errors.Is(err1, io.EOF) || errors.Is(err1, io.ErrUnexpectedEOF)) && (errors.Is(err2, io.EOF) || errors.Is(err2, io.ErrUnexpectedEOF))
		}
	}
}
