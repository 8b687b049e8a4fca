package pki

import "strings"

// The codice fiscale of a natural person (decree of the Minister of Finance of
// 23 December 1976): surname (3 letters), given name (3), year (2 digits), month
// (letter), day (2 digits, women plus 40), place of birth (letter and 3 digits),
// check letter. When two persons would have the same code ("omocodia"), digits
// are replaced by letters.

const (
	fiscalMonths   = "ABCDEHLMPRST"
	fiscalOmocodia = "LMNPQRSTUV" // stands for 0 to 9
)

var fiscalDays = [12]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// fiscalOdd is the weight of 0–9 (and A–J) and of K–Z in odd places.
var fiscalOdd = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

// CheckFiscalCode reports whether code is a well-formed codice fiscale of a
// natural person: 16 characters in upper case, letters and digits in their
// places (omocodia allowed), a day that the month has, a place that can be, and
// the right check letter. It cannot tell whether the code was ever assigned.
func CheckFiscalCode(code string) error {
	if len(code) != 16 {
		return errorf(BadRequest, "a codice fiscale has 16 characters, this one has %d", len(code))
	}
	digits, ok := fiscalDigits(code)
	if !ok {
		return errorf(BadRequest, "the codice fiscale has a wrong character; it is six letters, two digits, a letter, two digits, a letter, three digits, a letter, all in upper case")
	}
	if fiscalCheckLetter(code) != code[15] {
		return errorf(BadRequest, "the codice fiscale's last letter does not fit the rest; there is a typing mistake in it")
	}
	month := strings.IndexByte(fiscalMonths, code[8])
	year, day := digits[0]*10+digits[1], digits[2]*10+digits[3]
	if day > 40 {
		day -= 40
	}
	if month < 0 || day < 1 || day > fiscalDays[month] || month == 1 && day == 29 && year%4 != 0 {
		return errorf(BadRequest, "the codice fiscale holds a date of birth that does not exist")
	}
	place := digits[4]*100 + digits[5]*10 + digits[6]
	if place == 0 || code[11] > 'M' && code[11] != 'Z' {
		return errorf(BadRequest, "the codice fiscale holds a place of birth that does not exist")
	}
	return nil
}

// fiscalDigits returns the seven digits with the omocodia undone, and whether
// every character is of the right sort.
func fiscalDigits(code string) (digits [7]int, ok bool) {
	n := 0
	for i := range len(code) {
		c := code[i]
		switch i {
		case 6, 7, 9, 10, 12, 13, 14:
			switch alias := strings.IndexByte(fiscalOmocodia, c); {
			case c >= '0' && c <= '9':
				digits[n] = int(c - '0')
			case alias >= 0:
				digits[n] = alias
			default:
				return digits, false
			}
			n++
		default:
			if c < 'A' || c > 'Z' {
				return digits, false
			}
		}
	}
	return digits, true
}

func fiscalCheckLetter(code string) byte {
	sum := 0
	for i := range 15 {
		v := int(code[i] - '0')
		if code[i] >= 'A' {
			v = int(code[i] - 'A')
		}
		if i%2 == 0 { // the first place is odd
			v = fiscalOdd[v]
		}
		sum += v
	}
	return byte('A' + sum%26)
}
