package vault

import "fmt"

// shownName is how many characters of an application's name fit into a text.
const shownName = 40

// openText is codeText of a code that is given to an application, which may have
// anything signed with it: it names the two that it is bound to.
func openText(a *asked, code string, italian bool) string {
	name := []rune(a.application)
	if len(name) > shownName {
		name = append(name[:shownName-1:shownName-1], '…')
	}
	text := "Sigillo: %s is the code with which the application %s has the key %s sign. It is good for 5 minutes. Give it to that application alone."
	if italian {
		text = "Sigillo: %s è il codice con cui l'applicazione %s fa firmare la chiave %s. Vale 5 minuti. Dallo solo a quell'applicazione."
	}
	return fmt.Sprintf(text, code, string(name), a.credential)
}
