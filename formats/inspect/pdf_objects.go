package inspect

import (
	"unicode/utf16"

	"sigillo/formats/pdf"
)

// actionRules are the actions of ISO 32000-2 §12.6.4. GoTo stays inside the
// document; a URI waits for the reader and is judged by its address.
var actionRules = map[pdf.Name]string{
	"JavaScript": "pdf.javascript",
	"Launch":     "pdf.action", "SubmitForm": "pdf.action", "ImportData": "pdf.action", "ResetForm": "pdf.action",
	"Hide": "pdf.action", "SetOCGState": "pdf.action", "Trans": "pdf.action", "GoTo3DView": "pdf.action",
	"RichMediaExecute": "pdf.action", "GoToDp": "pdf.action", "SetState": "pdf.action", "NOP": "pdf.action",
	"GoToR": "pdf.action.remote", "GoToE": "pdf.action.remote", "Thread": "pdf.action.remote",
	"Rendition": "pdf.media", "Movie": "pdf.media", "Sound": "pdf.media",
}

func (p *pdfScan) action(d pdf.Dict) error {
	script, err := p.isScript(d)
	if err != nil {
		return err
	}
	if script {
		p.note("pdf.javascript", p.script(d["JS"]))
	}
	if tree, err := p.isTree(d["JavaScript"]); err != nil {
		return err
	} else if tree { // of the catalog (§7.7.4)
		p.note("pdf.javascript", "/JavaScript")
	}
	if _, ok := d["AlternatePresentations"]; ok {
		p.note("pdf.media", "/AlternatePresentations")
	}
	kind, err := p.name(d, "S")
	if err != nil {
		return err
	}
	kindOfDict, err := p.name(d, "Type")
	if err != nil {
		return err
	}
	structure, err := p.isStructure(d, kind)
	if err != nil {
		return err
	}
	switch rule := actionRules[kind]; {
	case rule == "pdf.javascript" && script || structure: // named above, or no action
	case rule != "":
		p.note(rule, "/"+string(kind))
	case kind == "URI":
		uri, err := p.get(d, "URI")
		if err != nil {
			return err
		}
		text, _ := uri.(pdf.String)
		p.note(linkRule(string(text)), string(text))
	case kind == "Named":
		n, err := p.name(d, "N")
		if err != nil {
			return err
		}
		if n != "NextPage" && n != "PrevPage" && n != "FirstPage" && n != "LastPage" {
			p.note("pdf.action", "/Named /"+string(n))
		}
	case kindOfDict == "Action" && kind != "GoTo":
		p.note("pdf.action", "/"+string(kind))
	}
	return nil
}

// script quotes the beginning of a JavaScript.
func (p *pdfScan) script(o pdf.Object) string {
	o, err := p.f.Resolve(o)
	if err != nil {
		return "/JS"
	}
	switch o := o.(type) {
	case pdf.String:
		return textString(o)
	case *pdf.Stream:
		b, err := p.f.Decoded(o, maxPDFScript)
		if err == nil {
			return textString(b)
		}
	}
	return "/JS"
}

// textString decodes UTF-16 with a byte order mark (§7.9.2.2) for quotation.
func textString(b []byte) string {
	if len(b) < 2 || b[0] != 0xfe || b[1] != 0xff {
		return string(b)
	}
	var u []uint16
	for i := 2; i+1 < len(b) && len(u) < 4*maxQuote; i += 2 {
		u = append(u, uint16(b[i])<<8|uint16(b[i+1]))
	}
	return string(utf16.Decode(u))
}

// event finds actions that start by themselves: additional actions (§12.6.3),
// web addresses behind another action, and on anything but a link.
func (p *pdfScan) event(d pdf.Dict) error {
	aa, err := p.get(d, "AA")
	if err != nil {
		return err
	}
	events, _ := aa.(pdf.Dict)
	for key := range events {
		action, err := p.dict(events, key)
		if err != nil {
			return err
		}
		if kind, err := p.name(action, "S"); err != nil {
			return err
		} else if kind != "" && key != "SMask" { // which is that of a graphics state called AA
			p.note("pdf.action.event", "/AA")
			break
		}
	}
	subtype, err := p.name(d, "Subtype")
	if err != nil {
		return err
	}
	if subtype != "" && subtype != "Link" {
		if err := p.uriAt(d, "A", "/"+string(subtype)); err != nil {
			return err
		}
	}
	kind, err := p.name(d, "S")
	if err != nil || kind == "" {
		return err // no action
	}
	return p.uriAt(d, "Next", "/Next")
}

