package web

import (
	"errors"

	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/signing"
)

// kindsOfStaff is where the errors of the staff's room get their names here.
var kindsOfStaff = map[staff.Kind]Kind{
	staff.NotPermitted: RoleNotPermitted,
	staff.SamePerson:   SamePerson,
	staff.Expired:      TooOld,
	staff.Changed:      ProposalChanged,
	staff.Closed:       Decided,
	staff.NotFound:     Kind(signing.NotFound),
	staff.Conflict:     PersonTaken,
	staff.Invalid:      WrongEntry,
	staff.WrongCode:    WrongCode,
	staff.Unready:      NobodyApproves,
}

func kindOfStaff(err error) (Kind, bool) {
	var e *staff.Error
	if errors.As(err, &e) {
		kind, ok := kindsOfStaff[e.Kind]
		return kind, ok
	}
	switch auth.KindOf(err) {
	case auth.TooShort, auth.TooLong, auth.TooWeak, auth.ContainsName, auth.NotText:
		return Kind(signing.WeakPassword), true
	}
	return "", false
}
