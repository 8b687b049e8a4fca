package validate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cms"
	"sigillo/formats/ers"
	"sigillo/formats/m7m"
	"sigillo/formats/tsd"
)

// maxEnvelopes bounds envelopes in envelopes.
const maxEnvelopes = 4

// envelope is one or more documents with the time-stamps over them, whatever the
// file around them looks like.
type envelope struct {
	form      string
	stamps    []ades.Stamp // the oldest first; each covers those before
	documents []Content    // none: they are missing, unless closed
	closed    bool         // the documents are there, and not looked into
	names     []string     // of the documents, where they have some
	findings  []finding
	evidence  ades.Evidence // beside the tokens
}

// addEnvelope makes a subject of the oldest time-stamp, with those that renew it
// over it, and reads the signatures in the documents, with all of them over each
// (EN 319 102-1 §5.6.3: they prove that the signatures are as old).
func (v *validation) addEnvelope(e envelope) error {
	for i := range e.stamps {
		e.stamps[i].Imprint = remembered(e.stamps[i].Imprint)
	}
	token, err := v.parseToken(e.stamps[0].DER)
	if err != nil {
		v.subjects = append(v.subjects, &subject{form: e.form, findings: []finding{failed(FormatFailure, "format", err)}})
		v.number()
		return nil
	}
	s := tokenSubject(token, e.stamps[0].DER)
	s.form, s.renewed, s.covers = e.form, true, e.names
	if len(e.documents) == 0 && !e.closed {
		s.findings = append(checkToken(token, nil), doubt(SignedDataNotFound, "content-missing"))
	} else {
		s.findings = v.tokenFindings(token, e.stamps[0].Imprint)
	}
	s.findings = append(append(s.findings, inOrder(e.stamps)...), e.findings...)
	s.whole = passed(s.findings)
	s.evidence.Add(e.evidence)
	v.subjects = append(v.subjects, s)
	v.number()
	from := len(v.subjects)
	for _, d := range e.documents {
		if err := v.readInside(d, s); err != nil {
			return err
		}
	}
	v.cover(&e, s, v.subjects[from:])
	return nil
}

// remembered asks for each digest once: hundreds of signatures may be under one
// time-stamp.
func remembered(f imprinter) imprinter {
	type answer struct {
		sum []byte
		err error
	}
	known := map[crypto.Hash]answer{}
	return func(h crypto.Hash) ([]byte, error) {
		a, ok := known[h]
		if !ok {
			a.sum, a.err = f(h)
			known[h] = a
		}
		return a.sum, a.err
	}
}

// cover puts the time-stamps over the signatures inside, and the renewals over the
// first. What each proves to exist is a beginning of one list, which grows.
func (v *validation) cover(e *envelope, first *subject, inside []*subject) {
	var all [][]byte
	for _, s := range inside {
		all = append(all, octetsOf(s.evidence)...)
		for _, st := range s.stamps {
			all = append(all, st.DER)
		}
	}
	for i, st := range e.stamps {
		st.Covers = all[:len(all):len(all)]
		if i > 0 {
			st.Kind = ades.ArchiveStamp
			first.stamps = append(first.stamps, st)
		}
		st.Kind = ades.DocumentStamp
		for _, s := range inside {
			s.stamps = append(s.stamps, st)
		}
		if i == 0 {
			all = append(all, octetsOf(first.evidence)...)
		} else if t, err := cms.ParseToken(st.DER); err == nil {
			all = append(all, octetsOf(ades.Evidence{Certificates: t.Certificates})...)
			all = append(all, octetsOf(t.Evidence())...)
		}
		all = append(all, st.DER)
	}
}

// inOrder tells of renewals that claim to be older than what they renew (RFC 4998
// §5.3).
func inOrder(stamps []ades.Stamp) []finding {
	for i := 1; i < len(stamps); i++ {
		a, err := cms.ParseToken(stamps[i-1].DER)
		if err != nil {
			return nil // told where it is judged
		}
		if b, err := cms.ParseToken(stamps[i].DER); err == nil && b.Info.GenTime.Before(a.Info.GenTime) {
			return []finding{doubt(TimestampOrderFailure, "renewed-before", stamped(a.Info.GenTime), stamped(b.Info.GenTime))}
		}
	}
	return nil
}

