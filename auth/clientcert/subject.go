package clientcert

import (
	"crypto/x509"
	"encoding/asn1"
	"regexp"
	"strings"
)

var (
	oidSerialNumber = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
)

// codice is a codice fiscale: letters, digits or the letters that stand for them
// (omocodia). Whether it is somebody's is for the register of holders to say.
var codice = regexp.MustCompile(`^[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]$`)

// fiscalCode reads the codice fiscale out of the subject.
func fiscalCode(c *x509.Certificate) (string, error) {
	serials, names := values(c, oidSerialNumber), values(c, oidCommonName)
	if len(serials) > 1 || len(names) > 1 {
		return "", fail(Nameless, "the certificate has more than one name or number of its holder")
	}
	var found []string
	for _, s := range serials {
		if code, ok := fromSerial(s); ok {
			found = append(found, code)
		}
	}
	for _, s := range names {
		// CN = codice fiscale/number of the card.hash of the personal data
		if code, _, cut := strings.Cut(s, "/"); cut && codice.MatchString(code) {
			found = append(found, code)
		}
	}
	switch {
	case len(found) == 0:
		return "", fail(Nameless, "the certificate does not say the codice fiscale of its holder")
	case len(found) == 2 && found[0] != found[1]:
		return "", fail(Nameless, "the certificate says two codici fiscali")
	}
	return found[0], nil
}

// fromSerial reads a serialNumber: "TINIT-" and the codice fiscale (EN 319 412-1
// §5.1.3), or "IT:" and it, as Italian rules had it before.
func fromSerial(s string) (string, bool) {
	for _, prefix := range []string{"TINIT-", "IT:"} {
		if code, ok := strings.CutPrefix(s, prefix); ok && codice.MatchString(code) {
			return code, true
		}
	}
	return "", false
}

// values are the attributes of one type in the subject, as they stand there.
func values(c *x509.Certificate, oid asn1.ObjectIdentifier) (out []string) {
	for _, a := range c.Subject.Names {
		if a.Type.Equal(oid) {
			s, ok := a.Value.(string)
			if !ok {
				s = "" // of a type that is no text: it counts, and matches nothing
			}
			out = append(out, s)
		}
	}
	return out
}
