// Command stampload asks a time-stamping service for stamps and tells how fast it
// is: rate, latencies, and what a stamp costs the server's processes. See package
// sigillo/interop/load for how it measures.
//
//	stampload -c 32 -for 10s -pid 4711 127.0.0.1:8080/tsa     closed loop
//	stampload -c 32 -rate 4000 127.0.0.1:8080/tsa             open loop
package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"sigillo/interop/load"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "stampload:", err)
		os.Exit(1)
	}
}

func start() error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	var o load.Options
	flag.IntVar(&o.Clients, "c", 8, "connections")
	flag.IntVar(&o.Rate, "rate", 0, "requests a second of the open loop; 0 is the closed loop")
	flag.DurationVar(&o.For, "for", 10*time.Second, "how long to measure")
	flag.DurationVar(&o.Warm, "warm", 2*time.Second, "how long to warm up before")
	flag.IntVar(&o.Verify, "verify", 1000, "verify each so many-th answer in full; 0 is none")
	flag.BoolVar(&o.Serials, "serials", false, "tell which serial numbers were given twice")
	flag.BoolVar(&o.Stubborn, "stubborn", false, "go on when the server breaks down")
	pid := flag.Int("pid", 0, "process of the server, to tell what it uses with all it started")
	root := flag.String("root", "", "PEM file of the authority that the tokens' certificates must lead to")
	user := flag.String("user", "", "name:password for HTTP Basic")
	flag.Parse()
	if flag.NArg() != 1 {
		return errors.New("one address is wanted, host:port/path")
	}
	addr, path, _ := strings.Cut(strings.TrimPrefix(flag.Arg(0), "http://"), "/")
	o.Addr, o.Path = addr, "/"+path
	if *pid != 0 {
		o.PIDs = []int{*pid}
	}
	if *user != "" {
		o.Header = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(*user)) + "\r\n"
	}
	if *root != "" {
		var err error
		if o.Root, err = certificate(*root); err != nil {
			return err
		}
	}
	r, err := load.Run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Println(r)
	if r.Errors > 0 || r.Twice > 0 {
		return fmt.Errorf("%d errors, %d serial numbers twice; first error: %v", r.Errors, r.Twice, r.FirstError)
	}
	return nil
}

func certificate(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: no certificate in PEM", path)
	}
	return x509.ParseCertificate(block.Bytes)
}
