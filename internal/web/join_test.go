package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestAPersonalLinkConnectsOnlyWhenPressed(t *testing.T) {
	t.Parallel()
	h := newHouse()
	srv := newServer(t, h)
	for range 2 { // a messenger makes a preview, then the person looks
		w := call(t, srv, "GET", "/e/code1", "", "User-Agent", "WhatsApp/2")
		if w.Code != 200 || !strings.Contains(w.Body.String(), "Apakah Anda Siti, Produksi A?") {
			t.Fatalf("got %d %.400s, want 200 and the name", w.Code, w.Body)
		}
	}
	if h.enrolled != 0 {
		t.Fatalf("looking connected %d phones", h.enrolled)
	}
	w := call(t, srv, "POST", "/e/code1", "x=1")
	if w.Code != http.StatusSeeOther || h.enrolled != 1 || !strings.Contains(w.Header().Get("Set-Cookie"), "device=device1") {
		t.Errorf("got %d and %q, want the phone connected", w.Code, w.Header().Get("Set-Cookie"))
	}
	// An open alert waits for an answer: it comes before what is to be set up.
	if got := w.Header().Get("Location"); got != "/me" {
		t.Errorf("leads to %s, want the alert first", got)
	}
	for _, method := range []string{"GET", "POST"} {
		if w := call(t, srv, method, "/e/code3", "x=1"); w.Code != http.StatusGone || !strings.Contains(w.Body.String(), "Minta yang baru ke HR") || !strings.Contains(w.Body.String(), `href="/j"`) {
			t.Errorf("%s of a link that is over: got %d %.300s", method, w.Code, w.Body)
		}
	}
	if w := call(t, srv, "GET", "/e/code2", ""); w.Code != 404 || strings.Contains(w.Body.String(), "Siti") {
		t.Errorf("an unknown link: got %d", w.Code)
	}
}

func TestCodesAsPeopleTypeThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typed, want string // what reaches the house; empty: refused before
		status      int
	}{
		{"482913", "482913", 303},
		{" 482 913 ", "482913", 303},
		{"482-913", "482913", 303},
		{"４８２９１３", "482913", 303},
		{"482914", "482914", 422},
		{"111111", "111111", 422},
		{"999999", "999999", 429},
		{"", "", 422},
		{"48291", "", 422},
		{"4829131", "", 422},
		{"O82913", "", 422},
	} {
		h := newHouse()
		w := call(t, newServer(t, h), "POST", "/j/code", "number=2210&code="+strings.ReplaceAll(c.typed, " ", "+"))
		if got := strings.Join(h.codes, ","); w.Code != c.status || got != c.want {
			t.Errorf("%q: got %d and %q, want %d and %q", c.typed, w.Code, got, c.status, c.want)
		}
		if c.status == 422 && !strings.Contains(w.Body.String(), "<title>Kesalahan:") {
			t.Errorf("%q: the title does not say that something is wrong", c.typed)
		}
	}
}

func TestTheNextPageIsTheSameForEveryNumber(t *testing.T) {
	t.Parallel()
	h := newHouse()
	srv := newServer(t, h)
	pages := map[string]string{}
	for _, number := range []string{"2210", "9999"} {
		w := call(t, srv, "POST", "/j", "number="+number)
		r := httptest.NewRequest("GET", w.Header().Get("Location"), nil)
		for _, c := range w.Result().Cookies() {
			r.AddCookie(c)
		}
		next := httptest.NewRecorder()
		srv.ServeHTTP(next, r)
		pages[number] = strings.ReplaceAll(next.Body.String(), number, "?")
	}
	if pages["2210"] != pages["9999"] || !strings.Contains(pages["2210"], "one-time-code") {
		t.Error("the page after asking tells a known number from an unknown one")
	}
}

func TestAskingForCodesIsLimitedPerAddress(t *testing.T) {
	t.Parallel()
	h := newHouse()
	srv := newServer(t, h)
	for range asksAllowed + 5 {
		call(t, srv, "POST", "/j", "number=1")
	}
	if len(h.asked) != asksAllowed {
		t.Errorf("got %d codes asked for, want %d", len(h.asked), asksAllowed)
	}
}

// TestTheGuidesFitOnEveryPhone weighs what a phone fetches to have the guides
// without a signal.
func TestTheGuidesFitOnEveryPhone(t *testing.T) {
	t.Parallel()
	c := openCompany(t)
	srv := newServer(t, c.house)
	fetched, total := map[string]bool{}, 0
	more := regexp.MustCompile(`"(/guides/[a-z_]+|/static/[a-z]+\.js\?v=[0-9a-f]+)"`)
	todo := []string{"/guides", "/offline", "/guides/phone", "/static/icon-192.png"}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if fetched[path] {
			continue
		}
		fetched[path] = true
		w := call(t, srv, "GET", path, "", "Accept-Encoding", "gzip")
		total += w.Body.Len()
		for _, m := range more.FindAllStringSubmatch(call(t, srv, "GET", path, "").Body.String(), -1) {
			todo = append(todo, m[1])
		}
	}
	// The fake house has one guide; the real one has seven of about this size.
	guide := call(t, srv, "GET", "/guides/fire", "", "Accept-Encoding", "gzip").Body.Len()
	if total += 6 * guide; total > 80*kB {
		t.Errorf("the guides weigh %d bytes, want at most %d", total, 80*kB)
	}
}

func FuzzOnlyDigits(f *testing.F) {
	f.Add("482 913")
	f.Add("４８２９１３")
	f.Add("\xff\x00")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range onlyDigits(s) {
			if (r < '0' || r > '9') && r != 'x' {
				t.Errorf("%q holds %q", onlyDigits(s), r)
			}
		}
	})
}

// TestTheLastWayIsNotTakenSilently: who removes what reaches them last is told.
func TestTheLastWayIsNotTakenSilently(t *testing.T) {
	t.Parallel()
	h := newHouse()
	srv := newServer(t, h)
	const warning = "Nothing would reach you"
	if page := call(t, srv, "GET", "/me/settings?lang=en", "", "Cookie", "device=device1").Body.String(); strings.Contains(page, warning) {
		t.Error("somebody with SMS is warned")
	}
	h.lastDevice = true
	page := call(t, srv, "GET", "/me/settings?lang=en", "", "Cookie", "device=device1").Body.String()
	if strings.Count(page, warning) != 1 || !strings.Contains(page, "Only your other devices reach you then.") {
		t.Errorf("the only device that reaches them is removed without a word, or the wrong one is named")
	}
}
