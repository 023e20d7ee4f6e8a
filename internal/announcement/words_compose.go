package announcement

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Saying is what Compose needs to know besides the announcement.
type Saying struct {
	Round    int64
	Kind     MessageKind
	Language Language // of the reader
	Org      string
	Link     string // absolute URL of the reader's page; empty if they have none
	Token    string // personal token in Link
	TwoWay   bool   // a reply by SMS arrives; where it does not, no text may ask for one
	Letter   string // names this announcement, and who answers, where a digit alone could be mistaken ("B")
	Owner    string // the reader, where several people read texts to their number
	Count    int    // people who are outstanding, for a digest; who are told, for SaySent
	Name     string // who needs help, or who sent it
	Words    string // what is new, for an update; what changed, for a revision
	Hiding   bool   // the reader may be hiding: they are one of those who are warned
	Now      time.Time
	Expires  time.Time
}

// digestOfOne is the digest about a single person.
const digestOfOne = string(SayDigest) + "_one"

// Compose writes the message for one person in every channel's form.
//
// Everything said in a drill starts with the words that mark a drill, the SMS
// after the name of the sender, and no text can remove them. The SMS is one
// GSM-7 segment where the words allow it: what the author wrote is shortened,
// never the sender, the mark, the way to answer or the link.
func (c *Catalogue) Compose(a *Announcement, k Saying) Message {
	text, lang, _ := a.In(k.Language)
	m := Message{
		Announcement: a.ID, Round: k.Round, Kind: k.Kind, Mode: a.Mode, Severity: a.Severity, Answers: a.Answers,
		Lane: a.Lane(), Language: lang, Link: k.Link, Sent: k.Now, Expires: k.Expires,
	}
	if k.Kind == SayAlert || k.Kind == SayReminder || k.Kind == SayRevised {
		m.Token, m.Asks = k.Token, k.Token != ""
	}
	switch k.Kind {
	case SayAlert, SayCorrection, SayAllClear, "":
	default:
		m.Silent = k.Hiding && a.Hushed()
	}
	s, _ := c.speaks(a, k)
	m.Title, m.Body, m.SMS = s.say(text)
	return m
}

// speaks prepares a message to a reader of k.Language, and returns the author's
// text that it is made of.
func (c *Catalogue) speaks(a *Announcement, k Saying) (speech, Text) {
	text, lang, _ := a.In(k.Language)
	s := speech{c: c, a: a, k: k, lang: wordsIn(lang), subject: plain(text.Title)}
	s.words = c.messages.Words[s.lang]
	if a.Mode == Drill { // what is said is marked already
		rest := strings.TrimLeft(strings.TrimPrefix(s.subject, c.messages.DrillWords[s.lang].Title), " :-,.")
		if rest != "" {
			s.subject = capitalised(rest)
		}
	}
	return s, text
}

// wordsIn returns the language of our own words around a text in lang: an
// author may write in Javanese or Sundanese, whose readers read Indonesian.
func wordsIn(lang Language) Language {
	if slices.Contains([]Language{Indonesian, "ms", "jv", "su", "mad", "min", "ban", "bug", "ace", "bjn"}, lang) {
		return Indonesian
	}
	return English
}

// speech is one message in the making.
type speech struct {
	c       *Catalogue
	a       *Announcement
	k       Saying
	lang    Language
	words   words
	subject string // the title, by which people know the announcement
	whole   bool   // nothing is shortened
}

