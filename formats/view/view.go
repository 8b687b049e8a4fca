package view

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Limits of one view.
const (
	MaxPages  = 5_000
	MaxPixels = 100 << 20 // of one page

	pageTime    = 30 * time.Second // to draw a page
	convertTime = 60 * time.Second // to convert an Office document
)

// Renderer draws pages. The zero value is of no use; see New. Its fields are
// set before the first call; its methods may be called at the same time.
type Renderer struct {
	Pdftoppm  string // path of poppler's pdftoppm; "" if there is none
	Pdftotext string // path of poppler's pdftotext; "" if there is none
	Mutool    string // path of mupdf's mutool; "" if there is none
	Soffice   string // path of LibreOffice; "" if there is none
	Bwrap     string // path of bubblewrap; "" if there is none
	Prlimit   string // path of util-linux' prlimit; "" if there is none
	Own       string // path of a program that runs Main for Command: of Sigillo, which draws texts and images

	// Cache is a folder for the PDFs that Office documents were converted to,
	// under the SHA-256 of the document. They hold the document's content: the
	// owner of the folder keeps it private and empties it.
	Cache string

	// Cage gives the words to put before an absolute command line so that the
	// program runs without namespaces but shut in: it may write in the folder
	// dir alone, read document ("" for none) besides the machine's programs and
	// fonts, and use so much memory and processor time. It is for machines where
	// bubblewrap does not work; nil for none.
	Cage func(dir, document string, memory int64, limit time.Duration) []string

	// AllowUnsandboxed lets the outside programs run without any cage. It is
	// for machines that cannot build one and accept documents from friends.
	AllowUnsandboxed bool

	Log *slog.Logger // is told once which cage is used; nil for nobody

	cage     sync.Once
	kind     cageKind
	cageErr  error
	converts singleflight.Group
	versions versions
	drawings chan struct{} // bounds the pages in memory at the same time
	patience time.Duration // with Own, for one page
}

// New looks the programs up; the running one is taken to be Own. What is missing
// is only missed when a document needs it.
func New(cache string) *Renderer {
	find := func(name string) string {
		path, err := exec.LookPath(name)
		if err != nil {
			return ""
		}
		return path
	}
	own, _ := os.Executable()
	return &Renderer{
		Own: own, Pdftoppm: find("pdftoppm"), Pdftotext: find("pdftotext"), Mutool: find("mutool"),
		Soffice: find("soffice"), Bwrap: find("bwrap"), Prlimit: find("prlimit"),
		Cache: cache, drawings: make(chan struct{}, 2), patience: pageTime,
	}
}

// family groups the formats of inspect.Report.Format by how they are drawn.
func family(format string) string {
	switch format {
	case "pdf":
		return "pdf"
	case "docx", "dotx", "xlsx", "xltx", "pptx", "ppsx", "potx", "odt", "ods", "odp", "odg", "rtf", "doc", "xls", "ppt":
		return "office"
	case "text", "csv", "json", "markdown", "xml", "html", "xhtml", "svg":
		return "text"
	case "png", "jpeg", "tiff", "bmp", "gif", "webp":
		return "image"
	}
	return ""
}

// slot waits for a place among those who hold a page in memory.
func (r *Renderer) slot(ctx context.Context) (release func(), err error) {
	select {
	case r.drawings <- struct{}{}:
		return func() { <-r.drawings }, nil
	case <-ctx.Done():
		return nil, &Error{TimedOut, "too many pages are being drawn; try again", ctx.Err()}
	}
}

// A Kind says what sort of failure an Error is.
type Kind string

const (
	Unsupported Kind = "unsupported" // no view of this format
	Unreadable  Kind = "unreadable"  // the file cannot be opened or decoded
	Missing     Kind = "missing"     // an outside program is not installed
	NoSandbox   Kind = "no-sandbox"  // the cage cannot be built
	Limit       Kind = "limit"       // too large
	TimedOut    Kind = "timed-out"
	Failed      Kind = "failed"  // the outside program did not manage
	Differs     Kind = "differs" // two programs do not show the same
)

// Error is the typed error of this room.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("view: %s: %v", e.Msg, e.Err)
	}
	return "view: " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err, or "" if it is not of this room.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func unsupported(format string) error {
	return &Error{Unsupported, fmt.Sprintf("there is no view of documents of format %q", format), nil}
}
