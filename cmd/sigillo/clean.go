package main

import (
	"io"

	"sigillo/formats/legible"
)

// plain is a writer of text in lines and columns that cleans what it is given. Each
// write holds whole characters, as those of package fmt do.
type plain struct{ w io.Writer }

func (p plain) Write(b []byte) (int, error) {
	if _, err := io.WriteString(p.w, legible.Text(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// text is the output for people. What is for programs goes to out as it is.
func (e env) text() io.Writer { return plain{e.out} }
