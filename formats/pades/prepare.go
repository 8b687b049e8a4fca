package pades

import (
	"crypto"
	"crypto/x509"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/pdf"
	"sigillo/formats/pdf/appearance"
)

// Options says who signs, what the signature dictionary tells, and where in the document the signature is. The zero values
// make an approval signature in a new field that is not seen.
type Options struct {
	// Certificate is the signer's; its key decides the algorithm.
	Certificate *x509.Certificate
	// Chain is put beside it in the message: the issuers, in any order.
	Chain []*x509.Certificate
	// Hash is the digest of the document and of the signed attributes.
	Hash crypto.Hash
	// PSS signs with RSASSA-PSS instead of PKCS#1 v1.5.
	PSS bool
	// SigningTime is the time that the signer claims, /M, to the second. It is mandatory (EN 319 142-1 §6.3).
	SigningTime time.Time
	// Timestamp is an upper bound in bytes of the time-stamp token that [Prepared.Assemble] will get; 0 means
	// that there will be none, level B-B.
	Timestamp int
	// Reason, Location, Contact and Name go into the dictionary as text strings; empty ones are left out.
	Reason, Location, Contact, Name string

	// Properties are signed beside the document (EN 319 142-1 §6.3). A commitment type or a policy cannot stand beside
	// Reason. Place is said as Location, if that is "". ContentStamps must be over [ContentImprint], and ContentStamp
	// is an upper bound of their bytes, the same in both calls.
	Properties   ades.Properties
	ContentStamp int
	// Password opens an encrypted document, which stays encrypted.
	Password []byte

	// Field is the fully qualified name of the signature field. An empty field of the document that is called so
	// is signed in its place, as its seed values and lock ask. Else a new field gets this name, or Signature1,
	// Signature2 … when it is "".
	Field string
	// Lock is what a new field locks once it is signed; nil: nothing.
	Lock *Lock
	// Certify makes it a certification signature, which must be the first of the document, and says what may be
	// changed afterwards (ISO 32000-2 §12.8.2.2). 0: an approval signature.
	Certify Permission

	// Appearance is what is seen of the signature; nil: nothing. Its Width, Height and Rotate are set here.
	Appearance *appearance.Appearance
	// Page, counted from 1, and Rect say where a new field is: left, bottom, right and top in points, from the
	// lower left corner of the page as it is shown, turned and cropped; a page with a /UserUnit counts in that.
	// Page 0 is the first.
	Page int
	Rect [4]float64
}

// maxText bounds Reason, Location, Contact and Name, in bytes of UTF-8.
const maxText = 4096

// maxTimestamp bounds what may be reserved for a token.
const maxTimestamp = 1 << 20

func (o Options) check() error {
	switch {
	case o.Certificate == nil:
		return failure(BadOptions, "a signature needs the signer's certificate")
	case o.SigningTime.IsZero() || o.SigningTime.UTC().Year() < 1970 || o.SigningTime.UTC().Year() > 9999:
		return failure(BadOptions, "a PAdES signature needs a signing time")
	case o.SigningTime.Before(o.Certificate.NotBefore) || o.SigningTime.After(o.Certificate.NotAfter):
		return failure(BadOptions, "the certificate is not valid at the signing time")
	case o.Timestamp < 0 || o.Timestamp > maxTimestamp:
		return failure(BadOptions, "no time-stamp has %d bytes", o.Timestamp)
	case o.ContentStamp < 0 || o.ContentStamp > maxTimestamp:
		return failure(BadOptions, "no content time-stamps have %d bytes", o.ContentStamp)
	case o.Reason != "" && (len(o.Properties.Commitments) > 0 || o.Properties.Policy != nil):
		return failure(BadOptions, "a PAdES signature says its reason or its commitment type and policy, not both (EN 319 142-1 §6.3)")
	case o.Location != "" && o.Properties.Place != nil:
		return failure(BadOptions, "a PAdES signature says its place once: give the location or the place")
	case o.Certify < 0 || o.Certify > FillFormsAnnotate:
		return failure(BadOptions, "a certification permits 1, 2 or 3, not %d", o.Certify)
	case !o.Hash.Available():
		return failure(BadOptions, "this digest algorithm is not available")
	}
	for _, s := range []string{o.Reason, o.Location, o.Contact, o.Name, o.Field} {
		if len(s) > maxText || !utf8.ValidString(s) {
			return failure(BadOptions, "reason, location, contact, name and field must be UTF-8 of at most %d bytes", maxText)
		}
	}
	if err := o.Lock.check(); err != nil {
		return err
	}
	return o.widget().check()
}

