package web

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

// Picked reports whether a box was ticked before.
func (v composeView) Picked(chosen []string, name string) bool { return slices.Contains(chosen, name) }

// Join writes employee numbers back into their field.
func (v composeView) Join(numbers []string) string { return strings.Join(numbers, " ") }

// OwnWords reports whether the sender went back from writing their own text.
func (v composeView) OwnWords() bool { return v.Draft.Mode != "" && v.Draft.Template == "" }

// Severity is how serious the draft is, as far as it is known at this step.
func (v composeView) Severity() announcement.Severity {
	for _, s := range []announcement.Severity{v.Preview.Announcement.Severity, v.Draft.Severity, v.Template.Severity} {
		if s != "" {
			return s
		}
	}
	return announcement.Extreme // the first choice of one's own text
}

// BandClass is the colour of the band above the form.
func (v composeView) BandClass() string { return bandOf(v.Draft.Mode, v.Severity()) }

// Subject is what the draft is about.
func (v composeView) Subject() string {
	name := v.T("My own text")
	if v.Template.Key != "" {
		name = v.Template.Name[v.Lang]
	}
	for _, place := range []string{v.Draft.Fields["site"], v.Own(v.Lang).Title} {
		if place != "" {
			return name + ": " + place
		}
	}
	return name
}

// Own is the sender's own text in a language.
func (v composeView) Own(lang announcement.Language) announcement.Text { return v.Draft.Text[lang] }

// step is one of the steps above the form.
type step struct {
	Name      string
	Now, Done bool
}

// Steps are the steps of an alert.
func (v composeView) Steps() []step {
	all := []step{{Name: "Choose"}, {Name: "Write"}, {Name: "Who"}, {Name: "Look"}, {Name: "Send"}}
	now := slices.Index([]string{"choose", "write", "who", "preview", "confirm"}, strings.Replace(v.Step, "doubt", "confirm", 1))
	for i := range all {
		all[i].Now, all[i].Done = i == now, i < now
	}
	return all
}

// blank is a blank of a prepared text.
type blank struct {
	Key, Label, Example, Value string
	Must, Tick                 bool
}

// fieldWords name the blanks of the prepared texts: a label, and an example as it
// would stand there.
var fieldWords = map[string][2]string{
	"site": {"Site", ""}, "muster": {"Assembly point", "Car park B"}, "place": {"Exact place", "Building 2, floor 3"},
	"event": {"What happened", "an explosion in the store"}, "date": {"From which day", "Monday 25 November"}, "reason": {"Reason", "flood on the access road"},
	"pay_rule": {"Pay", "paid as usual"}, "next": {"Time of the next update", "6 pm"}, "substance": {"Substance", "ammonia"},
	"police_status": {"The police have been called", ""},
}

// Blanks of a warning, in the order in which people need its parts: what, where,
// what to do, when.
var (
	firstBlanks = []string{"event", "substance", "site", "place", "reason", "police_status"}
	lastBlanks  = []string{"date", "next", "muster", "pay_rule"}
)

// FirstBlanks are the blanks that say what has happened and where.
func (v composeView) FirstBlanks() []blank { return v.blanks(firstBlanks, lastBlanks) }

// LastBlanks are the blanks that say when, and where to go.
func (v composeView) LastBlanks() []blank { return v.blanks(lastBlanks, nil) }

// blanks are those of the chosen text in this order, then others that are in
// neither list.
func (v composeView) blanks(order, other []string) []blank {
	var out []blank
	add := func(key string) {
		must := slices.Contains(v.Template.Fields, key)
		if !must && !slices.Contains(v.Template.Optional, key) {
			return
		}
		words, ok := fieldWords[key]
		if !ok {
			words[0] = key
		}
		out = append(out, blank{Key: key, Label: words[0], Example: v.T(words[1]), Value: v.Draft.Fields[key], Must: must, Tick: slices.Contains(v.Template.Ticks, key)})
	}
	for _, key := range order {
		add(key)
	}
	if other != nil {
		for _, key := range append(slices.Clone(v.Template.Fields), v.Template.Optional...) {
			if !slices.Contains(order, key) && !slices.Contains(other, key) {
				add(key)
			}
		}
	}
	return out
}

