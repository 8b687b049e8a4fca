package web

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// reading is one of a pen, in CSS pixels of the page; at is in ms since the first one.
type reading struct {
	at, x, y, force float64
	tiltX, tiltY    float64
	down            bool
}

// strokes makes readings of a hand that writes loops: n of them, from x and y on, in a box
// of that width. vary makes one hand different from another; it is at least 1.
func strokes(n int, x, y, width, vary float64) []reading {
	var out []reading
	for i := range 12 {
		out = append(out, reading{at: float64(i) * 5, x: x - 12 + float64(i), y: y - 6, tiltX: 30, tiltY: -12})
	}
	begin := out[len(out)-1].at
	for i := range n {
		u := float64(i) / float64(n)
		out = append(out, reading{at: begin + 5*float64(i+1), down: true, tiltX: 30 + 4*u, tiltY: -12,
			x:     x + width*u + 9*math.Sin(19*u*vary),
			y:     y + 34*math.Sin(13*u*vary+0.4) + 12*math.Sin(31*u),
			force: 0.25 + 0.3*math.Pow(math.Sin(math.Pi*u), 2) + 0.08*math.Sin(23*u*vary)})
	}
	last := out[len(out)-1]
	for i := range 8 {
		out = append(out, reading{at: last.at + 5*float64(i+1), x: last.x + float64(i), y: last.y - 4*float64(i), tiltX: 32, tiltY: -12})
	}
	return out
}

// write moves a pen over the page. The times are those of the readings, however busy the
// machine is: the browser believes what it is told.
func (s *stroll) write(kind input.DispatchMouseEventPointerType, readings []reading) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 60*time.Second)
	defer cancel()
	// No event is older than its page: what would be gets the time 0.
	s.run("the page is old enough", until(fmt.Sprintf(`performance.now() > %f`, readings[len(readings)-1].at+100)))
	begin := float64(time.Now().UnixNano())/1e9 - readings[len(readings)-1].at/1000
	down := false
	for _, r := range readings {
		p := input.DispatchMouseEventParams{Type: chromedp.MouseMoved, X: r.x, Y: r.y, PointerType: kind, Force: r.force,
			TiltX: r.tiltX, TiltY: r.tiltY, Timestamp: input.TimeSinceEpoch(begin + r.at/1000)}
		if r.down {
			p.Button, p.Buttons = input.MouseButtonLeft, 1
		}
		switch {
		case r.down && !down:
			p.Type, p.ClickCount = chromedp.MousePressed, 1
		case !r.down && down:
			p.Type, p.Button, p.ClickCount = chromedp.MouseReleased, input.MouseButtonLeft, 1
		}
		down = r.down
		if _, err := chromedp.Call(ctx, input.DispatchMouseEvent, p); err != nil {
			s.t.Fatalf("pen: %v", err)
		}
	}
}

// bench puts a canvas on a page of the wall, and the modules of the capture beside it.
func bench(t *testing.T) *stroll {
	t.Helper()
	w := build(t)
	s := open(t, w, chromium(t), "en")
	s.run("bench", chromedp.EmulateViewport(1000, 700), chromedp.Navigate(w.url+"/signin"), chromedp.WaitVisible("h1"))
	evalAwait[bool](s, `(async () => {
		const base = "`+w.srv.assets.Base+`/static/";
		document.body.replaceChildren();
		const canvas = document.createElement("canvas");
		canvas.style.cssText = "position:fixed;left:50px;top:60px;width:800px;height:300px";
		document.body.append(canvas);
		window.bench = { canvas, said: [], trace: await import(base + "trace.js"), pen: await import(base + "pen.js"), stu: await import(base + "stu.js"), seal: await import(base + "seal.js") };
		const tell = (name) => (...what) => { if (name !== "change") window.bench.said.push([name, ...what].join(" ")); };
		window.bench.on = Object.fromEntries(["change", "began", "refused", "lost", "full", "redo", "confirm"].map((n) => [n, tell(n)]));
		window.bench.rows = (t) => Array.from({ length: t.length }, (_, i) => Array.from(t.at(i)));
		return true;
	})()`)
	return s
}

