package inspect

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the cases of PDF are built of: a script, an action that is harmless, and
// documents with such an annotation as object 5, such a page, such a catalog.
const (
	pdfScript = "<< /S /JavaScript /JS (app.alert\\(1\\)) >>"
	pdfGoTo   = "<< /S /GoTo /D [3 0 R /Fit] >>"
)

func pdfAnnot(s string) []byte {
	return pdfPage("", "/Annots [5 0 R]", "<< /Type /Annot "+s+" >>")
}

func pdfPageWith(s string, more ...string) []byte { return pdfPage("", s, more...) }

func pdfCatalog(s string, more ...string) []byte { return pdfPage(s, "", more...) }

func pdfCases() []ruleCase {
	cases := slices.Concat(pdfActionCases(), pdfContentCases(), pdfAnnotationCases(), pdfResourceCases(), pdfNameCases(), pdfRevisionCases())
	square, ap := "/Subtype /Square /Rect [0 0 9 9] ", "/AP << /N 4 0 R >> "
	goTo, annot, catalog := pdfGoTo, pdfAnnot, pdfCatalog
	for _, s := range []string{"SubmitForm", "ImportData", "ResetForm", "Hide", "SetOCGState", "Trans", "GoTo3DView"} {
		cases = append(cases, ruleCase{"pdf.action", "x.pdf", catalog("/OpenAction << /S /" + s + " >>"), nil})
	}
	for _, s := range []string{"GoToR", "GoToE", "Thread"} {
		cases = append(cases, ruleCase{"pdf.action.remote", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] /A << /S /" + s + " /F (o.pdf) >>"), annot("/Subtype /Link /Rect [0 0 9 9] /A " + goTo)})
	}
	for _, s := range []string{"Movie", "Sound", "Screen", "3D", "RichMedia"} {
		cases = append(cases, ruleCase{"pdf.media", "x.pdf", annot("/Subtype /" + s + " /Rect [0 0 9 9]"), annot(square + ap)})
	}
	for _, s := range []string{"Rendition", "Movie", "Sound"} {
		cases = append(cases, ruleCase{"pdf.media", "x.pdf", catalog("/OpenAction << /S /" + s + " >>"), catalog("/OpenAction " + goTo)})
	}
	return cases
}

func pdfActionCases() []ruleCase {
	js, goTo, annot, page, catalog := pdfScript, pdfGoTo, pdfAnnot, pdfPageWith, pdfCatalog
	annotated := func(kind string) []byte {
		return pdfPage("", "/Annots [5 0 R]", "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S 6 0 R /Next << /S /URI /URI (https://x.it/) >> >> >>", kind)
	}
	return []ruleCase{
		{"pdf.javascript", "x.pdf", catalog("/OpenAction " + js), catalog("/OpenAction " + goTo)},
		{"pdf.javascript", "x.pdf", catalog("/OpenAction << /S /J#61vaScript /JS (x) >>"), catalog("/OpenAction [3 0 R /Fit]")},
		{"pdf.javascript", "x.pdf", catalog("/Names << /JavaScript << /Names [(a) 5 0 R] >> >>", js), catalog("/Names << /Dests << /Names [(a) [3 0 R /Fit]] >> >>")},
		{"pdf.javascript", "x.pdf", page("/AA << /O " + js + " >>"), page("/AA << >>")},
		{"pdf.javascript", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] /A " + js), annot("/Subtype /Link /Rect [0 0 9 9] /A " + goTo)},
		{"pdf.javascript", "x.pdf", catalog("/AcroForm << /Fields [5 0 R] >>", "<< /FT /Tx /T (a) /AA << /K "+js+" >> >>"), catalog("/AcroForm << /Fields [5 0 R] >>", "<< /FT /Tx /T (a) >>")},
		{"pdf.javascript", "x.pdf", catalog("/Outlines 5 0 R", "<< /First 6 0 R /Last 6 0 R >>", "<< /Title (x) /Parent 5 0 R /A "+js+" >>"), catalog("/Outlines 5 0 R", "<< /First 6 0 R /Last 6 0 R >>", "<< /Title (JavaScript) /Parent 5 0 R /A "+goTo+" >>")},
		{"pdf.javascript", "x.pdf", catalog("/OpenAction << /S /GoTo /D [3 0 R /Fit] /Next 5 0 R >>", js), catalog("/OpenAction << /S /GoTo /D [3 0 R /Fit] /Next 5 0 R >>", goTo)},
		{"pdf.javascript", "x.pdf", catalog("", "<< /S /JavaScript /JS 6 0 R >>", pdfStream("", "app.alert(1)")), catalog("", "(/S /JavaScript /JS)")},
		{"pdf.javascript", "x.pdf", catalog("", "<< /S /Rendition /JS 6 0 R >>", pdfStream("/Subtype /Form /BBox [0 0 1 1]", "x")), catalog("", "<< /JS 6 0 R >>", pdfStream("/Subtype /Form /BBox [0 0 1 1]", "x"))},
		{"pdf.javascript", "x.pdf", pdfRevise(catalog("/OpenAction 5 0 R", js), 6, map[int]string{5: goTo}), catalog("/OpenAction 5 0 R", goTo)},
		{"pdf.action", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] /A << /S /Launch /F (x.exe) >>"), annot("/Subtype /Link /Rect [0 0 9 9] /A << /S /Named /N /NextPage >>")},
		{"pdf.action", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] /A << /S /Named /N /Print >>"), nil},
		{"pdf.action", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] /A << /Type /Action /S /Whatever >>"), nil},
		{"pdf.action.event", "x.pdf", catalog("/OpenAction << /S /URI /URI (https://x.it/) >>"), annot("/Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (https://x.it/) >>")},
		{"pdf.action.event", "x.pdf", page("/AA << /O " + goTo + " >>"), page("/AA << >>")},
		{"pdf.action.event", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] /A << /S /GoTo /D [3 0 R /Fit] /Next << /S /URI /URI (https://x.it/) >> >>"), nil},
		{"pdf.action.event", "x.pdf", annotated("/GoTo"), annotated("()")},
		{"link", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (https://x.it/) >>"), annot("/Subtype /Link /Rect [0 0 9 9] /A " + goTo)},
		{"link.scheme", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (javascript:x) >>"), nil},
		{"pdf.xfa", "x.pdf", catalog("/AcroForm << /Fields [] /XFA 5 0 R >>", pdfStream("", "<x/>")), catalog("/AcroForm << /Fields [] >>")},
		{"pdf.xfa", "x.pdf", catalog("/NeedsRendering true"), catalog("/NeedsRendering false")},
	}
}

func pdfContentCases() []ruleCase {
	annot, page, catalog := pdfAnnot, pdfPageWith, pdfCatalog
	square := "/Subtype /Square /Rect [0 0 9 9] "
	ap := "/AP << /N 4 0 R >> "
	clean := pdfPage("", "")
	return []ruleCase{
		{"pdf.attachment", "x.pdf", catalog("/Names << /EmbeddedFiles << /Names [] >> >>"), clean},
		{"pdf.attachment", "x.pdf", catalog("", "<< /Type /Filespec /F (a.xml) /EF << /F 6 0 R >> >>", pdfStream("/Type /EmbeddedFile", "x")), page("/Resources << /Font << /EF << /Type /Font /Subtype /Type3 >> >> >>")},
		{"pdf.attachment", "x.pdf", annot("/Subtype /FileAttachment /Rect [0 0 9 9] " + ap), annot(square + ap)},
		{"pdf.attachment", "x.pdf", catalog("/Collection << /View /T >>"), clean},
		{"pdf.external", "x.pdf", catalog("", pdfStream("/F (other.pdf)", "x")), catalog("", pdfStream("/G (other.pdf)", "x"))},
		{"pdf.external", "x.pdf", catalog("", pdfStream("/Type /XObject /Subtype /Form /BBox [0 0 1 1] /Ref << /F (o.pdf) /Page 0 >>", "x")), catalog("", pdfStream("/Type /XObject /Subtype /Form /BBox [0 0 1 1]", "x"))},
		{"pdf.optional-content", "x.pdf", catalog("/OCProperties << /OCGs [5 0 R] /D << /ON [5 0 R] >> >>", "<< /Type /OCG /Name (a) >>"), catalog("/OCProperties << /OCGs [] /D << >> >>")},
		{"pdf.optional-content.hidden", "x.pdf", catalog("/OCProperties << /OCGs [5 0 R] /D << /OFF [5 0 R] >> >>", "<< /Type /OCG /Name (a) >>"), catalog("/OCProperties << /OCGs [5 0 R] /D << /OFF [] /BaseState /ON >> >>", "<< /Type /OCG /Name (a) >>")},
		{"pdf.optional-content.hidden", "x.pdf", catalog("/OCProperties << /OCGs [5 0 R] /D << /BaseState /OFF >> >>", "<< /Type /OCG /Name (a) >>"), nil},
		{"pdf.optional-content.hidden", "x.pdf", catalog("/OCProperties << /OCGs [5 0 R] /D << /AS [<< /Event /Print >>] >> >>", "<< /Type /OCG /Name (a) >>"), nil},
		{"pdf.optional-content.hidden", "x.pdf", page("", "<< /Type /OCMD /P /AllOff >>"), page("", "<< /Type /OCMD /P /AllOn >>")},
	}
}

func pdfAnnotationCases() []ruleCase {
	annot, page, catalog := pdfAnnot, pdfPageWith, pdfCatalog
	square := "/Subtype /Square /Rect [0 0 9 9] "
	ap := "/AP << /N 4 0 R >> "
	clean := pdfPage("", "")
	blank := "/Subtype /Widget /FT /Sig /T (a) /Rect [0 0 9 9] "
	faces, pressed := "/AP << /N 4 0 R /R 4 0 R >> ", "/AP << /N 4 0 R /D 4 0 R >> "
	form := "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] /SigFlags 3 >> >>"
	hiddenSignature := pdfCovered(clean, 8, 5, map[int]string{1: form, 6: "<< " + blank + "/F 2 /V 5 0 R /AP << /N 7 0 R >> >>", 7: pdfStream("", "0 0 m S")})
	return []ruleCase{
		{"pdf.annotation.hidden", "x.pdf", annot(square + ap + "/F 2"), annot(square + ap + "/F 4")},
		{"pdf.annotation.hidden", "x.pdf", annot(square + ap + "/FT /Sig /F 2"), annot(blank + "/F 2")},
		{"pdf.annotation.hidden", "x.pdf", annot(blank + ap + "/F 2"), hiddenSignature},
		{"pdf.annotation.hidden", "x.pdf", annot(blank + faces), annot(blank + ap)},
		{"pdf.annotation", "x.pdf", annot(blank + ap), hiddenSignature},
		{"pdf.annotation", "x.pdf", annot(blank + ap), annot(blank)},
		{"pdf.annotation", "x.pdf", annot(blank + ap), pdfPage("", "/Annots [5 0 R]", "<< /Type /Annot "+blank+"/AP << /N 6 0 R >> >>", pdfStream("/Subtype /Form", "% DSBlank\n/Tx BMC\nEMC"))},
		{"pdf.annotation.hidden", "x.pdf", annot("/Subtype /Widget /Rect [0 0 9 9] " + faces), annot("/Subtype /Widget /Rect [0 0 9 9] " + ap)},
		{"pdf.annotation", "x.pdf", annot("/Subtype /Widget /Rect [0 0 9 9] " + ap), annot("/Subtype /Widget /Rect [0 0 9 9] /FT /Tx " + ap)},
		{"pdf.annotation.hidden", "x.pdf", annot("/Subtype /Widget /Rect [0 0 9 9] /FT /Btn /Ff 65536 " + faces), annot("/Subtype /Widget /Rect [0 0 9 9] /FT /Btn /Ff 65536 " + ap)},
		{"pdf.annotation.hidden", "x.pdf", annot("/Subtype /Widget /Rect [0 0 9 9] /FT /Btn /Ff 65536 " + pressed), annot("/Subtype /Widget /Rect [0 0 9 9] /FT /Btn " + pressed)},
		{"pdf.annotation.hidden", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] " + faces), annot("/Subtype /Link /Rect [0 0 9 9] /AP << >>")},
		{"pdf.annotation.hidden", "x.pdf", annot("/Subtype /Popup /Rect [0 0 9 9] " + faces), annot("/Subtype /Popup /Rect [0 0 9 9] /F 28")},
		{"pdf.annotation", "x.pdf", annot("/Subtype /Link /Rect [0 0 9 9] " + ap), annot("/Subtype /Link /Rect [0 0 9 9] /AP << >>")},
		{"pdf.annotation", "x.pdf", annot("/Subtype /Popup /Rect [0 0 9 9] " + ap), annot("/Subtype /Popup /Rect [0 0 9 9] /F 28")},
		{"pdf.annotation.hidden", "x.pdf", annot("/Rect [0 0 9 9] " + ap), page("/Annots [null 9 0 R]")},
		{"pdf.annotation.hidden", "x.pdf", page("/Annots [<< /Rect [0 0 9 9] /AP << /N 4 0 R >> >>]"), page("/Annots [<< /Subtype /Link /Rect [0 0 9 9.5] >>]")},
		{"pdf.annotation.hidden", "x.pdf", page("/Annots [<< /Subtype /Stamp /F 2 /AP << /N 4 0 R >> >>]"), page("/Annots []", "<< /Subtype /Stamp >>")},
		{"pdf.annotation.hidden", "x.pdf", annot("/Subtype /Stamp " + ap), annot("/Subtype /Stamp /Rect [0 0.5 9 9] " + ap)},
		{"pdf.annotation.hidden", "x.pdf", annot("/Subtype /Stamp /Rect [0 0 9 9 0] " + ap), annot("/Subtype /Stamp /Rect [0 0 9 9] " + ap)},
		{"pdf.annotation.hidden", "x.pdf", annot("/Subtype /Stamp /Rect [0 0 9 /9] " + ap), nil},
		{"pdf.annotation.hidden", "x.pdf", annot(square + ap + "/F 2.0"), annot(square + ap + "/F 4.0")},
		{"pdf.malformed", "x.pdf", annot(square + ap + "/F 2.5"), annot(square + ap + "/F 4.0")},
		{"pdf.malformed", "x.pdf", annot(square + ap + "/F (2)"), annot(square + ap + "/F null")},
		{"pdf.annotation.hidden", "x.pdf", annot(square), annot("/Subtype /Popup /Rect [0 0 9 9]")},
		{"pdf.annotation.hidden", "x.pdf", annot(square + "/AP << /N 4 0 R /R 4 0 R >>"), annot("/Subtype /Square /Rect [5 5 5 9]")},
		{"pdf.annotation", "x.pdf", annot(square + ap + "/Contents (x)"), annot("/Subtype /Link /Rect [0 0 9 9]")},
		{"pdf.form", "x.pdf", catalog("/AcroForm << /Fields [5 0 R] >>", "<< /FT /Tx /T (prezzo) >>"), catalog("/AcroForm << /Fields [5 0 R] >>", "<< /FT /Sig /T (firma) >>")},
		{"pdf.form.appearances", "x.pdf", catalog("/AcroForm << /Fields [] /NeedAppearances true >>"), catalog("/AcroForm << /Fields [] /NeedAppearances false >>")},
	}
}

func pdfResourceCases() []ruleCase {
	page := pdfPageWith
	font := "<< /Type /Font /Subtype /TrueType /BaseFont /Arial /FontDescriptor 6 0 R >>"
	trueType := "\x00\x01\x00\x00"
	return []ruleCase{
		{"pdf.font", "x.pdf", page("", font, "<< /Type /FontDescriptor >>"), page("", font, "<< /Type /FontDescriptor /FontFile2 7 0 R >>", pdfStream("", trueType))},
		{"pdf.font", "x.pdf", page("", font, "<< /Type /FontDescriptor /FontFile2 7 0 R >>", pdfStream("", "")), page("", font, "<< /FontFile 7 0 R >>", pdfStream("", "%!PS-AdobeFont-1.0"))},
		{"pdf.font", "x.pdf", page("", font, "<< /Type /FontDescriptor /FontFile2 7 0 R >>", pdfStream("", "x")), page("", font, "<< /FontFile3 7 0 R >>", pdfStream("", "\x01\x00\x04\x02"))},
		{"pdf.font", "x.pdf", page("/Resources << /Font << /F1 << /Subtype /Type1 /BaseFont /Helvetica >> >> >>"), page("/Resources << /Font << /F1 << /Subtype /Type3 >> >> >>")},
		{"pdf.font", "x.pdf", page("/Resources << /Font << /F1 << /BaseFont /Helvetica >> >> >>"), page("/Resources << /Font << /F1 << /Subtype /Type0 /BaseFont /X >> >> >>")},
		{"pdf.optional-content", "x.pdf", page("/Resources << /Properties << /A << /OCGs 5 0 R /P /AnyOff >> >> >>", "<< /Name (a) >>"), page("/Resources << /Properties << /A << /MCID 1 >> >> >>")},
		{"pdf.optional-content.hidden", "x.pdf", page("/Resources << /Properties << /A << /OCGs [5 0 R] /P /AnyOff >> >> >>", "<< /Name (a) >>"), page("/Resources << /Properties << /A << /OCGs [5 0 R] >> >> >>", "<< /Name (a) >>")},
		{"pdf.optional-content", "x.pdf", page("/Resources << /Properties << /A 5 0 R >> >>", "<< /Type /OCG /Name (a) >>"), page("/Resources << /Font << /OC << /Type /Font /Subtype /Type3 >> >> >>")},
		{"pdf.optional-content", "x.pdf", page("", pdfStream("/Subtype /Form /BBox [0 0 1 1] /OC << /Name (a) >>", "")), page("", pdfStream("/Subtype /Form /BBox [0 0 1 1]", ""))},
		{"pdf.image.alternate", "x.pdf", page("", pdfStream("/Subtype /Image /Alternates [<< /Image 4 0 R >>]", "x")), page("", pdfStream("/Subtype /Image /Alternates []", "x"))},
		{"pdf.postscript", "x.pdf", page("", pdfStream("/Type /XObject /Subtype /PS", "x")), page("", pdfStream("/FunctionType 4", "{ 1 exch sub }"))},
		{"pdf.transfer", "x.pdf", page("", "<< /Type /ExtGState /TR << /FunctionType 2 >> >>"), page("", "<< /Type /ExtGState /TR /Identity /TR2 /Default >>")},
	}
}

func pdfNameCases() []ruleCase {
	goTo, page, catalog := pdfGoTo, pdfPageWith, pdfCatalog
	called := func(name string) []byte { // fonts, graphics states, forms and colours of that name
		return page("/Resources << /Font << /"+name+" << /Type /Font /Subtype /Type3 /CharProcs << /S 4 0 R >> >> >> /ExtGState << /"+name+" << /ca 1 /SMask << /S /Alpha >> >> >> "+
			"/XObject << /"+name+" 5 0 R >> /ColorSpace << /"+name+" [/Separation /Spot /DeviceGray << /FunctionType 2 >>] >> >>", pdfStream("/Subtype /Form /BBox [0 0 1 1]", ""))
	}
	return []ruleCase{
		{"pdf.javascript", "x.pdf", catalog("/Names << /JavaScript << >> >>"), called("JavaScript")},
		{"pdf.javascript", "x.pdf", page("/Resources << /Font << /F << /S /JavaScript /JS (x) >> >> >>"), called("JS")},
		{"pdf.javascript", "x.pdf", page("", "<< /S /JavaScript /P 1 0 R /JS (x) >>"), catalog("/StructTreeRoot << /RoleMap << /JS /P >> /K << /S /JavaScript /P 1 0 R >> >>")},
		{"pdf.javascript", "x.pdf", page("", "<< /S /JavaScript /JS 1 >>"), catalog("/Dests << /JavaScript [3 0 R /Fit] /JS [3 0 R /Fit] >>")},
		{"pdf.action.event", "x.pdf", page("/AA << /Type /Font /O " + goTo + " >>"), called("AA")},
		{"pdf.action.event", "x.pdf", page("/AA << /D " + goTo + " >>"), catalog("/Dests << /AA << /D [3 0 R /Fit] >> >>")},
		{"pdf.xfa", "x.pdf", catalog("/AcroForm << /Fields [] /XFA 4 0 R >>"), called("XFA")},
		{"pdf.xfa", "x.pdf", catalog("/AcroForm << /XFA 5 0 R >>", pdfStream("/Subtype /Form", "<x/>")), page("/Resources << /XObject << /XFA 5 0 R >> /ColorSpace << /XFA [/CalGray << >>] >> >>", pdfStream("/Subtype /Form", ""))},
		{"pdf.xfa", "x.pdf", page("", "<< /XFA [(template) 4 0 R] >>"), page("", "<< /XFA [] >>")},
		{"pdf.transfer", "x.pdf", page("", "<< /TR [/Identity /Identity /Identity << /FunctionType 2 >>] >>"), called("TR")},
		{"pdf.transfer", "x.pdf", page("", "<< /TR2 6 0 R >>", pdfStream("/FunctionType 0", "x")), called("TR2")},
		{"pdf.action.remote", "x.pdf", page("", "<< /S /Thread /P 1 0 R /D 0 >>"), catalog("/StructTreeRoot << /K << /S /Thread /P 1 0 R >> /RoleMap << /Thread /Span >> >>")},
		{"pdf.action", "x.pdf", page("", "<< /S /Hide /P 1 0 R /T (x) >>"), catalog("/StructTreeRoot << /K << /S /Hide /P 1 0 R >> >>")},
	}
}

func pdfRevisionCases() []ruleCase {
	page := pdfPageWith
	clean := pdfPage("", "")
	otherPage := pdfStream("", "0 0 m S")
	field := "<< /FT /Sig /T (Firma) /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /F 132 /V 5 0 R >>"
	second := "<< /FT /Sig /T (Firma 2) /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /F 132 /V 7 0 R >>"
	form := "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] /SigFlags 3 >> >>"
	certified := "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] /SigFlags 3 >> /Perms << /DocMDP 5 0 R >> >>"
	forms := "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R 8 0 R] /SigFlags 3 >> >>"
	return []ruleCase{
		{"pdf.signed", "x.pdf", pdfSigned(clean, 5, ""), clean},
		{"pdf.revisions", "x.pdf", pdfRevise(clean, 5, map[int]string{4: pdfStream("", "0 0 m S")}), pdfSigned(clean, 5, "")},
		{"pdf.revisions", "x.pdf", pdfRevise(clean, 6, map[int]string{5: "<< /Type /Whatever >>"}), pdfSigned(clean, 5, "")},
		{"pdf.revisions", "x.pdf", pdfRevise(pdfSigned(clean, 5, ""), 7, map[int]string{4: pdfStream("", "0 0 m S")}), pdfSigned(pdfSigned(clean, 5, ""), 7, "")},
		{"pdf.revisions", "x.pdf", pdfCovered(clean, 6, 5, map[int]string{4: otherPage}), pdfCovered(clean, 7, 5, map[int]string{1: form, 6: field})},
		{"pdf.revisions", "x.pdf", pdfCovered(clean, 7, 5, map[int]string{1: form, 6: field, 4: otherPage}), pdfCovered(clean, 7, 5, map[int]string{1: certified, 6: field})},
		{"pdf.revisions", "x.pdf", pdfCovered(pdfSigned(clean, 5, ""), 9, 7, map[int]string{1: forms, 8: second, 4: otherPage}), pdfCovered(pdfSigned(clean, 5, ""), 9, 7, map[int]string{1: forms, 8: second})},
		{"pdf.revisions", "x.pdf", pdfCovered(clean, 7, 5, map[int]string{1: form, 6: strings.Replace(field, "/Sig", "/Tx", 1)}), nil},
		{"pdf.signed", "x.pdf", pdfCovered(clean, 7, 5, map[int]string{1: form, 6: field}), pdfCovered(clean, 6, 5, map[int]string{})},
		{"pdf.revisions", "x.pdf", pdfOrphan("9 0 obj\n<< /S /X >>\nendobj\n"), pdfOrphan("% 9 0 abj\n")},
		{"pdf.revisions", "x.pdf", pdfOrphan("4 0 obj\n<< /S /X >>\nendobj\n"), nil},
		{"pdf.revisions", "x.pdf", page("", pdfStream("/Type /ObjStm /N 1 /First 4", "9 0 << /S /JavaScript >>")), page("", pdfStream("/Type /Metadata /N 1 /First 4", "9 0 << /S /JavaScript >>"))},
		{"pdf.malformed", "x.pdf", clean[:len(clean)-30], clean},
		{"pdf.malformed", "x.pdf", pdfDoc("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 0 >>"), clean},
		{"pdf.malformed", "x.pdf", page("", pdfStream("/Filter /Foo", "x")), page("", pdfStream("/Filter /DCTDecode", "x"))},
		{"pdf.malformed", "x.pdf", join(clean, []byte("trailing words")), clean},
		{"format.polyglot", "x.pdf", join([]byte("junk\n"), clean), clean},
		{"pdf.malformed", "x.pdf", join([]byte("\x00\n"), clean), clean},
	}
}

// pdfOrphan is a clean document with bytes between its last object and the
// cross-reference table that no table knows.
func pdfOrphan(bytesBetween string) []byte {
	doc := string(pdfPage("", ""))
	i := strings.Index(doc, "xref\n0 ")
	doc = doc[:i] + bytesBetween + doc[i:]
	j := strings.LastIndex(doc, "startxref\n")
	return []byte(doc[:j] + fmt.Sprintf("startxref\n%d\n%%%%EOF\n", i+len(bytesBetween)))
}

// Validation data added after a signature (B-LT) is not a change of the document.
func TestPDFValidationDataRevision(t *testing.T) {
	t.Parallel()
	signed := pdfSigned(pdfPage("", ""), 5, "")
	catalog := "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] /SigFlags 3 >> "
	lt := pdfRevise(signed, 8, map[int]string{1: catalog + "/DSS 7 0 R >>", 7: "<< /Type /DSS >>"})
	if rep := look(t, "x.pdf", lt); rep.Verdict != Allow {
		t.Errorf("validation data: %+v", rep.Findings)
	}
	more := pdfRevise(signed, 8, map[int]string{1: catalog + "/DSS 7 0 R /Lang (it) >>", 7: "<< /Type /DSS >>"})
	if rep := look(t, "x.pdf", more); !has(rep, "pdf.revisions") {
		t.Errorf("a change besides validation data: %+v", rep.Findings)
	}
}

// The sample documents of the repository, made by real programs.
func TestSampleDocuments(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"contratto.pdf": "", "contratto-javascript.pdf": "pdf.javascript", "cifrato.pdf": "pdf.encrypted",
		"troncato.pdf": "pdf.malformed", "lettera.docx": "", "macro.docm": "ooxml.macro", "fattura.xml": "",
	} {
		doc, err := os.ReadFile(filepath.Join("..", "..", "testdata", "documents", name))
		if err != nil {
			t.Fatal(err)
		}
		rep := look(t, name, doc)
		if want == "" && rep.Verdict == Refuse || want != "" && !has(rep, want) {
			t.Errorf("%s: %+v", name, rep)
		}
		if want == "" {
			continue
		}
		if rep.Verdict != Refuse {
			t.Errorf("%s: verdict %s", name, rep.Verdict)
		}
	}
}

func TestPDFLimit(t *testing.T) {
	t.Parallel()
	doc := pdfPage("", "")
	for range maxPDFRevisions {
		doc = pdfRevise(doc, 5, map[int]string{4: pdfStream("", "S")})
	}
	if rep := look(t, "x.pdf", doc); !has(rep, "pdf.limit") {
		t.Errorf("%+v", rep.Findings)
	}
}

// counted counts the bytes that are read.
type counted struct {
	io.ReaderAt
	n int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// Of a large scan the pictures are not read, let alone inflated.
func TestPDFLargeImages(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes 100 MB")
	}
	image := pdfStream("/Type /XObject /Subtype /Image /Width 1 /Height 1 /Filter /DCTDecode", string(bytes.Repeat([]byte("\xff12 0 obj"), 2<<20)))
	doc := pdfPage("", "", image, image, image, image, image)
	read := &counted{ReaderAt: bytes.NewReader(doc)}
	rep, err := Inspect(read, int64(len(doc)), "scansione.pdf")
	if err != nil || rep.Verdict != Allow {
		t.Errorf("%+v, %v", rep.Findings, err)
	}
	if read.n > int64(len(doc)) {
		t.Errorf("of %d MB %d are read", len(doc)>>20, read.n>>20)
	}
}

// However a name or a string is written, it is the same.
func TestPDFWritings(t *testing.T) {
	t.Parallel()
	action := func(s string) []byte { return pdfPage("/OpenAction 5 0 R", "", s) }
	for _, doc := range [][]byte{
		action("<< /S /#4a#61v#61Script /#4A#53 (x) >>"), action("<< /#53 /JavaScript /JS <78> >>"),
		pdfPage("", "/Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (\\152avascript:x) >> >>]"),
		pdfPage("", "/Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI <6A617661 73637269 70743a78> >> >>]"),
		pdfPage("", "/Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (java\\\nscript:x) >> >>]"),
	} {
		if rep := look(t, "x.pdf", doc); !has(rep, "pdf.javascript") && !has(rep, "link.scheme") {
			t.Errorf("%.400q: %+v", doc, rep.Findings)
		}
	}
}
