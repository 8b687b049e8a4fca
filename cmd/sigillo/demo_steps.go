package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"sigillo/formats/inspect"
	"sigillo/signing"
)

func (d *demonstration) signIn(ctx context.Context) error {
	otp, err := d.ada().otp(ctx)
	if err != nil {
		return err
	}
	d.checkErr("a holder signs in with password and OTP", d.ada().signIn(ctx, d.ada().holder.Password, otp), "session opened for "+d.ada().holder.Username)
	if d.ada().token == "" {
		return fmt.Errorf("without a session there is nothing more to show")
	}
	return nil
}

// refuseScript uploads a PDF with JavaScript: it is refused with the reason.
func (d *demonstration) refuseScript(ctx context.Context) error {
	doc, err := d.ada().upload(ctx, filepath.Join(d.docs, "contratto-javascript.pdf"))
	if err != nil {
		return err
	}
	reason := "no reason given"
	for _, f := range doc.Report.Findings {
		if f.Severity == inspect.Refuse && strings.Contains(f.Rule, "javascript") {
			reason = f.Rule + " at " + f.Where + ": " + f.Text.En
		}
	}
	d.check("a PDF with JavaScript is refused by the inspection", doc.Report.Verdict == inspect.Refuse && reason != "no reason given", reason)
	_, err = d.ada().prepare(ctx, signing.Order{Document: doc.ID, Form: signing.PAdES})
	d.refused("signing it all the same is refused", err, string(signing.Refused))
	return nil
}

// signPDF signs a real contract as PAdES B-T and has others judge it.
func (d *demonstration) signPDF(ctx context.Context) error {
	src := filepath.Join(d.docs, "contratto.pdf")
	doc, err := d.ada().upload(ctx, src)
	if err != nil {
		return err
	}
	d.check("a real PDF is inspected", doc.Report.Verdict != inspect.Refuse && doc.Pages > 1,
		fmt.Sprintf("%s, %d pages, verdict %s", doc.Format, doc.Pages, doc.Report.Verdict))
	var png bytes.Buffer
	err = d.ada().do(ctx, http.MethodGet, "/documents/"+doc.ID+"/pages/1", nil, &png)
	d.checkErr("its pages are shown before signing", err, fmt.Sprintf("page 1 is a PNG of %d bytes", png.Len()))
	t, err := d.ada().prepare(ctx, signing.Order{Document: doc.ID, Form: signing.PAdES, Level: signing.BT, Reason: "Accettazione del contratto"})
	if err != nil {
		return err
	}
	t, err = d.authorise(ctx, d.ada(), t)
	if err != nil {
		return err
	}
	path, err := d.ada().download(ctx, t, 0, d.out)
	if err != nil {
		return err
	}
	d.checkErr("PAdES B-T keeps every byte of the original", keepsBytes(src, path), "the original is a prefix of the signed file")
	d.external(ctx, "pdfsig accepts the PAdES signature", pdfsig(ctx, path, signing.BT))
	d.external(ctx, "sigillo verify: PAdES", d.verify(path, "B-T"))
	return nil
}

// signOthers signs a letter and an invoice together, under one OTP.
func (d *demonstration) signOthers(ctx context.Context) error {
	docx, xml := filepath.Join(d.docs, "lettera.docx"), filepath.Join(d.docs, "fattura.xml")
	a, err := d.ada().upload(ctx, docx)
	if err != nil {
		return err
	}
	b, err := d.ada().upload(ctx, xml)
	if err != nil {
		return err
	}
	t, err := d.ada().prepare(ctx, signing.Order{Document: a.ID, Form: signing.CAdES, Level: signing.BT},
		signing.Order{Document: b.ID, Form: signing.XAdES, Level: signing.BT})
	if err != nil {
		return err
	}
	if t, err = d.authorise(ctx, d.ada(), t); err != nil {
		return err
	}
	p7m, err := d.ada().download(ctx, t, 0, d.out)
	if err != nil {
		return err
	}
	signed, err := d.ada().download(ctx, t, 1, d.out)
	if err != nil {
		return err
	}
	root := d.layout().Root()
	d.external(ctx, "openssl cms accepts the CAdES signature", opensslCMS(ctx, p7m, docx, root))
	d.external(ctx, "sigillo verify: CAdES", d.verify(p7m, "B-T"))
	d.external(ctx, "xmlsec1 accepts the XAdES signature", xmlsec(ctx, signed, root))
	d.external(ctx, "sigillo verify: XAdES", d.verify(signed, "B-T"))
	return nil
}

