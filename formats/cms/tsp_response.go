package cms

import (
	"fmt"
	"math/big"
	"strings"

	"sigillo/formats/der"
)

// PKIStatus values of RFC 3161 §2.4.2.
const (
	StatusGranted         = 0
	StatusGrantedWithMods = 1
	StatusRejection       = 2
)

// MaxResponseSize is the largest TimeStampResp in octets that is looked at.
const MaxResponseSize = 2 << 20

var statusGranted = der.TLV(der.Sequence, der.Int(StatusGranted)) // PKIStatusInfo

// MarshalResponse gives the TimeStampResp that grants a token, in one piece of
// memory.
func MarshalResponse(token []byte) []byte { return der.TLV(der.Sequence, statusGranted, token) }

// MarshalRefusal gives the TimeStampResp of a refusal.
func MarshalRefusal(r Refusal) []byte {
	var text []byte
	if r.Text != "" {
		text = der.TLV(der.Sequence, der.TLV(der.UTF8, []byte(r.Text)))
	}
	return der.TLV(der.Sequence, der.TLV(der.Sequence, der.Int(StatusRejection), text, derFailure(r.FailureInfo)))
}

// derFailure writes a named-bit list with one bit: as short as it can be, so that
// the last bit is a one (X.690 §11.2.2).
func derFailure(f FailureInfo) []byte {
	if f < 0 || f > 31 {
		f = SystemFailure
	}
	bits := make([]byte, f/8+1)
	bits[f/8] = 0x80 >> (f % 8)
	return der.TLV(der.BitString, []byte{byte(7 - f%8)}, bits)
}

// Response is a TimeStampResp that was read.
type Response struct {
	Status int
	// Refusal is nil when the token was granted.
	Refusal *Refusal
	// Token is the TimeStampToken as it stands; nil when refused.
	Token []byte
}

// ParseResponse reads a TimeStampResp. A refusal is not an error here: see
// [Response.Granted].
func ParseResponse(raw []byte) (*Response, error) {
	const depth = 24
	if len(raw) > MaxResponseSize {
		return nil, fail(Limit, "the answer is larger than %d bytes", MaxResponseSize)
	}
	e, rest, err := next(raw, depth)
	if err != nil {
		return nil, wrap(Malformed, err, "the answer is not a time-stamp response")
	}
	f, err := fields(e.body, depth, 2)
	if err != nil {
		return nil, err
	}
	if !e.is(der.Sequence) || len(rest) > 0 || len(f) == 0 || !f[0].is(der.Sequence) {
		return nil, fail(Malformed, "the answer is not a time-stamp response")
	}
	status, err := fields(f[0].body, depth, 3)
	if err != nil {
		return nil, err
	}
	if len(status) == 0 {
		return nil, fail(Malformed, "the time-stamp response has no status")
	}
	r := &Response{}
	if r.Status, err = readSmall(status[0]); err != nil {
		return nil, err
	}
	if r.Status == StatusGranted || r.Status == StatusGrantedWithMods {
		if len(f) != 2 {
			return nil, fail(Malformed, "the time-stamp response says granted but has no token")
		}
		r.Token = f[1].raw
		return r, nil
	}
	if len(f) != 1 {
		return nil, fail(Malformed, "the time-stamp response is a refusal and has a token")
	}
	r.Refusal, err = parseRefusal(r.Status, status[1:], depth)
	return r, err
}

// Granted gives the token, or the refusal as an error of Kind [Refused].
func (r *Response) Granted() ([]byte, error) {
	if r.Refusal != nil {
		return nil, wrap(Refused, r.Refusal, "the time-stamping authority refused")
	}
	return r.Token, nil
}

func parseRefusal(status int, f []element, depth int) (*Refusal, error) {
	r := &Refusal{FailureInfo: -1, Text: fmt.Sprintf("status %d", status)}
	for _, e := range f {
		switch {
		case e.is(der.Sequence):
			texts, err := fields(e.body, depth, 16)
			if err != nil {
				return nil, err
			}
			r.Text = ""
			for i, t := range texts {
				if i > 0 {
					r.Text += " "
				}
				r.Text += strings.ToValidUTF8(fmt.Sprintf("%.500s", t.body), "?")
			}
		case e.is(der.BitString) && len(e.body) > 1 && len(e.body) <= 8:
			bits := new(big.Int).SetBytes(e.body[1:])
			if bits.Sign() > 0 { // the first bit that is set
				r.FailureInfo = FailureInfo(8*(len(e.body)-1) - bits.BitLen())
			}
		default:
			return nil, fail(Malformed, "the status of the time-stamp response is broken")
		}
	}
	return r, nil
}
