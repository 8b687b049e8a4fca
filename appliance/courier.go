package appliance

import (
	"context"
	"fmt"
	"io"
	"os/exec"

	"golang.org/x/sys/unix"

	"sigillo/auth/courier"
	"sigillo/rlimit"
)

// RunCourier is the body of `sigillo courier`: the process that hands one-time codes
// to the provider of short messages, a child of the vault. It takes orders from in
// until that ends.
func RunCourier(ctx context.Context, dir string, in io.Reader, out io.Writer) error {
	cfg, err := LoadConfig(dir)
	if err != nil {
		return err
	}
	// Codes are in its memory.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("appliance: courier: %w", err)
	}
	if err := rlimit.Set(unix.RLIMIT_CORE, 0); err != nil {
		return fmt.Errorf("appliance: courier: %w", err)
	}
	return courier.Run(ctx, in, out, cfg.courier(dir))
}

// CourierCommand makes the commands that start it, for [courier.Start]; nil when the
// configuration names no driver.
func (c Config) CourierCommand(exe, dir string) func() *exec.Cmd {
	if c.Courier.Driver == "" {
		return nil
	}
	return func() *exec.Cmd {
		cmd := exec.Command(exe, "courier", "--dir", dir)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent"}
		return cmd
	}
}
