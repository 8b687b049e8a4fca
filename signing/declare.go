package signing

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"

	"sigillo/audit"
	"sigillo/formats/inspect"
	"sigillo/formats/validate"
	"sigillo/store"
)

// digestOnly is the format of documents that were never here.
const digestOnly = "digest"

// Declare takes a document that stays where it is. What would have been inspected here
// was inspected by somebody else, whom the client names: that goes into the report,
// which the holder has to confirm, and into the journal, as stated and not as known.
//
// Kinds: BadRequest, Internal.
func (s *Service) Declare(ctx context.Context, holder string, d Declaration) (Document, error) {
	sum, err := hex.DecodeString(d.SHA256)
	by := strings.Join(strings.Fields(d.InspectedBy), " ")
	switch {
	case err != nil || len(sum) != sha256.Size:
		return Document{}, fail(BadRequest, "the digest is not a SHA-256 in hexadecimal", nil)
	case len([]rune(by)) < 3 || len([]rune(by)) > 78:
		return Document{}, fail(BadRequest, "say who has inspected the document, in 3 to 78 characters", nil)
	}
	report := s.cfg.Policy.Judge(inspect.Elsewhere(by))
	doc := store.Document{ID: newID(), Holder: holder, Name: cleanName(d.Name), Format: digestOnly, MediaType: report.MediaType,
		SHA256: sum, Verdict: string(report.Verdict), State: "inspected", Created: s.cfg.Now()}
	if doc.Report, err = json.Marshal(report); err != nil {
		return Document{}, fail(Internal, "the report could not be stored", err)
	}
	err = s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutDocument(doc); err != nil {
			return err
		}
		return audit.Append(tx, s.cfg.Now(), audit.Event{Actor: holder, Event: "document.declared", Subject: doc.ID,
			Detail: map[string]string{"sha256": d.SHA256, "inspected_by": by, "verdict": doc.Verdict, "policy": report.Policy}})
	})
	if err != nil {
		return Document{}, fromStore(err)
	}
	return s.present(doc)
}

// beside is what the validation of a signature needs besides its file; close it
// afterwards.
func beside(d store.Document, f form) (contents []validate.Content, close func(), err error) {
	switch {
	case !f.beside:
		return nil, func() {}, nil
	case d.Format == digestOnly:
		return []validate.Content{{Name: d.Name, Digests: map[crypto.Hash][]byte{crypto.SHA256: d.SHA256}}}, func() {}, nil
	}
	file, err := os.Open(d.Path)
	if err != nil {
		return nil, nil, fail(Changed, "the stored document is missing", err)
	}
	return []validate.Content{{Name: d.Name, Data: file, Size: d.Size}}, func() { file.Close() }, nil
}
