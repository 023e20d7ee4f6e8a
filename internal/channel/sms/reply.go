package sms

import (
	"strings"
	"unicode/utf8"

	"kentongan/internal/announcement"
)

// Class says what a reply means.
type Class string

// The classes, in the order in which the rules ask for them.
const (
	ClassStop        Class = "stop"
	ClassStart       Class = "start"
	ClassWho         Class = "who"
	ClassWrongNumber Class = "wrong_number"
	ClassHelp        Class = "help"
	ClassOffSite     Class = "not_on_site"
	ClassSafe        Class = "safe"
	ClassAck         Class = "ack"       // understood, where that is the question
	ClassSeen        Class = "seen"      // "ok" where the question is safe or help: read, but no answer
	ClassFreeText    Class = "free_text" // four words or more for a person to read
	ClassUnclear     Class = "unclear"   // ask once
)

// MaxNote is how much of a person's own words is kept, in characters: the most
// that ten text messages can hold.
const MaxNote = 1600

// Reply is a text message understood.
type Reply struct {
	Class     Class
	Letter    string // lower case; which announcement, or which person of a shared number; empty if none was given
	Note      string // their own words where they say more than a code
	FromWords bool   // an answer read from words and not from a code: a person should look
}

// Parse reads a reply in Indonesian or English.
//
// The order of the rules is the safety argument: whatever might be a call for
// help is one, and a person counts as safe only when nothing in the text speaks
// against it. A question, a negation, a condition, a "but", words about
// somebody else or letters these rules cannot read all do.
func Parse(text string, answers announcement.Answers) Reply {
	r := read(text)
	note := shorten(text)
	reply := func(c Class, letter string, fromWords bool) Reply {
		return Reply{Class: c, Letter: letter, Note: note, FromWords: fromWords}
	}
	rest := func() Reply {
		if len(r.w) >= 4 {
			return reply(ClassFreeText, "", false)
		}
		return reply(ClassUnclear, "", false)
	}
	if len(r.w) == 0 {
		return reply(ClassUnclear, "", false)
	}

	// Whole texts, never prefixes: "stop, there is a fire" is no opt-out.
	whole := strings.Join(r.w, " ")
	switch {
	case stopTexts[whole]:
		return Reply{Class: ClassStop}
	case startTexts[whole]:
		return Reply{Class: ClassStart}
	case whoTexts[whole] || whoTexts[r.without(fillers)]:
		return reply(ClassWho, "", false)
	}

	awaySpans := r.awayFrom()
	calmSpans := r.find(calm)
	r.take(calmSpans)
	help := r.help(answers)
	if len(r.find(wrongNumber)) > 0 && !help.strong {
		return reply(ClassWrongNumber, "", false)
	}
	code := r.code()
	if code.digit == 2 {
		return Reply{Class: ClassHelp, Letter: code.letter, Note: noteAfter(text, code, r)}
	}
	if help.found {
		return reply(ClassHelp, code.letter, true)
	}

	r.take(awaySpans)
	r.take(r.find(soothing))
	safeHits, negated := r.safety()
	if negated {
		return reply(ClassHelp, code.letter, true)
	}
	for _, s := range calmSpans {
		safeHits = append(safeHits, s.from)
	}
	question := r.asks(safeHits)

	// Not on site.
	away := -1
	for _, s := range awaySpans {
		away = max(away, s.from)
	}
	switch {
	case code.digit == 3 && !question && r.plainRest(code):
		return Reply{Class: ClassOffSite, Letter: code.letter, Note: noteAfter(text, code, r)}
	case away >= 0 && !question && !r.contrastAfter(away) && !r.aboutOthers(away):
		return reply(ClassOffSite, code.letter, true)
	}

	safe, ack := ClassSafe, ClassAck
	if answers == announcement.Read {
		safe = ClassAck
	} else {
		ack = ClassSeen
	}
	claims := code.digit == 1 || len(safeHits) > 0
	switch {
	case claims && question:
		return reply(ClassUnclear, "", false)
	case r.foreign:
		return rest()
	case code.digit == 1 && r.plainRest(code):
		return Reply{Class: safe, Letter: code.letter, Note: noteAfter(text, code, r)}
	case code.digit == 0 && r.isSafe(safeHits):
		return reply(safe, "", true)
	case help.denied && !claims:
		return reply(ClassUnclear, "", false)
	case !question && r.onlyAcks():
		return reply(ack, "", true)
	}
	return rest()
}

// without returns the text without some words.
func (r *reading) without(s set) string {
	var out []string
	for _, w := range r.w {
		if !s[w] {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

// denial is the negation that denies word i, or -1. Only a negation and words
// that may stand between count, so that "tidak bisa keluar, tolong" is not
// taken back. needed reports whether one of those words is "need".
func (r *reading) denial(i int) (neg int, needed bool) {
	for j := i - 1; j >= 0 && !r.cut[j+1]; j-- {
		switch w := r.w[j]; {
		case isNegation(w):
			return j, needed
		case needs[w]:
			needed = true
		case !bridges[w]:
			return -1, false
		}
	}
	return -1, false
}

// contrastAfter reports whether a "but" follows word i: what comes behind it
// may undo the answer.
func (r *reading) contrastAfter(i int) bool {
	for _, w := range r.w[i:] {
		if contrasts[w] {
			return true
		}
	}
	return false
}

// aboutOthers reports whether word i is said of somebody else only: "my wife is
// safe" says nothing about the one who writes.
func (r *reading) aboutOthers(i int) bool {
	found := false
	for j := i - 1; j >= max(0, i-4) && !r.cut[j+1]; j-- {
		found = found || others[r.w[j]]
	}
	if !found {
		return false
	}
	for k, w := range r.w {
		if selves[w] && (k == 0 || !others[r.w[k-1]]) {
			return false
		}
	}
	return true
}

// asks reports whether a text that seems to answer is a question: a question
// mark, a word that asks at the start or with -kah, or a tag at the end ("aman
// gak", "sudah aman belum").
func (r *reading) asks(hits []int) bool {
	if r.question {
		return true
	}
	for _, w := range r.w {
		if w == "kah" || strings.HasSuffix(w, "kah") && len(w) > 4 && !endKah[w] {
			return true
		}
	}
	first := 0
	for first < len(r.w)-1 && fillers[r.w[first]] {
		first++
	}
	if askers[r.w[first]] || r.w[first] == "am" && first+1 < len(r.w) && r.w[first+1] == "i" {
		return true
	}
	if len(hits) == 0 {
		return false
	}
	last := len(r.w) - 1
	for last > 0 && fillers[r.w[last]] && !tags[r.w[last]] {
		last--
	}
	return !r.taken[last] && (tags[r.w[last]] || isNegation(r.w[last]))
}

// onlyAcks reports whether nothing but words of acknowledgment is there.
func (r *reading) onlyAcks() bool {
	found := false
	for _, w := range r.w {
		switch {
		case acks[w]:
			found = true
		case !fillers[w] && !ackNeutral[w]:
			return false
		}
	}
	return found
}

// shorten keeps what a person may read later, as valid text.
func shorten(text string) string {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
	if utf8.RuneCountInString(text) > MaxNote {
		text = string([]rune(text)[:MaxNote])
	}
	return text
}