// uriAt reports a URI action, or one in an array, under key.
func (p *pdfScan) uriAt(d pdf.Dict, key pdf.Name, quote string) error {
	o, err := p.get(d, key)
	if err != nil {
		return err
	}
	candidates, ok := o.(pdf.Array)
	if !ok {
		candidates = pdf.Array{o}
	}
	for _, c := range candidates {
		c, err := p.f.Resolve(c)
		if err != nil {
			return err
		}
		action, ok := c.(pdf.Dict)
		if !ok {
			continue
		}
		kind, err := p.name(action, "S")
		if err != nil {
			return err
		}
		if kind == "URI" {
			p.note("pdf.action.event", quote+" /URI")
		}
	}
	return nil
}

// attachment finds embedded files by any of the ways that lead to them
// (§7.11.4, §14.13) and forms of the XFA kind.
func (p *pdfScan) attachment(d pdf.Dict) error {
	if xfa, err := p.isXFA(d["XFA"]); err != nil {
		return err
	} else if xfa {
		p.note("pdf.xfa", "/XFA")
	}
	kind, err := p.name(d, "Type")
	if err != nil {
		return err
	}
	tree, err := p.isTree(d["EmbeddedFiles"])
	if err != nil {
		return err
	}
	if kind == "EmbeddedFile" || tree {
		p.note("pdf.attachment", "/EmbeddedFile")
	}
	for _, key := range []pdf.Name{"EF", "RF"} {
		files, err := p.dict(d, key)
		if err != nil {
			return err
		}
		for _, k := range []pdf.Name{"F", "UF", "DOS", "Mac", "Unix"} {
			if files[k] != nil {
				name, err := p.get(d, "F")
				if err != nil {
					return err
				}
				text, _ := name.(pdf.String)
				p.note("pdf.attachment", "/"+string(key)+" "+textString(text))
				break
			}
		}
	}
	return nil
}

// field finds form fields other than signatures (§12.7.4).
func (p *pdfScan) field(d pdf.Dict) error {
	kind, err := p.name(d, "FT")
	if err != nil {
		return err
	}
	if kind == "Tx" || kind == "Btn" || kind == "Ch" {
		title, err := p.get(d, "T")
		if err != nil {
			return err
		}
		text, _ := title.(pdf.String)
		p.note("pdf.form", "/"+string(kind)+" "+textString(text))
	}
	return nil
}

// graphics finds transfer functions (§10.5), which redraw by device, colours that
// leave what is below them on some devices and hide it on others (§8.6.7), and
// alternate images (§8.9.5.4).
func (p *pdfScan) graphics(d pdf.Dict) error {
	for _, key := range []pdf.Name{"TR", "TR2", "TransferFunction"} {
		if ok, err := p.isTransfer(d[key]); err != nil {
			return err
		} else if ok {
			p.note("pdf.transfer", "/"+string(key))
		}
	}
	for _, key := range []pdf.Name{"OP", "op"} {
		if o, err := p.get(d, key); err != nil {
			return err
		} else if o == pdf.Bool(true) {
			p.note("pdf.overprint", "/"+string(key))
		}
	}
	alternates, err := p.array(d, "Alternates")
	if err != nil {
		return err
	}
	if len(alternates) > 0 {
		p.note("pdf.image.alternate", "/Alternates")
	}
	return nil
}

// stream judges what only streams have: data outside of the file (§7.3.8.1),
// imported pages (§8.10.4), PostScript (§8.8.2), filters nobody knows.
func (p *pdfScan) stream(d pdf.Dict) error {
	if d["F"] != nil {
		p.note("pdf.external", "/F")
	}
	subtype, err := p.name(d, "Subtype")
	if err != nil {
		return err
	}
	subtype2, err := p.name(d, "Subtype2")
	if err != nil {
		return err
	}
	if subtype == "PS" || subtype2 == "PS" || d["OPI"] != nil {
		p.note("pdf.postscript", "/"+string(subtype))
	}
	if subtype == "Form" && d["Ref"] != nil {
		p.note("pdf.external", "/Ref")
	}
	filter, err := p.get(d, "Filter")
	if err != nil {
		return err
	}
	names, ok := filter.(pdf.Array)
	if !ok {
		names = pdf.Array{filter}
	}
	for _, o := range names {
		o, err := p.f.Resolve(o)
		if err != nil {
			return err
		}
		n, _ := o.(pdf.Name)
		switch n {
		case "", "ASCIIHexDecode", "ASCII85Decode", "LZWDecode", "FlateDecode", "RunLengthDecode",
			"CCITTFaxDecode", "JBIG2Decode", "DCTDecode", "JPXDecode":
		case "Crypt":
			p.note("pdf.encrypted", "/Crypt")
		default:
			p.note("pdf.malformed", "/Filter /"+string(n))
		}
	}
	return nil
}
