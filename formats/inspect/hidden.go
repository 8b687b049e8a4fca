package inspect

import (
	"regexp"
	"strconv"
	"strings"
)

// There are many ways to have a browser show nothing of a text: none at all,
// too small, outside of the page, behind a clip. What follows knows those that
// are in use; it judges single declarations, so that of ordinary ones (an indent,
// a small negative margin) nothing is said.

// offPage is how far outside, in CSS pixels, nobody will look for a text.
const offPage = 999

var (
	cssNumber = regexp.MustCompile(`([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)([a-z%]*)`)
	cssShrink = regexp.MustCompile(`(?:scale[xy]?|matrix)\(([^)]*)`)
	cssShift  = regexp.MustCompile(`translate[xy]?\(([^)]*)`)
	cssFont   = regexp.MustCompile(`(?:^|\s)0+(?:\.0*)?[a-z%]*(?:/|\s)`)
)

// unitPixels are CSS pixels (CSS Values §6); of those that hang on the screen or
// on the element, what is usual. A column set aside by -100% is not off the page.
var unitPixels = map[string]float64{
	"": 1, "px": 1, "pt": 4.0 / 3, "pc": 16, "in": 96, "cm": 37.8, "mm": 3.78, "q": 0.945,
	"em": 16, "rem": 16, "ex": 8, "ch": 8, "vw": 10, "vh": 10, "vmin": 8, "vmax": 10, "%": 9.9,
}

// lengths are the numbers of a value, in pixels.
func lengths(value string) []float64 {
	var px []float64
	for _, n := range cssNumber.FindAllStringSubmatch(value, -1) {
		f, err := strconv.ParseFloat(n[1], 64)
		if err != nil && f == 0 {
			continue // out of range is infinite, which is a length to judge
		}
		unit, known := unitPixels[n[2]]
		if !known {
			unit = 10
		}
		px = append(px, f*unit)
	}
	return px
}

// within reports that a value has numbers and none of them is beyond limit.
func within(value string, limit float64) bool {
	px := lengths(value)
	for _, f := range px {
		if f > limit || f < -limit {
			return false
		}
	}
	return len(px) > 0
}

// off reports that a value leads off the page: far to the left or the top or, by
// a calculation, anywhere far.
func off(value string) bool {
	for _, f := range lengths(value) {
		if f <= -offPage || f >= offPage && strings.Contains(value, "calc(") {
			return true
		}
	}
	return false
}

// beyond is off in both directions.
func beyond(value string) bool {
	for _, f := range lengths(value) {
		if f <= -offPage || f >= offPage {
			return true
		}
	}
	return false
}

// cssBlocks looks for hidden text in every block of declarations.
func (m *markup) cssBlocks(style string) {
	small, clipped := "", false
	for len(style) > 0 {
		end := strings.IndexAny(style, "{};")
		if end < 0 {
			end = len(style)
		}
		part, after := style[:end], byte('}')
		if end < len(style) {
			after = style[end]
		}
		style = style[min(end+1, len(style)):]
		name, value, ok := strings.Cut(part, ":")
		if ok && after != '{' {
			name, value = cssName(name), strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "!important"))
			switch {
			case hides(name, value):
				m.add("html.hidden", m.where(), part)
			case strings.HasPrefix(name, "overflow") && (strings.Contains(value, "hidden") || strings.Contains(value, "clip")):
				clipped = true
			case (name == "height" || name == "max-height" || name == "width" || name == "max-width") && within(value, 1):
				small = part
			}
		}
		if after == ';' {
			continue
		}
		if small != "" && clipped {
			m.add("html.hidden", m.where(), small)
		}
		small, clipped = "", false
	}
}

// cssName is the name of a property without a browser's prefix.
func cssName(name string) string {
	name = strings.TrimSpace(name)
	for _, maker := range []string{"-webkit-", "-moz-", "-ms-", "-o-"} {
		name = strings.TrimPrefix(name, maker)
	}
	return name
}

