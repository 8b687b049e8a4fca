package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The extensions and names that crypto/x509 cannot express are encoded here.

func mustOID(s string) asn1.ObjectIdentifier {
	oid, err := parseOID(s)
	if err != nil {
		panic(err)
	}
	return oid
}

func parseOID(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseInt(part, 10, 31)
		if err != nil || n < 0 {
			return nil, errorf(BadRequest, "%q is not an object identifier", s)
		}
		oid = append(oid, int(n))
	}
	if len(oid) < 2 || oid[0] > 2 || oid[0] < 2 && oid[1] > 39 {
		return nil, errorf(BadRequest, "%q is not an object identifier", s)
	}
	return oid, nil
}

var (
	oidCountry        = mustOID("2.5.4.6")
	oidOrganisation   = mustOID("2.5.4.10")
	oidOrganisationID = mustOID("2.5.4.97") // organizationIdentifier, EN 319 412-1 §5.1.4
	oidCommonName     = mustOID("2.5.4.3")
	oidSurname        = mustOID("2.5.4.4")
	oidGivenName      = mustOID("2.5.4.42")
	oidSerialNumber   = mustOID("2.5.4.5")
	oidDNQualifier    = mustOID("2.5.4.46")

	oidPolicies   = mustOID("2.5.29.32")
	oidAnyPolicy  = mustOID("2.5.29.32.0")
	oidCPS        = mustOID("1.3.6.1.5.5.7.2.1")
	oidUserNotice = mustOID("1.3.6.1.5.5.7.2.2")
	oidEKU        = mustOID("2.5.29.37")
	oidStamping   = mustOID("1.3.6.1.5.5.7.3.8")
	oidPKUP       = mustOID("2.5.29.16")
	oidNoCheck    = mustOID("1.3.6.1.5.5.7.48.1.5")
	oidExpired    = mustOID("2.5.29.60")

	oidQCStatements  = mustOID("1.3.6.1.5.5.7.1.3")
	oidPKIXSyntaxV2  = mustOID("1.3.6.1.5.5.7.11.2") // RFC 3739 §3.2.6.1
	oidNatural       = mustOID("0.4.0.194121.1.1")   // SemanticsId-Natural, EN 319 412-1 §5.1.3
	oidQcCompliance  = mustOID("0.4.0.1862.1.1")     // EN 319 412-5 §4.2.1
	oidQcLimitValue  = mustOID("0.4.0.1862.1.2")     // §4.3.2
	oidQcRetention   = mustOID("0.4.0.1862.1.3")     // §4.3.3
	oidQcSSCD        = mustOID("0.4.0.1862.1.4")     // §4.2.2
	oidQcPDS         = mustOID("0.4.0.1862.1.5")     // §4.3.4
	oidQcType        = mustOID("0.4.0.1862.1.6")     // §4.2.3
	oidQcTypeEsign   = mustOID("0.4.0.1862.1.6.1")
	oidQCPNaturalQSC = mustOID("0.4.0.194112.1.2") // QCP-n-qscd, EN 319 411-2 §5.3
	oidAgIDCert      = mustOID("1.3.76.16.6")      // agIDcert: AgID's recommendations are followed
)

type attribute struct {
	oid   asn1.ObjectIdentifier
	tag   cbasn1.Tag // PrintableString or UTF8String, as X.520 has the attribute
	value string
}

// name encodes an RDNSequence with one attribute in each RDN, in this order.
// Attributes without a value are left out.
func name(attributes ...attribute) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range attributes {
			if a.value == "" {
				continue
			}
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(a.oid)
					b.AddASN1(a.tag, text(a.value))
				})
			})
		}
	})
	return b.Bytes()
}

// attributeNames are the short names people read.
var attributeNames = map[string]string{
	oidCountry.String(): "C", oidOrganisation.String(): "O", oidOrganisationID.String(): "organizationIdentifier",
	oidCommonName.String(): "CN", oidSurname.String(): "SN", oidGivenName.String(): "GN",
	oidSerialNumber.String(): "serialNumber", oidDNQualifier.String(): "dnQualifier",
}

// readableName returns an encoded name for people, in the order of the encoding.
func readableName(der []byte) string {
	var rdns pkix.RDNSequence
	if _, err := asn1.Unmarshal(der, &rdns); err != nil {
		return "(unreadable name)"
	}
	var parts []string
	for _, rdn := range rdns {
		for _, a := range rdn {
			label, known := attributeNames[a.Type.String()]
			if !known {
				label = a.Type.String()
			}
			value, _ := a.Value.(string)
			parts = append(parts, label+"="+strings.ReplaceAll(value, ",", `\,`))
		}
	}
	return strings.Join(parts, ", ")
}

func text(s string) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) }
}

