package attacks

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/extend"
	"sigillo/formats/validate"
)

// The day of the tests: everything was signed and stamped an hour ago, the lists
// came out after it.
var (
	now      = time.Now().UTC().Truncate(time.Second)
	signedAt = now.Add(-time.Hour)
	listedAt = now.Add(-30 * time.Minute)
)

// party is the world in which the signatures are made: Ada and Eva sign, a third
// person has a certificate of an authority that nobody trusts.
type party struct {
	*cmstest.PKI
	stranger         *cmstest.PKI
	ada, eva, nobody *cmstest.Identity
	tsu, strangeTSU  *cmstest.Identity
	online, offline  *validate.Validator
}

var (
	worldOnce sync.Once
	theWorld  *party
)

func world(t testing.TB) *party {
	worldOnce.Do(func() {
		w := &party{PKI: cmstest.New(t), stranger: cmstest.New(t)}
		w.ada, w.tsu = w.Signer(t, "p256"), w.TSU(t, "p256")
		w.eva = w.named(t, "Eva Altra", "p256")
		w.nobody, w.strangeTSU = w.stranger.Signer(t, "p256"), w.stranger.TSU(t, "p256")
		w.online = newValidator(t, w.options(t))
		w.offline = newValidator(t, validate.Options{Anchors: []*x509.Certificate{w.Root}})
		theWorld = w
	})
	return theWorld
}

// named makes another signer.
func (w *party) named(t testing.TB, name, key string) *cmstest.Identity {
	return w.Identity(t, cmstest.Key(t, key), &x509.Certificate{
		Subject: pkix.Name{Country: []string{"IT"}, CommonName: name}, KeyUsage: x509.KeyUsageContentCommitment})
}

// options are those of somebody who trusts the root and has the current lists.
func (w *party) options(t testing.TB, entries ...cmstest.Revoked) validate.Options {
	return validate.Options{Anchors: []*x509.Certificate{w.Root}, CRLs: w.Evidence(t, listedAt, entries...).CRLs}
}

func newValidator(t testing.TB, o validate.Options) *validate.Validator {
	t.Helper()
	v, err := validate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// content is a document beside its signature.
type content struct {
	name string
	data []byte
}

// fixture is a valid signed file.
type fixture struct {
	name     string
	form     string // of the table harmless
	file     []byte
	contents []content
	// shown gives what somebody who opens the file takes for signed.
	shown func(file []byte) (string, error)
	want  []string // what it may show: the file as it is, and as it was in earlier revisions
	// spans name the parts of the file.
	spans     func(file []byte) []span
	validator *validate.Validator
	report    validate.Report // of the file as it is
	// rebuild, for what is inside of another file: puts a changed file back.
	rebuild func(file []byte) []byte
	// known are signatures that others made in truth, with what they are over.
	known map[string]bool
}

func (f *fixture) document(file []byte, contents []content) validate.Document {
	d := validate.Document{Data: bytes.NewReader(file), Size: int64(len(file)), Name: "file", Time: now}
	for _, c := range contents {
		d.Contents = append(d.Contents, validate.Content{Name: c.name, Data: bytes.NewReader(c.data), Size: int64(len(c.data))})
	}
	return d
}

// prepared is what all forms have in common.
type prepared interface {
	DTBSR() []byte
	DTBS() []byte
	Algorithm() cms.Algorithm
	Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error
}

// assemble signs what was prepared.
func assemble(t testing.TB, p prepared, err error, doc []byte, by *cmstest.Identity) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	input := p.DTBSR()
	if p.Algorithm().Scheme == cms.Ed25519 {
		input = p.DTBS()
	}
	value, err := by.Key.Sign(rand.Reader, input, p.Algorithm().SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), value, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// raise brings the signatures of a file to a level. Each time-stamp is a minute
// younger than the one before.
func (w *party) raise(t testing.TB, file []byte, contents []content, level ades.Level) []byte {
	t.Helper()
	if !level.AtLeast(ades.BT) {
		return file
	}
	minutes := 0
	o := extend.Options{Level: level, Validator: w.online, Now: func() time.Time { return now },
		Stamp: func(_ context.Context, h crypto.Hash, digest []byte) ([]byte, error) {
			minutes++
			at := signedAt.Add(time.Duration(minutes) * time.Minute)
			if minutes > 1 || level == ades.BLTA && minutes > 1 {
				at = listedAt.Add(time.Duration(minutes) * time.Minute)
			}
			return w.tsu.Stamp(t, h, digest, at), nil
		}}
	var out bytes.Buffer
	if err := extend.Extend(t.Context(), &out, (&fixture{}).document(file, contents), o); err != nil {
		t.Fatalf("to %s: %v", level, err)
	}
	return out.Bytes()
}

// ready validates a fixture as it is: what does not pass cannot be attacked.
func (f *fixture) ready(t testing.TB, w *party, level ades.Level) *fixture {
	t.Helper()
	f.validator = w.online
	if level.AtLeast(ades.BLT) {
		f.validator = w.offline
	}
	if f.shown == nil {
		f.shown = func([]byte) (string, error) { return "", nil }
	}
	r, err := f.validator.Validate(t.Context(), f.document(f.file, f.contents))
	if err != nil || r.Indication != validate.TotalPassed {
		t.Fatalf("%s: %v\n%s", f.name, err, r.Text("en"))
	}
	if level != "" && r.Signatures[0].Level != string(level) {
		t.Fatalf("%s: level %q, want %q", f.name, r.Signatures[0].Level, level)
	}
	f.report = r
	s, err := f.shown(f.file)
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	f.want = append(f.want, s)
	return f
}

// foreign reports whether the other fixture is not the same signature at another
// level, from which time-stamps may well be taken.
func (f *fixture) foreign(g *fixture) bool {
	name := func(f *fixture) string { base, _, _ := strings.Cut(f.name, " B-"); return base }
	return name(f) != name(g)
}

// know tells of genuine signatures that mutants are made with. One of them may
// pass where it is over the same document.
func (f *fixture) know(t testing.TB, fixtures []*fixture, donors map[string][]byte) {
	t.Helper()
	f.known = map[string]bool{}
	tell := func(file []byte, contents []content) {
		r, err := world(t).online.Validate(t.Context(), f.document(file, contents))
		shown, unread := f.shown(file)
		if err != nil || unread != nil {
			return
		}
		if f.form == "ASiC" && within(shown, f.want[0]) { // documents of a container can be signed one by one
			shown = f.want[0]
		}
		for _, s := range r.Signatures {
			if s.Indication == validate.TotalPassed {
				f.known[said(s)+shown] = true
			}
		}
	}
	for _, g := range fixtures {
		if !f.foreign(g) {
			continue
		}
		tell(g.file, g.contents)
	}
	for _, d := range donors {
		tell(d, nil)
		tell(d, f.contents)
	}
}

// within reports whether all lines of a are lines of b.
func within(a, b string) bool {
	for line := range strings.Lines(a) {
		if !strings.Contains(b, line) {
			return false
		}
	}
	return true
}
