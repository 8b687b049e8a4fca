package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
)

// tlsListener speaks TLS. With ask, clients are asked for a certificate, which they
// need not have; who it belongs to is for the rooms that know their customers.
func tlsListener(ln net.Listener, cert, key string, ask bool) (net.Listener, error) {
	cfg, err := tlsConfig(cert, key)
	if err != nil {
		ln.Close()
		return nil, err
	}
	if ask {
		cfg.ClientAuth = tls.RequestClientCert
	}
	return tls.NewListener(ln, cfg), nil
}

// cardListener asks for a certificate of these authorities: browsers offer no others.
// One that is not good is let through, so that a page can say what is wrong with it,
// where TLS would end in an error that no person understands. Each connection proves
// anew that the card is there: none is resumed.
func cardListener(ln net.Listener, cert, key string, authorities []*x509.Certificate) (net.Listener, error) {
	cfg, err := tlsConfig(cert, key)
	if err != nil {
		ln.Close()
		return nil, err
	}
	cfg.ClientAuth, cfg.ClientCAs, cfg.SessionTicketsDisabled = tls.RequestClientCert, x509.NewCertPool(), true
	for _, c := range authorities {
		cfg.ClientCAs.AddCert(c)
	}
	return tls.NewListener(ln, cfg), nil
}

func tlsConfig(cert, key string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls_certificate, tls_key: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
