package cms

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"math/big"
	"strings"
	"time"

	"sigillo/formats/der"
)

// TSTInfo is what a time-stamp token says (RFC 3161 §2.4.2).
type TSTInfo struct {
	Policy           asn1.ObjectIdentifier
	Hash             crypto.Hash // of the imprint; 0 when read and not known
	HashAlgorithmRaw []byte      // AlgorithmIdentifier as in the request; nil: written without parameters
	Imprint          []byte
	SerialNumber     *big.Int
	GenTime          time.Time     // written in UTC, cut to the millisecond
	Accuracy         time.Duration // half-width, to the microsecond; 0 is not written
	Ordering         bool
	Nonce            *big.Int
	NonceRaw         []byte // INTEGER as in the request; goes before Nonce
	TSA              []byte // GeneralName, DER; nil is not written
	// Qualified: the statement esi4-qtstStatement-1 is in the extensions, by which
	// the authority claims that this is a qualified time-stamp (EN 319 422 §9.1).
	Qualified bool
}

// Marshal gives the TSTInfo in DER.
func (t *TSTInfo) Marshal() ([]byte, error) {
	policy := der.OID(t.Policy)
	if policy == nil {
		return nil, fail(BadOptions, "the time-stamp has no policy")
	}
	imprint, err := messageImprint(t.Hash, t.HashAlgorithmRaw, t.Imprint)
	if err != nil {
		return nil, err
	}
	if t.SerialNumber == nil || t.SerialNumber.Sign() <= 0 || t.SerialNumber.BitLen() > 160 {
		return nil, fail(BadOptions, "the time-stamp needs a positive serial number of at most 160 bits")
	}
	genTime, err := derGenTime(t.GenTime)
	if err != nil {
		return nil, err
	}
	accuracy, err := derAccuracy(t.Accuracy)
	if err != nil {
		return nil, err
	}
	var ordering, nonce, tsa, extensions []byte
	if t.Ordering {
		ordering = []byte{der.Boolean, 1, 0xff}
	}
	if t.NonceRaw != nil {
		nonce = t.NonceRaw
	} else if t.Nonce != nil {
		nonce = der.BigInt(t.Nonce)
	}
	if t.TSA != nil {
		tsa = der.TLV(der.Context0Con, t.TSA)
	}
	if t.Qualified {
		extensions = der.TLV(der.Context0Con|1, qualifiedExtension)
	}
	return der.TLV(der.Sequence, der.Int(1), policy, imprint, der.BigInt(t.SerialNumber), genTime,
		accuracy, ordering, nonce, tsa, extensions), nil
}

// derGenTime writes a GeneralizedTime in UTC with the fraction that RFC 3161
// §2.4.2 allows: no trailing zeros, and no point without digits after it.
func derGenTime(t time.Time) ([]byte, error) {
	t = t.UTC().Truncate(time.Millisecond)
	if t.Year() < 1970 || t.Year() > 9999 {
		return nil, fail(BadOptions, "the time of the time-stamp is impossible")
	}
	return der.TLV(der.GenTime, []byte(t.Format("20060102150405.999Z"))), nil
}

func derAccuracy(d time.Duration) ([]byte, error) {
	if d == 0 {
		return nil, nil
	}
	if d < time.Microsecond || d > 24*time.Hour {
		return nil, fail(BadOptions, "the accuracy of a time-stamp is between a microsecond and a day")
	}
	part := func(tag byte, n int64) []byte {
		if n == 0 {
			return nil
		}
		return der.TLV(tag, der.Int(n)[2:])
	}
	return der.TLV(der.Sequence,
		part(der.Integer, int64(d/time.Second)),
		part(der.Context0, int64(d/time.Millisecond%1000)),
		part(der.Context0|1, int64(d/time.Microsecond%1000)),
	), nil
}

// DirectoryName gives the GeneralName of a Name in DER, for the TSA field.
func DirectoryName(rawName []byte) []byte { return der.TLV(der.Context0Con|4, rawName) }

// parseTSTInfo reads a TSTInfo. It must be DER in what it states, since the bytes
// are signed; unknown extensions that are critical are refused.
func parseTSTInfo(raw []byte) (*TSTInfo, error) {
	const depth = 16
	e, rest, err := next(raw, depth)
	if err != nil {
		return nil, err
	}
	if !e.is(der.Sequence) || len(rest) > 0 {
		return nil, fail(Malformed, "the token does not hold a TSTInfo")
	}
	f, err := fields(e.body, depth, 10)
	if err != nil {
		return nil, err
	}
	if len(f) < 5 {
		return nil, fail(Malformed, "the TSTInfo is incomplete")
	}
	if version, err := readSmall(f[0]); err != nil || version != 1 {
		return nil, fail(Unsupported, "the TSTInfo does not have version 1")
	}
	t := &TSTInfo{}
	if t.Policy, err = readOID(f[1]); err != nil {
		return nil, err
	}
	if err := t.parseImprint(f[2], depth); err != nil {
		return nil, err
	}
	if t.SerialNumber, err = readInt(f[3]); err != nil {
		return nil, err
	}
	if t.GenTime, err = readGenTime(f[4]); err != nil {
		return nil, err
	}
	return t, t.parseOptional(f[5:], depth)
}

