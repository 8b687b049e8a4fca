"""PDF documents of the corpus by reportlab, pikepdf and qpdf. Most begin as a page
that LibreOffice made, with its font in it, so that nothing but the case is found."""

import io
import os
import re
import subprocess
import tempfile
import warnings

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream, String
from reportlab.pdfgen import canvas

from libraries import HERE, LIBRARIES

PAGE = os.path.join(HERE, "pdf-font", "inert-lo-embedded.pdf")


def pdf(path, edit, packed=False):
    """A document edited by pikepdf; packed puts its objects into object streams."""
    def make():
        with pikepdf.open(PAGE) as document:
            edit(document)
            out = io.BytesIO()
            mode = pikepdf.ObjectStreamMode.generate if packed else pikepdf.ObjectStreamMode.disable
            document.save(out, object_stream_mode=mode, deterministic_id=True)
            return out.getvalue()
    LIBRARIES[path] = make


def action(kind, **entries):
    return Dictionary(S=Name("/" + kind), **entries)


def script(text="app.alert(1)"):
    return action("JavaScript", JS=String(text))


def root(**entries):
    def edit(document):
        for key, value in entries.items():
            document.Root[Name("/" + key)] = value(document) if callable(value) else value
    return edit


def annotated(**entries):
    """A page with one annotation; a value that is a function is given the document."""
    def edit(document):
        annotation = Dictionary(Type=Name.Annot, Rect=[100, 100, 200, 120])
        for key, value in entries.items():
            annotation[Name("/" + key)] = value(document) if callable(value) else value
        page = document.pages[0].obj
        page.Annots = Array([document.make_indirect(annotation)])
        if annotation.Subtype == Name.Widget:
            document.Root.AcroForm = Dictionary(Fields=Array([page.Annots[0]]))
    return edit


def link(act):
    return annotated(Subtype=Name.Link, A=act)


def appearance(document):
    return Dictionary(N=document.make_indirect(Stream(document, b"0 0 m 9 9 l S", Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 100, 20])))


def titled(title):
    def edit(document):
        document.docinfo[Name.Title] = String(title)
    return edit


def resource(kind, name, value):
    """An entry of the page's resources."""
    def edit(document):
        resources = document.pages[0].obj.Resources
        if Name("/" + kind) not in resources:
            resources[Name("/" + kind)] = Dictionary()
        resources[Name("/" + kind)][Name("/" + name)] = value(document) if callable(value) else value
    return edit


def form_x_object(data=b"0 0 m 9 9 l S", **entries):
    return lambda document: document.make_indirect(Stream(document, data, Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 9, 9], **entries))


def picture(**entries):
    return lambda document: document.make_indirect(Stream(document, b"\x00\xff\x00", Type=Name.XObject, Subtype=Name.Image, Width=1, Height=1, BitsPerComponent=8, ColorSpace=Name.DeviceRGB, **entries))


def go_to(document):
    return Dictionary(S=Name.GoTo, D=Array([document.pages[0].obj, Name.Fit]))


