package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

// smsCount is how long the SMS in one language becomes.
type smsCount struct {
	Lang announcement.Language
	SMSCount
}

// Mends reports whether the awkward characters can be replaced at a tap.
func (c smsCount) Mends() bool {
	return slices.ContainsFunc(c.Awkward, func(a announcement.Awkward) bool { return a.Mends })
}

// Refused reports whether an urgent SMS must not go out like this.
func (c smsCount) Refused() bool { return c.Over > 0 || len(c.Awkward) > 0 }

// smsCounts measures a draft in its languages, Indonesian first; nothing where it
// cannot be measured yet.
func (s *Server) smsCounts(ctx context.Context, d Draft) []smsCount {
	counts, err := s.Desk.CountSMS(ctx, d)
	if err != nil {
		counts = map[announcement.Language]SMSCount{}
	}
	if d.Template == "" {
		for _, lang := range ownLanguages { // their place on the page, for the script
			if _, ok := counts[lang]; !ok {
				counts[lang] = SMSCount{}
			}
		}
	}
	var out []smsCount
	for _, lang := range slices.SortedFunc(maps.Keys(counts), indonesianFirst) {
		out = append(out, smsCount{lang, counts[lang]})
	}
	return out
}

// urgent reports whether an SMS of this severity has to be one plain message:
// on Indonesian networks longer ones may arrive in pieces, or not at all.
func urgent(sev announcement.Severity) bool {
	return sev == announcement.Extreme || sev == announcement.Severe
}

// Urgent is urgent for the page.
func (v composeView) Urgent() bool { return urgent(v.Severity()) }

// tooLong refuses an urgent SMS that is not one plain message. Everything else is
// shortened, or costs more.
func (s *Server) tooLong(ctx context.Context, d Draft) announcement.FieldErrors {
	v := composeView{composing: composing{Draft: d}}
	for _, t := range s.Desk.Templates() {
		if t.Key == d.Template {
			v.Template = t
		}
	}
	if !v.Urgent() {
		return nil
	}
	var errs announcement.FieldErrors
	for _, c := range s.smsCounts(ctx, d) {
		for _, a := range c.Awkward {
			errs = append(errs, &announcement.FieldError{Field: fieldWith(d, c.Lang, a.Char), Why: fmt.Sprintf("replace %s (%s)", a.Char, a.Name)})
		}
		if c.Over > 0 {
			errs = append(errs, &announcement.FieldError{Field: longestField(d, c.Lang), Why: v.tooMany(c)})
		}
	}
	var once announcement.FieldErrors
	for _, e := range errs { // both languages hold the same blanks
		if !slices.ContainsFunc(once, func(o *announcement.FieldError) bool { return *o == *e }) {
			once = append(once, e)
		}
	}
	return once
}

func (v composeView) tooMany(c smsCount) string {
	return fmt.Sprintf("remove %s characters from the SMS (%s): it has to be one message", v.N(c.Over), v.LanguageName(c.Lang))
}

// fieldWith is the field that holds a character.
func fieldWith(d Draft, lang announcement.Language, char string) string {
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		if strings.Contains(d.Fields[name], char) {
			return "fields." + name
		}
	}
	at, t := "text."+string(lang), d.Text[lang]
	switch {
	case strings.Contains(t.SMS, char):
		return at + ".sms"
	case strings.Contains(t.Title, char):
		return at + ".title"
	}
	return at + ".body"
}

// longestField is the field from which it is easiest to take something away.
func longestField(d Draft, lang announcement.Language) string {
	if d.Template == "" {
		if d.Text[lang].SMS != "" || d.Text[lang].Body == "" {
			return "text." + string(lang) + ".sms"
		}
		return "text." + string(lang) + ".body"
	}
	longest := ""
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		if longest == "" || len([]rune(d.Fields[name])) > len([]rune(d.Fields[longest])) {
			longest = name
		}
	}
	return "fields." + longest
}

// plainly replaces the awkward characters in everything that the author wrote.
func plainly(d *Draft) {
	for name, value := range d.Fields {
		d.Fields[name] = announcement.Plainly(value)
	}
	for lang, t := range d.Text {
		t.Title, t.Body, t.SMS = announcement.Plainly(t.Title), announcement.Plainly(t.Body), announcement.Plainly(t.SMS)
		d.Text[lang] = t
	}
}

// siteNamed is the site that a text is about, if people are registered there.
func (s *Server) siteNamed(name string) []string {
	for _, c := range s.Desk.Sitelist() {
		if strings.EqualFold(c.Name, name) {
			return []string{c.Name}
		}
	}
	return nil
}

// MusterOf is the usual assembly point of a site, if it is known.
func (v composeView) MusterOf(site string) string {
	for _, p := range v.places {
		if strings.EqualFold(p.Name, site) && len(p.Assembly) > 0 {
			return p.Assembly[0]
		}
	}
	return ""
}

// countSMS answers the script of the form while somebody writes. It changes
// nothing.
func (s *Server) countSMS(w http.ResponseWriter, r *http.Request) {
	v, ok := s.part(w, r)
	if !ok {
		return
	}
	readWords(r, &v.Draft)
	v.SMS = s.smsCounts(r.Context(), v.Draft)
	s.show(w, r, http.StatusOK, "new", "counters", v)
}

// countPeople answers the script of the form while somebody chooses whom to call.
func (s *Server) countPeople(w http.ResponseWriter, r *http.Request) {
	v, ok := s.part(w, r)
	if !ok {
		return
	}
	v.Draft.Audience = readAudience(r)
	p, err := s.Desk.Preview(r.Context(), principalOf(r.Context()), v.Draft)
	switch v.Errors = faults(err); {
	case err != nil && v.Errors == nil:
		s.fail(w, r, "count", err)
		return
	case v.Draft.Audience.IsZero():
		v.Errors = nil
	case err == nil:
		v.Preview, v.Counted = p, true
	}
	s.show(w, r, http.StatusOK, "new", "heads", v)
}

// part prepares a part of the form that the script asks for.
func (s *Server) part(w http.ResponseWriter, r *http.Request) (composeView, bool) {
	v := composeView{page: s.page(r, "New alert")}
	if !s.seal.get("compose", r.PostFormValue("state"), &v.composing) {
		w.WriteHeader(http.StatusUnprocessableEntity) // the form is too old: its own step will say so
		return v, false
	}
	for _, t := range s.Desk.Templates() {
		if t.Key == v.Draft.Template {
			v.Template = t
		}
	}
	return v, true
}
