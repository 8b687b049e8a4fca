package validate

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/certpath"
	"sigillo/formats/cms"
)

// objects collects what the report refers to, each once.
type objects struct {
	v    *validation
	ids  map[object]string
	list []Object
	n    map[ObjectKind]int
}

func newObjects(v *validation) *objects {
	return &objects{v: v, ids: map[object]string{}, n: map[ObjectKind]int{}}
}

var idPrefixes = map[ObjectKind]string{CertificateObject: "C", CRLObject: "R", OCSPObject: "O", TimestampObject: "T"}

// id names an object; proof is the object among the proofs of existence, which
// for a token is its signature value.
func (o *objects) id(k ObjectKind, der []byte, proof object) string {
	key := objectOf(der)
	if id, ok := o.ids[key]; ok {
		return id
	}
	o.n[k]++
	id := fmt.Sprintf("%s%d", idPrefixes[k], o.n[k])
	o.ids[key] = id
	o.list = append(o.list, Object{ID: id, Kind: k, DER: der, Proven: o.v.poes.proven(proof)})
	return id
}

// signatureReport judges a signature and describes the result.
func (v *validation) signatureReport(s *subject, o *objects) SignatureReport {
	d := v.judge(s)
	r := SignatureReport{ID: s.id, Parent: s.parent, Form: s.form, SigningTime: s.claimed, Field: printable(s.field),
		Timestamps: []TimestampReport{}, Properties: properties(s.properties), CoversWholeDocument: s.whole, Changes: s.changes, value: s.value}
	for _, n := range s.covers {
		r.Covers = append(r.Covers, printable(n))
	}
	if s.certificate != nil {
		r.Signer, r.Issuer, r.Serial = name(s.certificate), issuerName(s.certificate), serial(s.certificate)
		if s.algorithm.Scheme != "" {
			r.Algorithm = algorithmName(s.algorithm, s.certificate.PublicKey)
		}
	}
	r.settle(d, v)
	r.Chain, r.Evidence = o.chain(d.chain)
	if !broken(s.findings) {
		r.BestSignatureTime = v.poes.proven(s.object())
		r.Level = string(v.level(s, d))
	}
	if s.token != nil {
		r.SigningTime = s.token.Info.GenTime
		if r.Indication == TotalPassed {
			r.BestSignatureTime = s.token.Info.GenTime
		}
	}
	unvouched := v.unvouchedFor(s.token)
	for _, st := range s.stamps {
		if t := v.tokens[v.sums.of(st.DER)]; t != nil {
			one := v.timestampReport(t, st, o)
			unvouched = unvouched || one.Unvouched
			r.Timestamps = append(r.Timestamps, one)
		}
	}
	if unvouched {
		r.Reasons = append(r.Reasons, because("unvouched"))
	}
	return r
}

// unvouchedFor says whether a token states a policy of Options.Unvouched.
func (v *validation) unvouchedFor(t *cms.Token) bool {
	return t != nil && slices.ContainsFunc(v.unvouched, t.Info.Policy.Equal)
}

// settle takes the worst indication, and the first sub-indication of it.
func (r *SignatureReport) settle(d verdict, v *validation) {
	r.Indication, r.Reasons, r.decisive = TotalPassed, []Reason{}, because("valid", stamped(d.best))
	for _, f := range d.findings {
		if f.indication.rank() > r.Indication.rank() {
			r.Indication, r.SubIndication, r.decisive = f.indication, f.sub, f.reason
		}
		r.Reasons = append(r.Reasons, f.reason)
	}
	if r.Indication == TotalPassed {
		r.Reasons = append([]Reason{r.decisive}, r.Reasons...)
	}
}

// Decisive is the reason for the indication and sub-indication. The others, before
// and behind it among Reasons, are remarks, or count less.
func (r *SignatureReport) Decisive() Reason { return r.decisive }

func (v *validation) timestampReport(t *stamp, st ades.Stamp, o *objects) TimestampReport {
	var s SignatureReport
	s.settle(t.result, v)
	r := TimestampReport{ID: o.id(TimestampObject, st.DER, t.object()), Kind: st.Kind, Time: t.at, Indication: s.Indication, SubIndication: s.SubIndication, Proven: t.existed, Unvouched: v.unvouchedFor(t.token)}
	if t.certificate != nil {
		r.TSA = name(t.certificate)
	}
	r.Chain, r.Evidence = o.chain(t.result.chain)
	return r
}

// chain describes a path and what was said about it.
func (o *objects) chain(c *chain) (path []CertificateReport, evidence []EvidenceReport) {
	if c == nil {
		return nil, nil
	}
	for i, x := range c.path {
		path = append(path, CertificateReport{ID: o.id(CertificateObject, x.Raw, objectOf(x.Raw)), Subject: name(x), Serial: serial(x),
			NotBefore: x.NotBefore, NotAfter: x.NotAfter, Anchor: i == len(c.path)-1, SHA256: hexSum(x.Raw), Proven: o.v.poes.proven(objectOf(x.Raw))})
	}
	for i := range c.statuses {
		st := &c.statuses[i]
		if e := o.status(st); st.about >= 0 && st.about < len(path) {
			e.About = path[st.about].ID
			evidence = append(evidence, e)
		}
	}
	return path, evidence
}

func (o *objects) status(s *statement) EvidenceReport {
	kind := CRLObject
	if s.Kind == certpath.OCSP {
		kind = OCSPObject
	}
	e := EvidenceReport{ID: o.id(kind, s.DER, s.Sum), Kind: string(s.Kind), ThisUpdate: s.ThisUpdate, NextUpdate: s.NextUpdate, SHA256: hex.EncodeToString(s.Sum[:])}
	if at := o.v.poes.ofStatus(&s.Status); at.Before(o.v.at) {
		e.Proven = at
	}
	if s.Revoked {
		e.Revoked, e.Reason = s.At, s.Reason
	}
	for i := range s.Parts {
		o.status(&statement{Status: s.Parts[i]})
	}
	return e
}

func properties(p ades.Properties) *PropertiesReport {
	r := &PropertiesReport{}
	for _, c := range p.Commitments {
		if uri := c.URI(); uri != "" {
			r.Commitments = append(r.Commitments, uri)
		} else {
			r.Commitments = append(r.Commitments, printable(string(c)))
		}
	}
	for _, role := range p.ClaimedRoles {
		r.ClaimedRoles = append(r.ClaimedRoles, printable(role))
	}
	if p.Place != nil {
		for _, part := range []string{p.Place.Street, p.Place.PostalCode, p.Place.City, p.Place.Province, p.Place.Country} {
			if part != "" {
				r.Place = append(r.Place, printable(part))
			}
		}
	}
	if p.Policy != nil && len(p.Policy.OID) > 0 {
		r.Policy = p.Policy.OID.String()
	}
	if len(r.Commitments)+len(r.ClaimedRoles)+len(r.Place) == 0 && r.Policy == "" {
		return nil
	}
	return r
}

// name is how reports call a certificate.
func name(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return printable(c.Subject.CommonName)
	}
	return printable(cms.ReadableName(c.RawSubject))
}

func issuerName(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return printable(c.Issuer.CommonName)
	}
	return printable(cms.ReadableName(c.RawIssuer))
}

func serial(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber) }

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
