package main

import (
	"fmt"
	"strings"
	"time"
)

const sigstoreTitle = "sigstore timestamp-server"

// lines are the figures of one type of key. Rates and processor time stand beside
// those of the bare key, latencies beside sigstore's in the same run where that has
// such a key; where it has not, beside what they would be if nothing but the key
// took time. Processor time means most where the machine has other work.
func lines(key string, results map[string]measured) string {
	var out strings.Builder
	line := func(figure string, ours float64, unit, with string, theirs float64) {
		out.WriteString(text(figure, ours, unit, with, theirs) + "\n")
	}
	peer := results["sigstore"]
	for _, backend := range []struct{ name, floor string }{{"soft", "the bare key on all cores"}, {"softhsm", "the bare token on all cores"}} {
		all, there := results[backend.name]
		for _, sh := range shapes {
			name := fmt.Sprintf("tsa.%s.%s.%s", key, backend.name, sh.name)
			r, seen := all[sh.name]
			if !seen && there {
				continue // not measured, which was told
			}
			if sh.rate == 0 {
				line(name+".rps", rate(r), "1/s", backend.floor, r.bare.rate)
			}
			if key == "p256" {
				line(name+".p99", p99(r), "ms", sigstoreTitle, p99(peer[sh.name]))
			} else {
				floor, with := 1000/r.bare.rate, "one bare signature"
				if sh.rate == 0 {
					floor, with = floor*float64(sh.clients), "the bare signatures of all clients"
				}
				line(name+".p99", p99(r), "ms", with, floor)
			}
			if sh.name == "c32" {
				line(name+".cpu", cpu(r), "µs", "the bare signature", float64(r.bare.cpu)/float64(time.Microsecond))
			}
		}
		if r, seen := all["c32"]; seen {
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
		line("tsa.p256.vs-sigstore."+sh.name+".cpu", cpu(results["soft"][sh.name]), "µs", sigstoreTitle, cpu(peer[sh.name]))
	}
	return out.String()
}

// The figures of a report; 0 when it is missing.

func rate(r result) float64 {
	if r.Report == nil {
		return 0
	}
	return r.PerSecond
}

func p99(r result) float64 {
	if r.Report == nil {
		return 0
	}
	return float64(r.P99) / float64(time.Millisecond)
}

func cpu(r result) float64 {
	if r.Report == nil {
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
