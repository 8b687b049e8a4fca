package vault

import (
	"crypto/hmac"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// verdict is what the factors are worth.
type verdict struct {
	kind      Kind // "": good
	serial    int64
	methods   []string
	at        int64 // ms; when the factors were used up
	browsers  int64
	repeated  bool  // the repetition of a request whose answer was lost
	unguessed bool  // the second factor is right, and one that cannot be guessed
	lane      *lane // where a failure counts
	found     found
}

// judge evaluates the factors on a state. The work is the same for every outcome.
func judge(s *holderState, f *Factors, u use, password bool, p *presented, now time.Time) verdict {
	m := p.match(s, f, u, now)
	right := len(m.hits) > 0
	r := verdict{serial: s.Serial + 1, methods: m.methods(u.presence), at: millis(now), browsers: s.Browsers, unguessed: right && p.strong(), found: m}
	same := s.Serial > 0 && s.Request == u.binding() && hmac.Equal(s.Proof, p.proof)
	r.repeated = !right && same && now.Sub(time.UnixMilli(s.At)) < retryFor
	switch {
	case !password:
		r.kind = WrongPassword
	case r.repeated:
		r.serial, r.methods, r.at = s.Serial, s.Methods, s.At
	case right && s.Request != u.binding() && strings.HasSuffix(s.Request, ":"+u.name()):
		r.kind = NotAllowed
	case right && u.strong && !p.strong() && s.hasPasskey(f):
		r.kind = WantsPasskey
	case right && len(s.Nonces) >= maxNonces && p.passkey != nil && s.Nonces[0].Until > millis(now):
		r.kind = Busy
	case right:
	case m.used:
		r.kind = ReusedOTP
	default:
		r.kind = WrongOTP
	}
	r.repeated = r.repeated && r.kind == ""
	return r
}

// hasPasskey says whether the holder has a passkey that counts.
func (s *holderState) hasPasskey(f *Factors) bool {
	return slices.ContainsFunc(f.devices(), func(d Device) bool { return d.Kind == Passkey && s.counts(d.ID) })
}

// methods are how the holder was recognised: with the password, but for a presence, and
// what was found.
func (m *found) methods(presence bool) []string {
	var list []string
	if !presence {
		list = append(list, amrPassword)
	}
	for _, h := range m.hits {
		if !slices.Contains(list, h.method) {
			list = append(list, h.method)
		}
	}
	return list
}

// record writes a verdict down. A code that was right but used is not a failure:
// a button pressed twice must not lock anybody out.
func (v *server) record(tx *store.Tx, s *holderState, f *Factors, u use, p *presented, r *verdict) error {
	now, ev := v.now(), u.event
	switch r.kind {
	case "":
		if !r.repeated {
			r.found.apply(s, p, now)
			s.Serial, s.Request, s.Proof, s.Methods, s.At = r.serial, u.binding(), p.proof, r.methods, r.at
			*r.lane = lane{}
			if err := v.noteUse(tx, s, f, r, &ev); err != nil {
				return err
			}
		}
		if u.then != nil {
			if err := u.then(tx, s); err != nil {
				return err
			}
		}
		if r.repeated && u.then == nil {
			return nil
		}
		return v.keepHolder(tx, s)
	case WrongPassword, WrongOTP:
		r.lane.fail(now)
		s.missed(p)
		fallthrough
	default:
		ev = audit.Event{Actor: f.Holder, Event: "factors.refused", Subject: f.Holder, Detail: map[string]string{
			"operation": u.op, "reason": string(r.kind), "failures": strconv.Itoa(r.lane.Failures)}}
		if r.lane == &s.Known {
			ev.Detail["browser"] = "known"
		}
		if r.found.cloned {
			ev.Detail["passkey"] = "its count did not rise: there may be a copy of it"
		}
	}
	if err := v.keepHolder(tx, s); err != nil {
		return err
	}
	return because(audit.Append(tx, now, ev), "the journal cannot be written")
}

// noteUse journals what the factors were used for, and with what.
func (v *server) noteUse(tx *store.Tx, s *holderState, f *Factors, r *verdict, ev *audit.Event) error {
	detail := map[string]string{"methods": strings.Join(r.methods, " ")}
	for k, text := range ev.Detail {
		detail[k] = text
	}
	for _, h := range r.found.hits {
		if h.device != "" {
			detail["device"] = h.device
			continue
		}
		detail["device"] = "recovery code"
		err := audit.Append(tx, v.now(), audit.Event{Actor: f.Holder, Event: "recovery-code.used", Subject: f.Holder,
			Detail: map[string]string{"left": strconv.Itoa(len(s.Codes))}})
		if err != nil {
			return because(err, "the journal cannot be written")
		}
	}
	ev.Detail = detail
	return because(audit.Append(tx, v.now(), *ev), "the journal cannot be written")
}

// err is the answer. That a failure has locked the holder out it does not say:
// only a name that exists can be.
func (r verdict) err() error {
	switch r.kind {
	case "":
		return nil
	case ReusedOTP:
		return &Error{Kind: ReusedOTP, Msg: "this code was used already; wait for the next one"}
	case NotAllowed:
		return fail(NotAllowed, "a request of this name with other content was made before; start a new one")
	case WantsPasskey:
		return fail(WantsPasskey, "use your passkey, or a recovery code: a code does not say what it is for")
	case Busy:
		return &Error{Kind: Busy, Msg: "too many uses of a passkey within five minutes; wait and try again", RetryAfter: ChallengeLife}
	}
	return fail(r.kind, "the password or the code is wrong")
}
