package inspect

import "testing"

// No name of a map is held back, and of others nearly all are.
func TestSieve(t *testing.T) {
	t.Parallel()
	for _, s := range []struct {
		sieve *sieve
		names []string
	}{{wordRuled, keys(wordRules)}, {collectable, keys(collected)}, {odfRuled, keys(odfRules)}} {
		for _, n := range s.names {
			if !s.sieve.may(n) {
				t.Errorf("%s is held back", n)
			}
		}
	}
	if wordRuled.may("r") || collectable.may("c") || odfRuled.may("span") {
		t.Error("the commonest names pass")
	}
}

func keys[V any](m map[string]V) (names []string) {
	for n := range m {
		names = append(names, n)
	}
	return names
}
