package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

// Revision is another text of an open announcement. What was made from a template is
// filled anew from Fields, or says Text.
type Revision struct {
	Text     map[announcement.Language]announcement.Text `json:"text,omitempty"`
	Fields   map[string]string                           `json:"fields,omitempty"`
	Material bool                                        `json:"material" doc:"A new version: everybody is asked again. Otherwise a typo is mended and nobody is called"`
	Changed  map[announcement.Language]string            `json:"changed,omitempty" doc:"What changed, in at most 60 characters; needed with material"`
}

// revise shows how a changed text would reach people, or changes it. Whether they must
// answer again is asked of the sender each time: no program can tell a typo from
// another assembly point.
func (s *Server) revise(r *http.Request, v *actView) (string, error) {
	v.Revision = &Revision{Changed: map[announcement.Language]string{}}
	for _, lang := range ownLanguages {
		if words := strings.Join(strings.Fields(r.PostFormValue("changed."+string(lang))), " "); words != "" {
			v.Revision.Changed[lang] = words
		}
	}
	v.Words = v.Revision.Changed
	draft := Draft{Template: r.PostFormValue("template")}
	readWords(r, &draft)
	v.Revision.Text, v.Revision.Fields = draft.Text, draft.Fields
	v.Again = r.PostFormValue("again")
	v.Revision.Material = v.Again == "yes"
	if r.PostFormValue("look") != "" {
		return "", nil
	}
	if v.Again != "yes" && v.Again != "no" {
		return "", fault("again", "Say whether people must answer again.")
	}
	if !v.Revision.Material {
		v.Revision.Changed = nil
	}
	_, err := s.Desk.Revise(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), *v.Revision)
	if v.Revision.Material {
		return "revised", err
	}
	return "typo-corrected", err
}

// ReviseTexts are the fields of a text in own words.
func (v actView) ReviseTexts() []ownText {
	text := v.Act.Text
	if v.Revision != nil {
		text = v.Revision.Text
	}
	var out []ownText
	for _, lang := range ownLanguages {
		if _, asked := v.Act.Text[lang]; asked {
			out = append(out, ownText{lang, text[lang].Title, text[lang].Body, text[lang].SMS})
		}
	}
	return out
}

// ReviseBlanks are the fields of what was made from a template.
func (v actView) ReviseBlanks() []blank {
	if v.Template == "" || v.Act.Fields == nil {
		return nil
	}
	values := v.Act.Fields
	if v.Revision != nil {
		values = v.Revision.Fields
	}
	form := composeView{page: v.page, Template: v.Form}
	form.Draft.Fields = values
	return form.blanks(slices.Concat(firstBlanks, lastBlanks), slices.Sorted(maps.Keys(v.Act.Fields)))
}

// ChangedTexts are the fields that say what changed.
func (v actView) ChangedTexts() []updateText {
	var out []updateText
	for _, lang := range ownLanguages {
		out = append(out, updateText{lang, v.Words[lang], announcement.MaxUpdateSMS})
	}
	return out
}

// Blank is a blank with what is wrong with it.
func (v actView) Blank(b blank) blankField { return blankField{v.page, b, v.Fault("fields." + b.Key)} }
