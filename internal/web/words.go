package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// vocabulary is our sentences in Indonesian. English stands in the templates
// and the code and is the key, so that a page reads like a page.
type vocabulary struct {
	indonesian map[string]string
	patterns   []pattern // of the sentences with blanks, longest first
}

// pattern finds back the sentence with blanks that a filled sentence was made
// of.
type pattern struct {
	english string
	filled  *regexp.Regexp
}

var verb = regexp.MustCompile(`%[sdq]`)

// forms is the one way to say a count: "%s {person was|people were} called". Of
// the two the first is for one. Indonesian has no need of them.
var forms = regexp.MustCompile(`\{([^{}|]*)\|([^{}|]*)\}`)

// count settles the forms of an English sentence by the blank before each, or
// the first blank when none is before it.
func count(english string, args []any) string {
	if !strings.Contains(english, "|") {
		return english
	}
	blanks := verb.FindAllStringIndex(english, -1)
	var b strings.Builder
	end := 0
	for _, at := range forms.FindAllStringSubmatchIndex(english, -1) {
		b.WriteString(english[end:at[0]])
		end = at[1]
		blank := 0
		for i, before := range blanks {
			if before[0] < at[0] {
				blank = i
			}
		}
		if blank < len(args) && one(args[blank]) {
			b.WriteString(english[at[2]:at[3]])
		} else {
			b.WriteString(english[at[4]:at[5]])
		}
	}
	return b.String() + english[end:]
}

// mark is what surrounds a number that a script keeps up to date.
var mark = regexp.MustCompile(`<[^>]*>`)

func one(arg any) bool { return mark.ReplaceAllString(fmt.Sprint(arg), "") == "1" }

// quotedForms are forms as regexp.QuoteMeta leaves them.
var quotedForms = regexp.MustCompile(`\\\{(.*?)\\\|(.*?)\\\}`)

func loadVocabulary(words []byte) (*vocabulary, error) {
	v := &vocabulary{}
	if err := json.Unmarshal(words, &v.indonesian); err != nil {
		return nil, fmt.Errorf("decode words: %w", err)
	}
	for english, indonesian := range v.indonesian {
		if len(verb.FindAllString(english, -1)) != len(verb.FindAllString(indonesian, -1)) {
			return nil, fmt.Errorf("decode words: %q has other blanks in Indonesian", english)
		}
		if !verb.MatchString(english) {
			continue
		}
		parts := verb.Split(english, -1)
		for i := range parts {
			parts[i] = quotedForms.ReplaceAllString(regexp.QuoteMeta(parts[i]), "(?:$1|$2)")
		}
		v.patterns = append(v.patterns, pattern{english, regexp.MustCompile("^" + strings.Join(parts, "(.*?)") + "$")})
	}
	slices.SortFunc(v.patterns, func(a, b pattern) int {
		if len(a.english) != len(b.english) {
			return len(b.english) - len(a.english)
		}
		return strings.Compare(a.english, b.english)
	})
	return v, nil
}

