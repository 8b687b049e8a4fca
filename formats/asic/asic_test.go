package asic_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

var keyTypes = []string{"p256", "p384", "p521", "rsa2048", "rsa3072", "rsa2048-pss", "ed25519"}

func document(name, text string) asic.Document {
	return asic.Document{Name: name, MediaType: "text/plain", Reader: strings.NewReader(text), Size: int64(len(text))}
}

var (
	one     = []asic.Document{document("dichiarazione.txt", strings.Repeat("Il sottoscritto dichiara.\n", 50))}
	several = []asic.Document{one[0], document("allegati/perizia & c.txt", "Perizia"), document("Città.txt", "Forlì")}
)

func options(id *cmstest.Identity, form asic.Form, typ asic.Type) asic.Options {
	return asic.Options{Certificate: id.Certificate, Chain: id.Chain, PSS: id.PSS, SigningTime: time.Now(), Form: form, Type: typ}
}

func roundTrip(t testing.TB, from, to any) {
	t.Helper()
	stored, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(stored, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// value signs what was prepared and stamps it if it has to be.
func value(t testing.TB, pki *cmstest.PKI, id *cmstest.Identity, p *asic.Prepared, stamped bool) (sig, token []byte) {
	t.Helper()
	sig, err := id.Key.Sign(rand.Reader, p.Algorithm().Input(p.DTBS()), p.Algorithm().SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	if stamped {
		imprint, err := p.StampDigest(sig, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		token = pki.TSU(t, "p256").Stamp(t, crypto.SHA256, imprint, time.Now())
	}
	return sig, token
}

// sign makes a container, through JSON as if another process finished it.
func sign(t testing.TB, pki *cmstest.PKI, id *cmstest.Identity, docs []asic.Document, o asic.Options) []byte {
	t.Helper()
	first, err := asic.Prepare(docs, o)
	if err != nil {
		t.Fatal(err)
	}
	var p asic.Prepared
	roundTrip(t, first, &p)
	sig, token := value(t, pki, id, &p, o.Timestamp > 0)
	var out bytes.Buffer
	if err := p.Assemble(&out, docs, sig, token); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// add adds a signature to a container.
func add(t testing.TB, pki *cmstest.PKI, id *cmstest.Identity, file []byte, o asic.Options) []byte {
	t.Helper()
	first, err := asic.PrepareAdded(bytes.NewReader(file), int64(len(file)), o)
	if err != nil {
		t.Fatal(err)
	}
	var p asic.Prepared
	roundTrip(t, first, &p)
	sig, token := value(t, pki, id, &p, o.Timestamp > 0)
	var out bytes.Buffer
	if err := p.AssembleAdded(&out, bytes.NewReader(file), int64(len(file)), sig, token); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func stamped(t testing.TB, pki *cmstest.PKI, first *asic.Stamping, err error, file []byte) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var s asic.Stamping
	roundTrip(t, first, &s)
	var tokens [][]byte
	for _, imprint := range s.Imprints() {
		tokens = append(tokens, pki.TSU(t, "p256").Stamp(t, s.HashAlgorithm(), imprint, time.Now()))
	}
	var out bytes.Buffer
	if err := s.Assemble(&out, bytes.NewReader(file), int64(len(file)), tokens); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func archived(t testing.TB, pki *cmstest.PKI, file []byte) []byte {
	t.Helper()
	s, err := asic.PrepareArchive(bytes.NewReader(file), int64(len(file)), ades.Extension{Evidence: pki.Evidence(t, time.Now())})
	return stamped(t, pki, s, err, file)
}

// raise takes a container to a level.
func raise(t testing.TB, pki *cmstest.PKI, file []byte, to ades.Level) []byte {
	t.Helper()
	e := ades.Extension{Evidence: pki.Evidence(t, time.Now())}
	if to.AtLeast(ades.BT) {
		s, err := asic.PrepareTimestamp(bytes.NewReader(file), int64(len(file)), e)
		file = stamped(t, pki, s, err, file)
	}
	if to.AtLeast(ades.BLT) {
		var out bytes.Buffer
		if err := asic.AddEvidence(&out, bytes.NewReader(file), int64(len(file)), e); err != nil {
			t.Fatal(err)
		}
		file = out.Bytes()
	}
	if to.AtLeast(ades.BLTA) {
		file = archived(t, pki, file)
	}
	return file
}

func open(t testing.TB, file []byte) *asic.Container {
	t.Helper()
	c, err := asic.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check verifies everything in a container.
func check(t testing.TB, file []byte, level ades.Level, docs []asic.Document) *asic.Container {
	t.Helper()
	c := open(t, file)
	for _, s := range c.Signatures() {
		if err := s.Verify(); err != nil {
			t.Fatalf("%s: %v", s.File, err)
		}
		if missing := s.Missing(level); len(missing) > 0 {
			t.Fatalf("%s lacks %q for %s", s.File, missing, level)
		}
		if !s.CoversAll() {
			t.Fatalf("%s does not cover all documents", s.File)
		}
		checkStamps(t, s.Stamps())
	}
	for _, s := range c.Stamps() {
		if err := s.Verify(); err != nil {
			t.Fatalf("%s: %v", s.File, err)
		}
	}
	if u := c.Uncovered(); len(u) > 0 || len(c.Irregular) > 0 {
		t.Fatalf("not covered are %q, irregular is %q", u, c.Irregular)
	}
	for i, d := range c.Documents {
		want, _ := io.ReadAll(io.NewSectionReader(docs[i].Reader, 0, docs[i].Size))
		got, err := io.ReadAll(d.Open())
		if err != nil || d.Name != docs[i].Name || !bytes.Equal(got, want) {
			t.Fatalf("document %d came out as %q, %d octets, %v", i, d.Name, len(got), err)
		}
	}
	return c
}

func checkStamps(t testing.TB, stamps []ades.Stamp) {
	t.Helper()
	for _, stamp := range stamps {
		token, err := cms.ParseToken(stamp.DER)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.Verify(stamp.Imprint); err != nil {
			t.Fatalf("%s: %v", stamp.Kind, err)
		}
	}
}

// Every key, type, form and level comes back as what was asked for, and unzip
// agrees that it is a ZIP file.
func TestEveryContainer(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, key := range keyTypes {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			id := pki.Signer(t, key)
			for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
				for typ, docs := range map[asic.Type][]asic.Document{asic.Simple: one, asic.Extended: several} {
					file := sign(t, pki, id, docs, options(id, form, typ))
					for _, level := range []ades.Level{ades.BB, ades.BT, ades.BLT, ades.BLTA} {
						raised := raise(t, pki, file, level)
						c := check(t, raised, level, docs)
						if c.Type != typ || len(c.Signatures()) != 1 || c.Signatures()[0].Form != form ||
							!c.Signatures()[0].Certificate().Equal(id.Certificate) {
							t.Fatalf("%s %s %s: read back wrong", form, typ, level)
						}
						if level == ades.BLTA && key == "p256" {
							unzip(t, raised)
						}
					}
				}
			}
		})
	}
}

func unzip(t *testing.T, file []byte) {
	t.Helper()
	path, err := exec.LookPath("unzip")
	if err != nil {
		t.Skip("unzip is not installed")
	}
	name := filepath.Join(t.TempDir(), "c.asice")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "-t", name).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("No errors detected")) {
		t.Fatalf("unzip refused the container: %v\n%s", err, out)
	}
	if !bytes.Equal(file[30:38], []byte("mimetype")) || !bytes.HasPrefix(file[38:], []byte("application/vnd.etsi.asic-")) {
		t.Fatal("the first octets do not tell the type of the file")
	}
}

func TestFurtherSignatures(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	a, b := pki.Signer(t, "p256"), pki.Signer(t, "rsa2048")
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		for typ, docs := range map[asic.Type][]asic.Document{asic.Simple: one, asic.Extended: several} {
			o := options(a, form, typ)
			o.Timestamp, o.Comment = 8000, true
			file := sign(t, pki, a, docs, o)
			o = options(b, "", "")
			o.Timestamp = 8000
			file = add(t, pki, b, file, o)
			c := check(t, file, ades.BT, docs)
			if len(c.Signatures()) != 2 || !strings.HasPrefix(c.Comment, "mimetype=application/vnd.etsi.asic-") {
				t.Fatalf("%s %s: there are %d signatures, the comment is %q", form, typ, len(c.Signatures()), c.Comment)
			}
			e := ades.Extension{Evidence: pki.Evidence(t, time.Now())}
			var out bytes.Buffer
			if err := asic.AddEvidence(&out, bytes.NewReader(file), int64(len(file)), e); err != nil {
				t.Fatal(err)
			}
			check(t, archived(t, pki, out.Bytes()), ades.BLTA, docs)
		}
	}
}

// Signatures of several levels in one container are raised from where they are.
func TestMixedLevels(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		o := options(id, form, asic.Extended)
		o.Timestamp = 8000
		file := raise(t, pki, add(t, pki, id, sign(t, pki, id, several, o), options(id, "", "")), ades.BLTA)
		for _, s := range check(t, file, ades.BLTA, several).Signatures() {
			if n := len(s.Stamps()); n != 2 {
				t.Fatalf("%s: %s has %d time-stamps", form, s.File, n)
			}
		}
		if form == asic.XAdES {
			continue
		}
		file = raise(t, pki, add(t, pki, id, file, options(id, "", "")), ades.BLTA)
		if n := len(check(t, file, ades.BLTA, several).Signatures()[2].Stamps()); n != 2 {
			t.Fatalf("the third signature has %d time-stamps", n)
		}
	}
}