// octetsOf gives all of the evidence in DER.
func octetsOf(e ades.Evidence) (out [][]byte) {
	for _, c := range e.Certificates {
		out = append(out, c.Raw)
	}
	return append(append(out, e.CRLs...), e.OCSP...)
}

// readInside reads the signatures of a document in an envelope. A document that is
// not signed, or of no kind that is known here, is as good as any other; one that
// cannot be looked at is told.
func (v *validation) readInside(d Content, outer *subject) error {
	if v.envelopes == maxEnvelopes {
		return fail(Limit, nil, "the file has more than %d envelopes around each other", maxEnvelopes)
	}
	from, format, form, contents := len(v.subjects), v.format, v.form, v.doc.Contents
	v.envelopes++
	v.doc.Contents = nil
	err := v.read(d.Data, d.Size)
	v.envelopes--
	v.format, v.form, v.doc.Contents = format, form, contents
	if err != nil {
		v.subjects = v.subjects[:from]
	}
	switch KindOf(err) {
	case "", Unreadable:
		return nil
	case Failed:
		return err
	}
	outer.findings = append(outer.findings, remark("inside-unread", err))
	return nil
}

// readTSD reads time-stamped data (RFC 5544).
func (v *validation) readTSD(r io.ReaderAt, size int64) error {
	v.format, v.form = "tsd", "RFC5544"
	d, err := tsd.Parse(r, size)
	switch tsd.KindOf(err) {
	case "":
	case cms.Failed:
		return fail(Failed, err, "the file cannot be read")
	case cms.Limit:
		return fail(Limit, err, "the time-stamped data are too large")
	default:
		return fail(Unreadable, err, "the time-stamped data cannot be read")
	}
	given, err := v.content()
	if err != nil {
		return err
	}
	e := envelope{form: v.form}
	switch {
	case d.HasContent() && given != nil:
		return fail(BadOptions, nil, "content was given for a file that holds its own")
	case d.HasContent():
		at, err := d.ContentAt()
		if err != nil {
			return fail(Limit, err, "the document in the time-stamped data is in too many pieces")
		}
		e.documents = []Content{{Data: at, Size: d.ContentSize()}}
	case given != nil:
		e.documents = []Content{*given}
	}
	open := func() io.Reader {
		if given == nil {
			return nil
		}
		return io.NewSectionReader(given.Data, 0, given.Size)
	}
	if m := d.Meta; m != nil && m.FileName != "" {
		e.names = []string{m.FileName}
		if !m.Protected {
			e.findings = append(e.findings, remark("name-unprotected", m.FileName))
		}
	}
	if d.Record != nil {
		return v.addRecord(d.Record, e, []ers.Document{{Digest: d.Imprint(0, open)}})
	}
	for i, ev := range d.Evidence {
		e.stamps = append(e.stamps, ades.Stamp{DER: ev.Token, Imprint: d.Imprint(i, open)})
		if ev.CRL != nil {
			e.evidence.CRLs = append(e.evidence.CRLs, ev.CRL)
		}
	}
	return v.addEnvelope(e)
}

// beginsRecord tells an evidence record from most else: a SEQUENCE of the version 1
// and of algorithms.
func beginsRecord(r io.ReaderAt, size int64) bool {
	head := make([]byte, min(size, 16))
	if n, err := r.ReadAt(head, 0); n < len(head) || len(head) < 16 || head[0] != 0x30 || err != nil && size > 16 {
		return false
	}
	n := 2
	if head[1] > 0x80 {
		n += int(head[1] & 0x7f)
	}
	return n+4 <= len(head) && bytes.Equal(head[n:n+4], []byte{2, 1, 1, 0x30})
}

