package web

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
)

// record writes the access log and counts. The log has the path but never the
// query, a body or a header: those may hold names, tokens and secrets.
func (s *Server) record(c *fiber.Ctx, r *request, took time.Duration) {
	route, status := c.Route().Path, c.Response().StatusCode()
	if status == fiber.StatusNotFound && KindOf(r.fault) == NoRoute || route == "/" && c.Path() != "/" {
		route = "(none)"
	}
	s.metrics.request(c.Method(), route, status, took)
	holder := ""
	if r.holder != nil {
		holder = r.holder.ID
	}
	args := []any{"method", c.Method(), "path", c.Path(), "status", status, "ms", took.Milliseconds(),
		"client", r.client, "in", r.body.read}
	if holder != "" {
		args = append(args, "holder", holder)
	}
	switch {
	case r.fault != nil && KindOf(r.fault) == Kind(signing.Busy): // asked too much of us: no error of ours
		s.cfg.Log.Warn("request", append(args, "kind", KindOf(r.fault), "error", r.fault)...)
	case r.fault != nil && status >= 500:
		s.cfg.Log.Error("request", append(args, "kind", KindOf(r.fault), "error", r.fault)...)
	case r.fault != nil:
		s.cfg.Log.Info("request", append(args, "kind", KindOf(r.fault))...)
	default:
		s.cfg.Log.Info("request", args...)
	}
}

// metrics counts in memory; a restart begins at zero, as Prometheus expects of
// counters. Routes are patterns, so the number of series is bounded.
type metrics struct {
	mu         sync.Mutex
	requests   map[requestLabels]*requestCount
	signatures map[string]int64 // by result: "delivered" or the kind of error
}

type requestLabels struct {
	method, route string
	status        int
}

type requestCount struct {
	n       int64
	seconds float64
}

func newMetrics() *metrics {
	return &metrics{requests: map[requestLabels]*requestCount{}, signatures: map[string]int64{}}
}

func (m *metrics) request(method, route string, status int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := requestLabels{method, route, status}
	count := m.requests[key]
	if count == nil {
		count = &requestCount{}
		m.requests[key] = count
	}
	count.n++
	count.seconds += took.Seconds()
}

// signed counts the documents of one authorisation by its result.
func (m *metrics) signed(tx signing.Transaction, err error) {
	result, n := string(tx.State), int64(len(tx.Items))
	if err != nil {
		result, n = string(KindOf(err)), 1
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.signatures[result] += n
}

// text writes the counts in the Prometheus text format 0.0.4.
func (m *metrics) text(stamps *stampCounts) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]requestLabels, 0, len(m.requests))
	for k := range m.requests {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b requestLabels) int {
		return strings.Compare(a.route+" "+a.method+fmt.Sprint(a.status), b.route+" "+b.method+fmt.Sprint(b.status))
	})
	var b strings.Builder
	b.WriteString("# HELP sigillo_http_request_seconds Time spent on requests, by route, method and status.\n" +
		"# TYPE sigillo_http_request_seconds summary\n")
	for _, k := range keys {
		labels := fmt.Sprintf("{method=%q,route=%q,status=\"%d\"}", k.method, k.route, k.status)
		fmt.Fprintf(&b, "sigillo_http_request_seconds_count%s %d\n", labels, m.requests[k].n)
		fmt.Fprintf(&b, "sigillo_http_request_seconds_sum%s %g\n", labels, m.requests[k].seconds)
	}
	stamps.write(&b)
	b.WriteString("# HELP sigillo_signatures_total Signatures asked for, by result.\n# TYPE sigillo_signatures_total counter\n")
	results := make([]string, 0, len(m.signatures))
	for r := range m.signatures {
		results = append(results, r)
	}
	slices.Sort(results)
	for _, r := range results {
		fmt.Fprintf(&b, "sigillo_signatures_total{result=%q} %d\n", r, m.signatures[r])
	}
	return b.String()
}