// A container can be renewed, and a further signature of an ASiC-E comes under the
// next archive time-stamp.
func TestRenewal(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		for typ, docs := range map[asic.Type][]asic.Document{asic.Simple: one, asic.Extended: several} {
			file := raise(t, pki, sign(t, pki, id, docs, options(id, form, typ)), ades.BLTA)
			for range 2 {
				file = archived(t, pki, file)
				check(t, file, ades.BLTA, docs)
			}
			stamps := open(t, file).Signatures()[0].Stamps()
			if n := len(stamps); n != 4 || len(stamps[3].Covers) <= len(stamps[2].Covers) {
				t.Fatalf("%s %s: after two renewals there are %d time-stamps", form, typ, n)
			}
			if form == asic.CAdES && typ == asic.Extended {
				o := options(id, "", "")
				o.Timestamp = 8000
				file = archived(t, pki, add(t, pki, id, file, o))
				if c := check(t, file, ades.BLTA, docs); len(c.Signatures()) != 2 || len(c.Stamps()) != 4 {
					t.Fatalf("there are %d signatures and %d time-stamps", len(c.Signatures()), len(c.Stamps()))
				}
			}
		}
	}
}

func TestStampsOnly(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for typ, docs := range map[asic.Type][]asic.Document{asic.Simple: one, asic.Extended: several} {
		file := stampOnly(t, pki, typ, docs)
		c := check(t, file, "", docs)
		if len(c.Signatures()) != 0 || len(c.Stamps()) != 1 || c.Type != typ || c.Stamps()[0].Stamp.Kind != ades.DocumentStamp {
			t.Fatalf("%s: read back wrong", typ)
		}
		for range 2 {
			file = archived(t, pki, file)
			c = check(t, file, "", docs)
		}
		if n := len(c.Stamps()); n != 3 || len(c.Stamps()[2].Stamp.Covers) == 0 {
			t.Fatalf("%s: after two renewals there are %d time-stamps", typ, n)
		}
	}
}

