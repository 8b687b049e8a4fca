package jades

import (
	"crypto/x509"
	"io"
	"slices"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// The limits of what one file may ask of its reader.
const (
	maxSignatures   = 64
	maxUnsigned     = 256 // entries of one etsiU
	maxCounters     = 3   // depth of counter-signatures
	maxCertificates = 512 // of one signature; also with lists and answers, in all of etsiU
	maxStamps       = 64
	maxReferences   = 1024 // documents of one detached signature
)

// Reference is a document that a detached signature names in sigD.
type Reference struct {
	URI       string
	MediaType string
	Digest    []byte // nil with the mechanism ObjectIdByURI, whose digests are not apart
}

// Signature is one signature of a file. Nothing of it is verified before [Signature.Verify].
type Signature struct {
	Serialization Serialization
	// AlgorithmName is the alg of the header, Algorithm what it means; it is zero
	// if it is not supported.
	AlgorithmName string
	Algorithm     cms.Algorithm
	Value         []byte // as the JWS carries it
	// Certificate is the signer's: the first of x5c, or the one among those
	// embedded that the signed thumbprint means. A caller that has it from
	// elsewhere may set it.
	Certificate  *x509.Certificate
	Certificates []*x509.Certificate // of x5c, in its order
	SigningTime  time.Time           // claimed; zero if it is not said
	ContentType  string              // media type of the payload; "" if it is not said
	// Detached is true if the payload is not in the file. References are what sigD
	// names; a detached signature without sigD is over one document without name.
	Detached   bool
	References []Reference
	Properties ades.Properties
	// Beside are the names of members of the JSON text and of the unprotected header
	// that nothing protects. RFC 7515 §7.2.1 says that they are to be ignored; who
	// shows the text to people should not show them as signed. At most 16 are given.
	Beside []string
	// Counters are the counter-signatures under this signature.
	Counters []*Signature

	problem      error // why it cannot be verified
	protected    string
	encodedValue string
	payload      string // as the signing input has it
	unencoded    bool   // b64 is false
	header       *value // protected
	etsiU        []entry
	mechanism    string
	digestName   string // hashM
	thumbprints  []thumbprint
	parent       *Signature
	object       *value // in the file's text; nil for compact ones
}

// entry is one entry of etsiU.
type entry struct {
	name    string
	content *value
	octets  string // as they go into an archive time-stamp; "" when plain
	plain   bool   // an object and not base64url
	// evidence is what xVals, rVals and their like hold, as far as it can be read.
	evidence ades.Evidence
}

// message is a whole file.
type message struct {
	src        string
	compact    bool
	root       *value // nil for compact
	payload    string
	hasPayload bool
	signatures []*Signature
}

func (m *message) sum() []byte { return sha256Of(m.src) }

// Signatures reads the signatures of a file, in their order. It fails only for
// files that are no JWS or beyond a limit; what is wrong with one signature its
// Verify tells. Kinds: NotJWS, Malformed, Limit, Failed.
func Signatures(file io.ReaderAt, size int64) ([]*Signature, error) {
	m, err := readMessage(file, size)
	if err != nil {
		return nil, err
	}
	return m.signatures, nil
}

func readMessage(file io.ReaderAt, size int64) (*message, error) {
	if file == nil || size < 0 || size > maxSize {
		return nil, fail(cms.Limit, "the file has %d octets, more than the %d that can be read as JWS; sign large documents detached", size, maxSize)
	}
	b := make([]byte, size)
	if n, err := file.ReadAt(b, 0); int64(n) != size {
		return nil, wrap(cms.Failed, err, "reading the file")
	}
	return parseMessage(string(b))
}

func parseMessage(src string) (*message, error) {
	m := &message{src: src}
	if strings.HasPrefix(strings.TrimLeft(src, " \t\r\n"), "{") {
		return m, m.parseJSON()
	}
	m.compact = true
	parts := strings.Split(strings.TrimRight(src, "\r\n"), ".")
	if len(parts) != 3 {
		return nil, fail(NotJWS, "the file is neither a JSON text nor a compact JWS")
	}
	s := &Signature{Serialization: Compact, protected: parts[0], payload: parts[1], encodedValue: parts[2]}
	raw, err := unb64(parts[0])
	if err != nil || len(raw) == 0 || raw[0] != '{' {
		return nil, fail(NotJWS, "the file is neither a JSON text nor a compact JWS")
	}
	m.payload, m.hasPayload = parts[1], parts[1] != ""
	s.Detached = !m.hasPayload
	s.problem = s.read(nil, 0)
	m.signatures = []*Signature{s}
	return m, nil
}

func (m *message) parseJSON() error {
	var err error
	if m.root, err = parseJSON(m.src); err != nil {
		return err
	}
	list, single := m.root.get("signatures"), m.root.get("signature")
	switch {
	case m.root.kind != jsonObject || list == nil && single == nil:
		return fail(NotJWS, "the JSON text is not a JWS")
	case list != nil && (single != nil || m.root.get("protected") != nil || m.root.get("header") != nil):
		return fail(cms.Malformed, "the JWS is flattened and general at once (RFC 7515 §7.2.2)")
	case list != nil && (list.kind != jsonArray || len(list.items) == 0 || len(list.items) > maxSignatures):
		return fail(cms.Malformed, "a JWS has from one to %d signatures", maxSignatures)
	}
	if err := sameLetters(m.root, "payload", "signatures", "protected", "header", "signature"); err != nil {
		return err
	}
	if p := m.root.get("payload"); p != nil {
		if p.kind != jsonString {
			return fail(cms.Malformed, "the payload of the JWS is not a string")
		}
		m.payload, m.hasPayload = p.text, p.text != ""
	}
	objects, serialization := []*value{m.root}, Flattened
	if list != nil {
		objects, serialization = list.items, General
	}
	for _, o := range objects {
		s := &Signature{Serialization: serialization, payload: m.payload, Detached: !m.hasPayload}
		s.problem = s.readObject(o, 0)
		s.findBeside(m.root, o)
		m.signatures = append(m.signatures, s)
	}
	return nil
}

// findBeside notes what a JWS and one of its signatures have that nothing protects.
func (s *Signature) findBeside(root, object *value) {
	note := func(v *value, where string, known ...string) {
		if v == nil {
			return
		}
		for _, name := range v.names {
			if !slices.Contains(known, name) && len(s.Beside) < 16 {
				s.Beside = append(s.Beside, where+name)
			}
		}
	}
	note(root, "", "payload", "signatures", "protected", "header", "signature")
	if object != root {
		note(object, "signatures/", "protected", "header", "signature")
	}
	note(object.get("header"), "header/", "etsiU")
}

// readObject reads the members protected, header and signature.
func (s *Signature) readObject(o *value, depth int) error {
	s.object = o
	if o.kind != jsonObject {
		return fail(cms.Malformed, "a signature of the JWS is not an object")
	}
	if err := sameLetters(o, "protected", "header", "signature"); err != nil {
		return err
	}
	s.protected, s.encodedValue = o.str("protected"), o.str("signature")
	if s.protected == "" {
		return fail(cms.Malformed, "the signature has no protected header")
	}
	return s.read(o.get("header"), depth)
}

// read reads a signature whose three strings are known, with its unprotected header.
func (s *Signature) read(unprotected *value, depth int) error {
	raw, err := unb64(s.protected)
	if err != nil {
		return err
	}
	if s.header, err = parseJSON(string(raw)); err != nil {
		return err
	}
	if s.header.kind != jsonObject {
		return fail(cms.Malformed, "the protected header is not an object")
	}
	if s.Value, err = unb64(s.encodedValue); err != nil {
		return err
	}
	if err := s.checkUnprotected(unprotected); err != nil {
		return err
	}
	if err := s.readHeader(unprotected); err != nil {
		return err
	}
	if !s.unencoded && s.parent == nil {
		if err := checkB64(s.payload); err != nil {
			return err
		}
	}
	if err := s.readUnsigned(unprotected, depth); err != nil {
		return err
	}
	s.findCertificate()
	return nil
}

// sameLetters refuses members that are one of these names in other letters: JSON
// tells them apart, but many readers do not, and they would see another JWS than we.
func sameLetters(o *value, names ...string) error {
	for _, have := range o.names {
		for _, name := range names {
			if have != name && strings.EqualFold(have, name) {
				return fail(cms.Malformed, "the name %q is %q in other letters", have, name)
			}
		}
	}
	return nil
}

// checkB64 refuses a payload that is not strict base64url, without holding it.
func checkB64(s string) error {
	if strings.ContainsAny(s, "\r\n=") {
		return fail(cms.Malformed, "the payload is not base64url (RFC 7515 §2)")
	}
	if _, err := io.Copy(io.Discard, decoder(s)); err != nil {
		return wrap(cms.Malformed, err, "the payload is not base64url (RFC 7515 §2)")
	}
	return nil
}

// checkUnprotected refuses parameters whose place is under the signature, and
// names in both headers (RFC 7515 §7.2.1).
func (s *Signature) checkUnprotected(h *value) error {
	if h == nil {
		return nil
	}
	if h.kind != jsonObject {
		return fail(cms.Malformed, "the unprotected header is not an object")
	}
	if err := sameLetters(h, "etsiU"); err != nil {
		return err
	}
	for _, name := range h.names {
		if s.header.get(name) != nil || understood[name] && name != "etsiU" {
			return fail(cms.Malformed, "the parameter %q stands in the unprotected header, where it proves nothing", name)
		}
	}
	return nil
}

// readUnsigned reads etsiU (§5.3.1).
func (s *Signature) readUnsigned(unprotected *value, depth int) error {
	list := unprotected.get("etsiU")
	if list == nil {
		return nil
	}
	if list.kind != jsonArray || len(list.items) > maxUnsigned {
		return fail(cms.Malformed, "etsiU is not an array of at most %d entries", maxUnsigned)
	}
	found := 0
	for _, v := range list.items {
		e := entry{plain: v.kind == jsonObject}
		object := v
		if !e.plain {
			raw, err := unb64(v.text)
			if err != nil || v.kind != jsonString {
				return fail(cms.Malformed, "an entry of etsiU is neither an object nor base64url of one")
			}
			if object, err = parseJSON(string(raw)); err != nil {
				return err
			}
			e.octets = v.text
		}
		if object.kind != jsonObject || len(object.names) != 1 {
			return fail(cms.Malformed, "an entry of etsiU is not an object of one member")
		}
		if len(s.etsiU) > 0 && s.etsiU[0].plain != e.plain {
			return fail(cms.Malformed, "etsiU mixes objects and base64url (TS 119 182-1 §5.3.1)")
		}
		e.name, e.content = object.names[0], object.items[0]
		e.evidence = e.readEvidence()
		if found += len(e.evidence.Certificates) + len(e.evidence.CRLs) + len(e.evidence.OCSP); found > maxCertificates {
			return fail(cms.Limit, "the signature carries more than %d certificates, lists and answers", maxCertificates)
		}
		s.etsiU = append(s.etsiU, e)
		if e.name == "cSig" {
			if err := s.readCounter(e.content, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// plain reports whether the entries of etsiU are objects.
func (s *Signature) plain() bool { return len(s.etsiU) > 0 && s.etsiU[0].plain }

// readCounter reads a counter-signature: a compact or a flattened JWS whose payload
// is the signature value of its parent (§5.3.2).
func (s *Signature) readCounter(v *value, depth int) error {
	if depth > maxCounters {
		return fail(cms.Limit, "counter-signatures are nested more than %d deep", maxCounters)
	}
	c := &Signature{parent: s, Detached: true}
	payload := ""
	switch {
	case v.kind == jsonObject && v.get("signatures") == nil:
		c.Serialization, payload = Flattened, v.str("payload")
		c.problem = c.readObject(v, depth)
		c.object = nil // its offsets are in a text of their own
	case v.kind == jsonString:
		parts := strings.Split(v.text, ".")
		if len(parts) != 3 {
			return fail(cms.Malformed, "a counter-signature is not a JWS")
		}
		c.Serialization, c.protected, payload, c.encodedValue = Compact, parts[0], parts[1], parts[2]
		c.problem = c.read(nil, depth)
	default:
		return fail(cms.Malformed, "a counter-signature is not a JWS of one signature")
	}
	if payload != "" && payload != s.encodedValue && c.problem == nil {
		c.problem = fail(cms.Mismatch, "the counter-signature is over another signature value")
	}
	s.Counters = append(s.Counters, c)
	return nil
}

// findCertificate looks for the signer's certificate among all that are embedded if
// x5c is not there.
func (s *Signature) findCertificate() {
	if s.Certificate != nil || len(s.thumbprints) == 0 {
		return
	}
	for _, c := range s.Evidence().Certificates {
		if s.thumbprints[0].matches(c) {
			s.Certificate = c
			return
		}
	}
}
