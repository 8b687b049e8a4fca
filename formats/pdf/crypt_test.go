package pdf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"sigillo/formats/pdf/pdftest"
)

const (
	secretText = "Pagherò mille lire (1000)"
	userPW     = "lettore"
	ownerPW    = "proprietario"
)

// ciphers are all that qpdf can write.
var ciphers = []struct {
	name string
	args []string
}{
	{"rc4-40", []string{"40"}},
	{"rc4-128", []string{"128", "--use-aes=n"}},
	{"rc4-128-v4", []string{"128", "--force-V4", "--use-aes=n"}},
	{"aes-128", []string{"128", "--use-aes=y"}},
	{"aes-128-open-metadata", []string{"128", "--use-aes=y", "--cleartext-metadata"}},
	{"aes-256-r5", []string{"256", "--force-R5"}},
	{"aes-256", []string{"256"}},
	{"aes-256-open-metadata", []string{"256", "--cleartext-metadata"}},
}

const metadata = "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"

func secretDocument() []byte {
	return pdftest.Table(pdftest.Minimal().With(pdftest.Objects{
		1: "<</Type/Catalog/Pages 2 0 R/Secret 4 0 R/Data 5 0 R/Metadata 6 0 R/Sig 7 0 R/Empty 8 0 R>>",
		4: "[(" + strings.NewReplacer("(", `\(`, ")", `\)`).Replace(secretText) + ")<</Deep[<00FF>()]>>]",
		5: pdftest.Stream("/Note(nota)/Filter/FlateDecode", pdftest.Deflate([]byte(strings.Repeat(secretText, 500)))),
		6: pdftest.Stream("/Type/Metadata/Subtype/XML", []byte(metadata)),
		7: "<</Type/Sig/ByteRange[0 1 2 3]/Contents<00112233>/Name(Anna)>>",
		8: pdftest.Stream("", nil),
	}), "")
}

// encrypt lets qpdf encrypt data.
func encrypt(t testing.TB, data []byte, user, owner string, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.pdf"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	all := append([]string{"--allow-weak-crypto", "--encrypt", user, owner}, args...)
	run(t, dir, tool(t, "qpdf", "qpdf"), append(all, "--", "in.pdf", "out.pdf")...)
	return readFile(t, filepath.Join(dir, "out.pdf"))
}

