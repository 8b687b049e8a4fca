package inspect

import (
	"errors"
	"io"
	"sync"
)

// Inspect reads the document of size bytes behind r and reports what in it can
// change what it shows. name is used for its extension alone and may be "".
//
// A document that cannot be understood is not an error: it is a report with the
// verdict Refuse. An error (of kind Read) means that r itself failed, in which
// case the report is a refusal as well.
func Inspect(r io.ReaderAt, size int64, name string) (Report, error) {
	src := &source{ReaderAt: r}
	rep := newReport()
	s := &scan{report: rep, r: src, size: size, name: name}
	s.run()
	if err := src.failure(); err != nil {
		rep.add("inspect.failed", "", "")
		return *rep.Report, &Error{Kind: Read, Msg: "the document could not be read; upload it again", Err: err}
	}
	return *rep.Report, nil
}

// scan is one document under inspection. The content of an envelope is a scan
// of its own that writes into the same report.
type scan struct {
	*report
	r         io.ReaderAt
	size      int64
	name      string
	envelopes int  // how many .p7m we are inside of
	packed    bool // a drawing in an Office document
}

func (s *scan) reader() *io.SectionReader { return io.NewSectionReader(s.r, 0, s.size) }

// run detects the format and hands the document to its scanner.
func (s *scan) run() {
	switch {
	case s.size <= 0:
		s.add("empty", "", "")
		return
	case s.size > maxFile:
		s.add("size", "", "")
		return
	}
	d := detect(s.r, s.size, s.name)
	if s.envelopes == 0 {
		s.Format, s.MediaType = d.format, mediaTypes[d.format]
		if s.MediaType == "" {
			s.MediaType = "application/octet-stream"
		}
	}
	for _, also := range d.also {
		s.add("format.polyglot", "", d.format+" + "+also)
	}
	if d.format == "unknown" {
		s.add("format.unknown", "", "")
		return
	}
	if d.zip == nil && d.format != "cfb" { // a package is only named after its parts have been read
		s.checkName(d.format)
	}
	s.dispatch(d)
}

func (s *scan) dispatch(d detected) {
	switch d.format {
	case "pdf":
		s.pdf()
	case "cfb":
		s.cfb()
	case "rtf":
		s.rtf()
	case "zip":
		s.zipPackage(d)
	case "html":
		s.html()
	case "xhtml", "svg", "xml":
		s.xml(d.format)
	case "wordml", "spreadsheetml", "flatopc", "flatodf":
		s.officeXML(d.format)
	case "text", "csv", "json", "markdown":
		s.text(d.format)
	case "eml":
		s.mail()
	case "mhtml":
		s.webArchive()
	case "sylk", "dif":
		s.sheetText(d.format)
	case "png":
		s.png()
	case "jpeg":
		s.jpeg()
	case "gif":
		s.gif()
	case "webp":
		s.webp()
	case "bmp":
		s.bmp()
	case "tiff":
		s.tiff()
	case "p7m":
		s.p7m()
	default:
		s.add("format.unknown", "", d.format)
	}
}

// setFormat refines the format once a container's parts are known.
func (s *scan) setFormat(format string) {
	if s.envelopes == 0 {
		s.Format, s.MediaType = format, mediaTypes[format]
	}
	s.checkName(format)
}

// source remembers the first real failure of the underlying reader, which the
// parsers would otherwise report as a malformed document.
type source struct {
	io.ReaderAt
	mu  sync.Mutex
	err error
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		if s.err == nil {
			s.err = err
		}
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
