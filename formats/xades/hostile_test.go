package xades

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"sigillo/formats/ades"
)

// Every structural change of a signature in another packaging is refused, and
// for the right reason.
func TestPackagingsManipulated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "p256")
	parallel := string(w.sign(t, w.sign(t, []byte(`<a><pay to="Ada">10</pay></a>`), by, func(o *Options) { o.Parallel = true }), w.Signer(t, "p256"), func(o *Options) { o.Parallel = true }))
	filter := between(t, parallel, "<filter2:XPath", "</filter2:XPath>")
	enveloping := string(w.sign(t, []byte("pay Ada 10"), by, func(o *Options) { o.Packaging = Enveloping }))
	inner := enveloping[strings.LastIndex(enveloping, `-object">`) : strings.LastIndex(enveloping, "</ds:Object>")+len("</ds:Object>")]
	inside := string(w.sign(t, []byte(`<pay to="Ada">10</pay>`), by, func(o *Options) { o.Packaging = EnvelopingXML }))
	beside := string(w.sign(t, []byte(`<a><pay Id="x">10</pay></a>`), by, func(o *Options) { o.Packaging, o.Element = InternallyDetached, "x" }))
	wrapped := string(w.sign(t, []byte(`<internally-detached><pay Id="x">10</pay></internally-detached>`), by, func(o *Options) { o.Packaging, o.Element = InternallyDetached, "x" }))
	pay := between(t, beside, "<pay ", "</pay>")
	forged := strings.Replace(pay, "10", "99", 1)
	other := base64.StdEncoding.EncodeToString([]byte("pay Eva 99"))
	xpath := func(expression string) string {
		return swap(t, parallel, filter, strings.Replace(filter, "/descendant::ds:Signature", expression, 1))
	}
	fake := `<ds:Signature xmlns:ds="` + dsNamespace + `">`
	for _, c := range []struct {
		name, doc string
		kind      Kind // of the first signature
	}{
		{"as it was", parallel, ""},
		{"content changed", swap(t, parallel, ">10<", ">99<"), HashFailure},
		{"content beside the signatures", swap(t, parallel, "</pay>", "</pay><pay/>"), HashFailure},
		{"content in a signature that is none", swap(t, parallel, "<pay", fake+`<ds:Object><pay to="Eva">99</pay></ds:Object></ds:Signature><pay`), Malformed},
		{"content in an Object of a signature", swap(t, parallel, "<ds:Object>", "<ds:Object><pay/></ds:Object><ds:Object>"), Malformed},
		{"content in the Object of the properties", swap(t, parallel, "<ds:Object>", "<ds:Object><pay/>"), Malformed},
		{"all content in a signature", swap(t, parallel, `<pay to="Ada">10</pay>`, fake+`<ds:Object><pay to="Ada">10</pay></ds:Object></ds:Signature>`), Malformed},
		{"other expression", xpath("/descendant::*"), Unsupported},
		{"two expressions", xpath("/descendant::ds:Signature | //pay"), Unsupported},
		{"expression with a predicate", xpath("/descendant::ds:Signature[2]"), Unsupported},
		{"prefix of another namespace", swap(t, parallel, filter, strings.Replace(filter, " Filter", ` xmlns:ds="urn:x" Filter`, 1)), Unsupported},
		{"union instead of subtract", swap(t, parallel, `Filter="subtract"`, `Filter="union"`), Unsupported},
		{"filter twice", swap(t, parallel, filter, filter+filter), Unsupported},
		{"own signature only", xpath("here()/ancestor::ds:Signature[1]"), HashFailure},

		{"as it was", enveloping, ""},
		{"other content", swap(t, enveloping, inner, `-object">`+other+"</ds:Object>"), HashFailure},
		{"a second Object", swap(t, enveloping, "</ds:Object></ds:Signature>", "</ds:Object><ds:Object>"+other+"</ds:Object></ds:Signature>"), Malformed},
		{"a second Object with the same Id", swap(t, enveloping, "</ds:Object></ds:Signature>", "</ds:Object><ds:Object Id=\""+between(t, enveloping, "sig-", "\"")[:36]+"-object\">"+other+"</ds:Object></ds:Signature>"), Malformed},
		{"an element among the base64", swap(t, enveloping, inner, strings.Replace(inner, "</ds:Object>", "<x/></ds:Object>", 1)), Unsupported},
		{"base64 and canonicalisation", swap(t, enveloping, transformXML(base64Transform), transformXML(base64Transform)+transformXML("http://www.w3.org/2001/10/xml-exc-c14n#")), Unsupported},
		{"base64 that is none", swap(t, enveloping, inner, `-object">#</ds:Object>`), Malformed},
		{"wrapped in a document", "<a>" + strings.TrimPrefix(enveloping, xmlDeclaration) + "<pay>99</pay></a>", NotCovering},
		{"content before it", "<?xml-stylesheet href='x'?>" + strings.TrimPrefix(enveloping, xmlDeclaration), NotCovering},

		{"as it was", inside, ""},
		{"content changed", swap(t, inside, ">10<", ">99<"), HashFailure},
		{"content added", swap(t, inside, "<pay ", "<pay/><pay "), HashFailure},
		{"a namespace changed", swap(t, inside, "<pay ", `<pay xmlns="urn:x" `), HashFailure},

		{"as it was", beside, NotCovering},
		{"content changed", swap(t, beside, ">10<", ">99<"), HashFailure},
		{"moved away, forged in place", swap(t, beside, pay, forged+"<hidden>"+pay+"</hidden>"), Malformed},
		{"moved away, forged in place without Id", swap(t, beside, pay, strings.Replace(forged, ` Id="x"`, "", 1)+"<hidden>"+pay+"</hidden>"), NotCovering},
		{"moved away, forged in place with another kind of Id", swap(t, beside, pay, strings.Replace(forged, "Id", "xml:id", 1)+"<hidden>"+pay+"</hidden>"), Malformed},

		{"as it was", wrapped, ""},
		{"wrapper with another name", strings.ReplaceAll(wrapped, "internally-detached", "approved"), NotCovering},
		{"wrapper with an attribute", swap(t, wrapped, "<internally-detached>", "<internally-detached approved='yes'>"), NotCovering},
		{"wrapper with other content", swap(t, wrapped, "<pay", "<more/><pay"), NotCovering},
		{"wrapper with text", swap(t, wrapped, "<pay", "not <pay"), NotCovering},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sigs, err := Signatures([]byte(c.doc))
			if err != nil || len(sigs) == 0 {
				t.Fatalf("%d signatures, %v\n%s", len(sigs), err, c.doc)
			}
			if err := sigs[0].Verify(); KindOf(err) != c.kind {
				t.Errorf("got %v, want %q\n%s", err, c.kind, c.doc)
			}
		})
	}
}