// authorise signs with fresh factors and adds a row.
func (d *demonstration) authorise(ctx context.Context, c *client, t signing.Transaction) (signing.Transaction, error) {
	otp, err := c.otp(ctx)
	if err != nil {
		return t, err
	}
	names := make([]string, len(t.Items))
	for i, it := range t.Items {
		names[i] = it.Name + " as " + string(it.Form) + " " + string(it.Level)
	}
	done, err := c.sign(ctx, t.ID, c.holder.Password, otp)
	d.checkErr("signed in the token with password and OTP ("+string(t.Items[0].Form)+")", err, strings.Join(names, ", "))
	return done, err
}

// stamp asks the time-stamping authority for a time-stamp, as any client.
func (d *demonstration) stamp(ctx context.Context) error {
	src := filepath.Join(d.docs, "lettera.docx")
	tsr := filepath.Join(d.out, "lettera.docx.tsr")
	at, err := stampFile(ctx, d.url+"/tsa", src, tsr)
	d.checkErr("the TSA gives a time-stamp", err, at.String())
	if err == nil {
		d.external(ctx, "openssl ts accepts the time-stamp", opensslTS(ctx, tsr, src, d.layout().Root()))
	}
	return nil
}

// refuseFactors shows that wrong and used factors sign nothing.
func (d *demonstration) refuseFactors(ctx context.Context) error {
	doc, err := d.ada().upload(ctx, filepath.Join(d.docs, "fattura.xml"))
	if err != nil {
		return err
	}
	t, err := d.ada().prepare(ctx, signing.Order{Document: doc.ID, Form: signing.XAdES})
	if err != nil {
		return err
	}
	used := d.ada().lastOTP()
	_, err = d.ada().sign(ctx, t.ID, d.ada().holder.Password, used)
	d.refused("an OTP used before is refused", err, string(signing.ReusedOTP))
	fresh, err := d.ada().otp(ctx)
	if err != nil {
		return err
	}
	_, err = d.ada().sign(ctx, t.ID, d.ada().holder.Password, wrongOTP(fresh, used))
	d.refused("a wrong OTP is refused", err, string(signing.WrongFactors))
	_, err = d.ada().sign(ctx, t.ID, "not "+d.ada().holder.Password, fresh)
	d.refused("a wrong password is refused", err, string(signing.WrongFactors))
	return nil
}

// refuseSuspended has the second holder suspend an own certificate and try.
func (d *demonstration) refuseSuspended(ctx context.Context) error {
	otp, err := d.bruno().otp(ctx)
	if err != nil {
		return err
	}
	if err := d.bruno().signIn(ctx, d.bruno().holder.Password, otp); err != nil {
		return err
	}
	doc, err := d.bruno().upload(ctx, filepath.Join(d.docs, "contratto.pdf"))
	if err != nil {
		return err
	}
	t, err := d.bruno().prepare(ctx, signing.Order{Document: doc.ID, Form: signing.PAdES})
	if err != nil {
		return err
	}
	err = d.bruno().do(ctx, http.MethodPost, "/credentials/"+d.bruno().holder.Credential+"/suspend", nil, nil)
	d.checkErr("a holder suspends an own certificate", err, "suspended")
	if otp, err = d.bruno().otp(ctx); err != nil {
		return err
	}
	_, err = d.bruno().sign(ctx, t.ID, d.bruno().holder.Password, otp)
	d.refused("a suspended certificate signs nothing", err, string(signing.CertSuspended))
	d.external(ctx, "openssl ocsp sees the suspension", d.opensslOCSP(ctx, d.bruno()))
	d.external(ctx, "openssl crl sees the suspension", d.opensslCRL(ctx, d.bruno()))
	return nil
}

// lastOTP is the one-time password used last.
func (c *client) lastOTP() string { return totpAt(c.secret, c.used) }

// wrongOTP is a code that is none of the given ones.
func wrongOTP(codes ...string) string {
	for n := 0; ; n++ {
		code := fmt.Sprintf("%06d", n)
		if !strings.Contains(strings.Join(codes, " "), code) {
			return code
		}
	}
}