// isRecord tells an evidence record from the request for a time-stamp, which begins
// alike.
func isRecord(b []byte) bool { _, err := ers.Parse(b); return ers.KindOf(err) != cms.NotCMS }

// readRecord reads an evidence record (RFC 4998).
func (v *validation) readRecord(b []byte) error {
	v.format, v.form = "evidence-record", "RFC4998"
	e := envelope{form: v.form, documents: v.doc.Contents}
	var documents []ers.Document
	for i := range v.doc.Contents {
		c := &v.doc.Contents[i]
		documents = append(documents, ers.Document{Name: c.Name, Digest: c.digest()})
		if c.Name != "" {
			e.names = append(e.names, c.Name)
		}
	}
	return v.addRecord(b, e, documents)
}

// addRecord makes an envelope of a record over documents.
func (v *validation) addRecord(b []byte, e envelope, documents []ers.Document) error {
	r, err := ers.Parse(b)
	if err != nil {
		return fail(Unreadable, err, "the evidence record cannot be read")
	}
	for i, c := range r.Chains {
		for j, s := range c.Stamps {
			e.stamps = append(e.stamps, ades.Stamp{DER: s.Token, Imprint: r.Imprint(i, j, documents)})
		}
	}
	if r.Encrypted {
		e.findings = append(e.findings, remark("record-encrypted"))
	}
	if n := r.Group(); n > 2 && len(documents) > 0 && len(documents) < n { // two may be neighbours in a tree
		e.findings = append(e.findings, remark("record-group", n, len(documents)))
	}
	for _, d := range documents {
		has, err := r.Has(d)
		if err == nil && !has && len(documents) > 1 {
			e.findings = append(e.findings, failed(HashFailure, "record-other", d.Name))
		}
	}
	return v.addEnvelope(e)
}

// readM7M reads the document and the time-stamp of an old Italian file.
func (v *validation) readM7M(r io.ReaderAt, size int64) error {
	v.format, v.form = "m7m", "M7M"
	f, err := m7m.Parse(r, size)
	switch m7m.KindOf(err) {
	case "":
	case cms.Failed:
		return fail(Failed, err, "the file cannot be read")
	case cms.Limit:
		return fail(Limit, err, "the file is too large")
	default:
		return fail(Unreadable, err, "the .m7m file cannot be read")
	}
	if len(v.doc.Contents) > 0 {
		return fail(BadOptions, nil, "content was given for a file that holds its own")
	}
	e := envelope{form: v.form, stamps: []ades.Stamp{{DER: f.Token, Imprint: digestOfReader(f.Document, f.Size)}},
		documents: []Content{{Data: f.Document, Size: f.Size}}}
	if f.Name != "" {
		e.names = []string{f.Name}
	}
	return v.addEnvelope(e)
}

// parseToken reads a token, and finds the certificate of one that was asked for
// without (RFC 3161 §2.4.1 certReq) among those that were given.
func (v *validation) parseToken(der []byte) (*cms.Token, error) {
	t, err := cms.ParseToken(der)
	if err != nil || t.Certificate != nil || t.Signer.SigningCertificate == nil {
		return t, err
	}
	search := v.Validator.search
	is := func(c *x509.Certificate) bool { return t.Signer.SigningCertificate.Matches(c) }
	for _, list := range [][]*x509.Certificate{search.Intermediates, search.Anchors} {
		if i := slices.IndexFunc(list, is); i >= 0 {
			t.Certificate = list[i]
			return t, nil
		}
	}
	return t, nil
}

// imprintKind is the kind of an error with which the data of a time-stamp could not
// be had.
func imprintKind(err error) cms.Kind {
	for _, of := range []func(error) cms.Kind{asic.KindOf, ers.KindOf, tsd.KindOf} {
		if k := of(err); k != "" {
			return k
		}
	}
	return ""
}

var errRequest = errors.New("it is the request for a time-stamp (.tsq), which proves nothing")
