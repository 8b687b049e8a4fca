package certpath

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/big"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	onHold        = 6
	removeFromCRL = 8
)

// list is a revocation list read once. Its entries stay where they are in the
// DER; an index finds them by serial number.
type list struct {
	signedObject
	der    []byte
	sum    [32]byte
	issuer string // canonical

	thisUpdate, nextUpdate time.Time
	expiredSince           time.Time // expiredCertsOnCRL; zero: not there
	keyID                  []byte    // authorityKeyIdentifier
	number, base           *big.Int  // cRLNumber, deltaCRLIndicator; nil: not there
	scope                  *scope    // issuingDistributionPoint; nil: not there
	scopeDER               []byte
	unknown                bool // has a critical extension that is not processed
	unusable               bool // has an entry with one

	entries
	mu       sync.Mutex
	verified map[string]bool // by SubjectPublicKeyInfo
}

// signedBy checks the list's signature, once for each key.
func (l *list) signedBy(c *x509.Certificate, v *Verifier) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := string(c.RawSubjectPublicKeyInfo)
	right, ok := l.verified[key]
	if ok {
		return right
	}
	err := v.check(&l.signedObject, c)
	if KindOf(err) != Limit && len(l.verified) < 1000 {
		l.verified[key] = err == nil
	}
	return err == nil
}

// size is about how many octets the list takes in memory.
func (l *list) size() int { return len(l.der) + 4*(cap(l.offsets)+len(l.heads)+len(l.next)) + 1024 }

// readList reads a CertificateList (RFC 5280 §5.1).
func readList(der []byte) (*list, error) {
	l := &list{der: der, verified: map[string]bool{}}
	broken := func(what string) error { return fail(Malformed, nil, "a revocation list is broken: %s", what) }
	in, body := cryptobyte.String(der), cryptobyte.String(nil)
	var ok bool
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, broken("it is no SEQUENCE, or something follows it")
	}
	if l.signedObject, ok = readSigned(&body); !ok || !body.Empty() {
		return nil, broken("it is not of three parts")
	}
	l.digests = map[crypto.Hash][]byte{}
	tbs, algorithm, issuer := cryptobyte.String(l.tbs), cryptobyte.String(nil), cryptobyte.String(nil)
	if !tbs.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(cbasn1.INTEGER) ||
		!tbs.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return nil, broken("its beginning")
	}
	if !bytes.Equal(algorithm, l.algorithm) {
		return nil, broken("it names two signature algorithms")
	}
	l.issuer = canonical(issuer)
	if !readTime(&tbs, &l.thisUpdate) {
		return nil, broken("thisUpdate")
	}
	if (tbs.PeekASN1Tag(cbasn1.UTCTime) || tbs.PeekASN1Tag(cbasn1.GeneralizedTime)) && !readTime(&tbs, &l.nextUpdate) {
		return nil, broken("nextUpdate")
	}
	var revoked, extensions cryptobyte.String
	var has bool
	if !tbs.ReadOptionalASN1(&revoked, &has, cbasn1.SEQUENCE) ||
		!tbs.ReadOptionalASN1(&extensions, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) || !tbs.Empty() {
		return nil, broken("its end")
	}
	if has && !l.readExtensions(extensions, issuer) {
		return nil, broken("its extensions")
	}
	if !l.entries.read(revoked, issuer, l.scope != nil && l.scope.indirect) {
		return nil, broken("its entries")
	}
	l.unusable = l.entries.unknown
	return l, nil
}

func readTime(in *cryptobyte.String, t *time.Time) bool {
	if in.PeekASN1Tag(cbasn1.UTCTime) {
		return in.ReadASN1UTCTime(t)
	}
	return in.ReadASN1GeneralizedTime(t)
}

// extensionItem is one Extension, taken apart.
type extensionItem struct {
	oid, value cryptobyte.String
	critical   bool
}

// readExtension reads one Extension from a SEQUENCE OF them.
func readExtension(in *cryptobyte.String) (e extensionItem, ok bool) {
	var body cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&e.oid, cbasn1.OBJECT_IDENTIFIER) {
		return e, false
	}
	if body.PeekASN1Tag(cbasn1.BOOLEAN) && !body.ReadASN1Boolean(&e.critical) {
		return e, false
	}
	return e, body.ReadASN1(&e.value, cbasn1.OCTET_STRING) && body.Empty()
}

// ce gives n if the extension is id-ce n, else 0.
func (e *extensionItem) ce() int {
	if len(e.oid) == 3 && e.oid[0] == 0x55 && e.oid[1] == 0x1d && e.oid[2] < 0x80 {
		return int(e.oid[2])
	}
	return 0
}

// readExtensions reads those of the list. One given twice makes it unreadable.
func (l *list) readExtensions(in, issuer cryptobyte.String) bool {
	var body cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() {
		return false
	}
	seen := map[string]bool{}
	for !body.Empty() {
		e, ok := readExtension(&body)
		if !ok || seen[string(e.oid)] {
			return false
		}
		seen[string(e.oid)] = true
		switch v := e.value; e.ce() {
		case 20:
			l.number = new(big.Int)
			ok = len(v) < 64 && v.ReadASN1Integer(l.number) && v.Empty()
		case 27:
			l.base = new(big.Int)
			ok = len(v) < 64 && v.ReadASN1Integer(l.base) && v.Empty()
		case 28:
			l.scopeDER = e.value
		case 35:
			var id, key cryptobyte.String
			var has bool
			if ok = v.ReadASN1(&id, cbasn1.SEQUENCE) && id.ReadOptionalASN1(&key, &has, cbasn1.Tag(0).ContextSpecific()); has {
				l.keyID = key
			}
		case 60:
			ok = v.ReadASN1GeneralizedTime(&l.expiredSince) && v.Empty()
		case 18, 46: // issuerAltName, freshestCRL
		default:
			l.unknown = l.unknown || e.critical
		}
		if !ok {
			return false
		}
	}
	if l.scopeDER == nil {
		return true
	}
	var ok bool
	l.scope, ok = readScope(l.scopeDER, issuer)
	return ok
}
