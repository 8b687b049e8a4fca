package certpath

import (
	"crypto/x509"

	"sigillo/formats/cms"
)

// Verifier checks signatures, within a budget. It may be used by many
// goroutines. The zero value has the default budget and remembers nothing.
type Verifier struct {
	// Cache remembers what was checked; nil: nothing is.
	Cache *Cache
	// Budget bounds the signatures that are really checked, since those who
	// made a file choose how many there are and how long they take; 0: 500.
	Budget int
}

// Cache remembers right signatures and lists already read, for as many
// validations as one likes. It may be used by many goroutines.
type Cache struct{}

// NewCache makes a cache that takes about so many bytes at most, counting the
// lists it keeps; 0: 64 MB.
func NewCache(bytes int) *Cache { return &Cache{} }

// SignedWith gives the algorithm with which a certificate was signed, for those
// who have rules about that. It is an error if the algorithm is not known.
func SignedWith(c *x509.Certificate) (cms.Algorithm, error) {
	return cms.Algorithm{}, nil
}

// ParseCertificate is x509.ParseCertificate, and takes negative serial numbers
// as well (RFC 5280 §4.1.2.2: users SHOULD handle them gracefully).
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	return x509.ParseCertificate(der)
}
