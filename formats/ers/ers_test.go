package ers_test

import (
	"bytes"
	"crypto"
	_ "crypto/sha512"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/ers"
)

var start = time.Now().Add(-time.Hour).Truncate(time.Second)

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// document makes documents of texts.
func document(texts ...string) (out []ers.Document) {
	for _, s := range texts {
		out = append(out, ers.Document{Name: s, Digest: func(h crypto.Hash) ([]byte, error) { return digest(h, []byte(s)), nil }})
	}
	return out
}

func documentsOf(groups ...[]string) (out [][]ers.Document) {
	for _, g := range groups {
		out = append(out, document(g...))
	}
	return out
}

func groupsOf(h crypto.Hash, texts ...[]string) (out []ers.Group) {
	for _, g := range texts {
		var group ers.Group
		for _, s := range g {
			group = append(group, digest(h, []byte(s)))
		}
		out = append(out, group)
	}
	return out
}

// assemble stamps what was prepared and reads the records; it rests as JSON in
// between.
func assemble(t testing.TB, p *ers.Prepared, err error, tsu *cmstest.Identity, at time.Time) (out []*ers.Record) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again ers.Prepared
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	all, err := again.Assemble(tsu.Stamp(t, p.HashAlgorithm(), p.Imprint(), at))
	if err != nil {
		t.Fatal(err)
	}
	for i, der := range all {
		r, err := ers.Parse(der)
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if !bytes.Equal(r.Marshal(), der) {
			t.Fatalf("record %d is written again otherwise", i)
		}
		out = append(out, r)
	}
	return out
}

func texts(n int) (out [][]string) {
	for i := range n {
		out = append(out, []string{fmt.Sprintf("documento %d", i)})
	}
	return out
}

// Each document of a tree of any size has a record that proves it and no other.
func TestTree(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 9, 33} {
		for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA512} {
			p, err := ers.Prepare(h, groupsOf(h, texts(n)...))
			for i, r := range assemble(t, p, err, tsu, start) {
				own, other := texts(n + 1)[i], texts(n + 1)[(i+2)%(n+1)]
				if err := r.Verify(document(own...)); err != nil {
					t.Errorf("%d documents, %v, record %d: %v", n, h, i, err)
				}
				if has, err := r.Has(document(own...)[0]); !has || err != nil {
					t.Errorf("%d documents: record %d is not of its document: %v", n, i, err)
				}
				if err := r.Verify(document("un altro")); err == nil {
					t.Errorf("%d documents: record %d proves another document", n, i)
				}
				if err := r.Verify(nil); ers.KindOf(err) != cms.ContentMissing {
					t.Errorf("%d documents: without documents: %v", n, err)
				}
				if err := r.Verify(document(own[0], other[0])); n > 3 && err == nil && r.Group() < 2 {
					t.Errorf("%d documents: record %d proves two documents", n, i)
				}
			}
		}
	}
}

// Groups have one record for all their documents, and it is of nothing else.
func TestGroups(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	groups := [][]string{{"contratto", "allegato A", "allegato B"}, {"lettera"}, {"fattura", "ricevuta", "bolla", "bolla"}}
	p, err := ers.Prepare(crypto.SHA256, groupsOf(crypto.SHA256, groups...))
	records := assemble(t, p, err, tsu, start)
	for i, g := range groups {
		if err := records[i].Verify(document(g...)); err != nil {
			t.Errorf("group %d: %v", i, err)
		}
		for _, s := range g {
			if err := records[i].Verify(document(s)); err != nil {
				t.Errorf("group %d, %s alone: %v", i, s, err)
			}
		}
		if err := records[i].Verify(document(append([]string{"estraneo"}, g...)...)); ers.KindOf(err) != cms.Mismatch {
			t.Errorf("group %d with a stranger: %v", i, err)
		}
	}
	if records[0].Group() != 3 || records[2].Group() != 3 {
		t.Errorf("the groups have %d and %d documents", records[0].Group(), records[2].Group())
	}
}

