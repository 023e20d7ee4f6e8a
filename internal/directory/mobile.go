package directory

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Why a number cannot be used, in words for the person who has the file open.
var (
	ErrNoNumber  = errors.New("is empty")
	ErrDamaged   = errors.New("Excel has damaged this number. Format the column as Text and export again.") //nolint:staticcheck // it stands alone in a cell of the report
	ErrLetters   = errors.New("has letters in it; a phone number has only digits")
	ErrCharacter = errors.New("has a character that no phone number has")
	ErrTooShort  = errors.New("is too short for a phone number")
	ErrTooLong   = errors.New("is too long for a phone number; give one number only")
	ErrNotInUse  = errors.New("is not a phone number that exists in this country")
	// ErrLandline comes with the number: it is a good one, but takes no SMS.
	ErrLandline = errors.New("is not a mobile number and cannot take an SMS")
)

var (
	// Excel shows long numbers as 6.28E+12 and exports what it shows; other
	// programs append ".0", whose zero would silently become a digit.
	damaged = regexp.MustCompile(`^[+-]?\d+([.,]\d+)?[eE][+-]?\d+$|^\+?\d{7,}[.,]0+$`)
	// quotedFormula is how careful exports keep Excel from damaging a number.
	quotedFormula = regexp.MustCompile(`^="([^"]*)"$`)
)

// ParseMobile reads a number as people write it and returns it in E.164. country
// (ISO 3166-1 alpha-2) is that of a number without a country code. mended says
// that the country code had been left out or written without its plus sign, or
// with a zero too many: 0812…, 812… and 62812… in Indonesia.
//
// libphonenumber forgives too much for a number that may save somebody: it
// takes the letter O as the key 6. Hence a filter of our own comes first.
func ParseMobile(s, country string) (e164 string, mended bool, err error) {
	n, err := parseNumber(s, country)
	if err == nil && n.landline {
		err = ErrLandline
	}
	return n.e164, n.mended, err
}

// number is what could be read from a cell.
type number struct {
	e164     string
	mended   bool
	landline bool // takes no SMS
	unlisted bool // of the right length, in a range that libphonenumber does not know
}

func parseNumber(s, country string) (number, error) {
	compact, err := compactNumber(s)
	if err != nil {
		return number{}, err
	}
	n, err := readNumber(compact, strings.ToUpper(country))
	if err != nil {
		return number{}, err
	}
	out := number{e164: phonenumbers.Format(n, phonenumbers.E164), unlisted: !phonenumbers.IsValidNumber(n)}
	out.mended = out.e164 != compact
	out.landline = !out.unlisted && !isMobile(n)
	return out, nil
}

func isMobile(n *phonenumbers.PhoneNumber) bool {
	t := phonenumbers.GetNumberType(n)
	return t == phonenumbers.MOBILE || t == phonenumbers.FIXED_LINE_OR_MOBILE
}

// compactNumber returns the ASCII digits of s, after a plus sign if it had one.
func compactNumber(s string) (string, error) {
	s = strings.TrimSpace(strings.Map(dropInvisible, s))
	if m := quotedFormula.FindStringSubmatch(s); m != nil {
		s = m[1]
	}
	s = strings.TrimSpace(strings.TrimPrefix(s, "'"))
	if s == "" {
		return "", ErrNoNumber
	}
	if damaged.MatchString(s) {
		return "", ErrDamaged
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsLetter(r):
			return "", ErrLetters
		case unicode.IsDigit(r):
			b.WriteByte('0' + digit(r))
		case (r == '+' || r == '＋') && b.Len() == 0:
			b.WriteByte('+')
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), strings.ContainsRune(".()/", r):
		default:
			return "", ErrCharacter
		}
	}
	switch compact := b.String(); {
	case len(compact) < 5:
		return "", ErrTooShort
	case len(compact) > 20: // E.164 has 15 digits; "00" and a trunk zero may be added
		return "", ErrTooLong
	case strings.HasPrefix(compact, "00"): // the usual way to dial out; no national number begins so
		return "+" + compact[2:], nil
	default:
		return compact, nil
	}
}

// digit returns the value of a decimal digit of any script: Unicode encodes
// each set of ten in one contiguous run from zero.
func digit(r rune) byte {
	v := byte(0)
	for v < 9 && unicode.IsDigit(r-1-rune(v)) && !zeroOfNext(r-rune(v)) {
		v++
	}
	return v
}

// zeroOfNext reports whether r begins a run of ten digits right after another
// run, as the mathematical digits do (U+1D7CE and on).
func zeroOfNext(r rune) bool { return r >= 0x1D7CE && r <= 0x1D7FF && (r-0x1D7CE)%10 == 0 }

// dropInvisible removes what copying from a chat or a web page leaves around a
// number: zero-width characters and direction marks.
func dropInvisible(r rune) rune {
	switch {
	case r >= 0x200B && r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0xFEFF:
		return -1
	}
	return r
}

// readNumber reads a compact number. "62812…" may be a national number of
// Indonesia or lack its plus sign: the reading that is a mobile number wins.
//
// Regulators open ranges faster than libphonenumber learns of them. A number of
// the right length that was written with its country code is therefore taken,
// known range or not: to call in vain costs less than not to call.
func readNumber(compact, country string) (*phonenumbers.PhoneNumber, error) {
	readings := []string{compact}
	if code := phonenumbers.GetCountryCodeForRegion(country); code != 0 && strings.HasPrefix(compact, fmt.Sprint(code)) {
		readings = append(readings, "+"+compact)
	}
	var found *phonenumbers.PhoneNumber
	fault := ErrNotInUse
	for _, reading := range readings {
		n, err := phonenumbers.Parse(reading, country)
		switch {
		case errors.Is(err, phonenumbers.ErrNumTooLong):
			fault = ErrTooLong
		case err != nil:
		case !phonenumbers.IsValidNumber(n):
			fault = lengthFault(n)
			if fault == nil {
				if compact[0] == '+' {
					return n, nil
				}
				fault = ErrNotInUse
			}
		case isMobile(n):
			return n, nil
		case found == nil:
			found = n
		}
	}
	if found == nil {
		return nil, fault
	}
	return found, nil
}

// lengthFault says how the length of n is wrong for a mobile number of its
// country, or nil. libphonenumber tells only about numbers of every kind, and
// so takes a mobile number without its end for a long-distance service.
func lengthFault(n *phonenumbers.PhoneNumber) error {
	example := phonenumbers.GetExampleNumberForType(phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode())), phonenumbers.MOBILE)
	if example == nil {
		return ErrNotInUse
	}
	const longer = 3 // the example is of the shortest kind; in Indonesia they have 9 to 12 digits
	usual := len(phonenumbers.GetNationalSignificantNumber(example))
	switch length := len(phonenumbers.GetNationalSignificantNumber(n)); {
	case length < usual:
		return ErrTooShort
	case length > usual+longer || phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.TOO_LONG:
		return ErrTooLong
	case phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE:
		return ErrNotInUse
	}
	return nil
}
