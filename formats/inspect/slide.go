package inspect

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// chartFields are the fields of chart labels, in lower case.
var chartFields = map[string]bool{
	"cellrange": true, "seriesname": true, "categoryname": true, "value": true, "xvalue": true, "yvalue": true,
	"bubblesize": true, "percentage": true, "txlink": true,
}

// slideScan follows PresentationML and the drawings in all documents.
type slideScan struct {
	*report
	where  string
	master bool   // a master or layout: its placeholders are not shown on the slides
	notes  bool   // the speaker's notes of a slide
	place  string // the kind of placeholder that the shape being read is; "" if none
}

// start reports whether it heeds elements of that name, which hangs on nothing else.
func (p *slideScan) start(e xml.StartElement) bool {
	switch e.Name.Local {
	case "sp", "pic", "graphicFrame", "cxnSp":
		p.place = ""
	case "ph":
		if p.place, _ = attr(e, "type"); p.place == "" {
			p.place = "obj" // what is meant without a type (§19.7.10)
		}
	case "fld":
		kind, _ := attr(e, "type")
		switch lower := strings.ToLower(kind); {
		case lower == "slidenum", p.master && p.place != "", chartFields[lower]:
			p.add("field.layout", p.where, kind)
		default:
			p.add("field.dynamic", p.where, kind)
		}
	case "hlinkClick", "hlinkHover", "hlinkMouseOver":
		p.action(e)
	case "timing":
		p.add("slide.animation", p.where, "<timing>")
	case "transition":
		if after, ok := attr(e, "advTm"); ok {
			p.add("slide.animation", p.where, "advances by itself after "+after+" ms")
		}
	case "sld":
		if v, ok := attr(e, "show"); ok && !isOn(v, true) {
			p.add("ooxml.hidden", p.where, "<sld show=0>")
		}
	case "sldRg": // of the slides that the show has
		p.add("ooxml.hidden", p.where, "<sldRg>")
	case "custShow": // by its number, the one to show; by its name, one of the list
		if _, named := attr(e, "name"); !named {
			p.add("ooxml.hidden", p.where, "<custShow>")
		}
	case "videoFile", "audioFile", "wavAudioFile", "quickTimeFile", "audioCd":
		p.add("ooxml.media", p.where, "<"+e.Name.Local+">")
	default:
		return false
	}
	return true
}

// action judges what a click does: only moves between slides are inert.
func (p *slideScan) action(e xml.StartElement) {
	action, ok := attr(e, "action")
	if !ok || action == "" {
		if id, _ := attr(e, "id"); id != "" && e.Name.Local != "hlinkClick" {
			p.add("slide.action", p.where, "<"+e.Name.Local+">") // the pointer alone opens the link
		}
		return
	}
	lower := strings.ToLower(action)
	switch {
	case strings.HasPrefix(lower, "ppaction://hlinkshowjump"), strings.HasPrefix(lower, "ppaction://hlinksldjump"), lower == "ppaction://noaction":
	default:
		p.add("slide.action", p.where, action)
	}
}

// text finds what the notes of a slide say: of a show nobody sees them.
func (p *slideScan) text(b []byte) {
	if !p.notes || p.place != "body" && p.place != "" {
		return
	}
	if words := bytes.TrimSpace(b); len(words) > 0 {
		p.notes = false // once is enough
		p.add("ooxml.hidden", p.where, "<notes> "+string(words))
	}
}
