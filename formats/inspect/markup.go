package inspect

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// attribute is one attribute with its value, character references decoded.
type attribute struct{ name, value string }

// markup judges elements of HTML and SVG by what a browser would do with them.
type markup struct {
	*report
	line     int
	pictures int // that were found in data: URLs
}

func (m *markup) where() string { return fmt.Sprintf("line %d", m.line) }

// elementRules are the elements that are never inert.
var elementRules = map[string]string{
	"script": "html.script", "noscript": "html.script", "handler": "html.script", "listener": "html.script",
	"iframe": "html.embedded", "frame": "html.embedded", "frameset": "html.embedded", "noframes": "html.embedded",
	"object": "html.embedded", "embed": "html.embedded", "applet": "html.embedded", "param": "html.embedded",
	"portal": "html.embedded", "fencedframe": "html.embedded", "foreignobject": "html.embedded",
	"video": "html.embedded", "audio": "html.embedded", "source": "html.embedded", "track": "html.embedded",
	"bgsound": "html.embedded", "canvas": "html.embedded", "xml": "html.embedded",
	"form": "html.form", "input": "html.form", "button": "html.form", "select": "html.form",
	"textarea": "html.form", "isindex": "html.form", "keygen": "html.form",
	"bdo": "text.bidi", "maction": "html.dynamic", "annotation-xml": "html.embedded",
	"base": "html.redirect", "link": "html.external", "import": "html.external",
	"template": "html.dynamic", "slot": "html.dynamic", "marquee": "html.dynamic", "blink": "html.dynamic",
	"dialog": "html.dynamic", "details": "html.dynamic", "animate": "html.dynamic", "animatemotion": "html.dynamic",
	"animatetransform": "html.dynamic", "animatecolor": "html.dynamic", "set": "html.dynamic", "discard": "html.dynamic",
	"switch": "html.dynamic",
}

// inertElements are those of HTML, MathML and SVG that show what they hold. What
// is on neither list may be something to the browsers of tomorrow.
var inertElements = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range strings.Fields(`html head title body style meta
		h1 h2 h3 h4 h5 h6 hgroup p br hr wbr div span pre blockquote center address article aside footer header main nav section search
		a abbr acronym b bdi big cite code data del dfn em font i ins kbd mark nobr q s samp small strike strong sub sup time tt u var basefont
		ruby rb rp rt rtc ul ol li dir menu dl dt dd figure figcaption img map area label legend meter progress
		summary picture fieldset option optgroup datalist output
		table caption colgroup col thead tbody tfoot tr th td
		math mrow mi mn mo ms mspace mtext mfrac msqrt mroot mstyle merror mpadded mphantom msub msup msubsup munder mover munderover
		mmultiscripts mprescripts mtable mtr mtd semantics annotation
		svg g defs symbol use path rect circle ellipse line polyline polygon text tspan textpath desc metadata image view
		lineargradient radialgradient stop pattern clippath mask marker filter`) {
		m[e] = true
	}
	return m
}()

// element judges one start tag; name may be in any case.
func (m *markup) element(name string, attrs []attribute) {
	name = strings.ToLower(name)
	if rule, ok := elementRules[name]; ok {
		m.add(rule, m.where(), "<"+name+">")
	} else if !inertElements[name] && !strings.HasPrefix(name, "fe") {
		m.add("html.malformed", m.where(), "<"+name+">")
	}
	if name == "meta" {
		m.meta(attrs)
	}
	for _, a := range attrs {
		m.attribute(name, strings.ToLower(a.name), a.value)
	}
	m.unpainted(name, attrs)
}

// meta: instructions to the browser that act like HTTP headers.
func (m *markup) meta(attrs []attribute) {
	for _, a := range attrs {
		if !strings.EqualFold(a.name, "http-equiv") {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(a.value)) {
		case "content-type", "content-language", "x-ua-compatible", "content-style-type", "cache-control", "pragma", "expires":
		default:
			m.add("html.redirect", m.where(), "http-equiv="+a.value)
		}
	}
}

// loading are the attributes whose URL is fetched without being asked for.
var loading = map[string]bool{
	"src": true, "srcset": true, "background": true, "poster": true, "data": true, "code": true, "codebase": true,
	"classid": true, "archive": true, "lowsrc": true, "dynsrc": true, "longdesc": false, "manifest": true,
	"profile": false, "cite": false, "imagesrcset": true, "icon": true,
}