func (s speech) say(text Text) (title, body, sms string) {
	if s.k.Kind == SayAlert || s.k.Kind == "" {
		// Only the parts made for a channel hold placeholders. What an author
		// wrote is said as it is.
		people := map[string]string{"org": s.k.Org}
		title, body, sms = text.Title, text.Body, text.SMS
		if text.PushTitle != "" {
			title = fillBlanks(text.PushTitle, people)
		}
		if text.PushBody != "" {
			body = fillBlanks(text.PushBody, people)
		}
		if sms == "" {
			own := strings.TrimRight(plain(text.Title), ".:") + ". " + plain(text.Body)
			if strings.HasSuffix(plain(text.Title), "!") || strings.HasSuffix(plain(text.Title), "?") {
				own = plain(text.Title) + " " + plain(text.Body)
			}
			return s.mark(title, body, s.segment(own, defaultTail, map[string]string{}))
		}
		middle, tail := split(sms)
		return s.mark(title, body, s.segment(plain(middle), tail, people))
	}
	key := string(s.k.Kind)
	if s.k.Kind == SayDigest && s.k.Count == 1 {
		key = digestOfOne
	}
	r := s.c.messages.Rounds[key][s.lang]
	blanks := s.blanks()
	middle, tail := split(r.SMS)
	if s.linkless(text) {
		tail = strings.ReplaceAll(tail, "{link}", "")
	}
	return s.mark(fillBlanks(r.Title, blanks), fillBlanks(r.Body, blanks), s.segment(middle, tail, blanks))
}

// linkless reports whether this round must not carry a link: in a cyber attack
// people are told that no message asks them to follow one, and until it is over
// that has to be true.
func (s speech) linkless(text Text) bool {
	return (s.k.Kind == SayReminder || s.k.Kind == SayUpdate || s.k.Kind == SayRevised) && text.SMS != "" && !strings.Contains(text.SMS, "{link}")
}

// blanks are what the texts of later rounds name.
func (s speech) blanks() map[string]string {
	at := s.a.At // people know an alert by the time it came
	if s.k.Kind == SayHelp || s.k.Kind == SayAllClear {
		at = s.k.Now
	}
	return map[string]string{
		"subject": strings.TrimRight(s.subject, ".:"), "time": FormatTime(at, s.lang, s.a.Zone), "n": strconv.Itoa(s.k.Count),
		"name": plain(s.k.Name), "words": plain(s.k.Words), "ask": s.words.Ask[s.a.Answers], "org": s.k.Org,
	}
}

// mark puts the words of a drill in front of what does not have them yet.
func (s speech) mark(title, body, sms string) (markedTitle, markedBody, sameSMS string) {
	if s.a.Mode != Drill {
		return title, body, sms
	}
	w := s.c.messages.DrillWords[s.lang]
	if rest, found := strings.CutPrefix(title, w.Title); !found || strings.IndexFunc(rest, unicode.IsLetter) == 0 {
		title = w.Title + ": " + title
	}
	if !strings.HasPrefix(body, w.Body) {
		body = w.Body + " " + body
	}
	return title, body, sms
}

// defaultTail ends an SMS: how to answer, and where.
const defaultTail = "{reply} {link}"

// split takes an SMS pattern apart: what it says, and how to answer. The
// sender goes first whether the pattern says so or not.
func split(pattern string) (middle, tail string) {
	middle = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(pattern), "{org}:"))
	end := len(middle)
	for _, p := range []string{"{reply}", "{two}", "{link}"} {
		if i := strings.Index(middle, p); i >= 0 {
			end = min(end, i)
		}
	}
	if end == len(middle) {
		return middle, defaultTail
	}
	return strings.TrimSpace(middle[:end]), middle[end:]
}

// segment joins an SMS and shortens it to one segment: first the subject of a
// later round, then all that is said, then the name of the sender.
func (s speech) segment(middle, tail string, blanks map[string]string) string {
	org := plain(s.k.Org)
	said := func() string { return s.marked(strings.ReplaceAll(fillBlanks(middle, blanks), "....", "...")) }
	ending := s.ending(tail)
	join := func(text string) string {
		parts := []string{text}
		if org != "" {
			parts[0] = org + ": " + text
		}
		if ending != "" {
			parts = append(parts, ending)
		}
		return strings.Join(parts, " ")
	}
	const keep = 12 // a subject shorter than this says nothing
	text := said()
	if s.whole {
		return join(text)
	}
	over := overflow(join(text))
	if over > 0 && blanks["subject"] != "" {
		if subject := shorten(blanks["subject"], over); len(subject) >= keep {
			blanks["subject"] = subject
			text = said()
			over = overflow(join(text))
		}
	}
	for range 3 { // a cut that removes the last letter outside GSM-7 changes how the rest is counted
		if over <= 0 {
			break
		}
		mark := s.drillMark()
		text = mark + shorten(strings.TrimPrefix(text, mark), over)
		over = overflow(join(text))
	}
	if over > 0 {
		org = shorten(org, over)
	}
	return join(text)
}