func openWith(t testing.TB, data []byte, password string) *File {
	t.Helper()
	f, err := OpenWith(bytes.NewReader(data), int64(len(data)), Limits{}, password)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// checkSecrets looks at everything that was encrypted.
func checkSecrets(t *testing.T, f *File) {
	t.Helper()
	c, err := f.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := As[Array](f, c["Secret"])
	if err != nil || len(a) != 2 {
		t.Fatalf("%v, %v", a, err)
	}
	if got := a[0].(String).Text(); got != strings.Replace(secretText, "ò", "Ã²", 1) {
		t.Errorf("the string is %q", got)
	}
	deep := a[1].(Dict)["Deep"].(Array)
	if string(deep[0].(String)) != "\x00\xff" || len(deep[1].(String)) != 0 {
		t.Errorf("the strings inside are %q", deep)
	}
	for key, want := range map[Name]string{"Data": strings.Repeat(secretText, 500), "Metadata": metadata, "Empty": ""} {
		s, _, err := As[*Stream](f, c[key])
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Decoded(s, 1<<20)
		if err != nil || string(got) != want {
			t.Errorf("%s is %.60q, %v", key, got, err)
		}
		if key == "Data" && string(s.Dict["Note"].(String)) != "nota" {
			t.Errorf("the string in the stream's dictionary is %q", s.Dict["Note"])
		}
	}
	sig, _, err := As[Dict](f, c["Sig"])
	if err != nil || string(sig["Contents"].(String)) != "\x00\x11\x22\x33" || string(sig["Name"].(String)) != "Anna" {
		t.Errorf("the signature is %q, %v", sig, err)
	}
}

func TestStandardSecurity(t *testing.T) {
	t.Parallel()
	for _, c := range ciphers {
		for _, more := range [][]string{nil, {"--object-streams=generate"}, {"--linearize"}} {
			if strings.HasPrefix(c.name, "rc4-40") && more != nil && more[0] != "--linearize" {
				continue // the version of PDF with object streams has longer keys
			}
			t.Run(c.name+strings.Join(more, ""), func(t *testing.T) {
				t.Parallel()
				data := secretDocument()
				if more != nil {
					dir := t.TempDir()
					if err := os.WriteFile(filepath.Join(dir, "in.pdf"), data, 0o600); err != nil {
						t.Fatal(err)
					}
					run(t, dir, tool(t, "qpdf", "qpdf"), append(more, "in.pdf", "out.pdf")...)
					data = readFile(t, filepath.Join(dir, "out.pdf"))
				}
				data = encrypt(t, data, userPW, ownerPW, c.args...)
				locked := openFile(t, data)
				if !locked.Encrypted() || KindOf(locked.Locked()) != Encrypted {
					t.Fatalf("without a password: %v", locked.Locked())
				}
				if _, err := NewUpdate(locked); KindOf(err) != Encrypted {
					t.Errorf("an update of a locked file: %v", err)
				}
				if _, err := OpenWith(bytes.NewReader(data), int64(len(data)), Limits{}, "falsa"); KindOf(err) != Encrypted {
					t.Errorf("a wrong password: %v", err)
				}
				for _, password := range []string{userPW, ownerPW} {
					f := openWith(t, data, password)
					if err := readAll(f); err != nil {
						t.Error(err)
					}
					checkSecrets(t, f)
					updateEncrypted(t, f, data, password)
				}
			})
		}
	}
}

// updateEncrypted appends to the file and lets qpdf decrypt the result.
func updateEncrypted(t *testing.T, f *File, data []byte, password string) {
	t.Helper()
	u, err := NewUpdate(f)
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("grande ", 5000)
	added := u.Add(Dict{"A": String("aggiunto"), "B": Array{String("aggiunto"), String("")}})
	stream := u.Add(&NewStream{Dict: Dict{"S": String("del flusso")}, Data: []byte("dati del flusso")})
	long := u.Add(&NewStream{Source: strings.NewReader(big), Size: int64(len(big))})
	var at int64
	sig := u.Add(Dict{"Type": Name("Sig"), "ByteRange": Array{}, "Contents": Verbatim{[]byte("<ABCDEF>"), &at}, "Name": String("Bruno")})
	catalog, err := f.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	catalog = catalog.Clone()
	catalog["Added"] = Array{added, stream, long, sig}
	if f.security.version >= 4 {
		catalog["Open"] = u.Add(&NewStream{Data: []byte("in chiaro"), Dict: Dict{
			"Filter":      Array{Name("Crypt")},
			"DecodeParms": Array{Dict{"Type": Name("CryptFilterDecodeParms"), "Name": Name("Identity")}},
		}})
	}
	u.Set(f.Root(), catalog)
	tail, err := u.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := u.Bytes(); err != nil || !bytes.Equal(tail, again) {
		t.Errorf("encoding twice gives other bytes (%v)", err)
	}
	if bytes.Contains(tail, []byte("aggiunto")) || bytes.Contains(tail, []byte("flusso")) {
		t.Error("something was written in clear")
	}
	data = append(bytes.Clone(data), tail...)
	if string(data[at:at+8]) != "<ABCDEF>" {
		t.Errorf("the contents are %q", data[at:at+8])
	}
	g := openWith(t, data, password)
	checkSecrets(t, g)
	if old, err := g.At(0); err != nil || old.Locked() != nil {
		t.Errorf("the first revision: %v", err)
	}
	decrypted := string(decrypt(t, data, password))
	for _, want := range []string{"(aggiunto)", "(del flusso)", "dati del flusso", big, "<abcdef>", "(Bruno)"} {
		if !strings.Contains(decrypted, want) {
			t.Errorf("qpdf does not find %.40q", want)
		}
	}
	if f.security.version >= 4 && !strings.Contains(decrypted, "in chiaro") {
		t.Error("qpdf does not find the stream with a filter of its own")
	}
	if pages, err := askPDFCPU(t, data, password); err != nil || pages != 1 {
		t.Errorf("pdfcpu: %d pages, %v", pages, err)
	}
}

// decrypt lets qpdf check and decrypt data.
func decrypt(t *testing.T, data []byte, password string) []byte {
	t.Helper()
	qpdf := tool(t, "qpdf", "qpdf")
	dir := t.TempDir()
	path := filepath.Join(dir, "in.pdf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, qpdf, "--password="+password, "--check", path)
	out, err := exec.Command(qpdf, "--password="+password, "--decrypt", "--qdf", "--no-original-object-ids", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args                        []string
		modify, annotate, fill, add bool
	}{
		{[]string{"40"}, true, true, true, true},
		{[]string{"40", "--modify=n"}, false, true, true, false},
		{[]string{"40", "--annotate=n"}, true, false, false, false},
		{[]string{"128", "--modify=none"}, false, false, false, false},
		{[]string{"128", "--modify=form"}, false, false, true, false},
		{[]string{"128", "--modify=annotate"}, false, true, true, false},
		{[]string{"256", "--modify=all"}, true, true, true, true},
		{[]string{"256", "--modify=form"}, false, false, true, false},
	} {
		data := encrypt(t, secretDocument(), "", ownerPW, test.args...)
		f := openFile(t, data) // with the empty user password
		if f.Locked() != nil {
			t.Fatal(f.Locked())
		}
		p := f.Permissions()
		if p.Modify() != test.modify || p.Annotate() != test.annotate || p.FillFields() != test.fill || p.AddFields() != test.add {
			t.Errorf("%v: %v %v %v %v", test.args, p.Modify(), p.Annotate(), p.FillFields(), p.AddFields())
		}
		if p := openWith(t, data, ownerPW).Permissions(); !p.Modify() || !p.AddFields() {
			t.Errorf("%v: the owner may not", test.args)
		}
	}
	if !openFile(t, secretDocument()).Permissions().AddFields() {
		t.Error("a file that is not encrypted forbids something")
	}
}

// TestForgedSecurity changes one place of an encrypted file each time.
func TestForgedSecurity(t *testing.T) {
	t.Parallel()
	whole := map[string][]byte{}
	for _, c := range ciphers {
		whole[c.name] = encrypt(t, secretDocument(), "", ownerPW, c.args...)
	}
	for _, test := range []struct {
		name, old, new string
		kind           Kind
	}{
		{"aes-256", "/P -4", "/P -8", Malformed},
		{"aes-256-open-metadata", "/EncryptMetadata false", "/EncryptMetadata true ", Malformed},
		{"aes-256", "/V 5", "/V 6", Unsupported},
		{"aes-256", "/R 6", "/R 7", Unsupported},
		{"aes-256", "/StmF /StdCF", "/StmF /StdCG", Malformed},
		{"aes-256", "/CFM /AESV3", "/CFM /AESV2", Unsupported},
		{"aes-256", "/Perms", "/Porms", Malformed},
		{"rc4-128", "/Length 128", "/Length 129", Malformed},
		{"rc4-128", "/Length 128", "/Length 999", Malformed},
		{"rc4-128", "/P -4", "/P -8", Encrypted}, // /P is part of the key
		{"rc4-40", "/O ", "/X ", Malformed},
		{"rc4-40", "/Filter /Standard", "/Filter /Estandar", Unsupported},
		{"rc4-40", "/V 1", "/V 3", Unsupported},
	} {
		data := bytes.Replace(whole[test.name], []byte(test.old), []byte(test.new), 1)
		if bytes.Equal(data, whole[test.name]) || len(data) != len(whole[test.name]) {
			t.Fatalf("%s: %q is not there or has another length", test.name, test.old)
		}
		f, err := Open(bytes.NewReader(data), int64(len(data)), Limits{})
		if err == nil {
			err = f.Locked()
		}
		if KindOf(err) != test.kind {
			t.Errorf("%s with %s: %v (%s), want %s", test.name, test.new, err, KindOf(err), test.kind)
		}
	}
}

func TestDamagedCiphertext(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, 16)
	for _, n := range []int{1, 15, 16, 17, 31, 33, 48} {
		data := bytes.Repeat([]byte{9}, n)
		if _, err := openString(aesV2, key, data); err == nil {
			t.Errorf("%d bytes were decrypted", n)
		}
	}
	if out, err := openString(aesV2, key, nil); err != nil || len(out) != 0 {
		t.Errorf("no bytes: %q, %v", out, err)
	}
	s := &security{version: 4, revision: 4, key: key, strings: aesV2}
	for n := range 70 {
		plain := bytes.Repeat([]byte{'x'}, n)
		sealed, err := s.sealString(Ref{3, 0}, 1, plain)
		if err != nil || int64(len(sealed)) != sealedSize(aesV2, int64(n)) {
			t.Fatalf("%d bytes become %d, %v", n, len(sealed), err)
		}
		if got, err := openString(aesV2, s.keyFor(Ref{3, 0}, aesV2), sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %q, %v", n, got, err)
		}
	}
}

// TestOtherEncrypter reads what pdfcpu encrypts.
func TestOtherEncrypter(t *testing.T) {
	t.Parallel()
	api.DisableConfigDir()
	for _, test := range []struct {
		aes  bool
		bits int
	}{{false, 40}, {false, 128}, {true, 40}, {true, 128}, {true, 256}} {
		conf := model.NewRC4Configuration(userPW, ownerPW, test.bits)
		if test.aes {
			conf = model.NewAESConfiguration(userPW, ownerPW, test.bits)
		}
		var out bytes.Buffer
		if err := api.Encrypt(bytes.NewReader(readFile(t, documents+"contratto.pdf")), &out, conf); err != nil {
			t.Fatal(err)
		}
		for _, password := range []string{userPW, ownerPW} {
			if err := readAll(openWith(t, out.Bytes(), password)); err != nil {
				t.Errorf("%v with %s: %v", test, password, err)
			}
		}
	}
}

// TestPasswordsBeyondASCII: qpdf writes the password as UTF-8 from revision 5, and in PDFDocEncoding before.
func TestPasswordsBeyondASCII(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"perché", "€ 100", strings.Repeat("lunga", 9)} {
		for _, args := range [][]string{{"40"}, {"128", "--use-aes=y"}, {"256"}} {
			data := encrypt(t, secretDocument(), password, "altra", args...)
			openWith(t, data, password)
		}
	}
	if got := saslPrepared("\u2168a\u00ad\u3000b"); got != "IXa b" {
		t.Errorf("prepared: %q", got)
	}
}
