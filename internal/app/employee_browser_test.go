package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
)

// plantFields fill the blanks of the alerts of these tests.
const plantFields = `{"site": "Pabrik Cikande", "muster": "Lapangan parkir B"}`

// state returns the state of one person in an announcement, and how they answered.
func (p *plant) state(id, number string) (state string, late bool) {
	p.t.Helper()
	var page struct {
		Recipients []struct {
			Number, State string
			Late          bool
		}
	}
	if err := p.API.Call(p.t.Context(), http.MethodGet, "/api/v1/announcements/"+id+"/recipients", "", nil, &page); err != nil {
		p.t.Fatal(err)
	}
	for _, r := range page.Recipients {
		if r.Number == number {
			return r.State, r.Late
		}
	}
	p.t.Fatalf("%s is no recipient", number)
	return "", false
}

func (p *plant) waitState(id, number, want string) {
	p.t.Helper()
	apptest.Eventually(p.t, pageWait, number+" to be "+want, func() (bool, string) {
		got, _ := p.state(id, number)
		return got == want, got
	})
}

// answers returns what the timeline says a person answered, oldest first.
func (p *plant) answers(id, number string) []string {
	p.t.Helper()
	var page struct {
		Entries []struct{ Kind, Person, What string }
	}
	if err := p.API.Call(p.t.Context(), http.MethodGet, "/api/v1/announcements/"+id+"/timeline", "", nil, &page); err != nil {
		p.t.Fatal(err)
	}
	var out []string
	for _, e := range page.Entries {
		if e.Person == number && (e.Kind == "answered" || e.Kind == "vouched") {
			out = append(out, e.What)
		}
	}
	return out
}