func stampOnly(t testing.TB, pki *cmstest.PKI, typ asic.Type, docs []asic.Document) []byte {
	t.Helper()
	first, err := asic.PrepareStamped(docs, asic.StampOptions{Type: typ})
	if err != nil {
		t.Fatal(err)
	}
	var s asic.Stamping
	roundTrip(t, first, &s)
	token := pki.TSU(t, "p256").Stamp(t, s.HashAlgorithm(), s.Imprints()[0], time.Now())
	var out bytes.Buffer
	if err := s.AssembleNew(&out, docs, token); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestProperties(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		o := options(id, form, asic.Extended)
		o.Properties = ades.Properties{Commitments: []ades.Commitment{ades.ProofOfApproval}, ClaimedRoles: []string{"Sindaco"}, Place: &ades.Place{City: "Forlì"}}
		s := check(t, sign(t, pki, id, several, o), ades.BB, several).Signatures()[0]
		var got ades.Properties
		var err error
		if form == asic.CAdES {
			got, err = s.Signer.Properties()
		} else {
			got = s.XML.Properties
		}
		a, _ := json.Marshal(o.Properties)
		b, _ := json.Marshal(got)
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("%s: the properties came back as %s, %v", form, b, err)
		}
		if time.Since(s.SigningTime()).Abs() > time.Minute {
			t.Fatalf("%s: the signing time is %v", form, s.SigningTime())
		}
	}
}

// TestContentStamps: time-stamps of what will be signed, made before.
func TestContentStamps(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	for name, c := range map[string]struct {
		docs []asic.Document
		o    asic.Options
	}{
		"S, CAdES": {one, options(id, asic.CAdES, asic.Simple)},
		"S, XAdES": {one, options(id, asic.XAdES, asic.Simple)},
		"E, CAdES": {several, options(id, asic.CAdES, asic.Extended)},
		"E, XAdES": {several, options(id, asic.XAdES, asic.Extended)},
	} {
		for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA512} {
			imprint, err := asic.ContentImprint(c.docs, c.o, h)
			if err != nil {
				t.Fatalf("%s, %v: %v", name, h, err)
			}
			c.o.Properties.ContentStamps = append(c.o.Properties.ContentStamps, tsu.Stamp(t, h, imprint, time.Now()))
		}
		stamps := check(t, sign(t, pki, id, c.docs, c.o), ades.BB, c.docs).Signatures()[0].Stamps()
		if len(stamps) != 2 || stamps[0].Kind != ades.ContentStamp || stamps[1].Kind != ades.ContentStamp {
			t.Errorf("%s: %v", name, stamps)
		}
		checkStamps(t, stamps)
		if _, err := asic.ContentImprint(c.docs, c.o, crypto.MD5); err == nil {
			t.Errorf("%s: MD5 was accepted", name)
		}
	}
}
