package web

import (
	"html"
	"net/url"
	"strings"
	"testing"
)

// A draft keeps what was written at each step, goes on where it was left, and is
// gone once it was sent: also when the browser's Back button sent the form that it
// had been saved from.
func TestDraftIsLaidAsideResumedAndSentOnce(t *testing.T) {
	t.Parallel()
	h := newHouse()
	s := compose(t, h)
	srv := s.srv
	s.take("step=choose&mode=live&template=fire")
	if w := s.take("step=save-write&f.site=Hall&f.muster="); w.Code != 303 || w.Header().Get("Location") != "/?done=draft-saved" {
		t.Fatalf("save: got %d to %q", w.Code, w.Header().Get("Location"))
	}
	s.take("step=write&f.site=Hall&f.muster=Lot+B") // the Back button: the same form once more
	if w := s.take("step=save-who&all=1&except=2210"); w.Code != 303 {
		t.Fatalf("save again: got %d", w.Code)
	}
	if len(h.saved) != 1 || h.saved[0].Step != "who" || h.saved[0].Draft.Fields["muster"] != "Lot B" || !h.saved[0].Draft.Audience.All {
		t.Fatalf("got %+v, want one draft with everything that was written", h.saved)
	}
	id := h.saved[0].ID
	if home := call(t, srv, "GET", "/?lang=en", "").Body.String(); !strings.Contains(home, `href="/new?draft=`+id+`"`) {
		t.Error("the first page does not list the draft")
	}
	body := call(t, srv, "GET", "/new?lang=en&draft="+id, "").Body.String()
	if !strings.Contains(body, "Who must hear?") || !strings.Contains(body, `value="2210"`) {
		t.Fatalf("resumed: got %s, want the step where it was left", body)
	}
	resumed := url.QueryEscape(html.UnescapeString(stateField.FindStringSubmatch(body)[1]))
	for range 2 { // two tabs with the same draft, both sent
		body := call(t, srv, "POST", "/new?lang=en", "step=who&all=1&state="+resumed).Body.String()
		for _, step := range []string{"step=preview", "step=send&typed=60"} {
			w := call(t, srv, "POST", "/new?lang=en", step+"&state="+url.QueryEscape(html.UnescapeString(stateField.FindStringSubmatch(body)[1])))
			body = w.Body.String()
		}
	}
	if len(h.drafts) != 1 || len(h.saved) != 0 {
		t.Errorf("got %d alerts and %d drafts, want one and none", len(h.drafts), len(h.saved))
	}
	if w := call(t, srv, "GET", "/new?draft="+id, ""); w.Code != 404 {
		t.Errorf("a draft that was sent: got %d, want 404", w.Code)
	}
}

func TestDraftIsDeleted(t *testing.T) {
	t.Parallel()
	h := newHouse()
	s := compose(t, h)
	srv := s.srv
	s.take("step=choose&mode=drill&template=fire")
	s.take("step=save-write&f.site=Hall")
	if w := call(t, srv, "POST", "/drafts/"+h.saved[0].ID+"/delete", "x=1"); w.Code != 303 || len(h.saved) != 0 {
		t.Errorf("got %d and %d drafts, want none left", w.Code, len(h.saved))
	}
}

// Whoever changes one language after having looked at both is asked whether the
// other still says the same, once.
func TestLanguageThatWasNotChangedIsNamed(t *testing.T) {
	t.Parallel()
	h := newHouse()
	s := compose(t, h)
	write := func(id, en string) string {
		t.Helper()
		s.take("step=write&severity=info&answers=read&title.id=Air&title.en=Water&body.id=" + id + "&body.en=" + en)
		return s.take("step=who&all=1").Body.String()
	}
	s.take("step=choose&mode=live&template=own")
	if first := write("Air+mati.", "The+water+is+off."); strings.Contains(first, "was not changed") {
		t.Error("a first text is said to be unchanged")
	}
	s.take("step=to-write")
	if again := write("Air+mati.", "The+water+is+back."); !strings.Contains(again, "Bahasa Indonesia was not changed.") || strings.Contains(again, "English was not changed.") {
		t.Errorf("got %s, want Indonesian named", again)
	}
	s.take("step=to-write")
	if both := write("Air+hidup.", "The+water+is+on."); strings.Contains(both, "was not changed") {
		t.Error("both were changed")
	}
}
