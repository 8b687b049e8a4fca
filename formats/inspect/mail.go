package inspect

import (
	"bytes"
	"strings"
)

// A mail message is no document: programs choose among its parts, fetch the
// pictures of one and not of the other, and show headers as they please. It is
// refused as a format, with the advice to sign what is attached.
//
// So is a web page in one file (MHTML, RFC 2557), although its root could be
// inspected as HTML. What it shows hangs on the program: browsers take the root
// by the parameter "start" or the first page they meet, find the other parts by
// Content-Location or fetch them, some read the encoding from the part and some
// from the page, and Word runs the macros that such a file may carry. No one
// way of reading it is the one.

// mailFields are the header fields by which a message is told from a text whose
// first lines happen to have colons (RFC 5322 §3.6, RFC 2045 §3).
var mailFields = map[string]bool{
	"from": true, "sender": true, "to": true, "cc": true, "reply-to": true, "date": true, "subject": true,
	"return-path": true, "received": true, "message-id": true, "mime-version": true, "delivered-to": true,
	"dkim-signature": true, "content-type": true, "in-reply-to": true, "references": true,
	"snapshot-content-location": true,
}

// detectMail tells a message and a web archive by the header they begin with.
// Without the fields that only programs write, the name has to say so too: a
// letter may well begin with "From:" and "Subject:".
func detectMail(head []byte, name string) string {
	fields := mailHeader(head)
	known := 0
	for f := range fields {
		if mailFields[f] {
			known++
		}
	}
	_, version := fields["mime-version"]
	_, received := fields["received"]
	_, id := fields["message-id"]
	_, snapshot := fields["snapshot-content-location"]
	_, to := fields["to"]
	ext := extension(name)
	switch related := strings.HasPrefix(fields["content-type"], "multipart/related"); {
	case known == 0:
		return ""
	case snapshot, version && (ext == "mht" || ext == "mhtml"), version && related && !received && !to && ext != "eml":
		return "mhtml"
	case ext == "eml" || ext == "mbox", known >= 3 && (version || received || id):
		return "eml"
	}
	return ""
}

// mailHeader reads the fields at the start, names in lower case with the first
// value of each, up to the empty line or the end of head. It is nil where a line
// is neither a field nor the continuation of one (RFC 5322 §2.2).
func mailHeader(head []byte) map[string]string {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(head, []byte("From ")) { // the line before a message in a mailbox
		_, head, _ = bytes.Cut(head, []byte("\n"))
	}
	fields := map[string]string{}
	last := ""
	for len(head) > 0 {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		head = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			return fields
		}
		if line[0] == ' ' || line[0] == '\t' {
			if last == "" {
				return nil
			}
			continue
		}
		field, value, ok := bytes.Cut(line, []byte(":"))
		if !whole && !ok {
			break // cut off where head ends
		}
		if last = strings.ToLower(strings.TrimRight(string(field), " \t")); !ok || !isFieldName(last) {
			return nil
		}
		if _, double := fields[last]; !double {
			fields[last] = strings.ToLower(strings.TrimSpace(string(value)))
		}
	}
	return fields
}

func isFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// mail refuses a message.
func (s *scan) mail() { s.add("format.mail", "", "") }

// webArchive refuses an MHTML file and says so if Word would find macros in it:
// they are in a part that begins with "ActiveMime", in base64.
func (s *scan) webArchive() {
	s.add("format.mhtml", "", "")
	if found, err := containsAny(s.reader(), []byte("QWN0aXZlTWltZ"), []byte("ActiveMime")); err == nil && found {
		s.add("ooxml.macro", "", "ActiveMime")
	}
}
