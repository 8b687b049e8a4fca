package asic

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"sigillo/formats/cms"
)

// The names that EN 319 162-1 gives.
const (
	mimetypeName    = "mimetype"
	metaInf         = "META-INF/"
	archiveManifest = metaInf + "ASiCArchiveManifest.xml" // the newest; older ones are numbered
	odfManifest     = metaInf + "manifest.xml"
)

const maxName = 1024 // octets of the name of an entry

// checkName refuses names that leave the folder a container is unpacked into, or
// that file systems take for something else.
func checkName(name string) error {
	folder := strings.TrimSuffix(name, "/")
	switch {
	case folder == "" || len(name) > maxName || !utf8.ValidString(name):
		return fail(cms.Malformed, "the name %q is empty, too long or not UTF-8", name)
	case strings.Contains(name, "\\") || len(name) > 1 && name[1] == ':', strings.ContainsFunc(name, strange):
		return fail(Ambiguous, "the name %q holds a character that file systems read in different ways", name)
	}
	for _, part := range strings.Split(folder, "/") {
		if part == "" || part == "." || part == ".." || strings.TrimRight(part, " .") != part {
			return fail(Ambiguous, "the name %q leaves its folder or is spelled in a way that file systems read differently", name)
		}
	}
	return nil
}

// strange are controls and the invisible characters that make two names look alike.
func strange(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError || r == '\u200b' || r == '\ufeff'
}

var fold = cases.Fold()

// plainName gives what names that some file system takes for one have in common.
func plainName(name string) string {
	return fold.String(norm.NFKC.String(strings.TrimSuffix(name, "/")))
}

// checkDocumentName is checkName for the documents of a new container.
func checkDocumentName(name string) error {
	if err := checkName(name); err != nil {
		return &Error{cms.BadOptions, "a document has a name that cannot stand in a container", err}
	}
	plain := plainName(name)
	if strings.HasSuffix(name, "/") || plain == mimetypeName || plain == "meta-inf" || strings.HasPrefix(plain, "meta-inf/") {
		return fail(cms.BadOptions, "the name %q is one of the container's own", name)
	}
	return nil
}

// toURI encodes a name as a relative reference (RFC 3986).
func toURI(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.ReplaceAll(strings.Join(parts, "/"), ":", "%3A")
}

// fromURI is the inverse of toURI. A reference that is not encoded well is the
// name itself, as careless programs write it.
func fromURI(uri string) string {
	name, err := url.PathUnescape(uri)
	if err != nil {
		return uri
	}
	return name
}

// The kinds of files in META-INF, by their names (§4.3.3, §4.4.3): any that contain
// the word.
func inMetaInf(name, infix, suffix string) bool {
	rest, ok := strings.CutPrefix(name, metaInf)
	return ok && strings.Contains(rest, infix) && strings.HasSuffix(rest, suffix)
}

func isCAdES(name string) bool { return inMetaInf(name, "signature", ".p7s") }
func isXAdES(name string) bool { return inMetaInf(name, "signatures", ".xml") }
func isStamp(name string) bool { return inMetaInf(name, "timestamp", ".tst") }
func isManifest(name string) bool {
	return inMetaInf(name, "ASiCManifest", ".xml")
}
func isArchiveManifest(name string) bool { return inMetaInf(name, "ASiCArchiveManifest", ".xml") }
func isRecord(name string) bool          { return inMetaInf(name, "evidencerecord", ".ers") }
func isRecordManifest(name string) bool  { return inMetaInf(name, "ASiCEvidenceRecordManifest", ".xml") }

// IsXMLRecord reports whether a file of a container is an evidence record in XML (RFC
// 6283), by its name.
func IsXMLRecord(name string) bool { return inMetaInf(name, "evidencerecord", ".xml") }

func isDocument(name string) bool {
	return name != mimetypeName && !strings.HasPrefix(name, metaInf) && !strings.HasSuffix(name, "/")
}