// T says an English sentence of ours in the reader's language. Blanks are
// filled from args as by fmt.Sprintf.
func (p page) T(english string, args ...any) string {
	text := p.sentence(english, args)
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// sentence is T before its blanks are filled.
func (p page) sentence(english string, args []any) string {
	if p.Lang == announcement.Indonesian && p.words != nil {
		if t, ok := p.words.indonesian[english]; ok {
			return t
		}
	}
	return count(english, args)
}

// Say shows a sentence that another part of the house made, with its blanks
// filled already: a line of the timeline, a fault in a file. Codes such as
// need_help become words. What is not ours, such as a person's own reason,
// comes out as it is.
func (p page) Say(sentence string) string {
	sentence = strings.TrimSpace(sentence)
	if text, ok := codeWords[sentence]; ok {
		return p.T(text)
	}
	if p.words == nil {
		return sentence
	}
	if text, ok := p.words.indonesian[sentence]; ok {
		if p.Lang == announcement.Indonesian {
			return text
		}
		return sentence
	}
	for _, known := range p.words.patterns {
		blanks := known.filled.FindStringSubmatch(sentence)
		if blanks == nil || strings.Trim(known.english, "%sd. ():,") == "" {
			continue
		}
		args := make([]any, len(blanks)-1)
		for i, blank := range blanks[1:] {
			args[i] = p.word(blank)
		}
		return fmt.Sprintf(strings.NewReplacer("%d", "%s", "%q", "%s").Replace(p.sentence(known.english, args)), args...)
	}
	return code.ReplaceAllStringFunc(sentence, p.word)
}

// code finds snake_case words, which nobody writes by hand.
var code = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b`)

func (p page) word(blank string) string {
	blank = strings.TrimSpace(blank)
	if text, ok := codeWords[blank]; ok {
		return p.T(text)
	}
	if text, ok := p.words.indonesian[blank]; ok && p.Lang == announcement.Indonesian {
		return text
	}
	if first, rest, ok := strings.Cut(blank, " "); ok && codeWords[first] != "" {
		return p.T(codeWords[first]) + " (" + rest + ")"
	}
	return blank
}

// codeWords are the codes of other packages in words.
var codeWords = map[string]string{
	"need_help": "need help", "no_answer": "no answer", "unreachable": "unreachable", "opened": "opened", "confirmed": "safe", "not_on_site": "not on site",
	"webpush": "push", "sms": "SMS", "in_app": "open page", "push": "notification button", "page": "page", "voice": "voice",
	"queued": "waiting", "accepted": "accepted by the network", "sent": "sent by the carrier", "delivered": "carrier says delivered", "failed": "failed", "shown": "shown on the phone",
	"live": "real", "drill": "drill", "extreme": "life in danger", "severe": "danger likely", "moderate": "work affected", "info": "information",
	"is_safe": "they are safe now", "first_aid": "first aid was given", "in_hospital": "taken to hospital", "with_rescuers": "with the rescue services", "by_mistake": "pressed by mistake", "solved": "the problem is solved",
	"saw": "saw them", "phone": "spoke by phone", "colleague": "told by a colleague", "roster": "leave or shift roster", "manager": "by a manager",
	"all_clear": "all clear", "corrected": "sent in error", "cancelled": "cancelled", "expired": "ended by itself", "accounted": "everybody is accounted for",
	"no_contact_point": "no number and no device", "sms_stopped": "stopped SMS", "wrong_number": "the number is wrong", "no_mobile": "no mobile number",
	"line_manager": "line manager", "managers_manager": "the manager's manager", "manager_outstanding": "the manager has not answered", "manager_left": "the manager has left",
	"manager_unreachable": "the manager cannot be reached", "no_manager": "no manager", "manager_reminds": "reminded by the manager", "duty": "duty team", "duty_step": "duty team",
	"loop": "reporting loop", "reporting_cycle": "reporting loop", "asked_for_help": "asked for help", "called_before": "called before", "real_alert_sent": "a real alert was sent",
	"morning": "it was night for them", "revised": "the text was changed", "escalated_by_hand": "escalated by hand", "left_the_company": "has left the company", "joined_the_audience": "joined while it was open", "came_back": "came back", "manager_changed": "has another manager",
	"manager_away": "the manager is away", "stands_in": "stands in for the manager", "nobody_outstanding": "nobody is outstanding", "help_report": "somebody asked for help", "every_channel_failed": "every channel failed",
	"inapp": "open page", "temporary": "not now, tried again", "rate_limited": "too fast for the provider", "ambiguous": "the provider did not say", "rejected": "refused by the provider",
	"gone": "the device is no more", "invalid_number": "the number does not work", "opted_out": "stopped SMS", "blocked": "blocked by the carrier", "unauthorized": "our access is wrong",
	"misconfigured": "not set up at the provider", "too_large": "too long", "sample_person": "a made-up person", "landline": "a landline", "none": "off", "sandbox": "practice", "twilio": "Twilio",
	"stop": "stop of SMS", "start": "start of SMS again", "who": "question who this is", "free_text": "free text", "unclear": "unclear", "seen": "seen, no answer", "ack": "understood",
}

// N writes a number of people as the reader's language does.
func (p page) N(n int) string {
	sep := ","
	if p.Lang == announcement.Indonesian {
		sep = "."
	}
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + sep + digits[i:]
	}
	return digits
}

// Share is a part in percent, rounded, but never as if it were nobody or everybody
// when it is not: somebody is "under 1 %", and while one is missing it is 99 %.
// board.js keeps the same rule.
func (p page) Share(part, whole int) string {
	if whole <= 0 || part <= 0 {
		return "0 %"
	}
	percent := (200*part + whole) / (2 * whole)
	switch {
	case percent == 0:
		return p.T("under 1 %")
	case part < whole:
		percent = min(percent, 99)
	}
	return fmt.Sprint(percent, " %")
}

// Clock is the time of day at the announcement's place, with the date when it
// was another day: "14:05 WIB".
func (p page) Clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	clock := announcement.FormatTime(t, p.Lang, p.Zone)
	place := announcement.Location(p.Zone)
	if day := t.In(place); day.Format(time.DateOnly) != p.Now.In(place).Format(time.DateOnly) {
		return fmt.Sprintf("%d/%d/%d %s", day.Day(), day.Month(), day.Year(), clock)
	}
	return clock
}

// ClockAt is Clock for a time that may be missing.
func (p page) ClockAt(t *time.Time) string {
	if t == nil {
		return ""
	}
	return p.Clock(*t)
}

// ClockIn is Clock at another place.
func (p page) ClockIn(t time.Time, zone string) string {
	p.Zone = zone
	return p.Clock(t)
}

// Stamp is t for a machine, RFC 3339.
func (p page) Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Other is the language the reader can switch to.
func (p page) Other() announcement.Language {
	if p.Lang == announcement.Indonesian {
		return announcement.English
	}
	return announcement.Indonesian
}

// OtherName is that language in its own words, short enough for a phone's bar.
func (p page) OtherName() string {
	if p.Other() == announcement.Indonesian {
		return "Indonesia"
	}
	return "English"
}

// Switch is this page in the other language, with its search and filters. It does not
// repeat the address: a page that says "not found" would hold somebody's personal link.
func (p page) Switch() string {
	q := maps.Clone(p.query)
	if q == nil {
		q = url.Values{}
	}
	q.Set("lang", string(p.Other()))
	return p.settled + "?" + q.Encode()
}

// LanguageName is a language in its own words.
func (p page) LanguageName(l announcement.Language) string {
	switch l {
	case announcement.Indonesian:
		return "Bahasa Indonesia"
	case announcement.English:
		return "English"
	}
	if name, ok := languageNames[l]; ok {
		return p.T(name)
	}
	return string(l)
}

// languageNames are languages that people read and these pages do not speak.
var languageNames = map[announcement.Language]string{
	"ar": "Arabic", "ban": "Balinese", "bn": "Bengali", "de": "German", "es": "Spanish", "fr": "French", "it": "Italian", "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "pt": "Portuguese", "ru": "Russian", "tr": "Turkish", "ur": "Urdu",
	"bug": "Buginese", "fil": "Filipino", "hi": "Hindi", "ja": "Japanese", "jv": "Javanese", "ko": "Korean", "mad": "Madurese",
	"min": "Minangkabau", "ms": "Malay", "su": "Sundanese", "ta": "Tamil", "th": "Thai", "tl": "Tagalog", "vi": "Vietnamese", "zh": "Chinese",
}

// Fault returns what is wrong with a field, or nothing.
func (p page) Fault(field string) string {
	for _, f := range p.Errors {
		rest, ok := strings.CutPrefix(f.Field, field)
		if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
			continue
		}
		if f.Value != "" {
			return "“" + f.Value + "” " + p.Say(f.Why)
		}
		return p.Say(f.Why)
	}
	return ""
}

// language chooses the language of a page: what this browser was told, then
// what it asks for, then Indonesian.
func (s *Server) language(r *http.Request) announcement.Language {
	if l, ok := told(r); ok {
		return l
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(tag, "-")
		if l, ok := known(strings.ToLower(primary)); ok {
			return l
		}
	}
	return announcement.Indonesian
}

// readersLanguage is the language of a page for a known person: what this browser
// was told, then the person's own, whatever the browser is set to.
func (s *Server) readersLanguage(r *http.Request, own announcement.Language) announcement.Language {
	if l, ok := told(r); ok {
		return l
	}
	if l, ok := known(string(own)); ok {
		return l
	}
	return s.language(r)
}

// told is the language that somebody chose on a page of this browser: just now,
// or before.
func told(r *http.Request) (announcement.Language, bool) {
	if l, ok := known(r.URL.Query().Get("lang")); ok {
		return l, true
	}
	if c, err := r.Cookie("lang"); err == nil {
		return known(c.Value)
	}
	return "", false
}

func known(tag string) (announcement.Language, bool) {
	l := announcement.Language(tag)
	return l, l == announcement.Indonesian || l == announcement.English
}
