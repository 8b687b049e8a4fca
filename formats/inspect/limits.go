package inspect

// Bounds on what one inspection may cost. Reaching one is a refusal, never a
// partial inspection: what was not looked at is not known to be harmless.
const (
	maxFile   = 256 << 20 // bytes of a document of any kind
	maxMarkup = 50 << 20  // bytes of an HTML, SVG, XML, RTF or text document

	maxFindings        = 200
	maxFindingsPerRule = 20
	maxQuote           = 80  // characters
	maxWhere           = 160 // characters

	maxZipEntries  = 10_000
	maxZipInflated = 500 << 20 // bytes, all entries of a package together
	maxZipRatio    = 200       // inflated : stored, looked at beyond zipRatioFrom
	zipRatioFrom   = 10 << 20  // bytes
	maxZipName     = 512       // bytes

	maxXMLDepth      = 100
	maxXMLAttributes = 1000      // per element
	maxXMLToken      = 16 << 20  // bytes of one piece of character data in a package part
	maxTag           = 8 << 20   // bytes of one HTML token, which may have a picture in it
	maxDataPictures  = 2_000     // pictures within one page
	maxFieldCode     = 64 << 10  // bytes of one Word field code
	maxFormulaCell   = 8192      // characters of a cell of a CSV, as many as a formula may have
	maxFieldDepth    = 32        // fields within fields
	maxRTFDepth      = 256       // groups within groups
	maxPixels        = 100 << 20 // of one page image
	maxTIFFPages     = 5_000
	maxGIFFrames     = 10_000
	maxImageParts    = 1 << 20 // chunks, segments or extensions of an image
	maxCFBEntries    = 20_000
	maxJSONNames     = 1 << 20 // names in a JSON object and those around it
	maxEnvelopes     = 5       // .p7m within .p7m

	maxCFBStream   = 64 << 20 // bytes of a stream that is held whole
	maxDocText     = 32 << 20 // characters of a binary Word document
	maxDocPictures = 50_000   // places in its Data stream
	maxDocPicture  = 64 << 10 // bytes read of each: the shape, not the picture
	maxRecordDepth = 64       // records within records
	maxVBASource   = 16 << 20 // bytes of Visual Basic source, of all modules together
	maxVBAProject  = 32 << 20 // bytes of a vbaProject.bin that is looked into
	maxBIFFRecord  = 1 << 20  // bytes of one record of a workbook with its continuations
	maxBIFFNames   = 100_000  // names, references and linked books of a workbook
	maxRecord      = 1 << 20  // bytes of a record of a presentation that is judged
	maxPPTObjects  = 100_000  // slides, notes and the like of a presentation
)
