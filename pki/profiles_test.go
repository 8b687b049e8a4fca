package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigillo/hsm"
)

// Every certificate of the house passes the linter without even a notice.
func TestLintFindsNothing(t *testing.T) {
	t.Parallel()
	rsaHouse := testConfig()
	rsaHouse.RootKey, rsaHouse.CAKey, rsaHouse.UnitKey = hsm.RSA3072, hsm.RSA2048, hsm.RSA2048
	limited := Limits{Use: UseLimit{Kind: RelationsWith, Party: "Comune di Prova"}, Value: ValueLimit{"EUR", 5, 5}}
	for name, tt := range map[string]struct {
		cfg    Config
		key    hsm.KeyType
		limits Limits
	}{
		"test":              {testConfig(), hsm.P256, Limits{}},
		"test, RSA house":   {rsaHouse, hsm.RSA2048, Limits{}},
		"test, limited":     {testConfig(), hsm.P384, Limits{Use: UseLimit{Kind: WorkPurposes}}},
		"qualified":         {qualifiedConfig(), hsm.RSA2048, Limits{}},
		"qualified,limited": {qualifiedConfig(), hsm.P256, limited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, tt.cfg)
			r := h.enrol(t, "1", tt.key)
			r.Limits = tt.limits
			cert, err := h.Issue(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			r = h.enrol(t, "2", tt.key)
			r.Limits, r.Profile = tt.limits, ProfileAutomatic
			automatic, err := h.Issue(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			r = h.enrol(t, "3", tt.key)
			r.Limits, r.Profile = tt.limits, ProfileCounter
			counter, err := h.Issue(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			list := map[string]*x509.Certificate{ProfileSignature: cert, ProfileAutomatic: automatic, ProfileCounter: counter}
			for _, s := range ceremonyPlan(h.cfg) {
				if s.profile != "" {
					list[s.label] = h.CA(s.label)
				}
			}
			for what, c := range list {
				if _, found, err := findings(c.Raw); err != nil || len(found) > 0 {
					t.Errorf("%s: %v\n%s", what, err, strings.Join(found, "\n"))
				}
			}
		})
	}
}

func extensionOf(c *x509.Certificate, oid asn1.ObjectIdentifier) (value []byte, critical, found bool) {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return e.Value, e.Critical, true
		}
	}
	return nil, false, false
}

// has reports whether the DER of an OID or a text is somewhere in value.
func has(t *testing.T, value []byte, what any) bool {
	t.Helper()
	if s, ok := what.(string); ok {
		return bytes.Contains(value, []byte(s))
	}
	der, err := asn1.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(value, der)
}

func oids(c *x509.Certificate) (list []string) {
	for _, e := range c.Extensions {
		list = append(list, e.Id.String())
	}
	slices.Sort(list)
	return list
}

