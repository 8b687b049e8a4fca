package appliance

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sigillo/vault"
)

// A vault is silent when it has answered nothing for as long as there is patience. A
// refusal is an answer, and one that comes between begins anew.
func TestSilent(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, c := range []struct {
		name  string
		say   func(ctx context.Context, n int) error // to the nth question
		after time.Duration                          // 0: never
	}{
		{"answers", func(context.Context, int) error { return nil }, 0},
		{"refuses", func(context.Context, int) error { return &vault.Error{Kind: vault.Busy} }, 0},
		{"hangs", hang, 30 * second},
		{"gone", func(context.Context, int) error { return &vault.Error{Kind: vault.Unavailable} }, 30 * second},
		{"hangs later", func(ctx context.Context, n int) error {
			if n < 5 {
				return nil
			}
			return hang(ctx, n)
		}, 70 * second},
		{"answers now and then", func(ctx context.Context, n int) error {
			if n%3 == 0 {
				return nil
			}
			return hang(ctx, n)
		}, 0},
		{"slow", func(context.Context, int) error { time.Sleep(9 * second); return nil }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			n, start := 0, time.Now()
			got := silent(ctx, func(ctx context.Context) error { n++; return c.say(ctx, n) }, 30*second)
			if took := time.Since(start); got != (c.after > 0) || got && took != c.after {
				t.Errorf("%s: %v after %v", c.name, got, took)
			}
		})
	}
}

func hang(ctx context.Context, _ int) error {
	<-ctx.Done()
	return &vault.Error{Kind: vault.Unavailable, Err: ctx.Err()}
}