// A record lives through renewals of both kinds, in any order, and each change in
// what it was shows.
func TestRenewal(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	tsu := pki.TSU(t, "p256")
	groups := [][]string{{"uno"}, {"due"}, {"tre", "quattro", "cinque"}}
	p, err := ers.Prepare(crypto.SHA256, groupsOf(crypto.SHA256, groups...))
	records := assemble(t, p, err, tsu, start)
	at := start
	for step, kind := range []string{"stamp", "stamp", "tree", "stamp", "tree", "tree"} {
		at = at.Add(time.Minute)
		for i := range records {
			if records[i], err = records[i].WithEvidence(pki.Evidence(t, at)); err != nil {
				t.Fatal(err)
			}
		}
		if kind == "stamp" {
			p, err = ers.PrepareRenewal(records)
		} else {
			p, err = ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA512}, records, documentsOf(groups...))
		}
		records = assemble(t, p, err, tsu, at)
		for i, g := range groups {
			if err := records[i].Verify(document(g...)); err != nil {
				t.Fatalf("step %d (%s), record %d: %v", step, kind, i, err)
			}
			if n := len(records[i].Tokens()); n != step+2 {
				t.Fatalf("step %d: %d time-stamps", step, n)
			}
			if err := records[i].Verify(document("altro")); err == nil {
				t.Fatalf("step %d: another document", step)
			}
		}
	}
	if n := len(records[0].Chains); n != 4 {
		t.Fatalf("%d chains", n)
	}
	mutate(t, records[2], groups[2])
}

// apart makes records with a time-stamp each, and renews them with one.
func apart(t testing.TB, tsu *cmstest.Identity, texts ...string) []*ers.Record {
	var records []*ers.Record
	for i, s := range texts {
		p, err := ers.Prepare(crypto.SHA256, groupsOf(crypto.SHA256, []string{s}))
		records = append(records, assemble(t, p, err, tsu, start.Add(time.Duration(i)*time.Second))...)
	}
	p, err := ers.PrepareRenewal(records)
	return assemble(t, p, err, tsu, start.Add(time.Hour))
}

// Records with time-stamps of their own are renewed together by a tree over these.
func TestRenewTogether(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	texts := []string{"uno", "due", "tre", "quattro", "cinque"}
	records := apart(t, tsu, texts...)
	for i, r := range records {
		if err := r.Verify(document(texts[i])); err != nil {
			t.Errorf("record %d: %v", i, err)
		}
		if len(r.Last().Tree) == 0 {
			t.Errorf("record %d is renewed without a tree", i)
		}
		if err := r.Verify(document(texts[(i+1)%5])); err == nil {
			t.Errorf("record %d proves another document", i)
		}
	}
	p, err := ers.Prepare(crypto.SHA512, groupsOf(crypto.SHA512, []string{"sei"}))
	if _, err := ers.PrepareRenewal(append(records, assemble(t, p, err, tsu, start)...)); ers.KindOf(err) != cms.BadOptions {
		t.Errorf("two digest algorithms in one tree: %v", err)
	}
}

// mutate changes what is under later stamps: nothing of it may go unseen.
func mutate(t *testing.T, r *ers.Record, texts []string) {
	der := r.Marshal()
	missed := 0
	for at := 40; at < len(der); at += 1 + len(der)/150 {
		b := bytes.Clone(der)
		b[at] ^= 1
		r, err := ers.Parse(b)
		if err == nil {
			err = r.Verify(document(texts...))
		}
		if err == nil {
			missed++
		}
	}
	// The newest token has octets that nothing is over: its certificates' own signatures.
	if missed > 30 {
		t.Errorf("%d changes of 150 were not seen", missed)
	}
}

