package web

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"

	"github.com/valyala/fasthttp"
)

// Who asks is found out here and nowhere else: for the networks of the accounts, the
// lock-outs, the journal and the log.
//
// It is the other end of the connection, unless that is a proxy of our own
// ([Config.TrustedProxies]). Then it is who that proxy says it is talking to, which
// is what it has put last into X-Forwarded-For. Only the last element is the
// proxy's own word; whatever stands before came with the request, and anybody can
// have written it. So the list is read from its end, and the first address that is
// no trusted proxy is the client. Forwarded (RFC 7239) is not looked at: a proxy
// that writes the one header hands the other on as it came, so two would be one too
// many.

const forwardedFor = "X-Forwarded-For"

// peer is who is at the other end of a connection. It does not change during its
// life.
type peer struct {
	known       bool
	tls         bool
	proxy       bool // one that is trusted
	addr        netip.Addr
	certificate *x509.Certificate   // of the TLS client, its chain not looked at; nil: none
	chain       []*x509.Certificate // all that it sent
	cards       bool                // it came in by the door for cards
}

// peerOf finds out once per connection who is at the other end.
func (s *Server) peerOf(ctx *fasthttp.RequestCtx) peer {
	w, ok := ctx.Conn().(*watchedConn)
	if !ok { // a test without a listener
		return s.newPeer(ctx.Conn())
	}
	if !w.peer.known {
		w.peer = s.newPeer(w.Conn)
		w.peer.cards = w.cards
	}
	return w.peer
}

func (s *Server) newPeer(conn net.Conn) peer {
	p := peer{known: true}
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		p.addr = tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	p.proxy = s.trusts(p.addr)
	if secure, ok := conn.(*tls.Conn); ok {
		p.tls = true
		// The handshake is over: it is what the request came through.
		if certificates := secure.ConnectionState().PeerCertificates; len(certificates) > 0 {
			p.certificate, p.chain = certificates[0], certificates
		}
	}
	return p
}

func (s *Server) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(s.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// client is who asks: the address, the zero one when a proxy tells none that can be
// read, and the certificate of the connection, which behind a proxy is the proxy's
// and says nothing.
func (s *Server) client(ctx *fasthttp.RequestCtx) (netip.Addr, *x509.Certificate) {
	p := s.peerOf(ctx)
	if !p.proxy {
		return p.addr, p.certificate
	}
	lines := ctx.Request.Header.PeekAll(forwardedFor)
	if len(lines) == 0 {
		return p.addr, p.certificate // the proxy's own question, such as whether we live
	}
	addr := p.addr
	for _, line := range slices.Backward(lines) {
		for more := true; more; {
			var element []byte
			element, line, more = cutLast(line)
			if len(element) == 0 {
				continue // RFC 9110 §5.6.1.2
			}
			if addr = hop(element); !s.trusts(addr) {
				return addr, nil
			}
		}
	}
	return addr, nil // proxies all the way: the one farthest off asks
}

// clientName is the address as it is written into logs and journals.
func (s *Server) clientName(ctx *fasthttp.RequestCtx) string {
	if addr, _ := s.client(ctx); addr.IsValid() {
		return addr.String()
	}
	return "unknown"
}

// cutLast cuts the last element off a list.
func cutLast(line []byte) (element, before []byte, more bool) {
	at := bytes.LastIndexByte(line, ',')
	if at < 0 {
		return bytes.TrimSpace(line), nil, false
	}
	return bytes.TrimSpace(line[at+1:]), line[:at], true
}

// hop reads an element: an address, or an address and a port as some proxies write
// it. The zero address is returned for anything else.
func hop(element []byte) netip.Addr {
	if len(element) > len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535") {
		return netip.Addr{}
	}
	text := string(element)
	addr, err := netip.ParseAddr(text)
	if err != nil {
		both, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		addr = both.Addr()
	}
	return addr.Unmap().WithZone("")
}
