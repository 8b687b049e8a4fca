package inspect

// A sieve stands before a map of names that is asked for every element of a
// document and has few of them: what it holds back is not in the map.
type sieve [1 << 12]bool

func sieveOf[V any](names map[string]V) *sieve {
	var s sieve
	for n := range names {
		s[s.place(n)] = true
	}
	return &s
}

// may is false for a name that is not in the map, and true for all that are.
func (s *sieve) may(name string) bool { return s[s.place(name)] }

func (s *sieve) place(name string) int {
	if name == "" {
		return 0
	}
	return (int(name[0]) ^ int(name[len(name)-1])<<3 ^ len(name)<<7) & (len(s) - 1)
}
