package pdf

// The caches keep what was used last within a fixed budget. Both let the oldest entry go first: access to a PDF is mostly
// once through, or a few objects (pages, fonts) again and again within a short time.

const (
	cacheObjects = 4096
	cacheText    = 1 << 20 // bytes of text of the cached objects; in memory they take some ten times that
	cacheStreams = 4 << 20 // decoded bytes of the cached object streams
)

type cached struct {
	o    Object
	cost int64
}

type objectCache struct {
	m     map[Ref]cached
	order []Ref
	cost  int64
}

func (c *objectCache) get(ref Ref) (Object, bool) {
	v, ok := c.m[ref]
	return v.o, ok
}

func (c *objectCache) put(ref Ref, o Object, cost int64) {
	if cost > cacheText/4 {
		return
	}
	if c.m == nil {
		c.m = map[Ref]cached{}
	}
	for len(c.order) > 0 && (len(c.order) >= cacheObjects || c.cost+cost > cacheText) {
		c.cost -= c.m[c.order[0]].cost
		delete(c.m, c.order[0])
		c.order = c.order[1:]
	}
	c.m[ref] = cached{o, cost}
	c.order = append(c.order, ref)
	c.cost += cost
}

// objectStream is a decoded object stream with the numbers and offsets of its objects.
type objectStream struct {
	num  int
	name string // for messages
	data []byte
	nums []int
	offs []int
}

type streamCache struct {
	list []*objectStream
	cost int
}

func (c *streamCache) get(num int) *objectStream {
	for _, s := range c.list {
		if s.num == num {
			return s
		}
	}
	return nil
}

func (c *streamCache) put(s *objectStream) {
	for len(c.list) > 0 && c.cost+len(s.data) > cacheStreams {
		c.cost -= len(c.list[0].data)
		c.list = c.list[1:]
	}
	c.list = append(c.list, s)
	c.cost += len(s.data)
}
