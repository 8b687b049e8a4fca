package appliance

import (
	"context"
	"encoding/json"
	"fmt"

	"sigillo/audit"
	"sigillo/hsm"
	"sigillo/pki"
	"sigillo/store"
	"sigillo/vault"
)

// NewHolder is a person to be registered. Identification has happened before:
// this is the thin registration that the later rooms of pki replace.
type NewHolder struct {
	Username, GivenName, Surname, FiscalCode, Email, Locale string
	Password                                                []byte // wiped by Register
	KeyType                                                 hsm.KeyType
	MaxDigests                                              int // documents per authorisation; 0 means 50
}

// Registration is a holder half-way: the factors exist, the certificate does
// not. The OTP address goes to the holder's authenticator and nowhere else.
type Registration struct {
	Holder store.Holder
	OTPURI string

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
	if n.MaxDigests == 0 {
		n.MaxDigests = 50
	}
	h := store.Holder{ID: "holder-" + randomPIN()[:16], Username: n.Username, GivenName: n.GivenName, Surname: n.Surname,
		FiscalCode: n.FiscalCode, Email: n.Email, Locale: n.Locale, Created: a.opt.Now()}
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
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: "registration", Event: "holder.registered", Subject: h.ID})
	})
	if err != nil {
		return nil, err
	}
	return &Registration{Holder: h, OTPURI: uri, new: n}, nil
}

// Complete makes the holder's key in the token and its certificate; otp proves
// that the holder's authenticator works. It may be called again after a
// refusal: with another OTP, or, once the key is made, with none.
func (a *Appliance) Complete(ctx context.Context, r *Registration, otp string) (store.Credential, error) {
	if r.csr == nil {
		if err := a.createCredential(ctx, r, otp); err != nil {
			return store.Credential{}, err
		}
	}
	cert, err := a.PKI.Issue(ctx, pki.Request{Profile: "qualified-signature", CSR: r.csr, Holder: r.Holder,
		Credential: r.credential.ID, Actor: "registration"})
	if err != nil {
		return store.Credential{}, err
	}
	r.credential.Certificate = fmt.Sprintf("%x", cert.SerialNumber)
	return r.credential, nil
}

// createCredential has the vault make the key, and stores it.
func (a *Appliance) createCredential(ctx context.Context, r *Registration, otp string) error {
	var factors vault.Factors
	if err := json.Unmarshal(r.Holder.Factors, &factors); err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	c := store.Credential{ID: "credential-" + randomPIN()[:16], Holder: r.Holder.ID, Created: a.opt.Now()}
	record, csr, err := a.Vault.CreateCredential(ctx, vault.NewCredential{Factors: factors,
		Evidence: vault.Evidence{Password: append([]byte(nil), r.new.Password...), OTP: otp}, ID: c.ID, Type: r.new.KeyType, MaxDigests: r.new.MaxDigests})
	if err != nil {
		return err
	}
	c.KeyType = string(record.Type)
	if c.Record, err = json.Marshal(record); err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutCredential(c); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: r.Holder.ID, Event: "credential.created", Subject: c.ID,
			Detail: map[string]string{"key": c.KeyType}})
	})
	if err != nil {
		return err
	}
	clear(r.new.Password)
	r.credential, r.csr = c, csr
	return nil
}
