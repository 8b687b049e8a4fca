package certpath

import (
	"bytes"
	"crypto/x509"
	"hash/maphash"
	"slices"
	"sort"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// entries are the revokedCertificates of a list.
type entries struct {
	der     []byte       // of the SEQUENCE's inside
	offsets []uint32     // of each entry in der
	heads   []uint32     // by hash of serial number: 1 + index of the last entry with it, 0: none
	next    []uint32     // for each entry the one before it with the same hash
	seed    maphash.Seed // so that nobody can choose serial numbers of one hash
	issuers []issuerFrom // of an indirect list, ascending
	unknown bool         // an entry has a critical extension that is not processed
}

// issuerFrom says from which entry on the certificates are of which issuer: a
// certificateIssuer holds until the next one (§5.3.3).
type issuerFrom struct {
	index  int
	issuer string // canonical
}

// entry is one of them, taken apart.
type entry struct {
	serial, rest []byte // serial number's content octets, and what follows it
}

func (e *entries) read(in, listIssuer cryptobyte.String, indirect bool) bool {
	e.der, e.seed = in, maphash.MakeSeed()
	if len(in) > 1<<31 {
		return false
	}
	e.offsets = make([]uint32, 0, len(in)/36)
	if indirect {
		e.issuers = []issuerFrom{{0, canonical(listIssuer)}}
	}
	for rest := in; !rest.Empty(); {
		at := len(in) - len(rest)
		item, ok := readEntry(&rest)
		if !ok || !e.scan(item.rest, len(e.offsets), indirect) {
			return false
		}
		e.offsets = append(e.offsets, uint32(at))
	}
	size := 8
	for size < len(e.offsets) {
		size *= 2
	}
	e.heads, e.next = make([]uint32, size), make([]uint32, len(e.offsets))
	for i, at := range e.offsets {
		head := e.head(e.at(at).serial)
		e.next[i], *head = *head, uint32(i+1)
	}
	return true
}

func (e *entries) head(serial []byte) *uint32 {
	return &e.heads[maphash.Bytes(e.seed, serial)&uint64(len(e.heads)-1)]
}

func (e *entries) at(offset uint32) entry {
	rest := cryptobyte.String(e.der[offset:])
	item, _ := readEntry(&rest) // was read before
	return item
}

func readEntry(in *cryptobyte.String) (e entry, ok bool) {
	var body, serial cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&serial, cbasn1.INTEGER) || len(serial) == 0 {
		return e, false
	}
	return entry{minimal(serial), body}, true
}

// minimal drops superfluous octets at the front of an INTEGER's content.
func minimal(v []byte) []byte {
	for len(v) > 1 && (v[0] == 0 && v[1] < 0x80 || v[0] == 0xff && v[1] >= 0x80) {
		v = v[1:]
	}
	return v
}

// plainReason is the start of crlEntryExtensions that hold a reason code alone,
// as nearly all do.
const plainReason = "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01"

// scan looks at what follows the serial number of entry i.
func (e *entries) scan(rest cryptobyte.String, i int, indirect bool) bool {
	if !rest.SkipASN1(cbasn1.UTCTime) && !rest.SkipASN1(cbasn1.GeneralizedTime) {
		return false
	}
	if rest.Empty() || len(rest) == len(plainReason)+1 && bytes.HasPrefix(rest, []byte(plainReason)) {
		return true
	}
	var body cryptobyte.String
	if !rest.ReadASN1(&body, cbasn1.SEQUENCE) || !rest.Empty() {
		return false
	}
	for !body.Empty() {
		x, ok := readExtension(&body)
		if !ok {
			return false
		}
		switch n := x.ce(); {
		case n == 29 && indirect:
			var names cryptobyte.String
			if !x.value.ReadASN1(&names, cbasn1.SEQUENCE) {
				return false
			}
			all, ok := readGeneralNames(names)
			k := slices.IndexFunc(all, func(g generalName) bool { return g.tag == dirName })
			if !ok || k < 0 {
				return false
			}
			e.issuers = append(e.issuers, issuerFrom{i, canonical(all[k].value)})
		case n == 29:
			e.unknown = true // about whom, cannot be said
		case n != 21 && x.critical:
			e.unknown = true
		}
	}
	return true
}

// issuerOf gives the issuer of the certificate that entry i is about.
func (e *entries) issuerOf(i int) string {
	k := sort.Search(len(e.issuers), func(k int) bool { return e.issuers[k].index > i })
	return e.issuers[k-1].issuer
}

// revocation is what a list's entry says.
type revocation struct {
	at     time.Time
	reason int
}

// lookup gives what the list says about a certificate of the issuer. Should it
// name it twice, the worse entry counts. ok is false if it does not name it.
func (e *entries) lookup(serial []byte, issuer string) (worst revocation, ok bool) {
	if len(e.offsets) == 0 {
		return worst, false
	}
	for k := *e.head(serial); k != 0; k = e.next[k-1] {
		i := int(k - 1)
		item := e.at(e.offsets[i])
		if !bytes.Equal(item.serial, serial) || e.issuers != nil && e.issuerOf(i) != issuer {
			continue
		}
		r := readRevocation(item.rest)
		if !ok || r.weight() > worst.weight() || r.weight() == worst.weight() && r.at.Before(worst.at) {
			worst, ok = r, true
		}
	}
	return worst, ok
}

// readRevocation reads the date and reason. A date that cannot be read counts
// as long ago: what cannot be read is read against the certificate.
func readRevocation(rest cryptobyte.String) (r revocation) {
	if !readTime(&rest, &r.at) {
		return revocation{}
	}
	var body cryptobyte.String
	if !rest.ReadASN1(&body, cbasn1.SEQUENCE) {
		return r
	}
	for !body.Empty() {
		x, ok := readExtension(&body)
		if !ok {
			return r
		}
		if x.ce() == 21 && !x.value.ReadASN1Enum(&r.reason) {
			r.reason = 0
		}
	}
	return r
}

func (r revocation) weight() int {
	switch r.reason {
	case removeFromCRL:
		return 0
	case onHold:
		return 1
	}
	return 2
}

// serialOf gives the content octets of a certificate's serial number.
func serialOf(c *x509.Certificate) []byte {
	in, tbs, serial := cryptobyte.String(c.RawTBSCertificate), cryptobyte.String(nil), cryptobyte.String(nil)
	if !in.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!tbs.ReadASN1(&serial, cbasn1.INTEGER) {
		return nil
	}
	return minimal(serial)
}
