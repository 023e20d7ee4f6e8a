package announcement

import "slices"

// Guide is what to do in one kind of emergency, to be read before there is one.
type Guide struct {
	Key    string
	Name   string
	Action string // the one line that matters most
	Do     []string
	Dont   string
}

// guided are the templates that tell people how to save themselves. The others
// say what a company has arranged, which nobody knows beforehand.
var guided = []string{"earthquake", "fire", "flood", "tsunami", "chemical", "active_threat", "cyber"}

// Guides returns what to do in each kind of emergency. muster is the assembly
// point of the reader's site; empty where it is not known.
func (c *Catalogue) Guides(lang Language, muster string) []Guide {
	lang = wordsIn(lang)
	if muster == "" {
		muster = map[Language]string{Indonesian: "titik kumpul", English: "the assembly point"}[lang]
	}
	blanks := map[string]string{"muster": muster}
	var out []Guide
	for _, key := range guided {
		t, ok := c.template(key)
		if !ok {
			continue
		}
		text := fillText(t.Text[lang], blanks)
		out = append(out, Guide{Key: key, Name: t.Name[lang], Action: text.PushBody, Do: slices.Clone(text.Do), Dont: text.Dont})
	}
	return out
}
