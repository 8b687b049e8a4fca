// Package staff says what the people who run the appliance may do.
//
// A trust service provider divides its work among five responsible persons whose
// roles may not meet in one person: security, certification and time-stamping,
// technical operation, technical and logistic services, audit (DPCM 22 February
// 2013 art. 38). Below them work the operators of local registration centres and
// the registration officers, who identify holders and are under the control of the
// certification service; whoever controls them is not one of them. So a person has
// one role here, whichever it is.
//
// What a role may do is in one table, [Rules]; what is not in it is not allowed.
// Some acts are critical: one person proposes them, and they are done when a second
// person of another role has approved exactly what was proposed ([Proposal]).
//
// The package has no database, no clock and no secrets: it decides, others keep and
// do.
package staff

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Role is what a member of the staff is appointed to.
type Role string

// The roles. The first five are those of the responsible persons.
const (
	Security      Role = "security"      // security of the systems and of the premises; appoints
	Certification Role = "certification" // certification and time-stamping service
	Technical     Role = "technical"     // technical operation of the systems
	Logistic      Role = "logistic"      // technical and logistic services
	Audit         Role = "audit"         // verifications and inspections; looks, changes nothing
	// RegistrationOperator works at a local registration centre.
	RegistrationOperator Role = "registration-operator"
	// RegistrationOfficer identifies holders on behalf of the provider, outside of a
	// registration centre.
	RegistrationOfficer Role = "registration-officer"
)

// Roles are all roles, those of the responsible persons first.
var Roles = []Role{Security, Certification, Technical, Logistic, Audit, RegistrationOperator, RegistrationOfficer}

// Responsible says whether the role is one of the five that a provider must fill.
func (r Role) Responsible() bool { return slices.Contains(Roles[:5], r) }

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	if slices.Contains(Roles, Role(s)) {
		return Role(s), nil
	}
	names := make([]string, len(Roles))
	for i, r := range Roles {
		names[i] = string(r)
	}
	return "", fail(Invalid, "there is no role %.40q; the roles are %s", s, strings.Join(names, ", "))
}

// Member is somebody who works here.
type Member struct {
	ID         string // opaque; the actor in the journal
	Username   string
	GivenName  string
	Surname    string
	FiscalCode string // who it is: a person has one role
	Email      string
	Role       Role
	// Centre is where the member works, such as a branch: counters, their tablets and what
	// is done at them are seen from there only. Empty for who works at none.
	Centre string
}

// Name is the member's name for people.
func (m Member) Name() string { return m.GivenName + " " + m.Surname }

// May says whether the member may do an act alone, or propose it where it is
// critical.
func (m Member) May(a Act) error {
	if !May(m.Role, a) {
		return fail(NotPermitted, "the role %s may not do this (%s)", m.Role, a)
	}
	return nil
}

// MaxCentre is how long the name of a centre is at most, in bytes.
const MaxCentre = 64

// CheckCentre says what is wrong with the name of a centre.
func CheckCentre(s string) error {
	switch {
	case strings.TrimSpace(s) == "" || strings.TrimSpace(s) != s || len(s) > MaxCentre || !utf8.ValidString(s):
		return fail(Invalid, "the name of a centre has 1 to %d bytes and no spaces around it", MaxCentre)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fail(Invalid, "the name of a centre has letters, digits and signs that can be seen")
	}
	return nil
}

// At says whether the member may do an act at a centre: only who works there may.
func (m Member) At(centre string, a Act) error {
	if err := m.May(a); err != nil {
		return err
	}
	switch {
	case m.Centre == "":
		return fail(NotPermitted, "you work at no centre; be appointed with one")
	case m.Centre != centre:
		return fail(NotPermitted, "this belongs to another centre")
	}
	return nil
}

// Kind says what went wrong.
type Kind string

// The kinds of [Error].
const (
	// NotPermitted: the role has no right to it.
	NotPermitted Kind = "NotPermitted"
	// SamePerson: who proposed cannot approve, nor can somebody of the same role.
	SamePerson Kind = "SamePerson"
	// Expired: the proposal, or the code, is too old.
	Expired Kind = "Expired"
	// Changed: what was proposed is not what was approved.
	Changed Kind = "Changed"
	// Closed: the proposal was decided already, the code used already.
	Closed Kind = "Closed"
	// NotFound: there is no such member, proposal, holder or certificate.
	NotFound Kind = "NotFound"
	// Conflict: the person has a role already, or the username is taken.
	Conflict Kind = "Conflict"
	// Invalid: what was asked for makes no sense; the message says what.
	Invalid Kind = "Invalid"
	// WrongCode: the code is wrong, or belongs to somebody else, or there is nobody
	// of that name. One kind for all, so that nobody learns names from it.
	WrongCode Kind = "WrongCode"
	// Unready: nobody could approve what is proposed; appoint the roles first.
	Unready Kind = "Unready"
	// Failed: something below failed; Err has the cause.
	Failed Kind = "Failed"
)

// Error is the error of this package and of those who do what it decides. Msg tells
// the user what to do and holds nothing secret.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "staff: " + e.Msg + ": " + e.Err.Error()
	}
	return "staff: " + e.Msg
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: "" for nil, Failed for an error that is not of
// this package.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Failed
}

func fail(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
}
