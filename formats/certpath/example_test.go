package certpath_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"time"

	"sigillo/formats/certpath"
)

// made gives a certificate of a few words' worth, and its key.
func made(cn string, serial int64, issuer *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: cn},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	if issuer == nil {
		t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		issuer, by = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, key.Public(), by)
	if err != nil {
		log.Fatal(err)
	}
	c, err := certpath.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	return c, key
}

// A relying party looks for a path that was valid at a time, and then for what
// is known about revocation.
func Example() {
	root, key := made("Root", 1, nil, nil)
	ada, _ := made("Ada", 2, root, key)
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: at.Add(-time.Hour), NextUpdate: at.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: ada.SerialNumber, RevocationTime: at.Add(-2 * time.Hour), ReasonCode: 1}}}, root, key)
	if err != nil {
		log.Fatal(err)
	}

	search := &certpath.Search{Anchors: []*x509.Certificate{root}, Verifier: &certpath.Verifier{Cache: certpath.NewCache(0)}}
	sources := &certpath.Sources{Search: search}
	if err := sources.AddCRL(crl); err != nil {
		log.Fatal(err)
	}
	for path := range search.Paths(ada) {
		fmt.Println("path of", len(path), "with faults", path.Check(at, certpath.Constraints{}))
		for _, fault := range sources.Check(path, at) {
			fmt.Println(fault.Certificate.Subject.CommonName, fault.Kind, "since", fault.Detail)
		}
	}
	// Output:
	// path of 2 with faults []
	// Ada revoked since 2026-06-01T10:00:00Z
}

// What is said about a certificate, without deciding about it.
func ExampleSources_Statuses() {
	root, key := made("Root", 1, nil, nil)
	ada, _ := made("Ada", 2, root, key)
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: at, NextUpdate: at.Add(time.Hour)}, root, key)
	if err != nil {
		log.Fatal(err)
	}
	var sources certpath.Sources
	if err := sources.AddCRL(crl); err != nil {
		log.Fatal(err)
	}
	for _, st := range sources.Statuses(ada, root) {
		fmt.Println(st.Kind, "of", st.ThisUpdate.Format(time.DateTime), "revoked:", st.Revoked, "signed by", st.Signer.Subject.CommonName, "with", st.Algorithm.Hash)
	}
	// Output:
	// crl of 2026-06-01 12:00:00 revoked: false signed by Root with SHA-256
}