# JavaScript
pdf("pdf-javascript/active-pikepdf-open.pdf", root(OpenAction=script()))
pdf("pdf-javascript/active-pikepdf-packed-names.pdf", root(Names=Dictionary(JavaScript=Dictionary(Names=Array([String("a"), script()])))), packed=True)
pdf("pdf-javascript/active-pikepdf-stream.pdf", root(OpenAction=lambda d: action("JavaScript", JS=d.make_indirect(Stream(d, b"this.print()")))), packed=True)
pdf("pdf-javascript/active-pikepdf-link.pdf", link(script()), packed=True)
pdf("pdf-javascript/inert-pikepdf-title.pdf", titled("/S /JavaScript /JS (app.alert)"), packed=True)
pdf("pdf-javascript/inert-pikepdf-go-to.pdf", root(OpenAction=go_to))
pdf("pdf-javascript/inert-pikepdf-content.pdf", resource("XObject", "JS", form_x_object(b"% /S /JavaScript /JS (app.alert(1))\n0 0 m 9 9 l S")))
# Launch
pdf("pdf-launch/active-pikepdf-link.pdf", link(action("Launch", F=String("calc.exe"))))
pdf("pdf-launch/active-pikepdf-open.pdf", root(OpenAction=action("Launch", F=String("calc.exe"))), packed=True)
pdf("pdf-launch/inert-pikepdf-title.pdf", titled("/Launch /F (calc.exe)"), packed=True)
pdf("pdf-launch/inert-pikepdf-destination.pdf", link(action("GoTo", D=String("Launch"))))
# URI
pdf("pdf-uri/active-pikepdf-open.pdf", root(OpenAction=action("URI", URI=String("https://example.org/"))))
pdf("pdf-uri/active-pikepdf-scheme.pdf", link(action("URI", URI=String("javascript:alert(1)"))), packed=True)
pdf("pdf-uri/inert-pikepdf-title.pdf", titled("/URI (https://example.org/)"), packed=True)
# Forms that send
pdf("pdf-submit/active-pikepdf-link.pdf", link(action("SubmitForm", F=String("https://example.org/"))))
pdf("pdf-submit/active-pikepdf-packed.pdf", root(OpenAction=action("SubmitForm", F=String("https://example.org/"))), packed=True)
pdf("pdf-submit/inert-pikepdf-title.pdf", titled("/SubmitForm"), packed=True)
pdf("pdf-submit/inert-pikepdf-destination.pdf", link(action("GoTo", D=String("SubmitForm"))))
# Other actions
for kind in ("ImportData", "ResetForm", "Hide", "SetOCGState", "Trans"):
    pdf(f"pdf-action/active-pikepdf-{kind.lower()}.pdf", link(action(kind)))
pdf("pdf-action/active-pikepdf-print.pdf", link(action("Named", N=Name.Print)), packed=True)
pdf("pdf-action/active-pikepdf-page-event.pdf", lambda d: d.pages[0].obj.__setitem__(Name.AA, Dictionary(O=go_to(d))))
pdf("pdf-action/inert-pikepdf-next-page.pdf", link(action("Named", N=Name.NextPage)))
pdf("pdf-action/inert-pikepdf-destination.pdf", link(action("GoTo", D=String("Hide"))))
pdf("pdf-action/inert-pikepdf-no-events.pdf", lambda d: d.pages[0].obj.__setitem__(Name.AA, Dictionary()))
# Other files
pdf("pdf-remote/active-pikepdf-remote.pdf", link(action("GoToR", F=String("altro.pdf"), D=Array([0, Name.Fit]))))
pdf("pdf-remote/active-pikepdf-embedded.pdf", link(action("GoToE", D=String("x"), T=Dictionary(R=Name.C, N=String("a.pdf")))), packed=True)
pdf("pdf-remote/inert-pikepdf-destination.pdf", link(action("GoTo", D=String("GoToR"))))
pdf("pdf-remote/inert-pikepdf-title.pdf", titled("/GoToR /F (altro.pdf)"), packed=True)
# Sound and picture in motion
for kind in ("RichMedia", "Screen", "Sound", "Movie", "3D"):
    pdf(f"pdf-media/active-pikepdf-{kind.lower()}.pdf", annotated(Subtype=Name("/" + kind)), packed=kind == "Movie")
pdf("pdf-media/active-pikepdf-rendition.pdf", root(OpenAction=action("Rendition")))
pdf("pdf-media/inert-pikepdf-resource.pdf", resource("XObject", "Movie", form_x_object()))
pdf("pdf-media/inert-pikepdf-title.pdf", titled("/RichMedia /Sound /3D"), packed=True)
# XFA
pdf("pdf-xfa/active-pikepdf.pdf", root(AcroForm=lambda d: Dictionary(Fields=Array(), XFA=d.make_indirect(Stream(d, b"<xdp/>")))))
pdf("pdf-xfa/active-pikepdf-rendering.pdf", root(NeedsRendering=True), packed=True)
pdf("pdf-xfa/inert-pikepdf-rendering.pdf", root(NeedsRendering=False))
pdf("pdf-xfa/inert-pikepdf-title.pdf", titled("/XFA"), packed=True)


# Attachments
def attach(document):
    document.attachments["fattura.xml"] = b"<fattura/>"


pdf("pdf-attachment/active-pikepdf.pdf", attach, packed=True)
pdf("pdf-attachment/active-pikepdf-annotation.pdf", annotated(Subtype=Name.FileAttachment, AP=appearance))
pdf("pdf-attachment/active-pikepdf-collection.pdf", root(Collection=Dictionary(View=Name.T)))
pdf("pdf-attachment/inert-pikepdf-title.pdf", titled("/EmbeddedFile /Filespec /EF"), packed=True)


