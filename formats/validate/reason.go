package validate

import "fmt"

// sentences are the reasons by code, Italian and English, with the same verbs.
var sentences = map[string][2]string{
	"valid":                     {"firma integra, certificato valido e non revocato alla data %s", "the signature is intact, the certificate was valid and not revoked at %s"},
	"format":                    {"la firma è malformata (%s)", "the signature is malformed (%s)"},
	"content-changed":           {"il documento è stato modificato dopo la firma", "the document was changed after signing"},
	"value-wrong":               {"il valore della firma non corrisponde al documento e al certificato", "the signature value does not fit the document and the certificate"},
	"unsupported":               {"la firma usa qualcosa che qui non viene verificato (%s)", "the signature uses something that is not verified here (%s)"},
	"no-certificate":            {"il certificato del firmatario non è nella firma", "the signer's certificate is not in the signature"},
	"other-certificate":         {"la firma indica un certificato diverso da quello con cui è accompagnata", "the signature names another certificate than the one it comes with"},
	"unbound":                   {"la firma non protegge l'indicazione del proprio certificato: non è una firma AdES", "the signature does not protect the reference to its certificate: it is not an AdES signature"},
	"not-covering":              {"la firma non copre l'intero documento", "the signature does not cover the whole document"},
	"content-missing":           {"per verificare serve anche il documento firmato", "the signed document is needed too"},
	"later-revisions":           {"dopo questa firma il documento è stato modificato (%d revisioni): le modifiche non vengono analizzate", "the document was changed after this signature (%d revisions): the changes are not analysed"},
	"appended":                  {"dopo la parte firmata ci sono altri dati", "there are other data after the signed part"},
	"weak-digest":               {"usa %s, che non è più affidabile", "it relies on %s, which is no longer safe"},
	"weak-reference":            {"la firma indica il proprio certificato con %s, che altrove non è più affidabile ma qui basta ancora", "the signature names its certificate by %s, which is no longer safe elsewhere but still good enough for this"},
	"no-chain":                  {"il certificato di %s non porta a nessuna delle radici considerate attendibili", "the certificate of %s does not lead to any of the trusted roots"},
	"chain":                     {"il certificato di %s non può stare nel percorso: %s", "the certificate of %s cannot be in the path: %s"},
	"no-key-usage":              {"il certificato di %s non dice a che cosa serve la sua chiave (keyUsage): vale per tutto", "the certificate of %s does not say what its key is for (keyUsage): it is for anything"},
	"key-usage":                 {"il certificato di %s non è fatto per firmare documenti (keyUsage)", "the certificate of %s is not for signing documents (keyUsage)"},
	"expired":                   {"il certificato di %s è scaduto il %s e nulla prova che la firma sia precedente", "the certificate of %s expired on %s and nothing proves that the signature is older"},
	"not-yet-valid":             {"il certificato di %s vale solo dal %s", "the certificate of %s is valid only from %s"},
	"revoked":                   {"il certificato di %s è stato revocato il %s e nulla prova che la firma sia precedente", "the certificate of %s was revoked on %s and nothing proves that the signature is older"},
	"revoked-later":             {"il certificato di %s è stato revocato il %s, dopo la data provata: la firma resta valida", "the certificate of %s was revoked on %s, after the proven time: the signature stays valid"},
	"suspended":                 {"il certificato di %s è sospeso dal %s: riprovare più avanti", "the certificate of %s is suspended since %s: try again later"},
	"suspended-later":           {"il certificato di %s è sospeso dal %s, dopo la data provata: la firma resta valida", "the certificate of %s is suspended since %s, after the proven time: the signature stays valid"},
	"no-revocation":             {"non ci sono informazioni sulla revoca del certificato di %s", "there is no revocation information for the certificate of %s"},
	"stale-revocation":          {"le informazioni sulla revoca del certificato di %s sono scadute (sono del %s)", "the revocation information for the certificate of %s is out of date (it is of %s)"},
	"late-revocation":           {"le informazioni sulla revoca sono posteriori alla scadenza del certificato di %s: non dicono più nulla", "the revocation information is later than the expiry of the certificate of %s: it proves nothing any more"},
	"unknown-status":            {"il servizio OCSP non conosce il certificato di %s", "the OCSP service does not know the certificate of %s"},
	"weak-algorithm":            {"la firma usa %s, che non è più affidabile, e nulla prova che sia precedente", "the signature uses %s, which is no longer safe, and nothing proves that it is older"},
	"weak-certificate":          {"il certificato di %s è firmato con %s, che non è più affidabile", "the certificate of %s is signed with %s, which is no longer safe"},
	"weak-revocation":           {"le informazioni sulla revoca del certificato di %s sono firmate con %s, che non è più affidabile", "the revocation information for the certificate of %s is signed with %s, which is no longer safe"},
	"expired-later":             {"il certificato di %s è scaduto il %s, dopo la data provata: la firma resta valida", "the certificate of %s expired on %s, after the proven time: the signature stays valid"},
	"early-revocation":          {"le informazioni sulla revoca sono anteriori al certificato di %s: non dicono nulla", "the revocation information is older than the certificate of %s: it says nothing"},
	"not-revoked-when-expired":  {"le ultime informazioni sulla validità del certificato di %s (del %s) non lo danno per revocato", "the last information from the lifetime of the certificate of %s (of %s) does not say that it was revoked"},
	"older-revocation":          {"le informazioni sulla revoca del certificato di %s (del %s) sono anteriori alla marca temporale; le prossime sono attese il %s", "the revocation information for the certificate of %s (of %s) is older than the time-stamp; the next is due at %s"},
	"revocation-signer-expired": {"le informazioni sulla revoca del certificato di %s sono firmate da %s, scaduto il %s, e nulla prova che siano precedenti", "the revocation information for the certificate of %s is signed by %s, which expired on %s, and nothing proves that it is older"},
	"policy-digest":             {"la politica di firma %s non è quella che si conosce con questo nome", "the signature policy %s is not the one known under this name"},
	"uncovered":                 {"il documento %s del contenitore non è firmato da nessuno", "the document %s of the container is signed by nobody"},
	"too-much":                  {"ci sono più certificati, liste e risposte di quanti se ne possano verificare: potrebbe esserci una revoca tra quelli non considerati", "there are more certificates, lists and answers than can be checked: a revocation may be among those that were not"},
	"not-named":                 {"il documento %s non è tra quelli firmati", "the document %s is not among those that are signed"},
	"beside":                    {"il file contiene anche dati non firmati (%s)", "the file also holds data that are not signed (%s)"},
	"uncovered-meta":            {"il file %s del contenitore non viene considerato", "the file %s of the container is not taken into account"},
	"record-unread":             {"il contenitore ha anche un evidence record in XML (%s), che non viene verificato", "the container also holds an evidence record in XML (%s), which is not verified"},
	"record-attribute":          {"la firma porta un evidence record, che non viene verificato: ciò che prova non è considerato", "the signature carries an evidence record, which is not verified: what it proves is not taken into account"},
	"irregular":                 {"il contenitore si scosta dalla norma: %s", "the container departs from the standard: %s"},
	"unknown-policy":            {"la firma segue la politica di firma %s, che qui non è disponibile", "the signature follows the signature policy %s, which is not available here"},
	"policy-not-evaluated":      {"la firma segue la politica di firma %s, che non viene valutata", "the signature follows the signature policy %s, which is not evaluated"},
	"valid-then":                {"il certificato di %s era valido il %s: le marche temporali successive e le informazioni conservate lo provano", "the certificate of %s was valid at %s: the later time-stamps and the evidence kept with them prove it"},
	"content-stamp-after":       {"il contenuto è stato marcato il %s, dopo la data provata della firma %s", "the content was time-stamped at %s, after the proven time of the signature %s"},
	"too-many-stamps":           {"la firma ha troppe marche temporali", "the signature has too many time-stamps"},
	"changed-later":             {"dopo questa firma il documento è stato modificato oltre quanto permesso: %s", "the document was changed after this signature beyond what is permitted: %s"},
	"added-evidence":            {"in seguito sono stati aggiunti dati per la verifica a lungo termine", "evidence for long-term validation was added later"},
	"added-timestamp":           {"in seguito è stata aggiunta una marca temporale del documento", "a document time-stamp was added later"},
	"added-signature":           {"in seguito sono state aggiunte altre firme, come è permesso", "other signatures were added later, as is permitted"},
	"added-form-fill":           {"in seguito sono stati compilati campi del modulo, come è permesso", "form fields were filled in later, as is permitted"},
	"added-form-change":         {"in seguito sono stati cambiati campi del modulo già compilati, come è permesso", "form fields that were filled in were changed later, as is permitted"},
	"added-annotation":          {"in seguito sono state aggiunte annotazioni, come è permesso", "annotations were added later, as is permitted"},
	"added-metadata":            {"in seguito sono stati cambiati titolo o altri metadati del documento", "title or other metadata of the document were changed later"},
	"shown-later":               {"ciò che è stato aggiunto dopo la firma si vede a pagina %s e può coprire ciò che c'è: per sapere che cosa è stato firmato guardare la revisione firmata (i primi %d ottetti del file)", "what was added after the signature shows on page %s and may cover what is there: to see what was signed look at the signed revision (the first %d octets of the file)"},
	"renewed-before":            {"la marca temporale del %s è rinnovata da una che dichiara una data precedente, %s", "the time-stamp of %s is renewed by one that claims an earlier time, %s"},
	"inside-unread":             {"il documento marcato non si può esaminare: se contiene firme, non sono state verificate (%s)", "the stamped document cannot be looked at: signatures in it, if there are any, were not validated (%s)"},
	"name-unprotected":          {"il nome del documento, %s, non è coperto dalla marca temporale", "the name of the document, %s, is not under the time-stamp"},
	"record-encrypted":          {"il documento era cifrato quando è stato marcato: la prova è del documento cifrato", "the document was encrypted when it was stamped: the proof is of the encrypted document"},
	"record-group":              {"l'evidence record è di un gruppo di %d documenti, ne sono stati dati %d", "the evidence record is of a group of %d documents, %d were given"},
	"record-other":              {"l'evidence record non è del documento %s", "the evidence record is not of the document %s"},
	"stamp-other":               {"è di un altro documento", "it is of other data"},
	"unvouched":                 {"la politica di una marca temporale dice che l'ora non è verificata: è a dimostrazione, nessuno garantisce l'ora", "the policy of a time-stamp says that its time is unverified: it is for demonstration, nobody vouches for the time"},
	"stamp-malformed":           {"è malformata o non è fatta da un certificato per marche temporali (%s)", "it is malformed or not made by a time-stamping certificate (%s)"},
	"stamp-signature":           {"la sua firma è sbagliata", "its signature is wrong"},
	"stamp-changed":             {"è stata modificata", "it was changed"},
	"stamp-certificate":         {"la sua data %s è fuori dalla validità del certificato di %s", "its time %s is outside the validity of the certificate of %s"},
	"stamp-future":              {"la sua data %s è nel futuro", "its time %s is in the future"},
	"stamp-before-claim":        {"la data dichiarata %s è posteriore alla data provata %s", "the claimed time %s is after the proven time %s"},
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
