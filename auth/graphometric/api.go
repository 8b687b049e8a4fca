package graphometric

import "time"

// THE BODIES OF THIS FILE ARE TO COME; the signatures are what others build upon.

var errToCome = &Error{Kind: Failed, Msg: "this part is not there yet"}

// Policy is what is demanded of a signature. [Standard] is what is shipped.
type Policy struct {
	Name      string
	Threshold float64
}

// Standard is the policy that is shipped, High and Highest are for more that is at stake.
func Standard() Policy { return Policy{Name: "standard"} }
func High() Policy     { return Policy{Name: "high"} }
func Highest() Policy  { return Policy{Name: "highest"} }

// Advice is what an enrolment says to a sample.
type Advice struct {
	Accepted bool
	Reasons  []Reason
	Count    int  // samples that are taken
	Ready    bool // enough of them: Profile may be called
	Pause    bool // let the pen be laid down before the next one
	Weak     bool // the signature is easily imitated, or varies much
	Failed   bool // failure to enrol: another way is needed
}

// Enrolment collects 4 to 6 samples.
type Enrolment struct{}

func NewEnrolment(p Policy) *Enrolment          { return &Enrolment{} }
func (e *Enrolment) Add(s *Sample) Advice       { return Advice{} }
func (e *Enrolment) Remove(i int) Advice        { return Advice{} }
func (e *Enrolment) Profile() (*Profile, error) { return nil, errToCome }
func (e *Enrolment) Wipe()                      {}

// Profile is what a holder's signatures are compared with.
type Profile struct{}

func (p *Profile) MarshalBinary() ([]byte, error) { return nil, errToCome }
func ParseProfile(b []byte) (*Profile, error)     { return nil, errToCome }
func (p *Profile) Wipe()                          {}
func (p *Profile) Algorithm() string              { return "" }
func (p *Profile) Class() string                  { return "" }

// Decision is the answer to the outside.
type Decision string

// The decisions.
const (
	Match  Decision = "match"
	Repeat Decision = "repeat" // not near enough: ask again
	Refuse Decision = "refuse" // a replay, or far off
)

// Replay says whether a sample is a copy of one seen before.
type Replay string

// The kinds of replay.
const (
	NoReplay Replay = ""
	Suspect  Replay = "suspect" // nearer than a hand comes: an alert, no proof
	Copied   Replay = "copied"  // a copy, or a copy with small changes
)

// Verdict is the whole answer. It never leaves the vault: only Decision does.
type Verdict struct {
	Decision  Decision
	Score     float64 // lower is nearer
	Threshold float64
	Replay    Replay
	Reasons   []Reason // why the sample cannot be used at all, when Decision is Repeat
}

// Scratch is the memory a comparison works in. It holds what was made of the
// sample: wipe it.
type Scratch struct{}

func NewScratch() *Scratch { return &Scratch{} }
func (sc *Scratch) Wipe()  {}

func (p *Profile) Match(s *Sample, pol Policy, sc *Scratch) Verdict { return Verdict{Decision: Refuse} }

func (p *Profile) Update(s *Sample, v Verdict, at time.Time) (next *Profile, updated, drift bool) {
	return p, false, false
}

// Fingerprint is a keyed hash of the quantised trajectory.
func (s *Sample) Fingerprint(key *[32]byte) [32]byte { return [32]byte{} }
