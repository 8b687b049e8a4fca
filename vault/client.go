package vault

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sigillo/hsm"
	"sigillo/store"
)

const (
	poolSize    = 16               // requests about holders' keys under way at most
	guestSlots  = 4                // sign-ins under way at most
	guestWait   = 5 * time.Second  // how long a sign-in waits for one of them
	houseSlots  = 8                // uses of the keys of the house under way at most
	controlSize = 4                // questions how the vault is, under way at most
	slotWait    = 20 * time.Second // how long others wait for a slot
	slotWaiters = 64               // how many do, of a class
	dialWait    = 10 * time.Second // how long a socket may be away
	dialPause   = 50 * time.Millisecond
	callTimeout = 90 * time.Second // for a context without a deadline
	signTimeout = 30 * time.Second // for crypto.Signer, which has no context
)

// Client speaks to the vault. It may be used by many goroutines at once; each
// request has a connection to itself, at most 32 are open, and each class of requests
// has its share: sixteen for holders' keys, four for Authenticate, which anybody on
// the network can cause and which is slow by design, eight for the keys of the house,
// four for questions how the vault is. However many sign in, or wait for a slow token
// to sign, the others go on. Who finds too many waiting, or waits too long, is told
// [Busy].
//
// When a connection breaks under a request, the request is sent once more, with
// the same identifier, over a fresh connection, for which the client waits up to
// ten seconds: the time a parent needs to start the vault again. Every operation
// is made so that this is harmless.
type Client struct {
	socket string
	slots  [classes]chan struct{} // one taken for each request under way
	queued [classes]atomic.Int32  // requests that wait for a slot

	guestWait time.Duration
	stamping  *stamping

	mu     sync.Mutex
	idle   []*net.UnixConn // guarded by mu
	closed bool            // guarded by mu
	ticket []byte          // guarded by mu; of the activation that holds, see [Client.ActivateUnit]
}

// Dial returns a client of the vault at socket. It connects at the first request.
func Dial(socket string) *Client {
	c := &Client{socket: socket, guestWait: guestWait}
	for class, size := range [classes]int{holderClass: poolSize, guestClass: guestSlots, houseClass: houseSlots, controlClass: controlSize} {
		c.slots[class] = make(chan struct{}, size)
	}
	c.stamping = newStamping(c)
	return c
}

// Close closes the idle connections and the stream of stamps, and tells those who
// wait for one; other requests under way end by themselves.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	clear(c.ticket)
	c.mu.Unlock()
	c.stamping.close()
	c.dropIdle()
	return nil
}

// Status asks how the vault is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, opStatus, nil, &s)
}

// WitnessJournal tells the vault a checkpoint of its journal that the caller has
// kept, see [Status]. Tampered when its journal is not the one that went on from
// there: its state was set back.
func (c *Client) WitnessJournal(ctx context.Context, known store.Checkpoint) error {
	return c.call(ctx, opWitnessJournal, known, nil)
}

// SelfTest has the token tried: does it enforce what the vault relies on?
func (c *Client) SelfTest(ctx context.Context) (r hsm.Report, err error) {
	return r, c.call(ctx, opSelfTest, nil, &r)
}

// CreateKey has the token make an infrastructure key. Only a vault that was
// started to be provisioned does it; NotAllowed otherwise, when the label is not
// one of root-ca, issuing-ca, tsa-ca, ocsp-issuing, ocsp-tsa, tsu-1, journal,
// or when the key exists.
func (c *Client) CreateKey(ctx context.Context, label string, kt hsm.KeyType) (crypto.PublicKey, error) {
	return c.key(ctx, opCreateKey, keyRequest{Label: label, Type: kt})
}

// Signer returns an infrastructure key. It signs digests of SHA-256, SHA-384 and
// SHA-512 only. Each use has 30 seconds.
func (c *Client) Signer(ctx context.Context, label string) (crypto.Signer, error) {
	pub, err := c.key(ctx, opPublicKey, keyRequest{Label: label})
	if err != nil {
		return nil, err
	}
	return &remoteSigner{c: c, label: label, pub: pub}, nil
}

func (c *Client) key(ctx context.Context, op string, q keyRequest) (crypto.PublicKey, error) {
	var a keyAnswer
	if err := c.call(ctx, op, q, &a); err != nil {
		return nil, err
	}
	pub, err := x509.ParsePKIXPublicKey(a.SPKI)
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the vault answered with something that is not a public key", Err: err}
	}
	return pub, nil
}