func (l *Lock) check() error {
	switch {
	case l == nil:
	case l.Action != "All" && l.Action != "Include" && l.Action != "Exclude":
		return failure(BadOptions, "a lock's action is All, Include or Exclude, not %q", l.Action)
	case l.Permission < 0 || l.Permission > FillFormsAnnotate:
		return failure(BadOptions, "a lock permits 1, 2 or 3, not %d", l.Permission)
	case len(l.Fields) > maxLocked:
		return failure(BadOptions, "a lock names at most %d fields", maxLocked)
	}
	return nil
}

func (o Options) widget() widget { return widget{o.Page, o.Rect, o.Appearance} }

// signer gives the options of the CMS message. What the dictionary says is not said in it: the time and the place.
func (o Options) signer() cms.SignerOptions {
	p := o.Properties
	p.Place = nil
	return cms.SignerOptions{Certificate: o.Certificate, Chain: o.Chain, Hash: o.Hash, PSS: o.PSS, Properties: p}
}

// location is the /Location of the dictionary.
func (o Options) location() string {
	p := o.Properties.Place
	if o.Location != "" || p == nil {
		return o.Location
	}
	var parts []string
	for _, s := range []string{p.Street, strings.TrimSpace(p.PostalCode + " " + p.City), p.Province, p.Country} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// Prepared is a signed document that lacks the document and the signature value. It is plain data, may be stored
// as JSON, and holds nothing secret.
type Prepared struct {
	appendix // Size, Check, Tail, Contents, Room
	// Field is the name of the signature field.
	Field string `json:"field"`
	// Timestamp is that of [Options].
	Timestamp int           `json:"timestamp,omitempty"`
	CMS       *cms.Prepared `json:"cms"`
}

// Prepare builds everything of a signature but its value. The document is read through a small window, then once from
// end to end for the digest; only the appended part, some kilobytes, is kept.
//
// It refuses an encrypted document, one whose earlier signatures forbid this one (NotPermitted), one with an XFA form,
// and one that is not well formed (see package pdf).
func Prepare(doc io.ReaderAt, size int64, o Options) (*Prepared, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &Prepared{Timestamp: o.Timestamp}
	sum, err := p.layout(doc, size, o)
	if err != nil {
		return nil, err
	}
	if p.CMS, err = cms.Prepare(sum, o.signer()); err != nil {
		return nil, fromCMS(err)
	}
	if len(o.Properties.ContentStamps) > 0 && p.CMS.MaxSize(p.Timestamp) > p.Room {
		return nil, failure(BadOptions, "the content time-stamps have more than the %d bytes that were reserved", o.ContentStamp)
	}
	return p, nil
}

// ContentImprint gives what a content time-stamp of the signature with these options must be over (EN 319 122-1 §5.2.8): the
// digest of the ranges that will be signed. With o.ContentStamp and all the rest the same, [Prepare] signs the same ranges.
// The digest algorithm is o.Hash.
func ContentImprint(doc io.ReaderAt, size int64, o Options) ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return new(Prepared).layout(doc, size, o)
}

// stampRoom is more than the headers that content time-stamps need beside their own bytes.
const stampRoom = 64

// layout builds the revision and gives the digest of the ranges.
func (p *Prepared) layout(doc io.ReaderAt, size int64, o Options) ([]byte, error) {
	// The message has the same size for every digest: a first one of zeros tells how much room to keep.
	blank := o.signer()
	blank.Properties.ContentStamps = nil
	m, err := cms.Prepare(make([]byte, o.Hash.Size()), blank)
	if err != nil {
		return nil, fromCMS(err)
	}
	room := m.MaxSize(o.Timestamp)
	if o.ContentStamp > 0 {
		room += o.ContentStamp + stampRoom
	}
	if err := p.build(doc, size, o, room); err != nil {
		return nil, fromPDF(err)
	}
	return p.sum(doc, o.Hash)
}