func get(t *testing.T, address string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// on is a plant seen by one part of a test.
func (p *plant) on(t *testing.T) *plant {
	q := *p
	q.t = t
	q.browser = p.browser.On(t)
	return &q
}

// TestChecksOfTheAnswerPage are checks 1 to 12 of the answer page, in a browser
// against the whole program.
func TestChecksOfTheAnswerPage(t *testing.T) {
	p := openPlant(t)
	id, tokens := p.announceBy("live", "earthquake", plantFields)
	p.quiet()
	wrong, wrongTokens := p.announceBy("live", "flood", `{"site": "Pabrik Cikande"}`)
	p.quiet()
	_, drillTokens := p.announceBy("drill", "fire", plantFields)
	page := func(number string) string { return p.API.URL + "/r/" + tokens[number] }

	t.Run("Check01LookingChangesNothing", func(t *testing.T) {
		p := p.on(t)
		for range 2 {
			get(t, page("E9"))
			get(t, page("E9"), "User-Agent", "facebookexternalhit/1.1")
		}
		if state, _ := p.state(id, "E9"); state != "no_answer" {
			t.Errorf("after four visits the state is %s, want no_answer", state)
		}
	})
	t.Run("Check02AnswerWithoutScript", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 320, 640)
		phone.Scripts(false)
		phone.Open(page("E3"))
		phone.Go("form button[value='1']")
		if got := phone.Text("h2"); !strings.Contains(got, "Tercatat") {
			t.Errorf("the next page says %q, want Tercatat", got)
		}
		p.waitState(id, "E3", "confirmed")
	})
	t.Run("Check03HelpIsStoredAtOnce", func(t *testing.T) {
		p := p.on(t)
		p.hr = p.signIn("id", 1280, 900)
		p.hr.Open(p.API.URL + "/alerts/" + id)
		phone := p.browser.Tab("id", 320, 640)
		phone.Before(`const real = setInterval; setInterval = (f, ms) => real(f, ms / 30)`) // half a minute is a second
		phone.Before(`window.refused = true; navigator.geolocation.getCurrentPosition = (ok, no) => window.refused ? no({}) : ok({coords: {latitude: -6.123456, longitude: 106.5, accuracy: 19.6}})`)
		phone.Open(page("E4"))
		phone.Press("form button[value='2']")
		phone.WaitFor(5*time.Second, "#box h2", "Tercatat: butuh bantuan")
		p.hr.WaitFor(4*time.Second, "main", "Agus Wijaya") // 2 s, on a machine that does much else
		// Only now more may be said, and it reaches those who help.
		phone.Press("[name=kind][value=hurt]")
		phone.Press("#place")
		if got := apptest.Eval[string](phone, `document.getElementById("words").placeholder`); got != "Tulis tempatnya saja." {
			t.Errorf("without a place the page says %q", got)
		}
		phone.Type("#words", "kaki, lantai 3")
		apptest.Eval[bool](phone, `!(window.refused = false)`)
		phone.Press("#place")
		phone.Press("form[action*='/tell'] .btn-help")
		phone.WaitFor(5*time.Second, ".told", "Terkirim ke yang menolong Anda")
		p.hr.Open(p.API.URL + "/alerts/" + id)
		p.hr.WaitFor(5*time.Second, "main", "Terluka: kaki, lantai 3 -6.12346, 106.50000 (±20 m)")
		// Whoever calls for help sees who comes, and how it was recorded to end, while
		// they write on.
		phone.Type("#words", "saya masih")
		p.hr.Go("#help form button")
		phone.WaitFor(5*time.Second, "#who", "menangani ini, ")
		p.hr.Go("#help a[href$='#resolve']")
		p.hr.Press("#resolve [value=first_aid]")
		p.hr.Go("#resolve button")
		phone.WaitFor(5*time.Second, "#who", "sudah mendapat pertolongan pertama")
		if got := apptest.Eval[string](phone, `document.getElementById("words").value`); got != "saya masih" {
			t.Errorf("what was being written became %q", got)
		}
		phone.Press("#who button") // it was not enough
		phone.WaitFor(5*time.Second, "#who", "sedang dipanggil")
		phone.NoFaults()
	})
	t.Run("Check04TheFirstAnswerIsInSight", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 320, 640)
		phone.Open(page("E7"))
		if bottom := apptest.Eval[float64](phone, `document.querySelector("form button").getBoundingClientRect().bottom`); bottom > 640 {
			t.Errorf("the first answer ends at %.0f px of 640", bottom)
		}
		if above := apptest.Eval[bool](phone, `(() => { const p = document.querySelector("header p b"), b = document.querySelector("form button");
			return !!(p.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING) && p.getBoundingClientRect().bottom <= b.getBoundingClientRect().top })()`); !above {
			t.Error("what to do does not stand above the answers")
		}
	})
	t.Run("Check05AnswersAreLargeAndApart", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 320, 640)
		phone.Open(page("E7"))
		for _, fault := range apptest.Eval[[]string](phone, `(() => { const out = [], all = [...document.querySelectorAll("form button")];
			all.forEach((b, i) => { const r = b.getBoundingClientRect();
				if (r.height < 72) out.push(b.innerText + " is " + r.height + " px high");
				if (i && r.top - all[i-1].getBoundingClientRect().bottom < 12) out.push(b.innerText + " is too near");
				if (b.getAttribute("aria-label") || b.getAttribute("aria-labelledby")) out.push(b.innerText + " is called otherwise");
				if (b.querySelector("svg:not([aria-hidden=true])")) out.push(b.innerText + " reads out its picture"); });
			return out })()`) {
			t.Error(fault)
		}
	})
	t.Run("Check06PressedTwiceIsOneAnswer", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 320, 640)
		phone.Open(page("E5"))
		apptest.Eval[bool](phone, `(() => { const b = document.querySelector("form button[value='1']"); b.click(); b.click(); return true })()`)
		phone.WaitFor(5*time.Second, "#box h2", "Tercatat: aman")
		first := apptest.Eval[string](phone, `document.querySelector("#box h2").innerText`)
		plain := p.browser.Tab("id", 320, 640)
		plain.Scripts(false)
		plain.Open(page("E6"))
		plain.Go("form button[value='1']")
		plain.Reload()
		plain.Back()
		if apptest.Eval[bool](plain, `!!document.querySelector("form button[value='1']")`) { // an old form that the browser kept
			plain.Go("form button[value='1']")
		}
		if got := plain.Text("h2"); !strings.Contains(got, "Tercatat: aman") {
			t.Errorf("after reload, back and again: %q", got)
		}
		phone.Open(page("E5"))
		if got := phone.Text("#box h2"); got != first {
			t.Errorf("the second press changed %q to %q", first, got)
		}
		for _, number := range []string{"E5", "E6"} {
			if got := p.answers(id, number); len(got) != 1 {
				t.Errorf("%s answered once; the timeline has %q", number, got)
			}
		}
	})
	t.Run("Check07HelpByAnotherChannelStands", func(t *testing.T) {
		p := p.on(t)
		p.say("E3", 2, tokens["E3"], "2")
		p.waitState(id, "E3", "need_help")
		if got := p.answers(id, "E3"); len(got) != 2 {
			t.Errorf("the history has %q, want safe and help", got)
		}
		manager := p.browser.Tab("id", 360, 740)
		manager.Open(p.link("E2", "/t/"))
		mark := url.Values{"n": {fmt.Sprint(p.index(id, "E4"))}, "a": {"1"}, "how": {"saw"}, "k": {"c7"}}
		if got := apptest.Await[int](manager, `fetch(location.pathname + "/mark", {method: "POST", headers: {"Content-Type": "application/x-www-form-urlencoded"}, body: `+fmt.Sprintf("%q", mark.Encode())+`}).then(r => r.status)`); got >= 400 {
			t.Fatalf("the manager's mark: %d", got)
		}
		if state, _ := p.state(id, "E4"); state != "need_help" {
			t.Errorf("a manager's word made %s of need_help", state)
		}
	})
	t.Run("Check08OfflineAnswerIsQueued", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		phone.Open(page("E7"))
		phone.Signal(false)
		phone.Press("form button[value='1']")
		phone.WaitFor(time.Second, "#st", "BELUM TERKIRIM")
		phone.Signal(true)
		phone.WaitFor(5*time.Second, "#box h2", "Tercatat: aman")
		if got := phone.Text("#st"); got != "" {
			t.Errorf("the notice still says %q", got)
		}
		// What is written afterwards waits in the same way.
		phone.Press("summary")
		phone.Type("#words", "Joko belum terlihat")
		phone.Signal(false)
		phone.Press("form[action*='/tell'] button")
		phone.WaitFor(time.Second, "#st", "BELUM TERKIRIM")
		phone.Signal(true)
		phone.WaitFor(5*time.Second, ".told", "Sudah diteruskan")
		phone.NoFaults()
		p.hr = p.signIn("id", 1280, 900)
		p.hr.Open(p.API.URL + "/inbox")
		p.hr.WaitFor(5*time.Second, "main", "Joko belum terlihat")
	})
	t.Run("Check10UnknownTokenTellsNothing", func(t *testing.T) {
		res, body := get(t, p.API.URL+"/r/zzzzzzzz")
		if res.StatusCode != http.StatusNotFound || !strings.Contains(body, `href="tel:112"`) {
			t.Errorf("got %d without a way to call, or another", res.StatusCode)
		}
		for line := range strings.Lines(smallCompany) {
			if name := strings.Split(line, ",")[1]; strings.Contains(body, name) {
				t.Errorf("the page names %s", name)
			}
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
	t.Run("Check12LanguageIsMarked", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		key := regexp.MustCompile(`\b[a-z_]+\.[a-z_.]+\b`)
		for _, lang := range []string{"id", "en"} {
			for _, path := range []string{"/r/" + tokens["E7"], "/j", "/j/code", "/guides", "/guides/fire", "/guides/phone", "/offline"} {
				phone.Open(p.API.URL + path + "?lang=" + lang)
				if got := apptest.Eval[string](phone, "document.documentElement.lang"); got != lang {
					t.Errorf("%s in %s has lang %q", path, lang, got)
				}
				for _, a := range apptest.Eval[[]string](phone, `[...document.querySelectorAll("a")].filter(a => /lang=/.test(a.href) && a.hreflang && a.lang !== a.hreflang).map(a => a.outerHTML)`) {
					t.Errorf("%s: %s does not say its language", path, a)
				}
				text := apptest.Eval[string](phone, "document.body.innerText")
				for _, word := range key.FindAllString(text, -1) {
					if !strings.Contains(p.API.URL, word) {
						t.Errorf("%s in %s shows the key %q", path, lang, word)
					}
				}
			}
		}
	})
	t.Run("Check09LateAnswersCount", func(t *testing.T) {
		p := p.on(t)
		p.hr = p.signIn("id", 1280, 900)
		p.closeAs(p.hr, id, "all_clear", "Selesai.")
		phone := p.browser.Tab("id", 360, 740)
		phone.Open(page("E9") + "?lang=id")
		phone.Press("form button[value='1']")
		phone.WaitFor(5*time.Second, "#box h2", "Tercatat: aman")
		if got := phone.Text("#box"); !strings.Contains(got, "setelah berakhir") {
			t.Errorf("the page does not say that the answer was late: %q", got)
		}
		apptest.Eventually(t, pageWait, "the answer to be late", func() (bool, string) {
			state, late := p.state(id, "E9")
			return state == "confirmed" && late, fmt.Sprint(state, late)
		})
		p.closeAs(p.hr, wrong, "corrected", "Salah tekan.")
		phone.Open(p.API.URL + "/r/" + wrongTokens["E7"])
		if got := phone.Text("h1"); !strings.Contains(got, "PESAN SALAH") {
			t.Errorf("a corrected alert says %q", got)
		}
		if n := apptest.Eval[int](phone, `document.querySelectorAll("form").length`); n != 0 {
			t.Errorf("a corrected alert still asks: %d forms", n)
		}
	})
	t.Run("Check11ADrillLooksLikeOne", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		phone.Open(p.API.URL + "/r/" + drillTokens["E7"])
		if title, h1, band := apptest.Eval[string](phone, "document.title"), phone.Text("h1"), apptest.Eval[string](phone, `document.querySelector("header").className`); !strings.HasPrefix(title, "LATIHAN") || !strings.Contains(h1, "LATIHAN") || !strings.Contains(band, "sev-drill") {
			t.Errorf("title %q, h1 %q, band %q", title, h1, band)
		}
		phone.Open(page("E7"))
		if text := strings.ToUpper(apptest.Eval[string](phone, "document.title + document.body.innerText")); strings.Contains(text, "LATIHAN") || strings.Contains(text, "DRILL") {
			t.Errorf("a real alert speaks of a drill: %q", text)
		}
	})
}

