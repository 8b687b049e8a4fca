package vault

import (
	"bytes"
	"testing"
)

// A SAD over documents: for each one signature comes out, over what the service has
// prepared of it; it signs no digest as it stands, and a SAD over digests no document.
func TestSADOverDocuments(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("ada", "p256")
	a := h.authorisation("tx", 3)
	a.Documents = true
	s, err := r.c.Authorise(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	documents := a.Digests
	prepared := [][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 32)}
	use := func(request string, documents, digests [][]byte) ([][]byte, error) {
		act := h.activation(a, s)
		act.Request, act.Documents, act.Digests = request, documents, digests
		return r.c.Sign(t.Context(), act)
	}
	for name, try := range map[string]struct{ documents, digests [][]byte }{
		"as digests":       {nil, documents[:1]},
		"others":           {prepared[:1], prepared[:1]},
		"more signatures":  {documents[:1], prepared[:2]},
		"fewer signatures": {documents[:2], prepared[:1]},
	} {
		if _, err := use(name, try.documents, try.digests); KindOf(err) != BadSAD {
			t.Errorf("%s: %v", name, err)
		}
	}
	sigs, err := use("first", documents[:2], prepared[:2])
	if err != nil {
		t.Fatal(err)
	}
	act := h.activation(a, s)
	act.Digests = prepared[:2]
	h.checkSignatures(act, sigs)
	if again, err := use("first", documents[:2], prepared[:2]); err != nil || !bytes.Equal(again[0], sigs[0]) {
		t.Errorf("the same request again: %v", err)
	}
	if _, err := use("first", documents[:2], prepared[1:]); KindOf(err) != SpentSAD {
		t.Errorf("other data under the same request: %v", err)
	}
	if _, err := use("second", documents[:1], prepared[2:]); KindOf(err) != SpentSAD {
		t.Errorf("a document twice: %v", err)
	}
	if _, err := use("third", documents[2:], prepared[2:]); err != nil {
		t.Error(err)
	}
	if told := r.entries("signature.intent"); told[0]["documents"] != "true" {
		t.Errorf("the journal does not say that documents were authorised: %v", told)
	}
	plain := h.authorisation("plain", 1)
	if s, err = r.c.Authorise(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	a = plain
	if _, err := use("fourth", plain.Digests, prepared[:1]); KindOf(err) != BadSAD {
		t.Errorf("a SAD over digests used for a document: %v", err)
	}
}
