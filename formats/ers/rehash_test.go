package ers_test

import (
	"bytes"
	"crypto"
	"errors"
	"slices"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/ers"
)

// rehashing makes records of groups, each renewed as the steps say: "stamp" or
// "tree", and of a tree by SHA-512.
func rehashing(t *testing.T, tsu *cmstest.Identity, groups [][]string, steps ...string) []*ers.Record {
	t.Helper()
	p, err := ers.Prepare(crypto.SHA256, groupsOf(crypto.SHA256, groups...))
	records := assemble(t, p, err, tsu, start)
	for i, step := range steps {
		if step == "stamp" {
			p, err = ers.PrepareRenewal(records)
		} else {
			p, err = ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA512}, records, documentsOf(groups...))
		}
		records = assemble(t, p, err, tsu, start.Add(time.Duration(i+1)*time.Minute))
	}
	return records
}

// A hash-tree renewal that leaves documents of a record out is refused, and tells
// which; with all of them, also in another order and twice, it is made.
func TestRehashNeedsAll(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	groups := [][]string{{"uno", "due", "tre"}, {"quattro", "cinque"}, {"sei"}, {"sette"}, {"otto"}}
	for _, c := range []struct {
		name    string
		steps   []string
		record  int // of the groups
		given   []string
		kind    cms.Kind
		missing []string
	}{
		{"one of three", nil, 0, []string{"due"}, cms.ContentMissing, []string{"uno", "tre"}},
		{"two of three", nil, 0, []string{"tre", "uno"}, cms.ContentMissing, []string{"due"}},
		{"one twice", nil, 0, []string{"due", "due"}, cms.ContentMissing, []string{"uno", "tre"}},
		{"one of two", nil, 1, []string{"cinque"}, cms.ContentMissing, []string{"quattro"}},
		{"after a time-stamp renewal", []string{"stamp"}, 0, []string{"due"}, cms.ContentMissing, []string{"uno", "tre"}},
		{"after a hash-tree renewal", []string{"tree"}, 0, []string{"due"}, cms.ContentMissing, []string{"uno", "tre"}},
		{"one of two, after a hash-tree renewal", []string{"tree", "stamp"}, 1, []string{"cinque"}, cms.ContentMissing, []string{"quattro"}},
		{"all", nil, 0, []string{"uno", "due", "tre"}, "", nil},
		{"all, in another order and twice", []string{"tree"}, 0, []string{"tre", "uno", "due", "tre"}, "", nil},
		{"both", nil, 1, []string{"cinque", "quattro"}, "", nil},
		{"a single one, after a hash-tree renewal", []string{"tree"}, 2, []string{"sei"}, "", nil},
		{"a stranger", nil, 0, []string{"uno", "due", "tre", "estraneo"}, cms.Mismatch, nil},
		{"another", []string{"tree"}, 2, []string{"sette"}, cms.Mismatch, nil},
		{"none", nil, 0, nil, cms.BadOptions, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rehashing(t, tsu, groups, c.steps...)[c.record]
			p, err := ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA512}, []*ers.Record{r}, documentsOf(c.given))
			if ers.KindOf(err) != c.kind || (err == nil) != (c.kind == "") {
				t.Fatalf("got %v, want the kind %q", err, c.kind)
			}
			if c.kind == "" {
				r = assemble(t, p, err, tsu, start.Add(time.Hour))[0]
				if err := r.Verify(document(groups[c.record]...)); err != nil {
					t.Fatalf("the group is not proven any longer: %v", err)
				}
				return
			}
			var m *ers.Missing
			if errors.As(err, &m) != (c.missing != nil) {
				t.Fatalf("what is missing is not told rightly: %v", err)
			}
			if m == nil {
				return
			}
			want := groupsOf(crypto.SHA256, c.missing)[0]
			slices.SortFunc(want, bytes.Compare)
			if m.Hash != crypto.SHA256 || m.Record != 0 || !slices.EqualFunc(m.Digests, want, bytes.Equal) {
				t.Fatalf("told as missing: %v, want %x", m, want)
			}
		})
	}
}

// The documents of a single record's neighbours in the tree are not asked for: the
// first list holds the hashes of its own documents and no others (§5.2 step 5).
func TestRehashFirstList(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	groups := [][]string{{"uno", "due", "tre"}, {"quattro"}, {"cinque"}, {"sei", "sette"}}
	for i, r := range rehashing(t, tsu, groups, "tree") {
		for _, c := range r.Chains {
			if n := len(c.Stamps[0].Tree[0]); n != len(groups[i]) {
				t.Errorf("group of %d: %d hashes in the first list", len(groups[i]), n)
			}
		}
	}
}

// Where another program put the neighbour beside a single document the two may be a
// group: it is renewed alone by who says so.
func TestRehashNeighbour(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	records := rehashing(t, tsu, [][]string{{"uno", "due"}}) // two documents are their own tree
	_, err := ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA512}, records, documentsOf([]string{"due"}))
	if ers.KindOf(err) != cms.ContentMissing {
		t.Errorf("what may be half of a group: %v", err)
	}
	p, err := ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA512, Only: true}, records, documentsOf([]string{"due"}))
	if err := assemble(t, p, err, tsu, start.Add(time.Minute))[0].Verify(document("due")); err != nil {
		t.Errorf("alone, as its owner says: %v", err)
	}
}

// A record that was renewed for one document of three by another program is of that
// one: the others have no proof to lose.
func TestRehashDamaged(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	records := rehashing(t, tsu, [][]string{{"uno", "due", "tre"}})
	p, err := ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA256, Only: true}, records, documentsOf([]string{"due"}))
	damaged := assemble(t, p, err, tsu, start.Add(time.Minute))
	p, err = ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA512}, damaged, documentsOf([]string{"due"}))
	if err := assemble(t, p, err, tsu, start.Add(time.Hour))[0].Verify(document("due")); err != nil {
		t.Error(err)
	}
	if _, err := ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA512}, damaged, documentsOf([]string{"uno", "due", "tre"})); ers.KindOf(err) != cms.Mismatch {
		t.Errorf("a document that is not proven any longer: %v", err)
	}
}
