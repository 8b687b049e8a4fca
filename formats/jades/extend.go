package jades

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"io"
	"slices"
	"sort"
	"strings"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Stamping is a file that waits for time-stamps. It may be stored as JSON; it holds
// what will be added, not the file.
type Stamping struct {
	Size      int64   `json:"size"`
	SHA256    []byte  `json:"sha256"` // of the file
	Hash      string  `json:"hash"`
	TokenSize int     `json:"tokenSize,omitempty"`
	Name      string  `json:"name"` // of the entry that takes the token
	Places    []stamp `json:"places"`
}

// stamp is one time-stamp to come.
type stamp struct {
	Signature int      `json:"signature"` // its index
	Before    []string `json:"before,omitempty"`
	Plain     bool     `json:"plain,omitempty"`
	Imprint   []byte   `json:"imprint"`
}

// Imprints gives the digests to be stamped: one token is needed for each.
func (s *Stamping) Imprints() [][]byte {
	var out [][]byte
	for _, p := range s.Places {
		out = append(out, p.Imprint)
	}
	return out
}

// PrepareTimestamp raises signatures to level B-T: a time-stamp over each value.
// Where e names none, those that have one are left as they are. A compact file
// becomes flattened JSON.
func PrepareTimestamp(file io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	m, s, err := beginStamping(file, size, e, "sigTst")
	if err != nil {
		return nil, err
	}
	err = m.each(e, func(i int, sig *Signature) error {
		if e.Signatures == nil && sig.has("sigTst") > 0 {
			return nil
		}
		s.Places = append(s.Places, stamp{Signature: i, Plain: sig.plain(), Imprint: digestOf(cms.HashByName(s.Hash), []byte(sig.encodedValue))})
		return nil
	})
	if err == nil && len(s.Places) == 0 {
		err = fail(cms.BadOptions, "all signatures have a time-stamp already")
	}
	return s, err
}

// PrepareArchive raises signatures to level B-LTA, or renews them: e.Evidence is put
// in, then a time-stamp over all (§5.3.6). e.Content is the document of a detached
// signature; for one over several documents see [PrepareArchiveOf].
func PrepareArchive(file io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	var docs []Document
	if e.Content != nil {
		docs = []Document{{Reader: e.Content, Size: e.ContentSize}}
	}
	return PrepareArchiveOf(file, size, docs, e)
}

// PrepareArchiveOf is PrepareArchive for detached signatures over several documents.
func PrepareArchiveOf(file io.ReaderAt, size int64, docs []Document, e ades.Extension) (*Stamping, error) {
	m, s, err := beginStamping(file, size, e, "arcTst")
	if err != nil {
		return nil, err
	}
	err = m.each(e, func(i int, sig *Signature) error {
		entries, err := sig.evidenceItems(e.Evidence)
		if err != nil {
			return err
		}
		var octets []string
		for _, item := range entries {
			octets = append(octets, strings.Trim(item, `"`))
		}
		sum, err := sig.archiveImprint(cms.HashByName(s.Hash), len(sig.etsiU), octets, sig.signed(docs))
		s.Places = append(s.Places, stamp{Signature: i, Before: entries, Imprint: sum})
		return err
	})
	return s, err
}

// AddEvidence raises signatures to level B-LT: certificates and revocation data
// that they do not have yet are put in.
func AddEvidence(w io.Writer, file io.ReaderAt, size int64, e ades.Extension) error {
	m, err := readMessage(file, size)
	if err != nil {
		return err
	}
	more := map[int][]string{}
	err = m.each(e, func(i int, sig *Signature) error {
		var err error
		more[i], err = sig.evidenceItems(e.Evidence)
		return err
	})
	if err != nil {
		return err
	}
	return m.writeWith(w, more)
}

func beginStamping(file io.ReaderAt, size int64, e ades.Extension, name string) (*message, *Stamping, error) {
	m, err := readMessage(file, size)
	if err != nil {
		return nil, nil, err
	}
	if e.Hash == 0 {
		e.Hash = crypto.SHA256
	}
	if digestName(e.Hash) == "" {
		return nil, nil, fail(cms.BadOptions, "time-stamps are made over SHA-256, SHA-384 or SHA-512")
	}
	return m, &Stamping{Size: size, SHA256: m.sum(), Hash: e.Hash.String(), TokenSize: e.TokenSize, Name: name}, nil
}

// each goes over the signatures that are to be raised.
func (m *message) each(e ades.Extension, do func(int, *Signature) error) error {
	for _, i := range e.Signatures {
		if i < 0 || i >= len(m.signatures) {
			return fail(cms.BadOptions, "the file has %d signatures, there is none with index %d", len(m.signatures), i)
		}
	}
	for i, s := range m.signatures {
		if e.Signatures != nil && !slices.Contains(e.Signatures, i) {
			continue
		}
		if s.problem != nil {
			return s.problem
		}
		if err := do(i, s); err != nil {
			return err
		}
	}
	return nil
}