func (t *TSTInfo) parseImprint(e element, depth int) error {
	f, err := fields(e.body, depth, 3)
	if err != nil {
		return err
	}
	if !e.is(der.Sequence) || len(f) != 2 || !f[1].is(der.Octets) || f[1].constructed {
		return fail(Malformed, "the message imprint is broken")
	}
	t.HashAlgorithmRaw, t.Imprint = f[0].raw, f[1].body
	t.Hash, _, err = parseDigestAlgorithm(f[0])
	if err == nil && t.Hash != 0 && len(t.Imprint) != t.Hash.Size() {
		err = fail(Malformed, "the imprint does not have the length of its digest algorithm")
	}
	return err
}

// parseOptional reads the fields after genTime, in their order.
func (t *TSTInfo) parseOptional(f []element, depth int) error {
	order := 0
	for _, e := range f {
		var place int
		var err error
		switch {
		case e.is(der.Sequence):
			place, err = 1, t.parseAccuracy(e, depth)
		case e.is(der.Boolean) && !e.constructed && len(e.body) == 1:
			place, t.Ordering = 2, e.body[0] != 0
		case e.is(der.Integer):
			place, t.NonceRaw = 3, e.raw
			t.Nonce, err = readInt(e)
		case e.is(der.Context0) && e.constructed:
			place, t.TSA = 4, e.body
		case e.is(der.Context0|1) && e.constructed:
			place, err = 5, t.parseExtensions(e, depth)
		}
		if err != nil {
			return err
		}
		if place <= order {
			return fail(Malformed, "the TSTInfo has a field that is unknown or out of place")
		}
		order = place
	}
	return nil
}

func (t *TSTInfo) parseAccuracy(e element, depth int) error {
	f, err := fields(e.body, depth, 3)
	if err != nil {
		return err
	}
	for _, part := range f {
		unit := time.Second
		limit := 24 * 60 * 60
		switch {
		case part.is(der.Context0):
			unit, limit = time.Millisecond, 999
		case part.is(der.Context0 | 1):
			unit, limit = time.Microsecond, 999
		case !part.is(der.Integer):
			return fail(Malformed, "the accuracy is broken")
		}
		part.class, part.tag = 0, der.Integer
		n, err := readSmall(part)
		if err != nil {
			return err
		}
		if n > limit {
			return fail(Malformed, "the accuracy is out of range")
		}
		t.Accuracy += time.Duration(n) * unit
	}
	return nil
}

// qualifiedExtension is the extension qcStatements (RFC 3739 §3.2.6) with the one
// statement esi4-qtstStatement-1. It is not critical.
var (
	oidQCStatements    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}
	oidQTSTStatement   = asn1.ObjectIdentifier{0, 4, 0, 19422, 1, 1}
	qualifiedExtension = der.TLV(der.Sequence, der.OID(oidQCStatements),
		der.TLV(der.Octets, der.TLV(der.Sequence, der.TLV(der.Sequence, der.OID(oidQTSTStatement)))))
)

// parseExtensions refuses critical extensions of a token: none is known that may
// be.
func (t *TSTInfo) parseExtensions(e element, depth int) error {
	all, err := fields(e.body, depth, 32)
	if err != nil {
		return err
	}
	for _, x := range all {
		f, err := fields(x.body, depth, 3)
		if err != nil {
			return err
		}
		if len(f) < 2 {
			return fail(Malformed, "an extension of the TSTInfo is broken")
		}
		if f[1].is(der.Boolean) && !bytes.Equal(f[1].body, []byte{0}) {
			return fail(Unsupported, "the token has a critical extension that is not known")
		}
		oid, err := readOID(f[0])
		if err != nil {
			return err
		}
		if oid.Equal(oidQCStatements) {
			if err := t.parseStatements(f[len(f)-1], depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *TSTInfo) parseStatements(value element, depth int) error {
	list, rest, err := next(value.body, depth)
	if err != nil {
		return err
	}
	if !value.is(der.Octets) || value.constructed || !list.is(der.Sequence) || len(rest) > 0 {
		return fail(Malformed, "the qualified statements of the TSTInfo are broken")
	}
	all, err := fields(list.body, depth, 16)
	if err != nil {
		return err
	}
	for _, s := range all {
		f, err := fields(s.body, depth, 2)
		if err != nil {
			return err
		}
		if !s.is(der.Sequence) || len(f) == 0 {
			return fail(Malformed, "a qualified statement of the TSTInfo is broken")
		}
		oid, err := readOID(f[0])
		if err != nil {
			return err
		}
		t.Qualified = t.Qualified || oid.Equal(oidQTSTStatement)
	}
	return nil
}

// readGenTime reads the GeneralizedTime of RFC 3161 §2.4.2: UTC, seconds given, a
// fraction of up to nine digits.
func readGenTime(e element) (time.Time, error) {
	text := string(e.body)
	whole, fraction, point := strings.Cut(strings.TrimSuffix(text, "Z"), ".")
	if !e.is(der.GenTime) || e.constructed || !strings.HasSuffix(text, "Z") || len(whole) != 14 ||
		len(fraction) > 9 || point && fraction == "" {
		return time.Time{}, fail(Malformed, "the time of the token is not a GeneralizedTime in UTC")
	}
	layout := "20060102150405"
	if point {
		layout += "." + strings.Repeat("0", len(fraction))
	}
	t, err := time.Parse(layout, strings.TrimSuffix(text, "Z"))
	if err != nil {
		return time.Time{}, wrap(Malformed, err, "the time of the token is broken")
	}
	return t, nil
}
