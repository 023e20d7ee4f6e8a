package web

import (
	"net/http"
	"strings"
	"testing"
)

// Whether people must answer again is said each time, and what is written is kept.
func TestReviseAsksWhetherPeopleMustAnswerAgain(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	srv := newServer(t, h)
	form := "title.id=Gempa&body.id=Keluar+lewat+barat.&title.en=Quake&body.en=Leave+by+the+west.&changed.en=Use+the+west+gate."
	post := func(more string) (int, string) {
		w := call(t, srv, "POST", "/alerts/a1/revise", form+more, "Sec-Fetch-Site", "same-origin")
		return w.Code, w.Body.String() + w.Header().Get("Location")
	}
	if code, body := post(""); code != http.StatusUnprocessableEntity || !strings.Contains(body, "Use the west gate.") {
		t.Errorf("not said: got %d, want it asked for and the words kept", code)
	}
	if code, _ := post("&again=yes&look=1"); code != http.StatusOK || len(h.revisions) != 0 {
		t.Errorf("looking: got %d and %d revisions, want none", code, len(h.revisions))
	}
	if code, to := post("&again=yes"); code != http.StatusSeeOther || !strings.Contains(to, "done=revised") {
		t.Errorf("again: got %d %s", code, to)
	}
	if code, to := post("&again=no"); code != http.StatusSeeOther || !strings.Contains(to, "done=typo-corrected") {
		t.Errorf("a typo: got %d %s", code, to)
	}
	if len(h.revisions) != 2 || !h.revisions[0].Material || h.revisions[0].Changed["en"] != "Use the west gate." || h.revisions[0].Text["id"].Body != "Keluar lewat barat." ||
		h.revisions[1].Material || len(h.revisions[1].Changed) != 0 {
		t.Errorf("got %+v", h.revisions)
	}
}
