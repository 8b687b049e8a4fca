package pdf

import (
	"fmt"
	"testing"
)

// What is read at once out of the window is what is read byte by byte: a text is
// read as it is, and where each byte is a window of its own.
func TestPlainAsCareful(t *testing.T) {
	t.Parallel()
	parts := []string{"0", "1", "12", "007", "65535", "65536", "8388607", "8388608", "123456789012345678", "1234567890123456789", "-1", "+2", "1.5", ".", "R", "RG", "/R", "/A#42", "/", "%x\n", "null", "(s)"}
	seps := []string{"", " ", "  ", "\n", "\r\n", "\t", "%c\n"}
	texts := []string{"/A\vB", "/A#00", "/A#4", "/caff\xe8 "}
	for _, a := range parts {
		for _, s1 := range seps {
			for _, b := range parts {
				for _, s2 := range seps {
					texts = append(texts, a+s1+b+s2+"R]", a+s1+b+s2+"R0 ", a+s1+b+s2+"0]")
				}
			}
		}
	}
	for _, text := range texts {
		text = "[" + text + " ]"
		var said [2]string
		for i, window := range []int{len(text), 1} {
			f := &File{limits: DefaultLimits}
			l := newLexerSized([]byte(text), "")
			l.buf = make([]byte, window)
			l.n = 0
			o, err := f.parser(l).object()
			said[i] = fmt.Sprintf("%#v %v %d", o, err, l.pos)
		}
		if said[0] != said[1] {
			t.Fatalf("%q: %s, and byte by byte %s", text, said[0], said[1])
		}
	}
}