func (m *markup) attribute(element, name, value string) {
	if name == "xlink:href" { // in a page of HTML the prefix is part of the name
		name = "href"
	}
	switch {
	case len(name) > 2 && strings.HasPrefix(name, "on"):
		m.add("html.script", m.where(), name+"="+value)
		return
	case name == "style":
		m.css(value)
		return
	case name == "media" && element != "meta":
		if v := strings.ToLower(strings.TrimSpace(value)); v != "" && v != "all" {
			m.add("html.dynamic", m.where(), "media="+value)
		}
		return
	case name == "srcdoc":
		m.add("html.embedded", m.where(), "srcdoc="+value)
		return
	case name == "popover", name == "contenteditable", // shown on demand; changed by the reader
		name == "systemlanguage", name == "requiredfeatures", name == "requiredextensions": // shown to some readers only
		m.add("html.dynamic", m.where(), name+"="+value)
		return
	case name == "hidden":
		m.add("html.hidden", m.where(), "<"+element+" hidden>")
		return
	case name == "action" || name == "formaction":
		m.add("html.form", m.where(), name+"="+value)
		return
	case name == "ping":
		m.add("html.external", m.where(), "ping="+value)
		return
	case (element == "img" || element == "image") && (name == "src" || name == "href") && m.picture(value):
		return
	case name == "href":
		m.href(element, value)
		return
	}
	m.attributeHides(name, value)
	scheme := urlScheme(value)
	switch {
	case isCodeScheme(scheme):
		m.add("html.script", m.where(), name+"="+value)
	case loading[name] && strings.TrimSpace(value) != "" && !strings.HasPrefix(strings.TrimSpace(value), "#"):
		m.add("html.external", m.where(), name+"="+value)
	case strings.Contains(strings.ToLower(value), "url("):
		m.css(value) // SVG presentation attributes: fill, filter, mask, …
	}
}

// href of an a or area element waits for the reader; of any other it is
// fetched at once, unless it points into the document itself.
func (m *markup) href(element, value string) {
	scheme := urlScheme(value)
	switch {
	case isCodeScheme(scheme):
		m.add("html.script", m.where(), "href="+value)
	case strings.HasPrefix(strings.TrimSpace(value), "#"):
	case element == "a" || element == "area":
		m.add(linkRule(value), m.where(), value)
	case element == "link" || element == "base": // judged as elements
	default:
		m.add("html.external", m.where(), "href="+value)
	}
}

// linkRule judges a link the reader has to follow himself.
func linkRule(target string) string {
	switch urlScheme(target) {
	case "", "http", "https", "mailto", "tel", "ftp", "pec", "urn", "doi", "sip":
		if strings.HasPrefix(strings.TrimSpace(target), `\\`) {
			return "link.scheme"
		}
		return "link"
	}
	return "link.scheme"
}

func isCodeScheme(scheme string) bool {
	switch scheme {
	case "javascript", "vbscript", "livescript", "mocha", "jscript", "data", "blob", "about", "view-source", "mhtml", "ms-its":
		return true
	}
	return false
}

// urlScheme is the scheme as a browser reads it: white space and control
// characters are dropped first (WHATWG URL §4.4).
func urlScheme(raw string) string {
	var b strings.Builder
	for _, c := range raw {
		if c <= ' ' || unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
			continue
		}
		if c == ':' {
			return strings.ToLower(b.String())
		}
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || b.Len() > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.')) || b.Len() > 32 {
			return ""
		}
		b.WriteRune(c)
	}
	return ""
}

var (
	cssComment = regexp.MustCompile(`(?is)\\.|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|url\(\s*[^"'\s)][^)]*\)|/\*.*?\*/`)
	cssEscape  = regexp.MustCompile(`\\(?:([0-9a-fA-F]{1,6})\s?|([^\n]))`)
	cssURL     = regexp.MustCompile(`url\(\s*['"]?\s*([^)]?)`)
	cssCode    = regexp.MustCompile(`expression\s*\(|behaviou?r\s*:|-moz-binding|javascript:|vbscript:`)
	cssDynamic = regexp.MustCompile(`@container|@supports|@keyframes|@-webkit-keyframes|:hover|:focus|:active|:visited|:target|:checked|:has\(|attr\(|(?:^|[^a-z0-9_.#-])(?:-[a-z]+-)?(?:animation|transition)[a-z-]*\s*:|(?:^|[^a-z0-9_.#-])content\s*:`)
	cssMedia   = regexp.MustCompile(`@media([^{;]*)`)
	cssAtRule  = regexp.MustCompile(`@([a-z-]+)`)
	cssPseudo  = regexp.MustCompile(`:+([a-z-]+)`)
	cssCall    = regexp.MustCompile(`([a-z-]+)\(`)
)

