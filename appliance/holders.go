package appliance

import (
	"context"
	"encoding/json"
	"fmt"

	"sigillo/audit"
	"sigillo/hsm"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// NewHolder is a person to be registered. Identification has happened before:
// this is the thin registration that the later rooms of pki replace.
type NewHolder struct {
	Username, GivenName, Surname, FiscalCode, Email, Locale string
	Phone                                                   string // for Invite, where there is a courier: as +39333123456
	Password                                                []byte // wiped by Register
	KeyType                                                 hsm.KeyType
	MaxDigests                                              int    // documents per authorisation; 0 means 50
	Automatic                                               bool   // key and certificate are for the automatic procedure
	Actor                                                   string // who registers, for the journal; empty: "registration"
}

func (n *NewHolder) complete() {
	if n.MaxDigests == 0 {
		n.MaxDigests = 50
	}
	if n.Actor == "" {
		n.Actor = "registration"
	}
}

func (n NewHolder) row(a *Appliance) store.Holder {
	return store.Holder{ID: "holder-" + randomPIN()[:16], Username: n.Username, GivenName: n.GivenName, Surname: n.Surname,
		FiscalCode: n.FiscalCode, Email: n.Email, Locale: n.Locale, Created: a.opt.Now()}
}

func (n NewHolder) terms() terms {
	return terms{KeyType: string(n.KeyType), MaxDigests: n.MaxDigests, Automatic: n.Automatic, Language: n.Locale}
}

// Registration is a holder half-way: the factors exist, the certificate does
// not. The OTP address goes to the holder's authenticator and nowhere else.
type Registration struct {
	Holder store.Holder
	OTPURI string

	// EmergencyCode suspends the certificate, by web or telephone. It is there after
	// Complete, goes to the holder, and is kept nowhere.
	EmergencyCode string

	new        NewHolder
	credential store.Credential // once its key is made
	csr        []byte
}

// Register enrols a holder's factors in the vault and stores the holder. The
// credential follows with Complete, once the holder can make OTPs.
func (a *Appliance) Register(ctx context.Context, n NewHolder) (*Registration, error) {
	if err := pki.CheckFiscalCode(n.FiscalCode); err != nil {
		return nil, err
	}
	n.complete()
	h := n.row(a)
	n.Password = append([]byte(nil), n.Password...)
	factors, uri, err := a.Vault.Enrol(ctx, vault.Enrolment{Holder: h.ID, Username: n.Username, Password: append([]byte(nil), n.Password...)})
	if err != nil {
		return nil, err
	}
	if h.Factors, err = json.Marshal(factors); err != nil {
		return nil, fmt.Errorf("appliance: %w", err)
	}
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutHolder(h); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: n.Actor, Event: "holder.registered", Subject: h.ID})
	})
	if err != nil {
		return nil, err
	}
	return &Registration{Holder: h, OTPURI: uri, new: n}, nil
}

// Complete makes the holder's key in the token, its certificate and the certificate's
// emergency code; otp proves that the holder's authenticator works. It may be called
// again after a refusal: with another OTP, or, once the key is made, with none.
func (a *Appliance) Complete(ctx context.Context, r *Registration, otp string) (store.Credential, error) {
	if r.csr == nil {
		if err := a.createCredential(ctx, r, otp); err != nil {
			return store.Credential{}, err
		}
	}
	if r.credential.Certificate == "" {
		serial, err := a.issue(ctx, r.Holder, r.credential, r.csr, r.new.Actor)
		if err != nil {
			return store.Credential{}, err
		}
		r.credential.Certificate = serial
	}
	code, err := a.NewEmergencyCode(ctx, r.credential.Certificate, r.new.Actor)
	if err != nil {
		return store.Credential{}, err
	}
	r.EmergencyCode = code
	return r.credential, nil
}

// createCredential has the vault make the key, and stores it.
func (a *Appliance) createCredential(ctx context.Context, r *Registration, otp string) error {
	c, csr, err := a.newKey(ctx, r.Holder, r.new.terms(), signing.Evidence{Password: append([]byte(nil), r.new.Password...), OTP: otp})
	if err != nil {
		return err
	}
	if err := a.DB.Write(ctx, func(tx *store.Tx) error { return a.putCredential(tx, c) }); err != nil {
		return err
	}
	clear(r.new.Password)
	r.credential, r.csr = c, csr
	return nil
}

// newKey has the vault make a key of a holder; nothing is stored yet. e.Password is
// wiped.
func (a *Appliance) newKey(ctx context.Context, h store.Holder, t terms, e signing.Evidence) (c store.Credential, csr []byte, err error) {
	defer clear(e.Password)
	var factors vault.Factors
	if err := json.Unmarshal(h.Factors, &factors); err != nil {
		return c, nil, fmt.Errorf("appliance: %w", err)
	}
	c = store.Credential{ID: "credential-" + randomPIN()[:16], Holder: h.ID, Created: a.opt.Now()}
	record, csr, err := a.Vault.CreateCredential(ctx, vault.NewCredential{Factors: factors, Evidence: e, ID: c.ID,
		Type: hsm.KeyType(t.KeyType), MaxDigests: t.MaxDigests, Automatic: t.Automatic})
	if err != nil {
		return c, nil, err
	}
	c.KeyType = string(record.Type)
	c.Record, err = json.Marshal(record)
	return c, csr, err
}

// putCredential stores a key of a holder, with the journal's entry.
func (a *Appliance) putCredential(tx *store.Tx, c store.Credential) error {
	if err := tx.PutCredential(c); err != nil {
		return err
	}
	return audit.Append(tx, a.opt.Now(), audit.Event{Actor: c.Holder, Event: "credential.created", Subject: c.ID,
		Detail: map[string]string{"key": c.KeyType}})
}

// issue makes the certificate of a holder's key and gives its serial number. The profile
// is that of the key as the vault has made it: a key that can be delegated, or is released
// by a handwritten signature, has the certificate that says so, and no other has.
func (a *Appliance) issue(ctx context.Context, h store.Holder, c store.Credential, csr []byte, actor string) (string, error) {
	var record vault.Credential
	if err := json.Unmarshal(c.Record, &record); err != nil {
		return "", fmt.Errorf("appliance: %w", err)
	}
	profile := pki.ProfileSignature
	switch {
	case record.Automatic:
		profile = pki.ProfileAutomatic
	case record.Graphometric:
		profile = pki.ProfileCounter
	}
	cert, err := a.PKI.Issue(ctx, pki.Request{Profile: profile, CSR: csr, Holder: h, Credential: c.ID, Actor: actor})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", cert.SerialNumber), nil
}
