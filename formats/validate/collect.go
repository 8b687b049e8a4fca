package validate

import (
	"context"
	"crypto/x509"
	"io"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/certpath"
)

// Need is the evidence with which a signature needs nothing from outside any
// more (level B-LT): the paths of the signer and of all its time-stamps with
// their anchors, and for each certificate a revocation list or OCSP answer, with
// the certificates of those who signed them, and so on.
type Need struct {
	ID string // of the signature, as in the report
	// Evidence is all that was found, also what the signature carries already.
	Evidence ades.Evidence
	// Missing says what could not be found; without it the level is not reached.
	Missing []Reason
	// Older says about whom the newest information is older than the time-stamp
	// that it shall stand by. It is fresh enough for EN 319 102-1 §5.2.5; whoever
	// waits until it is replaced has a stronger proof.
	Older []Reason
}

// Collect finds the evidence that every signature of a file needs, in what the
// Validator was given, in the file, and by Fetch. Errors are those of Validate;
// what is wrong with a signature itself is not looked at.
func (v *Validator) Collect(ctx context.Context, d Document) ([]Need, error) {
	f, err := v.open(ctx, d)
	if err != nil {
		return nil, err
	}
	f.readStamps()
	f.gather()
	f.judgeStamps()
	var out []Need
	c := collector{v: f, budget: maxFetches}
	for _, s := range f.subjects {
		n := Need{ID: s.id}
		if s.certificate == nil {
			n.Missing = append(n.Missing, because("no-certificate"))
			out = append(out, n)
			continue
		}
		c.leaf(&n, s.certificate, f.poes.of(s.object()))
		for _, st := range s.stamps {
			if t := f.tokens[f.sums.of(st.DER)]; t != nil && t.right {
				c.leaf(&n, t.certificate, t.at)
			}
		}
		out = append(out, n)
	}
	return out, nil
}

// Collect gives everything that must be put into a file so that all its
// signatures and time-stamps need nothing from outside any more. It fails with
// the kind MissingEvidence, and says about whom, when that cannot be had.
func Collect(ctx context.Context, r io.ReaderAt, size int64, o Options) (ades.Evidence, error) {
	v, err := New(o)
	if err != nil {
		return ades.Evidence{}, err
	}
	needs, err := v.Collect(ctx, Document{Data: r, Size: size, Time: o.Time, Contents: o.contents(), Password: o.Password})
	if err != nil {
		return ades.Evidence{}, err
	}
	return Union(needs)
}

// Union gives the evidence of several signatures together, or an error of the
// kind MissingEvidence.
func Union(needs []Need) (ades.Evidence, error) {
	var e ades.Evidence
	for _, n := range needs {
		if len(n.Missing) > 0 {
			return e, fail(MissingEvidence, nil, "signature %s: %s", n.ID, n.Missing[0].En)
		}
		e.Add(n.Evidence)
	}
	return e, nil
}

// collector gathers evidence for the signatures of one file.
type collector struct {
	v      *validation
	budget int
	asked  map[object]bool
}

// leaf collects for a certificate and all above it; since is when what it signed
// is proven to exist.
func (c *collector) leaf(n *Need, leaf *x509.Certificate, since time.Time) {
	path := c.v.x509Validation(leaf).path
	if path == nil {
		n.Missing = append(n.Missing, because("no-chain", name(leaf)))
		return
	}
	n.Evidence.Add(ades.Evidence{Certificates: path})
	for i := len(path) - 2; i >= 0; i-- {
		c.about(n, path, i, since, 0)
	}
}

// about collects one statement about path[i], and what is needed for it.
func (c *collector) about(n *Need, path certpath.Path, i int, since time.Time, depth int) {
	if i == 0 && neverRevoked(path[0]) {
		return
	}
	st := c.newest(path, i, depth)
	if st == nil || st.ThisUpdate.Before(since) {
		if c.fetch(path, i) {
			st = c.newest(path, i, depth)
		}
	}
	switch {
	case st == nil:
		n.Missing = append(n.Missing, because("no-revocation", name(path[i])))
		return
	case since.After(c.v.freshUntil(st)):
		n.Missing = append(n.Missing, because("stale-revocation", name(path[i]), stamped(st.ThisUpdate)))
	case st.ThisUpdate.Before(since):
		n.Older = append(n.Older, because("older-revocation", name(path[i]), stamped(st.ThisUpdate), stamped(st.NextUpdate)))
	}
	c.statement(n, st, path, i, depth)
}

// statement puts a statement in, and its signer's path and status.
func (c *collector) statement(n *Need, st *certpath.Status, path certpath.Path, i, depth int) {
	var e ades.Evidence
	if st.Kind == certpath.CRL {
		e.CRLs = [][]byte{st.DER}
	} else {
		e.OCSP = [][]byte{st.DER}
	}
	e.Certificates = st.SignerPath
	n.Evidence.Add(e)
	for k := range st.Parts {
		c.statement(n, &st.Parts[k], path, i, depth)
	}
	if full := signerPath(st, path, i); !st.Signer.Equal(path[i+1]) && !st.NoCheck && len(full) > 1 && depth < maxSigners {
		c.about(n, full, 0, st.ProducedAt, depth+1)
	}
}

// newest is the statement to keep: a final revocation, else the newest one that
// says something.
func (c *collector) newest(path certpath.Path, i, depth int) (best *certpath.Status) {
	statuses := c.v.statuses(path, i, depth)
	for k := range statuses {
		st := &statuses[k]
		if st.Final() {
			return st
		}
		outside := st.ThisUpdate.After(path[i].NotAfter) && !st.CoversExpired || st.ThisUpdate.Before(path[i].NotBefore)
		if best == nil && !st.Unknown && !outside {
			best = st
		}
	}
	return best
}

// fetch asks for something newer about path[i], once.
func (c *collector) fetch(path certpath.Path, i int) bool {
	key := objectOf(path[i].Raw)
	if c.v.fetch == nil || c.asked[key] || c.budget <= 0 || !c.v.sound(path) {
		return false
	}
	if c.asked == nil {
		c.asked = map[object]bool{}
	}
	c.asked[key] = true
	c.budget--
	var e ades.Evidence
	e.OCSP, _ = c.v.fetch.OCSP(c.v.ctx, path[i], path[i+1])
	if len(e.OCSP) == 0 {
		e.CRLs, _ = c.v.fetch.CRLs(c.v.ctx, path[i])
	}
	c.v.sources.Add(e)
	return !e.Empty()
}
