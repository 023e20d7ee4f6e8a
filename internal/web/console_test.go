package web

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestPagesAreMade(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	srv := newServer(t, h)
	for path, want := range map[string]string{
		"/": "New alert", "/new": "REAL emergency", "/people": "Import a file", "/people/import": "CSV", "/sites": "Lapangan parkir B", "/groups": "Fire wardens", "/person/2210": "Agus", "/people/import/u6/check": "Excel has damaged", "/inbox": "terjebak", "/signin": "Access token",
		"/alerts/a1": "346</span> without answer", "/alerts/a1/people?state=need_help": "Agus", "/alerts/a1/people/4": "How do you know?",
		"/alerts/a1/correct": "sent in error", "/t/" + goodToken: "Agus", "/e/code1": "<form", "/me": "Siti",
		"/sw.js": "showNotification", "/app.webmanifest": "start_url", "/static/app.css": "--extreme", "/static/icon-192.png": "PNG",
	} {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		w := call(t, srv, "GET", path+sep+"lang=en", "", "Cookie", "device=device1")
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s, want 200 with %q", path, w.Code, w.Body, want)
		}
	}
	if len(h.presses)+len(h.drafts)+len(h.marks)+h.claims != 0 || h.closedAs != "" {
		t.Error("a GET changed something")
	}
}

func TestConsoleNeedsSignIn(t *testing.T) {
	t.Parallel()
	srv := newServer(t, newHouse())
	if w := call(t, srv, "GET", "/alerts/a1?site=B", ""); w.Header().Get("Location") != "/signin?to=%2Falerts%2Fa1%3Fsite%3DB" {
		t.Errorf("got %d to %q, want the sign-in page, and the board afterwards", w.Code, w.Header().Get("Location"))
	}
	w := call(t, srv, "POST", "/signin", "token=v")
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("got %v, want one HttpOnly Lax cookie", cookies)
	}
	if w := call(t, srv, "POST", "/alerts/a1/clear", "known=1&keep=no", "Cookie", cookies[0].String()); w.Code != 403 {
		t.Errorf("viewer closes: got %d, want 403", w.Code)
	}
}