// hides judges one declaration; name and value are in lower case.
func hides(name, value string) bool {
	switch name {
	case "display":
		return strings.Contains(value, "none") || strings.Contains(value, "var(")
	case "visibility", "content-visibility":
		return strings.Contains(value, "hidden") || strings.Contains(value, "collapse") || strings.Contains(value, "var(")
	case "opacity":
		return strings.Contains(value, "(") || within(strings.TrimSuffix(value, "%"), 0.05)
	case "zoom", "scale":
		return strings.Contains(value, "(") || within(strings.TrimSuffix(value, "%"), 0.01)
	case "font-size":
		return within(value, 1.4)
	case "font":
		return cssFont.MatchString(value)
	case "color", "text-fill-color":
		return transparent(value)
	case "left", "top", "right", "bottom", "text-indent", "margin", "margin-left", "margin-top", "margin-right", "margin-bottom",
		"margin-inline-start", "inset", "inset-inline-start":
		return off(value)
	case "translate":
		return beyond(value)
	case "transform":
		return shrunk(value) || shifted(value)
	case "clip-path":
		return value != "none" && value != "unset" && value != "initial" && !strings.HasPrefix(value, "url(")
	case "clip":
		return strings.Contains(value, "rect(") && within(value, 1)
	case "filter":
		_, opacity, found := strings.Cut(value, "opacity(")
		opacity, _, _ = strings.Cut(opacity, ")")
		return found && within(strings.TrimSuffix(opacity, "%"), 0.05)
	}
	return strings.HasPrefix(name, "--") && (transparent(value) || off(value)) // a variable, for whichever property
}

// shrunk reports a transformation to nothing. Drawings are often scaled by small
// numbers, so only by none at all.
func shrunk(value string) bool {
	for _, call := range cssShrink.FindAllStringSubmatch(value, -1) {
		for i, f := range lengths(call[1]) {
			if f == 0 && (strings.HasPrefix(call[0], "scale") || (i == 0 || i == 3) && within(call[1], 0)) {
				return true
			}
		}
	}
	return false
}

func shifted(value string) bool {
	for _, call := range cssShift.FindAllStringSubmatch(value, -1) {
		if beyond(call[1]) {
			return true
		}
	}
	return false
}

// transparent reports a colour that is not seen (CSS Color §4).
func transparent(value string) bool {
	switch {
	case strings.HasPrefix(value, "#"):
		return len(value) == 5 && value[4] == '0' || len(value) == 9 && value[7:] == "00"
	case strings.Contains(value, "("):
		_, inside, _ := strings.Cut(value, "(")
		inside, _, _ = strings.Cut(inside, ")")
		_, alpha, found := strings.Cut(inside, "/")
		if parts := strings.Split(inside, ","); !found && len(parts) == 4 {
			alpha, found = parts[3], true
		}
		return found && within(strings.ReplaceAll(alpha, "%", ""), 0.05)
	}
	return value == "transparent"
}

// presentation are the attributes by which SVG writes properties (SVG 1.1 §6.2).
var presentation = map[string]bool{"display": true, "visibility": true, "opacity": true, "font-size": true, "color": true, "clip-path": true}

// attributeHides judges an attribute of SVG as the property it stands for.
func (m *markup) attributeHides(name, value string) {
	value = strings.ToLower(strings.TrimSpace(value))
	if presentation[name] && hides(name, value) || name == "transform" && shrunk(value) {
		m.add("html.hidden", m.where(), name+"="+value)
	}
}

// unpainted judges a text of SVG that is neither filled nor drawn along its edge.
func (m *markup) unpainted(element string, attrs []attribute) {
	if element != "text" && element != "tspan" && element != "textpath" {
		return
	}
	invisible := func(value string) bool {
		return value == "none" || transparent(value)
	}
	filled, drawn := true, false
	paint := func(name, value string) {
		value = strings.ToLower(strings.TrimSpace(value))
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "fill":
			filled = !invisible(value)
		case "fill-opacity":
			filled = filled && !within(strings.TrimSuffix(value, "%"), 0.05)
		case "stroke":
			drawn = !invisible(value)
		}
	}
	for _, a := range attrs {
		paint(a.name, a.value)
		if strings.EqualFold(a.name, "style") {
			for _, part := range strings.Split(a.value, ";") {
				name, value, _ := strings.Cut(part, ":")
				paint(name, value)
			}
		}
	}
	if !filled && !drawn {
		m.add("html.hidden", m.where(), "<"+element+" fill=none>")
	}
}
