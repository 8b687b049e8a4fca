package inspect

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// storageRecord is an ExOleObjStg with a compound file, compressed or not.
func storageRecord(compressed bool, size int, file string) string {
	if !compressed {
		return record(0, 0, pptObjectStg, file)
	}
	return record(0, 1, pptObjectStg, le(uint32(size))+zlibText(file))
}

// The Visual Basic project of a presentation is named by its modules; what
// cannot be looked into is an object of another program.
func TestPPTStorage(t *testing.T) {
	t.Parallel()
	files := vbaFiles("", "Modulo", "", emptyModule+"Sub Auto_Open()\r\nEnd Sub\r\n")
	project := string(cfbFile(append(files, "PROJECT", "x")...))
	other := string(cfbFile("\x01Ole10Native", "x"))
	huge := strings.Repeat("\x00", maxVBAProject+1)
	for name, c := range map[string]struct{ body, rule, where, quote string }{
		"compressed project": {storageRecord(true, len(project), project), "cfb.macro", " VBA/Modulo", "Auto_Open"},
		"project":            {storageRecord(false, 0, project), "cfb.macro", " VBA/Modulo", "Auto_Open"},
		"empty project":      {storageRecord(true, len(cfbFile("VBA/", "")), string(cfbFile("VBA/", ""))), "cfb.macro", "", ""},
		"object":             {storageRecord(true, len(other), other), "cfb.embedded", "", "record 0x1011"},
		"other size":         {storageRecord(true, len(project)+1, project), "cfb.embedded", "", "unreadable: it is not of the size it says"},
		"not compressed":     {record(0, 1, pptObjectStg, "xxxxxxxxxx"), "cfb.embedded", "", "unreadable: zlib"},
		"too short":          {record(0, 1, pptObjectStg, "x"), "cfb.embedded", "", "unreadable: a record ends too early"},
		"nothing":            {record(0, 0, pptObjectStg), "cfb.embedded", "", "record 0x1011"},
		"bomb":               {storageRecord(true, len(huge), huge), "cfb.embedded", "", "unreadable: a record is too long"},
		"after a bomb":       {storageRecord(true, len(huge), huge) + storageRecord(true, len(project), project), "cfb.embedded", "", "unreadable: a record is too long"},
	} {
		rep := look(t, "x.ppt", pptSpec{loose: c.body}.file())
		found := false
		for _, f := range rep.Findings {
			found = found || f.Rule == c.rule && strings.HasPrefix(f.Where, "object at ") && strings.HasSuffix(f.Where, c.where) && strings.HasPrefix(f.Quote, c.quote)
		}
		if !found || rep.Verdict != Refuse || has(rep, "cfb.malformed") {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}

// FuzzPPTStorage reads any bytes as a compressed storage: the record is always
// left where it ends.
func FuzzPPTStorage(f *testing.F) {
	f.Add([]byte(le(uint32(3)) + zlibText("abc")))
	f.Add([]byte(le(uint32(1536)) + zlibText(string(cfbFile("VBA/dir", "x")))))
	f.Fuzz(func(t *testing.T, body []byte) {
		p := &pptScan{report: newReport(), r: bufio.NewReader(bytes.NewReader(append(body, "end"...)))}
		if err := p.storage(0, 1, int64(len(body))); err != nil || p.at != int64(len(body)) || p.inflated > maxVBAProject {
			t.Fatal(err, p.at)
		}
		if rest, _ := p.r.Peek(3); string(rest) != "end" || p.Verdict != Refuse {
			t.Errorf("%q, %s", rest, p.Verdict)
		}
	})
}
