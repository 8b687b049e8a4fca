package xades

import (
	"bytes"
	"crypto"
	"strings"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// old makes a signature as programs of the older versions of XAdES did, with a
// signature time-stamp of that version.
func old(t *testing.T, w world, space string) []byte {
	t.Helper()
	by := w.Signer(t, "p256")
	doc := "<a>testo</a>"
	p, err := Prepare(strings.NewReader(doc), int64(len(doc)), w.options(by))
	if err != nil {
		t.Fatal(err)
	}
	before, err := canonical(p.objectXML(""), "SignedProperties")
	if err != nil {
		t.Fatal(err)
	}
	object := strings.ReplaceAll(p.objectXML(""), xadesNamespace, space)
	object = strings.ReplaceAll(object, "SigningCertificateV2", "SigningCertificate")
	object = swap(t, object, between(t, object, "<xades:IssuerSerialV2>", "</xades:IssuerSerialV2>"),
		"<xades:IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>"+by.Certificate.SerialNumber.String()+"</ds:X509SerialNumber></xades:IssuerSerial>")
	if space == xades111Namespace {
		digest := between(t, object, "<xades:CertDigest>", "</xades:CertDigest>")
		object = swap(t, object, digest, strings.NewReplacer("<ds:", "<xades:", "</ds:", "</xades:").Replace(digest))
	}
	after, err := canonical(object, "SignedProperties")
	if err != nil {
		t.Fatal(err)
	}
	p.SignedInfo = swap(t, p.SignedInfo, b64(before), b64(after))
	p.SignedInfo = swap(t, p.SignedInfo, signedPropertiesType, map[bool]string{true: signedPropertiesType, false: space + "SignedProperties"}[space == xadesNamespace])
	value, err := p.valueXML(by.Sign(t, p))
	if err != nil {
		t.Fatal(err)
	}
	imprint := form(t, openSignature("")+value+closeSignature, 2, c14n.C14N10)
	token := encode(w.tsu.Stamp(t, crypto.SHA256, digestOf(crypto.SHA256, imprint), w.now))
	include := map[string]string{
		xades111Namespace: `<xades:HashDataInfo uri="#` + p.ID + `-value"/>`,
		xades122Namespace: `<xades:Include URI="#` + p.ID + `-value"/>`,
	}[space]
	unsigned := "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>" + include +
		"<xades:EncapsulatedTimeStamp>" + token + "</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>" +
		"<xades:ArchiveTimeStamp><xades:EncapsulatedTimeStamp>" + token + "</xades:EncapsulatedTimeStamp></xades:ArchiveTimeStamp>" +
		"</xades:UnsignedSignatureProperties></xades:UnsignedProperties></xades:QualifyingProperties>"
	signature := openSignature(p.ID) + p.SignedInfo + value + p.KeyInfo + swap(t, object, "</xades:QualifyingProperties>", unsigned) + closeSignature
	return []byte("<a>testo" + signature + "</a>")
}

// Signatures of older versions are read, called what they are, and left alone.
func TestOldVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, space := range []string{xades111Namespace, xades122Namespace, xadesNamespace} {
		doc := old(t, w, space)
		s := only(t, doc)
		if err := s.Verify(); err != nil {
			t.Fatalf("%s: %v\n%s", space, err, doc)
		}
		if s.Certificate == nil || s.SigningTime.IsZero() || len(s.missing) == 0 {
			t.Errorf("read %+v", s)
		}
		if len(s.Stamps) != 2 {
			t.Fatalf("%d stamps", len(s.Stamps))
		}
		token, err := cms.ParseToken(s.Stamps[0].DER)
		if err != nil {
			t.Fatal(err)
		}
		if imprint, err := s.Stamps[0].Imprint(crypto.SHA256); err != nil || !bytes.Equal(imprint, token.Info.Imprint) {
			t.Errorf("%s: the signature time-stamp is of something else: %v", space, err)
		}
		if _, err := s.Stamps[1].Imprint(crypto.SHA256); s.Stamps[1].Kind != ades.ArchiveStamp || KindOf(err) != Unsupported {
			t.Errorf("%s: the archive time-stamp: %v", space, err)
		}
		_, err = PrepareArchive(bytes.NewReader(doc), int64(len(doc)), w.extension(t))
		if want := map[bool]Kind{true: "", false: Unsupported}[space == xadesNamespace]; KindOf(err) != want {
			t.Errorf("%s: raised: %v", space, err)
		}
	}
}

