package pdf

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5" // #nosec: ISO 32000-1 §7.6.2 knows no other
	"crypto/rc4" // #nosec: as md5
	"crypto/sha256"
	"fmt"
	"io"
)

// keyFor is the key of one object (ISO 32000-2 §7.6.3.2, algorithm 1; algorithm 1.A uses that of the file).
func (s *security) keyFor(ref Ref, m method) []byte {
	if m == aesV3 {
		return s.key
	}
	h := md5.New()
	h.Write(s.key)
	h.Write([]byte{byte(ref.Num), byte(ref.Num >> 8), byte(ref.Num >> 16), byte(ref.Gen), byte(ref.Gen >> 8)})
	if m == aesV2 {
		h.Write([]byte("sAlT"))
	}
	return h.Sum(nil)[:min(len(s.key)+5, 16)]
}

// isSignature tells whether d is a signature dictionary, whose /Contents is never encrypted (§7.6.2). /Type is optional in
// one (table 255), so what makes it one is /ByteRange.
func isSignature(d Dict) bool {
	if _, ok := d["ByteRange"]; !ok {
		return false
	}
	t, ok := d["Type"]
	return !ok || t == Name("Sig") || t == Name("DocTimeStamp")
}

// decryptStrings decrypts the strings of the object ref in place. Arrays and dictionaries were just read and belong to
// nobody else yet.
func (s *security) decryptStrings(ref Ref, o Object) (Object, error) {
	if s.strings == identity {
		return o, nil
	}
	key := s.keyFor(ref, s.strings)
	var walk func(Object) (Object, error)
	walk = func(o Object) (Object, error) {
		switch o := o.(type) {
		case String:
			plain, err := openString(s.strings, key, o)
			if err != nil {
				return nil, malformed("a string in object %s is not encrypted as the file says: %v", ref, err)
			}
			return String(plain), nil
		case Array:
			for i := range o {
				var err error
				if o[i], err = walk(o[i]); err != nil {
					return nil, err
				}
			}
		case Dict:
			signature := isSignature(o)
			for k, v := range o {
				if signature && k == "Contents" {
					continue
				}
				v, err := walk(v)
				if err != nil {
					return nil, err
				}
				o[k] = v
			}
		case *Stream:
			if o.Dict["Type"] != Name("XRef") {
				_, err := walk(o.Dict)
				return o, err
			}
		}
		return o, nil
	}
	return walk(o)
}

