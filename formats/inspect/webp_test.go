package inspect

import (
	"encoding/binary"
	"testing"
)

// webpOf writes a WebP file of chunks: kind, content, kind, content …
func webpOf(chunks ...string) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WEBP")
	for i := 0; i+1 < len(chunks); i += 2 {
		b = binary.LittleEndian.AppendUint32(append(b, chunks[i]...), uint32(len(chunks[i+1])))
		b = append(append(b, chunks[i+1]...), make([]byte, len(chunks[i+1])%2)...)
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

// vp8 and vp8l are pictures that end with their headers.
func vp8(width, height uint16) string {
	return le(byte(0x10), byte(0), byte(0), "\x9d\x01\x2a", int(width), int(height))
}

func vp8l(width, height uint32) string {
	return le(byte(0x2f), width-1|(height-1)<<14)
}

func vp8x(flags byte, width, height uint32) string {
	return le(uint32(flags), width-1)[:7] + le(height - 1)[:3]
}

func webpCases() []ruleCase {
	simple := webpOf("VP8 ", vp8(3, 2))
	lossless := webpOf("VP8L", vp8l(3, 2))
	extended := webpOf("VP8X", vp8x(webpICC|webpAlpha|0x0c, 3, 2), "ICCP", "profile", "ALPH", "\x00......", "VP8 ", vp8(3, 2), "EXIF", "x", "XMP ", "<x/>")
	longer, shorter := append([]byte(nil), simple...), append([]byte(nil), simple...)
	longer[4] += 2
	shorter[16]++ // the chunk
	padded := append([]byte(nil), lossless...)
	padded[len(padded)-1] = 'x'
	bad := func(chunks ...string) ruleCase {
		return ruleCase{"image.malformed", "x.webp", webpOf(chunks...), simple}
	}
	return []ruleCase{
		{"image.malformed", "x.webp", longer, simple},
		{"image.malformed", "x.webp", shorter, lossless},
		{"image.malformed", "x.webp", padded, extended},
		{"image.malformed", "x.webp", simple[:13], webpOf("VP8X", vp8x(0, 3, 2), "XMP ", "<x/>", "VP8L", vp8l(3, 2))},
		{"image.trailing", "x.webp", join(simple, []byte("more")), simple},
		{"image.animated", "x.webp", webpOf("VP8X", vp8x(webpAnimation, 3, 2), "ANIM", "......", "ANMF", "x"), extended},
		{"image.animated", "x.webp", webpOf("VP8X", vp8x(webpAnimation, 3, 2), "VP8 ", vp8(3, 2)), simple},
		{"image.animated", "x.webp", webpOf("VP8X", vp8x(0, 3, 2), "VP8 ", vp8(3, 2), "ANMF", "x"), simple},
		{"image.pixels", "x.webp", webpOf("VP8 ", vp8(16383, 16383)), webpOf("VP8 ", vp8(16383, 6000))},
		{"image.pixels", "x.webp", webpOf("VP8L", vp8l(16384, 16384)), webpOf("VP8L", vp8l(16384, 6000))},
		{"image.pixels", "x.webp", webpOf("VP8X", vp8x(0, 1<<20, 1<<20), "VP8 ", vp8(3, 2)), extended},
		bad(), bad("ABCD", "x"), bad("VP8 ", vp8(3, 2), "ABCD", "x"), // no picture; unknown chunks
		bad("VP8 ", vp8(3, 2), "VP8 ", vp8(3, 2)), bad("VP8 ", vp8(3, 2), "VP8L", vp8l(3, 2)), // two pictures
		bad("VP8 ", vp8(3, 2), "EXIF", "x"), bad("ALPH", "x", "VP8 ", vp8(3, 2)), // without the header for more
		bad("VP8 ", vp8(3, 2), "VP8X", vp8x(0, 3, 2)), bad("VP8X", vp8x(0, 3, 2)),
		bad("VP8X", vp8x(0, 3, 2), "VP8X", vp8x(0, 3, 2), "VP8 ", vp8(3, 2)),
		bad("VP8X", vp8x(0, 3, 2)+"x", "VP8 ", vp8(3, 2)), bad("VP8X", vp8x(1, 3, 2), "VP8 ", vp8(3, 2)),
		bad("VP8X", vp8x(0, 3, 2), "VP8 ", vp8(2, 2)), bad("VP8X", vp8x(0, 3, 2), "VP8L", vp8l(3, 3)), // canvas and picture
		bad("VP8X", vp8x(webpICC, 3, 2), "VP8 ", vp8(3, 2)), bad("VP8X", vp8x(0, 3, 2), "ICCP", "x", "VP8 ", vp8(3, 2)),
		bad("VP8X", vp8x(webpICC, 3, 2), "VP8 ", vp8(3, 2), "ICCP", "x"), bad("VP8X", vp8x(0, 3, 2), "EXIF", "x", "EXIF", "x", "VP8 ", vp8(3, 2)),
		bad("VP8X", vp8x(webpAlpha, 3, 2), "VP8 ", vp8(3, 2)), bad("VP8X", vp8x(0, 3, 2), "ALPH", "x", "VP8 ", vp8(3, 2)),
		bad("VP8X", vp8x(webpAlpha, 3, 2), "ALPH", "x", "VP8L", vp8l(3, 2)),
		bad("VP8 ", "x"), bad("VP8 ", "\x11"+vp8(3, 2)[1:]), bad("VP8 ", "\x00"+vp8(3, 2)[1:]), bad("VP8 ", vp8(0x4003, 2)), // not a key frame; not shown; scaled
		bad("VP8 ", "\x30"+vp8(3, 2)[1:]), bad("VP8 ", vp8(0, 2)), // the partition; no width
		bad("VP8L", "\x2f\x00"), bad("VP8L", "\x2f\x00\x00\x00\x20"), bad("VP8L", "\x2e\x00\x00\x00\x00"),
	}
}

// A WebP of each kind may be signed without a question.
func TestPlainWebP(t *testing.T) {
	t.Parallel()
	for _, doc := range [][]byte{
		webpOf("VP8 ", vp8(3, 2)), webpOf("VP8L", vp8l(3, 2)), webpOf("VP8X", vp8x(webpAlpha, 3, 2), "VP8L", vp8l(3, 2)),
		webpOf("VP8X", vp8x(webpICC|webpAlpha|0x0c, 3, 2), "ICCP", "profile", "ALPH", "\x00......", "VP8 ", vp8(3, 2), "EXIF", "x", "XMP ", "<x/>"),
	} {
		if rep := look(t, "foto.webp", doc); rep.Verdict != Allow || len(rep.Findings) != 0 || rep.MediaType != "image/webp" {
			t.Errorf("%q: %+v", doc, rep)
		}
	}
	if rep := look(t, "x.webp", []byte("RIFF\x04\x00\x00\x00WAVE")); rep.Format == "webp" || rep.Verdict != Refuse {
		t.Errorf("a sound: %+v", rep)
	}
}

func FuzzInspectWebP(f *testing.F) { fuzz(f, "x.webp", seedsOf(webpCases())...) }
