package pki

import (
	"strings"
	"testing"
)

// withCheck completes a code with the right check letter.
func withCheck(fifteen string) string { return fifteen + string(fiscalCheckLetter(fifteen)) }

func TestCheckFiscalCode(t *testing.T) {
	t.Parallel()
	good := []string{
		"RSSMRA85T10A562S", // the specimen printed in every explanation of the code
		withCheck("BNCNNA90A41H501"),
		withCheck("FOXDRA96B69Z404"), // 29 February of a leap year, born abroad
		withCheck("RSSMRAURTMLA5S2"), // omocodia in several places
		withCheck("RSSMRAURTMLARSN"), // in all seven
		withCheck("RSSMRA00B29M999"),
	}
	for _, c := range good {
		if err := CheckFiscalCode(c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
	bad := map[string]string{
		"":                               "16 characters",
		"RSSMRA85T10A562":                "16 characters",
		"RSSMRA85T10A562SS":              "16 characters",
		"rssmra85t10a562s":               "upper case",
		"RSSMRA85T10A562T":               "typing mistake",
		"SRSMRA85T10A562S":               "typing mistake",
		"RS1MRA85T10A562S":               "wrong character",
		"RSSMRAA5T10A562S":               "wrong character",
		"RSSMRA85T10A562\x00":            "wrong character",
		"RSSMRA85T10A56è":                "wrong character",
		withCheck("RSSMRA85F10A562"):     "date of birth",
		withCheck("RSSMRA85T00A562"):     "date of birth",
		withCheck("RSSMRA85T32A562"):     "date of birth",
		withCheck("RSSMRA85T40A562"):     "date of birth",
		withCheck("RSSMRA85T72A562"):     "date of birth",
		withCheck("RSSMRA85B29A562"):     "date of birth",
		withCheck("RSSMRA84B30A562"):     "date of birth",
		withCheck("RSSMRA85T10A000"):     "place of birth",
		withCheck("RSSMRA85T10Q562"):     "place of birth",
		strings.Repeat("A", 16):          "wrong character",
		"12345678903":                    "16 characters",
		"RSSMRA85T10A562S\n":             "16 characters",
		"RSSMRA85T10A562S"[:15] + "\xff": "wrong character",
	}
	for c, want := range bad {
		if err := CheckFiscalCode(c); KindOf(err) != BadRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", c, err, want)
		}
	}
}

// One wrong letter or two swapped ones are what the check letter is for. It is
// not perfect by design; it must find nearly all.
func TestFiscalCodeFindsTypingMistakes(t *testing.T) {
	t.Parallel()
	code, missed, tried := "RSSMRA85T10A562S", 0, 0
	for i := range code {
		for r := byte('0'); r <= 'Z'; r++ {
			if r > '9' && r < 'A' || r == code[i] {
				continue
			}
			tried++
			if CheckFiscalCode(code[:i]+string(r)+code[i+1:]) == nil {
				missed++
			}
		}
	}
	if missed*100 > tried {
		t.Errorf("%d of %d single mistakes were missed", missed, tried)
	}
}

func FuzzCheckFiscalCode(f *testing.F) {
	f.Add("RSSMRA85T10A562S")
	f.Add(withCheck("RSSMRAURTMLARSN"))
	f.Add("")
	f.Add(strings.Repeat("Z", 16))
	f.Fuzz(func(t *testing.T, code string) {
		err := CheckFiscalCode(code)
		if err == nil && (len(code) != 16 || !printable(code) || strings.ToUpper(code) != code) {
			t.Fatalf("%q is good", code)
		}
		if err != nil && KindOf(err) != BadRequest {
			t.Fatal(err)
		}
	})
}
