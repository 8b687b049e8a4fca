"""Writes the flat ODF sources of the contract and of the letter: text.py contratto|lettera LOGO.png > x.fodt

Everything in them is invented: firms, addresses, tax numbers, persons.
"""
import base64, sys
from xml.sax.saxutils import escape

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0"
 xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
 office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.text">
<office:font-face-decls>
 <style:font-face style:name="Serif" svg:font-family="'Liberation Serif'"/>
 <style:font-face style:name="Sans" svg:font-family="'Liberation Sans'"/>
</office:font-face-decls>
<office:styles>
 <style:default-style style:family="paragraph"><style:text-properties style:font-name="Serif" fo:font-size="11pt" fo:language="it" fo:country="IT"/></style:default-style>
 <style:style style:name="Standard" style:family="paragraph"/>
 <style:style style:name="Title" style:family="paragraph" style:parent-style-name="Standard"><style:paragraph-properties fo:text-align="center" fo:margin-top="0.4cm" fo:margin-bottom="0.6cm"/><style:text-properties style:font-name="Sans" fo:font-size="18pt" fo:font-weight="bold"/></style:style>
 <style:style style:name="Article" style:family="paragraph" style:parent-style-name="Standard"><style:paragraph-properties fo:margin-top="0.5cm" fo:margin-bottom="0.2cm" fo:keep-with-next="always"/><style:text-properties style:font-name="Sans" fo:font-size="12pt" fo:font-weight="bold" fo:color="#144678"/></style:style>
 <style:style style:name="Body" style:family="paragraph" style:parent-style-name="Standard"><style:paragraph-properties fo:text-align="justify" fo:margin-bottom="0.25cm" fo:line-height="130%"/></style:style>
</office:styles>
<office:automatic-styles>
 <style:page-layout style:name="A4"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm" fo:margin="2.5cm"/></style:page-layout>
 <style:style style:name="Em" style:family="text"><style:text-properties fo:font-style="italic"/></style:style>
