package validate

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/pades"
)

// documentStamped adds a document time-stamp, and gives its token too.
func documentStamped(t *testing.T, file []byte, tsu *party, at time.Time) (out, tok []byte) {
	t.Helper()
	s, err := pades.PrepareTimestamp(bytes.NewReader(file), int64(len(file)), ades.Extension{Hash: crypto.SHA256, TokenSize: tokenSize})
	if err != nil {
		t.Fatal(err)
	}
	tok = token(t, tsu, s.Imprints()[0], at)
	var b bytes.Buffer
	if err := s.Assemble(&b, bytes.NewReader(file), int64(len(file)), [][]byte{tok}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), tok
}

// A document time-stamp that is copied into a later revision, behind a signature
// made with a key that was revoked in between, proves nothing about that.
func TestReplayedDocumentStamp(t *testing.T) {
	t.Parallel()
	w := pki()
	stolen := issue(w.sub, newKey(), "Ada Prova", nil)
	first, old := documentStamped(t, sign(t, "PAdES", document(t, "PAdES"), w.holder, nil, time.Time{}), w.tsu, stampedAt)
	forged, late := documentStamped(t, sign(t, "PAdES", first, stolen, nil, time.Time{}), w.tsu, stampedAt.Add(20*time.Minute))
	at := bytes.LastIndex(forged, []byte(hex.EncodeToString(late)))
	if at < 0 {
		t.Fatal("the second token is not in the file")
	}
	end := at + bytes.IndexByte(forged[at:], '>')
	copy(forged[at:end], bytes.Repeat([]byte("0"), end-at))
	hex.Encode(forged[at:end], old)
	r := validate(t, forged, w.options(entry{stolen, stampedAt.Add(5 * time.Minute), 1}))
	if len(r.Signatures) != 2 {
		t.Fatalf("%d signatures", len(r.Signatures))
	}
	if s := r.Signatures[1]; s.Indication == TotalPassed || s.Stamped() || s.Level != string(ades.BB) {
		t.Errorf("a copied time-stamp is believed: %s", r.Text("en"))
	}
}
