package certpath

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"sigillo/formats/ades"
)

// TestAnswers puts OCSP answers before the holder's certificate.
func TestAnswers(t *testing.T) {
	t.Parallel()
	w := shared
	h := w.holder.Certificate
	good := responder(w.sub)
	certHash := func(sum []byte) func(*ocsp.Response) {
		return func(r *ocsp.Response) {
			value := must(asn1.Marshal(struct {
				A pkix.AlgorithmIdentifier
				H []byte
			}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}}, sum}))
			r.ExtraExtensions = append(r.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 36, 8, 3, 13}, Value: value})
		}
	}
	status := func(s int, reason int) func(*ocsp.Response) {
		return func(r *ocsp.Response) { r.Status, r.RevokedAt, r.RevocationReason = s, noon.Add(-day), reason }
	}
	hash := func(h crypto.Hash) func(*ocsp.Response) { return func(r *ocsp.Response) { r.IssuerHash = h } }
	extra := func(critical bool) func(*ocsp.Response) {
		return func(r *ocsp.Response) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: critical, Value: []byte{5, 0}}}
		}
	}
	expired := responder(w.sub, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-day) })
	for _, tc := range []struct {
		name   string
		answer []byte
		want   string
	}{
		{"by the issuer", w.sub.answer(w.sub, h), "good"},
		{"revoked", w.sub.answer(w.sub, h, status(ocsp.Revoked, 1)), "revoked/1"},
		{"on hold", w.sub.answer(w.sub, h, status(ocsp.Revoked, onHold)), "hold"},
		{"unknown", w.sub.answer(w.sub, h, status(ocsp.Unknown, 0)), "unknown"},
		{"by a responder", good.answer(w.sub, h), "good"},
		{"by a responder without the purpose", issue(w.sub, "OCSP").answer(w.sub, h), ""},
		{"by another authority's responder", responder(w.other).answer(w.sub, h), ""},
		{"by a responder of the same name's other authority", responder(w.stranger).answer(w.sub, h), ""},
		{"by another authority", w.other.answer(w.sub, h), ""},
		{"by a responder that had expired", expired.answer(w.sub, h), ""},
		{"by a responder with an unknown critical extension", responder(w.sub, with(true, []byte{5, 0}, 1, 2, 3)).answer(w.sub, h), ""},
		{"about another certificate", w.sub.answer(w.sub, w.named.Certificate), ""},
		{"about the same number of another authority", good.answer(w.other, h), ""},
		{"issuer by SHA-256", good.answer(w.sub, h, hash(crypto.SHA256)), "good"},
		{"issuer by SHA-384", good.answer(w.sub, h, hash(crypto.SHA384)), "good"},
		{"issuer by SHA-512", good.answer(w.sub, h, hash(crypto.SHA512)), "good"},
		{"with the certificate's digest", good.answer(w.sub, h, certHash(sha(h.Raw))), "good"},
		{"with another certificate's digest", good.answer(w.sub, h, certHash(sha(nil))), ""},
		{"unknown critical extension", good.answer(w.sub, h, extra(true)), ""},
		{"unknown extension", good.answer(w.sub, h, extra(false)), "good"},
		{"changed", flipped(good.answer(w.sub, h)), ""},
	} {
		s := &Sources{}
		if err := s.AddOCSP(tc.answer); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		got := s.Statuses(h, w.sub.Certificate)
		if g := says(got); g != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, g, tc.want)
		}
		for _, st := range got {
			if delegated := strings.Contains(tc.name, "by a responder"); delegated != (len(st.SignerPath) == 2) && strings.Contains(tc.name, "by ") && !strings.Contains(tc.name, "SHA") {
				t.Errorf("%s: a path of %d", tc.name, len(st.SignerPath))
			}
			if st.CertHash != (tc.name == "with the certificate's digest") {
				t.Errorf("%s: CertHash %v", tc.name, st.CertHash)
			}
		}
	}
}

// flipped changes the status answered, good to unknown, under the signature.
func flipped(der []byte) []byte {
	out := slices.Clone(der)
	i := strings.LastIndex(string(out[:len(out)/2+40]), "\x80\x00")
	out[i] = 0x82
	return out
}

