package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
	"sigillo/signing"
)

// figure prints one line of the benchmark table.
func figure(name string, ours float64, unit, with string, theirs float64) {
	fmt.Printf("%s\t%.4g\t%s\t%s\t%.4g\t%.3f\n", name, ours, unit, with, theirs, ours/theirs)
}

// clients is how many holders sign at once.
const clients = 8

// batch is how many documents each signs under one authorisation.
const batch = 25

// BenchmarkService measures signatures through the whole service, PAdES B-B on
// a 1 MB PDF, beside the token's own rate for unwrap + sign, in the same run.
// The service's work for one signature is: the upload streamed, hashed and
// inspected; the signature prepared, authorised, made, assembled, validated;
// the signed file downloaded.
func BenchmarkService(b *testing.B) {
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.RSA2048} {
		b.Run(string(kt), func(b *testing.B) {
			raw := rawRate(b, kt)
			h := open(b, benchFolder(b))
			people := make([]*client, clients)
			for i := range people {
				people[i] = h.signedIn(b, kt)
			}
			pdf := bigPDF(b, 1_000_000)
			b.ResetTimer()
			var full, sign float64
			for range b.N {
				for _, c := range people {
					c.waitOTP(b)
				}
				full, sign = signBatches(b, people, pdf)
			}
			figure("service.pades.bb.1mb."+string(kt)+".c8.sps", sign, "1/s", "token, unwrap + sign", raw)
			figure("service.whole.bb.1mb."+string(kt)+".c8.sps", full, "1/s", "token, unwrap + sign", raw)
		})
	}
}

// benchFolder is an appliance that takes uploads up to 200 MB.
func benchFolder(b *testing.B) string {
	dir := newFolder(b)
	rewrite(b, dir, "max_upload_mb = 5", "max_upload_mb = 200")
	return dir
}

