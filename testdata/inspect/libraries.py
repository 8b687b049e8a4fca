"""Documents of the corpus that Python libraries write (openpyxl, XlsxWriter, xlwt,
python-docx, python-pptx, Pillow, email): one function each, by path."""

import email.message
import io
import os

import docx
import openpyxl
import pptx
import xlsxwriter
import xlwt
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from openpyxl.formatting.rule import FormulaRule
from openpyxl.worksheet.datavalidation import DataValidation
from PIL import Image
from pptx.enum.shapes import PROG_ID
from pptx.util import Cm

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARIES = {}  # path: function that makes the bytes


def made(path, *arguments):
    """Registers a function as the maker of a document."""
    def register(make):
        LIBRARIES[path] = lambda: make(*arguments)
        return make
    return register


def saved(document):
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


# openpyxl

def workbook(edit):
    book = openpyxl.Workbook()
    book.active["A1"] = "Voce"
    edit(book, book.active)
    return saved(book)


def opx(path, edit):
    LIBRARIES[path] = lambda: workbook(edit)


def put(**cells):
    def edit(book, sheet):
        for at, value in cells.items():
            sheet[at] = value
    return edit


def quoted(book, sheet):
    for at, value in (("A2", "=NOW()"), ("A3", "'=TODAY()")):
        sheet[at].value = value
        sheet[at].data_type = "s"
        sheet[at].quotePrefix = True


def header(part, value):
    return lambda book, sheet: setattr(getattr(sheet, part).center, "text", value)


def validation(formula):
    def edit(book, sheet):
        rule = DataValidation(type="custom", formula1=formula)
        rule.add("A1")
        sheet.add_data_validation(rule)
    return edit


def colour(formula):
    return lambda book, sheet: sheet.conditional_formatting.add("A1:A9", FormulaRule(formula=[formula]))


def named(formula):
    def edit(book, sheet):
        book.defined_names["Scadenza"] = openpyxl.workbook.defined_name.DefinedName("Scadenza", attr_text=formula)
    return edit


def state(value):
    def edit(book, sheet):
        book.create_sheet("Altro").sheet_state = value
    return edit


opx("formula-volatile/active-openpyxl-offset.xlsx", put(A2=1, B2="=OFFSET(A2,0,0)"))
opx("formula-volatile/active-openpyxl-name.xlsx", named("TODAY()+30"))
opx("formula-volatile/inert-openpyxl-quoted.xlsx", quoted)
opx("formula-volatile/inert-openpyxl-comment.xlsx", put(A2="NOW()", B2="'=RAND()", C2=" =TODAY()"))
opx("formula-plain/active-openpyxl-average.xlsx", put(A2=1, A3=2, A4="=AVERAGE(A2:A3)"))
opx("formula-plain/inert-openpyxl-quoted.xlsx", quoted)
opx("sheet-header/active-openpyxl-date.xlsx", header("oddHeader", "Stampato il &D"))
opx("sheet-header/active-openpyxl-path.xlsx", header("oddFooter", "&Z&F"))
opx("sheet-header/active-openpyxl-page.xlsx", header("oddFooter", "Pagina &P di &N"))
opx("sheet-header/inert-openpyxl-ampersand.xlsx", header("oddHeader", "Ditta R&&D, T&&F"))
opx("sheet-header/inert-openpyxl-bold.xlsx", header("oddHeader", "&BDitta Tizio"))
opx("sheet-condition/active-openpyxl-validation.xlsx", validation("A1<TODAY()"))
opx("sheet-condition/active-openpyxl-format.xlsx", colour("A1<NOW()"))
opx("sheet-condition/inert-openpyxl-validation.xlsx", validation('A1<>"TODAY()"'))
opx("sheet-condition/inert-openpyxl-format.xlsx", colour('A1="NOW()"'))
opx("hidden/active-openpyxl-very-hidden.xlsx", state("veryHidden"))
opx("hidden/inert-openpyxl-visible.xlsx", state("visible"))
opx("link/active-openpyxl.xlsx", lambda book, sheet: setattr(sheet["A1"], "hyperlink", "https://example.org/"))
opx("link/inert-openpyxl-address.xlsx", put(A2="https://example.org/"))


# XlsxWriter

