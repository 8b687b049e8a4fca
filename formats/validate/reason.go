package validate

import "fmt"

// sentences are the reasons by code, Italian and English, with the same verbs.
var sentences = map[string][2]string{
	"valid":              {"firma integra, certificato valido e non revocato alla data %s", "the signature is intact, the certificate was valid and not revoked at %s"},
	"format":             {"la firma è malformata (%s)", "the signature is malformed (%s)"},
	"content-changed":    {"il documento è stato modificato dopo la firma", "the document was changed after signing"},
	"value-wrong":        {"il valore della firma non corrisponde al documento e al certificato", "the signature value does not fit the document and the certificate"},
	"unsupported":        {"la firma usa qualcosa che qui non viene verificato (%s)", "the signature uses something that is not verified here (%s)"},
	"no-certificate":     {"il certificato del firmatario non è nella firma", "the signer's certificate is not in the signature"},
	"other-certificate":  {"la firma indica un certificato diverso da quello con cui è accompagnata", "the signature names another certificate than the one it comes with"},
	"unbound":            {"la firma non protegge l'indicazione del proprio certificato: non è una firma AdES", "the signature does not protect the reference to its certificate: it is not an AdES signature"},
	"not-covering":       {"la firma non copre l'intero documento", "the signature does not cover the whole document"},
	"content-missing":    {"per verificare serve anche il documento firmato", "the signed document is needed too"},
	"later-revisions":    {"dopo questa firma il documento è stato modificato (%d revisioni): le modifiche non vengono analizzate", "the document was changed after this signature (%d revisions): the changes are not analysed"},
	"appended":           {"dopo la parte firmata ci sono altri dati", "there are other data after the signed part"},
	"weak-digest":        {"usa %s, che non è più affidabile", "it relies on %s, which is no longer safe"},
	"weak-key":           {"la chiave del certificato di %s è troppo debole (%s)", "the key of the certificate of %s is too weak (%s)"},
	"no-chain":           {"il certificato di %s non porta a nessuna delle radici considerate attendibili", "the certificate of %s does not lead to any of the trusted roots"},
	"weak-chain":         {"il percorso dal certificato di %s a una radice usa firme non più affidabili", "the path from the certificate of %s to a root relies on signatures that are no longer safe"},
	"chain":              {"il certificato di %s non può stare nel percorso: %s", "the certificate of %s cannot be in the path: %s"},
	"key-usage":          {"il certificato di %s non è fatto per firmare documenti (keyUsage)", "the certificate of %s is not for signing documents (keyUsage)"},
	"expired":            {"il certificato di %s è scaduto il %s e nulla prova che la firma sia precedente", "the certificate of %s expired on %s and nothing proves that the signature is older"},
	"not-yet-valid":      {"il certificato di %s vale solo dal %s", "the certificate of %s is valid only from %s"},
	"revoked":            {"il certificato di %s è stato revocato il %s e nulla prova che la firma sia precedente", "the certificate of %s was revoked on %s and nothing proves that the signature is older"},
	"revoked-later":      {"il certificato di %s è stato revocato il %s, dopo la data provata: la firma resta valida", "the certificate of %s was revoked on %s, after the proven time: the signature stays valid"},
	"suspended":          {"il certificato di %s è sospeso dal %s: riprovare più avanti", "the certificate of %s is suspended since %s: try again later"},
	"suspended-later":    {"il certificato di %s è sospeso dal %s, dopo la data provata: la firma resta valida", "the certificate of %s is suspended since %s, after the proven time: the signature stays valid"},
	"no-revocation":      {"non ci sono informazioni sulla revoca del certificato di %s", "there is no revocation information for the certificate of %s"},
	"stale-revocation":   {"le informazioni sulla revoca del certificato di %s sono scadute", "the revocation information for the certificate of %s is out of date"},
	"late-revocation":    {"le informazioni sulla revoca sono posteriori alla scadenza del certificato di %s: non dicono più nulla", "the revocation information is later than the expiry of the certificate of %s: it proves nothing any more"},
	"unknown-status":     {"il servizio OCSP non conosce il certificato di %s", "the OCSP service does not know the certificate of %s"},
	"stamp-other":        {"è di un altro documento", "it is of other data"},
	"stamp-malformed":    {"è malformata o non è fatta da un certificato per marche temporali (%s)", "it is malformed or not made by a time-stamping certificate (%s)"},
	"stamp-signature":    {"la sua firma è sbagliata", "its signature is wrong"},
	"stamp-changed":      {"è stata modificata", "it was changed"},
	"stamp-certificate":  {"la sua data %s è fuori dalla validità del certificato di %s", "its time %s is outside the validity of the certificate of %s"},
	"stamp-future":       {"la sua data %s è nel futuro", "its time %s is in the future"},
	"stamp-before-claim": {"la data dichiarata %s è posteriore alla data provata %s", "the claimed time %s is after the proven time %s"},
}

// because makes a reason. Arguments that come from the file are cleaned.
func because(code string, args ...any) Reason {
	for i, a := range args {
		switch v := a.(type) {
		case string:
			args[i] = printable(v)
		case error:
			args[i] = printable(v.Error())
		}
	}
	s, ok := sentences[code]
	if !ok {
		s = sentences["format"]
		args = []any{code}
	}
	if len(args) == 0 {
		return Reason{Code: code, It: s[0], En: s[1]}
	}
	return Reason{Code: code, It: fmt.Sprintf(s[0], args...), En: fmt.Sprintf(s[1], args...)}
}

// ofStamp turns a reason into one about a time-stamp.
func (r Reason) ofStamp() Reason {
	return Reason{Code: "timestamp-" + r.Code, It: "marca temporale: " + r.It, En: "time-stamp: " + r.En}
}

// finding is something that speaks against a signature, or a remark when its
// indication is TotalPassed.
type finding struct {
	indication Indication
	sub        SubIndication
	reason     Reason
}

func failed(sub SubIndication, code string, args ...any) finding {
	return finding{TotalFailed, sub, because(code, args...)}
}

func doubt(sub SubIndication, code string, args ...any) finding {
	return finding{Indeterminate, sub, because(code, args...)}
}

func remark(code string, args ...any) finding {
	return finding{TotalPassed, "", because(code, args...)}
}

// passed reports whether no finding speaks against the signature.
func passed(fs []finding) bool {
	for _, f := range fs {
		if f.indication != TotalPassed {
			return false
		}
	}
	return true
}
