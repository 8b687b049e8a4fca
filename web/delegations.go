package web

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/vault"
)

// Delegations are what holders have given to applications: signatures without the holder,
// within bounds (SIG-7). *remote.Service satisfies it.
type Delegations interface {
	Delegations(ctx context.Context, holder string) ([]vault.Delegation, error)
	Delegate(ctx context.Context, holder string, n remote.Delegation, e signing.Evidence) (vault.Delegation, error)
	RevokeDelegation(ctx context.Context, holder, id, by, reason string) error
}

// byHolder is the reason that the journal has when a holder revokes.
const byHolder = "revoked by the holder"

// maxApplication is how long the application's certificate may be, as text.
const maxApplication = 16 << 10

// applicationCertificate reads how a holder names the certificate of an application: the
// certificate itself (PEM), or its SHA-256 in hex, as openssl and browsers write it. It
// gives the SHA-256 of the DER.
func applicationCertificate(text string) ([]byte, error) {
	bad := func(msg string, err error) ([]byte, error) { return nil, fail(WrongEntry, msg, err) }
	if len(text) > maxApplication {
		return bad("the application's certificate is too long", nil)
	}
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "-----BEGIN") {
		if _, value, ok := strings.Cut(text, "="); ok { // sha256 Fingerprint=AB:CD:…
			text = value
		}
		sum, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "", "\r", "", "\n", "").Replace(text))
		if err != nil || len(sum) != sha256.Size {
			return bad("the application's certificate is neither a certificate nor a SHA-256", nil)
		}
		return sum, nil
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return bad("what stands in the place of the application's certificate is none", nil)
	}
	if strings.Contains(string(rest), "-----BEGIN") {
		return bad("give the application's certificate alone, without its chain and without a key", nil)
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return bad("the application's certificate cannot be read", err)
	}
	sum := sha256.Sum256(block.Bytes)
	return sum[:], nil
}

// documentKinds reads names of kinds of documents, one in a line or between commas.
func documentKinds(text string) (kinds []string) {
	for _, k := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ';' }) {
		if k = strings.Join(strings.Fields(k), " "); k != "" && !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// delegationOf reads the form with which a holder delegates.
func (s *Server) delegationOf(f form) (n remote.Delegation, err error) {
	n = remote.Delegation{ID: f.get("id"), Credential: f.get("credential"), Kinds: documentKinds(f.get("kinds"))}
	if n.Count, err = strconv.Atoi(strings.TrimSpace(f.get("count"))); err != nil || n.Count < 1 || n.Count > vault.MaxDelegated {
		return n, fail(WrongEntry, "a delegation is for 1 to a million signatures", nil)
	}
	day, err := time.ParseInLocation(time.DateOnly, f.get("until"), s.cfg.Zone)
	if err != nil {
		return n, fail(WrongEntry, "the last day is not a day", nil)
	}
	n.Expires = day.AddDate(0, 0, 1).Add(-time.Second)
	if now := s.cfg.Now(); !n.Expires.After(now) || n.Expires.After(now.Add(vault.DelegationLife)) {
		return n, fail(WrongEntry, "the last day is past, or too far away", nil)
	}
	if len(n.Kinds) < 1 || len(n.Kinds) > vault.MaxKinds || slices.ContainsFunc(n.Kinds, func(k string) bool { return len(k) > vault.MaxKind }) {
		return n, fail(WrongEntry, "there are too many kinds of documents, or none, or one has too long a name", nil)
	}
	n.ClientCertificate, err = applicationCertificate(f.get("certificate"))
	return n, err
}
