package graphometric

// Aligned is how many alignments an enrolment has cost.
func (e *Enrolment) Aligned() int { return e.scratch.aligned }

// Measured says whether what an enrolment knows of its samples is what is found when they
// are compared anew.
func (e *Enrolment) Measured() bool {
	var sc Scratch
	for i := range e.traces {
		for j := range e.traces {
			if i != j && e.apart[i][j] != sc.apart(&e.traces[i], &e.traces[j]).whole {
				return false
			}
		}
	}
	return true
}
