package inspect

import (
	"bytes"
	"strings"
	"testing"
)

// vbaPack compresses as [MS-OVBA] §2.4.1.3 has it, taking the longest copy.
func vbaPack(s string) string {
	out := []byte{1}
	for len(s) > 0 {
		chunk := s[:min(len(s), vbaChunk)]
		s = s[len(chunk):]
		var packed []byte
		for at := 0; at < len(chunk); {
			flagAt := len(packed)
			packed = append(packed, 0)
			for bit := 0; bit < 8 && at < len(chunk); bit++ {
				offsetBits := 4
				for 1<<offsetBits < at {
					offsetBits++
				}
				best, from := 0, 0
				for i := at - 1; i >= 0 && at-i <= 1<<offsetBits; i-- {
					n := 0
					for at+n < len(chunk) && chunk[i+n] == chunk[at+n] && n < 0xffff>>offsetBits+3 {
						n++
					}
					if n > best {
						best, from = n, at-i
					}
				}
				if best < 3 {
					packed = append(packed, chunk[at])
					at++
					continue
				}
				token := (from-1)<<(16-offsetBits) | (best - 3)
				packed = append(packed, byte(token), byte(token>>8))
				packed[flagAt] |= 1 << bit
				at += best
			}
		}
		header := 0xb000 | (len(packed) - 1)
		out = append(append(out, byte(header), byte(header>>8)), packed...)
	}
	return string(out)
}

// vbaFiles are the entries of a project in a storage; modules are name,
// compiled code, source …
func vbaFiles(storage string, modules ...string) []string {
	record := func(id int, body string) string { return le(id, uint32(len(body)), body) }
	dir := le(1, uint32(4), uint32(1)) + le(9, uint32(4), uint32(1), 2)
	var files []string
	for i := 0; i+2 < len(modules); i += 3 {
		name, compiled, source := modules[i], modules[i+1], modules[i+2]
		dir += record(0x19, name) + record(0x47, string(utf16le(name))) + record(0x1a, name) + record(0x32, string(utf16le(name))) +
			record(0x31, le(uint32(len(compiled)))) + record(0x2b, "")
		files = append(files, storage+"VBA/"+name, compiled+vbaPack(source))
	}
	return append([]string{storage + "VBA/dir", vbaPack(dir + record(0x10, "")), storage + "VBA/_VBA_PROJECT", "\xcc\x61"}, files...)
}

// The examples of [MS-OVBA] §3.2, and what the compressor of this test makes.
func TestVBADecompress(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Sub Prova()\r\n  MsgBox \"ciao\"\r\nEnd Sub\r\n", 500)
	for _, c := range []struct{ packed, want string }{
		{"\x01\x19\xb0\x00abcdefgh\x00ijklmnop\x00qrstuv.", "abcdefghijklmnopqrstuv."},
		{"\x01\x2f\xb0\x00#aaabcde\x82f\x00paghij\x018\x08akl\x000mnop\x06q\x02p\x04\x10rstuv\x10wxyz\x00<", "#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa"},
		{"\x01\x03\xb0\x02aE\x00", strings.Repeat("a", 73)},
		{"\x01\xff\x3f" + strings.Repeat("x", vbaChunk), strings.Repeat("x", vbaChunk)},
		{vbaPack(long), long},
		{"\x01", ""},
	} {
		left := int64(maxVBASource)
		got, err := vbaDecompress([]byte(c.packed), &left)
		if err != nil || string(got) != c.want || left != int64(maxVBASource-len(c.want)) {
			t.Errorf("%.40q: %.80q, %v, %d left", c.packed, got, err, left)
		}
	}
	for _, bad := range []string{
		"", "\x02", "\x01\x19", "\x01\x19\xb0\x00abc", "\x01\x03\xa0\x02aE\x00", // no magic, cut off, no signature
		"\x01\x02\xb0\x01\x00\x00",                    // a copy from before the chunk
		"\x01\x05\xb0\x02a\xff\x0f\x00\x00",           // a chunk of more than 4,096 bytes: 1+4098
		"\x01\x03\xb0\x02aE",                          // a token cut off
		"\x01\x03\x30abcd",                            // a chunk as it is, too short
		"\x01\x03\xb0\x02aE\x00\x03\xb0\x02a\x45\x10", // the second copies from before itself
	} {
		left := int64(maxVBASource)
		if got, err := vbaDecompress([]byte(bad), &left); err == nil {
			t.Errorf("%q: %.40q", bad, got)
		}
	}
	left := int64(10_000)
	if _, err := vbaDecompress([]byte(vbaPack(strings.Repeat("a", 10_001))), &left); err != errTooLong {
		t.Errorf("beyond the limit: %v", err)
	}
}

