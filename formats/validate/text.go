package validate

import (
	"fmt"
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
