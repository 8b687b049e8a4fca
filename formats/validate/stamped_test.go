package validate

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/ers"
	"sigillo/formats/tsd"
)

// keeping is a way to keep time-stamps with, or beside, a document.
type keeping struct {
	form, format string
	apart        bool // the document is not in the file
	make         func(t testing.TB, doc []byte, tsu *party, at time.Time) []byte
	// renew puts a time-stamp over the newest, with evidence for that; nil: cannot.
	renew func(t testing.TB, file, doc []byte, e ades.Evidence, tsu *party, at time.Time) []byte
}

var keepings = map[string]keeping{
	"tsd":           {"RFC5544", "tsd", false, makeTSD(tsd.Options{}), renewTSD},
	"tsd protected": {"RFC5544", "tsd", false, makeTSD(tsd.Options{Meta: &tsd.Metadata{FileName: "a.p7m", Protected: true}}), renewTSD},
	"tsd outside":   {"RFC5544", "tsd", true, makeTSD(tsd.Options{Outside: true, URI: "file:a.p7m"}), renewTSD},
	"record":        {"RFC4998", "evidence-record", true, makeRecord(1), renewRecord},
	"record tree":   {"RFC4998", "evidence-record", true, makeRecord(5), renewRecord},
	"record rehash": {"RFC4998", "evidence-record", true, makeRecord(5), rehashRecord},
	"record in tsd": {"RFC5544", "tsd", false, recordInTSD, nil},
	"m7m":           {"M7M", "m7m", false, makeM7M, nil},
}

