package web

import (
	"strings"
	"testing"

	"kentongan/internal/announcement"
)

func TestCorrectingTakesTwoActions(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	srv := newServer(t, h)
	board := call(t, srv, "GET", "/alerts/a1?lang=en", "").Body.String()
	if !strings.Contains(board, `href="/alerts/a1/correct"`) {
		t.Fatal("the board has no way to correct")
	}
	page := call(t, srv, "GET", "/alerts/a1/correct?lang=en", "").Body.String() // the first press
	if !strings.Contains(page, "Tell 1,207 people it was sent in error") || h.closedAs != "" {
		t.Errorf("got %s, want the page to say whom it tells, and nothing done", page)
	}
	w := call(t, srv, "POST", "/alerts/a1/correct", "reason=") // the second
	if w.Header().Get("Location") != "/alerts/a1?done=corrected" || h.closedAs != announcement.AsCorrected {
		t.Errorf("got %d to %q, closed as %q, want it corrected without more to write", w.Code, w.Header().Get("Location"), h.closedAs)
	}
}

func TestAllClearMindsThoseWhoNeedHelp(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	srv := newServer(t, h)
	page := call(t, srv, "GET", "/alerts/a1/clear?lang=en", "").Body.String()
	if !strings.Contains(page, "346 people have not answered. Keep asking them?") || !strings.Contains(page, `value="yes" checked`) {
		t.Errorf("got %s, want to be asked on by default", page)
	}
	w := call(t, srv, "POST", "/alerts/a1/clear?lang=en", "keep=no")
	if w.Code != 422 || h.closedAs != "" || !strings.Contains(w.Body.String(), "People still need help, and nobody handles it.") || !strings.Contains(w.Body.String(), `value="no" checked`) {
		t.Errorf("got %d, closed as %q: %s, want it held back with what was chosen kept", w.Code, h.closedAs, w.Body)
	}
	if w := call(t, srv, "POST", "/alerts/a1/clear", "keep=yes&known=1"); w.Header().Get("Location") != "/alerts/a1?done=cleared-on" || h.closedAs != "" {
		t.Errorf("keep asking: got %q, closed as %q, want it open", w.Header().Get("Location"), h.closedAs)
	}
	if w := call(t, srv, "POST", "/alerts/a1/clear", "keep=no&known=1"); w.Header().Get("Location") != "/alerts/a1?done=cleared" || h.closedAs != announcement.AsAllClear {
		t.Errorf("got %q, closed as %q, want it closed", w.Header().Get("Location"), h.closedAs)
	}
}

func TestUpdateIsShownBeforeItIsSent(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	srv := newServer(t, h)
	w := call(t, srv, "POST", "/alerts/a1/update?lang=en", "look=1&words.en=Use+the+west+gate.")
	if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, "update Use the west gate.") || !strings.Contains(body, `value="Use the west gate."`) {
		t.Errorf("got %d %s, want the words as people would read them, still in the field", w.Code, body)
	}
	if w := call(t, srv, "POST", "/alerts/a1/update", "words.en=Use+the+west+gate."); w.Header().Get("Location") != "/alerts/a1?done=updated" {
		t.Errorf("got %d to %q, want it sent", w.Code, w.Header().Get("Location"))
	}
	if w := call(t, srv, "POST", "/alerts/a1/update?lang=en", "words.en="); w.Code != 422 {
		t.Errorf("without words: got %d, want 422", w.Code)
	}
}

func TestViewersDoNotAct(t *testing.T) {
	t.Parallel()
	srv := newServer(t, newHouse())
	cookie := call(t, srv, "POST", "/signin", "token=v").Result().Cookies()[0].String()
	for _, a := range acts {
		for _, method := range []string{"GET", "POST"} {
			if w := call(t, srv, method, "/alerts/a1/"+a.path, "", "Cookie", cookie); w.Code != 403 {
				t.Errorf("%s %s: got %d, want 403", method, a.path, w.Code)
			}
		}
	}
}