// Enrol makes the factors of a new holder and the otpauth:// URI of their OTP,
// which is shown once and kept nowhere. NotAllowed when the holder is enrolled
// already; BadRequest when the password is too weak ([auth.CheckPassword] tells
// a face why, before it asks). e.Password is wiped.
func (c *Client) Enrol(ctx context.Context, e Enrolment) (Factors, string, error) {
	defer clear(e.Password)
	var a enrolAnswer
	err := c.call(ctx, opEnrol, e, &a)
	return a.Factors, a.URI, err
}

// CreateCredential makes a key of a holder and a PKCS#10 request signed by it
// (subject: CN=ID), which proves possession. n.Password is wiped.
func (c *Client) CreateCredential(ctx context.Context, n NewCredential) (Credential, []byte, error) {
	defer clear(n.Password)
	var a credentialAnswer
	err := c.call(ctx, opCreateCredential, n, &a)
	return a.Credential, a.CSR, err
}

// Authenticate checks both factors and uses up the second. Busy when too many sign
// in at the same time. a.Password is wiped.
func (c *Client) Authenticate(ctx context.Context, a Authentication) (r Recognition, err error) {
	defer clear(a.Password)
	return r, c.call(ctx, opAuthenticate, a, &r)
}

// Authorise checks both factors, consumes the OTP and mints a SAD. a.Password is
// wiped.
func (c *Client) Authorise(ctx context.Context, a Authorisation) (s SAD, err error) {
	defer clear(a.Password)
	return s, c.call(ctx, opAuthorise, a, &s)
}

// Sign consumes a SAD and returns one signature for each digest, in their order.
// ECDSA signatures are DER (RFC 3279 §2.2.3).
func (c *Client) Sign(ctx context.Context, a Activation) (signatures [][]byte, err error) {
	var r signaturesAnswer
	if err := c.call(ctx, opSign, a, &r); err != nil {
		return nil, err
	}
	if len(r.Signatures) != len(a.Digests) {
		return nil, fail(Failed, "the vault answered with another number of signatures")
	}
	return r.Signatures, nil
}

// remoteSigner is an infrastructure key behind the socket.
type remoteSigner struct {
	c     *Client
	label string
	pub   crypto.PublicKey
}

func (s *remoteSigner) Public() crypto.PublicKey { return s.pub }

func (s *remoteSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	q := digestRequest{Label: s.label, Digest: digest}
	for name, h := range hashes {
		if opts != nil && h == opts.HashFunc() {
			q.Hash = name
		}
	}
	if q.Hash == "" {
		return nil, fail(NotAllowed, "keys sign digests of SHA-256, SHA-384 or SHA-512 only")
	}
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		q.PSS = true
		switch pss.SaltLength {
		case rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, opts.HashFunc().Size():
		default:
			return nil, fail(NotAllowed, "RSA-PSS is signed with a salt as long as the hash only")
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), signTimeout)
	defer cancel()
	var a signatureAnswer
	err := s.c.call(ctx, opSignDigest, q, &a)
	return a.Signature, err
}

// call sends a request and reads the answer into out.
func (c *Client) call(ctx context.Context, op string, body, out any) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	id := newID()
	f, err := frame(struct {
		ID   string `json:"id"`
		Op   string `json:"op"`
		Body any    `json:"body,omitempty"`
	}{id, op, body})
	if err != nil {
		return err
	}
	defer clear(f)
	leave, err := c.enter(ctx, op)
	if err != nil {
		return err
	}
	defer leave()
	b, err := c.send(ctx, f)
	if err != nil {
		return err
	}
	defer clear(b)
	var a answer
	if err := json.Unmarshal(b, &a); err != nil || a.ID != id && a.Error == nil {
		return &Error{Kind: Failed, Msg: "the vault gave an answer that does not belong to the request", Err: err}
	}
	defer clear(a.Body)
	if a.Error != nil {
		return fromWire(a.Error)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(a.Body, out); err != nil {
		return &Error{Kind: Failed, Msg: "the vault gave an answer that cannot be read", Err: err}
	}
	return nil
}

