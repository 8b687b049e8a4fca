package pades

import (
	"crypto/x509"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/pdf"
)

// DSS is the document security store of a document (ETSI EN 319 142-1 §5.4.2, ISO 32000-2 §12.8.4.3): what is needed of the
// world to check its signatures.
type DSS struct {
	Certs, CRLs, OCSPs []Datum
	// VRI holds, for some signatures, which of these belong to it. The key is the SHA-1 digest of the value of the
	// signature's /Contents in upper-case hexadecimal digits.
	VRI map[string]VRI
}

// Datum is a certificate, a revocation list or an OCSP response, in DER.
type Datum struct {
	DER []byte
	// End is the offset in the file after the stream that holds it: signed ranges that end there or later cover it.
	End int64

	ref pdf.Ref
}

// VRI is the validation-related information of one signature (EN 319 142-1 §5.4.2.3).
type VRI struct {
	Certs, CRLs, OCSPs []Datum
	Time               time.Time // /TU, when it was put together, as the writer says
	Stamp              []byte    // /TS, a time-stamp token to the same effect
}

// Evidence gives all that is in the store. What is no certificate is left out.
func (d *DSS) Evidence() ades.Evidence {
	var e, more ades.Evidence
	if d == nil {
		return e
	}
	take := func(certs, crls, ocsps []Datum) {
		for _, c := range certs {
			if cert, err := x509.ParseCertificate(c.DER); err == nil {
				more.Certificates = append(more.Certificates, cert)
			}
		}
		for _, c := range crls {
			more.CRLs = append(more.CRLs, c.DER)
		}
		for _, c := range ocsps {
			more.OCSP = append(more.OCSP, c.DER)
		}
	}
	take(d.Certs, d.CRLs, d.OCSPs)
	for _, v := range d.VRI {
		take(v.Certs, v.CRLs, v.OCSPs)
	}
	e.Add(more) // once: there may be thousands of VRI
	return e
}

// places gives what is in the store, each once, with where it ends.
func (d *DSS) places() (out []carried) {
	if d == nil {
		return nil
	}
	seen := map[pdf.Ref]bool{}
	take := func(lists ...[]Datum) {
		for _, list := range lists {
			for _, v := range list {
				if !seen[v.ref] {
					seen[v.ref] = true
					out = append(out, carried{v.End, v.DER})
				}
			}
		}
	}
	take(d.Certs, d.CRLs, d.OCSPs)
	for _, v := range d.VRI {
		take(v.Certs, v.CRLs, v.OCSPs)
	}
	return out
}

const (
	// maxData bounds the entries of all arrays of a store together.
	maxData = 20_000
	// maxDataBytes bounds the streams of a store together, decoded.
	maxDataBytes = 64 << 20
)

// dssReader reads a store. A stream is decoded once, however often it is referred to.
type dssReader struct {
	f       *pdf.File
	known   map[pdf.Ref]Datum
	entries int
	bytes   int64
	parsed  int64 // what f had parsed before
}

// readDSS reads the /DSS of the catalog; nil: there is none.
func readDSS(f *pdf.File) (*DSS, error) {
	catalog, err := f.Catalog()
	if err != nil {
		return nil, fromPDF(err)
	}
	d, ok, err := pdf.As[pdf.Dict](f, catalog["DSS"])
	if err != nil || !ok {
		return nil, fromPDF(err)
	}
	r := &dssReader{f: f, known: map[pdf.Ref]Datum{}, parsed: f.Parsed()}
	out := &DSS{}
	if err := r.lists(d, "s", &out.Certs, &out.CRLs, &out.OCSPs); err != nil {
		return nil, fromPDF(err)
	}
	vri, _, err := pdf.As[pdf.Dict](f, d["VRI"])
	if err != nil {
		return nil, fromPDF(err)
	}
	for key, o := range vri {
		if key == "Type" {
			continue
		}
		v, err := r.vri(o)
		if err != nil {
			return nil, fromPDF(err)
		}
		if out.VRI == nil {
			out.VRI = map[string]VRI{}
		}
		out.VRI[printable(strings.ToUpper(string(key)))] = v
	}
	return out, nil
}

// lists reads the three arrays, which have one name in the store and another in its /VRI.
func (r *dssReader) lists(d pdf.Dict, plural pdf.Name, certs, crls, ocsps *[]Datum) (err error) {
	for key, to := range map[pdf.Name]*[]Datum{"Cert": certs, "CRL": crls, "OCSP": ocsps} {
		if *to, err = r.list(d[key+plural]); err != nil {
			return err
		}
	}
	return nil
}

func (r *dssReader) list(o pdf.Object) ([]Datum, error) {
	a, _, err := pdf.As[pdf.Array](r.f, o)
	if err != nil {
		return nil, err
	}
	if r.entries += len(a); r.entries > maxData {
		return nil, failure(Limit, "the document security store has more than %d entries", maxData)
	}
	var out []Datum
	for _, o := range a {
		v, err := r.datum(o)
		if err != nil {
			return nil, err
		}
		if v.DER != nil {
			out = append(out, v)
		}
	}
	return out, nil
}

// datum reads a stream. What is missing is left out.
func (r *dssReader) datum(o pdf.Object) (Datum, error) {
	ref, _ := o.(pdf.Ref)
	if v, ok := r.known[ref]; ok {
		return v, nil
	}
	s, ok, err := pdf.As[*pdf.Stream](r.f, o)
	if err != nil || !ok {
		return Datum{}, err
	}
	if r.f.Parsed()-r.parsed > maxFormText {
		return Datum{}, failure(Limit, "the document security store has more than %d bytes of text", maxFormText)
	}
	data, err := r.f.Decoded(s, maxDataBytes-r.bytes)
	if err != nil {
		return Datum{}, err
	}
	r.bytes += int64(len(data))
	v := Datum{DER: data, End: s.Offset + s.Length, ref: s.Ref}
	r.known[ref] = v
	return v, nil
}

func (r *dssReader) vri(o pdf.Object) (v VRI, err error) {
	d, _, err := pdf.As[pdf.Dict](r.f, o)
	if err != nil {
		return v, err
	}
	if r.entries++; r.entries > maxData {
		return v, failure(Limit, "the document security store has more than %d entries", maxData)
	}
	if err := r.lists(d, "", &v.Certs, &v.CRLs, &v.OCSPs); err != nil {
		return v, err
	}
	when, ok, err := pdf.As[pdf.String](r.f, d["TU"])
	if err != nil {
		return v, err
	}
	if ok {
		v.Time, _ = pdf.ParseDate(when)
	}
	if d["TS"] != nil {
		stamp, err := r.datum(d["TS"])
		if err != nil {
			return v, err
		}
		v.Stamp = stamp.DER
	}
	return v, nil
}
