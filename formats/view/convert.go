package view

import (
	"context"
	"os"
)

// exports are LibreOffice's filters that write PDF, by the format of the
// document. PDF, images and drawings are not among them: what LibreOffice's Draw
// makes of a PDF is another document, and images and drawings need it too.
var exports = map[string]string{
	"docx": "writer", "dotx": "writer", "docm": "writer", "odt": "writer", "rtf": "writer", "doc": "writer", "text": "writer",
	"html": "writer_web", "xhtml": "writer_web",
	"xlsx": "calc", "xltx": "calc", "xlsm": "calc", "xlsb": "calc", "ods": "calc", "xls": "calc",
	"pptx": "impress", "ppsx": "impress", "potx": "impress", "pptm": "impress", "odp": "impress", "ppt": "impress",
}

// endings are the extensions by which LibreOffice knows a format, where that is
// not the format's name.
var endings = map[string]string{"text": "txt", "xhtml": "html"}

// Converts tells whether Convert takes documents of a format, as it is named in
// inspect.Report.Format.
func (r *Renderer) Converts(format string) bool { return r.Soffice != "" && exports[format] != "" }

// Convert writes the document at path as PDF/A-2b to the new file target and
// tells which program did it.
//
// Unlike the rest of this package it is meant for documents that the inspection
// has refused, which LibreOffice then opens. That is no more than what happens
// on the holder's own desk when he follows the advice to export the document as
// PDF/A, in a better place: macros are off, no link is followed, nothing is
// updated, there is no network, no other file, no time left after a minute. A
// LibreOffice that is taken over by the document can do nothing but write a PDF
// that the document's author could have written himself, and the caller must
// treat it as that: as a new document of a stranger, to be inspected and shown.
// So it is never done without a cage, whatever AllowUnsandboxed says.
func (r *Renderer) Convert(ctx context.Context, path, format, target string) (program string, err error) {
	if exports[format] == "" {
		return "", unsupported(format)
	}
	if r.Soffice == "" {
		return "", &Error{Missing, "LibreOffice is not installed; install libreoffice-writer-nogui and libreoffice-calc-nogui", nil}
	}
	kind, err := r.chooseCage(ctx)
	if err == nil && kind == uncaged {
		err = r.cageErr
	}
	if err != nil {
		return "", err
	}
	release, err := r.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	c := conversion{format: format, filter: `pdf:` + exports[format] + `_pdf_Export:{"SelectPdfVersion":{"type":"long","value":"2"}}`}
	if format == "text" {
		if err := onlyUTF8(path); err != nil {
			return "", err
		}
		c.options = []string{"--infilter=Text (encoded):UTF8"}
	}
	return r.version(ctx, libreOffice), r.convert(ctx, path, c, target)
}

// onlyUTF8 keeps LibreOffice from guessing what the bytes of a text mean.
func onlyUTF8(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return &Error{Unreadable, "the document cannot be opened", err}
	}
	defer f.Close()
	if valid, err := isUTF8(f); err != nil || !valid {
		return &Error{Unsupported, "the text is not UTF-8; save it as UTF-8", err}
	}
	return nil
}
