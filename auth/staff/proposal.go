package staff

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// ProposalLife is how long a proposal waits for its approval.
const ProposalLife = 24 * time.Hour

// Limits of a proposal.
const (
	MaxParameters = 32
	MaxKey        = 64
	MaxValue      = 4096
)

// State is where a proposal is.
type State string

// The states. An approved proposal is being done, or is done again after a crash,
// until it is executed or has failed.
const (
	Open      State = "open"
	Approved  State = "approved"
	Executed  State = "executed"
	Refused   State = "failed" // approved, and could not be done; the result says why
	Cancelled State = "cancelled"
	Lapsed    State = "expired"
)

// Proposal is a critical act that somebody wants done.
type Proposal struct {
	ID           string
	Act          Act
	Subject      string // what it is done to: a holder, a member, a serial number
	Parameters   map[string]string
	Proposer     string // a member's ID
	ProposerRole Role
	Created      time.Time
	Expires      time.Time

	State    State
	Approver string
	Decided  time.Time // when it was approved, cancelled or found expired
	Result   string    // of the execution, for people
}

// Propose makes a proposal of a member; nothing is kept by it.
func Propose(id string, by Member, a Act, subject string, parameters map[string]string, now time.Time) (Proposal, error) {
	p := Proposal{ID: id, Act: a, Subject: subject, Parameters: maps.Clone(parameters), Proposer: by.ID, ProposerRole: by.Role,
		Created: now.UTC().Truncate(time.Millisecond), State: Open}
	p.Expires = p.Created.Add(ProposalLife)
	if err := by.May(a); err != nil {
		return p, err
	}
	if !Critical(a) {
		return p, fail(Invalid, "this needs no second person (%s)", a)
	}
	return p, p.check()
}

func (p Proposal) check() error {
	if p.ID == "" || p.Proposer == "" || len(p.Subject) > MaxValue || !utf8.ValidString(p.Subject) {
		return fail(Invalid, "the proposal does not say whose it is or what it is about")
	}
	if len(p.Parameters) > MaxParameters {
		return fail(Invalid, "a proposal has at most %d parameters", MaxParameters)
	}
	for k, v := range p.Parameters {
		if k == "" || len(k) > MaxKey || len(v) > MaxValue || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fail(Invalid, "a parameter of the proposal is too long or is no text")
		}
	}
	return nil
}

// Digest is a SHA-256 over all that is proposed, by whom and until when. Who approves
// approves this, so that what was shown cannot be changed under the hand.
func (p Proposal) Digest() [32]byte {
	h := sha256.New()
	text := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	for _, s := range []string{"sigillo proposal v1", p.ID, string(p.Act), p.Subject, p.Proposer, string(p.ProposerRole),
		p.Created.UTC().Format(time.RFC3339Nano), p.Expires.UTC().Format(time.RFC3339Nano)} {
		text(s)
	}
	for _, k := range slices.Sorted(maps.Keys(p.Parameters)) {
		text(k)
		text(p.Parameters[k])
	}
	return [32]byte(h.Sum(nil))
}

// Approvable says whether a member may approve the proposal now. shown is the digest
// of what the member was shown. The kinds of its error are Closed, Expired, Changed,
// SamePerson and NotPermitted.
func (p Proposal) Approvable(by Member, shown [32]byte, now time.Time) error {
	if err := p.pending(now); err != nil {
		return err
	}
	digest := p.Digest()
	switch {
	case subtle.ConstantTimeCompare(digest[:], shown[:]) != 1:
		return fail(Changed, "the proposal is not the one that was shown; look at it again")
	case by.ID == p.Proposer || by.Role == p.ProposerRole:
		return fail(SamePerson, "a proposal is approved by a second person of another role")
	case !MayApprove(by.Role, p.ProposerRole, p.Act):
		return fail(NotPermitted, "the role %s may not approve this (%s)", by.Role, p.Act)
	}
	return nil
}

// Cancellable says whether a member may withdraw the proposal: who made it, and who
// could approve it and does not want to.
func (p Proposal) Cancellable(by Member, now time.Time) error {
	if err := p.pending(now); err != nil {
		return err
	}
	if by.ID != p.Proposer && !MayApprove(by.Role, p.ProposerRole, p.Act) {
		return fail(NotPermitted, "a proposal is withdrawn by who made it or by who could approve it")
	}
	return nil
}

func (p Proposal) pending(now time.Time) error {
	switch {
	case p.State == Lapsed, p.State == Open && !now.Before(p.Expires):
		return fail(Expired, "the proposal has waited for more than %d hours; make it again", int(ProposalLife.Hours()))
	case p.State != Open:
		return fail(Closed, "the proposal is %s", p.State)
	}
	return nil
}
