package view

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"runtime/debug"
	"time"

	"sigillo/rlimit"
)

// Command is the hidden sub-command whose body is Main: Sigillo as the renderer
// that draws texts and images, which is run in the cage like the others.
const Command = "draw-pages"

// edition names how Sigillo lays pages out, for the accounts of views. It gets the
// next number with each change that makes other pictures of the same document.
const edition = "sigillo 1"

const (
	ownMemory     = 1 << 30 // bytes beyond those that the runtime has mapped at the start: an image of MaxPixels in 16 bits a channel
	ownSoftMemory = ownMemory / 4 * 3
)

// Main draws the document whose path is the second argument; the first is its
// format, as in inspect.Report.Format. It writes what readPages reads and returns
// the exit code. It expects to be in a cage and adds a limit on its memory.
func Main(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, Command+": to be started by sigillo itself only")
		return 2
	}
	debug.SetTraceback("none") // a crash must not print the document
	debug.SetMemoryLimit(ownSoftMemory)
	taken, err := rlimit.Taken()
	if err == nil {
		err = taken.Allow(ownMemory)
	}
	if err == nil {
		err = writePages(os.Stdout, args[1], args[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, Command+":", err)
		return 1
	}
	return 0
}

// writePages writes for each page the line "page n", where n is the length of its
// text in bytes, the text, and the picture as PPM; then "end", or why there is no
// more: "unreadable", "limit" or "unsupported".
func writePages(out io.Writer, path, format string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(out, 1<<16)
	page := func(p *image.NRGBA, text string) error {
		fmt.Fprintf(w, "page %d\n%s", len(text), text)
		return writePPM(w, p)
	}
	switch family(format) {
	case "text":
		err = drawText(f, format, page)
	case "image":
		err = drawImage(f, format, func(p *image.NRGBA) error { return page(p, "") })
	default:
		return unsupported(format)
	}
	switch kind := KindOf(err); {
	case err == nil:
		fmt.Fprintln(w, "end")
	case kind == Unreadable || kind == Limit || kind == Unsupported:
		fmt.Fprintln(w, kind)
		fmt.Fprintln(os.Stderr, err)
	default:
		return err
	}
	return w.Flush()
}

// errSlow ends a run that has made no page for too long.
var errSlow = errors.New("no page for too long")

// viewOwn has a text or an image drawn by Own and hands its pages over in order.
func (r *Renderer) viewOwn(ctx context.Context, path, format string, take func(Sheet) error) error {
	if r.Own == "" {
		return &Error{Missing, "the program that draws texts and images is not known", nil}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slow := time.AfterFunc(r.patience, func() { cancel(errSlow) })
	defer slow.Stop()
	n := 0
	err := r.run(ctx, &job{
		program: r.Own, args: []string{Command, format, "{document}"}, document: path, as: "document", time: viewTime,
		stdout: func(out io.Reader) error {
			return readPages(out, func(read func() (Sheet, error)) error {
				slow.Stop()
				release, err := r.slot(ctx)
				if err != nil {
					return err
				}
				s, err := read()
				release()
				if err != nil {
					return err
				}
				n++
				s.Number = n
				slow.Reset(r.patience)
				return take(s)
			})
		},
	})
	if errors.Is(context.Cause(ctx), errSlow) {
		return &Error{TimedOut, "the document takes too long to draw", nil}
	}
	return err
}

// readPages reads what writePages writes, and believes none of it: it comes from a
// program that has read a stranger's document. each is called when a page begins
// and calls read for it.
func readPages(r io.Reader, each func(read func() (Sheet, error)) error) error {
	br := bufio.NewReaderSize(r, 1<<16)
	for n := 0; ; n++ {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("the pages end too soon: %w", err)
		}
		switch string(line) {
		case "end\n":
			if n == 0 {
				return errors.New("there is no page")
			}
			return atEnd(br)
		case string(Unreadable) + "\n":
			return &Error{Unreadable, "the document cannot be decoded; save it as PNG or PDF/A", nil}
		case string(Unsupported) + "\n":
			return &Error{Unsupported, "this sort of image is not drawn here; save it as PNG or PDF/A", nil}
		case string(Limit) + "\n":
			return &Error{Limit, "the document is too large to be shown; split it", nil}
		}
		var length int
		if _, err := fmt.Sscanf(string(line), "page %d\n", &length); err != nil || length < 0 || length > maxPageText || n == MaxPages {
			return errors.New("what comes is not a page")
		}
		if err := each(func() (Sheet, error) { return readSheet(br, length) }); err != nil {
			return err
		}
	}
}

func readSheet(br *bufio.Reader, length int) (s Sheet, err error) {
	text := make([]byte, length)
	if _, err := io.ReadFull(br, text); err != nil {
		return s, fmt.Errorf("text cut short: %w", err)
	}
	p, err := readPPM(br)
	if err != nil {
		return s, err
	}
	s.Text = readable(string(text))
	s.PNG, err = encode(p)
	return s, err
}

func atEnd(br *bufio.Reader) error {
	if _, err := br.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the pages")
	}
	return nil
}

// writePPM writes an opaque picture as binary PPM.
func writePPM(w *bufio.Writer, p *image.NRGBA) error {
	fmt.Fprintf(w, "P6\n%d %d\n255\n", p.Rect.Dx(), p.Rect.Dy())
	row := make([]byte, 3*p.Rect.Dx())
	for y := range p.Rect.Dy() {
		from := p.Pix[y*p.Stride:]
		for x, at := 0, 0; x < len(row); x, at = x+3, at+4 {
			copy(row[x:x+3], from[at:at+3])
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}
