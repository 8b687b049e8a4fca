package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"sigillo/appliance"
	"sigillo/hsm"
	"sigillo/signing"
)

// interopPeople are invented holders, one for each type of key.
var interopPeople = []appliance.NewHolder{
	{Username: "p256", GivenName: "Ada", Surname: "Esempio", FiscalCode: "SMPDAA80A41H501X", Locale: "it", KeyType: hsm.P256},
	{Username: "p384", GivenName: "Ada", Surname: "Esempio", FiscalCode: "SMPDAA80A41H501X", Locale: "it", KeyType: hsm.P384},
	{Username: "rsa2048", GivenName: "Bruno", Surname: "Campione", FiscalCode: "CMPBRN75C15F205C", Locale: "it", KeyType: hsm.RSA2048},
	{Username: "rsa3072", GivenName: "Bruno", Surname: "Campione", FiscalCode: "CMPBRN75C15F205C", Locale: "it", KeyType: hsm.RSA3072},
}

// runInterop signs every form at every level with every type of key and has
// programs that are not ours judge the results.
func runInterop(ctx context.Context, e env, args []string) int {
	fs := flags(e, "interop")
	docs := fs.String("documents", "testdata/documents", "folder with the documents")
	dss := fs.String("dss", "", "command that judges with EU DSS; none: it is missing")
	pyhanko := fs.String("pyhanko", "", "command that judges with pyHanko; none: it is missing")
	contract := fs.String("schemathesis", "", "command of schemathesis, which asks the CSC API; none: it is missing")
	keep := fs.Bool("keep", false, "keep the throw-away appliance and the signed files")
	if code, ok := parseBare(fs, args); !ok {
		return code
	}
	tmp, err := os.MkdirTemp("", "sigillo-interop-")
	if err != nil {
		return failed(e, err)
	}
	if *keep {
		defer fmt.Fprintln(e.err, "kept in", tmp)
	} else {
		defer os.RemoveAll(tmp)
	}
	d := &demonstration{e: e, docs: *docs, dir: filepath.Join(tmp, "appliance"), out: filepath.Join(tmp, "signed"), people: interopPeople}
	if err := d.start(ctx); err != nil {
		return d.fail(err)
	}
	defer d.stop()
	for i := range d.clients {
		if err := d.judgeKey(ctx, d.clients[i], string(interopPeople[i].KeyType)); err != nil {
			return d.fail(err)
		}
	}
	for i := range d.clients {
		if err := d.signOverCSC(ctx, d.clients[i], string(interopPeople[i].KeyType), *pyhanko); err != nil {
			return d.fail(err)
		}
	}
	if err := d.contract(ctx, d.clients[0], *contract); err != nil {
		return d.fail(err)
	}
	if err := d.judgeOutside(ctx, euDSS(*dss), pyHanko(*pyhanko)); err != nil {
		return d.fail(err)
	}
	d.matrix()
	fmt.Fprintf(e.out, "\n%d passed, %d failed\n", len(d.rows)-d.failed, d.failed)
	if d.failed > 0 {
		return exitFailed
	}
	return exitGood
}

// interopOrders are the signatures made with each key, all under one OTP.
var interopOrders = []struct {
	file  string
	form  signing.Form
	level signing.Level
}{
	{"contratto.pdf", signing.PAdES, signing.BB},
	{"contratto.pdf", signing.PAdES, signing.BT},
	{"contratto.pdf", signing.PAdES, signing.BLT},
	{"contratto.pdf", signing.PAdES, signing.BLTA},
	{"lettera.docx", signing.CAdES, signing.BB},
	{"lettera.docx", signing.CAdES, signing.BT},
	{"lettera.docx", signing.CAdES, signing.BLTA},
	{"fattura.xml", signing.XAdES, signing.BB},
	{"fattura.xml", signing.XAdES, signing.BT},
	{"fattura.xml", signing.XAdES, signing.BLTA},
}

