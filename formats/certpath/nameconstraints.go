package certpath

import (
	"bytes"
	"crypto/x509"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxComparisons bounds the names times constraints of one path.
const maxComparisons = 250_000

// subtrees are the permittedSubtrees or excludedSubtrees of one certificate.
type subtrees struct {
	byTag [9][]subtree
}

// subtree is a base of GeneralSubtree, read for comparison.
type subtree struct {
	text string   // lower case, for DNS, e-mail and URI
	rdns []string // canonical, for directory names
	ip   []byte   // address and mask
}

// nameConstraints are those of one certificate (§4.2.1.10).
type nameConstraints struct{ permitted, excluded subtrees }

// readNameConstraints reads the extension's value.
func readNameConstraints(v []byte) (*nameConstraints, bool) {
	n := &nameConstraints{}
	in, body := cryptobyte.String(v), cryptobyte.String(nil)
	var permitted, excluded cryptobyte.String
	var hasPermitted, hasExcluded bool
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() ||
		!body.ReadOptionalASN1(&permitted, &hasPermitted, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!body.ReadOptionalASN1(&excluded, &hasExcluded, cbasn1.Tag(1).ContextSpecific().Constructed()) || !body.Empty() {
		return nil, false
	}
	if !hasPermitted && !hasExcluded {
		return nil, false // §4.2.1.10: not an empty sequence
	}
	return n, n.permitted.read(permitted) && n.excluded.read(excluded)
}

// read takes GeneralSubtrees. minimum must be 0 and maximum absent, as RFC 5280
// wants it; with other values the whole is refused.
func (s *subtrees) read(in cryptobyte.String) bool {
	for !in.Empty() {
		var tree cryptobyte.String
		if !in.ReadASN1(&tree, cbasn1.SEQUENCE) {
			return false
		}
		g, ok := readGeneralName(&tree)
		if !ok {
			return false
		}
		if min := cbasn1.Tag(0).ContextSpecific(); tree.PeekASN1Tag(min) { // 0 written out: not DER, but harmless
			var zero cryptobyte.String
			if !tree.ReadASN1(&zero, min) || !bytes.Equal(zero, []byte{0}) {
				return false
			}
		}
		base, ok := readSubtree(g)
		if !ok || !tree.Empty() {
			return false
		}
		s.byTag[g.tag] = append(s.byTag[g.tag], base)
	}
	return true
}

func readSubtree(g generalName) (b subtree, ok bool) {
	switch g.tag {
	case dirName:
		b.rdns, ok = rdns(g.value)
	case ipName:
		b.ip, ok = g.value, len(g.value) == 8 || len(g.value) == 32
	case emailName:
		b.text, ok = asciiText(g.value)
		if at := strings.LastIndexByte(b.text, '@'); at >= 0 {
			b.text = mailbox(b.text)
			ok = ok && b.text != ""
		} else {
			b.text = strings.ToLower(b.text)
		}
	case dnsName, uriName:
		b.text, ok = asciiText(g.value)
		b.text = strings.ToLower(strings.TrimSuffix(b.text, "."))
	default:
		ok = true
	}
	return b, ok
}

// asciiText takes an IA5String that holds printable characters alone.
func asciiText(v []byte) (string, bool) {
	for _, c := range v {
		if c <= 0x20 || c >= 0x7f {
			return "", false
		}
	}
	return string(v), true
}

// mailbox brings an address to one form: the local part without quotes, the host
// in lower case. "" is no address.
func mailbox(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 {
		return ""
	}
	local, host := s[:at], s[at+1:]
	if len(local) >= 2 && local[0] == '"' && local[len(local)-1] == '"' {
		var b strings.Builder
		for i := 1; i < len(local)-1; i++ {
			if local[i] == '\\' && i+1 < len(local)-1 {
				i++
			}
			b.WriteByte(local[i])
		}
		local = b.String()
	}
	return local + "@" + strings.ToLower(strings.TrimSuffix(host, "."))
}

// nameChecker holds the constraints met from the anchor down.
type nameChecker struct {
	constraints []*nameConstraints
	comparisons int
}

// check gives the name of c that it may not have, "" if all are allowed.
func (k *nameChecker) check(c *x509.Certificate) string {
	if len(k.constraints) == 0 {
		return ""
	}
	names, ok := altNames(c)
	if !ok {
		return "subjectAltName cannot be read"
	}
	subject, ok := rdns(c.RawSubject)
	if !ok {
		return "subject cannot be read"
	}
	if len(subject) > 0 {
		names = append(names, generalName{dirName, c.RawSubject})
	}
	// Addresses in the subject are constrained as those in subjectAltName. RFC
	// 5280 asks for it where there is no subjectAltName; hiding one behind an
	// unrelated alternative name helps nobody honest.
	for _, a := range subjectEmails(c.RawSubject) {
		names = append(names, generalName{emailName, a})
	}
	for _, n := range names {
		for _, nc := range k.constraints {
			if why := k.allowed(n, nc); why != "" {
				return why
			}
		}
	}
	return ""
}

// subjectEmails gives the emailAddress attributes of a Name.
func subjectEmails(raw []byte) (out [][]byte) {
	in, name := cryptobyte.String(raw), cryptobyte.String(nil)
	if !in.ReadASN1(&name, cbasn1.SEQUENCE) {
		return nil
	}
	var set cryptobyte.String
	for name.ReadASN1(&set, cbasn1.SET) {
		var a, oid, value cryptobyte.String
		for set.ReadASN1(&a, cbasn1.SEQUENCE) && a.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
			if string(oid) == "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01" && a.ReadAnyASN1(&value, new(cbasn1.Tag)) {
				out = append(out, value)
			}
		}
	}
	return out
}

// smtpUTF8Mailbox is the start of an otherName that is an e-mail address too
// (RFC 9598 §3): OBJECT IDENTIFIER 1.3.6.1.5.5.7.8.9.
const smtpUTF8Mailbox = "\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x09"

// allowed checks a name against the constraints of one certificate.
func (k *nameChecker) allowed(n generalName, nc *nameConstraints) string {
	permitted, excluded := nc.permitted.byTag[n.tag], nc.excluded.byTag[n.tag]
	if n.tag == otherName && bytes.HasPrefix(n.value, []byte(smtpUTF8Mailbox)) &&
		len(nc.permitted.byTag[emailName])+len(nc.excluded.byTag[emailName]) > 0 {
		return "an internationalised e-mail address under e-mail constraints is not supported"
	}
	if len(permitted)+len(excluded) == 0 {
		return ""
	}
	if k.comparisons += len(permitted) + len(excluded); k.comparisons > maxComparisons {
		return "too many names and constraints"
	}
	name, ok := readName(n)
	if !ok {
		return "a name under constraints is of a kind or form that is not supported: " + n.printable()
	}
	for _, b := range excluded {
		if name.within(b, true) {
			return "excluded: " + n.printable()
		}
	}
	for _, b := range permitted {
		if name.within(b, false) {
			return ""
		}
	}
	if len(permitted) > 0 {
		return "not permitted: " + n.printable()
	}
	return ""
}

// comparable is a name read for comparison.
type comparable struct {
	tag  int
	text string // of e-mail the mailbox, of URI the host
	rdns []string
	ip   []byte
}

func readName(n generalName) (c comparable, ok bool) {
	c.tag = n.tag
	switch n.tag {
	case dirName:
		c.rdns, ok = rdns(n.value)
	case ipName:
		c.ip, ok = n.value, len(n.value) == 4 || len(n.value) == 16
	case emailName:
		text, ascii := asciiText(n.value)
		c.text = mailbox(text)
		ok = ascii && c.text != ""
	case dnsName:
		text, ascii := asciiText(n.value)
		c.text = strings.ToLower(strings.TrimSuffix(text, "."))
		ok = ascii && validHost(strings.TrimPrefix(c.text, "*."))
	case uriName:
		c.text, ok = uriHost(n.value)
	}
	return c, ok
}

// uriHost gives the host of a URI; constraints cannot apply to one without, or
// with an address (§4.2.1.10: then it is refused).
func uriHost(v []byte) (string, bool) {
	text, ok := asciiText(v)
	if !ok {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if _, err := netip.ParseAddr(host); err == nil || !validHost(host) {
		return "", false
	}
	return host, true
}

// validHost reports a name of labels that are not empty.
func validHost(s string) bool {
	return s != "" && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}

// within reports whether the name lies in a subtree. With any, it is enough that
// a name which a wildcard stands for does.
func (c comparable) within(b subtree, any bool) bool {
	switch c.tag {
	case dirName:
		return len(b.rdns) <= len(c.rdns) && slices.Equal(b.rdns, c.rdns[:len(b.rdns)])
	case ipName:
		n := len(c.ip)
		if len(b.ip) != 2*n {
			return false
		}
		for i := range n {
			if (c.ip[i]^b.ip[i])&b.ip[n+i] != 0 {
				return false
			}
		}
		return true
	case emailName:
		if strings.Contains(b.text, "@") {
			return c.text == b.text
		}
		return hostWithin(c.text[strings.LastIndexByte(c.text, '@')+1:], b.text)
	case uriName:
		return hostWithin(c.text, b.text)
	case dnsName:
		if under(c.text, b.text) {
			return true
		}
		base, wild := strings.CutPrefix(c.text, "*.")
		_, parent, _ := strings.Cut(b.text, ".")
		return any && wild && parent == base
	}
	return false
}

// hostWithin is the rule for the hosts of e-mail and URI: a constraint with a
// leading period allows what is below, one without that host alone.
func hostWithin(host, base string) bool {
	if base == "" || strings.HasPrefix(base, ".") {
		return strings.HasSuffix(host, base)
	}
	return host == base
}

// under is the rule for DNS names: the base itself and all that is below it. A
// leading period, which RFC 5280 does not know but certificates have, leaves the
// base itself out.
func under(name, base string) bool {
	if base == "" || name == base {
		return true
	}
	if !strings.HasPrefix(base, ".") {
		base = "." + base
	}
	return strings.HasSuffix(name, base)
}

// printable is a name for messages, without what could upset a terminal.
func (g generalName) printable() string {
	switch g.tag {
	case emailName, dnsName, uriName:
		return strings.Map(func(r rune) rune {
			if r < 0x20 || r >= 0x7f {
				return '?'
			}
			return r
		}, string(g.value[:min(len(g.value), 200)]))
	case dirName:
		return "the subject or a directory name"
	case ipName:
		if a, ok := netip.AddrFromSlice(g.value); ok {
			return a.String()
		}
	}
	return "a name of kind " + string(rune('0'+g.tag))
}
