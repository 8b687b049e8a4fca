package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// service has a throw-away appliance sign with every type of key that its token
// has, through HTTP, and its signatures judged. It prints a matrix of its own;
// what it counts is added here.
func (r *run) service(ctx context.Context) error {
	args := []string{"interop", "--documents", r.documents}
	if r.dss != nil {
		args = append(args, "--dss", strings.Join(r.dssOnce, " "))
	}
	if r.hanko != nil {
		args = append(args, "--pyhanko", strings.Join(r.hankoOnce, " "))
	}
	if r.contract != "" {
		args = append(args, "--schemathesis", r.contract)
	}
	cmd := exec.CommandContext(ctx, r.sigillo, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	passed, failed := -1, -1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var p, f int
		if n, _ := fmt.Sscanf(lines.Text(), "%d passed, %d failed", &p, &f); n == 2 {
			passed, failed = p, f
			continue
		}
		if !strings.HasPrefix(lines.Text(), "  ok ") { // the matrix tells what is right
			fmt.Println(lines.Text())
		}
	}
	err = cmd.Wait()
	if passed < 0 || err != nil && failed == 0 {
		return fmt.Errorf("%s interop: %v", r.sigillo, err)
	}
	r.matrix.passed += passed
	r.matrix.failed += failed
	return nil
}