func (d *demonstration) judgeKey(ctx context.Context, c *client, key string) error {
	otp, err := c.otp(ctx)
	if err != nil {
		return err
	}
	if err := c.signIn(ctx, c.holder.Password, otp); err != nil {
		return err
	}
	uploaded := map[string]string{}
	var orders []signing.Order
	for _, o := range interopOrders {
		if uploaded[o.file] == "" {
			doc, err := c.upload(ctx, filepath.Join(d.docs, o.file))
			if err != nil {
				return err
			}
			uploaded[o.file] = doc.ID
		}
		orders = append(orders, signing.Order{Document: uploaded[o.file], Form: o.form, Level: o.level})
	}
	t, err := c.prepare(ctx, orders...)
	if err != nil {
		return err
	}
	if otp, err = c.otp(ctx); err != nil {
		return err
	}
	if t, err = c.sign(ctx, t.ID, c.holder.Password, otp); err != nil {
		return err
	}
	for i, o := range interopOrders {
		dir := filepath.Join(d.out, key, string(o.level))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		path, err := c.download(ctx, t, i, dir)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%s %s %s", o.form, o.level, key)
		d.files = append(d.files, signedFile{what: what, path: path, form: o.form, level: o.level})
		for _, j := range d.judges(ctx, o.form, o.level, path, filepath.Join(d.docs, o.file)) {
			d.cell(what, j.name, j.judgement)
		}
		d.cell(what, "sigillo verify", d.verify(path, string(o.level)))
	}
	return nil
}

// named is a judgement with its judge.
type named struct {
	name string
	judgement
}

// judges are the programs that check a form.
func (d *demonstration) judges(ctx context.Context, form signing.Form, level signing.Level, path, original string) []named {
	root := d.layout().Root()
	switch form {
	case signing.PAdES:
		return []named{{"pdfsig", pdfsig(ctx, path, level)}, {"qpdf", qpdf(ctx, path)}}
	case signing.CAdES:
		return []named{{"openssl cms", opensslCMS(ctx, path, original, root)}}
	default:
		return []named{{"xmlsec1", xmlsec(ctx, path, root)}, {"xmllint", xmllint(ctx, path)}}
	}
}

// cell adds a row and its place in the matrix.
func (d *demonstration) cell(what, judge string, j judgement) {
	d.checkErr(what+", "+judge, j.err, j.saw)
	mark := "ok"
	if j.err != nil {
		mark = "FAILED"
	}
	d.cells = append(d.cells, cell{what, judge, mark})
}

type cell struct{ what, judge, mark string }

// matrix prints what was judged by whom.
func (d *demonstration) matrix() {
	judges := []string{"pdfsig", "qpdf", "openssl cms", "xmlsec1", "xmllint", "EU DSS", "pyHanko", "sigillo verify"}
	w := tabwriter.NewWriter(d.e.out, 0, 4, 2, ' ', 0)
	fmt.Fprint(w, "\nSIGNATURE")
	for _, j := range judges {
		fmt.Fprint(w, "\t", j)
	}
	seen := map[string]bool{}
	for _, c := range d.cells {
		if seen[c.what] {
			continue
		}
		seen[c.what] = true
		fmt.Fprint(w, "\n", c.what)
		for _, j := range judges {
			fmt.Fprint(w, "\t", d.mark(c.what, j))
		}
	}
	fmt.Fprintln(w)
	w.Flush()
}

func (d *demonstration) mark(what, judge string) string {
	for _, c := range d.cells {
		if c.what == what && c.judge == judge {
			return c.mark
		}
	}
	return "-"
}

func qpdf(ctx context.Context, path string) judgement {
	out, err := tool(ctx, "qpdf", "--check", path)
	return says("qpdf", out, err, "No syntax or stream encoding errors found")
}

func xmllint(ctx context.Context, path string) judgement {
	out, err := tool(ctx, "xmllint", "--noout", "--nonet", path)
	if err == nil && out != "" {
		return judgement{err: fmt.Errorf("xmllint said: %s", out)}
	}
	return judgement{saw: "well-formed", err: err}
}