func extension(oid asn1.ObjectIdentifier, critical bool, value cryptobyte.BuilderContinuation) (pkix.Extension, error) {
	var b cryptobyte.Builder
	value(&b)
	der, err := b.Bytes()
	return pkix.Extension{Id: oid, Critical: critical, Value: der}, err
}

// policy is a PolicyInformation, RFC 5280 §4.2.1.4.
type policy struct {
	oid     asn1.ObjectIdentifier
	cps     string
	notices []string // explicitText, at most 200 characters each
}

func policiesExtension(list []policy) (pkix.Extension, error) {
	return extension(oidPolicies, false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, p := range list {
				b.AddASN1(cbasn1.SEQUENCE, p.encode)
			}
		})
	})
}

func (p policy) encode(b *cryptobyte.Builder) {
	b.AddASN1ObjectIdentifier(p.oid)
	if p.cps == "" && len(p.notices) == 0 {
		return
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if p.cps != "" {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidCPS)
				b.AddASN1(cbasn1.IA5String, text(p.cps))
			})
		}
		for _, n := range p.notices {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidUserNotice)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.UTF8String, text(n)) })
			})
		}
	})
}

// statement adds a QCStatement, RFC 3739 §3.2.6; info may be nil.
func statement(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, info cryptobyte.BuilderContinuation) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if info != nil {
			info(b)
		}
	})
}

func oidSequence(oid asn1.ObjectIdentifier) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
	}
}

// qcStatements encodes the extension of a natural person's certificate. What is
// claimed beyond the meaning of the subject's serialNumber is claimed only by a
// provider that is configured as qualified.
func qcStatements(cfg Config, limit ValueLimit) (pkix.Extension, error) {
	return extension(oidQCStatements, false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			statement(b, oidPKIXSyntaxV2, oidSequence(oidNatural))
			if !cfg.Qualified {
				return
			}
			statement(b, oidQcCompliance, nil)
			statement(b, oidQcSSCD, nil)
			statement(b, oidQcType, oidSequence(oidQcTypeEsign))
			statement(b, oidQcRetention, func(b *cryptobyte.Builder) { b.AddASN1Int64(20) }) // years
			statement(b, oidQcPDS, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, l := range [][2]string{{"en", cfg.PDSEnglish}, {"it", cfg.PDSItalian}} {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1(cbasn1.IA5String, text(l[1]))
							b.AddASN1(cbasn1.PrintableString, text(l[0]))
						})
					}
				})
			})
			if limit != (ValueLimit{}) {
				statement(b, oidQcLimitValue, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.PrintableString, text(limit.Currency))
						b.AddASN1Int64(limit.Amount)
						b.AddASN1Int64(int64(limit.Exponent))
					})
				})
			}
		})
	})
}

// stampingOnly is the extended key usage of a time-stamping unit: critical, and
// nothing but timeStamping (RFC 3161 §2.3).
func stampingOnly() (pkix.Extension, error) {
	return extension(oidEKU, true, oidSequence(oidStamping))
}

// usagePeriod is privateKeyUsagePeriod (RFC 3280 §4.2.1.4; EN 319 422 §6.2).
func usagePeriod(from, to time.Time) (pkix.Extension, error) {
	return extension(oidPKUP, false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for i, t := range []time.Time{from, to} {
				b.AddASN1(cbasn1.Tag(i).ContextSpecific(), text(t.UTC().Format("20060102150405Z")))
			}
		})
	})
}

// noCheck tells relying parties not to ask for the status of an OCSP responder
// (RFC 6960 §4.2.2.2.1).
func noCheck() (pkix.Extension, error) {
	return extension(oidNoCheck, false, func(b *cryptobyte.Builder) { b.AddASN1NULL() })
}

// expiredOnCRL says that revoked certificates stay on the list after they have
// expired, all those that expired since t (X.509 §9.5.2.8; EN 319 411-2 CSS-6.3.10).
func expiredOnCRL(t time.Time) (pkix.Extension, error) {
	return extension(oidExpired, false, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(t.UTC()) })
}

// keyIdentifier is the leftmost 160 bits of SHA-256 over the subjectPublicKey
// (RFC 7093 §2 method 1).
func keyIdentifier(public any) ([]byte, error) {
	key, err := subjectPublicKey(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(key)
	return sum[:20], nil
}

// subjectPublicKey returns the content of the BIT STRING subjectPublicKey.
func subjectPublicKey(public any) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, wrap(BadRequest, "the public key is of no use in a certificate", err)
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if rest, err := asn1.Unmarshal(spki, &info); err != nil || len(rest) != 0 {
		return nil, wrap(BadRequest, "the public key is of no use in a certificate", err)
	}
	return info.Key.RightAlign(), nil
}
