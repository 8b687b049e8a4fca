package main

import (
	"errors"
	"strings"

	"sigillo/auth/staff"
	"sigillo/formats/validate"
	counters "sigillo/signing/counter"
	"sigillo/store"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

// tell makes an error in the user's language.
func tell(it, en string) error { return errors.New(say(it, en)) }

// accountReasons and ledgerReasons say in Italian what sort of failure it is; what is
// about the case itself follows in the words of the room, as in the journal.
var accountReasons = map[accounts.Kind]string{
	accounts.NotFound:     "non c'è",
	accounts.Conflict:     "il nome o la credenziale è già in uso, o intanto è stato cambiato da altri",
	accounts.BadChange:    "non si può registrare così",
	accounts.NotPermitted: "non è permesso",
	accounts.Unknown:      "credenziali sconosciute",
	accounts.RateLimited:  "troppe richieste al secondo",
}

var ledgerReasons = map[ledger.Kind]string{
	ledger.NotFound: "non c'è",
	ledger.TooMany:  "sono troppe: restringere la ricerca",
	ledger.Busy:     "il registro delle marche è in uso, riprovare",
	ledger.Full:     "il disco è pieno: liberare spazio e riprovare",
	ledger.Stopped:  "il registro delle marche è fermo",
	ledger.Damaged:  "il registro delle marche è danneggiato",
	ledger.Foreign:  "il registro delle marche e ciò che se ne sa sono di impianti diversi: rimettere al suo posto quello giusto",
	ledger.Lost:     "mancano marche che furono registrate",
}

var staffReasons = map[staff.Kind]string{
	staff.NotPermitted: "il ruolo non lo permette",
	staff.SamePerson:   "serve una seconda persona, di altro ruolo",
	staff.Expired:      "è scaduto: ricominciare",
	staff.Changed:      "la proposta non è quella che fu fatta o mostrata",
	staff.Closed:       "è già deciso, o già usato",
	staff.NotFound:     "non c'è",
	staff.Conflict:     "la persona ha già un ruolo, o il nome è già in uso: nessuno ha due ruoli",
	staff.Invalid:      "non si può fare così",
	staff.WrongCode:    "il codice è sbagliato, o non è di questa persona",
	staff.Unready:      "manca chi possa approvare",
}

var counterReasons = map[counters.Kind]string{
	counters.NotFound:     "non c'è",
	counters.NotPermitted: "non è permesso",
	counters.Invalid:      "non si può fare così",
	counters.BadState:     "non a questo punto",
	counters.TooMany:      "sono troppi",
	counters.Unavailable:  "non è raggiungibile, riprovare",
}

// reason is an error for people. What the database says of a row that is there, is
// not, or is held by another is known by then and helps nobody; what it says of any
// other failure is kept.
func reason(err error) string {
	text := err.Error()
	var row *store.Error
	if errors.As(err, &row) && row.Kind != store.Failed {
		if row.Err != nil {
			text = strings.TrimSuffix(text, ": "+row.Err.Error())
		}
		if row.Kind == store.Conflict || row.Kind == store.NotFound {
			text = strings.TrimSuffix(text, ": "+row.Msg)
		}
	}
	if language() != "it" {
		return text
	}
	var account *accounts.Error
	var record *ledger.Error
	it := ""
	var member *staff.Error
	var atCounter *counters.Error
	switch {
	case errors.As(err, &atCounter):
		it = counterReasons[atCounter.Kind]
	case errors.As(err, &member):
		it = staffReasons[member.Kind]
	case errors.As(err, &account):
		it = accountReasons[account.Kind]
	case errors.As(err, &record):
		it = ledgerReasons[record.Kind]
	case validate.KindOf(err) == validate.Unreadable:
		it = "il file non è di un tipo che si sappia verificare, o è danneggiato"
	}
	if it != "" {
		return it + " (" + text + ")"
	}
	return text
}
