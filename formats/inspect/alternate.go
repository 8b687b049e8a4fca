package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"hash"
	"strings"
)

// nsCompatibility is the name space of ISO/IEC 29500-3.
const nsCompatibility = "http://schemas.openxmlformats.org/markup-compatibility/2006"

// alternates compares the branches of mc:AlternateContent (ISO/IEC 29500-3 §10.2.1):
// a program shows the first whose requirements it meets, so another program shows
// another one. Honest writers put the same text into all, or a picture of it, or say
// in the last that it cannot be shown.
type alternates struct {
	*report
	where string
	memo  *xmlMemo
	open  []alternate
	shown int // the start-tag whose text is shown, as memo counts
}

type alternate struct {
	branch hash.Hash // nil between branches
	refs   hash.Hash // what the branch shows of other parts
	seen   []byte    // digest of those of the first branch
	other  bool      // a branch shows other ones
	words  int       // bytes of the branch, without white space
	first  []byte    // digest of the first branch that has a text
	count  int       // of branches
	texts  int       // of those with a text
	differ bool
	nested bool // in another than the first branch of the one around: that one has the text already
}

// start reports whether it heeds elements of that name. Within branches it is told
// of all.
func (a *alternates) start(e xml.StartElement) bool {
	name := e.Name
	if name.Space != nsCompatibility {
		if len(a.open) > 0 {
			a.content(e)
		}
		return name.Local == "t"
	}
	switch n := len(a.open); {
	case name.Local == "AlternateContent" && n < maxXMLDepth:
		a.open = append(a.open, alternate{})
	case (name.Local == "Choice" || name.Local == "Fallback") && n > 0:
		top := &a.open[n-1]
		top.branch, top.refs, top.words = sha256.New(), sha256.New(), 0
		top.nested = top.count > 0
		top.count++
	}
	return true
}

// content takes in what an element within a branch shows by itself: a character
// of a font of symbols, and the pictures and other parts that it refers to.
func (a *alternates) content(e xml.StartElement) {
	switch e.Name.Local {
	case "t", "v", "f":
		a.shown = a.memo.tags
	case "sym":
		font, _ := attr(e, "font")
		char, _ := attr(e, "char")
		a.words([]byte(font + char))
	}
	for _, at := range e.Attr {
		if !strings.HasSuffix(at.Name.Space, "/officeDocument/2006/relationships") && !strings.HasSuffix(at.Name.Space, "/ooxml/officeDocument/relationships") {
			continue
		}
		for i := len(a.open) - 1; i >= 0 && a.open[i].branch != nil; i-- {
			a.open[i].refs.Write([]byte(at.Value + " "))
			if a.open[i].nested {
				break
			}
		}
	}
}

func (a *alternates) text(b []byte) {
	if a.shown == a.memo.tags {
		a.words(bytes.Join(bytes.Fields(b), nil))
	}
}

// words adds to the text of the branches that are open.
func (a *alternates) words(words []byte) {
	for i := len(a.open) - 1; i >= 0; i-- {
		top := &a.open[i]
		if top.branch == nil {
			return
		}
		top.branch.Write(words)
		top.words += len(words)
		if top.nested {
			return
		}
	}
}

func (a *alternates) end(name xml.Name) {
	n := len(a.open)
	if name.Space != nsCompatibility || n == 0 {
		return
	}
	top := &a.open[n-1]
	switch name.Local {
	case "Choice", "Fallback":
		if top.branch != nil && top.words > 0 {
			sum := top.branch.Sum(nil)
			if top.texts++; top.first == nil {
				top.first = sum
			}
			top.differ = top.differ || !bytes.Equal(top.first, sum)
		}
		if top.branch != nil {
			sum := top.refs.Sum(nil)
			if top.count == 1 {
				top.seen = sum
			}
			top.other = top.other || !bytes.Equal(top.seen, sum)
		}
		top.branch = nil
	case "AlternateContent":
		switch {
		case top.differ:
			a.add("ooxml.alternate", a.where, "<AlternateContent>")
		case top.texts > 0 && top.texts < top.count, top.texts > 0 && top.count == 1, top.other:
			a.add("ooxml.alternate.part", a.where, "<AlternateContent>")
		}
		a.open = a.open[:n-1]
	}
}
