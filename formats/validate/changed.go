package validate

import (
	"fmt"
	"strings"

	"sigillo/formats/pades/changes"
)

// changeWords are the kinds of changes in Italian and English.
var changeWords = map[changes.Kind][2]string{
	changes.Signature:  {"una firma", "a signature"},
	changes.FormFill:   {"un campo compilato", "a field filled in"},
	changes.FormChange: {"un campo cambiato", "a field changed"},
	changes.Annotation: {"un'annotazione", "an annotation"},
	changes.Metadata:   {"il titolo o altri metadati", "the title or other metadata"},
}

// otherWords are what is told of a change that nothing permits, by what its place
// holds; the first that fits counts.
var otherWords = []struct {
	place string
	words [2]string
}{
	{"covers what was signed", [2]string{"qualcosa che copre quanto è stato firmato", "something that covers what was signed"}},
	{"/Annots", [2]string{"annotazioni o campi di una pagina", "annotations or fields of a page"}},
	{"Root/Pages/page ", [2]string{"il contenuto di una pagina", "the content of a page"}},
	{"Root/Pages", [2]string{"le pagine", "the pages"}},
	{"Root/AcroForm", [2]string{"il modulo", "the form"}},
	{"field ", [2]string{"un campo", "a field"}},
	{"", [2]string{"il documento nel suo insieme", "the document as a whole"}},
}

// changedLater is what is found when a document was changed beyond what its
// signature permits, each change in words, with its place for who wants to look.
func changedLater(refused []changes.Change) finding {
	var it, en []string
	for _, c := range refused {
		words, ok := changeWords[c.Kind]
		for i := 0; !ok; i++ {
			words, ok = otherWords[i].words, strings.Contains(c.Where, otherWords[i].place)
		}
		about := fmt.Sprintf(" (%s)", strings.TrimSuffix(c.Where, " covers what was signed"))
		if c.Field != "" {
			about = fmt.Sprintf(" %q", c.Field)
		}
		pageIt, pageEn := "", ""
		if c.Page != 0 {
			pageIt, pageEn = fmt.Sprintf(", pagina %d", c.Page), fmt.Sprintf(", page %d", c.Page)
		}
		it, en = append(it, words[0]+pageIt+about), append(en, words[1]+pageEn+about)
	}
	f := doubt(SigConstraintsFailure, "changed-later", strings.Join(en, "; "))
	f.reason.It = because("changed-later", strings.Join(it, "; ")).It
	return f
}
