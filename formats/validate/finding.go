package validate

import (
	"slices"
	"time"
)

// finding is something that speaks against a signature, or a remark when its
// indication is TotalPassed.
type finding struct {
	indication Indication
	sub        SubIndication
	reason     Reason
	// before is when the trouble began, zero if it always was: the finding does
	// not count against an object that is proven to be older.
	before time.Time
	// of is the object whose age counts; zero: the signature itself.
	of object
	// deep findings are of authorities of which nothing can be believed any more
	// but what is proven to be older, their revocation lists among it: the age of
	// the signature alone is no answer to them (EN 319 102-1 §5.6 is).
	deep bool
	// path findings are of the certificates, not of the signature itself.
	path bool
	// later is the reason that remains when the finding does not count, if any.
	later *Reason
}

func failed(sub SubIndication, code string, args ...any) finding {
	return finding{indication: TotalFailed, sub: sub, reason: because(code, args...)}
}

func doubt(sub SubIndication, code string, args ...any) finding {
	return finding{indication: Indeterminate, sub: sub, reason: because(code, args...)}
}

func remark(code string, args ...any) finding {
	return finding{indication: TotalPassed, reason: because(code, args...)}
}

// since says when the trouble of a finding began.
func (f finding) since(t time.Time) finding {
	f.before = t
	return f
}

// until says that what is proven to have existed at t or before is not meant.
func (f finding) until(t time.Time) finding { return f.since(t.Add(1)) }

// about says whose age counts.
func (f finding) about(o object) finding {
	f.of = o
	return f
}

// orRemark says what remains of a finding that does not count.
func (f finding) orRemark(code string, args ...any) finding {
	r := because(code, args...)
	f.later = &r
	return f
}

// passed reports whether no finding speaks against the signature.
func passed(fs []finding) bool {
	return !slices.ContainsFunc(fs, func(f finding) bool { return f.indication != TotalPassed })
}

// against leaves out the remarks.
func against(fs []finding) []finding {
	return slices.DeleteFunc(slices.Clone(fs), func(f finding) bool { return f.indication == TotalPassed })
}

// outlived reports whether the object that a finding is about is proven to be
// older than the trouble.
func (p *poes) outlived(f finding, signature object) bool {
	if f.before.IsZero() {
		return false
	}
	o := f.of
	if o == (object{}) {
		o = signature
	}
	return p.of(o).Before(f.before)
}