// quiet waits until no more messages arrive: SMS come after notifications, and
// must not be taken for those of the next alert.
func (p *plant) quiet() {
	p.t.Helper()
	last, since := -1, time.Now()
	apptest.Eventually(p.t, pageWait, "the phones to be quiet", func() (bool, string) {
		if n := len(p.Log()); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 1500*time.Millisecond, fmt.Sprint(last, " messages")
	})
}

// index is the number of a person within an announcement.
func (p *plant) index(id, number string) int {
	for _, r := range p.recipients(id) {
		if r.Number == number {
			return r.Index
		}
	}
	p.t.Fatalf("%s is no recipient", number)
	return -1
}

// connect opens a person's own page on a phone by the link of HR.
func (p *plant) connect(phone *apptest.Tab, number string) {
	p.t.Helper()
	var enrol struct{ Path string }
	if err := p.API.Call(p.t.Context(), http.MethodPost, "/api/v1/people/"+number+"/enrol", "", nil, &enrol); err != nil {
		p.t.Fatal(err)
	}
	phone.Open(p.API.URL + enrol.Path)
	phone.Go("main form button:enabled")
}

// spy counts how often a page asks for notifications, and answers with "denied".
const spy = `window.asked = 0; if (window.Notification) Notification.requestPermission = () => { window.asked++; return Promise.resolve("denied") };`

