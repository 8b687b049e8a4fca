package cms

import "crypto"

// maxCounterDepth is how many levels of counter-signatures are read: a
// counter-signature of a counter-signature is level two.
const maxCounterDepth = 4

// parseCounters reads the values of a countersignature attribute (RFC 5652
// §11.4), which are SignerInfos themselves.
func (si *SignerInfo) parseCounters(a Attribute, l Limits, depth int, left *budget) error {
	if depth < 0 {
		return fail(Limit, "there are more than %d levels of counter-signatures", maxCounterDepth)
	}
	for _, v := range a.Values {
		e, _, err := next(v, l.Depth)
		if err != nil {
			return err
		}
		c, err := parseSigner(e, l, depth, left)
		if err != nil {
			return err
		}
		c.parent = si
		si.CounterSignatures = append(si.CounterSignatures, c)
	}
	return nil
}

// within tells a signature and the counter-signatures of it which message they
// are part of.
func (si *SignerInfo) within(sd *SignedData) {
	si.message = sd
	si.Certificate = si.find(sd.Certificates)
	for _, c := range si.CounterSignatures {
		c.within(sd)
	}
}

// IsCounterSignature reports whether it signs another signature's value in place
// of the content.
func (si *SignerInfo) IsCounterSignature() bool { return si.parent != nil }

// digest gives the digest of the signature value, what time-stamps and
// counter-signatures are over.
func (si *SignerInfo) digest(h crypto.Hash) ([]byte, error) {
	if !h.Available() {
		return nil, fail(Unsupported, "digest algorithm %v is not available", h)
	}
	return digestOf(h, si.SignatureValue), nil
}
