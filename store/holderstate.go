package store

// HolderState is the vault's memory of a holder. The vault knows what is in it.
type HolderState struct {
	Holder  string
	Version int64 // rises by one with each change
	Record  []byte
	MAC     []byte
}

// PutHolderState stores the state of a new holder; Conflict if there is one.
func (tx *Tx) PutHolderState(s HolderState) error {
	return tx.put("put state of a holder", `INSERT INTO holder_states (holder, version, record, mac) VALUES (?, ?, ?, ?)`,
		s.Holder, s.Version, bytes(s.Record), bytes(s.MAC))
}

// HolderState returns the state of a holder.
func (tx *Tx) HolderState(holder string) (HolderState, error) {
	return one(tx, "state of a holder", func(s *HolderState) []any { return []any{&s.Holder, &s.Version, &s.Record, &s.MAC} },
		`SELECT holder, version, record, mac FROM holder_states WHERE holder = ?`, holder)
}

// SetHolderState replaces the version before; Conflict if another one is stored.
func (tx *Tx) SetHolderState(s HolderState) error {
	n, err := tx.exec("set state of a holder", `UPDATE holder_states SET version = ?, record = ?, mac = ? WHERE holder = ? AND version = ?`,
		s.Version, bytes(s.Record), bytes(s.MAC), s.Holder, s.Version-1)
	if err == nil && n != 1 {
		return errorf(Conflict, "store: set state of a holder: another version than %d is stored", s.Version-1)
	}
	return err
}

// DeleteOTPState forgets the row of a holder of before there were holder states. None
// is no error.
func (tx *Tx) DeleteOTPState(holder string) error {
	_, err := tx.exec("delete OTP state", `DELETE FROM otp_states WHERE holder = ?`, holder)
	return err
}

// CredentialStatesOf returns up to MaxRows states of credentials of a holder.
func (tx *Tx) CredentialStatesOf(holder string) ([]CredentialState, error) {
	return many(tx, "states of a holder's credentials", credentialStateRow,
		`SELECT `+credentialStateColumns+` FROM credential_states WHERE holder = ? ORDER BY id LIMIT ?`, holder, MaxRows)
}
