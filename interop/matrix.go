package main

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// matrix collects what was judged by whom.
type matrix struct {
	out io.Writer

	mu             sync.Mutex
	rows           []string // in the order in which they were made
	cells          map[string]map[string]string
	judges         []string
	notes          map[string]bool
	passed, failed int
	took           map[string]time.Duration
}

func newMatrix(out io.Writer, judges []judge) *matrix {
	m := &matrix{out: out, cells: map[string]map[string]string{}, notes: map[string]bool{}, took: map[string]time.Duration{}}
	for _, j := range judges {
		m.judges = append(m.judges, j.name())
	}
	return m
}

// row makes room for a kind, in the order of the calls.
func (m *matrix) row(kind string) {
	if m.cells[kind] == nil {
		m.cells[kind] = map[string]string{}
		m.rows = append(m.rows, kind)
	}
}

// declare makes the rows of samples before the judges fill them.
func (m *matrix) declare(samples []sample) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range samples {
		m.row(s.kind)
	}
}

// add counts one judgement. A cell is "ok" if all judgements of it were right:
// the file is accepted and its altered copy is refused.
func (m *matrix) add(s sample, judge string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.row(s.kind)
	if err == nil {
		m.passed++
		if m.cells[s.kind][judge] == "" {
			m.cells[s.kind][judge] = "ok"
		}
		return
	}
	m.failed++
	m.cells[s.kind][judge] = "FAILED"
	what := s.kind
	if s.altered {
		what += ", altered"
	}
	fmt.Fprintf(m.out, "  FAILED  %s, %s: %s\n", what, judge, oneLine(err.Error()))
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 700 {
		s = s[:700] + " …"
	}
	return s
}

// broken counts a signature that could not be made.
func (m *matrix) broken(kind, judge string, err error) {
	m.add(sample{kind: kind}, judge, err)
}

// absent marks what a missing judge would have judged.
func (m *matrix) absent(s sample, judge string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.row(s.kind)
	m.cells[s.kind][judge] = "missing"
}

// note marks what a judge is known not to do, with the reason below the matrix.
func (m *matrix) note(s sample, judge, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.row(s.kind)
	m.cells[s.kind][judge] = "note"
	m.notes[judge+": "+why] = true
}

// time adds up how long a judge took.
func (m *matrix) time(judge string, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.took[judge] += d
}

// print writes the rows made since the last call, with the columns in which they have something.
func (m *matrix) print(title string) {
	var columns []string
	for _, j := range m.judges {
		for _, r := range m.rows {
			if m.cells[r][j] != "" {
				columns = append(columns, j)
				break
			}
		}
	}
	if len(m.rows) == 0 {
		return
	}
	w := tabwriter.NewWriter(m.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s\t%s\n", strings.ToUpper(title), strings.Join(columns, "\t"))
	for _, r := range m.rows {
		fmt.Fprint(w, r)
		for _, j := range columns {
			mark := m.cells[r][j]
			if mark == "" {
				mark = "-"
			}
			fmt.Fprint(w, "\t", mark)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	notes := make([]string, 0, len(m.notes))
	for n := range m.notes {
		notes = append(notes, n)
	}
	sort.Strings(notes)
	for _, n := range notes {
		fmt.Fprintln(m.out, "note:", n)
	}
	var took []string
	for _, j := range m.judges {
		if m.took[j] >= time.Second {
			took = append(took, fmt.Sprintf("%s %.0f s", j, m.took[j].Seconds()))
		}
	}
	if len(took) > 0 {
		fmt.Fprintln(m.out, "time:", strings.Join(took, ", "))
	}
	m.took = map[string]time.Duration{}
	m.rows, m.cells, m.notes = nil, map[string]map[string]string{}, map[string]bool{}
}