</office:automatic-styles>
<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="A4"/></office:master-styles>
<office:body><office:text>
"""
TAIL = "</office:text></office:body></office:document>\n"

def p(style, t):
    return '<text:p text:style-name="%s">%s</text:p>\n' % (style, escape(t))

def image(png):
    data = base64.b64encode(open(png, "rb").read()).decode()
    return ('<text:p text:style-name="Standard"><draw:frame draw:name="Emblema" text:anchor-type="as-char" svg:width="6cm" svg:height="2cm">'
            '<draw:image><office:binary-data>%s</office:binary-data></draw:image></draw:frame></text:p>\n' % data)

def table(rows):
    out = '<table:table table:name="Canoni"><table:table-column table:number-columns-repeated="3"/>'
    for row in rows:
        out += "<table:table-row>" + "".join('<table:table-cell office:value-type="string">' + p("Standard", c) + "</table:table-cell>" for c in row) + "</table:table-row>"
    return out + "</table:table>\n"

ARTICLES = [
    ("Oggetto", ["La Fornitrice si impegna a fornire alla Committente il servizio di manutenzione ordinaria e straordinaria delle lanterne, delle ottiche e degli apparati elettrici dei tre fari minori di proprietà della Committente, elencati nell'Allegato A.",
                 "Il servizio comprende la sorveglianza a distanza, un sopralluogo ogni trimestre, la pulizia delle lenti e la sostituzione delle parti soggette a usura, con materiali di qualità non inferiore a quelli originali."]),
    ("Durata", ["Il contratto ha durata di ventiquattro mesi a decorrere dalla data dell'ultima sottoscrizione e non si rinnova tacitamente. Le parti possono prorogarlo una sola volta, per iscritto, per un periodo non superiore a dodici mesi.",
                "Ciascuna parte può recedere con preavviso di novanta giorni, comunicato a mezzo di posta elettronica certificata."]),
    ("Corrispettivo", ["Per l'insieme delle prestazioni la Committente corrisponde alla Fornitrice un canone trimestrale posticipato, oltre all'imposta sul valore aggiunto, secondo la tabella che segue. L'importo è fisso e invariabile per tutta la durata del contratto."]),
    ("Obblighi della Fornitrice", ["La Fornitrice impiega personale qualificato e adotta le misure di sicurezza previste dalla legge per il lavoro in quota e in prossimità del mare. Essa risponde dei danni cagionati dai propri dipendenti e collaboratori.",
                                   "Di ogni intervento la Fornitrice redige un rapporto sottoscritto digitalmente, con l'indicazione dell'ora di inizio e di fine, delle parti sostituite e delle misure fotometriche eseguite prima e dopo l'intervento.",
                                   "In caso di spegnimento non programmato di una lanterna la Fornitrice interviene entro sei ore dalla segnalazione, di giorno e di notte, festivi compresi."]),
    ("Obblighi della Committente", ["La Committente assicura l'accesso ai fari, consegna alla Fornitrice le chiavi e la documentazione tecnica disponibile e comunica senza indugio ogni anomalia di cui venga a conoscenza."]),
    ("Penali", ["Per ogni ora di ritardo oltre il termine di intervento è dovuta una penale pari all'uno per cento del canone trimestrale, fino a un massimo del dieci per cento. È fatto salvo il risarcimento del maggior danno.",
                "Qualora il massimo sia raggiunto in due trimestri consecutivi, la Committente può dichiarare risolto il contratto ai sensi dell'articolo 1456 del codice civile."]),
    ("Riservatezza", ["Le parti si impegnano a non divulgare le notizie tecniche e commerciali apprese nell'esecuzione del contratto, per tutta la sua durata e per i due anni successivi alla sua cessazione."]),
    ("Trattamento dei dati personali", ["Ciascuna parte tratta i dati personali dei referenti dell'altra per le sole finalità connesse al contratto, nel rispetto del Regolamento (UE) 2016/679."]),
    ("Forma e sottoscrizione", ["Il presente contratto è redatto in forma di documento informatico, in un unico esemplare in formato PDF, ed è sottoscritto dalle parti con firma elettronica qualificata, alla quale è associata una validazione temporale.",
                               "Ogni modifica è valida soltanto se stipulata nella stessa forma."]),
    ("Foro competente", ["Per ogni controversia relativa all'interpretazione o all'esecuzione del contratto è competente in via esclusiva il foro del luogo in cui ha sede la Committente."]),
]

def contratto(png):
    out = image(png) + p("Title", "Contratto di manutenzione n. 17/2026")
    out += p("Body", "Tra la società Fari e Lanterne del Golfo S.r.l., con sede in Portoventuno, via del Molo Vecchio 3, codice fiscale 00000000017, in persona della legale rappresentante (di seguito «la Committente»),")
    out += p("Body", "e la società Ottiche Marine Bellavista S.p.A., con sede in Roccascura, piazza della Bussola 12, codice fiscale 00000000025, in persona del legale rappresentante (di seguito «la Fornitrice»),")
    out += p("Body", "si conviene e si stipula quanto segue.")
    for n, (title, paragraphs) in enumerate(ARTICLES, 1):
        out += p("Article", "Articolo %d. %s" % (n, title))
        for t in paragraphs:
            out += p("Body", t)
        if title == "Corrispettivo":
            out += table([("Faro", "Canone trimestrale", "Scadenza"), ("Punta Grigia", "€ 2.400,00", "fine trimestre"), ("Scoglio Lungo", "€ 1.850,00", "fine trimestre"), ("Capo Sereno", "€ 2.120,50", "fine trimestre")])
    out += p("Article", "Allegato A. Elenco dei fari")
    for name, place in (("Punta Grigia", "44° 00′ N, 9° 00′ E, portata 11 miglia"), ("Scoglio Lungo", "44° 02′ N, 9° 03′ E, portata 7 miglia"), ("Capo Sereno", "44° 05′ N, 9° 01′ E, portata 9 miglia")):
        out += p("Body", "Faro di %s: %s; lanterna a gruppi di due lampi bianchi ogni dieci secondi." % (name, place))
    out += p("Body", "Portoventuno, il giorno della sottoscrizione. Per la Committente e per la Fornitrice: firmato digitalmente.")
    return out

def lettera(_):
    out = p("Body", "Ottiche Marine Bellavista S.p.A., piazza della Bussola 12, Roccascura")
    out += p("Title", "Conferma d'ordine")
    out += p("Body", "Spettabile Fari e Lanterne del Golfo S.r.l., con la presente confermiamo il Vostro ordine n. 204 per la fornitura di due lenti di Fresnel del quarto ordine, complete di montatura in ottone.")
    out += p("Body", "La consegna è prevista entro quaranta giorni dalla sottoscrizione. Il prezzo convenuto è di € 3.900,00 oltre all'imposta. L'imballaggio e il trasporto sono a nostro carico.")
    out += p("Body", "Restiamo a disposizione per ogni chiarimento e porgiamo distinti saluti.")
    return out

kind, png = sys.argv[1], sys.argv[2]
sys.stdout.write(HEAD + {"contratto": contratto, "lettera": lettera}[kind](png) + TAIL)
