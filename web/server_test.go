package web

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// TestServeWhenAlreadyEnded: a context that ends before the listener is being
// served must not leave Serve waiting for connections.
func TestServeWhenAlreadyEnded(t *testing.T) {
	t.Parallel()
	for range 3 { // the shutdown races with the start
		w := newRooms(t)
		srv, err := New(Config{Signing: w, Accounts: w})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		done := make(chan error, 1)
		go func() { done <- srv.Serve(ctx, ln, nil) }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("Serve: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("Serve has not returned after 5 s")
		}
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("the listener is not closed: %v", err)
		}
	}
}