const emptyModule = "Attribute VB_Name = \"Modulo\"\r\nAttribute VB_Base = \"0{x}\"\r\n"

// Modules and procedures are named, those that run by themselves first; without
// code, without source and without sense a project is refused all the same.
func TestVBAFindings(t *testing.T) {
	t.Parallel()
	compiled := "\x01\x16\xfe\xca\x01\x00\x07\x00\x22\x81"
	for name, c := range map[string]struct {
		files        []string
		where, quote string
	}{
		"procedures": {vbaFiles("Macros/", "Modulo", compiled, emptyModule+"Public Sub Altro()\r\nEnd Sub\r\nPrivate Sub Document_Open()\r\nEnd Sub\r\nFunction Più(x)\r\nEnd Function\r\n"),
			"Macros/VBA/Modulo", "Document_Open, Altro, Pi"},
		"declarations": {vbaFiles("Macros/", "Modulo", "", emptyModule+"Declare Function WinExec Lib \"x\""), "Macros/VBA/Modulo", "Declare Function WinExec"},
		"no code":      {vbaFiles("Macros/", "Modulo", "\x01\x16\xfe\xca\x01\x00\x00\x00", emptyModule), "Macros/VBA/Modulo", "no code"},
		"stomped":      {vbaFiles("Macros/", "Modulo", compiled, emptyModule), "Macros/VBA/Modulo", "source removed, 7 compiled lines left"},
		"emptied":      {vbaFiles("Macros/", "Modulo", "x", ""), "Macros/VBA/Modulo", "source removed, compiled code left"},
		"unlisted":     {append(vbaFiles("Macros/"), "Macros/VBA/Nascosto", "x"), "Macros/VBA/Nascosto", "not listed in the project"},
		"no stream":    {vbaFiles("Macros/", "Modulo", "", "")[:4], "Macros/VBA", ""},
		"garbage":      {[]string{"Macros/VBA/dir", "\x01garbage"}, "Macros/VBA", "unreadable project: it does not decompress"},
		"bad module":   {append(vbaFiles("Macros/", "Modulo", "", emptyModule)[:5], "\x01x"), "Macros/VBA/Modulo", "unreadable module"},
		"only storage": {[]string{"Macros/", ""}, "Macros", ""},
	} {
		word := cfbFile(append([]string{"WordDocument", wordStream(0)}, c.files...)...)
		part := cfbFile(c.files...)
		for _, look := range []struct {
			rule, prefix string
			rep          Report
		}{
			{"cfb.macro", "", look(t, "x.doc", word)},
			{"ooxml.macro", "word/media/a.png ", look(t, "x.docx", docx("", "word/media/a.png", string(part)))},
		} {
			if look.rep.Verdict != Refuse {
				t.Errorf("%s: %s", name, look.rep.Verdict)
			}
			found := false
			for _, f := range look.rep.Findings {
				found = found || f.Rule == look.rule && strings.HasPrefix(f.Where, strings.TrimSpace(look.prefix)) && strings.HasPrefix(f.Quote, c.quote) &&
					(f.Where == look.prefix+c.where || c.quote == "")
			}
			if !found {
				t.Errorf("%s: %s at %s %q is not in %+v", name, look.rule, c.where, c.quote, look.rep.Findings)
			}
		}
	}
}

// FuzzVBA: any bytes decompress within the limit or not at all, and what the
// compressor made comes back.
func FuzzVBA(f *testing.F) {
	f.Add([]byte("\x01\x03\xb0\x02aE\x00"))
	f.Add([]byte(vbaPack(emptyModule)))
	f.Fuzz(func(t *testing.T, packed []byte) {
		left := int64(1 << 20)
		if got, err := vbaDecompress(packed, &left); err == nil && len(got) > 1<<20 {
			t.Errorf("%d bytes", len(got))
		}
		left = 1 << 20
		text := packed[:min(len(packed), 10_000)]
		if got, err := vbaDecompress([]byte(vbaPack(string(text))), &left); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%q does not come back: %v", text, err)
		}
	})
}

// FuzzVBAProject reads any bytes as the directory and as a module of a project.
func FuzzVBAProject(f *testing.F) {
	files := vbaFiles("", "Modulo", "\xfe\xca\x01\x00\x07\x00", emptyModule+"Sub A()\r\nEnd Sub")
	f.Add([]byte(files[1]), []byte(files[5]))
	f.Fuzz(func(t *testing.T, dir, module []byte) {
		notes, ok := vbaProject(cfbFile("VBA/dir", string(dir), "VBA/Modulo", string(module)))
		if !ok || len(notes) == 0 {
			t.Errorf("%+v", notes)
		}
	})
}
