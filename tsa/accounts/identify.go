package accounts

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Caller is what a request says about who sent it.
type Caller struct {
	Username    string // HTTP Basic (RFC 7617); the slices are not kept
	Password    []byte
	Bearer      string            // RFC 6750
	Certificate *x509.Certificate // of the TLS client; the handshake has proved its key, its chain is not looked at
	Addr        netip.Addr        // where it came from
}

const (
	maxUsername = 128
	maxBearer   = 256
)

var (
	errUnknown = fail(Unknown, nil, "nobody is known by these credentials")
	errNobody  = fail(Unknown, nil, "credentials are needed: a user name and password, a token, or a certificate")
	errExpired = fail(Unknown, nil, "the credentials have expired")
	errPeriod  = fail(Unknown, nil, "the client certificate has expired, or is not valid yet")
	errRevoked = fail(Unknown, nil, "the client certificate is no longer accepted: its registration was revoked")
)

// Identify says whose request it is. Credentials that are sent must be right:
// nobody with a wrong password is anonymous instead. A certificate that no account
// ever had says nothing, because browsers and smart cards send theirs everywhere;
// one that was registered is a credential, and when that was revoked or is out of its
// time it is refused.
//
// Kinds: Unknown (also for who says nothing where the account of everybody, or that
// of his network, is not active: programs send their credentials only when they are
// asked); NotPermitted (the account is not active, or not from there);
// LockedOut (too many wrong passwords from the address), RateLimited (too many
// passwords to be checked at once).
func (b *Book) Identify(ctx context.Context, c Caller) (*Account, error) {
	d := b.current.Load()
	addr := c.Addr.Unmap().WithZone("")
	switch {
	case c.Username != "" || len(c.Password) > 0:
		if c.Bearer != "" || len(c.Username) > maxUsername {
			return nil, errUnknown
		}
		cred, err := b.verify.password(ctx, b, d, c.Username, c.Password, addr)
		if err != nil {
			return nil, err
		}
		return b.admit(cred, addr)
	case c.Bearer != "":
		if len(c.Bearer) > maxBearer {
			return nil, errUnknown
		}
		cred := d.bearers[sha256.Sum256([]byte(c.Bearer))]
		if cred == nil {
			return nil, errUnknown
		}
		return b.admit(cred, addr)
	}
	if c.Certificate != nil && len(d.certs)+len(d.keys) > 0 {
		sums := b.certs.sums(c.Certificate)
		cred := d.certs[sums.whole]
		if key := d.keys[sums.key]; cred == nil || cred.revoked && key != nil {
			cred = key
		}
		switch {
		case cred == nil: // nobody's
		case cred.revoked:
			return nil, errRevoked
		case b.outside(c.Certificate):
			return nil, errPeriod
		default:
			return b.admit(cred, addr)
		}
	}
	return d.silent(addr)
}

// silent is who says nothing: known by the network, or anybody.
func (d *directory) silent(addr netip.Addr) (*Account, error) {
	a := d.networks.find(addr)
	if a == nil && d.anonymous != nil && d.anonymous.from(addr) {
		a = d.anonymous
	}
	if a == nil {
		return nil, errNobody
	}
	if a.State != Active {
		return nil, fail(Unknown, notActive(a.ID, a.State), "%s", errNobody.Msg)
	}
	return a, nil
}

// outside says that it is not the time of a certificate.
func (b *Book) outside(c *x509.Certificate) bool {
	now := b.cfg.Now()
	return now.Before(c.NotBefore) || now.After(c.NotAfter)
}

// admit looks at the rest once a credential was right.
func (b *Book) admit(c *credential, addr netip.Addr) (*Account, error) {
	if !c.expires.IsZero() && !b.cfg.Now().Before(c.expires) {
		return nil, errExpired
	}
	if !c.account.from(addr) {
		return nil, fail(NotPermitted, nil, "the account %s may not be used from %v", c.account.ID, addr)
	}
	if c.account.State != Active {
		return nil, notActive(c.account.ID, c.account.State)
	}
	return c.account, nil
}

// from says whether the account may be used from an address.
func (a *Account) from(addr netip.Addr) bool {
	return len(a.Networks) == 0 ||
		slices.ContainsFunc(a.Networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// certificates remembers the hashes of the certificates of connections: a client
// sends many requests over one.
type certificates struct {
	mu    sync.RWMutex
	known map[*x509.Certificate]sums
}

type sums struct{ whole, key [32]byte }

// maxCertificates bounds what is remembered. The certificates are held, so an
// address cannot come to mean another one.
const maxCertificates = 1024

func (c *certificates) sums(cert *x509.Certificate) sums {
	c.mu.RLock()
	s, ok := c.known[cert]
	c.mu.RUnlock()
	if ok {
		return s
	}
	s = sums{sha256.Sum256(cert.Raw), sha256.Sum256(cert.RawSubjectPublicKeyInfo)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCertificates || c.known == nil {
		c.known = map[*x509.Certificate]sums{}
	}
	c.known[cert] = s
	return s
}

// sameVersion says whether an account is as it was then.
func sameVersion(a *Account, changed time.Time) bool { return a.Changed.Equal(changed) }
