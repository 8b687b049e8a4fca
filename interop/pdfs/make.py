"""Makes PDF files with the libraries of Python that many programs are built on.

Usage: make.py FOLDER SOURCES

SOURCES holds picture.png, page.html and letter.pdf. Each file is told on a
line: its name, a tab, and the library; what could not be made has the reason
after a second tab.
"""

import os
import sys
import traceback

OUT, SOURCES = sys.argv[1:3]
TEXT = "Contratto di locazione: perché è così, e costa 100 €"
MADE = []


def source(name):
    return os.path.join(SOURCES, name)


def maker(library):
    def register(function):
        MADE.append((library, function))
        return function

    return register


@maker("reportlab")
def reportlab_text(path):
    from reportlab.pdfgen import canvas

    c = canvas.Canvas(path)
    c.drawString(72, 720, TEXT.replace("€", "EUR"))
    c.bookmarkPage("uno")
    c.addOutlineEntry("Articolo 1", "uno")
    c.showPage()
    c.drawImage(source("picture.png"), 72, 400)
    c.save()


@maker("reportlab")
def reportlab_form(path):
    from reportlab.pdfgen import canvas

    c = canvas.Canvas(path, invariant=1)
    c.drawString(72, 720, "Nome e cognome:")
    c.acroForm.textfield(name="nome", x=200, y=710, width=200, height=20, value="Ada")
    c.acroForm.checkbox(name="consenso", x=200, y=670, checked=True)
    c.acroForm.radio(name="scelta", value="a", x=200, y=640, selected=True)
    c.acroForm.radio(name="scelta", value="b", x=240, y=640)
    c.save()


@maker("reportlab")
def reportlab_platypus(path):
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

    style = getSampleStyleSheet()["Normal"]
    rows = [[str(i), "articolo", f"{i * 3},50"] for i in range(60)]
    SimpleDocTemplate(path, pageCompression=0).build([Paragraph("Fattura", style), Table(rows)])


@maker("reportlab")
def reportlab_encrypted(path):
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen import canvas

    c = canvas.Canvas(path, encrypt=StandardEncryption("", ownerPassword="padrone", strength=128))
    c.drawString(72, 720, "Cifrato senza parola d'ordine per leggere")
    c.save()


@maker("fpdf2")
def fpdf2_text(path):
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", size=12)
    pdf.start_section("Articolo 1")
    pdf.multi_cell(0, 8, TEXT.replace("€", "EUR") + "\n" + "prova " * 200)
    pdf.image(source("picture.png"), w=60)
    pdf.output(path)


@maker("fpdf2")
def fpdf2_landscape(path):
    from fpdf import FPDF

    pdf = FPDF(orientation="landscape", unit="mm", format="A3")
    for _ in range(3):
        pdf.add_page()
        pdf.set_font("courier", size=20)
        pdf.cell(text="Tavola", link="https://example.it")
    pdf.output(path)


@maker("matplotlib")
def matplotlib_plot(path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([0, 1, 4, 9, 16])
    axes.set_title("Andamento")
    figure.savefig(path)


@maker("weasyprint")
def weasyprint_page(path):
    import weasyprint

    weasyprint.HTML(source("page.html")).write_pdf(path)


@maker("weasyprint")
def weasyprint_pdfa(path):
    import weasyprint

    weasyprint.HTML(source("page.html")).write_pdf(path, pdf_variant="pdf/a-3b")


@maker("weasyprint")
def weasyprint_form(path):
    import weasyprint

    html = '<form><p>Nome <input name="nome" value="Ada"> <input type="checkbox" name="ok" checked></p></form>'
    weasyprint.HTML(string=html).write_pdf(path, pdf_forms=True)


@maker("img2pdf")
def img2pdf_picture(path):
    import img2pdf

    with open(path, "wb") as f:
        f.write(img2pdf.convert(source("scan.jpg")))


@maker("pillow")
def pillow_pages(path):
    from PIL import Image

    with Image.open(source("scan.jpg")) as first, Image.open(source("picture.png")) as second:
        first.save(path, save_all=True, append_images=[second.convert("RGB")], resolution=100)


@maker("pikepdf")
def pikepdf_objects(path):
    import pikepdf

    with pikepdf.open(source("letter.pdf")) as pdf:
        pdf.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate, recompress_flate=True)


@maker("pikepdf")
def pikepdf_rotated(path):
    import pikepdf

    with pikepdf.open(source("letter.pdf")) as pdf:
        page = pdf.pages[0]
        page.Rotate = 90
        page.CropBox = [50, 100, 500, 700]
        pdf.save(path, object_stream_mode=pikepdf.ObjectStreamMode.disable)


@maker("pikepdf")
def pikepdf_attachment(path):
    import pikepdf

    with pikepdf.open(source("letter.pdf")) as pdf:
        pdf.attachments["dati.csv"] = pikepdf.AttachedFileSpec(pdf, b"a;b\n1;2\n", mime_type="text/csv")
        pdf.docmodel = None
        pdf.save(path, linearize=True)


@maker("pypdf")
def pypdf_merged(path):
    from pypdf import PdfWriter

    writer = PdfWriter()
    for _ in range(2):
        writer.append(source("letter.pdf"))
    writer.add_outline_item("Secondo", 1)
    writer.add_metadata({"/Title": "Unione è"})
    writer.write(path)


@maker("pypdf")
def pypdf_incremental(path):
    from pypdf import PdfWriter

    writer = PdfWriter(source("letter.pdf"), incremental=True)
    writer.pages[0].rotate(180)
    writer.write(path)


@maker("pdfrw")
def pdfrw_copy(path):
    from pdfrw import PdfReader, PdfWriter

    writer = PdfWriter(path)
    writer.addpages(PdfReader(source("plain.pdf")).pages)
    writer.write()


@maker("by hand")
def hybrid(path):
    """A file with a cross-reference table and, for newer readers, a stream."""
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}

    def add(number, body):
        offsets[number] = len(out)
        out.extend(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    content = b"BT /F1 18 Tf 72 720 Td (File ibrido) Tj ET"
    add(1, b"<< /Type /Catalog /Pages 2 0 R >>")
    add(2, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
    add(3, b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>")
    add(4, b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    add(5, b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    inside = b"<< /Author (Ada) >>"
    packed = b"7 0 " + inside
    add(6, b"<< /Type /ObjStm /N 1 /First 4 /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed))
    hidden = b"\x02" + (6).to_bytes(3, "big") + b"\x00"  # object 7 is the first of stream 6
    add(8, b"<< /Type /XRef /Size 9 /W [1 3 1] /Index [7 1] /Root 1 0 R /Length %d >>\nstream\n%s\nendstream" % (len(hidden), hidden))
    table = len(out)
    out.extend(b"xref\n0 9\n0000000007 65535 f \n")
    for number in range(1, 9):
        out.extend(b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 00000 f \n")
    out.extend(b"trailer\n<< /Size 9 /Root 1 0 R /Info 7 0 R /XRefStm %d >>\nstartxref\n%d\n%%%%EOF\n" % (offsets[8], table))
    with open(path, "wb") as f:
        f.write(out)


def main():
    for library, make in MADE:
        path = os.path.join(OUT, make.__name__.replace("_", "-") + ".pdf")
        try:
            make(path)
        except Exception as e:  # the others can be made all the same
            traceback.print_exc()
            print(path, library, f"{type(e).__name__}: {e}".replace("\n", " "), sep="\t")
            continue
        print(path, library, sep="\t")


main()
