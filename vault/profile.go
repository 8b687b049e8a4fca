package vault

import (
	"context"
	"time"
)

// ProfileVersion is a state of what a holder's handwritten signatures are compared with.
// What is in it the vault tells nobody.
type ProfileVersion struct {
	Credential string    `json:"credential"` // a graphometric credential has one profile
	Version    int64     `json:"version"`
	Class      string    `json:"class"` // of the tablets it is for
	Algorithm  string    `json:"algorithm"`
	Created    time.Time `json:"created"`
	Reason     string    `json:"reason"` // "enrolled", "updated", "rolled back to 3"
	Current    bool      `json:"current"`
}

// RollBack orders that a profile be again what it was in an earlier version, which is kept.
// The newest version is one more, with what the earlier one held. It wants the factors of a
// member of the staff as [NewDevice] does.
type RollBack struct {
	Factors Factors `json:"factors"`
	Evidence
	Credential string `json:"credential"`
	Version    int64  `json:"version"`
	Reason     string `json:"reason"`
	Request    string `json:"request"`
}

// Profiles lists the versions of a holder's profiles, the newest of each first. None:
// there is no profile, or it was destroyed.
func (c *Client) Profiles(ctx context.Context, holder string) (ps []ProfileVersion, err error) {
	return ps, c.call(ctx, opProfiles, profileRequest{Holder: holder}, &ps)
}

// RollBackProfile puts an earlier version in force. r.Password is wiped.
func (c *Client) RollBackProfile(ctx context.Context, r RollBack) error {
	defer clear(r.Password)
	return c.call(ctx, opRollBackProfile, r, nil)
}

// DestroyProfile erases a profile, all its versions with their keys and the secret that the
// credential's key hangs from: the credential can sign nothing any more, for ever, and is
// destroyed too. No factors are asked for: who withdraws a consent must not be kept from
// it. One that was destroyed is no error.
func (c *Client) DestroyProfile(ctx context.Context, credential, by, reason string) error {
	return c.call(ctx, opDestroyProfile, profileRequest{Credential: credential, By: by, Reason: reason}, nil)
}

type profileRequest struct {
	Holder     string `json:"holder,omitempty"`
	Credential string `json:"credential,omitempty"`
	By         string `json:"by,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// GraphometricReport counts what became of handwritten signatures since the vault was made:
// the rates of a deployed population in the sense of ISO/IEC 19795-1 follow from it. It
// knows nothing of anybody.
type GraphometricReport struct {
	Enrolments     int64 `json:"enrolments"`     // finished
	EnrolFailures  int64 `json:"enrolFailures"`  // failures to enrol: too many tries
	EnrolSamples   int64 `json:"enrolSamples"`   // signatures that were looked at for an enrolment
	EnrolRefused   int64 `json:"enrolRefused"`   // of these, not accepted
	Captures       int64 `json:"captures"`       // opened to sign
	Unusable       int64 `json:"unusable"`       // failures to acquire: not compared (mouse, too short …)
	Updates        int64 `json:"updates"`        // of profiles, after a match
	DriftAlarms    int64 `json:"driftAlarms"`    // matches far from what was enrolled
	Replays        int64 `json:"replays"`        // signatures that were seen before, or nearly
	RollBacks      int64 `json:"rollBacks"`      // of profiles
	Destroyed      int64 `json:"destroyed"`      // profiles
	Locks          int64 `json:"locks"`          // credentials locked after too many mismatches
	ForgedTablets  int64 `json:"forgedTablets"`  // captures with a wrong tablet's signature
	StaleCaptures  int64 `json:"staleCaptures"`  // signatures that came too late or twice
	ProfilesActive int64 `json:"profilesActive"` // at the moment
	TabletsActive  int64 `json:"tabletsActive"`  // at the moment

	// With [Config].Impostors: signatures that matched their own profile and were compared
	// with another one, and those that matched that too.
	ImpostorComparisons int64 `json:"impostorComparisons"`
	ImpostorMatches     int64 `json:"impostorMatches"`

	// Attempts are the signatures that were compared, by the number of the try in their
	// transaction, from the first.
	Attempts [MaxAttempts]Outcomes `json:"attempts"`
}

// Outcomes counts verdicts of one try.
type Outcomes struct {
	Match  int64 `json:"match"`
	Repeat int64 `json:"repeat"`
	Refuse int64 `json:"refuse"`
}

// GraphometricReport counts.
func (c *Client) GraphometricReport(ctx context.Context) (r GraphometricReport, err error) {
	return r, c.call(ctx, opGraphometricReport, nil, &r)
}
