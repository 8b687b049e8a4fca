package etsireport

import (
	"encoding/hex"
	"encoding/xml"
	"time"

	"sigillo/formats/validate"
)

// builder makes the elements of one report.
type builder struct {
	report validate.Report
	o      Options
}

func (b *builder) document() *node {
	root := el("ValidationReport")
	root.attr = []xml.Attr{
		{Name: xml.Name{Local: "xmlns"}, Value: b.o.Namespace},
		{Name: xml.Name{Local: "xmlns:ds"}, Value: dsNamespace},
		{Name: xml.Name{Local: "xmlns:XAdES"}, Value: xadesNamespace},
	}
	for _, s := range b.report.Signatures {
		root.add(b.signature(s))
	}
	return root.add(b.objects())
}

// signature is a SignatureValidationReport.
func (b *builder) signature(s validate.SignatureReport) *node {
	best := s.BestSignatureTime
	if best.IsZero() {
		best = b.report.Validated
	}
	n := el("SignatureValidationReport", b.identifier(s), b.constraints(),
		el("ValidationTimeInfo", instant("ValidationTime", b.report.Validated), poe("BestSignatureTime", best)))
	n.add(b.signersDocument(), b.attributes(s))
	if len(s.Chain) > 0 {
		n.add(el("SignerInformation", reference("SignerCertificate", s.Chain[0].ID), text("Signer", s.Signer)))
	}
	n.add(el("SignatureValidationProcess", text("SignatureValidationProcessID", process(s.Level))))
	return n.add(status("SignatureValidationStatus", s.Indication, s.SubIndication, false, b.data(s)))
}

// identifier identifies the signature by its value (§4.2.3).
func (b *builder) identifier(s validate.SignatureReport) *node {
	n := el("SignatureIdentifier").with("id", s.ID)
	if v := s.Value(); v != nil {
		n.add(digest(sum(v)), encoded("ds:SignatureValue", v))
	}
	return n.add(text("HashOnly", "false"), text("DocHashOnly", "false"), text("DAIdentifier", b.report.File))
}

// constraints names the rules that were followed (§4.2.5).
func (b *builder) constraints() *node {
	if b.report.Policy == "" {
		return nil
	}
	id := el("SignaturePolicyIdentifier", el("XAdES:SignaturePolicyImplied"))
	return el("ValidationConstraintsEvaluationReport", el("SignatureValidationPolicy", id, text("PolicyName", b.report.Policy)))
}

// signersDocument needs a digest or a reference by the schema.
func (b *builder) signersDocument() *node {
	if b.o.Document == nil {
		return nil
	}
	return el("SignersDocument", digest(b.o.Document), reference("SignersDocumentRef", "D1"))
}

// attributes are those of Annex A that the report knows.
func (b *builder) attributes(s validate.SignatureReport) *node {
	n := el("SignatureAttributes")
	if !s.SigningTime.IsZero() {
		n.add(el("SigningTime", instant("Time", s.SigningTime)).with("Signed", "true"))
	}
	if len(s.Chain) > 0 {
		if der, err := hex.DecodeString(s.Chain[0].SHA256); err == nil {
			n.add(el("SigningCertificate", reference("AttributeObject", s.Chain[0].ID),
				el("CertID", el("ds:DigestMethod").with("Algorithm", sha256URI), encoded("ds:DigestValue", der))).with("Signed", "true"))
		}
	}
	if p := s.Properties; p != nil {
		n.add(properties(p)...)
	}
	for _, t := range s.Timestamps {
		if name, ok := stampElements[string(t.Kind)]; ok && !t.Time.IsZero() {
			n.add(el(name, reference("AttributeObject", t.ID), instant("TimeStampValue", t.Time)))
		}
	}
	if len(n.children) == 0 {
		return nil
	}
	return n
}

var stampElements = map[string]string{"content": "AllDataObjectsTimeStamp", "signature": "SignatureTimeStamp", "archive": "ArchiveTimeStamp",
	"document": "DocTimeStamp", "references": "RefsOnlyTimeStamp"}

func properties(p *validate.PropertiesReport) (out []*node) {
	for _, c := range p.Commitments {
		out = append(out, el("CommitmentTypeIndication", text("CommitmentTypeIdentifier", c)).with("Signed", "true"))
	}
	if p.Policy != "" {
		out = append(out, el("SigPolicyIdentifier", text("SigPolicyId", "urn:oid:"+p.Policy)).with("Signed", "true"))
	}
	if len(p.Place) > 0 {
		n := el("SignatureProductionPlace").with("Signed", "true")
		for _, part := range p.Place {
			n.add(text("AddressString", part))
		}
		out = append(out, n)
	}
	if len(p.ClaimedRoles) > 0 {
		n := el("SignerRole").with("Signed", "true")
		for _, r := range p.ClaimedRoles {
			n.add(el("RoleDetails", text("Role", r), text("EndorsementType", "claimed")))
		}
		out = append(out, n)
	}
	return out
}