// upgrade turns a fresh connection into a stream of stamps.
func (c *Client) upgrade(ctx context.Context, conn *net.UnixConn) error {
	c.mu.Lock()
	q := struct {
		ID   string        `json:"id"`
		Op   string        `json:"op"`
		Body streamRequest `json:"body"`
	}{newID(), opStampStream, streamRequest{Ticket: append([]byte(nil), c.ticket...)}}
	c.mu.Unlock()
	f, err := frame(q)
	clear(q.Body.Ticket)
	if err != nil {
		return err
	}
	defer clear(f)
	b, err := exchange(ctx, conn, f)
	if err != nil {
		return &Error{Kind: Unavailable, Msg: "the vault did not answer; try again", Err: err}
	}
	defer clear(b)
	var a answer
	var s streamAnswer
	if err := json.Unmarshal(b, &a); err != nil {
		return &Error{Kind: Failed, Msg: "the vault gave an answer that cannot be read", Err: err}
	}
	if a.Error != nil {
		return fromWire(a.Error)
	}
	defer clear(a.Body)
	if err := json.Unmarshal(a.Body, &s); err != nil {
		return &Error{Kind: Failed, Msg: "the vault gave an answer that cannot be read", Err: err}
	}
	if len(s.Ticket) > 0 {
		c.keepTicket(s.Ticket)
	}
	return nil
}

// enter waits for a slot of the operation's class.
func (c *Client) enter(ctx context.Context, op string) (leave func(), err error) {
	class := classOf(op)
	slots := c.slots[class]
	leave = func() { <-slots }
	select {
	case slots <- struct{}{}:
		return leave, nil
	default:
	}
	busy := &Error{Kind: Busy, Msg: "too many requests wait for the vault; try again", RetryAfter: 2 * shortestRetry}
	defer c.queued[class].Add(-1)
	if c.queued[class].Add(1) > slotWaiters {
		return nil, busy
	}
	patience := slotWait
	if class == guestClass {
		patience = c.guestWait
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case slots <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		busy.Err = ctx.Err()
		return nil, busy
	}
}

// sends is how often a request is sent. A process that is being killed closes its
// connections before its socket, so that the second time may reach the dying one.
const sends = 3

// send delivers a frame and returns the answering one, with repetitions when the
// connection breaks.
func (c *Client) send(ctx context.Context, f []byte) ([]byte, error) {
	for try := 1; ; try++ {
		conn, err := c.conn(ctx)
		if err != nil {
			return nil, err
		}
		b, err := exchange(ctx, conn, f)
		if err == nil {
			c.release(conn)
			return b, nil
		}
		conn.Close()
		c.dropIdle() // they go to the same process, which is probably gone
		if try == sends || ctx.Err() != nil || !broken(err) {
			return nil, &Error{Kind: Unavailable, Msg: "the vault did not answer; try again", Err: err}
		}
	}
}

// exchange writes f and reads one frame, until ctx ends.
func exchange(ctx context.Context, conn *net.UnixConn, f []byte) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	_, werr := conn.Write(f)
	// Even when the write broke there may be an answer: a refusal sent before
	// the request was read.
	b, err := readFrame(conn)
	if !stop() && err == nil {
		// The deadline was, or is being, set: the connection is of no more use.
		conn.Close()
	}
	if err != nil {
		return nil, errors.Join(werr, err)
	}
	return b, nil
}

// broken reports whether err says that the process at the other end is gone.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// conn returns an idle connection that is still alive, or a new one.
func (c *Client) conn(ctx context.Context) (*net.UnixConn, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, fail(Unavailable, "the connection to the vault has been closed")
		}
		n := len(c.idle)
		if n == 0 {
			c.mu.Unlock()
			return c.dial(ctx)
		}
		conn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		if alive(conn) {
			return conn, nil
		}
		conn.Close()
	}
}

// dial connects, and waits for the socket to come back when nobody answers.
func (c *Client) dial(ctx context.Context) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "unix", c.socket)
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		// A try that was begun when the time was up says only that, and may say it before
		// the context does.
		if ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EAGAIN) {
			return nil, &Error{Kind: Unavailable, Msg: "the vault's socket cannot be opened; check its path and owner", Err: err}
		}
		select {
		case <-ctx.Done():
			return nil, &Error{Kind: Unavailable, Msg: "the vault is not running; start it and try again", Err: err}
		case <-time.After(dialPause):
		}
	}
}

// release keeps a connection for the next request.
func (c *Client) release(conn *net.UnixConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.Close()
		return
	}
	c.idle = append(c.idle, conn)
}

func (c *Client) dropIdle() {
	c.mu.Lock()
	idle := c.idle
	c.idle = nil
	c.mu.Unlock()
	for _, conn := range idle {
		conn.Close()
	}
}

// alive reports whether an idle connection is open and silent, as it should be.
// Asking costs a system call and saves one of the repetitions a request has.
func alive(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		ok = err == unix.EAGAIN
		return true
	})
	return err == nil && ok
}

// newID returns a random identifier of a request.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
