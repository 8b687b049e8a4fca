package main

import (
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
			pdf := bigPDF(1_000_000)
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
	if err := os.WriteFile(path, bigPDF(100_000_000), 0o600); err != nil {
		b.Fatal(err)
	}
	for range b.N {
		c.waitOTP(b)
		resetPeak(b)
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
		figure("service.pades.bb.100mb.peak-rss", peakRSS(b)/1e6, "MB", "size of the PDF", 100)
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

// bigPDF makes a one-page PDF of about size bytes, most of it one image that
// doesn't compress.
func bigPDF(size int) []byte {
	var buf bytes.Buffer
	var offsets []int
	object := func(format string, a ...any) {
		offsets = append(offsets, buf.Len())
		fmt.Fprintf(&buf, "%d 0 obj\n", len(offsets))
		fmt.Fprintf(&buf, format, a...)
		buf.WriteString("\nendobj\n")
	}
	buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	object("<</Type/Catalog/Pages 2 0 R>>")
	object("<</Type/Pages/Kids[3 0 R]/Count 1>>")
	object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</XObject<</I 5 0 R>>>>/Contents 4 0 R>>")
	content := "q 500 0 0 500 40 200 cm /I Do Q"
	object("<</Length %d>>\nstream\n%s\nendstream", len(content), content)
	pixels := make([]byte, size/1000*1000)
	rand.Read(pixels)
	object("<</Type/XObject/Subtype/Image/Width 1000/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8/Length %d>>\nstream\n%s\nendstream",
		len(pixels)/1000, len(pixels), pixels)
	xref := buf.Len()
	fmt.Fprintf(&buf, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&buf, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&buf, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, xref)
	return buf.Bytes()
}
