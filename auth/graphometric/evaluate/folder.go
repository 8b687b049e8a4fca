package evaluate

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigillo/auth/graphometric"
)

// The names and numbers of SVC2004: U<person>S<sample>.TXT; 1 to 10 are genuine of
// the first session, 11 to 20 of the second, 21 to 40 skilled forgeries.
var svcName = regexp.MustCompile(`(?i)^U([0-9]{1,4})S([0-9]{1,2})\.TXT$`)

const (
	svcSession = 10
	svcGenuine = 20
	svcAll     = 40
	maxPeople  = 1000
	maxNamed   = 5 // files that an error names
)

// ReadSVC2004 reads the set in a folder. The case of the letters in the names does
// not count; other files are left alone. It errs if a person lacks a file, if two
// names differ only in case, and if a file cannot be read, and names it.
func ReadSVC2004(folder fs.FS) ([]Person, error) {
	names, err := svcNames(folder)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for n := range names {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var people []Person
	for _, n := range numbers {
		p := Person{Name: fmt.Sprintf("U%d", n)}
		for k := 1; k <= svcAll; k++ {
			s, err := readSample(folder, names[n][k])
			if err != nil {
				return nil, err
			}
			switch {
			case k <= svcSession:
				p.First = append(p.First, s)
			case k <= svcGenuine:
				p.Second = append(p.Second, s)
			default:
				p.Forged = append(p.Forged, s)
			}
		}
		people = append(people, p)
	}
	return people, nil
}

// svcNames are the files of each person by their numbers.
func svcNames(folder fs.FS) (map[int]map[int]string, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	names := map[int]map[int]string{}
	for _, e := range entries {
		m := svcName.FindStringSubmatch(e.Name())
		if m == nil || e.IsDir() {
			continue
		}
		person, _ := strconv.Atoi(m[1])
		sample, _ := strconv.Atoi(m[2])
		if sample < 1 || sample > svcAll {
			return nil, fmt.Errorf("%s: the samples of a person are numbered 1 to %d", e.Name(), svcAll)
		}
		if names[person] == nil {
			names[person] = map[int]string{}
		}
		if other := names[person][sample]; other != "" {
			return nil, fmt.Errorf("%s and %s are the same sample: remove one of them", other, e.Name())
		}
		names[person][sample] = e.Name()
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("there are no files U<person>S<sample>.TXT in it")
	case len(names) > maxPeople:
		return nil, fmt.Errorf("there are %d people in it; %d are allowed", len(names), maxPeople)
	}
	return names, missing(names)
}

// missing says which files are not there.
func missing(names map[int]map[int]string) error {
	var lack []string
	for person, samples := range names {
		for k := 1; k <= svcAll; k++ {
			if samples[k] == "" {
				lack = append(lack, fmt.Sprintf("U%dS%d.TXT", person, k))
			}
		}
	}
	if len(lack) == 0 {
		return nil
	}
	slices.Sort(lack)
	more := ""
	if n := len(lack) - maxNamed; n > 0 {
		lack, more = lack[:maxNamed], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("files are missing: %s%s", strings.Join(lack, ", "), more)
}

func readSample(folder fs.FS, name string) (*graphometric.Sample, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := graphometric.ReadSVC2004(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}
