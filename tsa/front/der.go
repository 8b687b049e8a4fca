package front

import (
	"bytes"

	"sigillo/formats/cms"
	"sigillo/formats/der"
)

// withPolicy gives a request for the same stamp under a policy (OBJECT
// IDENTIFIER, DER). Imprint and nonce stay as the requester wrote them.
func withPolicy(r *cms.RequestView, policy []byte) []byte {
	var certReq []byte
	if r.CertReq {
		certReq = []byte{der.Boolean, 1, 0xff}
	}
	return der.TLV(der.Sequence, der.Int(1), r.MessageImprint, policy, r.Nonce, certReq) // version 1
}

// withTrue gives a request that ends with a BOOLEAN which BER takes for TRUE as DER
// writes it, if it is a good request then.
func withTrue(request []byte) (mended []byte, r cms.RequestView, ok bool) {
	last := len(request) - 1
	if last < 2 || request[last-2] != 1 || request[last-1] != 1 || request[last] == 0 {
		return nil, r, false
	}
	mended = bytes.Clone(request)
	mended[last] = 0xff
	r, refusal := cms.ReadRequest(mended)
	return mended, r, refusal == nil && r.CertReq
}

// content gives the content octets of an element that was read strictly and has
// less than 64 KiB; nil for none.
func content(element []byte) []byte {
	switch {
	case len(element) < 2:
		return nil
	case element[1] < 0x80:
		return element[2:]
	}
	return element[2+int(element[1]&0x7f):]
}
