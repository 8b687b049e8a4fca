package validate

import (
	"slices"
	"time"

	"sigillo/formats/certpath"
)

// pastSignature is the past signature validation of EN 319 102-1 §5.6.2.4 as far
// as the certificates go: it looks for a path that is good at a control time, and
// the signature must be proven to exist at it. nil: there is none. The sliding
// stops at every revocation, suspension and end of an algorithm, so a signature
// older than the control time is older than all of them.
func (v *validation) pastSignature(s *subject, best time.Time) *chain {
	leaf, n := s.certificate, 0
	if best.Before(leaf.NotBefore) || best.After(leaf.NotAfter) {
		return nil
	}
	for path := range v.search.Paths(leaf) {
		if n++; n > maxPaths {
			break
		}
		if c, control := v.pastCertificate(path); c != nil && !best.After(control) {
			return c
		}
	}
	return nil
}

// pastCertificate is the past certificate validation of §5.6.2.1 for one path,
// without revocation and at a time inside of the validity of all certificates;
// the sliding does the rest.
func (v *validation) pastCertificate(path certpath.Path) (*chain, time.Time) {
	if !v.sound(path) {
		return nil, time.Time{}
	}
	if len(path) > 1 {
		from, to := path[0].NotBefore, path[0].NotAfter
		for _, c := range path[1 : len(path)-1] { // the anchor's dates are the business of who trusts it
			if c.NotBefore.After(from) {
				from = c.NotBefore
			}
			if c.NotAfter.Before(to) {
				to = c.NotAfter
			}
		}
		if to.Before(from) {
			return nil, time.Time{}
		}
	}
	return v.slideTime(path)
}

// sound reports a path that is right but for times and algorithms. One that is not
// may end in certificates that anybody made: a signature of some holder's key is
// under them, and no authority vouches for what they say.
func (v *validation) sound(path certpath.Path) bool {
	return !slices.ContainsFunc(path.Check(time.Time{}, v.constraints), func(f certpath.Fault) bool { return f.Kind != certpath.Weak })
}

// slideTime is the validation time sliding of §5.6.2.2: from the anchor down, it
// finds for each certificate the revocation information that was there at the
// control time, and moves the control time back to where that was fresh, nobody
// was revoked, and all algorithms were good.
func (v *validation) slideTime(path certpath.Path) (*chain, time.Time) {
	c, control := &chain{path: path}, v.at
	back := func(t time.Time) {
		if t.Before(control) {
			control = t
		}
	}
	for i := len(path) - 2; i >= 0; i-- {
		if v.poes.ofCertificate(path[i]).After(control) {
			return nil, control
		}
		if i > 0 {
			back(path[i].NotAfter) // nothing is known about an authority's key after that
		}
		if d, _ := v.certificateValidity(path[i], path[i+1]); !d.Known {
			return nil, control
		} else if !d.Until.IsZero() {
			back(d.Until.Add(-1))
		}
		if i == 0 && neverRevoked(path[0]) {
			back(path[0].NotAfter)
			continue
		}
		st := v.pastStatus(path, i, control, back)
		if st == nil {
			return nil, control
		}
		c.statuses = append(c.statuses, statement{*st, i})
	}
	return c, control
}

// outOfBounds reports information that has outlived its signer's certificate
// without proof that it is older, where the policy wants that.
func (v *validation) outOfBounds(st *certpath.Status, path certpath.Path, i int) bool {
	return v.policy.Revocation.ExpiredSigner == "prove" && v.poes.ofStatus(st).After(signerEnd(st, path, i))
}

// pastStatus is step 2 of §5.6.2.2 for one certificate: the newest statement that
// was there at the control time and speaks about the certificate's lifetime.
// Revocations count whenever they became known: an old list is no way round them.
func (v *validation) pastStatus(path certpath.Path, i int, control time.Time, back func(time.Time)) *certpath.Status {
	cert := path[i]
	var newest, final *certpath.Status
	statuses := v.statuses(path, i, 0)
	for k := range statuses {
		st := &statuses[k]
		switch {
		case st.Final():
			if final == nil || st.At.Before(final.At) {
				final = st
			}
		case newest != nil || st.ThisUpdate.After(control) && control.Before(v.at) || v.poes.ofStatus(st).After(control) || v.outOfBounds(st, path, i):
		case !st.Revoked && (st.ThisUpdate.After(cert.NotAfter) && !st.CoversExpired || st.ThisUpdate.Before(cert.NotBefore)):
		default:
			newest = st
		}
	}
	switch {
	case final != nil:
		back(final.At.Add(-1))
		return final
	case newest == nil || newest.Unknown:
		return nil
	case newest.Revoked && newest.Reason == onHold:
		back(newest.At.Add(-1))
	}
	d := v.statusValidity(newest)
	if !d.Known {
		return nil
	}
	if !d.Until.IsZero() {
		back(d.Until.Add(-1))
	}
	back(v.freshUntil(newest))
	return newest
}
