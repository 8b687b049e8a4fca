package asic

import (
	"crypto"

	"sigillo/formats/cms"
)

// Record is an evidence record of RFC 4998 that is a file of the container: over the
// document of an ASiC-S, or over the files that an ASiCEvidenceRecordManifest names.
// It is not read here.
type Record struct {
	File      string // META-INF/evidencerecord.ers
	Manifest  string // that names what it is over; "" if it is over the document
	Documents []File // what it is over; files of META-INF may be among them
	Raw       []byte
	// Err is why it cannot be said what the record is over, or that one of these
	// files is not what the manifest says; else nil.
	Err error

	c *Container
}

// Digest gives the digest of one of the documents.
func (r *Record) Digest(f File, h crypto.Hash) ([]byte, error) { return r.c.digest(f.Name, h) }

// Records gives the evidence records of the container. Those in XML (RFC 6283) are
// not among them: Uncovered tells of them.
func (c *Container) Records() []*Record { return c.records }

func (c *Container) findRecords() {
	for _, e := range c.archive.entries {
		if isRecord(e.name) && len(c.records) < maxSignatureFiles {
			c.records = append(c.records, c.readRecord(e))
		}
	}
}

func (c *Container) readRecord(e *entry) *Record {
	r := &Record{File: e.name, c: c}
	if r.Raw, r.Err = e.bytes(); r.Err != nil {
		return r
	}
	m, err := c.manifestOf(e.name)
	switch {
	case err != nil:
		r.Err = err
	case m != nil:
		r.Manifest, r.Documents = m.file, c.files(m)
		if err := c.check(m); err != nil && KindOf(err) != cms.Weak { // the record has digests of its own
			r.Err = err
		}
	case c.Type == Simple && len(c.Documents) == 1:
		r.Documents = c.Documents
	default:
		r.Err = fail(cms.Malformed, "no manifest says what %s is over", e.name)
	}
	return r
}