// A fake signature among good ones is told, whatever the others say.
func TestFakeSignatureIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := string(w.sign(t, []byte("<a>1</a>"), w.Signer(t, "p256"), func(o *Options) { o.Parallel = true }))
	doc = swap(t, doc, "</a>", `<s:Signature xmlns:s="`+dsNamespace+`"><s:Object><a>2</a></s:Object></s:Signature></a>`)
	sigs, err := Signatures([]byte(doc))
	if err != nil || len(sigs) != 2 || sigs[0].Verify() != nil || KindOf(sigs[1].Verify()) != Malformed {
		t.Errorf("%d signatures, %v", len(sigs), err)
	}
}

// What a Manifest lists must be right too, and a Manifest does not hide among
// other references.
func TestManifest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "p256")
	o := w.options(by)
	files := map[string]string{"a.txt": "uno"}
	manifest := func(inner string) string {
		return `<ds:Object><ds:Manifest Id="m">` + inner + `</ds:Manifest></ds:Object>`
	}
	listed := `<ds:Reference URI="a.txt">` + digestXML(o.hash(), digestOf(o.hash(), []byte("uno"))) + `</ds:Reference>`
	make := func(object, kind string) []byte {
		p, err := PrepareDetached([]Object{{Name: "x", Digest: digestOf(o.hash(), form(t, openSignature("")+object+closeSignature, 3, "http://www.w3.org/2001/10/xml-exc-c14n#"))}}, o)
		if err != nil {
			t.Fatal(err)
		}
		p.SignedInfo = swap(t, p.SignedInfo, ` URI="x">`, kind+` URI="#m"><ds:Transforms>`+transformXML("http://www.w3.org/2001/10/xml-exc-c14n#")+`</ds:Transforms>`)
		p.After = ""
		return []byte(swap(t, string(finish(t, p, by, nil)), closeSignature, object+closeSignature))
	}
	find := func(name string) func() Files {
		return func() Files { return OneFile(strings.NewReader(files[name]), int64(len(files[name]))) }
	}("a.txt")
	is := ` Type="` + manifestType + `"`
	const exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
	object := `<ds:Object Id="o">uno</ds:Object>`
	internal := `<ds:Reference URI="#o"><ds:Transforms>` + transformXML(exclusive) + `</ds:Transforms>` +
		digestXML(o.hash(), digestOf(o.hash(), form(t, openSignature("")+object+closeSignature, 2, exclusive))) + `</ds:Reference>`
	for _, c := range []struct {
		name string
		doc  []byte
		kind Kind
	}{
		{"as it should be", make(manifest(listed), is), ""},
		{"of an Object beside it", make(manifest(internal)+object, is), ""},
		{"of an Object, with one more", make(manifest(internal)+object+strings.Replace(object, `"o"`, `"p"`, 1), is), Malformed},
		{"of an Object that was changed", make(manifest(internal)+strings.Replace(object, "uno", "due", 1), is), HashFailure},
		{"not said to be one", make(manifest(listed), ""), Malformed},
		{"lists itself", make(manifest(strings.Replace(listed, "a.txt", "#m", 1)), is), Malformed},
		{"lists a wrong digest", make(manifest(strings.Replace(listed, "sha256\"", "sha512\"", 1)), is), Malformed},
		{"lists another file", make(manifest(strings.Replace(listed, "a.txt", "b.txt", 1)+listed), is), ContentMissing},
		{"is not alone", make(strings.Replace(manifest(listed), "</ds:Object>", "<x/></ds:Object>", 1), is), Unsupported},
	} {
		sigs, err := Read(c.doc, find())
		if err != nil || len(sigs) != 1 {
			t.Fatal(err)
		}
		if err := sigs[0].Verify(); KindOf(err) != c.kind {
			t.Errorf("%s: got %v, want %q\n%s", c.name, err, c.kind, c.doc)
		}
	}
}

