package remote

import (
	"context"
	"encoding/json"

	"sigillo/audit"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// Second says by which second factors a holder can be recognised: those that are
// confirmed. A recovery code is always one more, and for emergencies.
type Second struct {
	Device  bool // codes of an authenticator of the holder's own
	Clock   bool // one of these goes by the clock (RFC 6238)
	Phone   bool // codes that are sent, see [Service.SendCode]
	Passkey bool // see [Service.Challenge]
}

// Second asks the vault for the second factors of a holder. Kinds: NotFound,
// KeyUnavailable, Busy.
func (s *Service) Second(ctx context.Context, holder string) (Second, error) {
	f, err := s.factors(ctx, holder)
	if err != nil {
		return Second{}, err
	}
	m, err := s.cfg.Vault.Means(ctx, f)
	if err != nil {
		return Second{}, fromVault(err)
	}
	var out Second
	for _, d := range m.Devices {
		if !d.Confirmed {
			continue
		}
		switch d.Kind {
		case vault.TOTP:
			out.Device, out.Clock = true, true
		case vault.HOTP:
			out.Device = true
		case vault.Phone:
			out.Phone = true
		case vault.Passkey:
			out.Passkey = true
		}
	}
	return out, nil
}

// SendCode has a code sent to the holder's phone, for one authorisation that this
// application will ask for with this credential, whatever its digests: the code is bound
// to the three of them, and good for five minutes (see vault.Client.SendCode). language
// is BCP 47. Kinds: NotFound, Cert…, NoFactor when the holder has no phone, Locked when
// one was sent less than a minute ago or ten were in 24 hours, KeyUnavailable, Busy.
func (s *Service) SendCode(ctx context.Context, holder, application, credential, language string) error {
	c, request, err := s.ahead(ctx, holder, Order{Credential: credential, Application: application})
	if err != nil {
		return err
	}
	second, err := s.Second(ctx, holder)
	switch {
	case err != nil:
		return err
	case !second.Phone:
		return fail(NoFactor, "the holder has no phone that codes are sent to", nil)
	}
	if _, err := s.cfg.Vault.SendCode(ctx, request, vault.CodeRequest{Language: language}); err != nil {
		return fromVault(err)
	}
	return s.journal(ctx, audit.Event{Actor: application, Event: "signature.code-sent", Subject: c.row.ID,
		Detail: map[string]string{"holder": holder}}, nil)
}

// Challenge gives what the holder's passkey signs to authorise o, which has the digests
// that will be ordered, or none: then the challenge is good for any digests that this
// application orders with this credential. Once, five minutes. Kinds: those of
// [Service.Authorise] about the order and the certificate; NoFactor when the holder has no
// passkey.
func (s *Service) Challenge(ctx context.Context, holder string, o Order) (vault.Challenge, error) {
	_, request, err := s.ahead(ctx, holder, o)
	if err != nil {
		return vault.Challenge{}, err
	}
	second, err := s.Second(ctx, holder)
	switch {
	case err != nil:
		return vault.Challenge{}, err
	case !second.Passkey:
		return vault.Challenge{}, fail(NoFactor, "the holder has no passkey", nil)
	}
	ch, err := s.cfg.Vault.Challenge(ctx, request)
	return ch, fromVault(err)
}

// ahead checks an order of which the digests may not be known yet, and gives what the
// vault will be asked for, without factors.
func (s *Service) ahead(ctx context.Context, holder string, o Order) (c credential, request vault.Authorisation, err error) {
	if c, err = s.load(ctx, holder, o.Credential); err != nil {
		return c, request, err
	}
	if len(o.Digests) > 0 {
		err = o.check(c.record.MaxDigests)
	} else {
		err = o.checkTexts()
	}
	if err == nil {
		err = c.usable()
	}
	if err == nil {
		request, err = c.authorisation(o)
	}
	return c, request, err
}

// factors reads the record of a holder.
func (s *Service) factors(ctx context.Context, holder string) (f vault.Factors, err error) {
	var record []byte
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		h, err := tx.Holder(holder)
		record = h.Factors
		return err
	})
	if err != nil {
		return f, fromStore(err)
	}
	if err := json.Unmarshal(record, &f); err != nil {
		return f, fail(signing.Internal, "the holder's factors cannot be read", err)
	}
	return f, nil
}
