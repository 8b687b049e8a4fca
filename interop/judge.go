package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// judge is a program that says whether signed files are good.
type judge interface {
	name() string
	// missing says why the judge cannot be asked; "" is that it can.
	missing() string
	// can reports whether it judges such samples.
	can(s sample) bool
	// limit says why the judge cannot judge this one although it knows the
	// form, such as a type of key it lacks; "" is that it can.
	limit(s sample) string
	// judge looks at one file. accepted means good in every respect that the
	// judge knows of, at the claimed level; refused, that it found the content
	// changed or the signature wrong. Neither is doubt, or a fault of the judge.
	judge(ctx context.Context, s sample) opinion
}

// opinion is what a judge said.
type opinion struct {
	accepted, refused bool
	saw               string
}

func accept(saw string) opinion { return opinion{accepted: true, saw: saw} }
func refuse(saw string) opinion { return opinion{refused: true, saw: saw} }
func doubt(format string, args ...any) opinion {
	return opinion{saw: fmt.Sprintf(format, args...)}
}

// check holds an opinion against what it must be.
func check(s sample, o opinion) error {
	switch {
	case s.altered && o.accepted:
		return fmt.Errorf("accepted a file whose content was altered: %s", o.saw)
	case s.altered && !o.refused, !s.altered && !o.accepted:
		return fmt.Errorf("said %s", o.saw)
	}
	return nil
}

// opinionTime bounds one judgement. The slowest, of a large PDF by EU DSS, takes seconds.
const opinionTime = 2 * time.Minute

// ask has every judge look at every sample that it can judge. The judges work
// beside each other, each at one file at a time.
func ask(ctx context.Context, m *matrix, judges []judge, samples []sample) {
	var all sync.WaitGroup
	for _, j := range judges {
		all.Go(func() {
			began := time.Now()
			defer func() { m.time(j.name(), time.Since(began)) }()
			for _, s := range samples {
				switch {
				case !j.can(s), s.altered && s.foreign == j.name(): // a maker need not be tested on its own
				case j.limit(s) != "":
					m.note(s, j.name(), j.limit(s))
				case j.missing() != "":
					m.absent(s, j.name())
				default:
					ctx, cancel := context.WithTimeout(ctx, opinionTime)
					o := j.judge(ctx, s)
					cancel()
					m.add(s, j.name(), check(s, o))
				}
			}
		})
	}
	all.Wait()
}
