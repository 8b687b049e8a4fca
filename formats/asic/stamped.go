package asic

import (
	"crypto"
	"io"
	"slices"
	"time"

	"sigillo/formats/cms"
)

// StampOptions say how a container with a time-stamp and no signature is made.
type StampOptions struct {
	Type    Type        // as in Options
	Hash    crypto.Hash // of manifest and imprint; zero is SHA-256
	Comment bool
	Time    time.Time // of the entries, as the ZIP file tells it; proves nothing
}

// PrepareStamped prepares a container that proves when its documents existed: a
// time-stamp over the one document of an ASiC-S, over the ASiCManifest of an ASiC-E
// (§4.3.3.2, §4.4.3.2). The Stamping is finished by AssembleNew.
func PrepareStamped(docs []Document, o StampOptions) (*Stamping, error) {
	typ, err := checkDocuments(docs, o.Type)
	if err != nil {
		return nil, err
	}
	if o.Hash == 0 {
		o.Hash = crypto.SHA256
	}
	s := &Stamping{Hash: o.Hash.String(), Type: typ, Comment: o.Comment, Modified: dosTime(o.Time), Token: metaInf + "timestamp.tst"}
	if s.Documents, err = digestDocuments(docs, o.Hash); err != nil {
		return nil, err
	}
	if s.Imprint = s.Documents[0].Digest; typ == Simple {
		return s, nil
	}
	s.Token = metaInf + "timestamp001.tst"
	m := &manifest{signature: s.Token}
	for i, d := range s.Documents {
		m.references = append(m.references, reference{name: d.Name, mediaType: docs[i].mediaType(), hash: o.Hash, digest: d.Digest})
	}
	content := m.write("application/vnd.etsi.timestamp-token")
	s.Files = []Written{{metaInf + "ASiCManifest001.xml", content}}
	s.Imprint = digestOf(o.Hash, content)
	return s, nil
}

// AssembleNew writes the container of PrepareStamped.
func (s *Stamping) AssembleNew(w io.Writer, docs []Document, token []byte) error {
	if s.Documents == nil {
		return fail(cms.BadOptions, "this is an existing container, which Assemble raises")
	}
	if err := s.checkTokens([][]byte{token}); err != nil {
		return err
	}
	files := append(slices.Clone(s.Files), Written{s.Token, token})
	return create(w, s.Type, s.Comment, s.Modified, docs, s.Documents, s.HashAlgorithm(), files)
}
