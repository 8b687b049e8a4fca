package load

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/digitorus/timestamp"
)

// parsing guards the library, which counts in a global variable.
var parsing sync.Mutex

// Verify checks an answer in full: granted, the signature over TSTInfo, the
// certificate of the signer inside and made for time-stamping, the imprint, a time
// near now, and the certificate's path to root unless that is nil. The library
// shares no code with ours.
func Verify(response, imprint []byte, root *x509.Certificate) error {
	parsing.Lock()
	ts, err := timestamp.ParseResponse(response)
	parsing.Unlock()
	if err != nil {
		return err
	}
	if !bytes.Equal(ts.HashedMessage, imprint) {
		return errors.New("the imprint is another")
	}
	if off := time.Since(ts.Time); off < -2*time.Second || off > time.Hour {
		return fmt.Errorf("the time is off by %s", off)
	}
	if root == nil {
		return nil
	}
	return CheckPath(ts, root)
}

// CheckPath checks that the certificate of the signer in a token is made for
// time-stamping and was issued under root, at the time stamped.
func CheckPath(ts *timestamp.Timestamp, root *x509.Certificate) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, c := range ts.Certificates {
		between.AddCert(c)
	}
	for _, c := range ts.Certificates {
		if c.IsCA {
			continue
		}
		_, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: ts.Time,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
		return err
	}
	return errors.New("no certificate of a signer in the token")
}
