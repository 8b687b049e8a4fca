package changes_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"sigillo/formats/pdf/pdftest"
)

// appended adds a revision with a cross-reference table.
func appended(t testing.TB, doc []byte, later pdftest.Objects) []byte {
	t.Helper()
	tail := doc[bytes.LastIndex(doc, []byte("startxref"))+len("startxref"):]
	prev, err := strconv.Atoi(string(bytes.Fields(tail)[0]))
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.NewBuffer(slices.Clone(doc))
	var table bytes.Buffer
	for _, num := range slices.Sorted(maps.Keys(later)) {
		fmt.Fprintf(&table, "%d 1\n%010d 00000 n \n", num, b.Len())
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", num, later[num])
	}
	at := b.Len()
	fmt.Fprintf(b, "xref\n%strailer\n<</Size 2000/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n", table.String(), prev, at)
	return b.Bytes()
}
