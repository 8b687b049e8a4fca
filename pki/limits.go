package pki

import (
	"strings"
	"unicode/utf8"
)

// Limits are limits of use written into a holder's certificate.
type Limits struct {
	Use   UseLimit
	Value ValueLimit
}

// UseLimit is one of the limits of use in AgID's standard wording (Italian and
// English), with the party it names. The zero value is no limit.
type UseLimit struct {
	Kind  UseKind
	Party string // of RelationsWith
}

// UseKind names the sort of a [UseLimit].
type UseKind string

// The sorts of limits of use.
const (
	Unlimited     UseKind = ""
	WorkPurposes  UseKind = "work"      // only for the work for which it is issued
	RelationsWith UseKind = "relations" // only in relations with Party
)

// Text returns what the certificate's userNotice says, "" for no limit.
func (u UseLimit) Text() string {
	switch u.Kind {
	case WorkPurposes:
		return "I titolari fanno uso del certificato solo per le finalità di lavoro per le quali esso è rilasciato. " +
			"The certificate holder must use the certificate only for the purposes for which it is issued."
	case RelationsWith:
		return "L'utilizzo del certificato è limitato ai rapporti con " + u.Party +
			". The certificate may be used only for relations with " + u.Party + "."
	}
	return ""
}

// ValueLimit is the greatest value of a transaction, Amount × 10^Exponent
// (EN 319 412-5 §4.3.2). The zero value is no limit.
type ValueLimit struct {
	Currency string // ISO 4217 letters, such as "EUR"
	Amount   int64
	Exponent int
}

func (l Limits) check(cfg Config) error {
	switch l.Use.Kind {
	case Unlimited, WorkPurposes:
		if l.Use.Party != "" {
			return errorf(BadRequest, "a limit of use of this kind names no party")
		}
	case RelationsWith:
		if err := checkName("party of the limit of use", l.Use.Party); err != nil {
			return err
		}
	default:
		return errorf(BadRequest, "there is no limit of use %.40q", string(l.Use.Kind))
	}
	if n := utf8.RuneCountInString(l.Use.Text()); n > maxNotice {
		return errorf(BadRequest, "the limit of use has %d characters, %d fit into a certificate; shorten the party's name", n, maxNotice)
	}
	v := l.Value
	if v == (ValueLimit{}) {
		return nil
	}
	switch {
	case !cfg.Qualified:
		return errorf(BadRequest, "a limit of value is a statement of qualified certificates; this house issues none")
	case len(v.Currency) != 3 || strings.Trim(v.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return errorf(BadRequest, "the currency must be three letters of ISO 4217, such as EUR")
	case v.Amount < 1 || v.Exponent < 0 || v.Exponent > 18:
		return errorf(BadRequest, "the limit of value must be a positive amount with an exponent from 0 to 18")
	}
	return nil
}