// TestChecksOfEnrolment are checks 13 to 18: connecting a phone, and what its
// service worker does.
func TestChecksOfEnrolment(t *testing.T) {
	p := openPlant(t)

	t.Run("Check13NobodyIsAskedBeforeATap", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		phone.Permission("prompt")
		phone.Before(spy)
		p.connect(phone, "E3")
		if got := apptest.Eval[string](phone, "location.pathname"); got != "/me/allow" {
			t.Fatalf("after connecting the phone is at %s", got)
		}
		if n := apptest.Eval[int](phone, "window.asked"); n != 0 {
			t.Errorf("the page asked %d times by itself", n)
		}
		on, sms := apptest.Eval[float64](phone, `document.getElementById("on").getBoundingClientRect().height`), apptest.Eval[float64](phone, `document.getElementById("sms").getBoundingClientRect().height`)
		if on != sms || on < 48 {
			t.Errorf("the choices are %.0f and %.0f px high, want the same", on, sms)
		}
		phone.Press("#on")
		if n := apptest.Eval[int](phone, "window.asked"); n != 1 {
			t.Errorf("after a tap the page asked %d times, want once", n)
		}
		phone.NoFaults()
	})
	t.Run("Check14DeniedIsNotAskedAgain", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		phone.Permission("prompt")
		phone.Before(spy)
		p.connect(phone, "E4")
		phone.Press("#on")
		phone.WaitFor(2*time.Second, "[data-step=denied]", "Anda akan mendapat SMS")
		phone.Open(p.API.URL + "/me/allow")
		if visible := apptest.Eval[bool](phone, `document.getElementById("on").offsetParent !== null`); visible {
			t.Error("in the same session the page offers to ask again")
		}
		if got := phone.Text("#sms"); !strings.Contains(got, "SMS") {
			t.Errorf("SMS is not offered: %q", got)
		}
		if n := apptest.Eval[int](phone, "window.asked"); n != 0 {
			t.Errorf("the page asked again, %d times", n)
		}
		phone.NoFaults()
	})
	t.Run("Check15WithoutPush", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		phone.Before("delete window.PushManager")
		p.connect(phone, "E5")
		for css, want := range map[string]string{"#chrome": "Buka di Chrome", "#sms": "pakai SMS"} {
			if got := phone.Text(css); !strings.Contains(got, want) {
				t.Errorf("%s says %q, want %s", css, got, want)
			}
		}
		if visible := apptest.Eval[bool](phone, `document.getElementById("on").offsetParent !== null`); visible {
			t.Error("a button is there that cannot do anything")
		}
		phone.NoFaults()
	})
	t.Run("Check16TheCodeIsPasted", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		phone.Open(p.API.URL + "/j?lang=id")
		phone.Fill("#number", "e6") // as people type it
		phone.Go("main form button:enabled")
		if got := apptest.Eval[string](phone, `(e => e.autocomplete + " " + e.inputMode)(document.getElementById("code"))`); got != "one-time-code numeric" {
			t.Errorf("the field is %q, want one-time-code numeric", got)
		}
		code := p.code("E6")
		phone.Fill("#code", code[:3]+" "+code[3:])
		phone.Go("main form button:enabled")
		if got := apptest.Eval[string](phone, "location.pathname"); got != "/me/allow" {
			t.Errorf("after the code the phone is at %s: %s", got, phone.Text("main"))
		}
		phone.Open(p.API.URL + "/me")
		if got := phone.Text("h1"); got != "Halo Joko." {
			t.Errorf("the phone belongs to %q, want Joko", got)
		}
		phone.NoFaults()
	})
	t.Run("Check16AnUnknownNumberLooksTheSame", func(t *testing.T) {
		p := p.on(t)
		var pages []string
		for _, number := range []string{"E7", "X7"} {
			phone := p.browser.Tab("id", 360, 740)
			phone.Open(p.API.URL + "/j?lang=id")
			phone.Fill("#number", number)
			phone.Go("main form button:enabled")
			phone.Fill("#code", "000000")
			phone.Go("main form button:enabled")
			pages = append(pages, strings.ReplaceAll(phone.Text("body"), number, "?"))
		}
		if pages[0] != pages[1] {
			t.Errorf("a known and an unknown number differ:\n%s\n%s", pages[0], pages[1])
		}
	})
	t.Run("Check17ThePushIsShownFirst", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		phone.Permission("granted")
		p.connect(phone, "E7")
		phone.Open(p.API.URL + "/me")
		order := apptest.Worker[[]string](phone, pushed(asking("GEMPA", "a1", "7Kq2mX9b")))
		if len(order) < 2 || order[0] != "show GEMPA" || !strings.HasPrefix(order[1], "fetch") {
			t.Errorf("in turn: %q, want the notification before any fetch", order)
		}
		quiet := `JSON.stringify({web_push: 8030, notification: {title: "HENING", body: "Belum ada jawaban.", lang: "id", tag: "a2", silent: true}, token: "", asks: false})`
		if order := apptest.Worker[[]string](phone, pushed(quiet)); len(order) == 0 || order[0] != "show HENING" {
			t.Errorf("a silent push: %q, want it shown", order)
		}
		for title, want := range map[string]bool{"HENING": true, "GEMPA": false} { // a phone that shakes betrays who hides
			if got := apptest.Worker[[]bool](phone, `registration.getNotifications().then(all => all.filter(n => n.title === "`+title+`").map(n => n.silent === true))`); len(got) != 1 || got[0] != want {
				t.Errorf("%s: silent is %v, want %v", title, got, want)
			}
		}
		for _, payload := range []string{"`{`", "`null`", "``", "null"} {
			if order := apptest.Worker[[]string](phone, pushed(payload)); len(order) == 0 || !strings.HasPrefix(order[0], "show ") {
				t.Errorf("a push of %s shows %q, want a notification first", payload, order)
			}
		}
	})
	t.Run("Check18TheButtonAnswersOnce", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		phone.Permission("granted")
		p.connect(phone, "E2")
		phone.Open(p.API.URL + "/me")
		p.quiet()
		id, tokens := p.announceBy("live", "fire", plantFields)
		apptest.Worker[[]string](phone, pushed(asking("KEBAKARAN", id, tokens["E2"])))
		shown := apptest.Worker[[]struct {
			Tag, Lang string
			Actions   []string
		}](phone, `registration.getNotifications().then(all => all.filter(n => n.title === "KEBAKARAN").map(n => ({Tag: n.tag, Lang: n.lang, Actions: n.actions.map(a => a.title)})))`)
		if len(shown) != 1 || shown[0].Tag != id || shown[0].Lang != "id" || strings.Join(shown[0].Actions, ",") != "Saya aman,Butuh bantuan" {
			t.Fatalf("shown: %+v", shown)
		}
		phone.WorkerSignal(false)
		apptest.Worker[bool](phone, tapped("KEBAKARAN", "1"))
		titles := `registration.getNotifications().then(all => all.map(n => n.title))`
		apptest.Eventually(t, pageWait, "the notification to say that it is not sent", func() (bool, string) {
			got := apptest.Worker[[]string](phone, titles)
			return strings.Contains(strings.Join(got, ";"), "BELUM TERKIRIM"), fmt.Sprint(got)
		})
		phone.WorkerSignal(true)
		apptest.Worker[bool](phone, `sendWaiting().then(() => true)`)
		p.waitState(id, "E2", "confirmed")
		apptest.Eventually(t, pageWait, "the notification to say that it is recorded", func() (bool, string) {
			got := strings.Join(apptest.Worker[[]string](phone, titles), ";")
			return strings.Contains(got, "Tercatat: Saya aman"), got
		})
		apptest.Worker[bool](phone, `sendWaiting().then(() => true)`)
		if got := p.answers(id, "E2"); len(got) != 1 {
			t.Errorf("one tap made %q", got)
		}
	})
	t.Run("TheTestArrives", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		p.connect(phone, "E3") // whose other phone has notifications
		phone.Open(p.API.URL + "/me/install")
		phone.Go("form[action='/me/test'] button")
		phone.WaitFor(pageWait, "#st", "Sampai di HP ini")
		phone.Open(p.API.URL + "/me")
		if got := phone.Text("main"); !strings.Contains(got, "Notifikasi berfungsi, terakhir hari ini") {
			t.Errorf("the page says %q", got)
		}
		phone.NoFaults()
	})
	t.Run("SettingsChangeWhatTheySay", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		p.connect(phone, "E7")
		phone.Open(p.API.URL + "/me/settings")
		phone.Press("summary")
		phone.Fill("#mobile", "0812-0000-0077")
		phone.Go("form[action='/me/number'] button")
		apptest.Eventually(t, pageWait, "a code on the new number", func() (bool, string) {
			for _, e := range p.Log() {
				if e.Mobile == "+6281200000077" && e.Channel == "sms" {
					phone.Fill("#code", regexp.MustCompile(`\b\d{6}\b`).FindString(e.Text))
					return true, ""
				}
			}
			return false, ""
		})
		phone.Go("form[action='/me/number/code'] button")
		if got := phone.Text("#number"); !strings.Contains(got, "0077") {
			t.Errorf("after the code the number is %q", got)
		}
		phone.Press("[name=lang][value=en]")
		phone.Go("form[action='/me/language'] button")
		if got := phone.Text("h1"); got != "Settings" {
			t.Errorf("in English the heading is %q", got)
		}
		phone.Go("form[action='/me/signout'] button")
		phone.Open(p.API.URL + "/me")
		if got := phone.Text("h1"); !strings.Contains(got, "not connected") {
			t.Errorf("after disconnecting the phone sees %q", got)
		}
		phone.NoFaults()
	})
	t.Run("AReportWaitsForASignal", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		p.connect(phone, "E7")
		phone.Open(p.API.URL + "/me?lang=id")
		apptest.Worker[bool](phone, `keepGuides().then(() => true)`)
		phone.Open(p.API.URL + "/me")
		phone.Signal(false)
		phone.WorkerSignal(false)
		phone.Open(p.API.URL + "/me/emergency")
		phone.WaitFor(pageWait, "h1", "Laporkan keadaan darurat")
		phone.Press("[name=kind][value=fire]")
		phone.Type("#where", "Gudang 2")
		large := filepath.Join(t.TempDir(), "large.png") // some megabytes
		var photo bytes.Buffer
		img, noise := image.NewRGBA(image.Rect(0, 0, 1600, 1200)), rand.New(rand.NewPCG(1, 2))
		for i := range img.Pix {
			img.Pix[i] = byte(noise.Uint32())
		}
		if err := png.Encode(&photo, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(large, photo.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		phone.Choose("#photo", large)
		phone.Press("#report button")
		phone.WaitFor(5*time.Second, "#unsent", "BELUM TERKIRIM")
		phone.Open(p.API.URL + "/me") // it does not wait for this page
		phone.WaitFor(5*time.Second, "#unsent", "BELUM TERKIRIM")
		phone.WorkerSignal(true)
		phone.Signal(true)
		hr := p.signIn("id", 1280, 900)
		apptest.Eventually(t, pageWait, "the report", func() (bool, string) {
			hr.Open(p.API.URL + "/inbox")
			text := hr.Text("#texts")
			return strings.Contains(text, "Api atau asap") && strings.Contains(text, "Gudang 2"), text
		})
		if n := apptest.Await[int](hr, `fetch(document.querySelector("#texts a[href$='/photo']").href).then(r => r.blob()).then(b => createImageBitmap(b).then(() => b.size))`); n == 0 || n > 150<<10 {
			t.Errorf("the photo weighs %d bytes, want a picture of at most 150 KB", n)
		}
		phone.NoFaults()
	})
	t.Run("GuidesOpenWithoutASignal", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		p.connect(phone, "E9")
		phone.Open(p.API.URL + "/me?lang=id")
		apptest.Worker[bool](phone, `keepGuides().then(() => true)`)
		phone.Open(p.API.URL + "/me")
		apptest.Eventually(t, pageWait, "the page to be kept", func() (bool, string) {
			return apptest.Await[bool](phone, `caches.match("/me").then(r => !!r)`), ""
		})
		phone.Signal(false)
		phone.WorkerSignal(false)
		for _, page := range [][2]string{{"/guides", "Gempa bumi"}, {"/guides/fire", "Keluar"}, {"/me", "Salinan tersimpan"}, {"/me/settings", "Tidak ada sinyal"}, {"/guides/phone", "Chrome"}} {
			phone.Open(p.API.URL + page[0])
			phone.WaitFor(pageWait, "body", page[1])
		}
	})
	t.Run("TheWayOutOfThePageWithoutASignalIsNotCutOff", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		p.connect(phone, "E9")
		phone.Open(p.API.URL + "/me?lang=id")
		apptest.Worker[bool](phone, `keepGuides().then(() => true)`)
		phone.Signal(false)
		phone.WorkerSignal(false)
		phone.Open(p.API.URL + "/me/settings")
		phone.WaitFor(pageWait, "h1", "Tidak ada sinyal")
		// The signal flickers while a person is on their way to the guides.
		apptest.Eval[bool](phone, `(() => { document.querySelector("a[href='/guides']").click(); dispatchEvent(new Event("online")); return true })()`)
		phone.WaitFor(pageWait, "h1", "Apa yang harus dilakukan")
		// Who waits gets the page that they wanted by itself, once there is a signal.
		phone.Open(p.API.URL + "/me/settings")
		phone.WaitFor(pageWait, "h1", "Tidak ada sinyal")
		phone.WorkerSignal(true)
		phone.Signal(true)
		phone.WaitFor(pageWait, "h1", "Pengaturan")
	})
	t.Run("OldGuidesAreFetchedAgain", func(t *testing.T) {
		p := p.on(t)
		phone := p.browser.Tab("id", 360, 740)
		p.connect(phone, "E9")
		phone.Open(p.API.URL + "/me?lang=id")
		apptest.Worker[bool](phone, `keepGuides().then(() => caches.open("guides")).then(c => Promise.all([c.delete("/guides/fire"),
			c.put("/offline", new Response("old", {headers: {Date: new Date(Date.now() - 2 * 3600000).toUTCString()}}))])).then(() => true)`)
		phone.Open(p.API.URL + "/me")
		apptest.Eventually(t, pageWait, "the guides to be kept anew", func() (bool, string) {
			return apptest.Worker[bool](phone, `caches.open("guides").then(c => c.match("/guides/fire")).then(r => !!r)`), ""
		})
	})
}