# Layers
def layers(**configuration):
    def edit(document):
        group = document.make_indirect(Dictionary(Type=Name.OCG, Name=String("Bozza")))
        default = Dictionary(Order=Array([group]))
        for key, value in configuration.items():
            default[Name("/" + key)] = value(group) if callable(value) else value
        document.Root.OCProperties = Dictionary(OCGs=Array([group]), D=default)
    return edit


pdf("pdf-layers/active-pikepdf-on.pdf", layers(ON=lambda group: Array([group])))
pdf("pdf-layers/active-pikepdf-off.pdf", layers(OFF=lambda group: Array([group])), packed=True)
pdf("pdf-layers/active-pikepdf-base.pdf", layers(BaseState=Name.OFF))
pdf("pdf-layers/active-pikepdf-print.pdf", layers(AS=lambda group: Array([Dictionary(Event=Name.Print, OCGs=Array([group]), Category=Array([Name.Print]))])))
pdf("pdf-layers/inert-pikepdf-none.pdf", root(OCProperties=Dictionary(OCGs=Array(), D=Dictionary())))
pdf("pdf-layers/inert-pikepdf-title.pdf", titled("/OCG /OFF /OCProperties"), packed=True)
# Annotations
pdf("pdf-annotation/active-pikepdf-hidden.pdf", annotated(Subtype=Name.Square, AP=appearance, F=2))
pdf("pdf-annotation/active-pikepdf-no-appearance.pdf", annotated(Subtype=Name.Square), packed=True)
pdf("pdf-annotation/active-pikepdf-no-view.pdf", annotated(Subtype=Name.FreeText, AP=appearance, F=32, Contents=String("x")))
pdf("pdf-annotation/active-pikepdf-note.pdf", annotated(Subtype=Name.FreeText, AP=appearance, F=4, Contents=String("prezzo 100")))
pdf("pdf-annotation/inert-pikepdf-link.pdf", annotated(Subtype=Name.Link, F=4, A=go_to))
pdf("pdf-annotation/inert-pikepdf-title.pdf", titled("/Annot /F 2 Hidden"), packed=True)
# Fields
pdf("pdf-form/active-pikepdf-filled.pdf", annotated(Subtype=Name.Widget, FT=Name.Tx, T=String("prezzo"), V=String("100"), Ff=1, AP=appearance, F=4), packed=True)
pdf("pdf-form/active-pikepdf-appearances.pdf", root(AcroForm=Dictionary(Fields=Array(), NeedAppearances=True)))
pdf("pdf-form/inert-pikepdf-signature.pdf", annotated(Subtype=Name.Widget, FT=Name.Sig, T=String("firma"), F=132, Rect=[0, 0, 0, 0]))
pdf("pdf-form/inert-pikepdf-no-fields.pdf", root(AcroForm=Dictionary(Fields=Array(), NeedAppearances=False)), packed=True)
# Content from elsewhere
pdf("pdf-external/active-pikepdf-file.pdf", resource("XObject", "X", form_x_object(F=String("altro.bin"))))
pdf("pdf-external/active-pikepdf-reference.pdf", resource("XObject", "X", form_x_object(Ref=Dictionary(F=String("altro.pdf"), Page=0))), packed=True)
pdf("pdf-external/active-pikepdf-postscript.pdf", resource("XObject", "X", lambda d: d.make_indirect(Stream(d, b"showpage", Type=Name.XObject, Subtype=Name.PS))))
pdf("pdf-external/inert-pikepdf-names.pdf", resource("XObject", "F", form_x_object()))
pdf("pdf-external/inert-pikepdf-title.pdf", titled("/F (altro.pdf) /Ref /PS"), packed=True)
# What is drawn depends on the device
FUNCTION = Dictionary(FunctionType=2, Domain=[0, 1], N=1, C0=[1], C1=[0])
pdf("pdf-rendering/active-pikepdf-transfer.pdf", resource("ExtGState", "G", Dictionary(Type=Name.ExtGState, TR=FUNCTION)))
pdf("pdf-rendering/active-pikepdf-transfer2.pdf", resource("ExtGState", "G", Dictionary(Type=Name.ExtGState, TR2=FUNCTION)), packed=True)
pdf("pdf-rendering/active-pikepdf-alternate.pdf", resource("XObject", "I", picture(Alternates=Array([Dictionary(DefaultForPrinting=True)]))))
pdf("pdf-rendering/inert-pikepdf-identity.pdf", resource("ExtGState", "G", Dictionary(Type=Name.ExtGState, TR=Name.Identity, TR2=Name.Default)))
pdf("pdf-rendering/inert-pikepdf-picture.pdf", resource("XObject", "Alternates", picture()), packed=True)
pdf("pdf-font/inert-pikepdf-title.pdf", titled("Helvetica Arial Times-Roman"), packed=True)


