package sms

import (
	"strings"

	"kentongan/internal/announcement"
)

// helpFound is what the text says about help.
type helpFound struct {
	found  bool
	strong bool // by a word that means nothing else
	denied bool // only said not to be needed
}

// help looks for calls for help, and takes the words of those that are denied.
func (r *reading) help(answers announcement.Answers) helpFound {
	var h helpFound
	denials := r.find(denials)
	h.denied = len(denials) > 0
	r.take(denials)
	for _, s := range r.find(calls) {
		if s.from > 0 && !r.cut[s.from] && isNegation(r.w[s.from-1]) && needs[r.w[s.from]] {
			h.denied = true
			r.take([]span{{s.from - 1, s.to}})
			continue
		}
		h.found, h.strong = true, true
	}
	for i, w := range r.w {
		if r.taken[i] {
			continue
		}
		lexeme := helpWord(w)
		if lexeme == "" && (answers != announcement.Read || !troubles[w]) {
			continue
		}
		neg, needed := r.denial(i)
		mild := pleas[lexeme] || aids[lexeme]
		if neg >= 0 && (needed || !mild) && !(lexeme == "" && r.w[neg] == "belum") {
			h.denied = true
			r.take([]span{{neg, i + 1}})
			continue
		}
		if w == "help" && len(r.w) == 2 && r.w[0] == "no" && !r.cut[1] {
			h.denied = true
			r.take([]span{{0, 2}})
			continue
		}
		h.found = true
		h.strong = h.strong || !doubted[lexeme]
	}
	return h
}

var (
	helpWords = union(pleas, aids, harms)
	longHelp  = longWords(helpWords)
	doubled   = squeezedWords(helpWords)
)

func longWords(s set) []string {
	var out []string
	for w := range s {
		if len(w) >= 6 {
			out = append(out, w)
		}
	}
	return out
}

func squeezedWords(s set) map[string]string {
	out := make(map[string]string)
	for w := range s {
		out[squeezed(w)] = w
	}
	return out
}

// helpWord returns the help word that w is, with an ending, a letter held down
// or, in words of six letters and more, one typing error; or "".
func helpWord(w string) string {
	if helpWords[w] {
		return w
	}
	if known[w] {
		return ""
	}
	if h, ok := doubled[squeezed(w)]; ok {
		return h
	}
	for _, ending := range []string{"nya", "lah", "in", "dong", "ku", "kan", "pak"} {
		if stem, ok := strings.CutSuffix(w, ending); ok && helpWords[stem] {
			return stem
		}
	}
	if len(w) < 5 {
		return ""
	}
	found := ""
	for _, h := range longHelp {
		if oneEdit(w, h) && (found == "" || h < found) {
			found = h
		}
	}
	return found
}

// awayFrom finds what says "not on site", about today and not denied.
func (r *reading) awayFrom() []span {
	var out []span
	for _, s := range r.find(away) {
		if s.to-s.from == 1 && r.w[s.from] == "off" && s.from > 0 && switches[r.w[s.from-1]] {
			continue
		}
		if r.near(s.from, 2, isNegation) || r.near(s.from, 3, func(w string) bool { return later[w] }) {
			continue
		}
		if s.to < len(r.w) && later[r.w[s.to]] {
			continue
		}
		if r.w[s.to-1] == "rumah" && s.to < len(r.w) && r.w[s.to] == "sakit" {
			continue
		}
		out = append(out, s)
	}
	for _, s := range out {
		// Of the words of help only "sick leave" is explained by being away.
		for i := s.from; i < s.to; i++ {
			if helpWord(r.w[i]) != "" {
				r.taken[i] = true
			}
		}
	}
	return out
}

// near reports whether one of the n words before word i is of a kind, without
// punctuation between.
func (r *reading) near(i, n int, kind func(string) bool) bool {
	for j := i - 1; j >= max(0, i-n) && !r.cut[j+1]; j-- {
		if !r.taken[j] && kind(r.w[j]) {
			return true
		}
	}
	return false
}

// greetings follow "selamat" where it is a wish: good morning, happy holidays.
var greetings = words("pagi siang sore malam malem petang datang jalan tahun hari ulang natal idul lebaran tinggal bekerja kerja makan tidur istirahat menikmati berlibur berpuasa puasa menunaikan ya atas buat untuk")

// safety finds the words that say safe. negated reports that one of them stands
// behind a negation, which is a call for help.
func (r *reading) safety() (hits []int, negated bool) {
	for _, s := range r.find(safePhrases) {
		if r.near(s.from, 2, isNegation) {
			return nil, true
		}
		hits = append(hits, s.from)
	}
	for i, w := range r.w {
		if r.taken[i] {
			continue
		}
		w = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(w, "lah"), "kok"), "nya")
		safe := safes[w] || squeezed(w) == "aman" || squeezed(w) == "safe"
		if w == "selamat" && i+1 < len(r.w) && greetings[r.w[i+1]] {
			continue
		}
		if !safe {
			for _, s := range []string{"aman", "safe"} {
				if stem, ok := strings.CutSuffix(w, s); ok && negations[stem] {
					return nil, true
				}
			}
			if !wellness[w] {
				continue
			}
		}
		if r.negatedSafe(i) {
			return nil, true
		}
		if safe {
			hits = append(hits, i)
		}
	}
	return hits, false
}

// negatedSafe reports whether a negation stands up to two words before word i,
// or any number of words that may stand between.
func (r *reading) negatedSafe(i int) bool {
	if r.near(i, 2, isNegation) {
		return true
	}
	neg, _ := r.denial(i)
	return neg >= 0 && !r.taken[neg]
}

