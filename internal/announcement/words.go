package announcement

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// Catalogue holds the prepared texts: the templates an author starts from, and
// what each round says in each language. It is read once; only Reword changes it,
// whole texts at a time, so that it may be shared by goroutines.
type Catalogue struct {
	templates []template
	messages  catalogueFile
	edited    atomic.Pointer[map[string]map[Language]Text] // what the company says instead, see Reword
}

// catalogueFile is the shape of messages.json.
type catalogueFile struct {
	Templates   []template                        `json:"templates"`
	Drill       map[Language]Text                 `json:"drill"`
	DrillWords  map[Language]drillWords           `json:"drill_words"`
	Rounds      map[string]map[Language]roundText `json:"rounds"`
	Words       map[Language]words                `json:"words"`
	HelpReport  map[Language]Text                 `json:"help_report"`
	Emergency   map[Language]Text                 `json:"emergency_report"`
	TryOut      map[Language]Text                 `json:"try_out"`
	AnswerBacks map[string]map[Language]string    `json:"answer_backs"`
}

// template is a prepared announcement. Optional holds the blanks that may stay
// empty, with what stands there then; those in Ticks are ticked, since nobody may
// claim in a hurry what is not certain.
type template struct {
	Key      string                         `json:"key"`
	Severity Severity                       `json:"severity"`
	Answers  Answers                        `json:"answers"`
	Reply    string                         `json:"reply"` // which digits the SMS explains: safety, read or roll
	Icon     string                         `json:"icon"`
	Name     map[Language]string            `json:"name"`
	Hazard   map[Language]string            `json:"hazard"`
	Fields   []string                       `json:"fields"`
	Optional map[string]map[Language]string `json:"optional"`
	Ticks    map[string]map[Language]string `json:"ticks"` // what a blank says that is ticked, not written
	Text     map[Language]Text              `json:"text"`
}

// Ticked is the value of a blank that says something prepared.
const Ticked = "yes"

// drillWords mark a drill. Place and At name the site, Meet the assembly point,
// where the template has them.
type drillWords struct {
	Title   string `json:"title"` // starts every title
	Body    string `json:"body"`  // starts every body
	At      string `json:"at"`
	Meet    string `json:"meet"`
	NoMeet  string `json:"no_meet"`
	MeetAnd string `json:"meet_and"`
}

type roundText struct {
	Title string `json:"title"`
	Body  string `json:"body"`
	SMS   string `json:"sms"`
}

type words struct {
	Reply  string              `json:"reply"`  // "Reply", before the digits
	Answer string              `json:"answer"` // "Answer:", before a link where no reply can arrive
	Two    string              `json:"two"`    // "Reply 2 "
	Ask    map[Answers]string  `json:"ask"`
	Digits map[string][]string `json:"digits"` // by template.Reply: what 1, 2, 3 mean
}

// TemplateInfo describes a template to whoever chooses one.
type TemplateInfo struct {
	Key      string
	Severity Severity
	Answers  Answers
	Name     map[Language]string
	Fields   []string // blanks that must be filled, in order
	Icon     string
}

// languages in which every prepared text exists.
var languages = []Language{Indonesian, English}

// LoadCatalogue reads messages.json and checks that nothing is missing, so
// that a gap is found at start and not during an emergency.
func LoadCatalogue(data []byte) (*Catalogue, error) {
	c := &Catalogue{}
	if err := json.Unmarshal(data, &c.messages); err != nil {
		return nil, fmt.Errorf("read the prepared messages: %w", err)
	}
	c.templates = c.messages.Templates
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("read the prepared messages: %w", err)
	}
	return c, nil
}