func makeTSD(o tsd.Options) func(testing.TB, []byte, *party, time.Time) []byte {
	o.Hash = crypto.SHA256
	return func(t testing.TB, doc []byte, tsu *party, at time.Time) []byte {
		p := must(tsd.Prepare(bytes.NewReader(doc), o))
		var out bytes.Buffer
		if err := p.Assemble(&out, bytes.NewReader(doc), token(t, tsu, p.Imprint, at)); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
}

func renewTSD(t testing.TB, file, _ []byte, e ades.Evidence, tsu *party, at time.Time) []byte {
	d := must(tsd.Parse(bytes.NewReader(file), int64(len(file))))
	r := must(d.Renew(crypto.SHA256, e))
	var out bytes.Buffer
	if err := r.Assemble(&out, token(t, tsu, r.Imprint, at)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// makeRecord makes the record of a document in a tree of n.
func makeRecord(n int) func(testing.TB, []byte, *party, time.Time) []byte {
	return func(t testing.TB, doc []byte, tsu *party, at time.Time) []byte {
		groups := []ers.Group{{sha(doc)}}
		for i := 1; i < n; i++ {
			groups = append(groups, ers.Group{sha([]byte{byte(i)})})
		}
		return first(t, must(ers.Prepare(crypto.SHA256, groups)), tsu, at)
	}
}

func first(t testing.TB, p *ers.Prepared, tsu *party, at time.Time) []byte {
	for _, der := range must(p.Assemble(token(t, tsu, p.Imprint(), at))) {
		return der
	}
	t.Fatal("no record")
	return nil
}

func renewRecord(t testing.TB, file, _ []byte, e ades.Evidence, tsu *party, at time.Time) []byte {
	r := must(must(ers.Parse(file)).WithEvidence(e))
	return first(t, must(ers.PrepareRenewal([]*ers.Record{r})), tsu, at)
}

func rehashRecord(t testing.TB, file, doc []byte, e ades.Evidence, tsu *party, at time.Time) []byte {
	r := must(must(ers.Parse(file)).WithEvidence(e))
	return first(t, must(ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA256}, []*ers.Record{r},
		[][]ers.Document{{{Digest: func(h crypto.Hash) ([]byte, error) {
			d := h.New()
			d.Write(doc)
			return d.Sum(nil), nil
		}}}})), tsu, at)
}

// recordInTSD is an envelope whose evidence is a record.
func recordInTSD(t testing.TB, doc []byte, tsu *party, at time.Time) []byte {
	file := makeTSD(tsd.Options{})(t, doc, tsu, at)
	record := makeRecord(3)(t, doc, tsu, at)
	var info struct {
		OID  asn1.ObjectIdentifier
		Data struct {
			Version  int
			Content  []byte
			Evidence asn1.RawValue
		} `asn1:"explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(file, &info); err != nil {
		t.Fatal(err)
	}
	record[0] = 0xa1
	info.Data.Evidence = asn1.RawValue{FullBytes: record}
	return must(asn1.Marshal(info))
}

func makeM7M(t testing.TB, doc []byte, tsu *party, at time.Time) []byte {
	stamp := cms.MarshalResponse(token(t, tsu, sha(doc), at))
	return []byte("Mime-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: application/pkcs7-mime; name=a.p7m\r\nContent-Transfer-Encoding: binary\r\n\r\n" +
		string(doc) + "\r\n--b1\r\nContent-Type: application/timestamp-reply; name=a.tsr\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString(stamp) + "\r\n--b1--\r\n")
}

// check validates a file that was made so, of a document.
func (k keeping) check(t testing.TB, file, doc []byte, o Options) Report {
	t.Helper()
	if k.apart && doc != nil {
		o.Content, o.ContentSize = bytes.NewReader(doc), int64(len(doc))
	}
	return validate(t, file, o)
}

// A document that nobody signed: the report is about the time-stamp.
func TestKeptTimestamps(t *testing.T) {
	t.Parallel()
	w := pki()
	doc := []byte("un testo qualunque")
	for name, k := range keepings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := k.make(t, doc, w.tsu, stampedAt)
			r := k.check(t, file, doc, w.options())
			s := expect(t, r, TotalPassed, "")
			if r.Format != k.format || r.Form != k.form || s.Form != k.form || !s.BestSignatureTime.Equal(stampedAt) || s.Signer != "TSU 1" || !s.CoversWholeDocument {
				t.Errorf("got %s %s, %+v", r.Format, r.Form, s)
			}
			if r.Exit() != 0 || !strings.Contains(r.Text("it"), k.form) {
				t.Errorf("exit %d, text %s", r.Exit(), r.Text("it"))
			}
			if k.apart {
				expect(t, k.check(t, file, nil, w.options()), Indeterminate, SignedDataNotFound)
				expect(t, k.check(t, file, []byte("un altro"), w.options()), TotalFailed, HashFailure)
			} else {
				expect(t, k.check(t, bytes.Replace(file, doc, []byte("Un testo qualunque"), 1), nil, w.options()), TotalFailed, HashFailure)
				o := w.options()
				o.Content, o.ContentSize = bytes.NewReader(doc), int64(len(doc))
				if _, err := Validate(bytes.NewReader(file), int64(len(file)), "x", o); KindOf(err) != BadOptions {
					t.Errorf("content beside a file that has its own: %v", err)
				}
			}
			untrusted := w.options()
			untrusted.Anchors = []*x509.Certificate{w.stranger.cert}
			expect(t, k.check(t, file, doc, untrusted), Indeterminate, NoCertificateChain)
		})
	}
}

// A signature in a stamped document is validated with the time-stamp over it, and
// stands when its certificate has been revoked since.
func TestSignedInside(t *testing.T) {
	t.Parallel()
	w := pki()
	revoked := entry{of: w.holder, at: stampedAt.Add(10 * time.Minute), reason: 1}
	for name, k := range keepings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, form := range []string{"CAdES", "PAdES", "XAdES", "ASiC-E/XAdES"} {
				doc := sign(t, form, document(t, form), w.holder, nil, time.Time{})
				file := k.make(t, doc, w.tsu, stampedAt)
				r := k.check(t, file, doc, w.options(revoked))
				if len(r.Signatures) != 2 || r.Indication != TotalPassed {
					t.Fatalf("%s: %s", form, r.Text("en"))
				}
				s := r.Signatures[1]
				if s.Signer != "Ada Prova" || !s.BestSignatureTime.Equal(stampedAt) || len(s.Timestamps) != 1 || s.Timestamps[0].Kind != ades.DocumentStamp {
					t.Errorf("%s: %+v", form, s)
				}
				// Stamped after the revocation, it proves nothing.
				late := k.check(t, k.make(t, doc, w.tsu, stampedAt.Add(20*time.Minute)), doc, w.options(revoked))
				if late.Signatures[0].Indication != TotalPassed || late.Signatures[1].SubIndication != RevokedNoPOE {
					t.Errorf("%s, stamped late: %s", form, late.Text("en"))
				}
			}
		})
	}
}

// Renewals carry a time-stamp, and the signature inside, over the end of every
// certificate; what is not renewed in time is lost.
func TestRenewedTimestamps(t *testing.T) {
	t.Parallel()
	l := newLife()
	plain := sign(t, "CAdES", document(t, "CAdES"), l.holder, nil, time.Time{}) // its evidence comes with the renewals
	lasting := raised(t, "CAdES", plain, l.evidence(signedAt.Add(30*time.Second)), nil, time.Time{})
	for i, name := range slices.Sorted(maps.Keys(keepings)) {
		k, signed := keepings[name], [][]byte{plain, lasting}[i%2]
		if k.renew == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := func(when time.Time) Options {
				return Options{Anchors: []*x509.Certificate{l.root.cert}, Time: when, CRLs: l.lists(when.Add(-time.Hour))}
			}
			file := k.make(t, signed, l.tsu1, stampedAt)
			once := k.renew(t, file, signed, l.evidence(year(1)), l.tsu2, year(1).Add(time.Hour))
			twice := k.renew(t, once, signed, l.evidence(renewedAt), l.tsu3, renewedAt.Add(time.Hour))
			for when, want := range map[time.Time][3]Indication{
				year(1).AddDate(0, 6, 0): {TotalPassed, TotalPassed, TotalPassed},
				year(3):                  {Indeterminate, TotalPassed, TotalPassed},
				year(10):                 {Indeterminate, Indeterminate, TotalPassed},
			} {
				for i, f := range [][]byte{file, once, twice} {
					if i == 2 && when.Before(renewedAt) || i == 1 && when.Before(year(1)) {
						continue
					}
					r := k.check(t, f, signed, at(when))
					if r.Indication != want[i] || len(r.Signatures) != 2 {
						t.Errorf("%d renewals, at %v: %s", i, when, r.Text("en"))
					}
					if s := r.Signatures[0]; s.Indication == TotalPassed && !s.BestSignatureTime.Equal(stampedAt) || len(s.Timestamps) != i {
						t.Errorf("%d renewals, at %v: %+v", i, when, s)
					}
				}
			}
			stranger := issue(nil, newKey(), "Stranger TSU", stamping)
			if r := k.check(t, k.renew(t, file, signed, ades.Evidence{}, stranger, year(1)), signed, at(year(1).AddDate(0, 1, 0))); r.Indication != Indeterminate {
				t.Errorf("renewed by a stranger: %s", r.Text("en"))
			}
			early := k.renew(t, file, signed, ades.Evidence{}, l.tsu2, stampedAt.Add(-time.Minute))
			if r := k.check(t, early, signed, at(year(1))); r.Signatures[0].SubIndication != TimestampOrderFailure {
				t.Errorf("renewed by an older one: %s", r.Text("en"))
			}
		})
	}
}

// A record of several documents wants each of them, and no other.
func TestRecordOfGroup(t *testing.T) {
	t.Parallel()
	w := pki()
	group := ers.Group{sha([]byte("uno")), sha([]byte("due")), sha([]byte("tre"))}
	file := first(t, must(ers.Prepare(crypto.SHA256, []ers.Group{group, {sha([]byte("quattro"))}})), w.tsu, stampedAt)
	with := func(texts ...string) Options {
		o := w.options()
		for _, s := range texts {
			o.Contents = append(o.Contents, Content{Name: s + ".txt", Data: strings.NewReader(s), Size: int64(len(s))})
		}
		return o
	}
	s := expect(t, validate(t, file, with("uno", "due", "tre")), TotalPassed, "")
	if strings.Join(s.Covers, " ") != "uno.txt due.txt tre.txt" {
		t.Errorf("covers %q", s.Covers)
	}
	if s := expect(t, validate(t, file, with("due")), TotalPassed, ""); !strings.Contains(s.Reasons[len(s.Reasons)-1].En, "group of 3") {
		t.Errorf("one document of three: %+v", s.Reasons)
	}
	armoured := []byte(base64.StdEncoding.EncodeToString(makeTSD(tsd.Options{})(t, []byte("testo"), w.tsu, stampedAt)))
	expect(t, validate(t, armoured, w.options()), TotalPassed, "")
	s = expect(t, validate(t, file, with("uno", "quattro")), TotalFailed, HashFailure)
	if text := s.Reasons[len(s.Reasons)-1].En; !strings.Contains(text, "quattro.txt") {
		t.Errorf("the reason does not name the document: %+v", s.Reasons)
	}
}

// A token that was asked for without certificates is judged with one from outside.
func TestCertificateFromOutside(t *testing.T) {
	t.Parallel()
	w := pki()
	doc := []byte("testo")
	p := must(cms.PrepareToken(&cms.TSTInfo{Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA256, Imprint: sha(doc), SerialNumber: big.NewInt(7), GenTime: stampedAt},
		cms.SignerOptions{Certificate: w.tsu.cert, Hash: crypto.SHA256, OmitCertificates: true}))
	tok := must(p.Assemble(must(w.tsu.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)), nil))
	o := w.options()
	o.Content, o.ContentSize = bytes.NewReader(doc), int64(len(doc))
	expect(t, validate(t, tok, o), Indeterminate, NoSigningCertificate)
	o.Intermediates = []*x509.Certificate{w.holder.cert, w.tsu.cert, w.tsaCA.cert}
	expect(t, validate(t, tok, o), TotalPassed, "")
	tsr := cms.MarshalResponse(tok)
	expect(t, validate(t, tsr, o), TotalPassed, "")
}

// What proves nothing is told so, and envelopes do not go on for ever.
func TestUnreadableStamps(t *testing.T) {
	t.Parallel()
	w := pki()
	query := must(cms.MarshalTimestampRequest(crypto.SHA256, sha(nil), big.NewInt(1), true))
	_, err := Validate(bytes.NewReader(query), int64(len(query)), "x.tsq", w.options())
	if KindOf(err) != Unreadable || !strings.Contains(err.Error(), "request") {
		t.Errorf("a request: %v", err)
	}
	file := []byte("dentro")
	for i := range 7 {
		file = makeTSD(tsd.Options{})(t, file, w.tsu, stampedAt.Add(time.Duration(i)*time.Second))
	}
	if r := validate(t, file, w.options()); len(r.Signatures) != maxEnvelopes || !strings.Contains(r.Text("en"), "cannot be looked at") {
		t.Errorf("seven envelopes: %s", r.Text("en"))
	}
	three := makeTSD(tsd.Options{})(t, makeTSD(tsd.Options{})(t, []byte("dentro"), w.tsu, stampedAt), w.tsu, stampedAt.Add(time.Second))
	if r := validate(t, three, w.options()); len(r.Signatures) != 2 || r.Indication != TotalPassed || len(r.Signatures[1].Timestamps) != 1 {
		t.Errorf("an envelope in an envelope: %s", r.Text("en"))
	}
	cut := keepings["record"].make(t, file, w.tsu, stampedAt)
	for _, b := range [][]byte{cut[:len(cut)-1], append(bytes.Clone(cut), 0), three[:len(three)-3]} {
		if _, err := Validate(bytes.NewReader(b), int64(len(b)), "x", w.options()); KindOf(err) != Unreadable {
			t.Errorf("a file that is cut or too long: %v", err)
		}
	}
}

// sameProof reports what passes although it says something else than was stamped:
// another time, or another document.
func sameProof(t testing.TB, file, doc []byte, contents []Content, r Report) {
	if len(r.Signatures) == 0 || r.Signatures[0].Indication != TotalPassed || r.Format != "tsd" && r.Format != "evidence-record" && r.Format != "m7m" {
		return
	}
	if s := r.Signatures[0]; !s.BestSignatureTime.Equal(stampedAt) {
		t.Fatalf("%x passes at %v", file, s.BestSignatureTime)
	}
	if d, err := tsd.Parse(bytes.NewReader(file), int64(len(file))); err == nil && d.HasContent() {
		if got := must(io.ReadAll(d.Content())); !bytes.Equal(got, doc) {
			t.Fatalf("%x passes with the document %x", file, got)
		}
	} else if r.Format != "m7m" && contents == nil {
		t.Fatalf("%x passes without a document", file)
	}
}

// Octets that are changed anywhere make nothing pass that was not stamped.
func TestChangedStampedFiles(t *testing.T) {
	t.Parallel()
	w := pki()
	doc := []byte("un testo qualunque")
	v := must(New(w.options()))
	for name, k := range keepings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := k.make(t, doc, w.tsu, stampedAt)
			if k.renew != nil {
				file = k.renew(t, file, doc, ades.Evidence{}, w.tsu, stampedAt)
			}
			var contents []Content
			if k.apart {
				contents = []Content{{Data: bytes.NewReader(doc), Size: int64(len(doc))}}
			}
			for at := 0; at < len(file); at += 1 + len(file)/300 {
				changed := bytes.Clone(file)
				changed[at] ^= 1 << (at % 8)
				r, err := v.Validate(t.Context(), Document{Data: bytes.NewReader(changed), Size: int64(len(changed)), Name: "x", Time: validatedAt, Contents: contents})
				if err == nil {
					sameProof(t, changed, doc, contents, r)
				}
			}
		})
	}
}

// FuzzStamped: no file that keeps time-stamps makes the validator panic or wait, or
// passes for what was not stamped.
func FuzzStamped(f *testing.F) {
	w := pki()
	doc := sign(f, "CAdES", []byte("documento"), w.holder, nil, time.Time{})
	for _, k := range keepings {
		file := k.make(f, doc, w.tsu, stampedAt)
		f.Add(file)
		if k.renew != nil {
			f.Add(k.renew(f, file, doc, ades.Evidence{}, w.tsu, stampedAt))
		}
	}
	v := must(New(w.options()))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, contents := range [][]Content{nil, {{Data: bytes.NewReader(doc), Size: int64(len(doc))}}} {
			begin := time.Now()
			r, err := v.Validate(t.Context(), Document{Data: bytes.NewReader(file), Size: int64(len(file)), Name: "fuzz", Time: validatedAt, Contents: contents})
			if d := time.Since(begin); d > 10*time.Second {
				t.Errorf("%d bytes took %v", len(file), d)
			}
			if err == nil {
				_, _ = io.WriteString(io.Discard, r.Text("it"))
				sameProof(t, file, doc, contents, r)
			}
		}
	})
}
