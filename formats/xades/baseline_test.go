package xades

import (
	"strings"
	"testing"

	"sigillo/formats/ades"
)

// A signature is of the level it was raised to and of none above, and what the
// table forbids from B-LT on is told.
func TestMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []ades.Level{ades.BB, ades.BT, ades.BLT, ades.BLTA}
	bb := w.sign(t, []byte("<a/>"), w.Signer(t, "p256"), nil)
	for i, level := range all {
		doc := string(w.raise(t, bb, level, w.extension(t)))
		s := only(t, []byte(doc))
		for j, asked := range all {
			// What B-LT needs is a matter of certificates, judged elsewhere.
			if got := s.Missing(asked); (len(got) == 0) != (j <= i || level == ades.BT && asked == ades.BLT) {
				t.Errorf("a signature of %s misses at %s: %q", level, asked, got)
			}
		}
		if level == ades.BB {
			continue
		}
		for _, old := range []string{"CompleteCertificateRefs", "CompleteRevocationRefs", "RefsOnlyTimeStampV2"} {
			with := strings.Replace(doc, "</xades:UnsignedSignatureProperties>", "<xades:"+old+"/></xades:UnsignedSignatureProperties>", 1)
			s := only(t, []byte(with))
			if len(s.Missing(ades.BT)) > 0 || !strings.Contains(strings.Join(s.Missing(ades.BLT), ", "), "no "+old) {
				t.Errorf("%s with %s misses %q", level, old, s.Missing(ades.BLT))
			}
		}
		with := swap(t, doc, "<xades:EncapsulatedTimeStamp>", "<xades:EncapsulatedTimeStamp>"+between(t, doc, "<xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp>")[len("<xades:EncapsulatedTimeStamp>"):]+"<xades:EncapsulatedTimeStamp>")
		if got := strings.Join(only(t, []byte(with)).Missing(ades.BT), ", "); got != "one token in each SignatureTimeStamp" {
			t.Errorf("two tokens in one: %q", got)
		}
	}
}