def written(edit, **options):
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, options)
    edit(book, book.add_worksheet("Foglio1"))
    book.close()
    return out.getvalue()


@made("vba-ooxml/active-xlsxwriter.xlsm")
def macro_workbook():
    def edit(book, sheet):
        sheet.write("A1", "Prezzo")
        book.add_vba_project(os.path.join(HERE, "vba-binary", "active-project.bin"))
    return written(edit)


@made("formula-volatile/active-xlsxwriter-dynamic.xlsx")
def dynamic_array():
    return written(lambda book, sheet: sheet.write_dynamic_array_formula("A1", "=RANDARRAY(2,2)"))


@made("formula-plain/active-xlsxwriter-array.xlsx")
def plain_array():
    return written(lambda book, sheet: sheet.write_array_formula("A1:A2", "{=SUM(B1:B2*C1:C2)}"))


@made("sheet-header/active-xlsxwriter-time.xlsx")
def header_time():
    return written(lambda book, sheet: sheet.set_footer("&L&A&R&T"))


@made("hidden/active-xlsxwriter-column.xlsx")
def hidden_column():
    return written(lambda book, sheet: sheet.set_column("B:B", 10, None, {"hidden": True}))


@made("activex/inert-xlsxwriter-checkbox.xlsx")
def checkbox():
    return written(lambda book, sheet: sheet.write("A1", "[x] ActiveX, Forms.CheckBox.1"))


@made("link/active-xlsxwriter-file.xlsx")
def file_link():
    return written(lambda book, sheet: sheet.write_url("A1", "external:/tmp/altro.xlsx", string="altro"))


@made("formula-volatile/inert-xlsxwriter-strings.xlsx")
def formula_strings():
    return written(lambda book, sheet: sheet.write_string("A1", "=NOW()"))


# xlwt: BIFF as many business programs write it

def biff(edit):
    book = xlwt.Workbook()
    sheet = book.add_sheet("Foglio1")
    sheet.header_str, sheet.footer_str = b"", b""
    edit(sheet)
    return saved(book)


LIBRARIES["formula-volatile/active-xlwt-now.xls"] = lambda: biff(lambda s: s.write(0, 0, xlwt.Formula("NOW()")))
LIBRARIES["formula-volatile/inert-xlwt-text.xls"] = lambda: biff(lambda s: s.write(0, 0, "=NOW()"))
LIBRARIES["formula-plain/active-xlwt-product.xls"] = lambda: biff(lambda s: s.write(0, 0, xlwt.Formula("6*7")))
LIBRARIES["formula-plain/inert-xlwt-text.xls"] = lambda: biff(lambda s: s.write(0, 0, "6*7="))
LIBRARIES["sheet-header/active-xlwt-date.xls"] = lambda: biff(lambda s: setattr(s, "header_str", b"&D"))
LIBRARIES["sheet-header/inert-xlwt-ampersand.xls"] = lambda: biff(lambda s: setattr(s, "header_str", b"R&&D &&T"))
LIBRARIES["sheet-condition/inert-xlwt-text.xls"] = lambda: biff(lambda s: s.write(0, 0, "se A1<TODAY() rosso"))


# python-docx

def letter(edit):
    document = docx.Document()
    document.add_paragraph("Contratto")
    edit(document)
    return saved(document)


def field(*pieces):
    """A complex field whose code is cut into runs."""
    def edit(document):
        paragraph = document.add_paragraph()

        def add(tag, content=None, **attributes):
            element = OxmlElement(tag)
            for key, value in attributes.items():
                element.set(qn("w:" + key), value)
            element.text = content
            paragraph.add_run()._r.append(element)
        add("w:fldChar", fldCharType="begin")
        for piece in pieces:
            add("w:instrText", piece)
        add("w:fldChar", fldCharType="separate")
        paragraph.add_run("15/01/2026")
        add("w:fldChar", fldCharType="end")
    return edit


def simple(code):
    def edit(document):
        element = OxmlElement("w:fldSimple")
        element.set(qn("w:instr"), code)
        document.add_paragraph()._p.append(element)
    return edit


def words(content):
    return lambda document: document.add_paragraph(content)


def related(kind, target):
    return lambda document: document.part.rels.get_or_add_ext_rel(kind, target)


