package main

import (
	"crypto/tls"
	"fmt"
	"net"
)

// tlsListener speaks TLS. With ask, clients are asked for a certificate, which they
// need not have; who it belongs to is for the rooms that know their customers.
func tlsListener(ln net.Listener, cert, key string, ask bool) (net.Listener, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		ln.Close()
		return nil, fmt.Errorf("tls_certificate, tls_key: %w", err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if ask {
		cfg.ClientAuth = tls.RequestClientCert
	}
	return tls.NewListener(ln, cfg), nil
}