// A session that ends in the middle brings people back to where they were, with
// their text; and nobody is brought anywhere else.
func TestSessionEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	srv := newServer(t, newHouse())
	to := func(form string) string { return call(t, srv, "POST", "/signin", form).Header().Get("Location") }
	for form, want := range map[string]string{
		"token=v": "/", "token=v&to=/alerts/a1%3Fsite%3DB": "/alerts/a1?site=B",
		"token=v&to=//evil.example/": "/", "token=v&to=https://evil.example/": "/", "token=v&to=/%5Cevil.example": "/", "token=v&to=javascript:1": "/",
	} {
		if got := to(form); got != want {
			t.Errorf("%s: got %q, want %q", form, got, want)
		}
	}
	const words = `Use the "west" gate <now>`
	carry := func(body string) url.Values { // as a browser would send the hidden fields of the page
		form := url.Values{}
		for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`).FindAllStringSubmatch(body, -1) {
			form.Add(m[1], html.UnescapeString(m[2]))
		}
		return form
	}
	w := call(t, srv, "POST", "/alerts/a1/update?lang=en", url.Values{"words.en": {words}, "words.id": {"Lewat barat"}}.Encode())
	if w.Code != 401 || !strings.Contains(w.Body.String(), "What you wrote is kept") {
		t.Fatalf("got %d %s, want a page that asks who it is and keeps the text", w.Code, w.Body)
	}
	form := carry(w.Body.String())
	form.Set("token", "wrong")
	w = call(t, srv, "POST", "/signin?lang=en", form.Encode())
	form = carry(w.Body.String())
	if w.Code != 401 || form.Get("kept.words.en") != words {
		t.Fatalf("after a wrong token: got %d and %v, want the text still kept", w.Code, form)
	}
	form.Set("token", "v")
	w = call(t, srv, "POST", "/signin?lang=en", form.Encode())
	if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, `action="/alerts/a1/update?lang=en"`) || carry(body).Get("words.en") != words || carry(body).Get("words.id") != "Lewat barat" {
		t.Errorf("got %d %s, want the form to go on with", w.Code, body)
	}
	if w := call(t, srv, "POST", "/new/count", "x=1", "HX-Request", "true"); w.Code != 401 || w.Body.Len() != 0 {
		t.Errorf("a part of a page: got %d %q, want the page left as it is", w.Code, w.Body)
	}
}

// Whoever comes back from the company's sign-in goes where they wanted, if they
// were sent there from here.
func TestCompanySignIn(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.sso = true
	srv := newServer(t, h)
	w := call(t, srv, "GET", "/signin/sso?to=/alerts/a1", "")
	if w.Code != 303 || w.Header().Get("Location") != "https://sso.contoh.example/authorize?state=x" {
		t.Fatalf("got %d to %q, want the provider", w.Code, w.Header().Get("Location"))
	}
	kept := w.Result().Cookies()[0].String()
	for back, want := range map[string]string{
		"?state=x&code=rina": "", "?state=other&code=rina": "did not let you in", "?state=x&code=guest": "nobody has given you a right", "?state=x": "does not answer",
	} {
		w := call(t, srv, "GET", "/signin/sso/back"+back+"&lang=en", "", "Cookie", kept)
		if want == "" && (w.Code != 303 || w.Header().Get("Location") != "/alerts/a1" || len(w.Result().Cookies()) < 2) {
			t.Errorf("%s: got %d to %q, want to be let in", back, w.Code, w.Header().Get("Location"))
		}
		if want != "" && (w.Code != 401 || !strings.Contains(w.Body.String(), want)) {
			t.Errorf("%s: got %d %s, want %q", back, w.Code, w.Body, want)
		}
	}
	if w := call(t, srv, "GET", "/signin/sso/back?state=x&code=rina", ""); w.Code != 401 {
		t.Errorf("without having been sent: got %d, want it refused", w.Code)
	}
}

var stateField = regexp.MustCompile(`name="state" value="([^"]+)"`)

func TestComposeSendsOnceAndCounts(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	srv := newServer(t, h)
	body := call(t, srv, "GET", "/new?lang=en", "").Body.String()
	step := func(fields string) (int, string) {
		form := fields + "&state=" + url.QueryEscape(html.UnescapeString(stateField.FindStringSubmatch(body)[1]))
		w := call(t, srv, "POST", "/new?lang=en", form)
		if strings.Contains(w.Body.String(), `name="state"`) {
			body = w.Body.String()
		}
		return w.Code, w.Body.String()
	}
	if code, _ := step("step=choose"); code != 422 {
		t.Fatalf("no choice: got %d, want 422", code)
	}
	for _, fields := range []string{"step=choose&mode=live&template=fire", "step=write&f.site=A&f.muster=B", "step=who&all=1", "step=preview"} {
		if code, text := step(fields); code != 200 {
			t.Fatalf("%s: got %d %s, want 200", fields, code, text)
		}
	}
	if !strings.Contains(body, "Send REAL alert to 60 people") {
		t.Error("the button does not name the act and the number")
	}
	if _, text := step("step=send&typed=6"); !strings.Contains(text, "You typed 6. This alert goes to 60 people.") {
		t.Error("a wrong number is not named")
	}
	h.people = 61
	if code, _ := step("step=send&typed=61"); code != 422 || len(h.drafts) != 0 {
		t.Errorf("changed headcount: got %d and %d announcements, want 422 and none", code, len(h.drafts))
	}
	h.prepareErr = ErrNotYet
	if _, text := step("step=send&typed=61"); !strings.Contains(text, "Not recorded yet. Send it again") || !strings.Contains(text, `name="typed"`) || len(h.drafts) != 0 {
		t.Error("while nothing can be recorded the alert is not kept on its page")
	}
	h.prepareErr = nil
	for range 2 {
		if code, text := step("step=send&typed=61"); code != 303 {
			t.Fatalf("send: got %d %s, want 303", code, text)
		}
	}
	if len(h.drafts) != 1 {
		t.Errorf("got %d announcements, want 1", len(h.drafts))
	}
}
