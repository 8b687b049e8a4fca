package inspect

import (
	"strings"

	"sigillo/formats/pdf"
)

// optionalContent judges the layers (§8.11.4): harmless only while all are
// shown, always and everywhere.
func (p *pdfScan) optionalContent(c pdf.Dict) error {
	oc, err := p.dict(c, "OCProperties")
	if err != nil || oc == nil {
		return err
	}
	groups, err := p.array(oc, "OCGs")
	if err != nil {
		return err
	}
	if len(groups) > 0 {
		p.note("pdf.optional-content", "OCGs")
	}
	others, err := p.array(oc, "Configs")
	if err != nil {
		return err
	}
	if len(others) > 0 {
		p.note("pdf.optional-content.hidden", "Configs")
	}
	d, err := p.dict(oc, "D")
	if err != nil {
		return err
	}
	if base, err := p.name(d, "BaseState"); err != nil {
		return err
	} else if base != "" && base != "ON" {
		p.note("pdf.optional-content.hidden", "BaseState "+string(base))
	}
	for _, key := range []pdf.Name{"OFF", "AS"} {
		a, err := p.array(d, key)
		if err != nil {
			return err
		}
		if len(a) > 0 {
			p.note("pdf.optional-content.hidden", string(key))
		}
	}
	return nil
}

// layer finds content that belongs to layers, though the catalog may know none,
// and what shows when a layer is off (§8.11.2.2). What lists layers
// without saying what it is is a membership, or the catalog's own list, where
// what is asked of one does no harm.
func (p *pdfScan) layer(d pdf.Dict) error {
	kind, err := p.name(d, "Type")
	if err != nil {
		return err
	}
	if d["Subtype"] != nil { // a picture, a form or an annotation
		if oc, err := p.dict(d, "OC"); err != nil {
			return err
		} else if oc != nil {
			p.noteLayers()
		}
	}
	if kind == "OCG" {
		p.noteLayers()
	}
	if err := p.layerUsage(d); err != nil { // whether or not it says what it is
		return err
	}
	groups, err := p.get(d, "OCGs")
	if err != nil {
		return err
	}
	_, one := groups.(pdf.Dict)
	several, _ := groups.(pdf.Array)
	if one || len(several) > 0 {
		p.noteLayers()
	} else if kind != "OCMD" {
		return nil
	}
	policy, err := p.name(d, "P")
	if err != nil {
		return err
	}
	if d["VE"] != nil || strings.HasSuffix(string(policy), "Off") {
		p.note("pdf.optional-content.hidden", "/OCMD /"+string(policy))
	}
	return nil
}

// layerUsage finds layers that are not meant for the screen, for paper or for
// export (§8.11.4.4). That this counts is for the configuration to say, but some
// programs do not ask it.
func (p *pdfScan) layerUsage(group pdf.Dict) error {
	usage, err := p.dict(group, "Usage")
	if err != nil {
		return err
	}
	for key, state := range map[pdf.Name]pdf.Name{"View": "ViewState", "Print": "PrintState", "Export": "ExportState"} {
		d, err := p.dict(usage, key)
		if err != nil {
			return err
		}
		if n, err := p.name(d, state); err != nil {
			return err
		} else if n == "OFF" {
			p.note("pdf.optional-content.hidden", "/"+string(state)+" /OFF")
		}
	}
	return nil
}

// noteLayers says once that there are layers.
func (p *pdfScan) noteLayers() {
	where := p.where
	p.where = "catalog"
	p.note("pdf.optional-content", "OCGs")
	p.where = where
}
