package asic

import (
	"crypto"
	"slices"
	"strings"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// ContainerStamp is a time-stamp that is a file of the container: the assertion of
// a container without signature (§4.3.3.2, §4.4.3.2), of kind DocumentStamp, or the
// archive time-stamp over an ASiCArchiveManifest (§4.4.4), of kind ArchiveStamp.
type ContainerStamp struct {
	File      string // META-INF/timestamp.tst
	Manifest  string // the manifest it is over; "" if it is over the document
	Documents []File // what it covers, by way of the manifest or at once
	Stamp     ades.Stamp

	c       *Container
	content string
	token   *cms.SignedData // nil if it cannot be read
}

// findStamps finds the time-stamp files and what they are over, the oldest archive
// time-stamp first and the newest, which has no number, last.
func (c *Container) findStamps() {
	for _, e := range c.archive.entries {
		if isStamp(e.name) && len(c.stamps) < maxSignatureFiles {
			c.stamps = append(c.stamps, c.readStamp(e))
		}
	}
	slices.SortStableFunc(c.stamps, func(a, b *ContainerStamp) int {
		if an, bn := a.Manifest == archiveManifest, b.Manifest == archiveManifest; an != bn {
			if an {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Manifest, b.Manifest)
	})
	for i, t := range c.stamps {
		t.Stamp.Covers = c.coveredBy(t, c.stamps[:i])
	}
}

func (c *Container) readStamp(e *entry) *ContainerStamp {
	t := &ContainerStamp{File: e.name, c: c, Stamp: ades.Stamp{Kind: ades.DocumentStamp}}
	raw, err := e.bytes()
	if err == nil {
		t.Stamp.DER = raw
		t.token, _ = cms.ParseBytes(raw, cms.Limits{})
	}
	m, err := c.manifestOf(e.name)
	switch {
	case err != nil:
	case m != nil:
		t.content, t.Manifest, t.Documents = m.file, m.file, c.files(m)
		if isArchiveManifest(m.file) {
			t.Stamp.Kind = ades.ArchiveStamp
		}
	case c.Type == Simple && len(c.Documents) == 1:
		t.content, t.Documents = c.Documents[0].Name, c.Documents
	default:
		err = fail(cms.Malformed, "no manifest says what %s stamps", e.name)
	}
	t.Stamp.Imprint = func(h crypto.Hash) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		if m != nil {
			err := c.check(m)
			if KindOf(err) == cms.Weak { // the stamp itself may be stronger, and would be taken for a proof
				return nil, wrap(cms.Unsupported, err, "the time-stamp proves nothing")
			}
			if err != nil {
				return nil, err
			}
		}
		return c.digest(t.content, h)
	}
	return t
}

// Verify checks that the token is over the document or the manifest, that all that
// the manifest names is unchanged, and the token's signature. The trust in its
// certificate is not looked at.
func (t *ContainerStamp) Verify() error {
	token, err := cms.ParseToken(t.Stamp.DER)
	if err != nil {
		return err
	}
	return token.Verify(t.Stamp.Imprint)
}

func (t *ContainerStamp) covers(file string) bool {
	return slices.ContainsFunc(t.Documents, func(f File) bool { return f.Name == file })
}

func (t *ContainerStamp) evidence() ades.Evidence {
	if t.token == nil {
		return ades.Evidence{}
	}
	return t.token.Evidence()
}

// coveredBy gives what existed when a time-stamp was made: the evidence and the
// tokens in the files that its manifest names.
func (c *Container) coveredBy(t *ContainerStamp, before []*ContainerStamp) [][]byte {
	var e ades.Evidence
	var out [][]byte
	for _, s := range c.signatures {
		if !t.covers(s.File) {
			continue
		}
		switch {
		case s.Signer != nil:
			e.Add(s.Message.Evidence())
			for _, inner := range s.Signer.Stamps(s.ContentDigest) {
				out = append(out, inner.DER)
			}
		case s.XML != nil:
			e.Add(s.XML.Evidence())
			for _, inner := range s.XML.Stamps {
				out = append(out, inner.DER)
			}
		}
	}
	for _, older := range before {
		if t.covers(older.File) {
			e.Add(older.evidence())
			out = append(out, older.Stamp.DER)
		}
	}
	for _, x := range e.Certificates {
		out = append(out, x.Raw)
	}
	return append(append(out, e.CRLs...), e.OCSP...)
}
