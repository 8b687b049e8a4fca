package inspect

// A Rule names one kind of content and says what the holder is told about it. What is
// done about it is up to a [Policy].
type Rule struct {
	ID   string
	Text Text
}

// Rules returns the rule table, in its order.
func Rules() []Rule { return append([]Rule(nil), rules...) }

var ruleByID = func() map[string]Rule {
	m := make(map[string]Rule, len(rules))
	for _, r := range rules {
		m[r.ID] = r
	}
	return m
}()

// rules are all that the scanners can find; they only say what they found.
var rules = []Rule{
	// Any format
	{"inspect.failed", Text{"Il documento non ha potuto essere esaminato fino in fondo: convertirlo in PDF/A e riprovare.", "The document could not be inspected to its end: convert it to PDF/A and try again."}},
	{"font.embedded", Text{"Il documento porta con sé i propri caratteri: dove non vengono usati il testo può apparire diverso, verificare le pagine.", "The document brings its own fonts: where they are not used the text may look different, check the pages."}},
	{"inspect.elsewhere", Text{"Il documento non è stato visto qui e se ne firma solo l'impronta: confermare solo se lo si è letto e chi lo ha esaminato è fidato.", "The document was not seen here and only its digest is signed: confirm only if you have read it and trust who inspected it."}},
	{"empty", Text{"Il documento è vuoto: caricare il file giusto.", "The document is empty: upload the right file."}},
	{"size", Text{"Il documento supera la dimensione che può essere esaminata: dividerlo o ridurne le immagini.", "The document is larger than what can be inspected: split it or reduce its images."}},
	{"format.unknown", Text{"Il formato non è riconosciuto e non se ne può escludere un contenuto attivo: convertire in PDF/A.", "The format is not recognised and active content cannot be ruled out: convert to PDF/A."}},
	{"format.container", Text{"È un archivio: firmare i singoli documenti che contiene.", "It is an archive: sign the single documents it contains."}},
	{"format.polyglot", Text{"Il file può essere letto come due formati diversi e mostrare due contenuti: esportarlo di nuovo dal programma di origine.", "The file can be read as two different formats and show two contents: export it again from the program it came from."}},
	{"format.mail", Text{"È un messaggio di posta: firmare i documenti allegati, o stamparlo in PDF/A.", "It is a mail message: sign the attached documents, or print it to PDF/A."}},
	{"format.mhtml", Text{"È una pagina web in un solo file (MHTML), che ogni programma mostra a modo suo: stamparla in PDF/A.", "It is a web page in a single file (MHTML), which every program shows its own way: print it to PDF/A."}},
	{"format.sheet", Text{"È un foglio in un formato di scambio (SYLK o DIF), le cui celle possono eseguire comandi: salvarlo come .xlsx o in PDF/A.", "It is a sheet in an interchange format (SYLK or DIF), whose cells may run commands: save it as .xlsx or as PDF/A."}},
	{"format.office-xml", Text{"È un documento Office o OpenDocument in un solo file XML, che altri programmi mostrano come codice: salvarlo come .docx, .xlsx, .pptx o .odt, o in PDF/A.", "It is an Office or OpenDocument file in a single XML file, which other programs show as code: save it as .docx, .xlsx, .pptx or .odt, or as PDF/A."}},
	{"name.mismatch", Text{"L'estensione del nome non corrisponde al contenuto: rinominare il file con l'estensione giusta.", "The name's extension does not match the content: rename the file with the right extension."}},
	{"link", Text{"Contiene un collegamento che si apre solo su richiesta: la pagina collegata non fa parte del documento.", "It has a link that opens only on request: the page it leads to is not part of the document."}},
	{"link.scheme", Text{"Contiene un collegamento che può eseguire codice o aprire un file locale: toglierlo.", "It has a link that can run code or open a local file: remove it."}},
	{"virus", Text{"L'antivirus vi ha trovato qualcosa: non aprirlo e chiedere un altro file a chi lo ha fornito.", "The virus scanner has found something in it: do not open it and ask whoever supplied it for another file."}},

	// PDF (ISO 32000-2)
	{"pdf.malformed", Text{"Il PDF non rispetta lo standard e programmi diversi possono mostrarlo diversamente: esportarlo di nuovo, meglio in PDF/A.", "The PDF breaks the standard and different programs may show it differently: export it again, best as PDF/A."}},
	{"pdf.encrypted", Text{"Il PDF è cifrato o protetto: salvarlo senza password né restrizioni.", "The PDF is encrypted or restricted: save it without password or restrictions."}},
	{"pdf.javascript", Text{"Il PDF contiene JavaScript, che può cambiare quanto mostrato: stamparlo in PDF/A.", "The PDF contains JavaScript, which can change what is shown: print it to PDF/A."}},
	{"pdf.action", Text{"Il PDF contiene un'azione che avvia programmi, invia dati o cambia quanto mostrato: toglierla o stampare in PDF/A.", "The PDF has an action that starts programs, sends data or changes what is shown: remove it or print to PDF/A."}},
	{"pdf.action.remote", Text{"Il PDF rimanda a un altro file: includerne il contenuto o togliere il rimando.", "The PDF leads into another file: include its content or remove the reference."}},
	{"pdf.action.event", Text{"Il PDF esegue un'azione da solo, all'apertura o al passaggio del puntatore: toglierla.", "The PDF performs an action by itself, on opening or when the pointer passes: remove it."}},
	{"pdf.media", Text{"Il PDF contiene audio, video o 3D: toglierli.", "The PDF contains sound, film or 3D: remove them."}},
	{"pdf.xfa", Text{"Il PDF è un modulo XFA, disegnato al momento dell'apertura: stamparlo in PDF/A.", "The PDF is an XFA form, drawn when it is opened: print it to PDF/A."}},
	{"pdf.attachment", Text{"Il PDF contiene file allegati: firmarli a parte e toglierli.", "The PDF has attached files: sign them separately and remove them."}},
	{"pdf.external", Text{"Il PDF prende parte del contenuto da un altro file: esportarlo con tutto incluso.", "The PDF takes part of its content from another file: export it with everything included."}},
	{"pdf.optional-content", Text{"Il PDF ha livelli che possono essere nascosti: ora sono tutti visibili, verificare le pagine.", "The PDF has layers that can be hidden: all are visible now, check the pages."}},
	{"pdf.optional-content.hidden", Text{"Il PDF ha livelli nascosti o che cambiano fra schermo e stampa: appiattirli.", "The PDF has layers that are hidden or differ between screen and print: flatten them."}},
	{"pdf.annotation.hidden", Text{"Il PDF ha annotazioni nascoste o senza aspetto fisso: appiattirle o toglierle.", "The PDF has annotations that are hidden or lack a fixed appearance: flatten or remove them."}},
	{"pdf.annotation", Text{"Il PDF ha annotazioni sopra la pagina: verificare che vadano firmate con essa.", "The PDF has annotations on top of the page: check that they are meant to be signed with it."}},
	{"pdf.form", Text{"Il PDF ha campi compilabili: verificarne i valori; è meglio appiattirli.", "The PDF has fields that can be filled in: check their values; flattening them is better."}},
	{"pdf.form.appearances", Text{"I campi del PDF vengono ridisegnati all'apertura: appiattirli.", "The fields of the PDF are redrawn on opening: flatten them."}},
	{"pdf.font", Text{"Un carattere non è incorporato e su un altro computer può apparire diverso: incorporarlo è meglio.", "A font is not embedded and may look different on another computer: embedding it is better."}},
	{"pdf.image.alternate", Text{"Un'immagine ha versioni alternative: esportare il PDF con una sola.", "An image has alternate versions: export the PDF with one only."}},
	{"pdf.postscript", Text{"Il PDF contiene codice PostScript o rimandi di prestampa: esportarlo di nuovo.", "The PDF contains PostScript code or prepress references: export it again."}},
	{"pdf.transfer", Text{"Il PDF cambia i colori secondo l'apparecchio (funzioni di trasferimento): esportarlo senza.", "The PDF changes colours with the device (transfer functions): export it without."}},
	{"pdf.overprint", Text{"Il PDF sovrappone colori che altri programmi o la stampa possono rendere trasparenti: verificare le pagine, o esportarlo senza sovrastampa.", "The PDF overprints colours, which other programs or a printer may show as transparent: check the pages, or export it without overprinting."}},
	{"pdf.revisions", Text{"Il PDF conserva versioni precedenti che possono riaffiorare: salvarlo con un nome nuovo o stamparlo in PDF/A.", "The PDF keeps earlier versions that may surface again: save it under a new name or print it to PDF/A."}},
	{"pdf.revisions.form", Text{"I campi del PDF sono stati compilati dopo che era stato salvato, e conserva lo stato precedente: verificarne i valori, che sono quelli firmati.", "The fields of the PDF were filled in after it had been saved, and it keeps the earlier state: check their values, which are what is signed."}},
	{"pdf.signed", Text{"Il PDF è già firmato: la nuova firma si aggiunge a quelle presenti.", "The PDF is already signed: the new signature is added to those present."}},
	{"pdf.limit", Text{"Il PDF supera i limiti di ciò che può essere esaminato: semplificarlo o dividerlo.", "The PDF exceeds the limits of what can be inspected: simplify or split it."}},

	// ZIP packages (OOXML, ODF)
	{"zip.malformed", Text{"Il contenitore del documento è difettoso: salvarlo di nuovo dal programma di origine.", "The document's container is defective: save it again from the program it came from."}},
	{"zip.layout", Text{"Nel contenitore ci sono dati fuori posto o sovrapposti: salvare di nuovo il documento.", "The container has stray or overlapping data: save the document again."}},
	{"zip.names", Text{"Nel contenitore due parti hanno lo stesso nome o un nome insidioso: salvare di nuovo il documento.", "In the container two parts share a name or a name is deceitful: save the document again."}},
	{"zip.bomb", Text{"Il documento si espande oltre ogni misura ragionevole: non è esaminabile.", "The document expands beyond all reason: it cannot be inspected."}},
	{"zip.encrypted", Text{"Il documento è protetto da password: salvarlo senza.", "The document is protected by a password: save it without."}},
	{"zip.nested", Text{"Il documento contiene un altro file al suo interno: toglierlo o firmarlo a parte.", "The document contains another file inside: remove it or sign it separately."}},

	// Office Open XML (ISO/IEC 29500)
	{"ooxml.malformed", Text{"Il documento Office è difettoso: salvarlo di nuovo o convertirlo in PDF/A.", "The Office document is defective: save it again or convert it to PDF/A."}},
	{"ooxml.alternate", Text{"Il documento contiene due versioni di uno stesso testo, e ogni programma ne mostra una: salvarlo di nuovo o convertirlo in PDF/A.", "The document has two versions of one text, and each program shows one of them: save it again or convert it to PDF/A."}},
	{"ooxml.alternate.part", Text{"Una parte del documento è sostituita da altro nei programmi che non la conoscono: verificare le pagine.", "Programs that do not know a part of the document show something else in its place: check the pages."}},
	{"ooxml.macro", Text{"Il documento contiene macro: salvarlo nel formato senza macro (.docx, .xlsx, .pptx).", "The document contains macros: save it in the format without macros (.docx, .xlsx, .pptx)."}},
	{"ooxml.activex", Text{"Il documento contiene controlli ActiveX: toglierli.", "The document contains ActiveX controls: remove them."}},
	{"ooxml.embedded", Text{"Il documento contiene un oggetto di un altro programma: sostituirlo con un'immagine.", "The document contains another program's object: replace it with a picture."}},
	{"ooxml.external", Text{"Il documento prende parte del contenuto da fuori: includerlo nel documento.", "The document takes part of its content from elsewhere: include it in the document."}},
	{"ooxml.template", Text{"Il documento carica un modello esterno: staccarlo dal modello.", "The document loads an external template: detach it from the template."}},
	{"ooxml.altchunk", Text{"Il documento importa un altro documento all'apertura: incorporarne il testo.", "The document imports another document on opening: insert its text."}},
	{"ooxml.extension", Text{"Il documento porta con sé un'estensione del programma (componente web o barra personalizzata): toglierla.", "The document carries an extension of the program (web add-in or custom ribbon): remove it."}},
	{"ooxml.media", Text{"Il documento contiene audio, video o 3D: toglierli.", "The document contains sound, film or 3D: remove them."}},
	{"ooxml.part", Text{"Il documento contiene una parte di tipo sconosciuto: salvarlo di nuovo o convertirlo in PDF/A.", "The document contains a part of unknown type: save it again or convert it to PDF/A."}},
	{"ooxml.binary-workbook", Text{"La cartella di lavoro è in formato binario: salvarla come .xlsx.", "The workbook is in the binary format: save it as .xlsx."}},
	{"ooxml.data", Text{"Il documento si aggiorna da una fonte di dati: togliere connessioni e stampa unione.", "The document refreshes itself from a data source: remove connections and mail merge."}},
	{"ooxml.binding", Text{"Un controllo mostra un valore preso da dati interni al documento: verificare il testo mostrato.", "A control shows a value taken from data inside the document: check the text shown."}},
	{"ooxml.changes", Text{"Il documento conserva modifiche registrate: accettarle o rifiutarle prima di firmare.", "The document keeps tracked changes: accept or reject them before signing."}},
	{"ooxml.comments", Text{"Il documento contiene commenti: verificare se vanno firmati o tolti.", "The document contains comments: check whether to sign or remove them."}},
	{"ooxml.hidden", Text{"Il documento contiene parti nascoste che verranno firmate: mostrarle o toglierle.", "The document contains hidden parts that will be signed: show or remove them."}},
	{"field.dynamic", Text{"Un campo cambia da solo quanto mostrato (data, nome file, dati esterni…): convertirlo in testo.", "A field changes by itself what is shown (date, file name, outside data…): turn it into plain text."}},
	{"field.dde", Text{"Un campo DDE esegue comandi o prende dati da altri programmi: toglierlo.", "A DDE field runs commands or takes data from other programs: remove it."}},
	{"field.layout", Text{"Un campo di impaginazione (numero di pagina, sommario…) è ricalcolato dal programma: verificare le pagine.", "A layout field (page number, contents…) is worked out by the program: check the pages."}},
	{"formula.volatile", Text{"Una formula cambia a ogni apertura o esce dal documento: sostituirla con il suo valore.", "A formula changes at every opening or reaches outside the document: replace it with its value."}},
	{"formula", Text{"Il foglio contiene formule: verificare i valori; è meglio sostituirle con i risultati.", "The sheet contains formulas: check the values; replacing them with their results is better."}},
	{"sheet.macrosheet", Text{"Il foglio contiene macro di Excel 4.0: toglierle.", "The workbook contains Excel 4.0 macro sheets: remove them."}},
	{"sheet.header.dynamic", Text{"L'intestazione stampa data, ora o nome del file: sostituirli con testo.", "The header prints date, time or file name: replace them with text."}},
	{"sheet.header", Text{"L'intestazione stampa numeri di pagina o il nome del foglio: verificare le pagine.", "The header prints page numbers or the sheet's name: check the pages."}},
	{"sheet.locale", Text{"Una data o una valuta appare secondo il paese di chi legge (3/4 è il 3 aprile o il 4 marzo, € o $): darle un formato fisso è meglio.", "A date or a currency is shown the way of the reader's country (3/4 is the third of April or the fourth of March, € or $): giving it a fixed format is better."}},
	{"slide.action", Text{"La presentazione esegue un programma o una macro: togliere l'azione.", "The presentation runs a program or a macro: remove the action."}},
	{"slide.animation", Text{"Le animazioni mostrano o nascondono contenuti nel tempo: verificare le pagine.", "Animations show or hide content over time: check the pages."}},

	// Compound File Binary ([MS-CFB]): DOC, XLS, PPT
	{"cfb.malformed", Text{"Il documento Office è difettoso: salvarlo di nuovo come .docx o .xlsx, o in PDF/A.", "The Office document is defective: save it again as .docx or .xlsx, or as PDF/A."}},
	{"cfb.macro", Text{"Il documento contiene macro: salvarlo senza macro come .docx, .xlsx o PDF/A.", "The document contains macros: save it without macros as .docx, .xlsx or PDF/A."}},
	{"cfb.embedded", Text{"Il documento contiene un oggetto di un altro programma: sostituirlo con un'immagine.", "The document contains another program's object: replace it with a picture."}},
	{"cfb.encrypted", Text{"Il documento è protetto da password: salvarlo senza.", "The document is protected by a password: save it without."}},
	{"cfb.revisions", Text{"Il documento conserva versioni precedenti (salvataggi veloci) che possono riaffiorare: salvarlo con un nome nuovo o convertirlo in PDF/A.", "The document keeps earlier versions (fast saves) that may surface again: save it under a new name or convert it to PDF/A."}},
	{"cfb.legacy", Text{"Il formato binario di Office può nascondere campi e formule: convertire in PDF/A, .docx o .xlsx.", "Office's binary format may hide fields and formulas: convert to PDF/A, .docx or .xlsx."}},

	// OpenDocument (ISO/IEC 26300)
	{"odf.malformed", Text{"Il documento OpenDocument è difettoso: salvarlo di nuovo o convertirlo in PDF/A.", "The OpenDocument file is defective: save it again or convert it to PDF/A."}},
	{"odf.macro", Text{"Il documento contiene macro o script: toglierli da Strumenti > Macro.", "The document contains macros or scripts: remove them in Tools > Macros."}},
	{"odf.object", Text{"Il documento contiene un oggetto, un plugin o una cornice di un altro programma: sostituirlo con un'immagine.", "The document contains another program's object, plug-in or frame: replace it with a picture."}},
	{"odf.external", Text{"Il documento prende parte del contenuto da fuori: includerlo nel documento.", "The document takes part of its content from elsewhere: include it in the document."}},
	{"odf.template", Text{"Il documento viene da un modello, i cui stili può riprendere se il modello cambia: verificare le pagine.", "The document was made from a template, whose styles it may take again when the template changes: check the pages."}},
	{"odf.field.unused", Text{"Uno stile di pagina non usato contiene un campo che cambia: eliminarlo è meglio.", "A page style that is not used contains a field that changes: deleting it is better."}},
	{"odf.form", Text{"Il documento contiene controlli di modulo: verificarne i valori.", "The document contains form controls: check their values."}},
	{"odf.changes", Text{"Il documento conserva modifiche registrate o commenti: accettarli o toglierli prima di firmare.", "The document keeps tracked changes or comments: accept or remove them before signing."}},
	{"odf.hidden", Text{"Il documento contiene parti nascoste che verranno firmate: mostrarle o toglierle.", "The document contains hidden parts that will be signed: show or remove them."}},

	// RTF
	{"rtf.malformed", Text{"Il documento RTF è difettoso: salvarlo di nuovo o convertirlo in PDF/A.", "The RTF document is defective: save it again or convert it to PDF/A."}},
	{"rtf.object", Text{"Il documento RTF contiene un oggetto di un altro programma: sostituirlo con un'immagine.", "The RTF document contains another program's object: replace it with a picture."}},
	{"rtf.external", Text{"Il documento RTF carica un modello o un file esterno: staccarlo.", "The RTF document loads an external template or file: detach it."}},
	{"rtf.dynamic", Text{"Il documento RTF contiene data, ora o HTML nascosto che cambiano quanto mostrato: sostituirli con testo.", "The RTF document contains dates, times or hidden HTML that change what is shown: replace them with text."}},
	{"rtf.hidden", Text{"Il documento RTF contiene testo nascosto, modifiche registrate o commenti: verificarli o toglierli.", "The RTF document contains hidden text, tracked changes or comments: check or remove them."}},

	// HTML, XHTML, SVG
	{"html.script", Text{"La pagina contiene codice che il navigatore esegue: toglierlo o convertire in PDF/A.", "The page contains code that the browser runs: remove it or convert to PDF/A."}},
	{"html.embedded", Text{"La pagina incorpora un'altra pagina, un'applet o un oggetto: toglierli o convertire in PDF/A.", "The page embeds another page, an applet or an object: remove them or convert to PDF/A."}},
	{"html.form", Text{"La pagina contiene un modulo compilabile: convertirla in PDF/A.", "The page contains a form to fill in: convert it to PDF/A."}},
	{"html.redirect", Text{"La pagina si ricarica o porta altrove da sola: toglierne l'istruzione.", "The page reloads or leads elsewhere by itself: remove the instruction."}},
	{"html.external", Text{"La pagina prende immagini, stili o caratteri da fuori: convertirla in PDF/A.", "The page takes images, styles or fonts from elsewhere: convert it to PDF/A."}},
	{"html.dynamic", Text{"La pagina cambia aspetto da sola o secondo lo schermo: convertirla in PDF/A.", "The page changes its look by itself or with the screen: convert it to PDF/A."}},
	{"html.hidden", Text{"La pagina contiene testo nascosto: verificarlo o toglierlo.", "The page contains hidden text: check or remove it."}},
	{"html.encoding", Text{"La codifica dei caratteri è ambigua: salvare la pagina in UTF-8 e dichiararlo.", "The character encoding is ambiguous: save the page as UTF-8 and declare it."}},
	{"html.malformed", Text{"La pagina è difettosa e ogni navigatore può mostrarla a suo modo: correggerla o convertirla in PDF/A.", "The page is defective and every browser may show it its own way: mend it or convert it to PDF/A."}},

	// XML
	{"xml.malformed", Text{"L'XML non è ben formato: correggerlo.", "The XML is not well-formed: mend it."}},
	{"xml.dtd", Text{"L'XML dichiara un DTD o entità, che possono cambiarne il testo: toglierli.", "The XML declares a DTD or entities, which can change its text: remove them."}},
	{"xml.stylesheet", Text{"L'XML si fa mostrare da un foglio di stile: togliere il richiamo.", "The XML has itself shown by a style sheet: remove the reference."}},
	{"xml.include", Text{"L'XML include altri file: inserirne il contenuto.", "The XML includes other files: insert their content."}},
	{"xml.code", Text{"L'XML è un programma di trasformazione o un modulo con i suoi programmi: non è un documento da firmare.", "The XML is a transformation program or a form with its programs: it is not a document to sign."}},

	// Text
	{"text.bidi", Text{"Il testo contiene caratteri che ne rovesciano l'ordine di lettura: toglierli.", "The text contains characters that reverse its reading order: remove them."}},
	{"text.control", Text{"Il testo contiene caratteri di controllo che possono nasconderne parti: toglierli.", "The text contains control characters that can hide parts of it: remove them."}},
	{"text.invisible", Text{"Il testo contiene caratteri invisibili: verificare o toglierli.", "The text contains invisible characters: check or remove them."}},
	{"text.encoding", Text{"Il testo non è in UTF-8 e altrove può apparire diverso: salvarlo in UTF-8 è meglio.", "The text is not UTF-8 and may look different elsewhere: saving it as UTF-8 is better."}},
	{"text.encoding.mixed", Text{"Il testo mescola codifiche diverse: salvarlo in UTF-8.", "The text mixes different encodings: save it as UTF-8."}},
	{"csv.formula", Text{"Una cella comincia come una formula e un foglio di calcolo la eseguirebbe: farla precedere da un apostrofo o toglierla.", "A cell begins like a formula and a spreadsheet would run it: put an apostrophe before it or remove it."}},
	{"json.duplicate", Text{"Il JSON ha due valori con lo stesso nome, e ogni programma ne prende uno: toglierne uno.", "The JSON has two values of the same name, and each program takes one of them: remove one."}},
	{"markdown.active", Text{"Il Markdown richiama immagini o contiene HTML, che altri programmi mostrano a modo loro: verificare il testo com'è scritto, che è ciò che si firma.", "The Markdown refers to images or contains HTML, which other programs show their own way: check the text as it is written, which is what is signed."}},

	// Images
	{"image.malformed", Text{"L'immagine è difettosa: salvarla di nuovo.", "The image is defective: save it again."}},
	{"image.trailing", Text{"Dopo la fine dell'immagine ci sono altri dati: salvarla di nuovo.", "There is more data after the end of the image: save it again."}},
	{"image.animated", Text{"L'immagine è animata: salvarne un solo fotogramma.", "The image is animated: save a single frame."}},
	{"image.gamma", Text{"L'immagine ha una correzione di luminosità fuori misura, che non tutti i programmi applicano: salvarla di nuovo senza.", "The image has a correction of its brightness beyond measure, which not all programs apply: save it again without."}},
	{"image.pixels", Text{"L'immagine ha troppi punti per essere mostrata: ridurla.", "The image has too many pixels to be shown: reduce it."}},
	{"image.pages", Text{"L'immagine ha più pagine: vengono firmate tutte.", "The image has several pages: all are signed."}},

	// Signed envelopes (RFC 5652)
	{"p7m.malformed", Text{"La busta firmata è difettosa: chiederne una copia nuova.", "The signed envelope is defective: ask for a new copy."}},
	{"p7m.detached", Text{"La busta non contiene il documento: caricare il documento stesso.", "The envelope does not contain the document: upload the document itself."}},
	{"p7m.nested", Text{"Ci sono troppe buste una dentro l'altra: firmare il documento interno.", "There are too many envelopes inside each other: sign the inner document."}},
	{"p7m.signed", Text{"Il documento è già firmato: la nuova firma racchiude quelle presenti.", "The document is already signed: the new signature encloses those present."}},
}
