package inspect

import "strings"

// hiddenStyles hide what they style, and show it.
var hiddenStyles = []struct{ hidden, shown string }{
	{"color: transparent", "background-color: transparent; color: #fff"},
	{"color: rgba(1, 2, 3, 0.0)", "color: rgba(0, 0, 0, 0.8)"},
	{"color: rgb(1 2 3 / 0%)", "color: rgb(0 0 0 / 80%)"},
	{"color: #12345600 !important", "color: #12345678"},
	{"color: #1230", "color: #100000"},
	{"-webkit-text-fill-color: transparent", "border-color: transparent"},
	{"left: -9999px", "left: -15px"},
	{"top: -999px", "top: 12000px"},
	{"text-indent: -100em", "text-indent: -2em"},
	{"margin-left: -20in", "margin-left: -15px; margin: 0 -1em"},
	{"margin: 0 0 0 -9e9px", "margin-left: -100%"},
	{"left: calc(0px - 9999px)", "left: calc(50% - 480px)"},
	{"--x: -9999px; left: var(--x)", "--x: 9px; left: var(--x)"},
	{"transform: rotate(1deg) scale(0)", "transform: rotate(0) scale(0.8)"},
	{"-webkit-transform: scaleX(0.0)", "transform: translate(-50%, 0)"},
	{"transform: translateX(9999px)", "transform: translateX(10px)"},
	{"translate: -999vw", "translate: 10px 0"},
	{"scale: 0", "scale: 0.9"},
	{"clip-path: inset(100%)", "clip-path: none"},
	{"clip: rect(0 0 0 0)", "clip: rect(0, 100px, 20px, 0)"},
	{"clip: rect(1px, 1px, 1px, 1px)", "clip: auto"},
	{"zoom: 0", "zoom: 80%"},
	{"max-height: 0; overflow: hidden", "max-height: 0; overflow: visible"},
	{"overflow-y:clip; height:1px", "height: 1px; background: #000"},
	{"width:0;overflow:hidden", "width:100%; overflow:hidden"},
	{"opacity: 0.00", "opacity: 0.8"},
	{"opacity: calc(0)", "opacity: 80%"},
	{"font-size: 1px", "font-size: 0.8em"},
	{"font: 0/0 a", "font: 10px/1.2 serif"},
	{"filter: opacity(0)", "filter: grayscale(0)"},
	{"visibility: collapse", "border-collapse: collapse"},
}

func hiddenCases() []ruleCase {
	svg := func(s string) []byte { return []byte(`<svg xmlns="http://www.w3.org/2000/svg">` + s + `</svg>`) }
	x := func(s string) []byte { return []byte(`<?xml version="1.0"?>` + s) }
	const events = `xmlns:ev="http://www.w3.org/2001/xml-events"`
	cases := []ruleCase{
		{"html.hidden", "x.svg", svg(`<text display="none">x</text>`), svg(`<text display="inline">x</text>`)},
		{"html.hidden", "x.svg", svg(`<g visibility=" Hidden ">x</g>`), svg(`<g visibility="visible">x</g>`)},
		{"html.hidden", "x.svg", svg(`<text opacity="0">x</text>`), svg(`<text opacity="0.5">x</text>`)},
		{"html.hidden", "x.svg", svg(`<text font-size="0">x</text>`), svg(`<text font-size="10">x</text>`)},
		{"html.hidden", "x.svg", svg(`<text fill="none">x</text>`), svg(`<text fill="none" stroke="#000">x</text>`)},
		{"html.hidden", "x.svg", svg(`<text stroke="none" style="fill: none">x</text>`), svg(`<rect fill="none"/><text fill="#000">x</text>`)},
		{"html.hidden", "x.svg", svg(`<text fill-opacity="0">x</text>`), svg(`<rect fill-opacity="0"/>`)},
		{"html.hidden", "x.svg", svg(`<text transform="scale(0)">x</text>`), svg(`<g transform="translate(1200,-1200) scale(0.01,-0.01) matrix(0 1 -1 0 0 0)" clip-path="url(#a)">x</g>`)},
		{"html.script", "x.svg", svg(`<ev:listener ` + events + ` event="load" handler="#x"/>`), svg(`<listen ` + events + ` xmlns="urn:x"/>`)},
		{"html.script", "x.xml", x(`<a ` + events + ` ev:event="load"/>`), x(`<a ` + events + ` event="load"/>`)},
	}
	for _, style := range hiddenStyles {
		inSheet := func(css string) []byte {
			return []byte("<!DOCTYPE html><html><head><style>h1 { color: navy }\np { " + css + " }</style></head><body><p>x</p></body></html>")
		}
		inline := func(css string) []byte {
			return []byte("<!DOCTYPE html><html><body><p style=\"" + strings.ToUpper(css) + "\">x</p></body></html>")
		}
		cases = append(cases, ruleCase{"html.hidden", "x.html", inSheet(style.hidden), inSheet(style.shown)},
			ruleCase{"html.hidden", "x.html", inline(style.hidden), inline(style.shown)})
	}
	return append(cases, ruleCase{"html.hidden", "x.html", []byte("<html><style>p { height: 0; overflow: hidden }</style>"),
		[]byte("<html><style>p { height: 0 } q { overflow: hidden }</style>")})
}