func TestSignatureProfile(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	cert := h.issue(t, "1")
	if got := readableName(cert.RawSubject); got != "C=IT, serialNumber=TINIT-RSSMRA85T10A562S, GN=Mario, SN=Rossi, CN=Mario Rossi, dnQualifier=h-1" {
		t.Error(got)
	}
	// keyUsage, policies, SKI, AKI, CDP, AIA, qcStatements, and nothing else.
	want := []string{"1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.1.3", "2.5.29.14", "2.5.29.15", "2.5.29.31", "2.5.29.32", "2.5.29.35"}
	if got := oids(cert); !reflect.DeepEqual(got, want) {
		t.Errorf("extensions %v, want %v", got, want)
	}
	for _, e := range cert.Extensions {
		if e.Critical != e.Id.Equal(mustOID("2.5.29.15")) {
			t.Errorf("%v: critical %v", e.Id, e.Critical)
		}
	}
	if cert.KeyUsage != x509.KeyUsageContentCommitment || cert.IsCA {
		t.Errorf("key usage %b", cert.KeyUsage)
	}
	if v, _, _ := extensionOf(cert, mustOID("2.5.29.15")); hex.EncodeToString(v) != "03020640" {
		t.Errorf("keyUsage %x", v)
	}
	policies, _, _ := extensionOf(cert, oidPolicies)
	if !has(t, policies, mustOID("2.999.1.1")) || !has(t, policies, testNotice) || has(t, policies, oidQCPNaturalQSC) || has(t, policies, oidAgIDCert) {
		t.Errorf("policies %x", policies)
	}
	qc, _, _ := extensionOf(cert, oidQCStatements)
	if !has(t, qc, oidNatural) || has(t, qc, oidQcCompliance) || has(t, qc, oidQcSSCD) {
		t.Errorf("a house that is not qualified claims %x", qc)
	}
	if !reflect.DeepEqual(cert.OCSPServer, []string{"http://localhost:8080/ocsp/issuing-ca"}) ||
		!reflect.DeepEqual(cert.IssuingCertificateURL, []string{"http://localhost:8080/certs/issuing-ca.crt"}) ||
		!reflect.DeepEqual(cert.CRLDistributionPoints, []string{"http://localhost:8080/crl/issuing-ca.crl"}) {
		t.Error(cert.OCSPServer, cert.IssuingCertificateURL, cert.CRLDistributionPoints)
	}
	if !bytes.Equal(cert.AuthorityKeyId, h.CA(IssuingCA).SubjectKeyId) || len(cert.SubjectKeyId) != 20 {
		t.Error("key identifiers")
	}
	if cert.SerialNumber.BitLen() < 64 || cert.SerialNumber.BitLen() > 127 || cert.SerialNumber.Sign() <= 0 {
		t.Error("serial", cert.SerialNumber)
	}
}

// The statements of a qualified certificate, byte for byte as EN 319 412-5 has them.
func TestQualifiedStatements(t *testing.T) {
	t.Parallel()
	ext, err := qcStatements(qualifiedConfig(), ValueLimit{"EUR", 250, 3})
	if err != nil {
		t.Fatal(err)
	}
	var list []asn1.RawValue
	if rest, err := asn1.Unmarshal(ext.Value, &list); err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	want := []string{
		// id-qcs-pkixQCSyntax-v2 { id-etsi-qcs-SemanticsId-Natural }
		"301506082b06010505070b02" + "3009" + "060704008bec490101",
		"3008" + "060604008e460101",                                 // QcCompliance
		"3008" + "060604008e460104",                                 // QcSSCD
		"3013" + "060604008e460106" + "3009" + "060704008e46010601", // QcType esign
		"300b" + "060604008e460103" + "020114",                      // QcRetentionPeriod 20
		"",                                                          // QcPDS, below
		"3016" + "060604008e460102" + "300c" + "1303455552" + "020200fa" + "020103", // QcLimitValue 250·10³ EUR
	}
	if len(list) != len(want) {
		t.Fatalf("%d statements", len(list))
	}
	for i, w := range want {
		if got := hex.EncodeToString(list[i].FullBytes); w != "" && got != w {
			t.Errorf("statement %d: %s, want %s", i, got, w)
		}
	}
	var pds struct {
		ID        asn1.ObjectIdentifier
		Locations []struct {
			URL  string `asn1:"ia5"`
			Lang string `asn1:"printable"`
		}
	}
	if _, err := asn1.Unmarshal(list[5].FullBytes, &pds); err != nil || !pds.ID.Equal(oidQcPDS) || len(pds.Locations) != 2 ||
		pds.Locations[0].Lang != "en" || pds.Locations[1].Lang != "it" || pds.Locations[1].URL != "https://localhost/pds-it.pdf" {
		t.Errorf("%+v %v", pds, err)
	}
}

