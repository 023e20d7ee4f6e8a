package announcement

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Reword makes these texts the ones that templates say from now on, by key; a
// template that is not named says what it was made with. Announcements keep the
// words they were announced with.
func (c *Catalogue) Reword(texts map[string]map[Language]Text) {
	edited := maps.Clone(texts)
	c.edited.Store(&edited)
}

// With returns a catalogue in which one template says something else: to measure
// and to try out words before they count.
func (c *Catalogue) With(key string, text map[Language]Text) *Catalogue {
	other := &Catalogue{templates: c.templates, messages: c.messages}
	other.Reword(map[string]map[Language]Text{key: text})
	return other
}

// Said is what a template says now, Original what it was made with.
func (c *Catalogue) Said(key string) map[Language]Text {
	t, _ := c.template(key)
	return maps.Clone(t.Text)
}

// Original is what a template was made with.
func (c *Catalogue) Original(key string) map[Language]Text {
	i := slices.IndexFunc(c.templates, func(t template) bool { return t.Key == key })
	if i < 0 {
		return nil
	}
	return maps.Clone(c.templates[i].Text)
}

// Limits of an edited text.
const (
	maxPush  = 240 // characters of a notification that phones show
	maxDo    = 8   // lines
	maxPart  = 400 // characters of any other part
	smsFirst = "{org}: "
)

// CheckWords says what is wrong with an edited text of a template, each fault
// named by language and part, "id.sms".
func (c *Catalogue) CheckWords(key string, texts map[Language]Text) FieldErrors {
	t, ok := c.template(key)
	if !ok {
		return FieldErrors{{"template", shown(key), "is not one of the templates"}}
	}
	own := append([]string{"time", "hazard", "Hazard"}, t.Fields...)
	own = append(own, slices.Collect(maps.Keys(t.Optional))...)
	personal := append([]string{"org", "link", "reply", "two", "call"}, own...)
	var bad FieldErrors
	for _, lang := range languages {
		text, original := texts[lang], c.Original(key)[lang]
		check := func(part, value string, must bool, limit int, known []string) {
			at := string(lang) + "." + part
			switch {
			case must && strings.TrimSpace(value) == "":
				bad = append(bad, &FieldError{at, "", "is empty"})
			case utf8.RuneCountInString(value) > limit:
				bad = append(bad, &FieldError{at, "", fmt.Sprintf("is longer than %d characters", limit)})
			case strings.ContainsFunc(value, forbidden):
				bad = append(bad, &FieldError{at, "", "contains a line break, control or direction character; type it again as plain text"})
			}
			for _, blank := range blanksIn(value) {
				if !slices.Contains(known, blank) {
					bad = append(bad, &FieldError{at, "{" + shown(blank) + "}", "is not a blank of this text"})
				}
			}
		}
		check("title", text.Title, true, MaxTitle, own)
		check("body", text.Body, true, maxPart, own)
		check("push_title", text.PushTitle, false, maxPush, personal)
		check("push_body", text.PushBody, false, maxPush, personal)
		check("sms", text.SMS, true, maxPart, personal)
		check("dont", text.Dont, false, maxPart, own)
		if len(text.Do) > maxDo {
			bad = append(bad, &FieldError{string(lang) + ".do", "", fmt.Sprintf("has more than %d lines", maxDo)})
		}
		for _, line := range text.Do {
			check("do", line, false, maxPart, own)
		}
		if text.SMS != "" && !strings.HasPrefix(text.SMS, smsFirst) {
			bad = append(bad, &FieldError{string(lang) + ".sms", "", "must begin with {org}: so that people know who writes"})
		}
		for _, blank := range []string{"link", "reply"} { // how people answer cannot be edited away
			if text.SMS != "" && slices.Contains(blanksIn(original.SMS), blank) && !slices.Contains(blanksIn(text.SMS), blank) {
				bad = append(bad, &FieldError{string(lang) + ".sms", "", fmt.Sprintf("must hold {%s}: without it nobody can answer", blank)})
			}
		}
	}
	return bad
}

// blanksIn lists the names in braces.
func blanksIn(s string) []string {
	var out []string
	for {
		_, rest, ok := strings.Cut(s, "{")
		if !ok {
			return out
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return append(out, rest)
		}
		out, s = append(out, name), after
	}
}

// LongSentence is how many words a sentence may have that people read in fear.
const LongSentence = 16

// LongSentences lists the sentences that have more.
func LongSentences(text Text) []string {
	var out []string
	for _, part := range append([]string{text.Body, text.PushBody, text.SMS, text.Dont}, text.Do...) {
		for _, sentence := range strings.FieldsFunc(part, func(r rune) bool { return strings.ContainsRune(".!?:;\n", r) }) {
			if len(strings.Fields(sentence)) > LongSentence && !slices.Contains(out, strings.TrimSpace(sentence)) {
				out = append(out, strings.TrimSpace(sentence))
			}
		}
	}
	return out
}

// PlainlyAround is Plainly for words with blanks, whose braces stay.
func PlainlyAround(text string) string {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{")
		out.WriteString(Plainly(before))
		if !ok {
			return out.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			out.WriteString(Plainly("{" + rest))
			return out.String()
		}
		out.WriteString("{" + name + "}")
		text = after
	}
}
