package validate

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cms"
	"sigillo/formats/ers"
	"sigillo/formats/validate/policy"
)

// stamp is a time-stamp token of the file, judged once for all signatures in
// which it occurs.
type stamp struct {
	subject            // the token as a signature of its own
	kind               ades.StampKind
	at                 time.Time
	uses               []stampUse
	right              bool // its imprint, form and value are right
	valid              bool // it is a proof
	result             verdict
	order              int       // of being read
	existed            time.Time // since when it is proven to exist itself; zero: now
	certificatesInside []*x509.Certificate
}

// stampUse is a place where a token stands.
type stampUse struct {
	subject *subject
	kind    ades.StampKind
	covers  [][]byte
}

// maxStamps bounds the time-stamps of a file that are judged.
const maxStamps = 256

// readStamps reads the tokens of all subjects and checks what does not depend on
// time: the imprint, the form and the value.
func (v *validation) readStamps() {
	for _, s := range v.subjects {
		for _, st := range s.stamps {
			key := v.sums.of(st.DER)
			t := v.tokens[key]
			if t == nil {
				if len(v.ordered) == maxStamps {
					s.findings = append(s.findings, doubt(SigConstraintsFailure, "too-many-stamps"))
					break
				}
				t = v.readStamp(st)
				t.order = len(v.ordered)
				v.tokens[key] = t
				v.ordered = append(v.ordered, t)
			} else if t.right { // the same token elsewhere may stand for other data
				t.also(st)
			}
			t.uses = append(t.uses, stampUse{s, st.Kind, st.Covers})
			s.evidence.Certificates = append(s.evidence.Certificates, t.certificatesInside...)
		}
	}
}

// readStamp reads one token.
func (v *validation) readStamp(st ades.Stamp) *stamp {
	t := &stamp{kind: st.Kind}
	t.form = "RFC3161"
	token, err := v.parseToken(st.DER)
	if err != nil {
		t.findings = []finding{failed(FormatFailure, "stamp-malformed", err)}
		return t
	}
	t.subject = *tokenSubject(token, st.DER)
	t.at, t.certificatesInside = token.Info.GenTime, token.Certificates
	t.check(st, v)
	return t
}

// check compares the imprint with the data it must be of, and checks the token.
func (t *stamp) check(st ades.Stamp, v *validation) {
	if t.token == nil {
		return
	}
	t.findings = append(t.findings, v.tokenFindings(t.token, st.Imprint)...)
	t.right = len(t.findings) == 0 || !slices.ContainsFunc(t.findings, func(f finding) bool { return f.before.IsZero() })
}

// also compares the imprint with the data of a further place where the token
// stands. A copy of a right one at a place it is not of would prove that what
// is there is as old; it is worth nothing anywhere then.
func (t *stamp) also(st ades.Stamp) {
	if f := checkImprint(t.token, st.Imprint); f != nil {
		t.findings, t.right = append(t.findings, *f), false
	}
}

// tokenFindings checks a token, and the digest of its imprint by the policy.
func (v *validation) tokenFindings(t *cms.Token, imprint imprinter) []finding {
	return append(checkToken(t, imprint), v.crypto(v.policy.Digest(t.Info.Hash, policy.Timestamp), "weak-digest", t.Info.Hash.String())...)
}

// tokenSubject makes a subject of a token.
func tokenSubject(t *cms.Token, der []byte) *subject {
	s := &subject{form: "RFC3161", certificate: t.Certificate, token: t, value: t.Signer.SignatureValue, whole: true,
		digests: []crypto.Hash{t.Signer.Hash}}
	s.evidence.Certificates = slices.Clone(t.Certificates)
	if sd, err := cms.ParseBytes(der, cms.Limits{}); err == nil {
		s.evidence.CRLs, s.evidence.OCSP = sd.CRLs, sd.OCSP
	}
	if a, err := t.Signer.Algorithm(); err == nil {
		s.algorithm = a
	}
	if id := t.Signer.SigningCertificate; id != nil {
		s.reference = id.Hash
	}
	return s
}

// judgeStamps is the time-stamp validation of EN 319 102-1 §5.4 for all tokens,
// newest first as §5.6.3 step 4 wants: what a newer one proves about an older one
// is known when its turn comes. Content time-stamps come last and prove only that
// the signature is not older.
func (v *validation) judgeStamps() {
	slices.SortStableFunc(v.ordered, func(a, b *stamp) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(stampRank(b.kind), stampRank(a.kind)), cmp.Compare(b.order, a.order))
	})
	for _, t := range v.ordered {
		t.existed = v.poes.proven(t.object())
		t.result = v.judge(&t.subject)
		if t.at.After(v.at.Add(clockTolerance)) {
			t.result.findings = append([]finding{doubt(TimestampOrderFailure, "stamp-future", stamped(t.at))}, t.result.findings...)
		}
		if t.valid = t.right && passed(t.result.findings); !t.valid {
			continue
		}
		v.extractPOEs(t)
		for _, u := range t.uses { // the signature was made after it
			if u.kind == ades.ContentStamp && t.at.After(v.notBefore[u.subject]) {
				v.notBefore[u.subject] = t.at
			}
		}
	}
}