def part(kind, name, content_type, data):
    def edit(document):
        package = document.part.package
        document.part.relate_to(Part(PackURI(name), content_type, data, package), kind)
    return edit


def mark(tag, **attributes):
    """An empty element among the properties of a run."""
    def edit(document):
        element = OxmlElement(tag)
        for key, value in attributes.items():
            element.set(qn("w:" + key), value)
        document.add_paragraph().add_run("riservato")._r.get_or_add_rPr().append(element)
    return edit


def dx(path, edit):
    LIBRARIES[path] = lambda: letter(edit)


R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
M = "http://schemas.microsoft.com/office/2006/relationships/"
dx("word-field-changing/active-docx-split-date.docx", field("DA", "TE \\@ ", '"dd/MM/yyyy"'))
dx("word-field-changing/active-docx-savedate.docx", simple("SAVEDATE"))
dx("word-field-changing/active-docx-property.docx", simple("DOCPROPERTY Prezzo"))
dx("word-field-changing/inert-docx-instruction.docx", words('w:instrText DATE \\@ "dd/MM/yyyy"'))
dx("word-field-external/active-docx-include-text.docx", field(' INCLUDETEXT "', "https://example.org/a.docx", '" '))
dx("word-field-external/active-docx-if.docx", field(" IF 1 = 1 sì no "))
dx("word-field-external/active-docx-merge.docx", simple("MERGEFIELD Nome"))
dx("word-field-external/inert-docx-words.docx", words("{ INCLUDETEXT file } e { IF a = b }"))
dx("word-field-layout/active-docx-page.docx", field(" PAGE "))
dx("word-field-layout/inert-docx-words.docx", words("{ PAGE } { REF _Ref1 }"))
dx("dde/active-docx-auto.docx", field("DD", "EAUTO excel ", "Foglio1 A1"))
dx("dde/active-docx-dde.docx", simple('DDE "soffice" "a.ods" "A1"'))
dx("dde/inert-docx-words.docx", words("DDE e DDEAUTO sono campi di Word."))
dx("template/active-docx-remote.docx", related(R + "attachedTemplate", "https://example.org/modello.dotm"))
dx("template/inert-docx-words.docx", words("attachedTemplate TargetMode=External"))
dx("ooxml-external/active-docx-frame.docx", related(R + "frame", "https://example.org/pagina.html"))
dx("ooxml-external/active-docx-subdocument.docx", related(R + "subDocument", "file:///tmp/capitolo.docx"))
dx("ooxml-external/inert-docx-link.docx", related(RELATIONSHIP_TYPE.HYPERLINK, "https://example.org/logo.png"))
dx("alt-content/active-docx-chunk.docx", part(R + "aFChunk", "/word/afchunk1.html", "text/html", b"<html><body>altro</body></html>"))
dx("alt-content/inert-docx-words.docx", words("w:altChunk r:id=AltChunkId1, customUI14, webextension"))
dx("ole-object/active-docx-package.docx", part(R + "package", "/word/embeddings/foglio.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK\x05\x06" + bytes(18)))
dx("ole-object/inert-docx-words.docx", words("o:OLEObject Type=Embed ProgID=Package"))
dx("hidden/active-docx-vanish.docx", mark("w:vanish"))
dx("hidden/inert-docx-not-hidden.docx", mark("w:vanish", val="0"))
dx("link/active-docx.docx", related(RELATIONSHIP_TYPE.HYPERLINK, "https://example.org/"))
dx("link/inert-docx-words.docx", words("HYPERLINK https://example.org/"))


# python-pptx

def show(edit):
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    slide.shapes.add_textbox(Cm(2), Cm(2), Cm(10), Cm(2)).text_frame.text = "Relazione annuale"
    edit(deck, slide)
    return saved(deck)


def embedded(deck, slide):
    slide.shapes.add_ole_object(io.BytesIO(LIBRARIES["link/inert-openpyxl-address.xlsx"]()), PROG_ID.XLSX, Cm(2), Cm(5))


def movie(deck, slide):
    slide.shapes.add_movie(io.BytesIO(b"\x00\x00\x00\x18ftypmp42" + bytes(64)), Cm(2), Cm(5), Cm(5), Cm(5), mime_type="video/mp4")


