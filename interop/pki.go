package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/ades"
	"sigillo/interop/rig"
)

// keyTypes are all the kinds of keys that sign. "pss" is an RSA key of 3072 bits
// that signs with RSASSA-PSS.
var keyTypes = []string{"p256", "p384", "p521", "rsa2048", "rsa3072", "pss", "ed25519"}

// pki is a root, an issuing authority below it, and what they issued. It is made
// for one run and thrown away.
type pki struct {
	root, ca       *x509.Certificate
	rootKey, caKey crypto.Signer
	signers        map[string]*identity // by type of key
	tsu            *identity
	base           string // address of the services that publish
	serial         int64
	made           time.Time
	rootCRL, caCRL []byte
}

// identity is a key with its certificate and those above it, without the root.
type identity struct {
	name        string
	key         crypto.Signer
	certificate *x509.Certificate
	chain       []*x509.Certificate
	pss         bool
	hash        crypto.Hash
}

// newPKI makes the authorities, a signer for each type of key and a unit that
// stamps. base is the address that the certificates name for lists and answers.
func newPKI(base string) (*pki, error) {
	p := &pki{base: base, signers: map[string]*identity{}, made: time.Now().Truncate(time.Second)}
	var err error
	if p.rootKey, err = rig.NewKey("p384"); err != nil {
		return nil, err
	}
	if p.caKey, err = rig.NewKey("p256"); err != nil {
		return nil, err
	}
	ca := func(name string) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{Country: []string{"IT"}, Organization: []string{"Prova"}, CommonName: name},
			IsCA:    true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
	}
	root := ca("Radice di prova")
	if p.root, err = p.issue(root, root, p.rootKey.Public(), p.rootKey); err != nil {
		return nil, err
	}
	if p.ca, err = p.issue(ca("Autorità di prova"), p.root, p.caKey.Public(), p.rootKey); err != nil {
		return nil, err
	}
	for _, t := range keyTypes {
		if p.signers[t], err = p.signer(t); err != nil {
			return nil, err
		}
	}
	p.tsu, err = p.identity("tsa", "p256", &x509.Certificate{
		Subject:         pkix.Name{Country: []string{"IT"}, Organization: []string{"Prova"}, CommonName: "Marca temporale di prova"},
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 8}}},
	})
	if err != nil {
		return nil, err
	}
	if p.rootCRL, err = p.crl(p.root, p.rootKey); err != nil {
		return nil, err
	}
	p.caCRL, err = p.crl(p.ca, p.caKey)
	return p, err
}

// signer makes a signer as qualified certificates are: nonRepudiation alone.
func (p *pki) signer(keyType string) (*identity, error) {
	id, err := p.identity(keyType, keyType, &x509.Certificate{
		Subject:  pkix.Name{Country: []string{"IT"}, CommonName: "Ada Esempio " + keyType},
		KeyUsage: x509.KeyUsageContentCommitment,
	})
	if err != nil {
		return nil, err
	}
	id.pss = keyType == "pss"
	return id, nil
}

func (p *pki) identity(name, keyType string, template *x509.Certificate) (*identity, error) {
	key, err := rig.NewKey(keyType)
	if err != nil {
		return nil, err
	}
	template.CRLDistributionPoints = []string{p.base + "/ca.crl"}
	template.OCSPServer = []string{p.base + "/ocsp"}
	template.IssuingCertificateURL = []string{p.base + "/ca.crt"}
	c, err := p.issue(template, p.ca, key.Public(), p.caKey)
	if err != nil {
		return nil, err
	}
	hashes := map[string]crypto.Hash{"p384": crypto.SHA384, "p521": crypto.SHA512, "rsa3072": crypto.SHA512, "ed25519": crypto.SHA512}
	id := &identity{name: name, key: key, certificate: c, chain: []*x509.Certificate{p.ca}, hash: hashes[keyType]}
	if id.hash == 0 {
		id.hash = crypto.SHA256
	}
	return id, nil
}

func (p *pki) issue(c, issuer *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	p.serial++
	c.SerialNumber = big.NewInt(0x7fffff00 + p.serial)
	c.NotBefore, c.NotAfter = p.made.AddDate(-1, 0, 0), p.made.AddDate(10, 0, 0)
	if c.IsCA && issuer != c {
		c.CRLDistributionPoints = []string{p.base + "/root.crl"}
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(spki)
	c.SubjectKeyId = id[:20] // RFC 7093 §2
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// crl is an empty list, just made.
func (p *pki) crl(issuer *x509.Certificate, key crypto.Signer) ([]byte, error) {
	return x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(p.made.Unix()), ThisUpdate: p.made, NextUpdate: p.made.AddDate(0, 0, 7),
	}, issuer, key)
}

// ocsp answers that the certificate with this number is good.
func (p *pki) ocsp(serial *big.Int) ([]byte, error) {
	now := time.Now().Truncate(time.Second)
	return ocsp.CreateResponse(p.ca, p.ca, ocsp.Response{
		Status: ocsp.Good, SerialNumber: serial, ThisUpdate: now, NextUpdate: now.AddDate(0, 0, 1), IssuerHash: crypto.SHA1,
	}, p.caKey)
}

// evidence is what checking a signature of this run takes.
func (p *pki) evidence() ades.Evidence {
	return ades.Evidence{Certificates: []*x509.Certificate{p.root, p.ca}, CRLs: [][]byte{p.rootCRL, p.caCRL}}
}

// pkiFiles are the same things as files, as the judges and makers want them.
type pkiFiles struct {
	root, ca       string // PEM certificates
	rootCRL, caCRL string // DER
	pemCRLs        string // both, PEM
	dir            string
}

// key gives the paths of an identity's key and certificates.
func (f pkiFiles) key(name string) (key, chain string) {
	return filepath.Join(f.dir, name+".key"), filepath.Join(f.dir, name+".pem")
}

// write puts everything into a folder.
func (p *pki) write(dir string) (pkiFiles, error) {
	f := pkiFiles{dir: dir, root: filepath.Join(dir, "root.pem"), ca: filepath.Join(dir, "ca.pem"),
		rootCRL: filepath.Join(dir, "root.crl"), caCRL: filepath.Join(dir, "ca.crl"), pemCRLs: filepath.Join(dir, "crls.pem")}
	files := map[string][]byte{
		f.root: certificatesPEM(p.root), f.ca: certificatesPEM(p.ca), f.rootCRL: p.rootCRL, f.caCRL: p.caCRL,
		f.pemCRLs: append(pemOf("X509 CRL", p.rootCRL), pemOf("X509 CRL", p.caCRL)...),
	}
	all := []*identity{p.tsu}
	for _, s := range p.signers {
		all = append(all, s)
	}
	for _, id := range all {
		der, err := x509.MarshalPKCS8PrivateKey(id.key)
		if err != nil {
			return f, err
		}
		key, chain := f.key(id.name)
		files[key] = pemOf("PRIVATE KEY", der)
		files[chain] = certificatesPEM(append([]*x509.Certificate{id.certificate}, id.chain...)...)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return f, err
	}
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return f, err
		}
	}
	return f, nil
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func certificatesPEM(certs ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		b.Write(pemOf("CERTIFICATE", c.Raw))
	}
	return b.Bytes()
}
