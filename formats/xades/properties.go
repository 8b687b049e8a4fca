package xades

import (
	"encoding/asn1"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/c14n"
)

// signedProperties reads SignedProperties (EN 319 132-1 §5.2).
func (r *reader) signedProperties(n *c14n.Node) error {
	text, err := r.text(n, "SignedSignatureProperties", "SigningTime")
	if err != nil {
		return err
	}
	if text != "" {
		if r.s.SigningTime, err = time.Parse(time.RFC3339, text); err != nil {
			return fail(Malformed, "SigningTime %q is not a date and time with a time zone", text)
		}
	}
	if err := r.signingCertificate(n); err != nil {
		return err
	}
	signature, err := r.path(n, "SignedSignatureProperties")
	if err != nil {
		return err
	}
	if signature != nil {
		if err := r.claims(signature); err != nil {
			return err
		}
	}
	data, err := r.path(n, "SignedDataObjectProperties")
	if err != nil || data == nil {
		return err
	}
	for _, c := range data.Elements() {
		if c.Space != r.space {
			continue
		}
		switch c.Local {
		case "DataObjectFormat":
			object, _ := c.Attr("", "ObjectReference")
			if r.s.formats[object], err = r.text(c, "MimeType"); err != nil {
				return err
			}
		case "CommitmentTypeIndication":
			id, err := r.text(c, "CommitmentTypeId", "Identifier")
			if err != nil {
				return err
			}
			r.s.Properties.Commitments = append(r.s.Properties.Commitments, commitment(id))
		}
	}
	return nil
}

// claims reads place, roles and policy. Both versions of place and role are
// taken, but not two of a kind.
func (r *reader) claims(n *c14n.Node) error {
	p := &r.s.Properties
	for _, c := range n.Elements() {
		if c.Space != r.space {
			continue
		}
		var err error
		switch strings.TrimSuffix(c.Local, "V2") {
		case "SignatureProductionPlace":
			if p.Place != nil {
				return fail(Malformed, "the signature names its place twice")
			}
			p.Place, err = r.place(c)
		case "SignerRole":
			err = r.roles(c)
		case "SignaturePolicyIdentifier":
			if p.Policy != nil {
				return fail(Malformed, "the signature names its policy twice")
			}
			p.Policy, err = r.policy(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) place(n *c14n.Node) (*ades.Place, error) {
	p := &ades.Place{}
	for local, to := range map[string]*string{"City": &p.City, "StreetAddress": &p.Street, "StateOrProvince": &p.Province, "PostalCode": &p.PostalCode, "CountryName": &p.Country} {
		var err error
		if *to, err = r.text(n, local); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (r *reader) roles(n *c14n.Node) error {
	claimed, err := r.path(n, "ClaimedRoles")
	if err != nil || claimed == nil {
		return err
	}
	for _, c := range claimed.Elements() {
		// A role may be any XML; only text can be said in words.
		if text, ok := c.Text(); ok && c.Is(r.space, "ClaimedRole") {
			r.s.Properties.ClaimedRoles = append(r.s.Properties.ClaimedRoles, strings.TrimSpace(text))
		}
	}
	return nil
}

// policy reads SignaturePolicyIdentifier; one that is only implied is none.
func (r *reader) policy(n *c14n.Node) (*ades.Policy, error) {
	id, err := r.path(n, "SignaturePolicyId")
	if err != nil || id == nil {
		return nil, err
	}
	name, err := r.text(id, "SigPolicyId", "Identifier")
	if err != nil {
		return nil, err
	}
	p := &ades.Policy{OID: parseOID(name)}
	if p.OID == nil {
		p.URI = name
	}
	hash, err := r.path(id, "SigPolicyHash")
	if err != nil {
		return nil, err
	}
	if hash != nil {
		if p.Hash, p.Digest, err = r.digest(hash); err != nil {
			return nil, err
		}
	}
	where, err := r.text(id, "SigPolicyQualifiers", "SigPolicyQualifier", "SPURI")
	if where != "" {
		p.URI = where
	}
	return p, err
}

// parseOID reads an object identifier as a URN (RFC 3061), nil if it is none.
func parseOID(s string) asn1.ObjectIdentifier {
	rest, ok := strings.CutPrefix(strings.ToLower(s), "urn:oid:")
	if !ok {
		return nil
	}
	var oid asn1.ObjectIdentifier
	for _, arc := range strings.Split(rest, ".") {
		n, err := strconv.Atoi(arc)
		if err != nil || n < 0 || len(oid) > 64 {
			return nil
		}
		oid = append(oid, n)
	}
	return slices.Clip(oid)
}

// commitment gives the type that a URI or a URN stands for, itself if unknown.
func commitment(id string) ades.Commitment {
	if c := ades.CommitmentByURI(id); c != "" {
		return c
	}
	if oid := parseOID(id); oid != nil {
		if c := ades.CommitmentByOID(oid); c != "" {
			return c
		}
	}
	return ades.Commitment(id)
}
