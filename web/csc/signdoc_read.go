package csc

import (
	"crypto"
	"crypto/sha256"
	"slices"
	"strings"

	"sigillo/signing"
	"sigillo/signing/remote"
)

// list reads what is to be signed.
func (in *signDocInput) list(c remote.Credential) ([]signed, error) {
	switch {
	case len(in.Documents) > 0 && len(in.Digests) > 0:
		return nil, invalid("Both documentDigests and documents parameters passed")
	case len(in.Documents) == 0 && len(in.Digests) == 0:
		return nil, invalid("Empty documentDigests and documents objects")
	}
	var out []signed
	for _, d := range in.Documents {
		one, err := d.read(c)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	for _, d := range in.Digests {
		some, err := d.read(c)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	if len(out) > c.MaxDigests {
		return nil, invalid(tooMany)
	}
	return out, nil
}

func (d *document) read(c remote.Credential) (signed, error) {
	data, ok := fromBase64(d.Document)
	if !ok || len(data) == 0 {
		return signed{}, invalid("Invalid Base64 documents string parameter")
	}
	o, err := orderOf(c, d.Format, d.Envelope, d.Level, d.SignAlgo, d.Params, "2.16.840.1.101.3.4.2.1", d.Props)
	if err == nil {
		err = d.contain(&o)
	}
	if err != nil {
		return signed{}, err
	}
	sum := sha256.Sum256(data)
	return signed{data, sum[:], o, o.Form == signing.CAdESSeparate || o.Form == signing.XAdESDetached || o.Form == signing.JAdESDetached}, nil
}

// containers are the forms in a container, by its type and the format.
var containers = map[string]map[string]signing.Form{
	"ASiC-S": {"C": signing.ASiCSCAdES, "X": signing.ASiCSXAdES},
	"ASiC-E": {"C": signing.ASiCECAdES, "X": signing.ASiCEXAdES},
}

// contain has the signature put into a container with its document, beside which it is
// there.
func (d *document) contain(o *signing.Order) error {
	if d.Container == "" || d.Container == "No" {
		return nil
	}
	of, ok := containers[d.Container]
	if !ok {
		return bad("container")
	}
	form, ok := of[d.Format]
	switch {
	case !ok:
		return bad("signature_format")
	case d.Envelope != "" && d.Envelope != "Detached":
		return bad("signed_envelope_property")
	}
	o.Form = form
	return nil
}

// read reads digests of documents that stay elsewhere. Of XML and JSON signatures there
// are none: what is signed there is not the document's octets alone, or names it.
func (d *docDigest) read(c remote.Credential) ([]signed, error) {
	switch {
	case d.Format != "C" && d.Format != "P":
		return nil, bad("signature_format")
	case d.Format == "C" && d.Envelope == "":
		d.Envelope = "Detached" // there is nothing that could be attached
	case d.Format == "P" && len(d.Props) > 0: // they stand in the dictionary, which the client writes
		names := make([]string, len(d.Props))
		for i, p := range d.Props {
			names[i] = p.Name
		}
		return nil, badProperties(names)
	}
	o, err := orderOf(c, d.Format, d.Envelope, d.Level, d.SignAlgo, d.Params, d.HashAlgorithm, d.Props)
	if err != nil {
		return nil, err
	}
	switch {
	case d.Format == "C" && o.Form != signing.CAdESSeparate:
		return nil, bad("signed_envelope_property")
	case o.Level == signing.BLTA, // its time-stamp is over the document
		d.Format == "P" && o.Level == signing.BLT: // its evidence goes into the document
		return nil, bad("conformance_level")
	case len(d.Hashes) == 0:
		return nil, invalid("Invalid object parameter documentDigests")
	}
	o.Form = signing.CAdESDetached
	if d.Format == "P" {
		o.Form = signing.PAdESDigest
	}
	var out []signed
	for _, text := range d.Hashes {
		digest, ok := fromBase64(text)
		switch {
		case !ok:
			return nil, invalid("Invalid Base64 hashes string parameter")
		case len(digest) != sha256.Size:
			return nil, invalid(badLength)
		}
		out = append(out, signed{nil, digest, o, true})
	}
	return out, nil
}

// orderOf reads how a signature is to be. All are made with SHA-256, and RSA keys sign
// with PKCS#1 v1.5.
func orderOf(c remote.Credential, format, envelope, level, signAlgo, params, hashAlgo string, props []signedProp) (o signing.Order, err error) {
	f := slices.Index(formatNames, format)
	if f < 0 {
		return o, bad("signature_format")
	}
	e := 0
	if envelope != "" {
		if e = slices.Index(envelopeNames[f], envelope); e < 0 {
			return o, bad("signed_envelope_property")
		}
	}
	l := 0
	if level != "" {
		l = slices.IndexFunc(levelNames, func(name string) bool { return strings.EqualFold(name, level) })
		if l < 0 {
			return o, bad("conformance_level")
		}
	}
	a, err := choose(2, signAlgo, params, hashAlgo)
	switch {
	case err != nil:
		return o, err
	case !a.scheme.Fits(c.KeyType) || a.scheme == remote.PSS || a.hash != crypto.SHA256:
		return o, bad("signAlgo")
	case hashAlgo != "" && hashes[hashAlgo] == 0:
		return o, bad("hashAlgorithmOID")
	case hashAlgo != "" && hashes[hashAlgo] != a.hash:
		return o, invalid("String parameter hashAlgorithmOID contradicts with signAlgo parameter")
	}
	o = signing.Order{Form: formOf[format][e], Level: levels[l]}
	err = properties(&o, format, props)
	return o, err
}

// properties takes the signed properties that there are: reason and place of PAdES.
func properties(o *signing.Order, format string, props []signedProp) error {
	const longest = 200 // characters
	var wrong []string
	for _, p := range props {
		text, ok := fromBase64(p.Value)
		switch {
		case !ok || len([]rune(string(text))) > longest || format != "P":
			wrong = append(wrong, p.Name)
		case p.Name == "Reason" && o.Reason == "":
			o.Reason = string(text)
		case p.Name == "Location" && o.Location == "":
			o.Location = string(text)
		default:
			wrong = append(wrong, p.Name)
		}
	}
	if len(wrong) > 0 {
		return badProperties(wrong)
	}
	return nil
}

func badProperties(names []string) error {
	return invalid("Invalid parameter signed_props (" + strings.Join(names, ", ") + ")")
}
