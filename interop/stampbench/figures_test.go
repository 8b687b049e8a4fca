package main

import (
	"strings"
	"testing"
	"time"

	"sigillo/interop/load"
)

// A side that was not measured is told as missing, and never as a ratio.
func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ours, theirs float64
		want         string
	}{
		{10, 4, "f\t10\t1/s\tpeer\t4\t2.500"},
		{0, 4, "f\tmissing\t1/s\tpeer\t4\tmissing"},
		{10, 0, "f\t10\t1/s\tpeer\tmissing\tmissing"},
	} {
		if got := text("f", c.ours, "1/s", "peer", c.theirs); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	r := &load.Report{Granted: 1, PerSecond: 9000, P99: 3 * time.Millisecond, ServerCPU: 80 * time.Microsecond, ResidentFrom: 50 << 20, ResidentTo: 51 << 20}
	ours := result{r, bare{10000, 40 * time.Microsecond}}
	all := map[string]measured{"soft": {}, "softhsm": {"c8": ours, "c32": ours, "o1000": ours}, "sigstore": {"c32": ours}}
	for key, want := range map[string][]string{
		"p256": {
			"tsa.p256.softhsm.c32.rps\t9000\t1/s\tthe bare token on all cores\t1e+04\t0.900",
			"tsa.p256.softhsm.c32.p99\t3\tms\tsigstore timestamp-server\t3\t1.000",
			"tsa.p256.softhsm.c32.cpu\t80\tµs\tthe bare signature\t40\t2.000",
			"tsa.p256.softhsm.resident\t51\tMB\tbefore the load\t50\t1.020",
			"tsa.p256.vs-sigstore.c32\tmissing\t1/s\tsigstore timestamp-server\t9000\tmissing",
		},
		"rsa2048": {
			"tsa.rsa2048.softhsm.c8.p99\t3\tms\tthe bare signatures of all clients\t0.8\t3.750",
			"tsa.rsa2048.softhsm.o1000.p99\t3\tms\tone bare signature\t0.1\t30.000",
		},
	} {
		got := lines(key, all)
		for _, w := range want {
			if !strings.Contains(got, w+"\n") {
				t.Errorf("%s: no line %q in\n%s", key, w, got)
			}
		}
		if strings.Contains(got, "soft.o1000") {
			t.Errorf("%s: a line for what was not measured:\n%s", key, got)
		}
	}
}