// drillMark starts what an SMS says in a drill; it is empty in a live one.
func (s speech) drillMark() string {
	if s.a.Mode != Drill {
		return ""
	}
	return s.c.messages.DrillWords[s.lang].Body + " "
}

// marked starts what an SMS says in a drill with the mark, where no cut at
// the end can remove it.
func (s speech) marked(text string) string {
	return s.drillMark() + strings.TrimPrefix(text, s.drillMark())
}

// ending writes how to answer. Where no reply can arrive it only ever points
// to the link: a person who answers into the void believes they were heard.
func (s speech) ending(tail string) string {
	link := strings.TrimPrefix(s.k.Link, "https://")
	reply, two := "", ""
	switch {
	case s.k.TwoWay:
		reply, two = s.digits(), s.words.Two
		if s.k.Letter != "" {
			two = strings.TrimSpace(two) + s.k.Letter + " "
		}
	case link != "" && strings.Contains(tail, "{link}"):
		reply = s.words.Answer
	}
	return strings.Join(strings.Fields(fillBlanks(tail, map[string]string{"reply": reply, "two": two, "link": link, "org": s.k.Org})), " ")
}

// digits explains the digits: "Reply 1=safe 2=need help".
func (s speech) digits() string {
	kind := string(s.a.Answers)
	if t, ok := s.c.template(s.a.Template); ok && t.Answers == s.a.Answers {
		kind = t.Reply
	}
	out := s.words.Reply
	for i, meaning := range s.words.Digits[kind] {
		if i == 0 && s.k.Owner != "" {
			meaning = shorten(plain(s.k.Owner), len(plain(s.k.Owner))-12) + " " + meaning
		}
		out += " " + strconv.Itoa(i+1) + s.k.Letter + "=" + meaning
	}
	return out
}

// AnswerBack returns the SMS that answers a person's SMS, or "" for an unknown
// key. f fills its blanks; f["mode"] = "drill" marks it. Long values are shortened
// until it is one segment.
func (c *Catalogue) AnswerBack(key string, lang Language, f map[string]string) string {
	lang = wordsIn(lang)
	pattern := c.messages.AnswerBacks[key][lang]
	if pattern == "" {
		return ""
	}
	blanks := make(map[string]string, len(f)+1)
	for name, value := range f {
		blanks[name] = plain(value)
	}
	if blanks["title"] == "" && blanks["hazard"] != "" {
		blanks["title"] = strings.Trim(capitalised(blanks["hazard"])+": "+blanks["site"], ": ")
	}
	blanks["link"] = strings.TrimPrefix(blanks["link"], "https://")
	if w := c.messages.DrillWords[lang]; Mode(f["mode"]) == Drill && !strings.Contains(pattern, w.Title) {
		if rest, found := strings.CutPrefix(pattern, "{org}: "); found {
			pattern = "{org}: " + w.Title + ". " + rest
		} else {
			pattern = w.Title + ". " + pattern
		}
	}
	for _, name := range []string{"title", "other", "name", "a", "b", "org"} {
		const enough = 16 // of a value to know it by; the next one gives the rest
		units, _ := smsUnits(blanks[name])
		blanks[name] = shorten(blanks[name], min(overflow(fillBlanks(pattern, blanks)), units-enough))
	}
	return unfilled.ReplaceAllString(fillBlanks(pattern, blanks), "")
}

// unfilled is a blank that nobody filled: better a gap than a brace.
var unfilled = regexp.MustCompile(`\{[a-z]+\}`)
