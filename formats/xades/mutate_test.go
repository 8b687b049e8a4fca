package xades

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// said is what a signature says that somebody may rely on.
type said struct {
	Covered    []string
	Coverage   Coverage
	Signer     string
	Time       string
	Properties ades.Properties
}

// proved is what the time-stamps prove that are over what they say.
func proved(t *testing.T, s *Signature) (out [][][]byte) {
	t.Helper()
	for _, stamp := range s.Stamps {
		token, err := cms.ParseToken(stamp.DER)
		if err != nil {
			continue
		}
		if imprint, err := stamp.Imprint(token.Info.Hash); err == nil && bytes.Equal(imprint, token.Info.Imprint) {
			out = append(out, stamp.Covers)
		}
	}
	return out
}

func tell(t *testing.T, s *Signature) said {
	t.Helper()
	out := said{Coverage: s.Coverage, Signer: string(s.Certificate.Raw), Time: s.SigningTime.String(), Properties: s.Properties}
	for _, c := range s.Covers {
		var b bytes.Buffer
		if _, err := c.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		out.Covered = append(out.Covered, b.String()+c.MediaType)
	}
	return out
}

// mutations changes a document in every way there is for each of its elements:
// taken away, doubled, emptied, moved to the front, to the end and next to each
// neighbour, wrapped, renamed, put into another namespace; each attribute
// changed, taken away and doubled under another spelling; each text changed.
func mutations(doc string) (all []string) {
	tree, err := c14n.Parse([]byte(doc))
	if err != nil {
		panic(err)
	}
	root := tree.Root
	first := root.Start + strings.IndexByte(doc[root.Start:], '>') + 1
	tree.Root.Walk(func(n *c14n.Node) bool {
		if n.Kind == c14n.TextNode && strings.TrimSpace(n.Value) != "" {
			at := n.Start + (n.End-n.Start)/2
			all = append(all, doc[:at]+"A"+doc[at+1:], doc[:n.Start]+doc[n.End:], doc[:n.Start]+"MA=="+doc[n.Start:])
		}
		if n.Kind != c14n.ElementNode {
			return true
		}
		tag := doc[n.Start : n.Start+strings.IndexByte(doc[n.Start:], '>')+1]
		for _, a := range n.Attrs {
			text := a.Local + `="` + a.Value + `"`
			if i := strings.Index(tag, text); i >= 0 {
				i += n.Start
				all = append(all, doc[:i]+a.Local+`="x"`+doc[i+len(text):], doc[:i]+doc[i+len(text):], doc[:i]+strings.ToUpper(a.Local)+doc[i+len(a.Local):])
			}
		}
		if n == root {
			return true
		}
		before, self, after := doc[:n.Start], doc[n.Start:n.End], doc[n.End:]
		rest := before + after
		all = append(all, rest, before+self+self+after, before+"<w>"+self+"</w>"+after, before+"<w>"+self+"</w>"+self+after,
			before+"<x xmlns='"+dsNamespace+"'/>"+self+after, before+strings.Replace(self, "xmlns:", "xmlns:a", 1)+after,
			rest[:first]+self+rest[first:], rest[:strings.LastIndex(rest, "</")]+self+rest[strings.LastIndex(rest, "</"):])
		if !n.Empty {
			inner := doc[n.Start+len(tag) : n.CloseStart]
			all = append(all, before+tag+doc[n.CloseStart:n.End]+after, before+inner+after, before+tag+inner+inner+doc[n.CloseStart:n.End]+after)
		}
		if i := indexOf(n); i > 0 {
			p := n.Parent.Children[i-1]
			all = append(all, doc[:p.Start]+self+doc[p.Start:p.End]+after)
		}
		return true
	})
	return all
}

func indexOf(n *c14n.Node) int {
	for i, c := range n.Parent.Children {
		if c == n {
			return i
		}
	}
	return -1
}

// However a signed document is changed, what still verifies says what was said
// before: nothing of it can be changed, moved or hidden.
func TestMutations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "p256")
	for _, c := range packagings {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var files Files
			e := w.extension(t)
			if c.covers == CoversFiles {
				e.Content, e.ContentSize = strings.NewReader(c.doc), int64(len(c.doc))
				files = OneFile(e.Content, e.ContentSize)
			}
			doc := w.sign(t, []byte(c.doc), by, func(o *Options) {
				c.change(o)
				o.Properties.ClaimedRoles = []string{"role"}
				o.Properties.Commitments = []ades.Commitment{ades.ProofOfApproval}
			})
			doc = w.raise(t, doc, ades.BLTA, e)
			sigs, err := Read(doc, files)
			if err != nil {
				t.Fatal(err)
			}
			want := tell(t, &sigs[0])
			stamps := proved(t, &sigs[0])
			passed, broken := 0, 0
			for _, m := range mutations(string(doc)) {
				again, err := Read([]byte(m), files)
				if err != nil {
					broken++
					continue
				}
				for i := range again {
					s := &again[i]
					err := s.Verify()
					if err != nil && KindOf(err) != NotCovering {
						broken++
						continue
					}
					got := tell(t, s)
					if err != nil { // it says that it does not cover all
						got.Coverage = want.Coverage
					}
					if !reflect.DeepEqual(got, want) {
						t.Fatalf("%s\nsays now %+v", m, got)
					}
					for _, p := range proved(t, s) {
						if !slices.ContainsFunc(stamps, func(o [][]byte) bool { return reflect.DeepEqual(o, p) }) {
							t.Fatalf("%s\na time-stamp proves other things now", m)
						}
					}
					passed++
				}
			}
			// What is not under the signature can be changed: time-stamps, evidence.
			if broken < 100 || passed == 0 {
				t.Errorf("%d broken, %d passed", broken, passed)
			}
		})
	}
}