// waitOTP waits, outside the measured time, until an OTP is at hand.
func (c *client) waitOTP(b *testing.B) {
	b.StopTimer()
	defer b.StartTimer()
	if err := c.ready(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// signBatches has every holder sign a batch of fresh uploads. It gives the
// rate of the whole walk and of the transaction alone, in signatures a second.
func signBatches(b *testing.B, people []*client, pdf []byte) (full, sign float64) {
	started := time.Now()
	orders := make([][]signing.Order, len(people))
	each(people, func(i int, c *client) error {
		for range batch {
			doc, err := c.put(context.Background(), "contratto.pdf", bytes.NewReader(pdf))
			if err != nil {
				return err
			}
			orders[i] = append(orders[i], signing.Order{Document: doc.ID, Form: signing.PAdES, Level: signing.BB})
		}
		return nil
	}, b)
	signing0 := time.Now()
	done := make([]signing.Transaction, len(people))
	each(people, func(i int, c *client) error {
		var t signing.Transaction
		r := signing.Request{Credential: c.holder.Credential, Documents: orders[i], Confirmed: true}
		if err := c.do(context.Background(), http.MethodPost, "/transactions", r, &t); err != nil {
			return err
		}
		otp, err := c.otp(context.Background())
		if err != nil {
			return err
		}
		done[i], err = c.sign(context.Background(), t.ID, c.holder.Password, otp)
		return err
	}, b)
	signed := time.Since(signing0)
	each(people, func(i int, c *client) error {
		for seq := range done[i].Items {
			path := fmt.Sprintf("/transactions/%s/items/%d/content", done[i].ID, seq)
			if err := c.do(context.Background(), http.MethodGet, path, nil, io.Discard); err != nil {
				return err
			}
		}
		return nil
	}, b)
	n := float64(len(people) * batch)
	return n / time.Since(started).Seconds(), n / signed.Seconds()
}

func each(people []*client, do func(i int, c *client) error, b *testing.B) {
	var wg sync.WaitGroup
	for i, c := range people {
		wg.Go(func() {
			if err := do(i, c); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

// rawRate is what the token alone does: derive, unwrap, sign, destroy, with as
// many callers as the service has clients.
func rawRate(b *testing.B, kt hsm.KeyType) float64 {
	tok, err := hsm.Open(hsmtest.Token(b))
	if err != nil {
		b.Fatal(err)
	}
	defer tok.Close()
	ctx := context.Background()
	label := "raw-" + string(kt)
	if err := tok.GenerateMaster(ctx, label); err != nil {
		b.Fatal(err)
	}
	d := sha256.Sum256([]byte("password"))
	w, err := tok.GenerateWrapped(ctx, label, d, kt, nil)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("document"))
	var n int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	started := time.Now()
	for range clients {
		wg.Go(func() {
			for time.Since(started) < 3*time.Second {
				err := tok.UseWrapped(ctx, label, d, w, func(s crypto.Signer) error {
					_, err := s.Sign(rand.Reader, digest[:], crypto.SHA256)
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(started).Seconds()
}

// BenchmarkBigPDF measures the peak memory of the service while it takes in,
// inspects, signs, validates and gives out a PDF of 100 MB.
func BenchmarkBigPDF(b *testing.B) {
	h := open(b, benchFolder(b))
	c := h.signedIn(b, hsm.P256)
	path := filepath.Join(b.TempDir(), "big.pdf")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := writePDF(f, 100_000_000); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	for range b.N {
		c.waitOTP(b)
		debug.FreeOSMemory()
		resetPeak(b)
		before := peakRSS(b)
		started := time.Now()
		doc, err := c.upload(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		t, err := c.prepare(context.Background(), signing.Order{Document: doc.ID, Form: signing.PAdES, Level: signing.BB})
		if err != nil {
			b.Fatal(err)
		}
		if t, err = c.sign(context.Background(), t.ID, c.holder.Password, c.mustOTP(b)); err != nil {
			b.Fatal(err)
		}
		if err := c.do(context.Background(), http.MethodGet, "/transactions/"+t.ID+"/items/0/content", nil, io.Discard); err != nil {
			b.Fatal(err)
		}
		figure("service.pades.bb.100mb.peak-rss", peakRSS(b)/1e6, "MB", "before, at rest", before/1e6)
		figure("service.pades.bb.100mb.time", time.Since(started).Seconds(), "s", "time to hash the PDF once", hashTime(b, path))
	}
}

func hashTime(b *testing.B, path string) float64 {
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	started := time.Now()
	if _, err := io.Copy(sha256.New(), f); err != nil {
		b.Fatal(err)
	}
	return time.Since(started).Seconds()
}

// resetPeak makes the kernel forget the peak of this process's memory.
func resetPeak(b *testing.B) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
}

// peakRSS is the most memory this process has used, in bytes. It holds the
// clients too; the vault and the inspection are processes of their own.
func peakRSS(b *testing.B) float64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb * 1024
		}
	}
	b.Fatal("no VmHWM")
	return 0
}

// bigPDF is what writePDF writes.
func bigPDF(b *testing.B, size int) []byte {
	var buf bytes.Buffer
	if err := writePDF(&buf, size); err != nil {
		b.Fatal(err)
	}
	return buf.Bytes()
}

// writePDF writes a one-page PDF of about size bytes, most of it one image that
// doesn't compress, without holding it in memory.
func writePDF(w io.Writer, size int) error {
	out := &offset{w: bufio.NewWriter(w)}
	var offsets []int64
	object := func(format string, a ...any) {
		offsets = append(offsets, out.n)
		fmt.Fprintf(out, "%d 0 obj\n", len(offsets))
		fmt.Fprintf(out, format, a...)
	}
	rows := size / 1000
	content := "q 500 0 0 500 40 200 cm /I Do Q"
	fmt.Fprint(out, "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	object("<</Type/Catalog/Pages 2 0 R>>\nendobj\n")
	object("<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n")
	object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</XObject<</I 5 0 R>>>>/Contents 4 0 R>>\nendobj\n")
	object("<</Length %d>>\nstream\n%s\nendstream\nendobj\n", len(content), content)
	object("<</Type/XObject/Subtype/Image/Width 1000/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8/Length %d>>\nstream\n", rows, rows*1000)
	if _, err := io.CopyN(out, rand.Reader, int64(rows*1000)); err != nil {
		return err
	}
	fmt.Fprint(out, "\nendstream\nendobj\n")
	xref := out.n
	fmt.Fprintf(out, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(out, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(out, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, xref)
	return out.w.Flush()
}

// offset knows where in a file the next byte goes.
type offset struct {
	w *bufio.Writer
	n int64
}

func (c *offset) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