// css judges a style sheet or a style attribute: what it fetches, what it runs
// and what it shows only at times.
func (m *markup) css(style string) {
	style = cssComment.ReplaceAllStringFunc(style, uncommented)
	style = strings.ToLower(m.cssPictures(cssEscape.ReplaceAllStringFunc(style, cssUnescape)))
	if hit := cssCode.FindString(style); hit != "" {
		m.add("html.script", m.where(), hit)
	}
	for _, u := range cssURL.FindAllStringSubmatch(style, -1) {
		if u[1] != "#" {
			m.add("html.external", m.where(), u[0])
		}
	}
	for _, word := range []string{"@import", "image-set(", "@font-face", "src("} {
		if strings.Contains(style, word) {
			m.add("html.external", m.where(), word)
		}
	}
	if strings.Contains(style, "bidi-override") || strings.Contains(style, "isolate-override") {
		m.add("text.bidi", m.where(), "unicode-bidi")
	}
	for _, media := range cssMedia.FindAllStringSubmatch(style, -1) {
		if strings.TrimSpace(media[1]) != "all" {
			m.add("html.dynamic", m.where(), media[0])
			break
		}
	}
	if hit := cssDynamic.FindString(style); hit != "" {
		m.add("html.dynamic", m.where(), hit)
	}
	m.cssBlocks(style)
	m.cssUnknown(style)
}

// cssStatic are the at-rules, the pseudo-classes and the functions whose outcome
// hangs on the document alone, not on the reader, the screen or the moment.
var cssStatic = func() map[string]bool {
	m := map[string]bool{}
	for _, word := range strings.Fields(`@charset @namespace @page @media :first :left :right :blank
		:root :empty :first-child :last-child :only-child :nth-child :nth-last-child :first-of-type :last-of-type :only-of-type
		:nth-of-type :nth-last-of-type :not :is :where :before :after :first-letter :first-line :marker
		url rgb rgba hsl hsla hwb lab lch oklab oklch color calc min max clamp var counter
		linear-gradient radial-gradient conic-gradient repeating-linear-gradient repeating-radial-gradient
		matrix rotate scale scalex scaley skew skewx skewy translate translatex translatey rect inset circle ellipse polygon path
		repeat minmax fit-content blur brightness contrast drop-shadow grayscale opacity saturate sepia`) {
		m[word] = true
	}
	return m
}()

// cssUnknown finds at-rules, pseudo-classes and functions that are not known to
// be static. What is before a brace is a selector; colons elsewhere only stand
// between a property and its value.
func (m *markup) cssUnknown(style string) {
	refuse := func(kind string, names [][]string) {
		for _, name := range names {
			if !cssStatic[kind+name[1]] {
				m.add("html.dynamic", m.where(), name[0])
				return
			}
		}
	}
	refuse("@", cssAtRule.FindAllStringSubmatch(style, -1))
	for len(style) > 0 {
		end := strings.IndexAny(style, "{};")
		if end < 0 {
			end = len(style)
		}
		part, brace := style[:end], end < len(style) && style[end] == '{'
		if style = style[min(end+1, len(style)):]; brace {
			refuse(":", cssPseudo.FindAllStringSubmatch(part, -1))
		} else {
			refuse("", cssCall.FindAllStringSubmatch(part, -1))
		}
	}
}

// uncommented drops what is a comment. In a string, in a URL and after an escape
// there is none, and what stands between two that only look like it is in force.
func uncommented(token string) string {
	if strings.HasPrefix(token, "/*") {
		return ""
	}
	return token
}

func cssUnescape(esc string) string {
	p := cssEscape.FindStringSubmatch(esc)
	if p[1] == "" {
		return p[2]
	}
	var c rune
	for _, d := range strings.ToLower(p[1]) {
		c = c<<4 | rune(strings.IndexRune("0123456789abcdef", d))
	}
	return string(c)
}
