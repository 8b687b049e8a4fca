"""Documents of the corpus that LibreOffice writes: flat OpenDocument sources, made
here, are converted with `soffice --headless` to the formats that programs exchange.

The sources say what is active in OpenDocument's own words; what the export filters
make of it (fields, records, relationships) is LibreOffice's doing.
"""

import os
import subprocess
import tempfile

NS = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "text": "text", "table": "table", "draw": "drawing", "style": "style",
        "presentation": "presentation", "script": "script", "form": "form", "number": "datastyle",
        "meta": "meta", "anim": "animation", "smil": "smil-compatible", "svg": "svg-compatible",
        "fo": "xsl-fo-compatible", "config": "config",
    }.items()
) + (
    ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:ooo="http://openoffice.org/2004/office"'
    ' xmlns:oooc="http://openoffice.org/2004/calc" xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dom="http://www.w3.org/2001/xml-events"'
    ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
)

BASIC = (
    '<office:scripts><office:script script:language="ooo:Basic"><ooo:libraries>'
    '<ooo:library-embedded ooo:name="Standard"><ooo:module ooo:name="Modulo"><ooo:source-code>'
    'Sub Cambia\n  ThisComponent.Text.String = Now()\nEnd Sub\n'
    '</ooo:source-code></ooo:module></ooo:library-embedded></ooo:libraries></office:script>%s</office:scripts>'
)

EVENT = (
    '<office:event-listeners><script:event-listener script:language="ooo:script" script:event-name="dom:load"'
    ' xlink:href="vnd.sun.star.script:Standard.Modulo.Cambia?language=Basic&amp;location=document" xlink:type="simple"/>'
    '</office:event-listeners>'
)


def flat(kind, body, scripts="", styles="", automatic="", master="", fonts=""):
    """A flat OpenDocument file of a kind ("text", "spreadsheet", "presentation")."""
    page = (
        '<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="PL">%s'
        '</style:master-page></office:master-styles>' % master
    )
    layout = (
        '<style:page-layout style:name="PL"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm"'
        ' fo:margin="2cm"/><style:header-style/><style:footer-style/></style:page-layout>'
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {NS} office:version="1.2"'
        f' office:mimetype="application/vnd.oasis.opendocument.{kind}">'
        f'<office:meta><dc:title>Documento di prova</dc:title></office:meta>{scripts}'
        f'<office:styles>{styles}</office:styles><office:automatic-styles>{layout}{automatic}</office:automatic-styles>'
        f'{page}<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>'
    )


def text(*paragraphs, **parts):
    return flat("text", "".join(f"<text:p>{p}</text:p>" if not p.startswith("<raw>") else p[5:] for p in paragraphs), **parts)


# Without it LibreOffice puts its own header on the sheet, with the sheet's name.
PAGE_STYLE = '<style:style style:name="foglio" style:family="table" style:master-page-name="Standard"><style:table-properties table:display="true"/></style:style>'


def sheet(*rows, name="Foglio1", before="", after="", more="", **parts):
    """A spreadsheet of rows of cells; a cell is text, a number, or raw XML after "<raw>"."""
    out = ""
    for row in rows:
        out += "<table:table-row>"
        for cell in row:
            if isinstance(cell, (int, float)):
                out += f'<table:table-cell office:value-type="float" office:value="{cell}"><text:p>{cell}</text:p></table:table-cell>'
            elif cell.startswith("<raw>"):
                out += cell[5:]
            else:
                out += f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
        out += "</table:table-row>"
    parts["automatic"] = PAGE_STYLE + parts.get("automatic", "")
    return flat("spreadsheet", f'{before}<table:table table:name="{name}" table:style-name="foglio">{out}</table:table>{more}{after}', **parts)


def formula(f, value=1):
    f = f.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'<raw><table:table-cell table:formula="of:={f}" office:value-type="float" office:value="{value}"><text:p>{value}</text:p></table:table-cell>'


def slides(frame="", page="", decl="", after="", **parts):
    body = (
        f'{decl}<draw:page draw:name="Pagina 1" draw:master-page-name="Standard"{page}>'
        f'<draw:frame svg:width="20cm" svg:height="3cm" svg:x="2cm" svg:y="2cm"><draw:text-box><text:p>{frame or "Relazione annuale"}</text:p>'
        f'</draw:text-box></draw:frame>{after}</draw:page>'
    )
    return flat("presentation", body, **parts)


LO_DATE = '<text:date text:date-value="2026-01-15">15/01/26</text:date>'
FIXED_DATE = '<text:date text:date-value="2026-01-15" text:fixed="true">15/01/26</text:date>'

# Filters by the extension of the result.
FILTERS = {
    "odt": "odt:writer8", "docx": "docx:MS Word 2007 XML", "doc": "doc:MS Word 97", "rtf": "rtf:Rich Text Format",
    "ods": "ods:calc8", "xlsx": "xlsx:Calc MS Excel 2007 XML", "xlsm": "xlsm:Calc MS Excel 2007 VBA XML", "xls": "xls:MS Excel 97",
    "odp": "odp:impress8", "pptx": "pptx:Impress MS PowerPoint 2007 XML", "ppt": "ppt:MS PowerPoint 97",
    "html": "html:HTML (StarWriter)",
}
SOURCES = {"text": "fodt", "spreadsheet": "fods", "presentation": "fodp"}


def convert(documents):
    """Converts documents, a map of result path to source, and returns the bytes."""
    results = {}
    with tempfile.TemporaryDirectory() as work:
        jobs = {}
        for number, (path, source) in enumerate(documents.items()):
            kind = source.split("vnd.oasis.opendocument.", 1)[1].split('"', 1)[0] if isinstance(source, str) else None
            extension = os.path.splitext(path)[1][1:]
            name = f"d{number}.{SOURCES[kind]}" if kind else f"d{number}.{extension}"
            with open(os.path.join(work, name), "wb") as f:
                f.write(source.encode() if kind else source)
            if extension == "pdf":
                jobs.setdefault("pdf:%s_pdf_Export" % {"text": "writer", "spreadsheet": "calc", "presentation": "impress"}[kind], []).append((path, name))
            else:
                jobs.setdefault(FILTERS[extension], []).append((path, name))
        for target, files in jobs.items():
            subprocess.run(
                ["soffice", f"-env:UserInstallation=file://{work}/profile", "--headless", "--convert-to", target,
                 "--outdir", os.path.join(work, "out"), *[os.path.join(work, name) for _, name in files]],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600,
            )
            for path, name in files:
                made = os.path.join(work, "out", os.path.splitext(name)[0] + os.path.splitext(path)[1])
                if not os.path.exists(made):
                    raise SystemExit(f"{path}: LibreOffice wrote nothing")
                with open(made, "rb") as f:
                    results[path] = f.read()
                os.remove(made)
    return results
