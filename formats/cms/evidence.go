package cms

import (
	"bytes"
	"crypto/x509"
	"slices"
	"sync"

	"sigillo/formats/ades"
	"sigillo/formats/der"
)

// Evidence gives the certificates, revocation lists and OCSP answers that the
// message carries: in its root, where the baseline profiles want them (EN 319
// 122-1 §6.3), and in the certificate-values and revocation-values attributes of
// older forms (Annex A.1.1.2, A.1.2.2). What the time-stamps carry is in them. It
// is read once, for all signatures of the message may ask.
func (sd *SignedData) Evidence() ades.Evidence {
	sd.evidence.Do(func() { sd.evidence.all = sd.readEvidence() })
	e := sd.evidence.all
	return ades.Evidence{Certificates: slices.Clip(e.Certificates), CRLs: slices.Clip(e.CRLs), OCSP: slices.Clip(e.OCSP)}
}

// carried is the evidence of a message once it was read.
type carried struct {
	sync.Once
	all ades.Evidence
}

func (sd *SignedData) readEvidence() ades.Evidence {
	all := ades.Evidence{Certificates: slices.Clip(sd.Certificates), CRLs: slices.Clip(sd.CRLs), OCSP: slices.Clip(sd.OCSP)}
	add := func(more ades.Evidence) {
		all.Certificates, all.CRLs, all.OCSP = append(all.Certificates, more.Certificates...), append(all.CRLs, more.CRLs...), append(all.OCSP, more.OCSP...)
	}
	for _, si := range sd.Signers {
		for _, a := range si.UnsignedAttributes {
			for _, v := range a.Values {
				switch {
				case a.Type.Equal(OIDCertificateValues):
					add(certificateValues(v, sd.limits))
				case a.Type.Equal(OIDRevocationValues):
					add(revocationValues(v, sd.limits))
				}
			}
		}
	}
	var e ades.Evidence
	e.Add(all)
	return e
}

// certificateValues reads a CertificateValues; what is broken in it is left out,
// since evidence that is not there is noticed by those who need it.
func certificateValues(raw []byte, l Limits) ades.Evidence {
	var out ades.Evidence
	e, _, err := next(raw, l.Depth)
	if err != nil {
		return out
	}
	all, _ := fields(e.body, l.Depth, l.Certificates)
	for _, c := range all {
		if cert, err := x509.ParseCertificate(c.raw); err == nil {
			out.Certificates = append(out.Certificates, cert)
		}
	}
	return out
}

// revocationValues reads a RevocationValues: [0] CRLs, [1] BasicOCSPResponses.
func revocationValues(raw []byte, l Limits) ades.Evidence {
	var out ades.Evidence
	e, _, err := next(raw, l.Depth)
	if err != nil {
		return out
	}
	parts, _ := fields(e.body, l.Depth, 3)
	for _, p := range parts {
		list, rest, err := next(p.body, l.Depth)
		if err != nil || len(rest) > 0 {
			continue
		}
		all, _ := fields(list.body, l.Depth, l.Certificates)
		for _, v := range all {
			switch {
			case p.is(der.Context0):
				out.CRLs = append(out.CRLs, v.raw)
			case p.is(der.Context0 | 1):
				out.OCSP = append(out.OCSP, wrapOCSP(v.raw))
			}
		}
	}
	return out
}

// parseRevocation sorts the RevocationInfoChoices (RFC 5652 §10.2.1). OCSP answers
// are of another format (RFC 5940 §2.1): as whole OCSPResponse, or as bare
// BasicOCSPResponse under the identifier that RFC 6960 gives that.
func (sd *SignedData) parseRevocation(e element, l Limits) error {
	all, err := fields(e.body, l.Depth, l.Certificates)
	if err != nil {
		return err
	}
	for _, c := range all {
		sd.RawRevocation = append(sd.RawRevocation, c.raw)
		switch raw := revocationDER(c.raw, l.Depth); {
		case c.is(der.Sequence):
			sd.CRLs = append(sd.CRLs, raw)
		case raw != nil:
			sd.OCSP = append(sd.OCSP, raw)
		}
	}
	return nil
}

// revocationDER gives the CRL or the OCSPResponse of a RevocationInfoChoice, nil
// if it is neither.
func revocationDER(choice []byte, depth int) []byte {
	e, _, err := next(choice, depth)
	switch {
	case err != nil:
		return nil
	case e.is(der.Sequence):
		return e.raw
	}
	return otherRevocation(e, depth)
}

// otherRevocation gives the OCSPResponse in an OtherRevocationInfoFormat, nil if
// it holds something else.
func otherRevocation(e element, depth int) []byte {
	f, err := fields(e.body, depth, 2)
	if err != nil || len(f) != 2 || !e.is(der.Context0|1) {
		return nil
	}
	oid, err := readOID(f[0])
	switch {
	case err != nil:
		return nil
	case oid.Equal(oidOCSPResponse):
		return f[1].raw
	case oid.Equal(oidBasicOCSP):
		return wrapOCSP(f[1].raw)
	}
	return nil
}

// wrapOCSP gives the successful OCSPResponse around a BasicOCSPResponse (RFC 6960
// §4.2.1).
func wrapOCSP(basic []byte) []byte {
	return der.TLV(der.Sequence, []byte{0x0a, 1, 0}, der.TLV(der.Context0Con,
		der.TLV(der.Sequence, der.OID(oidBasicOCSP), der.TLV(der.Octets, basic))))
}

// revocationChoices gives the RevocationInfoChoices of lists and answers.
func revocationChoices(e ades.Evidence) [][]byte {
	out := append([][]byte(nil), e.CRLs...)
	for _, r := range e.OCSP {
		out = append(out, der.TLV(der.Context0Con|1, der.OID(oidOCSPResponse), r))
	}
	return out
}

// lacking gives what of e the root of the message does not have yet. An OCSP
// answer may be there in either of its forms.
func (sd *SignedData) lacking(e ades.Evidence) ades.Evidence {
	root := ades.Evidence{CRLs: slices.Clip(sd.CRLs), OCSP: slices.Clip(sd.OCSP)}
	had := len(root.CRLs)
	answers := len(root.OCSP)
	root.Add(ades.Evidence{CRLs: e.CRLs, OCSP: e.OCSP})
	out := ades.Evidence{CRLs: root.CRLs[had:], OCSP: root.OCSP[answers:]}
	for _, c := range e.Certificates {
		if !contains(sd.RawCertificates, c.Raw) && !contains(raws(out.Certificates), c.Raw) {
			out.Certificates = append(out.Certificates, c)
		}
	}
	return out
}

func raws(certs []*x509.Certificate) [][]byte {
	out := make([][]byte, len(certs))
	for i, c := range certs {
		out[i] = c.Raw
	}
	return out
}

func contains(list [][]byte, b []byte) bool {
	for _, m := range list {
		if bytes.Equal(m, b) {
			return true
		}
	}
	return false
}
