package store

import "time"

// Proposal is something that one member of the staff wants done and another has to
// approve. What the states mean is the business of package staff.
type Proposal struct {
	ID           string
	Act          string
	Subject      string
	Parameters   []byte // JSON
	Digest       []byte // SHA-256 of what was proposed
	Proposer     string
	ProposerRole string
	Created      time.Time
	Expires      time.Time
	State        string // "open", "approved", "executed", "failed", "cancelled", "expired"
	Approver     string // or who cancelled it
	Decided      time.Time
	Claimed      time.Time // since when somebody is doing it
	Result       string
}

const proposalColumns = `id, act, subject, parameters, digest, proposer, proposer_role, created, expires, state, approver, decided, claimed, result`

func proposalRow(p *Proposal) []any {
	return []any{&p.ID, &p.Act, &p.Subject, &p.Parameters, &p.Digest, &p.Proposer, &p.ProposerRole, at(&p.Created), at(&p.Expires),
		&p.State, &p.Approver, at(&p.Decided), at(&p.Claimed), &p.Result}
}

// PutProposal stores a new proposal.
func (tx *Tx) PutProposal(p Proposal) error {
	return tx.put("put proposal", `INSERT INTO proposals (`+proposalColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.ID, p.Act, p.Subject, bytes(p.Parameters), bytes(p.Digest), p.Proposer, p.ProposerRole, ms(p.Created), ms(p.Expires),
		p.State, p.Approver, ms(p.Decided), ms(p.Claimed), p.Result)
}

// Proposal returns the proposal with this ID.
func (tx *Tx) Proposal(id string) (Proposal, error) {
	return one(tx, "proposal", proposalRow, `SELECT `+proposalColumns+` FROM proposals WHERE id = ?`, id)
}

// Proposals returns up to limit proposals in a state (all states if it is empty), the
// newest first.
func (tx *Tx) Proposals(state string, limit int) ([]Proposal, error) {
	return many(tx, "proposals", proposalRow, `SELECT `+proposalColumns+` FROM proposals
		WHERE state = ? OR ? = '' ORDER BY created DESC, id LIMIT ?`, state, state, limited(limit))
}

// OpenProposals is the number of open proposals of a member.
func (tx *Tx) OpenProposals(proposer string) (int64, error) {
	return one(tx, "open proposals", func(n *int64) []any { return []any{n} },
		`SELECT count(*) FROM proposals WHERE proposer = ? AND state = 'open'`, proposer)
}

// DecideProposal moves a proposal from open to another state; Conflict when it is not
// open any more.
func (tx *Tx) DecideProposal(id, state, by string, now time.Time) error {
	return tx.transition("decide proposal", "open", tx.proposalState(id),
		`UPDATE proposals SET state = ?, approver = ?, decided = ? WHERE id = ? AND state = 'open'`, state, by, ms(now), id)
}

// ClaimProposal gives an approved proposal to who does it, if nobody has claimed it
// since the time claimed; Conflict otherwise.
func (tx *Tx) ClaimProposal(id string, claimed, now time.Time) error {
	return tx.transition("claim proposal", "approved", tx.proposalState(id),
		`UPDATE proposals SET claimed = ? WHERE id = ? AND state = 'approved' AND claimed = ?`, ms(now), id, ms(claimed))
}

// EndProposal moves an approved proposal to its end, once.
func (tx *Tx) EndProposal(id, state, result string) error {
	return tx.transition("end proposal", "approved", tx.proposalState(id),
		`UPDATE proposals SET state = ?, result = ? WHERE id = ? AND state = 'approved'`, state, result, id)
}

func (tx *Tx) proposalState(id string) func() (string, error) {
	return func() (string, error) {
		p, err := tx.Proposal(id)
		return p.State, err
	}
}
