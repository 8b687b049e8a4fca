package vault

// Presence: that a member of the staff is there, now, for one thing. It is a second factor
// alone, since the member has signed in with a password before, and the tablet's customer
// stands beside. It is checked where all factors are (checkFactors): used up durably,
// failures counted in the member's lanes and journalled. What it is not:
//
//   - no recovery code: paper can be left at the counter;
//   - of who has a passkey, no code: a code that was typed for one thing can be used for
//     another by a service that was taken over, the answer of a passkey can not.

// present is the use of a presence for something.
func present(u use) use {
	u.presence, u.strong = true, true
	return u
}

// checkPresence refuses evidence that is more than a second factor.
func checkPresence(f *Factors, e *Evidence) error {
	switch {
	case f.Version == 0 || checkName("the member", f.Holder, maxName) != nil:
		return fail(BadRequest, "the member of the staff who is there has no factors")
	case len(e.Password) > 0:
		return fail(BadRequest, "presence is shown with a code or a passkey alone, without the password")
	}
	return nil
}