func (c *Catalogue) check() error {
	for _, lang := range languages {
		m := c.messages
		d, w := m.DrillWords[lang], m.Words[lang]
		if d.Title == "" || d.Body == "" || m.Drill[lang].SMS == "" {
			return fmt.Errorf("the words that mark a drill are missing in %q", lang)
		}
		if w.Reply == "" || w.Answer == "" || w.Two == "" || w.Ask[Safety] == "" || w.Ask[Read] == "" {
			return fmt.Errorf("the words for replies are missing in %q", lang)
		}
		for _, k := range []string{string(SayReminder), string(SayDigest), digestOfOne, string(SayHelp), string(SayCorrection), string(SayAllClear), string(SayUpdate), string(SayRevised), string(SaySent)} {
			if r := m.Rounds[k][lang]; r.Title == "" || r.Body == "" || r.SMS == "" {
				return fmt.Errorf("round %q is incomplete in %q", k, lang)
			}
		}
		if r := m.TryOut[lang]; r.Title == "" || r.Body == "" {
			return fmt.Errorf("the test notification is incomplete in %q", lang)
		}
		for _, report := range []map[Language]Text{m.HelpReport, m.Emergency} {
			if r := report[lang]; r.Title == "" || r.Body == "" || r.SMS == "" {
				return fmt.Errorf("the report of a call for help or of an emergency is incomplete in %q", lang)
			}
		}
		for k, back := range m.AnswerBacks {
			if back[lang] == "" {
				return fmt.Errorf("answer %q is missing in %q", k, lang)
			}
		}
		for _, t := range c.templates {
			text := t.Text[lang]
			if text.Title == "" || text.Body == "" || text.SMS == "" || t.Name[lang] == "" || t.Hazard[lang] == "" {
				return fmt.Errorf("template %q is incomplete in %q", t.Key, lang)
			}
			if len(w.Digits[t.Reply]) < 2 {
				return fmt.Errorf("template %q asks for digits %q, which are not explained in %q", t.Key, t.Reply, lang)
			}
		}
	}
	return nil
}

// Templates lists the templates in the order in which they are offered.
func (c *Catalogue) Templates() []TemplateInfo {
	infos := make([]TemplateInfo, len(c.templates))
	for i, t := range c.templates {
		infos[i] = TemplateInfo{Key: t.Key, Severity: t.Severity, Answers: t.Answers, Name: maps.Clone(t.Name), Fields: slices.Clone(t.Fields), Icon: t.Icon}
	}
	return infos
}

// HelpReport is what the duty list is told when somebody asks for help by SMS
// outside of an announcement. It names nobody: who it is stands in the inbox.
func (c *Catalogue) HelpReport() map[Language]Text { return maps.Clone(c.messages.HelpReport) }

// EmergencyReport is what the duty list is told when somebody reports an emergency
// on their own page. What it is and who saw it stands in the inbox.
func (c *Catalogue) EmergencyReport() map[Language]Text { return maps.Clone(c.messages.Emergency) }

// TryOut is the notification by which a person sees that notifications arrive. It
// says itself that nothing has happened.
func (c *Catalogue) TryOut(lang Language) Text { return c.messages.TryOut[wordsIn(lang)] }

// Optional lists the blanks of a template that may stay empty, in order.
func (c *Catalogue) Optional(key string) []string {
	t, ok := c.template(key)
	if !ok {
		return nil
	}
	return slices.Sorted(maps.Keys(t.Optional))
}

// Ticks lists the blanks of a template that are ticked, in order.
func (c *Catalogue) Ticks(key string) []string {
	t, ok := c.template(key)
	if !ok {
		return nil
	}
	return slices.Sorted(maps.Keys(t.Ticks))
}

func (c *Catalogue) template(key string) (template, bool) {
	i := slices.IndexFunc(c.templates, func(t template) bool { return t.Key == key })
	if i < 0 {
		return template{}, false
	}
	t := c.templates[i]
	if edited := c.edited.Load(); edited != nil {
		if text, ok := (*edited)[key]; ok {
			t.Text = text
		}
	}
	return t, true
}

// maxField keeps a filled title within MaxTitle. Site names are far shorter.
const maxField = 80