def clock(deck, slide):
    from lxml import etree
    paragraph = slide.shapes[0].text_frame.paragraphs[0]._p
    paragraph.append(etree.fromstring('<a:fld xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" id="{5BCAD085-E8A6-8845-BD4E-CB4CCA059FC4}" type="datetime1"><a:rPr/><a:t>15/01/2026</a:t></a:fld>'))


def said(content):
    return lambda deck, slide: setattr(slide.shapes[0].text_frame, "text", content)


LIBRARIES["ole-object/active-pptx-workbook.pptx"] = lambda: show(embedded)
LIBRARIES["ole-object/inert-pptx-words.pptx"] = lambda: show(said("ppt/embeddings/oleObject1.bin"))
LIBRARIES["slide-dynamic/active-pptx-date.pptx"] = lambda: show(clock)
LIBRARIES["slide-dynamic/active-pptx-movie.pptx"] = lambda: show(movie)
LIBRARIES["slide-dynamic/inert-pptx-words.pptx"] = lambda: show(said("datetime1, p:timing, videoFile"))
LIBRARIES["vba-ooxml/inert-pptx-words.pptx"] = lambda: show(said("ppt/vbaProject.bin"))


# Pillow

def image(form, frames=1, **options):
    pictures = [Image.new("RGB", (16, 16), (n * 80, 90, 160)) for n in range(frames)]
    out = io.BytesIO()
    if frames > 1:
        options.update(save_all=True, append_images=pictures[1:])
    pictures[0].save(out, form, **options)
    return out.getvalue()


LIBRARIES["image/active-pillow-animation.gif"] = lambda: image("GIF", 3, duration=100)
LIBRARIES["image/active-pillow-animation.png"] = lambda: image("PNG", 2, duration=100)
LIBRARIES["image/active-pillow-pages.tif"] = lambda: image("TIFF", 2)
LIBRARIES["image/active-pillow-tail.jpg"] = lambda: image("JPEG") + b"<script>alert(1)</script>"
LIBRARIES["image/active-pillow-tail.png"] = lambda: image("PNG") + image("PNG")
LIBRARIES["image/inert-pillow-still.gif"] = lambda: image("GIF")
LIBRARIES["image/inert-pillow-comment.jpg"] = lambda: image("JPEG", comment=b"<script>alert(1)</script> NETSCAPE2.0 acTL")
LIBRARIES["image/inert-pillow.png"] = lambda: image("PNG")
LIBRARIES["image/inert-pillow.bmp"] = lambda: image("BMP")
LIBRARIES["image/inert-pillow-page.tif"] = lambda: image("TIFF")
LIBRARIES["webp/active-pillow-animation.webp"] = lambda: image("WEBP", 3, duration=100)
LIBRARIES["webp/active-pillow-tail.webp"] = lambda: image("WEBP") + b"PK\x05\x06" + bytes(18)
LIBRARIES["webp/inert-pillow.webp"] = lambda: image("WEBP")
LIBRARIES["webp/inert-pillow-lossless.webp"] = lambda: image("WEBP", lossless=True)


# Mail

def mail(kind, html=None, attachment=None):
    message = email.message.EmailMessage()
    message["Subject"], message["From"], message["To"] = "Offerta", "tizio@example.org", "caio@example.org"
    message["Date"], message["MIME-Version"] = "Thu, 15 Jan 2026 10:00:00 +0100", "1.0"
    message.set_content("Si trasmette l'offerta.\n")
    if html:
        message.add_alternative(html, subtype="html")
    if attachment:
        message.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="a.docm")
    return bytes(message)


LIBRARIES["mail/active-email-script.eml"] = lambda: mail("eml", html="<html><body onload='x()'>Offerta</body></html>")
LIBRARIES["mail/active-email-attachment.eml"] = lambda: mail("eml", attachment=LIBRARIES["vba-ooxml/active-xlsxwriter.xlsm"]())
LIBRARIES["mail/inert-email-text.txt"] = lambda: b"Oggetto: Offerta\nDa: Tizio\n\nSi trasmette l'offerta: From, To e Subject.\n"
LIBRARIES["mail/inert-email-quoted.txt"] = lambda: b"Il messaggio diceva:\n\n> From: tizio@example.org\n> Content-Type: text/html\n"

import pdf_documents  # noqa: E402,F401  adds the PDF files