// Assemble writes the file with the tokens in it, one for each imprint.
func (s *Stamping) Assemble(w io.Writer, file io.ReaderAt, size int64, tokens [][]byte) error {
	if len(tokens) != len(s.Places) {
		return fail(cms.BadOptions, "%d time-stamps are needed, %d were given", len(s.Places), len(tokens))
	}
	m, err := readMessage(file, size)
	if err != nil {
		return err
	}
	if size != s.Size || !bytes.Equal(m.sum(), s.SHA256) {
		return fail(cms.Mismatch, "the file is not the one that was prepared")
	}
	more := map[int][]string{}
	for i, p := range s.Places {
		if s.TokenSize > 0 && len(tokens[i]) > s.TokenSize {
			return fail(cms.BadOptions, "the time-stamp has %d octets; at most %d were announced", len(tokens[i]), s.TokenSize)
		}
		t, err := cms.ParseToken(tokens[i])
		if err != nil {
			return err
		}
		if t.Info.Hash != cms.HashByName(s.Hash) || !bytes.Equal(t.Info.Imprint, p.Imprint) {
			return fail(cms.Mismatch, "the time-stamp is over other data")
		}
		entry, err := stampItem(s.Name, tokens[i], p.Plain)
		if err != nil {
			return err
		}
		more[p.Signature] = append(slices.Clone(p.Before), entry)
	}
	return m.writeWith(w, more)
}

// evidenceItems gives what of e the signature lacks as entries of etsiU: xVals and
// rVals the first time (§5.3.5), tstVD later (§5.3.7), since what came before is
// under a time-stamp and may not change.
func (s *Signature) evidenceItems(e ades.Evidence) ([]string, error) {
	have := s.Evidence()
	before := ades.Evidence{Certificates: slices.Clone(have.Certificates), CRLs: slices.Clone(have.CRLs), OCSP: slices.Clone(have.OCSP)}
	have.Add(e)
	var certificates []any
	for _, c := range have.Certificates[len(before.Certificates):] {
		certificates = append(certificates, map[string]any{"x509Cert": pkiObject{base64.StdEncoding.EncodeToString(c.Raw)}})
	}
	revocation := map[string]any{}
	for name, list := range map[string][][]byte{"crlVals": have.CRLs[len(before.CRLs):], "ocspVals": have.OCSP[len(before.OCSP):]} {
		var values []pkiObject
		for _, der := range list {
			values = append(values, pkiObject{base64.StdEncoding.EncodeToString(der)})
		}
		if values != nil {
			revocation[name] = values
		}
	}
	data := map[string]any{}
	if certificates != nil {
		data["xVals"] = certificates
	}
	if len(revocation) > 0 {
		data["rVals"] = revocation
	}
	return s.evidenceEntries(data)
}

func (s *Signature) evidenceEntries(data map[string]any) ([]string, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if s.has("xVals", "rVals", "arcTst") > 0 {
		entry, err := item("tstVD", data, s.plain())
		return []string{entry}, err
	}
	var out []string
	for _, name := range []string{"xVals", "rVals"} {
		if data[name] == nil {
			continue
		}
		entry, err := item(name, data[name], s.plain())
		if err != nil {
			return nil, err
		}
		out = append(out, entry)
	}
	return out, nil
}

// writeWith writes the file with more entries of etsiU, by index of the signature.
// What stands stays as it stands, octet for octet; only a compact file is turned
// into flattened JSON.
func (m *message) writeWith(w io.Writer, more map[int][]string) error {
	if m.compact {
		s := m.signatures[0]
		object := signatureObject(s.protected, more[0], s.encodedValue)
		payload, err := m.payloadMember()
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, "{"+payload+object[1:])
		return failed(err)
	}
	var edits []edit
	for i, s := range m.signatures {
		if entries := strings.Join(more[i], ","); entries != "" {
			edits = append(edits, s.edit(entries))
		}
	}
	sort.Slice(edits, func(i, j int) bool { return edits[i].at < edits[j].at })
	from := 0
	for _, e := range edits {
		if _, err := io.WriteString(w, m.src[from:e.at]+e.text); err != nil {
			return failed(err)
		}
		from = e.at
	}
	_, err := io.WriteString(w, m.src[from:])
	return failed(err)
}

// edit is a text to be put into the file at an offset.
type edit struct {
	at   int
	text string
}

// edit finds where the entries go: into etsiU, or into the header or the signature
// with the members around them.
func (s *Signature) edit(entries string) edit {
	h := s.object.get("header")
	if h == nil {
		return edit{s.object.end - 1, `,"header":{"etsiU":[` + entries + `]}`}
	}
	list := h.get("etsiU")
	switch {
	case list != nil && len(list.items) > 0:
		return edit{list.end - 1, "," + entries}
	case list != nil:
		return edit{list.end - 1, entries}
	case len(h.names) > 0:
		return edit{h.end - 1, `,"etsiU":[` + entries + `]`}
	}
	return edit{h.end - 1, `"etsiU":[` + entries + `]`}
}

// payloadMember gives the payload as a member with a comma, "" without payload.
func (m *message) payloadMember() (string, error) {
	if !m.hasPayload {
		return "", nil
	}
	raw, err := marshal(m.payload)
	return `"payload":` + string(raw) + ",", err
}

// withSignature gives the file as general JSON with one more signature.
func (m *message) withSignature(object string) string {
	if m.root != nil && m.root.get("signatures") != nil {
		at := m.root.get("signatures").end - 1
		return m.src[:at] + "," + object + m.src[at:]
	}
	s := m.signatures[0]
	first := signatureObject(s.protected, nil, s.encodedValue)
	payload, _ := m.payloadMember() // a string that was read is one that can be written
	if m.root == nil {
		return "{" + payload + `"signatures":[` + first + "," + object + "]}"
	}
	if h := m.root.get("header"); h != nil {
		first = `{"protected":"` + s.protected + `","header":` + m.src[h.start:h.end] + `,"signature":"` + s.encodedValue + `"}`
	}
	return "{" + payload + `"signatures":[` + first + "," + object + "]}"
}
