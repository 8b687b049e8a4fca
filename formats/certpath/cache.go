package certpath

import "sync"

// cacheKey is a SHA-256 that names what is remembered.
type cacheKey [32]byte

// Cache remembers right signatures and lists already read, for as many
// validations as one likes. What it knows is true for ever: it holds nothing
// that depends on time or trust. It may be used by many goroutines.
type Cache struct {
	mu sync.Mutex
	// Two generations: what was used since the last change of generation, and
	// what was used in the one before. What was used in neither is forgotten.
	young, old map[cacheKey]cached
	cost, max  int // of young, in octets; at max the generation changes
}

type cached struct {
	value any
	cost  int
}

const perEntry = 128 // octets that an entry takes beside its value

// NewCache makes a cache that takes about so many octets at most, counting the
// lists it keeps; 0: 64 MB. A list of more than half of that is not kept.
func NewCache(octets int) *Cache {
	if octets <= 0 {
		octets = 64 << 20
	}
	return &Cache{max: octets / 2, young: map[cacheKey]cached{}}
}

func (c *Cache) get(k cacheKey) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.young[k]; ok {
		return e.value, true
	}
	e, ok := c.old[k]
	if ok {
		delete(c.old, k)
		c.keep(k, e)
	}
	return e.value, ok
}

// put remembers a value that takes so many octets.
func (c *Cache) put(k cacheKey, value any, octets int) {
	if octets > c.max-perEntry {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.young[k]; !ok {
		c.keep(k, cached{value, octets + perEntry})
	}
}

func (c *Cache) keep(k cacheKey, e cached) {
	if c.cost+e.cost > c.max {
		c.young, c.old, c.cost = map[cacheKey]cached{}, c.young, 0
	}
	c.young[k] = e
	c.cost += e.cost
}