// The certificate of the automatic procedure differs in its policy and its notice, and
// in nothing else; both kinds can be suspended.
func TestAutomaticProfile(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{"test": testConfig(), "qualified": qualifiedConfig()} {
		h := newHouse(t, cfg)
		r := h.enrol(t, "1", hsm.P256)
		r.Profile = ProfileAutomatic
		r.Limits.Use = UseLimit{Kind: RelationsWith, Party: "Comune di Prova"}
		cert, err := h.Issue(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		plain := h.issue(t, "2")
		policies, _, _ := extensionOf(cert, oidPolicies)
		ordinary, _, _ := extensionOf(plain, oidPolicies)
		for _, what := range []any{mustOID("2.999.1.3"), automaticNotice, "Comune di Prova"} {
			if !has(t, policies, what) || has(t, ordinary, what) {
				t.Errorf("%s: %v is not in the automatic certificate alone", name, what)
			}
		}
		if has(t, policies, mustOID("2.999.1.1")) {
			t.Errorf("%s: the policy of attended signatures is claimed", name)
		}
		qc, _, _ := extensionOf(cert, oidQCStatements)
		if other, _, _ := extensionOf(plain, oidQCStatements); !bytes.Equal(qc, other) || cert.KeyUsage != plain.KeyUsage || !reflect.DeepEqual(oids(cert), oids(plain)) {
			t.Errorf("%s: the profiles differ in more than the policy", name)
		}
		serial := fmt.Sprintf("%x", cert.SerialNumber)
		if h.row(t, serial).Profile != ProfileAutomatic {
			t.Errorf("%s: stored as %s", name, h.row(t, serial).Profile)
		}
		if err := h.Suspend(t.Context(), serial, 0, "test"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQualifiedPolicies(t *testing.T) {
	t.Parallel()
	h := newHouse(t, qualifiedConfig())
	r := h.enrol(t, "1", hsm.P256)
	r.Limits.Use = UseLimit{Kind: WorkPurposes}
	cert, err := h.Issue(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	policies, _, _ := extensionOf(cert, oidPolicies)
	for _, what := range []any{oidQCPNaturalQSC, oidAgIDCert, mustOID("2.999.1.1"), "finalità di lavoro", h.cfg.CPS} {
		if !has(t, policies, what) {
			t.Errorf("%v is missing", what)
		}
	}
	if has(t, policies, testNotice) {
		t.Error("a qualified certificate says it is for test")
	}
}

func TestHouseProfiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	root, issuing, tsaCA := h.CA(RootCA), h.CA(IssuingCA), h.CA(TSACA)
	for _, ca := range []*x509.Certificate{root, issuing, tsaCA} {
		if !ca.IsCA || !ca.BasicConstraintsValid || ca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
			t.Errorf("%s is no CA", readableName(ca.RawSubject))
		}
	}
	if root.MaxPathLen != 1 || issuing.MaxPathLen != 0 || !issuing.MaxPathLenZero || !tsaCA.MaxPathLenZero {
		t.Error("path lengths")
	}
	unit := h.CA(TSU)
	if eku, critical, _ := extensionOf(unit, oidEKU); !critical || hex.EncodeToString(eku) != "300a06082b06010505070308" {
		t.Errorf("the unit's extended key usage is %x, critical %v", eku, critical)
	}
	period, critical, found := extensionOf(unit, oidPKUP)
	var pkup struct {
		From asn1.RawValue `asn1:"tag:0"`
		To   asn1.RawValue `asn1:"tag:1"`
	}
	if _, err := asn1.Unmarshal(period, &pkup); err != nil || critical || !found ||
		string(pkup.From.Bytes) != unit.NotBefore.Format("20060102150405Z") ||
		string(pkup.To.Bytes) != unit.NotBefore.AddDate(0, 3, 0).Format("20060102150405Z") {
		t.Errorf("the unit's key may be used %s to %s (%v)", pkup.From.Bytes, pkup.To.Bytes, err)
	}
	responder := h.CA(OCSPIssuing)
	if v, critical, found := extensionOf(responder, oidNoCheck); !found || critical || hex.EncodeToString(v) != "0500" {
		t.Errorf("nocheck %x", v)
	}
	if !slices.Equal(responder.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}) || len(responder.OCSPServer)+len(responder.CRLDistributionPoints) > 0 {
		t.Error("the responder's profile")
	}
	for label, chain := range map[string][]*x509.Certificate{TSU: {tsaCA}, OCSPTSA: {tsaCA}, OCSPIssuing: {issuing}, IssuingCA: nil, RootCA: nil} {
		if got := h.Chain(h.CA(label)); !reflect.DeepEqual(got, chain) {
			t.Errorf("chain of %s: %d certificates", label, len(got))
		}
	}
	if h.CA(JournalKey) != nil || h.CA("else") != nil {
		t.Error("certificates of keys that have none")
	}
	for label, cert := range h.house {
		pool, roots := x509.NewCertPool(), x509.NewCertPool()
		for _, c := range h.Chain(cert) {
			pool.AddCert(c)
		}
		for _, c := range h.Roots() {
			roots.AddCert(c)
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Errorf("%s: %v", label, err)
		}
	}
}

// The texts fit, in every limit that has no party to name.
func TestLimitTexts(t *testing.T) {
	t.Parallel()
	for _, k := range []UseKind{Unlimited, WorkPurposes} {
		if err := (Limits{Use: UseLimit{Kind: k}}).check(testConfig()); err != nil {
			t.Error(err)
		}
	}
	for name, l := range map[string]Limits{
		"no party":      {Use: UseLimit{Kind: RelationsWith}},
		"long party":    {Use: UseLimit{Kind: RelationsWith, Party: strings.Repeat("Comune ", 8) + "di Prova"}},
		"party":         {Use: UseLimit{Kind: WorkPurposes, Party: "x"}},
		"unknown":       {Use: UseLimit{Kind: "else"}},
		"not qualified": {Value: ValueLimit{"EUR", 1, 0}},
	} {
		if err := l.check(testConfig()); KindOf(err) != BadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, v := range []ValueLimit{{"EU", 1, 0}, {"eur", 1, 0}, {"EUR", 0, 1}, {"EUR", -1, 0}, {"EUR", 1, -1}, {"EUR", 1, 19}} {
		if err := (Limits{Value: v}).check(qualifiedConfig()); KindOf(err) != BadRequest {
			t.Errorf("%v: %v", v, err)
		}
	}
}

func TestDNQualifier(t *testing.T) {
	t.Parallel()
	if dnQualifier("h-0001") != "h-0001" {
		t.Error("a printable ID is changed")
	}
	seen := map[string]bool{}
	for _, id := range []string{"h_0001", "è", strings.Repeat("x", 65), ""} {
		q := dnQualifier(id)
		if !printable(q) || len(q) != 32 || seen[q] {
			t.Errorf("%q becomes %q", id, q)
		}
		seen[q] = true
	}
}

// The certificate of a key that is released at a counter says so, and claims nothing else.
func TestCounterProfile(t *testing.T) {
	t.Parallel()
	h := newHouse(t, qualifiedConfig())
	r := h.enrol(t, "1", hsm.P256)
	r.Profile = ProfileCounter
	cert, err := h.Issue(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	policies, _, _ := extensionOf(cert, oidPolicies)
	ordinary, _, _ := extensionOf(h.issue(t, "2"), oidPolicies)
	for _, what := range []any{mustOID("2.999.1.4"), counterNotice} {
		if !has(t, policies, what) || has(t, ordinary, what) {
			t.Errorf("%v is not in the certificate of a counter alone", what)
		}
	}
	if has(t, policies, mustOID("2.999.1.1")) || len(counterNotice) > maxNotice {
		t.Error("the policy of others is claimed, or the notice is too long")
	}
	if row := h.row(t, fmt.Sprintf("%x", cert.SerialNumber)); row.Profile != ProfileCounter {
		t.Errorf("%+v", row)
	}
}