// Hazard is what the prepared text is about.
func (v composeView) Hazard() string { return v.Template.Name[v.Lang] }

// DoNow is the instruction of the prepared text, in the reader's language.
func (v composeView) DoNow() string {
	do := ""
	for _, c := range v.SMS {
		if do == "" || c.Lang == v.Lang {
			do = c.Do
		}
	}
	return do
}

// option is one line of a list to choose from.
type option struct {
	Value, Label string
	On           bool
}

func options(on string, pairs ...string) []option {
	var out []option
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, option{pairs[i], pairs[i+1], pairs[i] == on})
	}
	return out
}

// Severities are the degrees of one's own text.
func (v composeView) Severities() []option {
	return options(string(v.Draft.Severity), "extreme", "Life in danger now", "severe", "Danger is likely", "moderate", "Work is affected", "info", "Good to know")
}

// Questions are what one's own text can ask.
func (v composeView) Questions() []option {
	return options(string(v.Draft.Answers), "safety", "Are you safe?", "read", "Have you understood this?")
}

// ownText is the sender's own text in one language.
type ownText struct {
	Lang             announcement.Language
	Title, Body, SMS string
}

// Texts are the sender's own texts, also those not written yet.
func (v composeView) Texts() []ownText {
	out := make([]ownText, len(ownLanguages))
	for i, lang := range ownLanguages {
		t := v.Own(lang)
		out[i] = ownText{lang, t.Title, t.Body, t.SMS}
	}
	return out
}

// message is what people get, in one language.
type message struct {
	Lang announcement.Language
	Push [2]string
	SMS  SMSPreview
}

// Messages is what people get, Indonesian first.
func (v composeView) Messages() []message { return messages(v.Preview.Push, v.Preview.SMS) }

func messages(push map[announcement.Language][2]string, sms map[announcement.Language]SMSPreview) []message {
	var out []message
	for _, lang := range slices.SortedFunc(maps.Keys(push), indonesianFirst) {
		out = append(out, message{lang, push[lang], sms[lang]})
	}
	return out
}

func indonesianFirst(a, b announcement.Language) int {
	switch {
	case a == b:
		return 0
	case a == announcement.Indonesian:
		return -1
	case b == announcement.Indonesian:
		return 1
	}
	return strings.Compare(string(a), string(b))
}

// Tongues says how many people read which language.
func (v composeView) Tongues() []string {
	var out []string
	for _, lang := range slices.SortedFunc(maps.Keys(v.Preview.Languages), indonesianFirst) {
		out = append(out, v.LanguageName(lang)+" "+v.N(v.Preview.Languages[lang]))
	}
	return out
}

// others are people whose language the text lacks.
type others struct {
	People         int
	Names, Instead string
}

// Others sums up the people who get another language than their own.
func (v composeView) Others() *others {
	o := &others{}
	for _, lang := range slices.SortedFunc(maps.Keys(v.Preview.Fallback), func(a, b announcement.Language) int {
		return v.Preview.Fallback[b] - v.Preview.Fallback[a]
	}) {
		if o.People > 0 {
			o.Names += ", "
		}
		_, instead, _ := v.Preview.Announcement.In(lang)
		o.People, o.Instead = o.People+v.Preview.Fallback[lang], v.LanguageName(instead)
		o.Names += v.LanguageName(lang) + " " + v.N(v.Preview.Fallback[lang])
	}
	if o.People == 0 {
		return nil
	}
	return o
}

// shownUnreached is how many names the preview lists.
const shownUnreached = 200

// Unreached are those whom nothing reaches, as many as a page lists.
func (v composeView) Unreached() []Name {
	return v.Preview.Unreachable[:min(len(v.Preview.Unreachable), shownUnreached)]
}

// ReachLine is how many people each channel reaches: "Push 702, SMS 1,190".
func (v composeView) ReachLine() string {
	var said []string
	for _, c := range v.Preview.Announcement.Channels {
		if c != announcement.InApp { // an open page is a bonus
			said = append(said, v.ChannelName(c)+" "+v.N(v.Preview.Reach[c]))
		}
	}
	return strings.Join(said, ", ")
}

