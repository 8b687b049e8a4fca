package appliance

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"sigillo/auth/courier"
	"sigillo/rlimit"
	"sigillo/vault"
)

// RunCourier is the body of `sigillo courier`: the process that hands one-time codes
// to the provider of short messages, or with keep the one between it and the vault,
// whose child it is. It takes orders from in until that ends.
func RunCourier(ctx context.Context, dir string, keep bool, in io.Reader, out io.Writer) error {
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
	if !keep {
		return courier.Run(ctx, in, out, cfg.courier(dir))
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("appliance: courier: %w", err)
	}
	return courier.Keep(ctx, in, out, courierCommand(exe, dir, false))
}

func courierCommand(exe, dir string, keep bool) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := exec.Command(exe, "courier", "--dir", dir)
		if keep {
			cmd.Args = append(cmd.Args, "--keep")
		}
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent"}
		return cmd
	}
}

// startCourier starts the courier of the vault, before that gives up its right to
// start programs. nil: the configuration names none. close ends it.
func (c Config) startCourier(dir string) (messages vault.Courier, close func(), err error) {
	if c.Courier.Driver == "" {
		return nil, func() {}, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("appliance: courier: %w", err)
	}
	started, err := courier.Start(courierCommand(exe, dir, true), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("appliance: %w", err)
	}
	return started, func() { started.Close() }, nil
}