// build encodes the revision with the signature, without its message.
func (p *Prepared) build(doc io.ReaderAt, size int64, o Options, room int) error {
	f, err := open(doc, size, o.Password)
	if err != nil {
		return err
	}
	fm, err := readForm(f)
	if err != nil {
		return err
	}
	e, err := newEdit(f, fm)
	if err != nil {
		return err
	}
	t, err := e.plan(o)
	if err != nil {
		return err
	}
	p.Field = t.name
	g := &gap{room: room}
	sig, err := e.add(g.fill(t.dictionary(o, f.Root())))
	if err != nil {
		return err
	}
	if err := e.sign(t.target, sig, o.widget()); err != nil {
		return err
	}
	if o.Certify != 0 {
		if err := e.certify(sig); err != nil {
			return err
		}
	}
	tail, err := e.bytes()
	if err != nil {
		return err
	}
	p.appendix, err = newAppendix(size, tail, g)
	return err
}

// plan is the field to be signed, with the restrictions that its signature will state.
type plan struct {
	target
	docMDP Permission
}

// plan finds the field and asks whether the document's form, its earlier signatures and the field's seed values permit it
// to be signed so.
func (e *edit) plan(o Options) (plan, error) {
	var p plan
	err := e.form.mayGetFields()
	if err != nil {
		return p, err
	}
	if p.target, err = e.form.target(o.Field, o.Lock); err != nil {
		return p, err
	}
	if err := e.mayWrite(p.target); err != nil {
		return p, err
	}
	earlier, err := e.form.restricted()
	if err != nil {
		return p, err
	}
	if err := earlier.maySign(p.name); err != nil {
		return p, err
	}
	if earlier.docMDP == FillForms && p.ref == (pdf.Ref{}) && o.Appearance != nil {
		return p, failure(NotPermitted, "an earlier signature permits no annotations, so a new signature cannot be visible; sign a field that is there, or invisibly")
	}
	if o.Certify != 0 && (earlier.certified || len(e.form.signed) > 0) {
		return p, failure(NotPermitted, "only the first signature of a document can certify it, and this one has signatures")
	}
	if err := e.form.checkSeed(p.seed, o); err != nil {
		return p, err
	}
	p.docMDP = o.Certify
	if p.lock == nil || p.lock.Permission == 0 {
		return p, nil
	}
	// A lock can only permit less than what came before (ISO 32000-2 §12.7.5.5, table 236).
	p.docMDP = p.lock.Permission
	for _, limit := range []Permission{o.Certify, earlier.docMDP} {
		if limit != 0 {
			p.docMDP = min(p.docMDP, limit)
		}
	}
	return p, nil
}

// dictionary is the signature dictionary (ISO 32000-1 §12.8.1 table 252, EN 319 142-1 §6.3) without what the gap fills in.
func (p plan) dictionary(o Options, root pdf.Ref) pdf.Dict {
	d := pdf.Dict{
		"Type":      pdf.Name("Sig"),
		"Filter":    pdf.Name("Adobe.PPKLite"),
		"SubFilter": pdf.Name("ETSI.CAdES.detached"),
		"M":         pdf.Date(o.SigningTime),
	}
	for key, text := range map[pdf.Name]string{"Reason": o.Reason, "Location": o.location(), "ContactInfo": o.Contact, "Name": o.Name} {
		if text != "" {
			d[key] = pdf.TextString(text)
		}
	}
	var refs pdf.Array
	if p.docMDP != 0 {
		refs = append(refs, pdf.Dict{"Type": pdf.Name("SigRef"), "TransformMethod": pdf.Name("DocMDP"),
			"TransformParams": pdf.Dict{"Type": pdf.Name("TransformParams"), "P": pdf.Integer(p.docMDP), "V": pdf.Name("1.2")}})
	}
	if p.lock != nil {
		parms := p.lock.dict("TransformParams")
		parms["V"] = pdf.Name("1.2")
		refs = append(refs, pdf.Dict{"Type": pdf.Name("SigRef"), "TransformMethod": pdf.Name("FieldMDP"), "Data": root,
			"TransformParams": parms})
	}
	if refs != nil {
		d["Reference"] = refs
	}
	return d
}

// certify names the signature in the /Perms of the catalog (§12.8.4, table 258).
func (e *edit) certify(sig pdf.Ref) error {
	at, o, err := locate(e.f, e.form.catalog["Perms"])
	if err != nil {
		return err
	}
	d, _ := o.(pdf.Dict)
	if at.indirect && d != nil {
		e.own(at.ref, d)["DocMDP"] = sig
		return nil
	}
	c := pdf.Dict{}
	for k, v := range d {
		c[k] = v
	}
	c["DocMDP"] = sig
	e.catalog()["Perms"] = c
	return nil
}