// SMSTimeLine says how long SMS take to go out, where that is long.
func (v composeView) SMSTimeLine() string {
	if v.Preview.SMSTime == 0 {
		return ""
	}
	minutes := v.N(int(v.Preview.SMSTime.Minutes()))
	if slices.Contains(v.Preview.Announcement.Channels, announcement.WebPush) {
		return v.T("SMS reach the last person after about %s {minute|minutes}; notifications go out at once.", minutes)
	}
	return v.T("SMS reach the last person after about %s {minute|minutes}.", minutes)
}

// Where says at which sites the people are, the largest first.
func (v composeView) Where() string {
	const most = 5
	var said []string
	for _, s := range v.Preview.Sites {
		if len(said) == most {
			said = append(said, "…")
			break
		}
		said = append(said, s.Name+" "+v.N(s.People))
	}
	return strings.Join(said, ", ")
}

// Astray is the site that the words name while nobody who is told is there: most often
// the place was changed on one page and not on the other.
func (v composeView) Astray() string {
	named := strings.TrimSpace(v.Draft.Fields["site"])
	if named == "" || len(v.Preview.Sites) == 0 {
		return ""
	}
	for _, s := range v.Preview.Sites {
		if strings.Contains(strings.ToLower(s.Name), strings.ToLower(named)) || strings.Contains(strings.ToLower(named), strings.ToLower(s.Name)) {
			return ""
		}
	}
	return named
}

// Failures say for each channel that does not work now whom that leaves with
// less, or with nothing.
func (v composeView) Failures() []string {
	var out []string
	for _, c := range announcement.Channels {
		why, fails := v.Preview.Failing[c]
		if !fails {
			continue
		}
		out = append(out, v.T("%s does not go out now (%s): %s {person|people} would get only the other channels, %s nothing.",
			v.ChannelName(c), v.word(why), v.N(v.Preview.Hit[c].Others), v.N(v.Preview.Hit[c].Nothing)))
	}
	return out
}

// blankField is a blank on the page.
type blankField struct {
	page
	blank
	Fault string
}

// Blank is a blank with what is wrong with it.
func (v composeView) Blank(b blank) blankField {
	return blankField{v.page, b, v.Fault("fields." + b.Key)}
}

// Describes are the ids of what belongs to the field.
func (b blankField) Describes() string {
	var ids []string
	if b.Example != "" {
		ids = append(ids, "h."+b.Key)
	}
	if b.Fault != "" {
		ids = append(ids, "e."+b.Key)
	}
	return strings.Join(ids, " ")
}

// Readers are how many people read this language, or get it for want of their
// own.
func (v composeView) Readers(lang announcement.Language) int {
	n := 0
	for own, people := range v.Preview.Languages {
		if _, gets, _ := v.Preview.Announcement.In(own); gets == lang {
			n += people
		}
	}
	return n
}

// Buttons are what people can press, in a language.
func (v composeView) Buttons(lang announcement.Language) []string {
	p := v.page
	p.Lang = lang
	if v.Preview.Announcement.Answers == announcement.Read {
		return []string{p.T("Understood"), p.T("I have a problem")}
	}
	return []string{p.T("I'm safe"), p.T("I need help")}
}

// PageIn is the text of the page behind the link, in a language.
func (v composeView) PageIn(lang announcement.Language) announcement.Text {
	return v.Preview.Announcement.Text[lang]
}

// Reaches is how many people a channel reaches.
func (v composeView) Reaches(c announcement.Channel) int { return v.Preview.Reach[c] }

// Linked reports whether an SMS leads to the page where people answer.
func (v composeView) Linked(sms string) bool { return strings.Contains(sms, "/r/") }

// unchanged are the languages whose text stayed as it was while another changed:
// most likely they no longer say the same.
func unchanged(before, now map[announcement.Language]announcement.Text) []announcement.Language {
	var same []announcement.Language
	for _, lang := range ownLanguages {
		was, shown := before[lang]
		if is, ok := now[lang]; shown && ok && reflect.DeepEqual(was, is) {
			same = append(same, lang)
		}
	}
	if len(same) == len(now) {
		return nil
	}
	return same
}
