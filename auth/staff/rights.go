package staff

import "slices"

// Act is something that only some may do.
type Act string

// The acts.
const (
	SeeHolders     Act = "see-holders"     // look holders and their certificates up
	RegisterHolder Act = "register-holder" // after identification; also gives codes anew
	SuspendByCode  Act = "suspend-by-code" // for a caller who says the emergency code
	Suspend        Act = "suspend"         // a holder's certificate, by right
	Reactivate     Act = "reactivate"      // a holder's suspended certificate
	Revoke         Act = "revoke"          // a holder's certificate, for good
	// RevokeDelegation takes back what a holder has delegated to an application. Nobody
	// has a right to delegate for a holder.
	RevokeDelegation Act = "revoke-delegation"

	ReadJournal   Act = "read-journal"
	SeeStaff      Act = "see-staff"      // who has which role, and the proposals
	StampUnits    Act = "stamp-units"    // start, stop, make and end units; the clock's stop
	StampAccounts Act = "stamp-accounts" // customers of the time-stamping service
	OAuthClients  Act = "oauth-clients"  // applications that may ask holders for signatures

	// At the counters where customers sign on a tablet.
	Counter          Act = "counter"           // sessions with customers: dossiers
	EnrolCustomer    Act = "enrol-customer"    // take the signatures that others are compared with
	ApproveEnrolment Act = "approve-enrolment" // of another member: the second person
	WithdrawConsent  Act = "withdraw-consent"  // at the customer's wish: profile and key are destroyed
	CounterTablets   Act = "counter-tablets"   // register, confirm and revoke tablets
	RollBackProfile  Act = "roll-back-profile" // to what a profile was before
	CounterReport    Act = "counter-report"    // counts of matches, repeats and refusals

	// The critical ones, which need a second person.
	RecoverHolder       Act = "recover-holder"       // new factors and keys for a holder who has lost them
	AppointStaff        Act = "appoint-staff"        // give a person a role
	RemoveStaff         Act = "remove-staff"         // take it away
	RevokeHouse         Act = "revoke-house"         // the certificate of a CA, a unit, a responder
	ChangeConfiguration Act = "change-configuration" // configuration and policies
	DeleteJournal       Act = "delete-journal"       // take journals away that are kept elsewhere
	RestoreBackup       Act = "restore-backup"
)

// Rule is who may do an act.
type Rule struct {
	Act Act
	// By are the roles that may do it, or propose it where Approve is not empty.
	By []Role
	// Approve are the roles that may approve the proposal, without that of who
	// proposed. Empty: no approval is needed.
	Approve []Role
}

// Rules is the whole table of rights.
//
// At a counter those who register act, each at the own centre; the one who approves an
// enrolment is another person than the one who takes it, of whichever role.
//
// Appointments can be made by any two of three roles, so that the house is not stuck
// when one of the responsible persons is gone. An auditor approves one thing only:
// that journals which are kept elsewhere leave this machine.
var Rules = []Rule{
	{Act: SeeHolders, By: []Role{RegistrationOperator, RegistrationOfficer, Certification, Security, Audit}},
	{Act: RegisterHolder, By: []Role{RegistrationOperator, RegistrationOfficer, Certification}},
	{Act: SuspendByCode, By: []Role{RegistrationOperator, RegistrationOfficer, Certification, Security, Technical}},
	{Act: Suspend, By: []Role{RegistrationOperator, RegistrationOfficer, Certification, Security}},
	{Act: Reactivate, By: []Role{RegistrationOperator, RegistrationOfficer, Certification}},
	{Act: Revoke, By: []Role{Certification}},
	{Act: RevokeDelegation, By: []Role{RegistrationOperator, RegistrationOfficer, Certification, Security}},
	{Act: ReadJournal, By: []Role{Audit, Security, Certification}},
	{Act: SeeStaff, By: []Role{Security, Certification, Technical, Audit, RegistrationOperator, RegistrationOfficer}},
	{Act: StampUnits, By: []Role{Certification}},
	{Act: StampAccounts, By: []Role{Certification, Logistic}},
	{Act: OAuthClients, By: []Role{Technical}},

	{Act: Counter, By: []Role{RegistrationOperator, RegistrationOfficer}},
	{Act: EnrolCustomer, By: []Role{RegistrationOperator, RegistrationOfficer}},
	{Act: ApproveEnrolment, By: []Role{RegistrationOperator, RegistrationOfficer, Certification}},
	{Act: WithdrawConsent, By: []Role{RegistrationOperator, RegistrationOfficer, Certification}},
	{Act: CounterTablets, By: []Role{Technical}},
	{Act: RollBackProfile, By: []Role{Certification}},
	{Act: CounterReport, By: []Role{Audit, Certification}},

	{Act: RecoverHolder, By: []Role{RegistrationOperator, RegistrationOfficer, Certification}, Approve: []Role{Certification, Security}},
	{Act: AppointStaff, By: []Role{Security, Certification}, Approve: []Role{Security, Certification, Technical}},
	{Act: RemoveStaff, By: []Role{Security, Certification}, Approve: []Role{Security, Certification, Technical}},
	{Act: RevokeHouse, By: []Role{Certification}, Approve: []Role{Security}},
	{Act: ChangeConfiguration, By: []Role{Technical}, Approve: []Role{Security, Certification}},
	{Act: DeleteJournal, By: []Role{Technical}, Approve: []Role{Audit}},
	{Act: RestoreBackup, By: []Role{Technical}, Approve: []Role{Security}},
}

func ruleOf(a Act) Rule {
	for _, r := range Rules {
		if r.Act == a {
			return r
		}
	}
	return Rule{} // nobody may
}

// May says whether a role may do an act, or propose it where it is critical.
func May(r Role, a Act) bool { return slices.Contains(ruleOf(a).By, r) }

// Critical says whether an act needs the approval of a second person.
func Critical(a Act) bool { return len(ruleOf(a).Approve) > 0 }

// MayApprove says whether somebody of a role may approve what somebody of another
// has proposed.
func MayApprove(r, proposer Role, a Act) bool {
	return r != proposer && May(proposer, a) && slices.Contains(ruleOf(a).Approve, r)
}

// MayDecide says whether a role may approve an act at all, whoever proposed it.
func MayDecide(r Role, a Act) bool { return slices.Contains(ruleOf(a).Approve, r) }

// Decided says whether among these roles there are one that may propose an act and
// another that may approve it.
func Decided(have []Role, a Act) bool {
	for _, p := range have {
		for _, r := range have {
			if MayApprove(r, p, a) {
				return true
			}
		}
	}
	return false
}
