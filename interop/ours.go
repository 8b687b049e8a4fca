package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// ours is our own validator, through the command that people use.
type ours struct {
	program string
	files   pkiFiles
}

func (o *ours) name() string { return "sigillo" }

func (o *ours) missing() string { return "" }

func (o *ours) can(sample) bool { return true }

// report is what is read of the JSON that sigillo verify prints.
type report struct {
	Signatures []struct {
		Form          string
		Level         string
		Indication    string
		SubIndication string
		Reasons       []struct{ Code, En string }
	}
	Indication string
}

func (o *ours) judge(ctx context.Context, s sample) opinion {
	args := []string{"verify", "--json", "--offline", "--trust", o.files.root, "--crl", o.files.rootCRL, "--crl", o.files.caCRL}
	for _, c := range s.contents {
		args = append(args, "--detached", c)
	}
	if s.password != "" {
		file := s.path + ".password"
		if err := os.WriteFile(file, []byte(s.password+"\n"), 0o600); err != nil {
			return doubt("%v", err)
		}
		args = append(args, "--password-file", file)
	}
	cmd := exec.CommandContext(ctx, o.program, append(args, s.path)...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return doubt("%v", err)
	}
	code := cmd.ProcessState.ExitCode()
	var r report
	if err := json.Unmarshal(bytes.TrimSpace(out), &r); err != nil {
		return doubt("exit %d, %s %s", code, out, complaint.Bytes())
	}
	var levels []string
	saw := fmt.Sprintf("exit %d", code)
	for _, g := range r.Signatures {
		levels = append(levels, g.Level)
		saw += fmt.Sprintf(" %s %s %s %s %v;", g.Form, g.Level, g.Indication, g.SubIndication, g.Reasons)
	}
	switch {
	case code == 0 && (s.altered || sameLevels(levels, s.levels)):
		return accept(saw)
	case code == 2:
		return refuse(saw)
	}
	return doubt("%s, not %s TOTAL_PASSED", saw, s.levels)
}

// sameLevels compares what we call the levels with what EU DSS does. The order
// of the signatures is each reader's own; a counter-signature may be told inside
// of the signature it counter-signs.
func sameLevels(got []string, levels string) bool {
	if levels == "TIMESTAMP" || levels == "EVIDENCE" {
		return true // the exit code says that it is good
	}
	var want []string
	counters := 0
	for l := range strings.SplitSeq(levels, ",") {
		if strings.HasPrefix(l, "counter:") {
			counters++
			continue
		}
		want = append(want, "B-"+l[strings.LastIndex(l, "-")+1:])
	}
	slices.Sort(got)
	slices.Sort(want)
	if counters > 0 {
		for _, w := range want {
			if !slices.Contains(got, w) {
				return false
			}
		}
		return len(got) == len(want) || len(got) == len(want)+counters
	}
	return slices.Equal(got, want)
}

func (o *ours) limit(sample) string { return "" }