# reportlab
def drawn(path, edit=None, **options):
    def make():
        out = io.BytesIO()
        page = canvas.Canvas(out, invariant=1, **options)
        page.drawString(100, 700, "Contratto")
        if edit:
            edit(page)
        page.save()
        return out.getvalue()
    LIBRARIES[path] = make


drawn("pdf-font/active-reportlab-helvetica.pdf")
drawn("pdf-font/active-reportlab-times.pdf", lambda page: page.setFont("Times-Roman", 10))
drawn("pdf-uri/active-reportlab-link.pdf", lambda page: page.linkURL("https://example.org/", (100, 690, 200, 710)))
drawn("pdf-form/active-reportlab-field.pdf", lambda page: page.acroForm.textfield(name="prezzo", x=100, y=600, width=100, height=20, value="100"))
drawn("pdf-encrypted/active-reportlab.pdf", encrypt="segreto")


# qpdf
def through(path, *options):
    def make():
        with tempfile.TemporaryDirectory() as work:
            out = os.path.join(work, "out.pdf")
            subprocess.run(["qpdf", "--deterministic-id", *options, PAGE, out] if "--encrypt" not in options else ["qpdf", *options, PAGE, out], check=True)
            with open(out, "rb") as f:
                return f.read()
    LIBRARIES[path] = make


through("pdf-encrypted/active-qpdf-aes.pdf", "--encrypt", "", "padrone", "256", "--modify=none", "--")
through("pdf-revisions/inert-qpdf-linearized.pdf", "--linearize")
through("pdf-repair/inert-qpdf-packed.pdf", "--object-streams=generate")
through("pdf-repair/inert-qpdf-readable.pdf", "--qdf")
pdf("pdf-encrypted/inert-pikepdf-title.pdf", titled("/Encrypt /Standard"), packed=True)
pdf("pdf-encrypted/inert-pikepdf-resource.pdf", resource("XObject", "Encrypt", form_x_object()))
pdf("pdf-revisions/inert-pikepdf-end-in-stream.pdf", resource("XObject", "X", form_x_object(b"% startxref 9 %%EOF\n0 0 m 9 9 l S")))


# Edited afterwards, as no library does
def page():
    with open(PAGE, "rb") as f:
        return f.read()


def last_xref(data):
    return int(re.findall(rb"startxref\s+(\d+)", data)[-1])


def revised(number, content):
    """The page with an incremental update of one object."""
    data = page()
    size = int(re.findall(rb"/Size (\d+)", data)[-1])
    trailer = re.findall(rb"/Root \d+ 0 R", data)[-1]
    at = len(data)
    data += b"%d 0 obj\n%s\nendobj\n" % (number or size, content)
    table = len(data)
    data += b"xref\n%d 1\n%010d 00000 n \ntrailer\n<< /Size %d %s /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (
        number or size, at, size + (0 if number else 1), trailer, last_xref(page()), table)
    return data


LIBRARIES["pdf-revisions/active-update.pdf"] = lambda: revised(None, b"<< /Type /Whatever >>")
LIBRARIES["pdf-revisions/active-content.pdf"] = lambda: revised(1, b"<< /Length 0 >>\nstream\n\nendstream")
LIBRARIES["pdf-repair/active-startxref.pdf"] = lambda: re.sub(rb"startxref\s+\d+", b"startxref\n7", page())
LIBRARIES["pdf-repair/active-tail.pdf"] = lambda: page() + b"<html><body>altro</body></html>"
LIBRARIES["pdf-repair/active-cut.pdf"] = lambda: page()[:-200]
LIBRARIES["pdf-repair/active-leading.pdf"] = lambda: b"\r\n\r\nHTTP/1.1 200\r\n" + page()

warnings.simplefilter("ignore")
