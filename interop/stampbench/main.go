// Command stampbench measures how fast the time-stamping authority is, beside
// what its keys can do bare and beside another authority, all in one run: for
// each type of key a closed loop with 8 and with 32 clients and an open loop with
// 1,000, 4,000 and 8,000 requests a second. The archive, the journal and the
// accounts are those of the product, durable before every answer.
//
// "soft" is a key in the memory of the server's process, "softhsm" one in SoftHSM
// behind the vault's socket: there the product itself is measured, as a user
// starts it.
//
// It prints lines of the table of make bench on standard output, and all that was
// seen on standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"sigillo/interop/load"
)

// shape is one way to put a server under load.
type shape struct {
	name          string
	clients, rate int
}

var shapes = []shape{{"c8", 8, 0}, {"c32", 32, 0}, {"o1000", 32, 1000}, {"o4000", 32, 4000}, {"o8000", 32, 8000}}

// bench is one run.
type bench struct {
	dir       string // for everything, thrown away
	sigillo   string // programs; "": missing
	softtsa   string
	sigstore  string
	time      time.Duration
	shapes    []string
	untouched bool // nothing failed so far
}

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "stampbench:", err)
		os.Exit(1)
	}
}

func start() error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	b := &bench{untouched: true}
	flag.StringVar(&b.sigillo, "sigillo", "", "the product")
	flag.StringVar(&b.softtsa, "softtsa", "", "our authority over keys in its memory")
	flag.StringVar(&b.sigstore, "sigstore", "", "sigstore's timestamp-server")
	flag.DurationVar(&b.time, "for", 5*time.Second, "how long each figure is measured")
	keys := flag.String("keys", "p256,rsa2048,rsa3072", "types of keys")
	only := flag.String("shapes", "", "only these, such as c32,o8000")
	flag.Parse()
	for _, s := range shapes {
		if *only == "" || slices.Contains(strings.Split(*only, ","), s.name) {
			b.shapes = append(b.shapes, s.name)
		}
	}
	dir, err := os.MkdirTemp("", "sigillo-stampbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	for _, key := range strings.Split(*keys, ",") {
		if err := b.key(ctx, key); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if !b.untouched {
		return errors.New("there were errors, see above")
	}
	return nil
}

// result is what a server showed under one shape of load, and what its key did
// alone just before and after.
type result struct {
	*load.Report
	bare bare
}

// measured are the results of a server by shape.
type measured map[string]result

// key measures all servers with one type of key. They take turns under each
// shape, so that a slow minute of the machine is shared.
func (b *bench) key(ctx context.Context, key string) error {
	var servers []*server
	for _, start := range []func(context.Context, string) (*server, error){b.startSoft, b.startProduct, b.startSigstore} {
		s, err := start(ctx, key)
		if err != nil {
			return err
		}
		if s != nil {
			defer s.stop()
			servers = append(servers, s)
		}
	}
	keys, stop, err := b.bareKeys(ctx, key)
	if err != nil {
		return err
	}
	defer stop()
	results := map[string]measured{}
	for _, s := range servers {
		results[s.name] = measured{}
	}
	for _, sh := range shapes {
		if !slices.Contains(b.shapes, sh.name) {
			continue
		}
		for _, s := range servers {
			before, err := signing(keys[s.floor], b.time/5)
			if err != nil {
				return err
			}
			if sh.rate > 0 && float64(sh.rate) > 0.9*before.rate {
				fmt.Fprintf(os.Stderr, "%s %s %s: not measured, the bare key makes only %.0f/s\n", key, s.name, sh.name, before.rate)
				continue
			}
			r, err := b.measure(ctx, key, s, sh)
			if err != nil {
				return err
			}
			after, err := signing(keys[s.floor], b.time/5)
			if err != nil {
				return err
			}
			results[s.name][sh.name] = result{r, mean(before, after)}
			fmt.Fprintf(os.Stderr, "%s %s %s: the bare key made %.0f/s before and %.0f/s after\n", key, s.name, sh.name, before.rate, after.rate)
		}
	}
	fmt.Print(lines(key, results))
	return nil
}

func (b *bench) measure(ctx context.Context, key string, s *server, sh shape) (*load.Report, error) {
	r, err := load.Run(ctx, load.Options{Addr: s.addr, Path: s.path, Clients: sh.clients, Rate: sh.rate, Warm: b.time / 4, For: b.time,
		PIDs: []int{s.pid}, Verify: 2000, Serials: true})
	if err != nil {
		return nil, fmt.Errorf("%s under %s: %w", s.name, sh.name, err)
	}
	fmt.Fprintf(os.Stderr, "%s %s %s: %s\n", key, s.name, sh.name, r)
	if r.Errors > 0 || r.Twice > 0 {
		fmt.Fprintf(os.Stderr, "%s %s %s: %d errors, %d serial numbers twice; first error: %v\n", key, s.name, sh.name, r.Errors, r.Twice, r.FirstError)
		if s.ours {
			b.untouched = false
		}
	}
	return r, nil
}