// code waits for the code that was sent to a person by SMS.
func (p *plant) code(number string) string {
	p.t.Helper()
	six, found := regexp.MustCompile(`\b\d{6}\b`), ""
	apptest.Eventually(p.t, pageWait, "a code for "+number, func() (bool, string) {
		for _, e := range p.Log() {
			if e.Phone == number && e.Channel == "sms" && strings.Contains(e.Text, "kode") {
				found = six.FindString(e.Text)
			}
		}
		return found != "", ""
	})
	return found
}

// asking is the payload of a push that asks whether somebody is safe.
func asking(title, id, token string) string {
	return fmt.Sprintf(`JSON.stringify({web_push: 8030, notification: {title: %q, body: "Lindungi diri.", lang: "id", tag: %q}, token: %q, asks: true, answers: "safety"})`, title, id, token)
}

// pushed lets a push arrive at the service worker and gives what it did in turn.
func pushed(data string) string {
	return `(async () => {
		const order = [], show = registration.showNotification.bind(registration), ask = self.fetch;
		registration.showNotification = (title, o) => { order.push("show " + title); return show(title, o) };
		self.fetch = (...a) => { order.push("fetch " + a[0]); return ask(...a).catch(() => new Response("")) };
		try {
			const payload = ` + data + `, e = new PushEvent("push", payload === null ? {} : {data: payload}), waits = [];
			e.waitUntil = p => waits.push(p);
			self.dispatchEvent(e);
			await Promise.all(waits);
		} finally { delete registration.showNotification; self.fetch = ask }
		return order })()`
}

// tapped lets somebody tap a button of a notification.
func tapped(title, action string) string {
	b, _ := json.Marshal([]string{title, action})
	return `(async ([title, action]) => {
		const n = (await registration.getNotifications()).find(n => n.title === title), waits = [];
		const e = new NotificationEvent("notificationclick", {notification: n, action});
		e.waitUntil = p => waits.push(p);
		self.dispatchEvent(e);
		await Promise.all(waits);
		return true })(` + string(b) + `)`
}