// basic makes an OCSP answer by hand, so that it can be what x/crypto/ocsp does
// not make. body adds what is inside ResponseData after the version.
func basic(signer *party, embed []byte, body func(*cryptobyte.Builder)) []byte {
	var data, out cryptobyte.Builder
	data.AddASN1(cbasn1.SEQUENCE, body)
	tbs := data.BytesOrPanic()
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1})
				b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddBytes(tbs)
						b.AddBytes([]byte("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"))
						b.AddASN1BitString(must(signer.key.Sign(rand.Reader, sha(tbs), crypto.SHA256)))
						if embed != nil {
							b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
								b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(embed) })
							})
						}
					})
				})
			})
		})
	})
	return out.BytesOrPanic()
}

// one adds a SingleResponse: good, with singleExtensions.
func one(b *cryptobyte.Builder, issuer, c *x509.Certificate, extensions ...pkix.Extension) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes([]byte("\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00"))
			b.AddASN1OctetString(sumOf(crypto.SHA1, issuer.RawSubject))
			b.AddASN1OctetString(sumOf(crypto.SHA1, publicKeyBits(issuer)))
			b.AddASN1BigInt(c.SerialNumber)
		})
		b.AddBytes([]byte{0x80, 0})
		b.AddASN1GeneralizedTime(noon.Add(-time.Hour))
		if len(extensions) > 0 {
			b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(must(asn1.Marshal(extensions))) })
		}
	})
}

// TestAnswersByHand: several certificates in one answer, responders named by
// key and not embedded, archive cutoff, extensions of the whole.
func TestAnswersByHand(t *testing.T) {
	t.Parallel()
	w := shared
	h, sub := w.holder.Certificate, w.sub.Certificate
	r := responder(w.sub, noCheckExtension)
	byKey := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(sumOf(crypto.SHA1, publicKeyBits(r.Certificate))) })
		b.AddASN1GeneralizedTime(noon)
	}
	cutoff := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 6}, Value: []byte("\x18\x0f20200101000000Z")}
	several := func(b *cryptobyte.Builder) {
		byKey(b)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			one(b, sub, w.named.Certificate)
			one(b, w.other.Certificate, h)
			one(b, &x509.Certificate{RawSubject: sub.RawSubject, RawSubjectPublicKeyInfo: w.other.RawSubjectPublicKeyInfo}, h)
			one(b, &x509.Certificate{RawSubject: w.other.RawSubject, RawSubjectPublicKeyInfo: sub.RawSubjectPublicKeyInfo}, h)
			one(b, sub, h, cutoff)
		})
	}
	whole := func(critical bool) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) {
			several(b)
			nonce := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, Critical: critical, Value: []byte{4, 1, 7}}
			b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(must(asn1.Marshal([]pkix.Extension{nonce}))) })
		}
	}
	for _, tc := range []struct {
		name   string
		answer []byte
		known  bool // the responder's certificate is among the evidence
		kind   Kind
		want   string
	}{
		{"several", basic(r, r.Raw, several), false, "", "good"},
		{"with a nonce", basic(r, r.Raw, whole(false)), false, "", "good"},
		{"with something critical", basic(r, r.Raw, whole(true)), false, Unsupported, ""},
		{"responder elsewhere", basic(r, nil, several), true, "", "good"},
		{"responder nowhere", basic(r, nil, several), false, "", ""},
		{"another's key", basic(responder(w.sub), r.Raw, several), false, "", ""},
		{"try later", []byte{0x30, 3, 0x0a, 1, 3}, false, Unsupported, ""},
		{"nothing", []byte{0x30, 0}, false, Malformed, ""},
		{"cut short", basic(r, r.Raw, byKey), false, Malformed, ""},
	} {
		s := &Sources{}
		if err := s.AddOCSP(tc.answer); KindOf(err) != tc.kind {
			t.Errorf("%s: %v", tc.name, err)
		}
		if tc.known {
			s.Add(ades.Evidence{Certificates: certificates(w.root, r)})
		}
		got := s.Statuses(h, sub)
		if g := says(got); g != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, g, tc.want)
		}
		for _, st := range got {
			if !st.NoCheck || !st.CoversExpired || !st.ProducedAt.Equal(noon) || !st.NextUpdate.IsZero() || st.Kind != OCSP || st.Algorithm.Hash != crypto.SHA256 || !st.Signer.Equal(r.Certificate) {
				t.Errorf("%s: %+v", tc.name, st)
			}
		}
	}
}