// Fill writes an announcement from a template: every blank but {org}, {link},
// {reply} and {two}, which differ per person. fields holds the blanks; "time"
// may name the moment it happened, else it is at, shown in zone. In a drill the
// text says what is practised and that it is not real; instructions that only
// fit the real thing ("call the police") are left out.
//
// It fails with FieldErrors that name each missing, unknown or unusable field.
func (c *Catalogue) Fill(key string, mode Mode, fields map[string]string, at time.Time, zone string) (text map[Language]Text, sev Severity, ans Answers, err error) {
	t, ok := c.template(key)
	if !ok {
		return nil, "", "", FieldErrors{{"template", shown(key), "is not one of the templates"}}
	}
	if bad := t.checkFields(fields); len(bad) > 0 {
		return nil, "", "", bad
	}
	text = make(map[Language]Text, len(languages))
	for _, lang := range languages {
		blanks := t.blanks(lang, fields, at, zone)
		source := t.Text[lang]
		if mode == Drill {
			source = c.messages.Drill[lang]
			c.messages.DrillWords[lang].addBlanks(blanks)
		}
		text[lang] = fillText(source, blanks)
	}
	return text, t.Severity, t.Answers, nil
}

func (t template) checkFields(fields map[string]string) FieldErrors {
	var bad FieldErrors
	for _, name := range t.Fields {
		if strings.TrimSpace(fields[name]) == "" {
			bad = append(bad, &FieldError{"fields." + name, "", "is missing"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value, at := fields[name], "fields."+name
		_, optional := t.Optional[name]
		switch {
		case !optional && name != "time" && !slices.Contains(t.Fields, name):
			bad = append(bad, &FieldError{"fields." + shown(name), "", "is not a field of this template"})
		case utf8.RuneCountInString(value) > maxField:
			bad = append(bad, &FieldError{at, shown(value), fmt.Sprintf("is longer than %d characters", maxField)})
		case !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return forbidden(r) || r == '\n' || r == '\r' || r == '\t' }):
			bad = append(bad, &FieldError{at, "", "contains a line break, control or direction character; type it again as plain text"})
		case strings.ContainsAny(value, "{}"):
			bad = append(bad, &FieldError{at, shown(value), "must not contain { or }"})
		}
	}
	return bad
}

// shown shortens what somebody typed for an error message.
func shown(s string) string {
	if r := []rune(strings.ToValidUTF8(s, "")); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// blanks returns what stands in each blank of the template in one language.
func (t template) blanks(lang Language, fields map[string]string, at time.Time, zone string) map[string]string {
	b := map[string]string{"time": FormatTime(at, lang, zone), "hazard": t.Hazard[lang], "Hazard": capitalised(t.Hazard[lang])}
	for name, value := range fields {
		if value = strings.TrimSpace(value); value != "" {
			b[name] = value
		}
		if said := t.Ticks[name][lang]; said != "" && value == Ticked {
			b[name] = said
		}
	}
	for name, standard := range t.Optional {
		if b[name] == "" {
			b[name] = fillBlanks(standard[lang], b)
		}
	}
	return b
}

// addBlanks adds the parts of a drill's text that depend on whether the
// template names a site and an assembly point.
func (w drillWords) addBlanks(b map[string]string) {
	b["place"], b["dash"], b["at"], b["meet"], b["meet_and"] = "", "", "", w.NoMeet, ""
	if b["site"] != "" {
		b["place"], b["dash"], b["at"] = ": "+b["site"], " - "+b["site"], fillBlanks(w.At, b)
	}
	if b["muster"] != "" {
		b["meet"], b["meet_and"] = fillBlanks(w.Meet, b), fillBlanks(w.MeetAnd, b)
	}
}

func fillText(t Text, b map[string]string) Text {
	fill := func(s string) string { return strings.TrimSpace(fillBlanks(s, b)) }
	out := Text{Title: fill(t.Title), Body: fill(t.Body), PushTitle: fill(t.PushTitle), PushBody: fill(t.PushBody), SMS: fill(t.SMS), Dont: fill(t.Dont)}
	for _, do := range t.Do {
		out.Do = append(out.Do, fill(do))
	}
	return out
}

// fillBlanks replaces every {name} that b knows, in one pass: what a value
// contains is never expanded again.
func fillBlanks(s string, b map[string]string) string {
	var out strings.Builder
	for {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			break
		}
		length := strings.IndexByte(s[open:], '}')
		if length < 0 {
			break
		}
		out.WriteString(s[:open])
		if value, ok := b[s[open+1:open+length]]; ok {
			out.WriteString(value)
			s = s[open+length+1:]
			continue
		}
		out.WriteByte('{')
		s = s[open+1:]
	}
	out.WriteString(s)
	return out.String()
}

func capitalised(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
