package validate

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"sigillo/formats/certpath"
	"sigillo/formats/validate/policy"
)

// Options are what the validation knows about the world.
type Options struct {
	// Anchors are the certificates trusted by decision, usually roots.
	Anchors []*x509.Certificate
	// Intermediates may complete paths; those in the signature are used anyway.
	Intermediates []*x509.Certificate
	// CRLs and OCSP are DER lists and answers; where several speak about the
	// same certificate the newest decides.
	CRLs, OCSP [][]byte
	// Policy are the rules about algorithms; nil: policy.Default.
	Policy *policy.Policy
	// Constraints are the inputs of RFC 5280 §6.1.1; the zero value: any policy.
	Constraints certpath.Constraints
	// Fetch gets what is missing; nil: nothing is got.
	Fetch Fetcher
	// Unvouched are the policies of time-stamps whose time nobody vouches for, such as
	// those of demonstrations. A remark says so; the indication is not touched.
	Unvouched []asn1.ObjectIdentifier

	// Time of validation; required.
	Time time.Time
	// Content is the signed document of a detached signature (.p7s) or the
	// stamped one of a time-stamp (.tsr); nil when there is none.
	Content     io.ReaderAt
	ContentSize int64
	// Contents are more such documents, by the names under which the signature
	// refers to them, each once. Content is one without a name. If there is only
	// one in all, it is taken whatever name the signature uses.
	Contents []Content
	// Password opens an encrypted PDF.
	Password []byte
}

// Content is a signed document that is not in the file.
type Content struct {
	Name string
	Data io.ReaderAt
	Size int64
	// Digests stand in for Data and Size where the document itself is not known: for
	// CMS signatures and time-stamps.
	Digests map[crypto.Hash][]byte
}

// Fetcher gets on-line what a signature does not carry. What it gives need not
// be right: it is believed only as far as its signatures go. An error means no
// more than nothing. CRLs and OCSP are asked only about certificates with a path
// to an anchor.
type Fetcher interface {
	// Issuers gives certificates that may have issued cert (RFC 5280 §4.2.2.1).
	Issuers(ctx context.Context, cert *x509.Certificate) ([]*x509.Certificate, error)
	// CRLs gives the lists in DER that cert names (§4.2.1.13).
	CRLs(ctx context.Context, cert *x509.Certificate) ([][]byte, error)
	// OCSP gives OCSPResponses in DER about cert (RFC 6960).
	OCSP(ctx context.Context, cert, issuer *x509.Certificate) ([][]byte, error)
}

// Validator holds what stays the same from file to file: anchors, lists, and a
// cache of certificate signatures and lists already checked, which is most of
// the work for a service that sees the same few authorities every day. It may be
// used by many goroutines.
type Validator struct {
	policy      *policy.Policy
	constraints certpath.Constraints
	unvouched   []asn1.ObjectIdentifier
	fetch       Fetcher
	search      *certpath.Search
	sources     *certpath.Sources
	cache       *certpath.Cache
}

// New makes a Validator. Of the options it takes those about the world, and
// leaves time and contents to each call. The error has the kind BadOptions.
func New(o Options) (*Validator, error) {
	v := &Validator{policy: o.Policy, constraints: o.Constraints, unvouched: o.Unvouched, fetch: o.Fetch, cache: certpath.NewCache(0)}
	if v.policy == nil {
		v.policy = policy.Default()
	}
	v.search = &certpath.Search{Anchors: o.Anchors, Intermediates: o.Intermediates}
	v.sources = &certpath.Sources{Search: v.search.With(nil, &certpath.Verifier{Cache: v.cache})}
	for _, der := range o.CRLs {
		if err := v.sources.AddCRL(der); err != nil {
			return nil, fail(BadOptions, err, "a given revocation list cannot be read")
		}
	}
	for _, der := range o.OCSP {
		if err := v.sources.AddOCSP(der); err != nil {
			return nil, fail(BadOptions, err, "a given OCSP answer cannot be read")
		}
	}
	return v, nil
}

// Document is a file to validate.
type Document struct {
	Data io.ReaderAt
	Size int64
	Name string // goes into the report only
	Time time.Time
	// Contents and Password are those of [Options].
	Contents []Content
	Password []byte
}

// Validate validates all signatures of a file. name goes into the report
// only; the kind of file is recognised by its content. The error is an *Error
// and means that there is no result at all; whatever is wrong with a
// signature is in the report. Kinds: Unreadable, Encrypted, Limit,
// BadOptions, Failed.
func Validate(r io.ReaderAt, size int64, name string, o Options) (Report, error) {
	v, err := New(o)
	if err != nil {
		return Report{}, err
	}
	return v.Validate(context.Background(), Document{Data: r, Size: size, Name: name, Time: o.Time, Contents: o.contents(), Password: o.Password})
}

func (o Options) contents() []Content {
	if o.Content == nil {
		return o.Contents
	}
	return append([]Content{{Data: o.Content, Size: o.ContentSize}}, o.Contents...)
}

