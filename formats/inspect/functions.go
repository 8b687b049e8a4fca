package inspect

import (
	"regexp"
	"strings"
)

// What a function does that is none of Excel's or of OpenFormula's hangs on what
// is installed where the document is opened: an add-in, or a macro of the user's.

// laterFunctions are those of Excel since dynamic arrays, and those of
// OpenFormula (ISO/IEC 26300-4) and LibreOffice, that no other list here has.
// They only work on their arguments.
var laterFunctions = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(`
		LET LAMBDA MAP REDUCE SCAN MAKEARRAY BYROW BYCOL ISOMITTED TOCOL TOROW WRAPROWS WRAPCOLS EXPAND DROP
		TEXTBEFORE TEXTAFTER TEXTSPLIT VALUETOTEXT ARRAYTOTEXT GROUPBY PIVOTBY PERCENTOF REGEXTEST REGEXEXTRACT
		REGEXREPLACE TRIMRANGE ANCHORARRAY ENCODEURL FILTERXML BITAND BITOR BITXOR BITLSHIFT BITRSHIFT
		ACOT ACOTH COT COTH CSC CSCH SEC SECH IMCOSH IMCOT IMCSC IMCSCH IMSEC IMSECH IMSINH IMTAN
		BETA.DIST BETA.INV BINOM.DIST.RANGE FORECAST.LINEAR FORECAST.ETS FORECAST.ETS.CONFINT FORECAST.ETS.SEASONALITY
		FORECAST.ETS.STAT FORECAST.ETS.ADD FORECAST.ETS.MULT FORECAST.ETS.PI.ADD FORECAST.ETS.PI.MULT
		FORECAST.ETS.STAT.ADD FORECAST.ETS.STAT.MULT FORMULATEXT ISFORMULA SHEET SHEETS JIS EUROCONVERT
		B FORMULA CHISQDIST CHISQINV EFFECTIVE ERRORTYPE SKEWP ROT13 EASTERSUNDAY COLOR FOURIER REGEX ROUNDSIG RAWSUBTRACT
		WEEKS MONTHS YEARS WEEKSINYEAR DAYSINMONTH DAYSINYEAR ISLEAPYEAR GOALSEEK MULTIPLE.OPERATIONS
		OPT_BARRIER OPT_TOUCH OPT_PROB_HIT OPT_PROB_INMONEY WEEKNUM_OOO WEEKNUM_EXCEL2003 ZGZ
		LEGACY.CHIDIST LEGACY.CHIINV LEGACY.CHITEST LEGACY.FDIST LEGACY.FINV LEGACY.FTEST LEGACY.NORMSDIST LEGACY.NORMSINV LEGACY.TDIST`) {
		m[name] = true
	}
	for _, name := range ftab {
		m[name] = true
	}
	return m
}()

var (
	// officeAddIns are the functions that LibreOffice brings along as add-ins.
	officeAddIns = regexp.MustCompile(`(?i)^com\.sun\.star\.sheet\.addin\.(analysis|datefunctions|pricingfuncs)\.(get|opt)[a-z0-9_]+$`)
	cellName     = regexp.MustCompile(`^[A-Za-z]{1,3}[0-9]+$`)
)

// knownFunction tells whether a function in the text of a formula is one that
// every program has. name may be a parameter that the formula itself declares.
func knownFunction(name string) bool {
	if lower := strings.ToLower(name); strings.HasPrefix(lower, "_xlpm.") || officeAddIns.MatchString(name) {
		return true
	}
	bare := strings.ToUpper(formulaPrefix.ReplaceAllString(name, ""))
	return laterFunctions[bare] || namedFunctions[bare]
}

// unknownFunction finds a call of a function that is none of the programs' own
// in a formula without its strings; "" if there is none.
func unknownFunction(bare string) string {
	if strings.HasPrefix(bare, "ooow:") {
		return "" // a formula in a text, where no other can be called
	}
	for _, m := range formulaFunction.FindAllStringSubmatch(bare, -1) {
		// A cell and, after a blank, a range in parentheses: where the two meet.
		meets := cellName.MatchString(m[1]) && strings.HasSuffix(strings.TrimSuffix(m[0], "("), " ")
		if !meets && !knownFunction(m[1]) {
			return m[1]
		}
	}
	return ""
}