// A document cannot make the reader work for long, whatever it asks for.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "p256")
	big := "<a>" + strings.Repeat("<b><!-- comment that is in no form -->text</b>", 50_000) + "</a>" // 2 MB
	signed := string(w.raise(t, w.sign(t, []byte("<a/>"), by, nil), ades.BLTA, w.extension(t)))
	signature := between(t, signed, "<ds:Signature ", closeSignature)
	s := only(t, []byte(signed))
	var many strings.Builder
	for i := range maxSignatures {
		many.WriteString(strings.ReplaceAll(signature, s.ID, s.ID+strings.Repeat("x", i+1)))
	}
	doc := []byte(strings.TrimSuffix(big, "</a>") + many.String() + "</a>")
	sigs, err := Signatures(doc)
	if err != nil {
		t.Fatal(err)
	}
	limited := 0
	for i := range sigs {
		if KindOf(sigs[i].Verify()) == Limit {
			limited++
		}
		for _, stamp := range sigs[i].Stamps {
			_, err := stamp.Imprint(5) // SHA-256
			if KindOf(err) == Limit {
				limited++
			}
		}
	}
	if limited == 0 {
		t.Errorf("none of %d is refused", len(sigs))
	}
	if _, err := Signatures(bytes.Repeat([]byte("<a>"), 300)); KindOf(err) != Limit {
		t.Errorf("depth: %v", err)
	}
	if _, err := Signatures([]byte("<a>" + strings.Repeat(signature, maxSignatures+1) + "</a>")); KindOf(err) != Limit {
		t.Errorf("signatures: %v", err)
	}
}
