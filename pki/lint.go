package pki

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"sigillo/audit"
	"sigillo/store"
)

// The linter's rules that bind us. Those of the browsers' root programs and of
// the CA/Browser Forum are about TLS servers and mail, which these certificates
// never serve. Of the rules that remain one is left out: it looks for the
// certificates of another CA whose key was lost, by verifying signatures, which
// takes as long as all other rules together. None is excepted for a profile.
var lintSources = lint.SourceList{
	lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6960, lint.RFC8813, lint.Community, lint.EtsiEsi,
}

var lintRules = sync.OnceValues(func() (lint.Registry, error) {
	return lint.GlobalRegistry().Filter(lint.FilterOptions{
		IncludeSources: lintSources,
		ExcludeNames:   []string{"e_cert_issued_by_compromised_emudhra_ca"},
	})
})

// findings lints a certificate and returns what was found (notices, warnings,
// errors) as "error e_rule_name: details", and whether that refuses it.
func findings(certificate []byte) (refused bool, list []string, err error) {
	rules, err := lintRules()
	if err != nil {
		return false, nil, wrap(Failed, "the linter's rules", err)
	}
	cert, err := zx509.ParseCertificate(certificate)
	if err != nil {
		return false, nil, wrap(Failed, "the linter cannot read the certificate", err)
	}
	for rule, r := range zlint.LintCertificateEx(cert, rules).Results {
		if r.Status < lint.Notice {
			continue
		}
		refused = refused || r.Status >= lint.Error
		list = append(list, strings.TrimSuffix(fmt.Sprintf("%s %s: %s", r.Status, rule, r.Details), ": "))
	}
	slices.Sort(list)
	return refused, list, nil
}

// lint is step 2 of minting: the twin of the certificate is linted, and errors
// refuse the certificate. Warnings and notices are journalled with the intent.
func (a *Authority) lint(ctx context.Context, d *draft) error {
	issuerKey := d.public
	if d.parent != nil {
		issuerKey = d.parent.PublicKey
	}
	key, err := a.twinKey(issuerKey)
	if err != nil {
		return err
	}
	h := d.hash.New()
	h.Write(d.tbs)
	signature, err := key.Sign(rand.Reader, h.Sum(nil), d.hash)
	if err != nil {
		return wrap(Failed, "sign the linter's certificate", err)
	}
	twin, err := d.join(signature)
	if err != nil {
		return wrap(Failed, "build the linter's certificate", err)
	}
	refused, list, err := findings(twin)
	if err != nil {
		return err
	}
	found := strings.Join(list, "; ")
	if len(found) > audit.MaxValue {
		found = strings.ToValidUTF8(found[:audit.MaxValue], "")
	}
	if !refused {
		d.findings = found
		return nil
	}
	err = a.db.Write(ctx, func(tx *store.Tx) error {
		return d.journal(tx, d.at, "certificate.refused", map[string]string{"lint": found})
	})
	if err != nil {
		return stored("record the refusal", err)
	}
	return errorf(Refused, "the linter refuses the certificate: %s", found)
}
