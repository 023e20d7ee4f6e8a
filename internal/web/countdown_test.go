package web

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
)

// steps walks through the form of an alert as a browser does: each page carries
// the sealed state of the next.
type steps struct {
	t    *testing.T
	srv  http.Handler
	page func(form string) *httptest.ResponseRecorder
	body string
}

func compose(t *testing.T, h *house) *steps {
	t.Helper()
	h.open = true
	srv := newServer(t, h)
	s := &steps{t: t, srv: srv, body: call(t, srv, "GET", "/new?lang=en", "").Body.String()}
	s.page = func(form string) *httptest.ResponseRecorder { return call(t, srv, "POST", "/new?lang=en", form) }
	return s
}

// take sends one step and returns what came back.
func (s *steps) take(fields string) *httptest.ResponseRecorder {
	s.t.Helper()
	w := s.page(fields + "&state=" + url.QueryEscape(html.UnescapeString(stateField.FindStringSubmatch(s.body)[1])))
	if strings.Contains(w.Body.String(), `name="state"`) {
		s.body = w.Body.String()
	}
	return w
}

// write goes as far as the preview.
func (s *steps) write(mode string) {
	s.t.Helper()
	for _, fields := range []string{"step=choose&template=fire&mode=" + mode, "step=write&f.site=A&f.muster=B", "step=who&all=1"} {
		if w := s.take(fields); w.Code != 200 {
			s.t.Fatalf("%s: got %d %s, want 200", fields, w.Code, w.Body)
		}
	}
}

func TestOnlyDoubtsInterrupt(t *testing.T) {
	t.Parallel()
	asleep := []Morning{{At: noon.Add(5 * time.Hour), Zone: "Asia/Jakarta", People: 12}, {At: noon.Add(9 * time.Hour), Zone: "Europe/Berlin", People: 3}}
	info := announcement.Announcement{Severity: announcement.Info, Class: announcement.ClassEmergency}
	notice := announcement.Announcement{Severity: announcement.Info, Class: announcement.ClassNotice}
	fire := announcement.Announcement{Severity: announcement.Extreme, Class: announcement.ClassEmergency}
	for name, tt := range map[string]struct {
		doubts Preview
		want   string // on the page in between; empty: there is none
	}{
		"nothing odd":       {Preview{Usual: [2]int{40, 60}}, ""},
		"nine times":        {Preview{Usual: [2]int{2, 7}}, ""},
		"ten times":         {Preview{Usual: [2]int{4, 6}}, "This is 60 people. The last alerts of this kind went to 4-6."},
		"a moment ago":      {Preview{Repeats: &Repeat{ID: "a1", At: noon.Add(-time.Minute), Share: 95}}, "You sent this 3 minutes ago. Did you mean an update?"},
		"night, no danger":  {Preview{Mornings: asleep, Announcement: info}, "It is night for 15 people"},
		"night, and waits":  {Preview{Mornings: asleep, Announcement: notice}, ""},
		"night and danger":  {Preview{Mornings: asleep, Announcement: fire}, ""},
		"night and unusual": {Preview{Mornings: asleep, Announcement: info, Usual: [2]int{1, 1}}, "This is 60 people. The last alerts of this kind went to 1."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse()
			h.doubts = tt.doubts
			s := compose(t, h)
			s.write("live")
			w := s.take("step=preview")
			asked := !strings.Contains(w.Body.String(), `name="typed"`)
			if asked != (tt.want != "") || !strings.Contains(w.Body.String(), tt.want) {
				t.Fatalf("got %s, want %q in between", w.Body, tt.want)
			}
			if asked {
				if w := s.take("step=doubt"); !strings.Contains(w.Body.String(), `name="typed"`) {
					t.Fatalf("after the doubt: got %s, want the last page", w.Body)
				}
			}
			if w := s.take("step=send&typed=60"); w.Code != 303 || len(h.drafts) != 1 {
				t.Errorf("got %d and %d alerts, want one on its way", w.Code, len(h.drafts))
			}
		})
	}
}

// Whoever sends by a slow sender reads how long it takes, on the preview and on the last page.
func TestPreviewSaysHowLongSMSTake(t *testing.T) {
	t.Parallel()
	const says = "after about 70 minutes"
	for _, took := range []time.Duration{0, 70 * time.Minute} {
		h := newHouse()
		h.doubts.SMSTime = took
		s := compose(t, h)
		s.write("live")
		for page, body := range map[string]string{"preview": s.body, "last page": s.take("step=preview").Body.String()} {
			if strings.Contains(body, "SMS reach the last person") != (took > 0) || strings.Contains(body, says) != (took > 0) {
				t.Errorf("%s, %s of SMS: got %s", page, took, body)
			}
		}
	}
}

func TestDoubtThatComesUpMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHouse()
	s := compose(t, h)
	s.write("live")
	s.take("step=preview")
	h.doubts.Repeats = &Repeat{ID: "a1", At: noon, Share: 100} // a colleague was quicker
	if w := s.take("step=send&typed=60"); len(h.drafts) != 0 || !strings.Contains(w.Body.String(), "Did you mean an update?") {
		t.Errorf("got %d alerts and %s, want to be asked", len(h.drafts), w.Body)
	}
}

func TestCountdownPage(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	h.countdown = Countdown{ID: "c1", Status: announcement.StatusCountdown, People: 1248, By: "Rina", Left: 7600 * time.Millisecond,
		Due: noon.Add(2*time.Minute + 8*time.Second), Severity: announcement.Extreme, Text: h.page.Announcement.Text,
		Draft: Draft{Mode: announcement.Live, Template: "fire", Fields: map[string]string{"site": "Pabrik Cikande", "muster": "Lot B"}}}
	srv := newServer(t, h)
	w := call(t, srv, "GET", "/alerts/c1?lang=en", "")
	if body := w.Body.String(); w.Header().Get("Refresh") != "1" || !strings.Contains(body, "Sending to 1,248 people in 8 s") || !strings.Contains(body, "Cancel: send nothing") {
		t.Errorf("got %q %s, want the countdown", w.Header().Get("Refresh"), body)
	}
	if w := call(t, srv, "GET", "/alerts/a1?lang=en", ""); w.Header().Get("Refresh") != "" {
		t.Error("the board loads itself again")
	}
	h.countdown.Status, h.countdown.Left = announcement.StatusOpen, 0
	w = call(t, srv, "GET", "/alerts/c1?lang=en", "")
	if w.Header().Get("Refresh") != "1" || !strings.Contains(w.Body.String(), "Sending to 1,248 people now") {
		t.Errorf("due, not there yet: got %s", w.Body)
	}
	if w := call(t, srv, "POST", "/alerts/c1/cancel", "x=1"); w.Header().Get("Location") != "/alerts/c1?done=sent-already" {
		t.Errorf("cancelled too late: sent to %q, want the board that says so", w.Header().Get("Location"))
	}
	h.countdown.Status = announcement.StatusCountdown
	if w := call(t, srv, "POST", "/alerts/c1/cancel", "x=1"); w.Header().Get("Location") != "/alerts/c1" {
		t.Errorf("cancelled: sent to %q", w.Header().Get("Location"))
	}
	w = call(t, srv, "GET", "/alerts/c1?lang=en", "")
	if !strings.Contains(w.Body.String(), "Cancelled. Nothing was sent.") || w.Header().Get("Refresh") != "" {
		t.Errorf("got %s, want it to say that nothing was sent", w.Body)
	}
	if !strings.Contains(w.Body.String(), `href="/new?draft=c1"`) {
		t.Error("what was cancelled cannot be edited again")
	}
}
