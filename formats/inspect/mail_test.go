package inspect

import (
	"strings"
	"testing"
)

func mailCases() []ruleCase {
	message := "Received: from a.it\r\n\tby b.it; Sat, 21 Nov 2026\r\nFrom: Ada <a@a.it>\r\nDate: x\r\nSubject: prova\r\n\r\nciao\r\n"
	typed := "From: Ada\nTo: Bruno\nDate: 21 novembre 2026\nSubject: contratto\n\nEgregio signore\n"
	chrome := "From: <Saved by Blink>\r\nSnapshot-Content-Location: https://x.it/\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\ttype=\"text/html\"; boundary=b\r\n\r\n--b\r\n"
	word := "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=\"b\"\n\nThis document is a Single File Web Page\n\n--b\n"
	long := "Received: x\n" + strings.Repeat("X-Riga: "+strings.Repeat("x", 500)+"\n", 20) + "\nciao"
	return []ruleCase{
		{"format.mail", "x.eml", []byte(message), []byte(typed)[len("From"):]},
		{"format.mail", "x", []byte(message), []byte(typed)},
		{"format.mail", "x.txt", []byte(message), []byte(typed)},
		{"format.mail", "x.eml", []byte(typed), []byte("Egregio signore\n")},
		{"format.mail", "x.mbox", []byte("From a@a.it Sat Nov 21\n" + message), []byte("From a@a.it\nciao\n")},
		{"format.mail", "x.txt", []byte("From a@a.it Sat Nov 21\n" + message), []byte("From: x\nMIME-Version e Message-ID: campi\nReceived")},
		{"format.mail", "x.eml", []byte(long), []byte(word)[:12]},
		{"format.mail", "x.eml", []byte(word), []byte(chrome)},
		{"format.mail", "x.eml.p7m", []byte(message), []byte(typed)}, // not an envelope by its content
		{"format.mhtml", "x.mht", []byte(chrome), []byte(typed)},
		{"format.mhtml", "x.txt", []byte(word), []byte(typed)},
		{"format.mhtml", "x.doc", []byte(word), []byte(message)},
		{"format.mhtml", "x.mht", []byte("MIME-Version: 1.0\nContent-Type: text/html\n\n<p>ciao"), []byte("Content-Type: text/html\n\n<p>ciao")},
		{"ooxml.macro", "x.mht", []byte(word + "\nQWN0aXZlTWltZQAAAfAEAAAA\n"), []byte(word)},
		{"name.mismatch", "x.eml", []byte("Egregio signore\n"), []byte(message)},
		{"name.mismatch", "x.mht", []byte("<html><body>ciao</body></html>"), []byte(word)},
	}
}

func sheetTextCases() []ruleCase {
	sylk := func(lines ...string) []byte {
		return []byte("ID;PWXL;N;E\r\n" + strings.Join(lines, "\r\n") + "\r\nE\r\n")
	}
	plain := sylk("C;Y1;X1;K\"Egregio\"")
	text := []byte("IDENTITÀ;P\n")
	dif := "TABLE\r\n0,1\r\n\"EXCEL\"\r\n"
	return []ruleCase{
		{"format.sheet", "x.slk", plain, text},
		{"format.sheet", "x.csv", plain, text},
		{"format.sheet", "x.dif", []byte(dif), []byte("TABLE\r\n0,2\r\n")},
		{"format.sheet", "x.txt", []byte(strings.ReplaceAll(dif, "\r", "")), []byte("TABLE\n")},
		{"sheet.macrosheet", "x.slk", sylk("O;E"), sylk("O;L")},
		{"sheet.macrosheet", "x.slk", sylk("NN;NAuto_open;ER101C1;KOut Flank;F"), sylk("NN;NNome;ER101C1")},
		{"formula", "x.slk", sylk("C;X1;Y1;K2;ESUM(R1C2:R1C3)"), sylk("C;X1;Y1;K\"ESUM;;ESUM\"")},
		{"formula.volatile", "x.slk", sylk("C;X1;Y1;K2;ENOW()"), sylk("C;X1;Y1;K2;EPI()")},
		{"formula.volatile", "x.slk", sylk("C;X1;Y1;K2;MNOW()"), sylk("C;X1;Y1;K2;M2")},
		{"field.dde", "x.slk", sylk("C;X1;Y1;K0;ECMD|'/C calc'!A0"), sylk("C;X1;Y1;K0;EPI()")},
		{"name.mismatch", "x.txt", plain, text},
	}
}

// The refused formats are named, so that the holder knows what the file is.
func TestRefusedFormats(t *testing.T) {
	t.Parallel()
	for _, c := range append(mailCases(), sheetTextCases()...) {
		rep := look(t, c.name, c.doc)
		if strings.HasPrefix(c.rule, "format.") && (rep.Format == "text" || rep.MediaType != mediaTypes[rep.Format]) {
			t.Errorf("%s: %s %s", c.name, rep.Format, rep.MediaType)
		}
	}
	if rep := look(t, "x.msg", cfbFile("__properties_version1.0", "x")); rep.Format != "msg" || len(rep.Findings) != 1 {
		t.Errorf("%+v", rep)
	}
}

func FuzzInspectMail(f *testing.F)      { fuzz(f, "x.mht", seedsOf(mailCases())...) }
func FuzzInspectSheetText(f *testing.F) { fuzz(f, "x.slk", seedsOf(sheetTextCases())...) }