// stampRank orders stamps of the same time from the outside in.
func stampRank(k ades.StampKind) int {
	switch k {
	case ades.ArchiveStamp, ades.DocumentStamp:
		return 3
	case ades.ReferencesStamp:
		return 2
	case ades.SignatureStamp:
		return 1
	}
	return 0
}

// ageing are the results that come with time alone. A time-stamp that has one
// proves nothing any more, but does not speak against the signature either.
var ageing = []SubIndication{OutOfBoundsNoPOE, OutOfBoundsNotRevoked, CryptoConstraintsFailureNoPOE}

// stampFindings says what the time-stamps of a signature speak against it: one
// that is there must be right, unless it has only aged.
func (v *validation) stampFindings(s *subject, d verdict) (out []finding) {
	for _, st := range s.stamps {
		t := v.tokens[v.sums.of(st.DER)]
		if t == nil || t.valid {
			continue
		}
		for _, f := range against(t.result.findings) {
			g := finding{indication: Indeterminate, sub: f.sub, reason: f.reason.ofStamp()}
			if slices.Contains(ageing, f.sub) && t.right {
				g.indication, g.sub = TotalPassed, ""
			}
			out = append(out, g)
		}
	}
	return out
}

// checkToken checks a token cryptographically (RFC 3161 §2.3, RFC 5816): that it
// is of the data whose imprint is given, unless that is nil, that its certificate
// is for time-stamping alone and named by it, and its signature.
func checkToken(t *cms.Token, imprint imprinter) []finding {
	if imprint != nil {
		if f := checkImprint(t, imprint); f != nil {
			return []finding{*f}
		}
	}
	if t.Certificate == nil {
		return []finding{doubt(NoSigningCertificate, "no-certificate")}
	}
	if err := cms.CheckTimestampCertificate(t.Certificate); err != nil {
		return []finding{doubt(ChainConstraintsFailure, "stamp-malformed", err)}
	}
	if id := t.Signer.SigningCertificate; id == nil || !id.Matches(t.Certificate) {
		return []finding{doubt(NoSigningCertificate, "other-certificate")}
	}
	if t.Info.GenTime.Before(t.Certificate.NotBefore) || t.Info.GenTime.After(t.Certificate.NotAfter) {
		return []finding{doubt(TimestampOrderFailure, "stamp-certificate", stamped(t.Info.GenTime), name(t.Certificate))}
	}
	return tokenSignature(t)
}

// checkImprint compares the imprint of a token with that of the data, nil if they
// are the same.
func checkImprint(t *cms.Token, imprint imprinter) *finding {
	sum, err := imprint(t.Info.Hash)
	var f finding
	switch {
	case asic.KindOf(err) == cms.Mismatch: // a document that the stamped manifest names is another one
		f = failed(HashFailure, "content-changed")
	case ers.KindOf(err) == cms.Mismatch: // the hash tree is not of the data
		f = failed(HashFailure, "stamp-other")
	case imprintKind(err) == cms.ContentMissing:
		f = doubt(SignedDataNotFound, "content-missing")
	case err != nil:
		f = doubt(SigConstraintsFailure, "unsupported", err)
	case !bytes.Equal(sum, t.Info.Imprint):
		f = failed(HashFailure, "stamp-other")
	default:
		return nil
	}
	return &f
}

func tokenSignature(t *cms.Token) []finding {
	err := t.VerifySignature()
	if err == nil || cms.KindOf(err) == cms.Weak { // that is for the policy, see signatureCrypto
		return nil
	}
	switch cms.KindOf(err) {
	case cms.Mismatch:
		return []finding{failed(HashFailure, "stamp-changed")}
	case cms.BadSignature:
		return []finding{failed(SigCryptoFailure, "stamp-signature")}
	case cms.Unsupported:
		return []finding{doubt(SigConstraintsFailure, "unsupported", err)}
	}
	return []finding{failed(FormatFailure, "stamp-malformed", err)}
}

// errNoContent: the data of a time-stamp or signature were not given.
var errNoContent = errors.New("the signed document was not given")
