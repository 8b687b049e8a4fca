package validate

import (
	"fmt"
	"slices"
	"strings"

	"sigillo/formats/ades"
)

var verdicts = map[Indication][2]string{
	TotalPassed:   {"VALIDA", "VALID"},
	Indeterminate: {"INCERTA", "UNCERTAIN"},
	TotalFailed:   {"NON VALIDA", "NOT VALID"},
	NoSignature:   {"NESSUNA FIRMA", "NO SIGNATURE"},
}

var stampKinds = map[ades.StampKind][2]string{
	ades.ContentStamp:    {"del contenuto", "of the content"},
	ades.SignatureStamp:  {"della firma", "of the signature"},
	ades.ArchiveStamp:    {"d'archivio", "archive"},
	ades.DocumentStamp:   {"del documento", "of the document"},
	ades.ReferencesStamp: {"dei riferimenti", "of the references"},
}

// page writes a report in one language.
type page struct {
	strings.Builder
	it bool
}

func (p *page) say(it, en string) string {
	if p.it {
		return it
	}
	return en
}

func (p *page) pair(v [2]string) string { return p.say(v[0], v[1]) }

func (p *page) verdict(i Indication, sub SubIndication) string {
	return strings.TrimSpace(fmt.Sprintf("%s (%s) %s", p.pair(verdicts[i]), i, sub))
}

func (p *page) line(it, en string, at any) {
	fmt.Fprintf(p, "  %s: %v\n", p.say(it, en), at)
}

// Text gives the report for a person to read, in Italian for "it", else in
// English.
func (r Report) Text(lang string) string {
	p := &page{it: lang == "it"}
	fmt.Fprintf(p, "%s: %s\n", printable(r.File), p.verdict(r.Indication, ""))
	for i, s := range r.Signatures {
		p.signature(i, s)
	}
	if r.Policy != "" {
		fmt.Fprintf(p, "%s %s, %s %s\n", p.say("Verificato il", "Validated at"), stamped(r.Validated), p.say("regole", "rules"), printable(r.Policy))
	}
	return p.String()
}

func (p *page) signature(i int, s SignatureReport) {
	title := p.say("Firma", "Signature")
	if s.Parent != "" {
		title = p.say("Controfirma di "+s.Parent+", firma", "Counter-signature of "+s.Parent+", signature")
	}
	fmt.Fprintf(p, "%s %d: %s\n", title, i+1, p.verdict(s.Indication, s.SubIndication))
	p.line("Tipo", "Kind", strings.TrimSuffix(s.Form+" "+string(s.Level), " "))
	if s.Signer != "" {
		p.line("Firmatario", "Signer", s.Signer+p.say(", certificato ", ", certificate ")+s.Serial+p.say(" di ", " by ")+s.Issuer)
	}
	if s.Field != "" {
		p.line("Campo", "Field", s.Field)
	}
	if len(s.Covers) > 0 {
		p.line("Documenti", "Documents", strings.Join(s.Covers, ", "))
	}
	p.coverage(s)
	if !s.SigningTime.IsZero() {
		p.line("Data dichiarata", "Claimed time", stamped(s.SigningTime))
	}
	if !s.BestSignatureTime.IsZero() {
		p.line("Esistente dal", "Proven to exist since", stamped(s.BestSignatureTime))
	}
	p.properties(s.Properties)
	for _, t := range s.Timestamps {
		what := stamped(t.Time) + p.say(" di ", " by ") + t.TSA
		if t.TSA == "" {
			what = "-"
		}
		p.line("Marca temporale "+stampKinds[t.Kind][0], "Time-stamp "+stampKinds[t.Kind][1], what+", "+p.verdict(t.Indication, t.SubIndication))
	}
	for _, reason := range s.Reasons {
		fmt.Fprintf(p, "  - %s\n", p.say(reason.It, reason.En))
	}
}

var changeKinds = map[string][2]string{
	"signature":   {"firma", "signature"},
	"form-fill":   {"campo compilato", "field filled in"},
	"form-change": {"campo cambiato", "field changed"},
	"annotation":  {"annotazione", "annotation"},
	"metadata":    {"titolo o altri metadati", "title or other metadata"},
}

// maxShown bounds the changes that a report for persons names.
const maxShown = 12

// coverage says loudly that what a reader shows is not all that was signed. Where the
// signature does not stand, the reasons say why.
func (p *page) coverage(s SignatureReport) {
	if s.CoversWholeDocument || s.Parent != "" || len(s.Changes) == 0 && s.Indication != TotalPassed {
		return
	}
	if len(s.Changes) == 0 {
		p.line("ATTENZIONE", "ATTENTION", p.say("la firma non copre tutto il documento", "the signature does not cover the whole document"))
		return
	}
	var list []string
	for _, c := range s.Changes {
		text := p.pair(changeKinds[c.Kind])
		if c.Field != "" {
			text += " " + c.Field
		}
		if c.Page != 0 {
			text += fmt.Sprintf(p.say(" (pagina %d)", " (page %d)"), c.Page)
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	if n := len(list); n > maxShown {
		list = append(list[:maxShown], fmt.Sprintf(p.say("altre %d", "%d more"), n-maxShown))
	}
	p.line("ATTENZIONE", "ATTENTION", p.say("il documento è stato modificato dopo questa firma (modifiche permesse): ",
		"the document was changed after this signature (permitted changes): ")+strings.Join(list, "; "))
}

func (p *page) properties(r *PropertiesReport) {
	if r == nil {
		return
	}
	list := func(it, en string, items []string) {
		if len(items) > 0 {
			p.line(it, en, strings.Join(items, "; "))
		}
	}
	list("Impegno", "Commitment", r.Commitments)
	list("Ruolo dichiarato", "Claimed role", r.ClaimedRoles)
	list("Luogo", "Place", r.Place)
	if r.Policy != "" {
		p.line("Politica di firma", "Signature policy", r.Policy)
	}
}