// A signature written by others is raised with whatever prefixes it has, and
// wherever its unsigned properties are missing.
func TestForeignForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := string(w.sign(t, []byte("<a>testo</a>"), w.Signer(t, "p256"), nil))
	stamped := string(w.raise(t, []byte(doc), ades.BT, w.extension(t)))
	unsigned := between(t, stamped, "<xades:UnsignedProperties>", "</xades:UnsignedProperties>")
	qualifying := "</xades:QualifyingProperties>"
	for name, c := range map[string]string{
		"nothing":          doc,
		"empty properties": swap(t, doc, qualifying, "<xades:UnsignedProperties/>"+qualifying),
		"empty inner":      swap(t, doc, qualifying, "<x:UnsignedProperties xmlns:x='"+xadesNamespace+"'><x:UnsignedSignatureProperties /></x:UnsignedProperties>"+qualifying),
		"data properties":  swap(t, doc, qualifying, "<xades:UnsignedProperties><xades:UnsignedDataObjectProperties/></xades:UnsignedProperties>"+qualifying),
		"other prefixes":   swap(t, doc, qualifying, "<UnsignedProperties xmlns='"+xadesNamespace+"' xmlns:xades='urn:other' xmlns:ds='urn:other' xmlns:xades141='urn:other'><UnsignedSignatureProperties></UnsignedSignatureProperties></UnsignedProperties>"+qualifying),
		"stamped":          swap(t, doc, qualifying, unsigned+qualifying),
		"indented":         swap(t, doc, qualifying, strings.ReplaceAll(unsigned, "><", ">\n  <")+qualifying),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raised := w.raise(t, []byte(c), ades.BLTA, w.extension(t))
			keep(t, w, "doc.xml", raised)
			good(t, raised, nil)
			if !hasParts(raised, []byte(c)) && !strings.HasPrefix(name, "empty") {
				t.Error("other bytes changed")
			}
		})
	}
}

// A broken signature is not raised, and neither is what somebody changed since.
func TestRaisingRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := w.sign(t, []byte("<a>testo</a>"), w.Signer(t, "p256"), nil)
	broken := bytes.Replace(doc, []byte("testo"), []byte("resto"), 1)
	e := w.extension(t)
	with := func(change func(*ades.Extension)) ades.Extension { o := e; change(&o); return o }
	for name, c := range map[string]struct {
		doc  []byte
		e    ades.Extension
		kind Kind
	}{
		"broken":          {broken, e, HashFailure},
		"unsigned":        {[]byte("<a/>"), e, BadOptions},
		"no such":         {doc, with(func(e *ades.Extension) { e.Signatures = []int{1} }), BadOptions},
		"twice":           {doc, with(func(e *ades.Extension) { e.Signatures = []int{0, 0} }), BadOptions},
		"SHA-1":           {doc, with(func(e *ades.Extension) { e.Hash = crypto.SHA1 }), BadOptions},
		"no XAdES at all": {[]byte("<a>" + openSignature("x") + "</ds:Signature></a>"), e, Malformed},
	} {
		if _, err := PrepareTimestamp(bytes.NewReader(c.doc), int64(len(c.doc)), c.e); KindOf(err) != c.kind {
			t.Errorf("%s: got %v", name, err)
		}
	}
	s, err := PrepareTimestamp(bytes.NewReader(doc), int64(len(doc)), e)
	if err != nil {
		t.Fatal(err)
	}
	token := w.tsu.Stamp(t, crypto.SHA256, s.Imprints()[0], w.now)
	wrong := w.tsu.Stamp(t, crypto.SHA256, make([]byte, 32), w.now)
	damaged := *s
	damaged.Insertions = []insertion{{At: 1 << 40, Token: true}}
	for name, c := range map[string]struct {
		s      *Stamping
		doc    []byte
		tokens [][]byte
		kind   Kind
	}{
		"another document": {s, broken, [][]byte{token}, Changed},
		"no token":         {s, doc, nil, BadOptions},
		"two tokens":       {s, doc, [][]byte{token, token}, BadOptions},
		"other token":      {s, doc, [][]byte{wrong}, BadOptions},
		"no token at all":  {s, doc, [][]byte{{0}}, BadOptions},
		"damaged":          {&damaged, doc, [][]byte{token}, Malformed},
	} {
		var out bytes.Buffer
		if err := c.s.Assemble(&out, bytes.NewReader(c.doc), int64(len(c.doc)), c.tokens); KindOf(err) != c.kind || out.Len() > 0 {
			t.Errorf("%s: got %v, %d bytes", name, err, out.Len())
		}
	}
}
