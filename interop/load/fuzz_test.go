package load

import (
	"bytes"
	"testing"
)

// Whatever a server sends: no panic, no granting without imprint and nonce, and no
// answer that is larger than what was sent.
func FuzzAnswer(f *testing.F) {
	imprint, nonce := bytes.Repeat([]byte{7}, 32), []byte{0x41, 2, 3, 4, 5, 6, 7, 8}
	good := response(0, 5, imprint, nonce, true)
	f.Add(append([]byte("HTTP/1.1 200 OK\r\nContent-Length: 167\r\n\r\n"), good...))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"))
	f.Add(good)
	f.Add(response(2, 5, imprint, nonce, false))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r reader
		if _, body, size, err := r.answer(data); err == nil && (size > len(data) || len(body) > size) {
			t.Errorf("%d octets of %d, body of %d", size, len(data), len(body))
		}
		_ = Token(data)
		if _, err := granted(data, imprint, nonce); err == nil && (!bytes.Contains(data, imprint) || !bytes.Contains(data, nonce)) {
			t.Errorf("granted without imprint or nonce: %x", data)
		}
	})
}