func evalAwait[T any](s *stroll, expression string) T {
	s.t.Helper()
	v, err := chromedp.Run(s.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		s.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// captured is the JSON of a capture, as graphometric.ParseCapture reads it.
type captured struct {
	Device struct {
		Class       string
		Hover, Tilt bool
	}
	Points [][7]float64
}

const startPen = `(async () => { bench.driver = new bench.pen.Pen(bench.canvas, bench.on); await bench.driver.open(); bench.driver.start(); return true; })()`

// TestPen has a pen write on a canvas, and looks at what was captured.
func TestPen(t *testing.T) {
	s := bench(t)
	evalAwait[bool](s, startPen)
	wrote := strokes(150, 150, 200, 400, 1)
	s.write(input.DispatchMouseEventPointerTypePen, wrote)
	s.run("written", until(`bench.driver.points().touched > 20 && bench.driver.writing === null || bench.said.length > 1`))
	if n := eval[int](s, `bench.driver.points().touched`); n != 150 {
		t.Fatalf("%d readings of 150; said %v", n, eval[[]string](s, `bench.said`))
	}

	q := eval[map[string]any](s, `bench.driver.quality()`)
	if q["hz"] != 200.0 || q["hover"] != true || q["tilt"] != true || q["touched"] != 150.0 || q["levels"].(float64) < 100 {
		t.Errorf("quality: %v", q)
	}
	if said := eval[[]string](s, `bench.said`); len(said) != 1 || said[0] != "began" {
		t.Errorf("said: %v", said)
	}
	var c captured
	if err := json.Unmarshal([]byte(eval[string](s, `new TextDecoder().decode(bench.driver.points().json())`)), &c); err != nil {
		t.Fatal(err)
	}
	if c.Device.Class != "pointer" || !c.Device.Hover || !c.Device.Tilt || len(c.Points) < 160 || c.Points[0][0] != 0 {
		t.Fatalf("%d points of %+v", len(c.Points), c.Device)
	}
	at := -1
	for i, p := range c.Points {
		if p[6] == 1 {
			at = i
			break
		}
	}
	if at < 8 {
		t.Fatalf("%d readings of the pen in the air before it touched", at)
	}
	for i := range 150 {
		got, want := c.Points[at+i], wrote[12+i]
		if got[6] != 1 || math.Abs(got[1]-(want.x-50)) > 0.01 || math.Abs(got[2]-(want.y-60)) > 0.01 || math.Abs(got[3]-want.force) > 0.001 ||
			math.Abs(got[4]-want.tiltX) > 1 || math.Abs(got[5]-want.tiltY) > 1 {
			t.Fatalf("reading %d: %v, want %+v", i, got, want)
		}
		if i > 0 && math.Abs(got[0]-c.Points[at+i-1][0]-5) > 0.2 {
			t.Fatalf("reading %d: %v ms after the one before", i, got[0]-c.Points[at+i-1][0])
		}
	}
	if !eval[bool](s, `bench.canvas.getContext("2d").getImageData(0, 0, 800, 300).data.some((v) => v)`) {
		t.Error("nothing was drawn")
	}
	if !eval[bool](s, `(bench.driver.clear(), bench.driver.points().rows.every((v) => v === 0) && bench.canvas.getContext("2d").getImageData(0, 0, 800, 300).data.every((v) => !v))`) {
		t.Error("something is left after clear")
	}
}

// TestPenRefuses: what is no pen writes nothing.
func TestPenRefuses(t *testing.T) {
	s := bench(t)
	evalAwait[bool](s, startPen)
	s.write(input.DispatchMouseEventPointerTypeMouse, strokes(40, 150, 200, 200, 1))
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	for _, e := range []input.DispatchTouchEventParams{
		{Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: []*input.TouchPoint{{X: 200, Y: 200}}},
		{Type: input.DispatchTouchEventTypeTouchMove, TouchPoints: []*input.TouchPoint{{X: 260, Y: 220}}},
		{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}}} {
		if _, err := chromedp.Call(ctx, input.DispatchTouchEvent, e); err != nil {
			t.Fatal(err)
		}
	}
	s.run("refused", until(`bench.said.length > 1`))
	if said := eval[[]string](s, `bench.said`); strings.Join(said, ", ") != "refused mouse, refused touch" {
		t.Errorf("said: %v", said)
	}
	if n := eval[int](s, `bench.driver.points().length`); n != 0 {
		t.Errorf("%d readings were kept", n)
	}
}

// TestPenLost: a signature that was cut off in the middle is none, and nothing of it stays.
func TestPenLost(t *testing.T) {
	s := bench(t)
	for name, cut := range map[string]string{
		"turned":   `bench.canvas.style.width = "700px"`,
		"cancel":   `bench.canvas.dispatchEvent(new PointerEvent("pointercancel", { pointerId: bench.driver.writing, pointerType: "pen" }))`,
		"released": `bench.canvas.releasePointerCapture(bench.driver.writing)`,
	} {
		t.Run(name, func(t *testing.T) {
			evalAwait[bool](s, `(async () => { if (bench.driver) await bench.driver.close(); bench.said.length = 0; bench.canvas.style.width = "800px"; return true; })()`)
			evalAwait[bool](s, startPen)
			s.write(input.DispatchMouseEventPointerTypePen, strokes(40, 150, 200, 200, 1)[:40])
			s.run("writing", until(`bench.driver.points().touched > 20`))
			eval[bool](s, cut+`, true`)
			s.write(input.DispatchMouseEventPointerTypePen, []reading{{x: 300, y: 200, force: .4, down: true}, {at: 5, x: 310, y: 200}})
			s.run("lost", until(`bench.said.length > 1`))
			if said := eval[[]string](s, `bench.said`); strings.Join(said, ", ") != "began, lost" {
				t.Errorf("said: %v", said)
			}
			if !eval[bool](s, `bench.driver.points().length === 0 && bench.driver.points().rows.every((v) => v === 0)`) {
				t.Error("something is left")
			}
		})
	}
}

// TestTrace: the bounds hold whatever a device says.
func TestTrace(t *testing.T) {
	s := bench(t)
	for name, c := range map[string]struct{ feed, want string }{
		"points":         {`for (let i = 0; i < 4000; i++) r.add(i, i, 0, .5, 0, 0, true)`, `[3000, true, 2999]`},
		"time":           {`for (let i = 0; i < 100; i++) r.add(i * 300, i, 0, .5, 0, 0, true)`, `[67, true, 19800]`},
		"hover for long": {`for (let i = 0; i < 9000; i++) r.add(i * 5, 1, 1, 0, 0, 0, false); r.add(45000, 1, 1, .5, 0, 0, true)`, `[101, false, 45000]`},
		"hover long ago": {`r.add(0, 1, 1, 0, 0, 0, false); r.add(9000, 1, 1, .5, 0, 0, true)`, `[1, false, 9000]`},
		"no number":      {`r.add(NaN, 1, 1, 0, 0, 0, true); r.add(1, Infinity, 1, 0, 0, 0, true); r.add(1, 1, 1, NaN, 0, 0, true)`, `[0, false, null]`},
		"out of bounds":  {`r.add(1, 1, 1, 7, 400, -400, true); if (r.at(0)[3] !== 1 || r.at(0)[4] !== 90 || r.at(0)[5] !== -90) throw new Error()`, `[1, false, 1]`},
		"back in time":   {`r.add(5, 1, 1, .5, 0, 0, true); r.add(5, 2, 1, .5, 0, 0, true); r.add(4, 3, 1, .5, 0, 0, true); r.add(5, 3, 1, 0, 0, 0, false)`, `[2, false, 5.001]`},
	} {
		got := eval[string](s, `(() => { const r = new bench.trace.Trace("pointer"); `+c.feed+`; return JSON.stringify([r.length, r.full, r.length ? r.at(r.length - 1)[0] : null]).replaceAll(",", ", "); })()`)
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// armed is what the vault says of a capture, with the key that it keeps.
type armed struct {
	key            *ecdh.PrivateKey
	nonce, context []byte
}

func newArmed() armed {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // never happens (crypto/rand)
	}
	a := armed{key: key, nonce: make([]byte, 32), context: make([]byte, 32)}
	_, _ = rand.Read(a.nonce)
	_, _ = rand.Read(a.context)
	return a
}

// unseal opens what a tablet has sealed, as vault.Captured says.
func (a armed) unseal(tablet *ecdsa.PublicKey, nonce, ephemeral, sealed, signature []byte, started int64) ([]byte, error) {
	digest := sha256.Sum256(append(bytes.Clone(ephemeral), sealed...))
	signed := append([]byte("sigillo capture v1"), nonce...)
	signed = binary.BigEndian.AppendUint64(append(signed, a.context...), uint64(started))
	sum := sha256.Sum256(append(signed, digest[:]...))
	if len(signature) != 64 || !ecdsa.Verify(tablet, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return nil, errors.New("the tablet has not signed this")
	}
	if !bytes.Equal(nonce, a.nonce) {
		return nil, errors.New("of another capture")
	}
	theirs, err := ecdh.P256().NewPublicKey(ephemeral)
	if err != nil {
		return nil, err
	}
	shared, err := a.key.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, shared, nonce, "sigillo capture v1"+string(a.context), 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, make([]byte, 12), sealed, a.context)
}

// TestSeal opens with Go what the browser has sealed.
func TestSeal(t *testing.T) {
	s := bench(t)
	spki, err := base64.StdEncoding.DecodeString(evalAwait[string](s, `bench.seal.make("tablet").then((k) => btoa(String.fromCharCode(...k)))`))
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	tablet := public.(*ecdsa.PublicKey)
	// The key outlives the page, and cannot be read.
	s.run("again", chromedp.Reload(), chromedp.WaitVisible("h1"))
	evalAwait[bool](s, `import("`+s.w.srv.assets.Base+`/static/seal.js").then((seal) => { window.bench = { seal }; return true; })`)
	if got := evalAwait[string](s, `new Promise((done) => { const o = indexedDB.open("sigillo-tablet", 1); o.onsuccess = () => {
		const g = o.result.transaction("keys").objectStore("keys").get("tablet");
		g.onsuccess = () => { o.result.close(); crypto.subtle.exportKey("pkcs8", g.result.privateKey).then(() => done("readable"), (e) => done(e.name)); }; }; })`); got != "InvalidAccessError" {
		t.Errorf("exporting the tablet's key: %s", got)
	}

	a, started := newArmed(), time.Now().UnixMilli()
	text := base64.StdEncoding.EncodeToString
	out := evalAwait[map[string]any](s, fmt.Sprintf(`(async () => {
		const { seal } = bench, sample = new TextEncoder().encode(%q.repeat(3000));
		const armed = { nonce: seal.bytes(%q), publicKey: seal.bytes(%q), context: seal.bytes(%q) };
		const c = await seal.seal("tablet", armed, sample, %d);
		return { nonce: seal.text(c.nonce), ephemeral: seal.text(c.ephemeral), sealed: seal.text(c.sealed), signature: seal.text(c.signature), wiped: sample.every((v) => v === 0) };
	})()`, "[1,2,3,0.5,10,10,1],", text(a.nonce), text(a.key.PublicKey().Bytes()), text(a.context), started))
	raw := map[string][]byte{}
	for _, name := range []string{"nonce", "ephemeral", "sealed", "signature"} {
		if raw[name], err = base64.RawURLEncoding.DecodeString(out[name].(string)); err != nil {
			t.Fatal(err)
		}
	}
	sample, err := a.unseal(tablet, raw["nonce"], raw["ephemeral"], raw["sealed"], raw["signature"], started)
	if err != nil || string(sample) != strings.Repeat("[1,2,3,0.5,10,10,1],", 3000) {
		t.Errorf("unsealed %d bytes: %v", len(sample), err)
	}
	if out["wiped"] != true {
		t.Error("the sample was not wiped")
	}
	if _, err := a.unseal(tablet, raw["nonce"], raw["ephemeral"], raw["sealed"], raw["signature"], started+1); err == nil {
		t.Error("another moment passes")
	}
	other := newArmed()
	if _, err := other.unseal(tablet, raw["nonce"], raw["ephemeral"], raw["sealed"], raw["signature"], started); err == nil {
		t.Error("another capture passes")
	}
}

// TestStu has the driver of signature pads speak with one that is simulated.
func TestStu(t *testing.T) {
	pad, err := os.ReadFile("testdata/pad.js")
	if err != nil {
		t.Fatal(err)
	}
	s := bench(t)
	for _, c := range []struct {
		model    string
		prefixed bool
	}{{"STU-540", false}, {"STU-530", true}, {"STU-430", true}} {
		t.Run(c.model, func(t *testing.T) {
			eval[bool](s, string(pad)+`;bench.said.length = 0; true`)
			evalAwait[bool](s, fmt.Sprintf(`(async () => {
				const pad = bench.pad = new Pad(%q, %v);
				if (await bench.stu.known()) throw new Error("a pad before one is there");
				navigator.hid.pads.push({ vendorId: 0x046d, productId: 0xa8, collections: [] }, pad);
				if (await bench.stu.known() !== pad || await bench.stu.ask() !== pad) throw new Error("not found");
				bench.driver = new bench.stu.Stu(pad, bench.canvas, bench.on);
				await bench.driver.open();
				await bench.driver.start({ lines: ["Maria Bianchi", "7F3A-22C9", "Contratto di locazione"], redo: "Cancella", confirm: "Conferma" });
				return true; })()`, c.model, c.prefixed))
			got := eval[map[string]any](s, `({ model: bench.driver.model, option: bench.pad.option, ink: bench.pad.ink, area: bench.pad.area.join(), encoding: bench.pad.encoding,
				bytes: bench.pad.image.length, want: Math.ceil(bench.pad.width / 8) * bench.pad.height, black: bench.pad.image.filter((b) => b !== 255).length })`)
			if got["model"] != c.model || got["option"] != 3.0 || got["ink"] != 1.0 || got["encoding"] != 0.0 || got["bytes"] != got["want"] || got["black"].(float64) < 100 {
				t.Errorf("the pad was told %v", got)
			}
			// 40 readings in the air and 120 down; the clock runs over its end meanwhile.
			eval[bool](s, `(() => { const p = bench.pad;
				for (let i = 0; i < 40; i++) p.write(1000, 1000, 0, false);
				for (let i = 0; i < 120; i++) p.write(1000 + 40 * i, 1500 + Math.round(300 * Math.sin(i / 6)), 200 + 3 * i, true);
				for (let i = 0; i < 5; i++) p.write(5800, 1500, 0, false);
				p.write(0, 0, 0, false, false);
				return true; })()`)
			q := eval[map[string]any](s, `bench.driver.quality()`)
			if q["hz"] != 200.0 || q["levels"] != 120.0 || q["hover"] != true || q["tilt"] != false || q["touched"] != 120.0 || q["points"] != 165.0 {
				t.Errorf("quality: %v", q)
			}
			var sample captured
			if err := json.Unmarshal([]byte(eval[string](s, `new TextDecoder().decode(bench.driver.points().json())`)), &sample); err != nil {
				t.Fatal(err)
			}
			if p := sample.Points[159]; sample.Device.Class != "wacom-stu" || p != [7]float64{795, 5760, 1500 + math.Round(300*math.Sin(119./6)), 0.54448, 0, 0, 1} {
				t.Errorf("%+v %v", sample.Device, p)
			}
			// A stroke on the buttons is none of the signature.
			eval[bool](s, `(() => { const p = bench.pad, y = p.y - 200; p.write(p.x - 300, y, 500, true); p.write(p.x - 290, y, 500, true); p.write(p.x - 290, y, 0, false);
				p.write(300, y, 500, true); p.write(p.x - 300, y, 500, true); p.write(p.x - 300, y, 0, false);
				p.write(300, y, 500, true); p.write(300, y, 0, false); return true; })()`)
			if said := eval[[]string](s, `bench.said`); strings.Join(said, ", ") != "began, confirm, redo" {
				t.Errorf("said: %v", said)
			}
			if n := eval[int](s, `bench.driver.points().touched`); n != 120 {
				t.Errorf("%d readings, after the buttons", n)
			}
			// The cable.
			eval[bool](s, `(navigator.hid.unplug(bench.pad), true)`)
			if said := eval[[]string](s, `bench.said`); said[len(said)-1] != "lost" || !eval[bool](s, `bench.driver.points().rows.every((v) => v === 0)`) {
				t.Errorf("after it was unplugged: %v", said)
			}
			// Nothing stays on the pad.
			if got := evalAwait[string](s, `(async () => { await bench.pad.open(); await bench.driver.start(); bench.pad.write(1000, 1000, 300, true); await bench.driver.close();
				return [bench.pad.ink, bench.pad.image, bench.pad.opened].join(); })()`); got != "0,,false" {
				t.Errorf("after close: %s", got)
			}
		})
	}
}