// isSafe reports whether the hits make the writer safe: nothing denied is left
// over, and one hit at least is a plain statement about themselves.
func (r *reading) isSafe(hits []int) bool {
	if len(hits) == 0 || r.negationLeft(0) {
		return false
	}
	last := 0
	for _, i := range hits {
		last = max(last, i)
	}
	if r.contrastAfter(last) {
		return false
	}
	for _, i := range hits {
		hoped := r.near(i, 4, func(w string) bool { return unsettled[w] })
		useFor := i+1 < len(r.w) && words("to untuk utk buat kalau")[r.w[i+1]]
		if hoped || useFor || r.aboutOthers(i) {
			return false
		}
	}
	return true
}

func (r *reading) negationLeft(from int) bool {
	for i := from; i < len(r.w); i++ {
		if !r.taken[i] && isNegation(r.w[i]) {
			return true
		}
	}
	return false
}

// code is a reply's digit and letter.
type code struct {
	digit   int // 0 if there is none
	letter  string
	spelled bool // "satu", "one"
	to      int  // words of the text before this one are the code
}

var spelled = map[string]int{"satu": 1, "one": 1, "dua": 2, "two": 2, "tiga": 3, "three": 3}

// digitOf reads "2", "2b" or "b2".
func digitOf(w string) (digit int, letter string) {
	isDigit := func(c byte) bool { return c >= '1' && c <= '3' }
	isLetter := func(c byte) bool { return c >= 'a' && c <= 'z' }
	switch {
	case len(w) == 1 && isDigit(w[0]):
		return int(w[0] - '0'), ""
	case len(w) == 2 && isDigit(w[0]) && isLetter(w[1]):
		return int(w[0] - '0'), w[1:]
	case len(w) == 2 && isLetter(w[0]) && isDigit(w[1]):
		return int(w[1] - '0'), w[:1]
	}
	return 0, ""
}

// code reads the code that a reply starts with: a digit, perhaps a letter,
// perhaps behind "no" or "balas". "2 orang" counts people and is no code.
// A 1 or 3 together with a 2 is a 2.
func (r *reading) code() code {
	i := 0
	for i < len(r.w)-1 && (prefixes[r.w[i]] || fillers[r.w[i]] || acks[r.w[i]]) && len(r.w[i]) > 1 {
		i++
	}
	c := code{}
	c.digit, c.letter = digitOf(r.w[i])
	if c.digit == 0 && spelled[r.w[i]] != 0 {
		c.digit, c.spelled = spelled[r.w[i]], true
	}
	if c.digit == 0 && isMark(r.w[i]) && i+1 < len(r.w) {
		if d, l := digitOf(r.w[i+1]); d != 0 && l == "" {
			c.digit, c.letter = d, r.w[i]
			i++
		}
	}
	if c.digit == 0 {
		return code{}
	}
	if c.letter == "" && i+1 < len(r.w) && isMark(r.w[i+1]) && (i+2 == len(r.w) || r.w[i+1] != "a") {
		i++
		c.letter = r.w[i]
	}
	c.to = i + 1
	if c.to < len(r.w) && (counted[r.w[c.to]] || r.w[c.to] == "di" && c.to+1 < len(r.w) && counted[r.w[c.to+1]]) {
		return code{}
	}
	return r.withOthers(c)
}

// isMark reports whether a word can be the letter of a code. "i" is a pronoun,
// and nobody has nine announcements open.
func isMark(w string) bool { return len(w) == 1 && w[0] >= 'a' && w[0] <= 'z' && w != "i" }

// withOthers looks for further codes behind c.
func (r *reading) withOthers(c code) code {
	for i := c.to; i < len(r.w); i++ {
		d, letter := digitOf(r.w[i])
		if d == 0 || places[r.w[i-1]] || i+1 < len(r.w) && counted[r.w[i+1]] {
			continue
		}
		if letter == "" && i+1 < len(r.w) && isMark(r.w[i+1]) {
			letter = r.w[i+1]
		}
		switch {
		case d == 2 && c.digit != 2:
			c.digit, c.letter = 2, letter
		case d == 2 && c.letter != letter:
			c.letter = "" // several: help for all
		case d != c.digit && c.digit != 2:
			return code{digit: 0}
		}
	}
	return c
}

// plainRest reports whether what follows a 1 or a 3 adds nothing that speaks
// against it.
func (r *reading) plainRest(c code) bool {
	if r.negationLeft(c.to) || r.contrastAfter(c.to) || r.foreign {
		return false
	}
	for i := c.to; i < len(r.w); i++ {
		w := r.w[i]
		plain := r.taken[i] || safes[w] || acks[w] || fillers[w] || ackNeutral[w] || wellness[w]
		if _, repeat := digitOf(w); repeat != "" || w == r.w[c.to-1] {
			plain = true
		}
		if d, _ := digitOf(w); d == c.digit {
			plain = true
		}
		if !plain && !c.spelled && starters[w] {
			return true // a note: "1 di titik kumpul"
		}
		if !plain {
			return false
		}
	}
	return true
}

// noteAfter returns what a person wrote besides the code: nothing for a code
// alone, the words behind a plain code, else the whole text.
func noteAfter(text string, c code, r *reading) string {
	text = shorten(text)
	if c.to >= len(r.w) {
		return ""
	}
	word := r.w[c.to-1]
	if behind, ok := strings.CutPrefix(strings.ToLower(text), word); ok && c.to == 1 && len(behind) < len(text) {
		return strings.TrimLeft(text[len(text)-len(behind):], " .,;:=-!\n")
	}
	return text
}