// Validate is the function of the same name with what the Validator knows. The
// context ends fetching only.
func (v *Validator) Validate(ctx context.Context, d Document) (Report, error) {
	f, err := v.open(ctx, d)
	if err != nil {
		return Report{}, err
	}
	f.readStamps()
	f.gather()
	f.judgeStamps()
	return f.report(), nil
}

// validation is the validation of one file.
type validation struct {
	*Validator
	ctx      context.Context
	doc      Document
	at       time.Time // of validation
	format   string
	form     string // of the container, if it is one
	subjects []*subject

	search    *certpath.Search
	sources   *certpath.Sources
	poes      *poes
	chains    map[object]*chain // of certificates, at the time of validation
	tokens    map[object]*stamp // by the DER
	ordered   []*stamp          // the same, newest first
	notBefore map[*subject]time.Time
	sums      sums
	spoken    map[[2]object][]object // sums of the statements about a certificate by its issuer
	envelopes int                    // around what is being read
	missed    bool                   // a statement against a certificate was left out since nothing was found about its signer
}

// open reads the signatures of a file.
func (v *Validator) open(ctx context.Context, d Document) (*validation, error) {
	if d.Time.IsZero() {
		return nil, fail(BadOptions, nil, "the time of validation is missing")
	}
	f := &validation{Validator: v, ctx: ctx, doc: d, at: d.Time.UTC(), poes: newPOEs(d.Time),
		chains: map[object]*chain{}, tokens: map[object]*stamp{}, notBefore: map[*subject]time.Time{}, sums: sums{}, spoken: map[[2]object][]object{}}
	if err := uniqueNames(d.Contents); err != nil {
		return nil, err
	}
	f.doc.Contents = slices.Clone(d.Contents)
	for i, c := range d.Contents {
		if c.unseen() {
			f.doc.Contents[i].Data, f.doc.Contents[i].Size = nothing{}, 1
		}
	}
	if err := f.read(d.Data, d.Size); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(d.Contents, Content.unseen) && f.format != "cms" && f.format != "timestamp" {
		return nil, fail(BadOptions, nil, "signatures of this kind need the document, not its digest")
	}
	f.notNamed()
	if len(f.subjects) > maxSubjects {
		return nil, fail(Limit, nil, "the file has more than %d signatures", maxSubjects)
	}
	f.number()
	return f, nil
}

// unseen says that only digests of the document are known.
func (c Content) unseen() bool { return c.Digests != nil }

// nothing is in place of a document that is not known.
type nothing struct{}

func (nothing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("the document is not known") }

// digest gives the digests of the document.
func (c Content) digest() imprinter {
	if !c.unseen() {
		return digestOfReader(c.Data, c.Size)
	}
	return func(h crypto.Hash) ([]byte, error) {
		if d, ok := c.Digests[h]; ok {
			return d, nil
		}
		return nil, fail(Failed, nil, "the document is not known, nor its digest by %v", h)
	}
}

// uniqueNames refuses contents of which one would be taken for the other.
func uniqueNames(contents []Content) error {
	seen := map[string]bool{}
	for _, c := range contents {
		if seen[c.Name] {
			return fail(BadOptions, nil, "two contents have the name %q: one of them would not be looked at", printable(c.Name))
		}
		seen[c.Name] = true
	}
	return nil
}

// notNamed says of the contents that were given which no signature is of.
func (v *validation) notNamed() {
	if len(v.doc.Contents) < 2 { // a single one is looked at whatever its name
		return
	}
	named := map[string]bool{}
	for _, s := range v.subjects {
		for _, name := range s.covers {
			named[name] = true
			if plain, err := url.PathUnescape(name); err == nil { // as JAdES writes it
				named[plain] = true
			}
		}
	}
	for _, c := range v.doc.Contents {
		for _, s := range v.subjects {
			if !named[c.Name] && s.parent == "" {
				s.findings = append(s.findings, remark("not-named", c.Name))
			}
		}
	}
}

// number names the signatures for the report, in the order of the file; counter-
// signatures after their parents, which the readers leave so.
func (v *validation) number() {
	n, under := 0, map[string]int{}
	for _, s := range v.subjects {
		if s.parent == "" {
			n++
			s.id = fmt.Sprintf("S%d", n)
			continue
		}
		under[s.parent]++
		s.id = fmt.Sprintf("%s-C%d", s.parent, under[s.parent])
	}
}

// report judges the signatures and writes down what came out.
func (v *validation) report() Report {
	r := Report{File: printable(filepath.Base(v.doc.Name)), Format: v.format, Form: v.form, Validated: v.at,
		Policy: v.policy.Name + " " + v.policy.Version, Indication: NoSignature, Signatures: []SignatureReport{}}
	o := newObjects(v)
	for i, s := range v.subjects {
		sr := v.signatureReport(s, o)
		if i == 0 || sr.Indication.rank() > r.Indication.rank() {
			r.Indication = sr.Indication
		}
		if r.Form == "" || v.form == "" && r.Form != s.form {
			r.Form = map[bool]string{true: s.form, false: "mixed"}[i == 0]
		}
		r.Signatures = append(r.Signatures, sr)
	}
	r.objects = o.list
	return r
}
