package announcement

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Whole writes the SMS of an alert as Compose does, but never shortens it, so
// that an author sees what does not fit.
func (c *Catalogue) Whole(a *Announcement, k Saying) string {
	s, text := c.speaks(a, k)
	s.whole = true
	_, _, sms := s.say(text)
	return sms
}

// OverOneSMS returns by how many characters a text is longer than one SMS, or 0.
func OverOneSMS(text string) int {
	units, gsm := smsUnits(text)
	if !gsm {
		return max(0, units-70)
	}
	return max(0, units-oneSegment)
}

// Awkward is a character that an urgent SMS must not hold: it takes the room of
// two, makes the whole text cost twice, or does not arrive on some networks.
type Awkward struct {
	Char    string
	Name    string // what it is, in English
	Instead string // what Plainly writes in its place; may be nothing
	Mends   bool   // whether Plainly knows what to do
}

// awkwardNames say what people cannot see: which mark it is.
var awkwardNames = map[rune]string{
	'“': "curly quote", '”': "curly quote", '„': "curly quote", '«': "curly quote", '»': "curly quote", '‘': "curly apostrophe", '’': "curly apostrophe", '‚': "curly apostrophe",
	'–': "long dash", '—': "long dash", '‑': "long dash", '−': "long dash", '…': "three dots in one", '•': "bullet", '€': "euro sign", '^': "caret", '{': "bracket", '}': "bracket",
	'[': "bracket", ']': "bracket", '~': "tilde", '\\': "backslash", '|': "bar", '`': "backquote", '´': "accent",
	'\u00a0': "hard space", '\u202f': "hard space", '\u2009': "hard space", '\u200b': "hidden space", '\ufeff': "hidden space",
}

// plainMarks are marks that the plain alphabet lacks, beside those of plainer.
var plainMarks = map[rune]string{'€': "EUR", '^': "", '{': "(", '}': ")", '[': "(", ']': ")", '~': "-", '\\': "/", '|': "/", '`': "'", '´': "'"}

// AwkwardIn lists the awkward characters of what an author wrote, each once, in
// order.
func AwkwardIn(text string) []Awkward {
	var found []Awkward
	seen := map[rune]bool{}
	for _, r := range text {
		if seen[r] || isPlain(r) {
			continue
		}
		seen[r] = true
		instead, mends := plainly(r)
		found = append(found, Awkward{Char: string(r), Name: nameOf(r), Instead: instead, Mends: mends})
	}
	return found
}

// Plainly writes text in the plain alphabet of an SMS. What it cannot write that
// way, such as Arabic letters, it leaves as it is.
func Plainly(text string) string {
	var out strings.Builder
	for _, r := range text {
		if instead, mends := plainly(r); mends && !isPlain(r) {
			out.WriteString(instead)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func isPlain(r rune) bool {
	return strings.ContainsRune(gsmBasic, r) || r == '\t' // a line break or tab becomes a space anyway
}

func nameOf(r rune) string {
	switch name, ok := awkwardNames[r]; {
	case ok:
		return name
	case unicode.IsLetter(r):
		return "letter"
	case isPicture(r):
		return "emoji"
	}
	return "character"
}

// isPicture reports whether r is an emoji or a part of one.
func isPicture(r rune) bool {
	return unicode.In(r, unicode.So, unicode.Sk, unicode.Cf, unicode.Variation_Selector)
}

func plainly(r rune) (instead string, mends bool) {
	if instead, ok := plainMarks[r]; ok {
		return instead, true
	}
	if instead := plainer.Replace(string(r)); instead != string(r) {
		return instead, true
	}
	if isPicture(r) {
		return "", true
	}
	var kept strings.Builder
	for _, part := range norm.NFKD.String(string(r)) {
		if isPlain(part) {
			kept.WriteRune(part)
		} else if !unicode.Is(unicode.Mn, part) {
			return "", false
		}
	}
	return kept.String(), kept.Len() > 0 || unicode.Is(unicode.Mn, r)
}
