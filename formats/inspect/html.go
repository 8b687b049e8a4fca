package inspect

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"golang.org/x/net/html"
)

// html inspects a page with the tokenizer browsers share (WHATWG HTML §13.2.5).
// Building the tree is not needed: an element that is refused is refused
// wherever the tree builder would put it.
func (s *scan) html() {
	if s.size > maxMarkup {
		s.add("size", "", "")
		return
	}
	s.htmlEncoding()
	z := html.NewTokenizer(s.reader())
	z.SetMaxBuf(maxTag)
	h := htmlScan{scan: s, m: &markup{report: s.report, line: 1}, chars: &characters{s.report}}
	for {
		kind := z.Next()
		raw := z.Raw()
		if kind == html.ErrorToken {
			if err := z.Err(); !errors.Is(err, io.EOF) {
				s.add("html.malformed", h.m.where(), err.Error())
			}
			return
		}
		lines := bytes.Count(raw, []byte("\n"))
		h.token(kind, raw, z)
		h.m.line += lines
	}
}

type htmlScan struct {
	*scan
	m       *markup
	chars   *characters
	inStyle bool
}

func (h *htmlScan) token(kind html.TokenType, raw []byte, z *html.Tokenizer) {
	switch kind {
	case html.StartTagToken, html.SelfClosingTagToken:
		h.tag(z)
	case html.EndTagToken:
		h.inStyle = false
	case html.TextToken:
		if h.inStyle {
			h.m.css(string(raw))
			return
		}
		h.chars.text(string(z.Text()), h.m.where)
	case html.CommentToken:
		h.comment(string(raw))
	case html.DoctypeToken:
		if bytes.Contains(raw, []byte("[")) {
			h.add("html.malformed", h.m.where(), string(raw))
		}
	}
}

func (h *htmlScan) tag(z *html.Tokenizer) {
	name, more := z.TagName()
	element := string(name)
	var attrs []attribute
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		if len(attrs) >= maxXMLAttributes {
			h.add("html.malformed", h.m.where(), "too many attributes: <"+element+">")
			return
		}
		if bytes.IndexByte(k, 0) >= 0 || strings.ContainsAny(string(k), "\"'<") {
			h.add("html.malformed", h.m.where(), string(k))
		}
		attrs = append(attrs, attribute{string(k), string(v)})
	}
	if bytes.IndexByte(name, 0) >= 0 {
		h.add("html.malformed", h.m.where(), element)
	}
	// A prefixed name in HTML is only a name, but old browsers ran <x:script>.
	if _, local, ok := strings.Cut(element, ":"); ok {
		element = local
	}
	h.m.element(element, attrs)
	h.inStyle = element == "style"
}

// comment: conditional comments are code to the browsers that know them, and
// processing instructions arrive here too.
func (h *htmlScan) comment(raw string) {
	lower := strings.ToLower(raw)
	switch {
	case strings.HasPrefix(lower, "<!--[if") || strings.HasPrefix(lower, "<![if"):
		h.add("html.dynamic", h.m.where(), raw)
	case strings.HasPrefix(lower, "<?xml-stylesheet"):
		h.add("xml.stylesheet", h.m.where(), raw)
	case strings.HasPrefix(lower, "<?import") || strings.HasPrefix(lower, "<?php") || strings.HasPrefix(lower, "<%"):
		h.add("html.script", h.m.where(), raw)
	}
}

// htmlEncoding refuses pages whose bytes can be read under more than one
// character encoding: UTF-7 and UTF-16 hide tags from a reader of ASCII.
func (s *scan) htmlEncoding() {
	head := make([]byte, min(s.size, headSize))
	n, _ := s.r.ReadAt(head, 0)
	head = head[:n]
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		s.add("html.encoding", "", "UTF-16")
		return
	}
	declared := declaredCharsets(head)
	for _, d := range declared {
		switch {
		case d == "utf-8", d == "utf8", d == "us-ascii", d == "ascii", strings.HasPrefix(d, "iso-8859-"), strings.HasPrefix(d, "windows-125"):
			if d != declared[0] {
				s.add("html.encoding", "", declared[0]+" / "+d)
			}
		default:
			s.add("html.encoding", "", d)
		}
	}
	enc := scanEncoding(s.reader())
	switch {
	case enc.nul:
		s.add("html.encoding", "", "NUL")
	case enc.invalid && len(declared) == 0:
		s.add("html.encoding", "", "no encoding declared")
	case enc.invalid && (declared[0] == "utf-8" || declared[0] == "utf8"):
		s.add("html.encoding", "", "not UTF-8 though declared so")
	case enc.wide && !enc.invalid && len(declared) == 0:
		s.add("text.encoding", "", "no encoding declared")
	}
}

// declaredCharsets collects what follows every "charset=" in the first bytes.
func declaredCharsets(head []byte) []string {
	var found []string
	lower := bytes.ToLower(head)
	for {
		i := bytes.Index(lower, []byte("charset"))
		if i < 0 {
			return found
		}
		lower = bytes.TrimLeft(lower[i+len("charset"):], " \t\r\n")
		if !bytes.HasPrefix(lower, []byte("=")) {
			continue
		}
		lower = bytes.TrimLeft(lower[1:], " \t\r\n\"'")
		end := bytes.IndexFunc(lower, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
		})
		if end > 0 {
			found = append(found, string(lower[:end]))
		}
	}
}
