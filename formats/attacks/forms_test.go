package attacks

import (
	"bytes"
	"crypto"
	"strings"
	"sync"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/jades"
	"sigillo/formats/xades"
)

const (
	letter  = "Pagare a Ada 10 euro.\n"
	other   = "Pagare a Eva 99 euro.\n"
	invoice = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<fattura n="1"><a>Ada</a><importo valuta="EUR">10</importo><!-- nota --></fattura>`
	beside  = `<lettera><corpo Id="x">10</corpo></lettera>`
)

func in(s string) (*bytes.Reader, int64) { return bytes.NewReader([]byte(s)), int64(len(s)) }

func said1() ades.Properties {
	return ades.Properties{Commitments: []ades.Commitment{ades.ProofOfApproval}, ClaimedRoles: []string{"Sindaco"}}
}

func cadesOptions(by *cmstest.Identity) cades.Options {
	return cades.Options{Certificate: by.Certificate, Chain: by.Chain, Hash: by.Hash(), PSS: by.PSS, SigningTime: signedAt, Properties: said1()}
}

func signCAdES(t testing.TB, doc string, by *cmstest.Identity, change func(*cades.Options)) []byte {
	o := cadesOptions(by)
	if change != nil {
		change(&o)
	}
	r, n := in(doc)
	p, err := cades.Prepare(r, n, o)
	return assemble(t, p, err, []byte(doc), by)
}

func parallelCAdES(t testing.TB, file []byte, by *cmstest.Identity) []byte {
	p, err := cades.PrepareParallel(bytes.NewReader(file), int64(len(file)), cadesOptions(by))
	return assemble(t, p, err, file, by)
}

func counterCAdES(t testing.TB, file []byte, by *cmstest.Identity) []byte {
	p, err := cades.PrepareCounter(bytes.NewReader(file), int64(len(file)), []int{0}, cadesOptions(by))
	return assemble(t, p, err, file, by)
}

func signXAdES(t testing.TB, doc string, by *cmstest.Identity, change func(*xades.Options)) []byte {
	o := xades.Options{Certificate: by.Certificate, Chain: by.Chain, SigningTime: signedAt, Properties: said1()}
	if change != nil {
		change(&o)
	}
	r, n := in(doc)
	p, err := xades.Prepare(r, n, o)
	return assemble(t, p, err, []byte(doc), by)
}

func counterXAdES(t testing.TB, file []byte, by *cmstest.Identity) []byte {
	p, err := xades.PrepareCounter(bytes.NewReader(file), int64(len(file)), 0, xades.Options{Certificate: by.Certificate, Chain: by.Chain, SigningTime: signedAt})
	return assemble(t, p, err, file, by)
}

func jadesOptions(by *cmstest.Identity) jades.Options {
	return jades.Options{Certificate: by.Certificate, Chain: by.Chain, SigningTime: signedAt, Properties: said1()}
}

func signJAdES(t testing.TB, doc string, by *cmstest.Identity, change func(*jades.Options)) []byte {
	o := jadesOptions(by)
	if change != nil {
		change(&o)
	}
	r, n := in(doc)
	p, err := jades.Prepare(r, n, o)
	return assemble(t, p, err, []byte(doc), by)
}

// signASiC makes a container of documents, each a name and a text.
func signASiC(t testing.TB, docs []content, by *cmstest.Identity, typ asic.Type, form asic.Form) []byte {
	t.Helper()
	list := asicDocuments(docs)
	p, err := asic.Prepare(list, asic.Options{Certificate: by.Certificate, Chain: by.Chain, SigningTime: signedAt, Type: typ, Form: form, Properties: said1()})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, list, by.Sign(t, p), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func addASiC(t testing.TB, file []byte, by *cmstest.Identity, form asic.Form) []byte {
	t.Helper()
	p, err := asic.PrepareAdded(bytes.NewReader(file), int64(len(file)), asic.Options{Certificate: by.Certificate, Chain: by.Chain, SigningTime: signedAt, Form: form, Properties: said1()})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.AssembleAdded(&out, bytes.NewReader(file), int64(len(file)), by.Sign(t, p), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func asicDocuments(docs []content) (list []asic.Document) {
	for _, d := range docs {
		list = append(list, asic.Document{Name: d.name, MediaType: "text/plain", Reader: bytes.NewReader(d.data), Size: int64(len(d.data))})
	}
	return list
}

// stampASiC makes a container with a time-stamp and no signature.
func (w *party) stampASiC(t testing.TB, docs []content, typ asic.Type) []byte {
	t.Helper()
	list := asicDocuments(docs)
	s, err := asic.PrepareStamped(list, asic.StampOptions{Type: typ, Time: signedAt})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.AssembleNew(&out, list, w.tsu.Stamp(t, crypto.SHA256, s.Imprint, signedAt)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var allLevels = []ades.Level{ades.BB, ades.BT, ades.BLT, ades.BLTA}

// levels makes a fixture of each level.
func (w *party) levels(t testing.TB, base fixture, levels ...ades.Level) (out []*fixture) {
	t.Helper()
	for _, l := range levels {
		f := base
		f.name += " " + string(l)
		f.file = w.raise(t, base.file, base.contents, l)
		out = append(out, f.ready(t, w, l))
	}
	return out
}

// family makes the fixtures of a form once.
func family(make func(t testing.TB, w *party) []*fixture) func(t testing.TB) []*fixture {
	var once sync.Once
	var list []*fixture
	return func(t testing.TB) []*fixture {
		t.Helper()
		once.Do(func() { list = make(t, world(t)) })
		if list == nil {
			t.Fatal("the signed files could not be made")
		}
		return list
	}
}

var cadesFixtures = family(func(t testing.TB, w *party) (out []*fixture) {
	attached := func(name string, file []byte) fixture {
		return fixture{name: "CAdES " + name, form: "CAdES", file: file, shown: cmsContent, spans: cmsSpans}
	}
	out = w.levels(t, attached("attached", signCAdES(t, letter, w.ada, nil)), allLevels...)
	two := parallelCAdES(t, signCAdES(t, letter, w.ada, nil), w.eva)
	out = append(out, w.levels(t, attached("parallel", two), ades.BB, ades.BLTA)...)
	out = append(out, w.levels(t, attached("counter", counterCAdES(t, signCAdES(t, letter, w.ada, nil), w.eva)), ades.BB)...)
	out = append(out, w.levels(t, attached("nested", signCAdES(t, string(out[0].file), w.eva, nil)), ades.BB)...)
	for _, key := range []string{"rsa2048", "rsa2048-pss", "ed25519", "p521"} {
		out = append(out, w.levels(t, attached(key, signCAdES(t, letter, w.keyed(t, key), nil)), ades.BB)...)
	}
	beside := fixture{name: "CAdES detached", form: "CAdES", spans: cmsSpans, contents: []content{{"", []byte(letter)}},
		file: signCAdES(t, letter, w.ada, func(o *cades.Options) { o.Detached = true })}
	return append(out, w.levels(t, beside, ades.BB, ades.BLTA)...)
})

func (w *party) keyed(t testing.TB, key string) *cmstest.Identity {
	id := w.named(t, "Ida "+key, strings.TrimSuffix(key, "-pss"))
	id.PSS = strings.HasSuffix(key, "-pss")
	return id
}

var xadesFixtures = family(func(t testing.TB, w *party) (out []*fixture) {
	as := func(name, doc string, change func(*xades.Options)) fixture {
		return fixture{name: "XAdES " + name, form: "XAdES", file: signXAdES(t, doc, w.ada, change), shown: xmlContent, spans: xmlSpans}
	}
	enveloped := as("enveloped", invoice, nil)
	out = w.levels(t, enveloped, allLevels...)
	parallel := as("parallel", invoice, func(o *xades.Options) { o.Parallel = true })
	parallel.file = signXAdES(t, string(parallel.file), w.eva, func(o *xades.Options) { o.Parallel = true })
	out = append(out, w.levels(t, parallel, ades.BB, ades.BLTA)...)
	counter := enveloped
	counter.name, counter.file = "XAdES counter", counterXAdES(t, counter.file, w.eva)
	out = append(out, w.levels(t, counter, ades.BB)...)
	out = append(out, w.levels(t, as("enveloping", letter, func(o *xades.Options) { o.Packaging = xades.Enveloping }), ades.BB, ades.BLTA)...)
	out = append(out, w.levels(t, as("enveloping XML", invoice, func(o *xades.Options) { o.Packaging = xades.EnvelopingXML }), ades.BB)...)
	detached := as("detached", letter, func(o *xades.Options) { o.Packaging, o.Name = xades.Detached, "lettera.txt" })
	detached.contents = []content{{"lettera.txt", []byte(letter)}}
	out = append(out, w.levels(t, detached, ades.BB, ades.BLTA)...)
	inner := as("internally detached", `<internally-detached><corpo Id="x">10</corpo></internally-detached>`,
		func(o *xades.Options) { o.Packaging, o.Element = xades.InternallyDetached, "x" })
	return append(out, w.levels(t, inner, ades.BB)...)
})

var jadesFixtures = family(func(t testing.TB, w *party) (out []*fixture) {
	as := func(name string, change func(*jades.Options)) fixture {
		return fixture{name: "JAdES " + name, form: "JAdES", file: signJAdES(t, letter, w.ada, change), shown: jsonContent, spans: jsonSpans}
	}
	flat := as("flattened", nil)
	out = w.levels(t, flat, allLevels...)
	out = append(out, w.levels(t, as("compact", func(o *jades.Options) { o.Serialization = jades.Compact }), ades.BB)...)
	general := as("general", func(o *jades.Options) { o.Serialization = jades.General })
	p, err := jades.PrepareParallel(bytes.NewReader(general.file), int64(len(general.file)), nil, jadesOptions(w.eva))
	general.file = assemble(t, p, err, general.file, w.eva)
	out = append(out, w.levels(t, general, ades.BB, ades.BLTA)...)
	counter := flat
	counter.name = "JAdES counter"
	p, err = jades.PrepareCounter(bytes.NewReader(flat.file), int64(len(flat.file)), 0, jadesOptions(w.eva))
	counter.file = assemble(t, p, err, flat.file, w.eva)
	out = append(out, w.levels(t, counter, ades.BB)...)
	for _, plain := range []bool{false, true} {
		name := map[bool]string{false: "detached", true: "detached, unencoded"}[plain]
		detached := as(name, func(o *jades.Options) {
			o.Packaging, o.Name, o.Unencoded = jades.Detached, "lettera.txt", plain
		})
		detached.contents, detached.shown = []content{{"lettera.txt", []byte(letter)}}, nil
		out = append(out, w.levels(t, detached, ades.BB, ades.BLTA)...)
	}
	return out
})

var twoDocuments = []content{{"lettera.txt", []byte(letter)}, {"allegati/nota.txt", []byte("Una nota.")}}

var asicFixtures = family(func(t testing.TB, w *party) (out []*fixture) {
	as := func(name string, file []byte) fixture {
		return fixture{name: name, form: "ASiC", file: file, shown: zipContent, spans: zipSpans}
	}
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		one := as("ASiC-S "+string(form), signASiC(t, twoDocuments[:1], w.ada, asic.Simple, form))
		if form == asic.CAdES {
			one.shown = zipUnnamed
		}
		out = append(out, w.levels(t, one, ades.BB, ades.BLTA)...)
		all := as("ASiC-E "+string(form), signASiC(t, twoDocuments, w.ada, asic.Extended, form))
		out = append(out, w.levels(t, all, ades.BB, ades.BLT, ades.BLTA)...)
		all.name, all.file = all.name+" twice", addASiC(t, all.file, w.eva, form)
		out = append(out, w.levels(t, all, ades.BB)...)
	}
	simple := as("ASiC-S time-stamp", w.stampASiC(t, twoDocuments[:1], asic.Simple))
	simple.shown = zipUnnamed
	extended := as("ASiC-E time-stamp", w.stampASiC(t, twoDocuments, asic.Extended))
	return append(out, simple.ready(t, w, ""), extended.ready(t, w, ""))
})

var tokenFixtures = family(func(t testing.TB, w *party) (out []*fixture) {
	token := w.tsu.Stamp(t, crypto.SHA256, sum(letter), signedAt)
	for name, file := range map[string][]byte{"token": token, "response": cms.MarshalResponse(token)} {
		f := &fixture{name: "time-stamp " + name, form: "time-stamp", file: file, contents: []content{{"", []byte(letter)}}, spans: cmsSpans}
		out = append(out, f.ready(t, w, ""))
	}
	return out
})
