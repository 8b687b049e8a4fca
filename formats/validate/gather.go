package validate

import (
	"bytes"
	"crypto/x509"

	"sigillo/formats/ades"
	"sigillo/formats/certpath"
)

// maxFetches bounds what is asked on-line for one file.
const maxFetches = 64

// gather puts together what is known about the certificates of the file: what it
// carries itself, what was given, and what can be fetched.
func (v *validation) gather() {
	var all, e ades.Evidence
	var leaves []*x509.Certificate
	known, certificates := map[octets]bool{}, map[*x509.Certificate]bool{} // signatures of one file have much in common
	fresh := func(list [][]byte) (out [][]byte) {
		for _, der := range list {
			if len(der) > 0 && !known[octets{&der[0], len(der)}] {
				known[octets{&der[0], len(der)}] = true
				out = append(out, der)
			}
		}
		return out
	}
	put := func(more ades.Evidence) {
		for _, c := range more.Certificates {
			if !certificates[c] {
				certificates[c] = true
				all.Certificates = append(all.Certificates, c)
			}
		}
		all.CRLs, all.OCSP = append(all.CRLs, fresh(more.CRLs)...), append(all.OCSP, fresh(more.OCSP)...)
	}
	for _, s := range v.subjects {
		put(s.evidence)
		leaves = append(leaves, s.certificate)
	}
	for _, t := range v.ordered {
		put(t.evidence)
		if t.right {
			leaves = append(leaves, t.certificate)
		}
	}
	e.Add(all) // once; it looks at every octet
	verifier := &certpath.Verifier{Cache: v.cache}
	v.search = v.Validator.search.With(e.Certificates, verifier)
	v.sources = v.Validator.sources.With(v.search)
	v.sources.Add(e)
	if v.fetch == nil {
		return
	}
	n, seen := maxFetches, map[object]bool{}
	for _, c := range leaves {
		if c != nil && !seen[objectOf(c.Raw)] {
			seen[objectOf(c.Raw)] = true
			e.Certificates = v.fetchIssuers(c, e.Certificates, verifier, &n)
			v.fetchStatuses(c, &n)
		}
	}
}

// fetchIssuers climbs from a certificate without a path to its issuers.
func (v *validation) fetchIssuers(c *x509.Certificate, have []*x509.Certificate, verifier *certpath.Verifier, n *int) []*x509.Certificate {
	for range 8 { // certificates of a path
		if v.hasPath(c) || *n <= 0 {
			break
		}
		top := topmost(c, have)
		*n--
		issuers, err := v.fetch.Issuers(v.ctx, top)
		if err != nil || len(issuers) == 0 {
			break
		}
		before := len(have)
		e := ades.Evidence{Certificates: have}
		e.Add(ades.Evidence{Certificates: issuers})
		if have = e.Certificates; len(have) == before {
			break
		}
		v.search = v.Validator.search.With(have, verifier)
		v.sources = v.sources.With(v.search)
	}
	return have
}

func (v *validation) hasPath(c *x509.Certificate) bool {
	for range v.search.Paths(c) {
		return true
	}
	return false
}

// topmost follows issuer names as far as they are known.
func topmost(c *x509.Certificate, have []*x509.Certificate) *x509.Certificate {
	for range 10 {
		next := c
		for _, h := range have {
			if bytes.Equal(h.RawSubject, c.RawIssuer) && !h.Equal(c) {
				next = h
				break
			}
		}
		if next == c {
			return c
		}
		c = next
	}
	return c
}

// fetchStatuses asks about the certificates of the path for which nothing fresh
// is known.
func (v *validation) fetchStatuses(leaf *x509.Certificate, n *int) {
	tried := 0
	for path := range v.search.Paths(leaf) {
		if tried++; tried > maxPaths {
			return
		}
		if !v.sound(path) { // its addresses could be anybody's, and of this machine's own network
			continue
		}
		for i := len(path) - 2; i >= 0 && *n > 0; i-- {
			if fs, _ := v.revocation(path, i, 0); passed(fs) {
				continue
			}
			*n--
			var e ades.Evidence
			e.OCSP, _ = v.fetch.OCSP(v.ctx, path[i], path[i+1])
			v.sources.Add(e)
			if fs, _ := v.revocation(path, i, 0); passed(fs) {
				continue
			}
			e = ades.Evidence{}
			e.CRLs, _ = v.fetch.CRLs(v.ctx, path[i])
			v.sources.Add(e)
		}
		return // the first path is the best; others rest on what is here
	}
}
