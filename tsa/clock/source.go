package clock

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/facebook/time/ntp/chrony"
)

// sample is what a chronyd said of the machine's clock.
type sample struct {
	at     int64   // monotonic nanoseconds when it was asked
	age    float64 // seconds since its last measurement, then
	offset float64 // what it would have to add to the clock, seconds
	half   float64 // how far that may be wrong: root dispersion + root delay / 2
	track  chrony.Tracking
}

// bound is how far the clock may be off by this sample, seconds, at a monotonic
// time. chronyd's manual gives the sum; since it was asked the clock drifts on.
func (s *sample) bound(now int64) float64 { return abs(s.offset) + s.error(now) }

// error is how far the sample's offset may be wrong by now, seconds.
func (s *sample) error(now int64) float64 { return s.half + growth*seconds(now-s.at) }

// old is how long ago chronyd measured the clock, seconds.
func (s *sample) old(now int64) float64 { return s.age + seconds(now-s.at) }

func seconds(nanos int64) float64 { return float64(nanos) / 1e9 }

func abs(f float64) float64 {
	if f < 0 {
		return -f
	}
	return f
}

// local is the reference chronyd names when it serves its own clock ("local" in its
// configuration): it says nothing about the clock being right.
const local = 0x7F7F0101

// Limits of what a chronyd can sensibly say.
const (
	maxSeconds = 1e6
	maxStratum = 15
	maxSkew    = growth * 1e6 // ppm
)

// take checks an answer to the tracking command and makes a sample of it. now is the
// machine's clock when it was asked, accuracy what it has to keep, seconds.
func take(t *chrony.Tracking, at int64, now time.Time, accuracy float64) (*sample, error) {
	switch {
	case t.LeapStatus > 2 || t.RefID == 0 || t.Stratum == 0 || t.Stratum > maxStratum:
		return nil, errors.New("chronyd is not synchronised")
	case t.RefID == local:
		return nil, errors.New(`chronyd serves its own clock; take "local" out of its configuration`)
	}
	for _, f := range []float64{t.CurrentCorrection, t.RootDispersion, t.RootDelay} {
		if !(abs(f) < maxSeconds) {
			return nil, errors.New("chronyd's figures are beyond all use")
		}
	}
	if t.RootDispersion < 0 {
		return nil, errors.New("chronyd states a negative dispersion")
	}
	s := &sample{at: at, offset: t.CurrentCorrection, half: t.RootDispersion + abs(t.RootDelay)/2, track: *t}
	s.age = now.Sub(t.RefTime).Seconds() // saturates where the times are far apart
	if s.age < -s.bound(at)-1 {
		return nil, errors.New("chronyd's last measurement lies in the future")
	}
	s.age = max(s.age, 0)
	// In its first measurements chronyd cannot tell how fast its figures go bad, so
	// they vouch for nothing; but if even so the clock is certainly wrong, it is.
	if t.SkewPPM > maxSkew && abs(s.offset)-s.half <= accuracy {
		return nil, errors.New("chronyd has only begun to measure the clock")
	}
	return s, nil
}

// track asks one chronyd for its tracking data over a connection of its own. The
// number of the request is random and has to come back: an answer to somebody
// else's or an earlier request is none.
func track(conn io.ReadWriter) (*chrony.Tracking, error) {
	var number [4]byte
	rand.Read(number[:])
	client := chrony.Client{Connection: conn, Sequence: binary.BigEndian.Uint32(number[:])}
	answer, err := client.Communicate(chrony.NewTrackingPacket())
	if err != nil {
		return nil, err
	}
	t, ok := answer.(*chrony.ReplyTracking)
	if !ok || t.Sequence != client.Sequence || t.PKTType != 2 || t.Command != 33 {
		return nil, errors.New("that is not the answer to the question")
	}
	return &t.Tracking, nil
}

// patience is how long a chronyd may take; it usually takes 0.1 ms.
const patience = time.Second

// dial connects to a chronyd and gives what closes the connection. A connection is
// made for each question: it costs little, survives a restart of chronyd, and no
// late answer is left in it.
func dial(ctx context.Context, address, replyDir string) (net.Conn, func(), error) {
	deadline := time.Now().Add(patience)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if !filepath.IsAbs(address) {
		conn, err := net.Dial("udp", address)
		if err != nil {
			return nil, nil, err
		}
		conn.SetDeadline(deadline)
		return conn, func() { conn.Close() }, nil
	}
	// chronyd answers to a named socket. Connected as it is, ours hears chronyd's
	// alone, whoever else may write to it.
	if replyDir == "" {
		replyDir = filepath.Dir(address)
	}
	own := filepath.Join(replyDir, "sigillo."+rand.Text()+".sock")
	conn, err := net.DialUnix("unixgram", &net.UnixAddr{Name: own, Net: "unixgram"},
		&net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		os.Remove(own) // bound before it was refused
		return nil, nil, err
	}
	done := func() { conn.Close(); os.Remove(own) }
	if err := os.Chmod(own, 0o666); err != nil { // chronyd runs as another user
		done()
		return nil, nil, err
	}
	conn.SetDeadline(deadline)
	return conn, done, nil
}

// trackAt asks the chronyd at address.
func trackAt(ctx context.Context, address, replyDir string) (*chrony.Tracking, error) {
	conn, done, err := dial(ctx, address, replyDir)
	if err != nil {
		return nil, fmt.Errorf("chronyd cannot be reached: %w", err)
	}
	defer done()
	t, err := track(conn)
	if err != nil {
		return nil, fmt.Errorf("chronyd does not answer: %w", err)
	}
	return t, nil
}

// ask gives a sample of the chronyd at address.
func (g *Gate) ask(ctx context.Context, address string) (*sample, error) {
	at, now := g.sys.mono(), g.sys.wall() // before it: the sample is rather too old than too young
	t, err := g.sys.track(ctx, address, g.c.ReplyDir)
	if err != nil {
		return nil, err
	}
	return take(t, at, now, g.c.Accuracy.Seconds())
}

// checkAddress says what is wrong with the address of a chronyd. Its protocol has no
// authentication, so that anything but this machine would be hearsay.
func checkAddress(name, address string) error {
	if address == "" || filepath.IsAbs(address) && len(address) < 108 {
		return nil
	}
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().IsLoopback() && a.Port() != 0 {
		return nil
	}
	return fail(BadConfig, nil, "%s is %q; name the path of chronyd's command socket (/run/chrony/chronyd.sock) "+
		"or a loopback address with its command port (127.0.0.1:323)", name, address)
}
