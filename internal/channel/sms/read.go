package sms

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// reading is a text as the rules of the grammar see it.
type reading struct {
	w        []string // words: a-z and 0-9 only
	cut      []bool   // punctuation stands before the word, so a negation does not reach over it
	taken    []bool   // explained by a phrase already
	question bool     // holds a question mark
	foreign  bool     // holds letters of a script that these rules cannot read
}

var emoji = strings.NewReplacer(
	"🆘", " sos ", "🚨", " sos ",
	"👍", " ok ", "✅", " ok ", "👌", " ok ", "🙏", " ok ", "🆗", " ok ",
	"❓", "?", "❔", "?", "؟", "?", "&", " dan ",
)

// read normalises a text: compatibility forms, emoji that speak, lower case, no
// accents or apostrophes, a letter held down counted once.
func read(text string) *reading {
	text = emoji.Replace(norm.NFKC.String(text))
	r := &reading{question: strings.Contains(text, "?")}
	var word []rune
	cut := false
	flush := func() {
		if len(word) > 0 {
			r.add(string(word), cut)
			word, cut = word[:0], false
		}
	}
	for _, c := range norm.NFD.String(strings.ToLower(text)) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			word = append(word, c)
		case unicode.Is(unicode.Mn, c) || strings.ContainsRune("'’‘ʼ`´\u200b\u200d\ufeff", c):
		case strings.ContainsRune(".,;:!?\n()…", c):
			flush()
			cut = true
		default:
			flush()
			r.foreign = r.foreign || unicode.IsLetter(c)
		}
	}
	flush()
	r.taken = make([]bool, len(r.w))
	return r
}

// add splits a run of letters and digits into words: "1aman" is two, "baik2" is
// the Indonesian short form of "baik baik", and "1b" is a code.
func (r *reading) add(s string, cut bool) {
	digits := strings.TrimLeft(s, "0123456789")
	switch head := s[:len(s)-len(digits)]; {
	case head != "" && len(digits) > 1:
		r.put(head, cut)
		r.add(digits, false)
		return
	case head != "":
		r.put(s, cut)
		return
	}
	letters := strings.TrimRight(s, "0123456789")
	switch tail := s[len(letters):]; {
	case tail == "" || len(letters) == 1:
		r.put(held(s), cut)
	case tail == "2" && !prefixes[letters] && !places[letters]:
		r.put(held(letters), cut)
		r.put(held(letters), false)
	default:
		r.put(held(letters), cut)
		r.put(tail, false)
	}
}

func (r *reading) put(w string, cut bool) {
	r.w = append(r.w, w)
	r.cut = append(r.cut, cut)
}

// held makes a run of three or more equal letters one: "toloooong".
func held(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] == s[i] {
			j++
		}
		n := j - i
		if n >= 3 && s[i] >= 'a' {
			n = 1
		}
		out = append(out, s[i:i+n]...)
		i = j
	}
	return string(out)
}

// squeezed makes every run of equal letters one.
func squeezed(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if i == 0 || s[i] != s[i-1] {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// slot is one place of a phrase: any of the words, perhaps left out.
type slot struct {
	any      []string
	optional bool
}

func phrases(patterns ...string) [][]slot {
	out := make([][]slot, 0, len(patterns))
	for _, p := range patterns {
		var one []slot
		for _, s := range strings.Fields(p) {
			s, optional := strings.CutSuffix(s, "?")
			one = append(one, slot{strings.Split(s, "|"), optional})
		}
		out = append(out, one)
	}
	return out
}

// match returns where the phrase that starts at word i ends, or -1. A phrase
// never reaches over punctuation.
func (r *reading) match(phrase []slot, i int) int {
	start := i
	for k, s := range phrase {
		fits := i < len(r.w) && !r.taken[i] && (i == start || !r.cut[i]) && s.fits(r.w[i])
		switch {
		case fits && s.optional:
			if end := r.matchFrom(phrase[k+1:], i+1); end >= 0 {
				return end
			}
		case fits:
			i++
		case !s.optional:
			return -1
		}
	}
	return i
}

func (r *reading) matchFrom(rest []slot, i int) int {
	if len(rest) == 0 {
		return i
	}
	if i < len(r.w) && r.cut[i] {
		return -1
	}
	return r.match(rest, i)
}

func (s slot) fits(w string) bool {
	for _, a := range s.any {
		if a == w || a == "@neg" && isNegation(w) {
			return true
		}
	}
	return false
}

// span is a phrase found: words [from, to).
type span struct{ from, to int }

func (r *reading) find(all [][]slot) []span {
	var out []span
	for i := 0; i < len(r.w); i++ {
		longest := -1
		for _, p := range all {
			longest = max(longest, r.match(p, i))
		}
		if longest > i {
			out = append(out, span{i, longest})
			i = longest - 1
		}
	}
	return out
}

func (r *reading) take(spans []span) {
	for _, s := range spans {
		for i := s.from; i < s.to; i++ {
			r.taken[i] = true
		}
	}
}

// isNegation allows one typing error in the longer words: "tidk aman" must
// never read as "aman".
func isNegation(w string) bool {
	if negations[w] {
		return true
	}
	if len(w) < 4 || known[w] || misread[w] {
		return false
	}
	for _, n := range []string{"tidak", "belum", "bukan", "nggak", "enggak"} {
		if oneEdit(w, n) {
			return true
		}
	}
	return false
}

// oneEdit reports whether one letter added, dropped, changed or swapped with its
// neighbour makes a into b.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return i >= len(a)-1 || a[i+1:] == b[i+1:] ||
		(a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:])
}