// openString decrypts a string.
func openString(m method, key, data []byte) ([]byte, error) {
	if m == rc4Method {
		return rc4With(key, data), nil
	}
	r, err := opener(m, key, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// opener decrypts a stream.
func opener(m method, key []byte, r io.Reader) (io.Reader, error) {
	switch m {
	case identity:
		return r, nil
	case rc4Method:
		c, err := rc4.NewCipher(key)
		return &cipher.StreamReader{S: c, R: r}, err
	}
	block, err := aes.NewCipher(key)
	return &cbcReader{block: block, r: bufio.NewReaderSize(r, 4096)}, err
}

// openStream decrypts the data of a stream before its filters.
func (s *security) openStream(stream *Stream, names []Name, parms []Dict, r io.Reader) (io.Reader, error) {
	m, err := s.streamMethod(stream.Dict, names, parms)
	if err != nil {
		return nil, err
	}
	if r, err = opener(m, s.keyFor(stream.Ref, m), r); err != nil {
		return nil, malformed("stream %s cannot be decrypted", stream.Ref)
	}
	return r, nil
}

// cbcReader decrypts AES in CBC mode: 16 bytes of initialisation vector, then blocks, the last of them padded as PKCS #7
// does (§7.6.3.2). Data of no bytes at all, which some programs write, is empty.
type cbcReader struct {
	block cipher.Block
	r     *bufio.Reader
	mode  cipher.BlockMode
	buf   [2048]byte
	plain []byte // decrypted and not yet read
	err   error
}

func (c *cbcReader) Read(p []byte) (int, error) {
	for len(c.plain) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		c.err = c.fill()
	}
	n := copy(p, c.plain)
	c.plain = c.plain[n:]
	return n, nil
}

func (c *cbcReader) fill() error {
	if c.mode == nil {
		iv := c.buf[:aes.BlockSize]
		if n, err := io.ReadFull(c.r, iv); err == io.EOF && n == 0 {
			return io.EOF
		} else if err != nil {
			return cut(err)
		}
		c.mode = cipher.NewCBCDecrypter(c.block, iv)
	}
	n, err := io.ReadFull(c.r, c.buf[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF || n == 0 || n%aes.BlockSize != 0 {
		return cut(err)
	}
	c.plain = c.buf[:n]
	c.mode.CryptBlocks(c.plain, c.plain)
	if _, err := c.r.Peek(1); err == nil {
		return nil
	} else if err != io.EOF {
		return err
	}
	pad := int(c.plain[n-1])
	if pad < 1 || pad > aes.BlockSize || !bytes.Equal(c.plain[n-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		c.plain = nil
		return fmt.Errorf("the padding of encrypted data is wrong")
	}
	c.plain = c.plain[:n-pad]
	return io.EOF
}

// cut is the error for encrypted data that is not whole blocks, or what the reader below had.
func cut(err error) error {
	if KindOf(err) != "" {
		return err
	}
	return fmt.Errorf("encrypted data is not a whole number of blocks")
}

// sealedSize is how many bytes n bytes become.
func sealedSize(m method, n int64) int64 {
	if m == aesV2 || m == aesV3 {
		return aes.BlockSize + (n/aes.BlockSize+1)*aes.BlockSize
	}
	return n
}

// sealer encrypts what is written to it and writes it to w; Close writes the last block.
type sealer struct {
	w    io.Writer
	mode cipher.BlockMode // nil: stream is used
	rc4  cipher.Stream
	rest []byte // less than a block
	buf  []byte
}

// newSealer begins with the initialisation vector, which it makes from a fingerprint: the same update always gives the
// same bytes, and no other data the same vector.
func (s *security) newSealer(w io.Writer, m method, ref Ref, fingerprint []byte) (io.WriteCloser, error) {
	if m == identity {
		return unsealed{w}, nil
	}
	key := s.keyFor(ref, m)
	if m == rc4Method {
		c, err := rc4.NewCipher(key)
		return &sealer{w: w, rc4: c}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, s.key)
	fmt.Fprintf(h, "%d %d ", ref.Num, ref.Gen)
	h.Write(fingerprint)
	iv := h.Sum(nil)[:aes.BlockSize]
	if _, err := w.Write(iv); err != nil {
		return nil, err
	}
	return &sealer{w: w, mode: cipher.NewCBCEncrypter(block, iv)}, nil
}

type unsealed struct{ io.Writer }

func (unsealed) Close() error { return nil }

func (s *sealer) Write(p []byte) (int, error) {
	if s.rc4 != nil {
		s.buf = append(s.buf[:0], p...)
		s.rc4.XORKeyStream(s.buf, s.buf)
	} else {
		s.rest = append(s.rest, p...)
		whole := len(s.rest) / aes.BlockSize * aes.BlockSize
		s.buf = append(s.buf[:0], s.rest[:whole]...)
		s.rest = append(s.rest[:0], s.rest[whole:]...)
		s.mode.CryptBlocks(s.buf, s.buf)
	}
	if _, err := s.w.Write(s.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *sealer) Close() error {
	if s.rc4 != nil {
		return nil
	}
	pad := aes.BlockSize - len(s.rest)
	_, err := s.Write(bytes.Repeat([]byte{byte(pad)}, pad))
	return err
}

// sealString encrypts the nth string of an object.
func (s *security) sealString(ref Ref, nth int, plain String) (String, error) {
	var b bytes.Buffer
	w, err := s.newSealer(&b, s.strings, ref, fmt.Appendf(nil, "%d %s", nth, plain))
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}