// The two readings of RFC 4998 §5.2 step 4 are both taken.
func TestSortedConcatenation(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	seen := map[bool]bool{}
	for i := range 12 {
		text := fmt.Sprintf("testo %d", i)
		p, err := ers.Prepare(crypto.SHA256, groupsOf(crypto.SHA256, []string{text}))
		r := assemble(t, p, err, tsu, start)[0]
		p, err = ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA256}, []*ers.Record{r}, documentsOf([]string{text}))
		if err != nil {
			t.Fatal(err)
		}
		v, before := digest(crypto.SHA256, []byte(text)), digest(crypto.SHA256, sequenceOf(t, r))
		swapped := bytes.Compare(v, before) > 0
		if swapped {
			v, before = before, v
		}
		seen[swapped] = true
		sorted := &ers.Prepared{Hash: p.Hash, Records: p.Records, NewChain: true, Groups: [][][]byte{{digest(crypto.SHA256, append(bytes.Clone(v), before...))}}}
		if got := assemble(t, sorted, nil, tsu, start.Add(time.Minute))[0]; got.Verify(document(text)) != nil {
			t.Fatalf("swapped %v: %v", swapped, got.Verify(document(text)))
		}
	}
	if len(seen) != 2 {
		t.Skip("all twelve digests came in one order: nothing was compared")
	}
}

// sequenceOf takes the ArchiveTimeStampSequence out of a record: its last field.
func sequenceOf(t *testing.T, r *ers.Record) []byte {
	der := r.Marshal()
	for at := range der {
		if n := len(der) - at; der[at] == 0x30 && at > 20 && n > 4 && der[at+1] == 0x82 && int(der[at+2])<<8+int(der[at+3]) == n-4 {
			return der[at:]
		}
	}
	t.Fatal("no sequence found")
	return nil
}

// What cannot be made is refused with a reason.
func TestRefused(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	one := groupsOf(crypto.SHA256, []string{"uno"})
	for name, f := range map[string]func() error{
		"nothing":     func() error { _, err := ers.Prepare(crypto.SHA256, nil); return err },
		"empty group": func() error { _, err := ers.Prepare(crypto.SHA256, []ers.Group{{}}); return err },
		"other digest": func() error {
			_, err := ers.Prepare(crypto.SHA512, one)
			return err
		},
		"weak digest": func() error { _, err := ers.Prepare(crypto.SHA1, groupsOf(crypto.SHA1, []string{"uno"})); return err },
		"no documents": func() error {
			p, err := ers.Prepare(crypto.SHA256, one)
			r := assemble(t, p, err, tsu, start)
			_, err = ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA256}, r, [][]ers.Document{nil})
			return err
		},
	} {
		if err := f(); ers.KindOf(err) != cms.BadOptions {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := ers.Prepare(crypto.SHA256, one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Assemble(tsu.Stamp(t, crypto.SHA256, make([]byte, 32), start)); ers.KindOf(err) != cms.Mismatch {
		t.Errorf("a time-stamp over something else: %v", err)
	}
	r := assemble(t, p, nil, tsu, start)
	p2, err := ers.PrepareRenewal(r)
	early := assemble(t, p2, err, tsu, start.Add(-time.Hour))[0]
	if err := early.Verify(document("uno")); ers.KindOf(err) != cms.Mismatch {
		t.Errorf("renewed by an older time-stamp: %v", err)
	}
}

// Any input is read to the end or refused with an error of this package.
func FuzzParse(f *testing.F) {
	pki := cmstest.New(f)
	tsu := pki.TSU(f, "p256")
	groups := [][]string{{"uno"}, {"due", "tre", "quattro"}, {"cinque"}}
	p, err := ers.Prepare(crypto.SHA256, groupsOf(crypto.SHA256, groups...))
	records := assemble(f, p, err, tsu, start)
	f.Add(records[1].Marshal())
	p, err = ers.PrepareRenewal(records)
	records = assemble(f, p, err, tsu, start)
	f.Add(records[0].Marshal())
	p, err = ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA256}, records, documentsOf(groups...))
	f.Add(assemble(f, p, err, tsu, start)[1].Marshal())
	f.Add([]byte{0x30, 0x80, 2, 1, 1, 0x30, 0, 0x30, 0x80, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ers.Parse(b)
		if err != nil {
			if ers.KindOf(err) == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if err := r.Verify(document("uno")); err != nil && ers.KindOf(err) == "" && cms.KindOf(err) == "" {
			t.Fatalf("an error of no kind: %v", err)
		}
		again, err := ers.Parse(r.Marshal())
		if err != nil || len(again.Tokens()) != len(r.Tokens()) {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}
