package main

import (
	"fmt"
	"strings"
	"time"

	"sigillo/interop/load"
)

const sigstoreTitle = "sigstore timestamp-server"

// lines are the figures of one type of key. Rates stand beside the bare rate
// of the key, latencies and processor time beside sigstore's in the same run where
// that has such a key; where it has not, latencies stand beside what they would be
// if nothing but the key took time.
func lines(key string, floors map[string]float64, results map[string]measured) string {
	var out strings.Builder
	line := func(figure string, ours float64, unit, with string, theirs float64) {
		out.WriteString(text(figure, ours, unit, with, theirs) + "\n")
	}
	peer := results["sigstore"]
	for _, backend := range []struct{ name, floor string }{{"soft", "the bare key on all cores"}, {"softhsm", "the bare token on all cores"}} {
		all, there := results[backend.name]
		for _, sh := range shapes {
			name := fmt.Sprintf("tsa.%s.%s.%s", key, backend.name, sh.name)
			r := all[sh.name]
			if r == nil && there {
				continue // not measured, which was told
			}
			bare := floors[backend.name]
			if sh.rate == 0 {
				line(name+".rps", rate(r), "1/s", backend.floor, bare)
			}
			if theirs := peer[sh.name]; key == "p256" {
				line(name+".p99", p99(r), "ms", sigstoreTitle, p99(theirs))
				if sh.name == "c32" {
					line(name+".cpu", cpu(r), "µs", sigstoreTitle, cpu(theirs))
				}
				continue
			}
			floor, with := 1000/bare, "one bare signature"
			if sh.rate == 0 {
				floor, with = floor*float64(sh.clients), "the bare signatures of all clients"
			}
			line(name+".p99", p99(r), "ms", with, floor)
		}
		if r := all["c32"]; r != nil {
			const mb = 1 << 20
			line(fmt.Sprintf("tsa.%s.%s.resident", key, backend.name), float64(r.ResidentTo)/mb, "MB", "before the load", float64(r.ResidentFrom)/mb)
		}
	}
	if key != "p256" {
		return out.String()
	}
	for _, sh := range shapes[:2] {
		line("tsa.p256.vs-sigstore."+sh.name, rate(results["soft"][sh.name]), "1/s", sigstoreTitle, rate(peer[sh.name]))
		line("tsa.p256.softhsm.vs-sigstore."+sh.name, rate(results["softhsm"][sh.name]), "1/s", sigstoreTitle, rate(peer[sh.name]))
	}
	return out.String()
}

// The figures of a report; 0 when it is missing.

func rate(r *load.Report) float64 {
	if r == nil {
		return 0
	}
	return r.PerSecond
}

func p99(r *load.Report) float64 {
	if r == nil {
		return 0
	}
	return float64(r.P99) / float64(time.Millisecond)
}

func cpu(r *load.Report) float64 {
	if r == nil {
		return 0
	}
	return float64(r.ServerCPU) / float64(time.Microsecond)
}

// text is the line of a figure; a side that was not measured is called missing.
func text(figure string, ours float64, unit, with string, theirs float64) string {
	number := func(v float64) string {
		if v == 0 {
			return "missing"
		}
		return fmt.Sprintf("%.4g", v)
	}
	ratio := "missing"
	if ours != 0 && theirs != 0 {
		ratio = fmt.Sprintf("%.3f", ours/theirs)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", figure, number(ours), unit, with, number(theirs), ratio)
}