// data is what the result rests on (§4.2.10 and clause 5).
func (b *builder) data(s validate.SignatureReport) *node {
	var related []string
	for _, t := range s.Timestamps {
		related = append(related, t.ID)
	}
	n := chainData(s.Chain, s.Evidence, related)
	if len(s.Reasons) > 0 {
		add := el("AdditionalValidationReportData")
		for _, r := range s.Reasons {
			add.add(el("ReportData", text("Type", "urn:sigillo:reason:"+r.Code), text("Value", r.En)))
		}
		n.add(add)
	}
	return n
}

// chainData is an AssociatedValidationReportData.
func chainData(chain []validate.CertificateReport, evidence []validate.EvidenceReport, related []string) *node {
	n := el("AssociatedValidationReportData")
	if last := len(chain) - 1; last >= 0 && chain[last].Anchor {
		n.add(reference("TrustAnchor", chain[last].ID))
	}
	if len(chain) > 0 {
		path := el("CertificateChain", reference("SigningCertificate", chain[0].ID))
		for i, c := range chain[1:] {
			if i == len(chain)-2 && c.Anchor {
				path.add(reference("TrustAnchor", c.ID))
			} else {
				path.add(reference("IntermediateCertificate", c.ID))
			}
		}
		n.add(path)
	}
	for _, e := range evidence {
		related = append(related, e.ID)
	}
	for _, id := range related {
		n.add(reference("RelatedValidationObject", id))
	}
	for _, e := range evidence {
		if !e.Revoked.IsZero() {
			n.add(el("RevocationStatusInformation", reference("ValidationObjectId", e.About), instant("RevocationTime", e.Revoked),
				text("RevocationReason", reasonURI(e.Reason)), reference("RevocationObject", e.ID)))
			break // the schema has room for one, the first to count
		}
	}
	return n
}

// reasonURI names a reason of RFC 5280 §5.3.1.
func reasonURI(n int) string {
	names := []string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
		"certificateHold", "unspecified", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}
	if n < 0 || n >= len(names) {
		n = 0
	}
	return "urn:etsi:019102:revocationReason:" + names[n]
}

var objectTypes = map[validate.ObjectKind]string{validate.CertificateObject: "certificate", validate.CRLObject: "CRL",
	validate.OCSPObject: "OCSPResponse", validate.TimestampObject: "timestamp"}

// objects are the SignatureValidationObjects (§4.4).
func (b *builder) objects() *node {
	n := el("SignatureValidationObjects")
	seen := map[string]bool{}
	for _, o := range b.report.Objects() {
		seen[o.ID] = true
		v := b.object(o.ID, objectTypes[o.Kind], encoded("base64", o.DER), o.Proven)
		if o.Kind == validate.TimestampObject {
			v.add(b.timestamp(o.ID))
		}
		n.add(v)
	}
	if len(seen) == 0 { // read from JSON: the octets are not there, their digests are
		b.digestObjects(n, seen)
	}
	if b.o.Document != nil {
		n.add(b.object("D1", "signedData", digest(b.o.Document), time.Time{}))
	}
	if len(n.children) == 0 {
		return nil
	}
	return n
}

func (b *builder) object(id, kind string, representation *node, proven time.Time) *node {
	if proven.IsZero() {
		proven = b.report.Validated
	}
	return el("ValidationObject", text("ObjectType", "urn:etsi:019102:validationObject:"+kind),
		el("ValidationObjectRepresentation", representation), poe("POE", proven)).with("id", id)
}

// digestObjects lists what a report without objects refers to.
func (b *builder) digestObjects(n *node, seen map[string]bool) {
	put := func(id, kind, sum string, proven time.Time) {
		if d, err := hex.DecodeString(sum); err == nil && !seen[id] {
			seen[id] = true
			n.add(b.object(id, kind, digest(d), proven))
		}
	}
	chain := func(cs []validate.CertificateReport, es []validate.EvidenceReport) {
		for _, c := range cs {
			put(c.ID, "certificate", c.SHA256, c.Proven)
		}
		for _, e := range es {
			put(e.ID, map[string]string{"crl": "CRL", "ocsp": "OCSPResponse"}[e.Kind], e.SHA256, e.Proven)
		}
	}
	for _, s := range b.report.Signatures {
		chain(s.Chain, s.Evidence)
		for _, t := range s.Timestamps {
			chain(t.Chain, t.Evidence)
			if !seen[t.ID] {
				seen[t.ID] = true
				n.add(b.object(t.ID, "timestamp", text("URI", "urn:sigillo:timestamp:"+t.ID), t.Proven).add(b.timestamp(t.ID)))
			}
		}
	}
}

// timestamp is the report about a time-stamp.
func (b *builder) timestamp(id string) *node {
	for _, s := range b.report.Signatures {
		for _, t := range s.Timestamps {
			if t.ID != id {
				continue
			}
			best := t.Proven
			if best.IsZero() {
				best = b.report.Validated
			}
			n := el("ValidationReport", el("ValidationTimeInfo", instant("ValidationTime", b.report.Validated), poe("BestSignatureTime", best)))
			if len(t.Chain) > 0 {
				n.add(el("SignerInformation", reference("SignerCertificate", t.Chain[0].ID), text("Signer", t.TSA)))
			}
			return n.add(status("SignatureValidationStatus", t.Indication, t.SubIndication, true, chainData(t.Chain, t.Evidence, nil)))
		}
	}
	return nil
}
