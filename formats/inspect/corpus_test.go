package inspect

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// label is what a document of testdata/inspect is and what has to be said of it.
type label struct {
	path, row string
	active    bool
	verdict   Verdict
	rule      string // that must be among the findings; "-" for none in particular
}

// readLabels reads the table of labels and checks it.
func readLabels(t *testing.T) []label {
	const name = "labels.tsv"
	t.Helper()
	table, err := os.ReadFile(filepath.Join(corpusDir, name))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(table), "\n"), "\n")
	var labels []label
	for i, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 5 || f[1] != filepath.Dir(f[0]) || !strings.HasPrefix(filepath.Base(f[0]), f[2]+"-") || f[2] != "active" && f[2] != "inert" || !slices.Contains([]Verdict{Allow, Confirm, Refuse}, Verdict(f[3])) {
			t.Fatalf("%s:%d: %q", name, i+2, line)
		}
		if _, ok := ruleByID[f[4]]; f[4] != "-" && (!ok || Standard().Severity(f[4]).weight() > Verdict(f[3]).weight()) {
			t.Errorf("%s: rule %s and verdict %s do not go together", f[0], f[4], f[3])
		}
		labels = append(labels, label{f[0], f[1], f[2] == "active", Verdict(f[3]), f[4]})
	}
	return labels
}

// corpusReport inspects a document of the corpus.
func corpusReport(t *testing.T, path string) Report {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(corpusDir, path))
	if err != nil {
		t.Fatal(err)
	}
	return look(t, path, doc)
}

func (l label) met(rep Report) bool {
	return rep.Verdict == l.verdict && (l.rule == "-" || has(rep, l.rule))
}

// rowCount is how many documents of a row there are and were judged rightly.
type rowCount struct{ active, found, inert, alarms int }

func (r *rowCount) add(l label, met bool) {
	switch {
	case l.active && met:
		r.found++
		fallthrough
	case l.active:
		r.active++
	case !met:
		r.alarms++
		fallthrough
	default:
		r.inert++
	}
}

// Every active document of the corpus is found, by the rule that names what is
// in it, and no document that only looks like one is.
func TestCorpus(t *testing.T) {
	t.Parallel()
	rows := map[string]*rowCount{}
	var all rowCount
	for _, l := range readLabels(t) {
		if l.active && l.rule == "-" {
			t.Errorf("%s has no rule", l.path)
		}
		rep := corpusReport(t, l.path)
		met := l.met(rep)
		if !met {
			t.Errorf("%s: %s, want %s by %s: %+v", l.path, rep.Verdict, l.verdict, l.rule, rep.Findings)
		}
		if rows[l.row] == nil {
			rows[l.row] = &rowCount{}
		}
		rows[l.row].add(l, met)
		all.add(l, met)
	}
	readme, err := os.ReadFile(filepath.Join(corpusDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		r := rows[row]
		if r.active < 2 || r.inert < 2 {
			t.Errorf("%s: %d active and %d inert documents, want two of each", row, r.active, r.inert)
		}
		if !strings.Contains(string(readme), "| `"+row+"` |") {
			t.Errorf("README.md does not describe %s", row)
		}
		fmt.Fprintf(&table, "\n%-20s detected %2d of %2d   false alarms %d of %2d", row, r.found, r.active, r.alarms, r.inert)
	}
	t.Logf("%s\n%-20s detected %d of %d   false alarms %d of %d", table.String(), "all", all.found, all.active, all.alarms, all.inert)
}

// No document lies in the corpus without a label, and none is labelled twice.
func TestCorpusIsLabelled(t *testing.T) {
	t.Parallel()
	labelled := map[string]bool{}
	for _, l := range readLabels(t) {
		if labelled[l.path] {
			t.Errorf("%s is labelled twice", l.path)
		}
		labelled[l.path] = true
	}
	files, err := filepath.Glob(filepath.Join(corpusDir, "*", "*-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if path, err := filepath.Rel(corpusDir, f); err != nil || !labelled[filepath.ToSlash(path)] {
			t.Errorf("%s has no label", f)
		}
	}
}
