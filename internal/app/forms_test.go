package app

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"kentongan/internal/announcement"
	"kentongan/internal/sandbox"
)

// walker goes through every page of a house that a link or a form leads to, as HR at
// the console and as an employee with a connected phone.
type walker struct {
	clerk
	cookies map[string]string
	forms   map[string]form // by what they are, the first of each
	next    []string        // pages to look at
	seen    map[string]int  // pages of a kind
}

// form is one way to send a form of a page: with one of its buttons.
type form struct {
	page, action string
	values       url.Values // as the page has them, with the button
	typed        []string   // names of the fields that people type into
	choices      url.Values // the first of each group of which nothing is chosen
	free         bool       // there is something to fill in or to choose
}

var (
	nameIn = regexp.MustCompile(`/(t|r|e|drafts|inbox|alerts|imports|templates|people)/[^/?]+`)
	idIn   = regexp.MustCompile(`/[^/*]*\d[^/]*|/(siti|budi|agus|dewi|chief)\b|=[^&]*`)
)

// kindOf is an address without what names a person, an alert or a draft.
func kindOf(address string) string {
	return idIn.ReplaceAllString(nameIn.ReplaceAllString(address, "/$1/*"), "/*")
}

func (f form) key() string {
	names := slices.Sorted(maps.Keys(f.values))
	return kindOf(f.action) + " " + strings.Join(names, ",") + " " + f.values.Get("step") + f.values.Get("act")
}

// walk opens a house in the middle of an alert, with something of everything, and
// looks at all its pages.
func (h *rehearsal) walk() *walker {
	h.t.Helper()
	h.house.config.Countdown = time.Hour
	w := &walker{clerk: h.clerk(), cookies: map[string]string{}, forms: map[string]form{}, seen: map[string]int{}}
	fire := h.Announce("Fire in hall 3", steps(time.Hour, step(20*time.Minute, announcement.CallManager), step(40*time.Minute, announcement.CallManager)))
	h.Phone("agus").Reply("2 kaki luka")
	h.Phone("dewi").Reply("apa kabar semuanya di sana")
	h.Stranger("+628999000111").Reply("halo, apa kabar")
	h.Prepare("Flood at the gate", "walk")
	session, _, _ := strings.Cut(w.session, ";")
	name, value, _ := strings.Cut(session, "=")
	w.cookies[name] = value
	w.send(http.MethodPost, h.enrolment("siti"), url.Values{})
	w.goes("/sites/edit", "name=Harbour&assembly=Lapangan+B&zone=Asia/Jakarta&emergency=112")
	w.goes("/groups/edit", "name=Wardens&people=siti+agus")
	w.next = append(w.next, "/", "/signin", "/people", "/person/siti", "/people/new", "/sites", "/groups", "/templates", "/setup", "/setup/channels", "/setup/duty", "/readiness", "/inbox", "/history",
		"/j", "/j/code", "/me", "/me/settings", "/me/allow", "/me/install", "/guides", "/alerts/"+string(fire)+"/people/"+fmt.Sprint(h.recipientNamed(fire, "agus")),
		h.Team(fire, "budi").path, "/r/"+h.house.links.answerToken(fire, h.recipientNamed(fire, "budi")))
	for len(w.next) > 0 {
		path := w.next[0]
		w.next = w.next[1:]
		w.visit(path)
	}
	return w
}

// send asks for a page as the walker's browser does.
func (w *walker) send(method, path string, values url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(values.Encode()))
	r.Header.Set("Accept-Language", "en")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range w.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	w.house.server.Handler().ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if c.Name != "session" { // signing out is a form, too
			w.cookies[c.Name] = c.Value
		}
	}
	return rec
}

func (w *walker) visit(path string) {
	w.t.Helper()
	kind := kindOf(path)
	if w.seen[kind] >= 2 {
		return
	}
	w.seen[kind]++
	rec := w.send(http.MethodGet, path, nil)
	if to := rec.Header().Get("Location"); rec.Code == http.StatusSeeOther && strings.HasPrefix(to, "/") {
		w.next = append(w.next, to)
		return
	}
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
		return
	}
	w.read(path, rec.Body.String())
}

// read notes the forms of a page and goes where its links lead.
func (w *walker) read(path, body string) {
	w.t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range formsOf(doc, path) {
		if key := f.key(); w.forms[key].action == "" {
			w.forms[key] = f
			if strings.Contains(f.action, "/new") && f.values.Get("step") != "send" && f.values.Get("step") != "" { // the steps of an alert are one address
				if rec := w.send(http.MethodPost, f.action, f.meant()); rec.Code == http.StatusOK {
					w.read(f.action, rec.Body.String())
				}
			}
		}
	}
	for a := range doc.Descendants() {
		if href := attr(a, "href"); a.Data == "a" && strings.HasPrefix(href, "/") && !strings.Contains(href, "lang=") {
			w.next = append(w.next, strings.SplitN(href, "#", 2)[0])
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func innerText(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// formsOf returns what can be sent from a page, once for each button.
func formsOf(doc *html.Node, path string) (all []form) {
	for n := range doc.Descendants() {
		if n.Data != "form" || !strings.EqualFold(attr(n, "method"), http.MethodPost) || attr(n, "enctype") != "" {
			continue
		}
		f := form{page: path, action: attr(n, "action"), values: url.Values{}, choices: url.Values{}}
		if f.action == "" {
			f.action = path
		}
		var buttons [][2]string
		for c := range doc.Descendants() {
			name, within := attr(c, "name"), attr(c, "form") == attr(n, "id") && attr(n, "id") != ""
			for p := c.Parent; p != nil && !within; p = p.Parent {
				within = p == n
			}
			if !within || has(c, "disabled") {
				continue
			}
			switch kind := attr(c, "type"); {
			case c.Data == "button" && kind != "button":
				buttons = append(buttons, [2]string{name, attr(c, "value")})
			case name == "":
			case c.Data == "textarea":
				f.values.Set(name, strings.TrimPrefix(innerText(c), "\n"))
				f.typed = append(f.typed, name)
			case c.Data == "select":
				f.free = true
				for o := range c.Descendants() {
					if o.Data == "option" && (has(o, "selected") || !f.values.Has(name)) {
						f.values.Set(name, attr(o, "value"))
					}
				}
			case c.Data != "input" || kind == "submit" || kind == "file":
			case kind == "checkbox" || kind == "radio":
				f.free = true
				if has(c, "checked") {
					f.values.Add(name, attr(c, "value"))
				} else if kind == "radio" && !f.choices.Has(name) {
					f.choices.Set(name, attr(c, "value"))
				}
			default:
				f.values.Set(name, attr(c, "value"))
				if kind != "hidden" && kind != "password" {
					f.typed = append(f.typed, name)
				}
			}
		}
		f.free = f.free || len(f.typed) > 0
		if len(buttons) == 0 {
			buttons = [][2]string{{}}
		}
		for _, b := range buttons {
			one := f
			one.values = maps.Clone(f.values)
			if b[0] != "" {
				one.values[b[0]] = []string{b[1]}
			}
			all = append(all, one)
		}
	}
	return all
}

// filled is the form with something chosen in every group and something in every
// field that people type into.
func (f form) filled(with string) url.Values {
	v := maps.Clone(f.values)
	for name, value := range f.choices {
		if !v.Has(name) {
			v[name] = value
		}
	}
	for i, name := range f.typed {
		v.Set(name, fmt.Sprint(with, i))
	}
	return v
}

// emptied is the form as somebody sends it who filled in and chose nothing.
func (f form) emptied() url.Values {
	v := maps.Clone(f.values)
	for _, name := range f.typed {
		v.Set(name, "")
	}
	for _, name := range []string{"mode", "template", "a", "how", "kind", "n"} {
		if f.free {
			v.Del(name)
		}
	}
	return v
}

// TestEveryFormKeepsWhatWasTyped sends every form of the house with wrong and with
// empty fields. Where it is refused, the page says so in its title, sums up what is
// wrong with links to the fields, and still holds what was typed.
func TestEveryFormKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		w := h.walk()
		refused := 0
		for _, key := range slices.Sorted(maps.Keys(w.forms)) {
			f := w.forms[key]
			if !f.free || strings.HasPrefix(f.action, "/r/") { // who answers is never refused
				continue
			}
			for how, values := range map[string]url.Values{"wrong": f.filled("~salah~"), "empty": f.emptied()} {
				rec := w.send(http.MethodPost, f.action, values)
				if rec.Code >= 500 {
					t.Errorf("%s, %s: %d", key, how, rec.Code)
				}
				if rec.Code < 400 {
					continue
				}
				refused++
				for _, fault := range faultsOf(t, rec.Body.String(), f, values) {
					t.Errorf("%s on %s, %s: %d, %s", key, f.page, how, rec.Code, fault)
				}
			}
			h.settle()
		}
		t.Logf("%d forms on %d kinds of pages, %d refusals", len(w.forms), len(w.seen), refused)
		if len(w.forms) < 55 || refused < 40 {
			t.Errorf("only %d forms were found and %d refusals; the walk has lost its way", len(w.forms), refused)
		}
	})
}

// faultsOf says what a page does wrong that refuses a form.
func faultsOf(t *testing.T, body string, f form, sent url.Values) (out []string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	ids, kept, links := map[string]bool{}, map[string][]string{}, 0
	for n := range doc.Descendants() {
		ids[attr(n, "id")] = true
		switch n.Data {
		case "title":
			if !strings.HasPrefix(innerText(n), "Error:") {
				out = append(out, fmt.Sprintf("the title is %q", innerText(n)))
			}
		case "input":
			if kind := attr(n, "type"); kind != "checkbox" && kind != "radio" || has(n, "checked") {
				kept[attr(n, "name")] = append(kept[attr(n, "name")], attr(n, "value"))
			}
		case "textarea":
			kept[attr(n, "name")] = append(kept[attr(n, "name")], strings.TrimPrefix(innerText(n), "\n"))
		case "select":
			for o := range n.Descendants() {
				if o.Data == "option" && has(o, "selected") {
					kept[attr(n, "name")] = append(kept[attr(n, "name")], attr(o, "value"))
				}
			}
		}
	}
	for n := range doc.Descendants() {
		if attr(n, "id") != "faults" {
			continue
		}
		for a := range n.Descendants() {
			if href := attr(a, "href"); a.Data == "a" {
				links++
				if id, _ := url.PathUnescape(strings.TrimPrefix(href, "#")); !ids[id] {
					out = append(out, "the summary links to "+href+", which is not there")
				}
			}
		}
	}
	if links == 0 {
		out = append(out, "there is no summary with links")
	}
	for name, values := range sent {
		if f.action == "/signin" && name == "code" {
			continue // it counts once, and a new one is due
		}
		if slices.Contains(f.typed, name) && values[0] != "" && !slices.Contains(kept[name], values[0]) {
			out = append(out, fmt.Sprintf("%s was typed into %s and the page holds %q", values[0], name, kept[name]))
		}
	}
	return out
}

// sensible are what somebody would type who means it, where a page has nothing yet.
var sensible = map[string]string{"number": "agus", "people": "siti agus", "duty": "chief", "employee_id": "baru", "display_name": "Baru", "name": "Wardens of hall 3", "words.en": "Use the west gate.",
	"words.id": "Pakai gerbang barat.", "reason": "as the warden says", "f.site": "Harbour", "f.muster": "Lot B", "mobile": "081299990000", "typed": "2", "title.en": "Gas", "body.en": "Leave.", "assembly": "Lot B"}

// meant is the form as somebody sends it who means it.
func (f form) meant() url.Values {
	v := maps.Clone(f.values)
	for name, value := range f.choices {
		if !v.Has(name) {
			v[name] = value
		}
	}
	for _, name := range f.typed {
		if v.Get(name) == "" {
			v.Set(name, sensible[name])
		}
	}
	return v
}

// deeds counts what somebody outside would see of a house: messages, the story of
// every alert, people, places, drafts and texts that wait.
func (w *walker) deeds() string {
	w.t.Helper()
	w.settle()
	var sent []sandbox.Entry
	w.beyond(http.MethodGet, "/sandbox/log", nil, &sent)
	all, err := w.house.desk.whole().List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	told := 0
	for _, s := range all {
		told += len(w.timeline(s.ID))
	}
	rows := func(path string) int { return strings.Count(w.send(http.MethodGet, path, nil).Body.String(), "<li") }
	return fmt.Sprintf("%d messages, %d alerts, %d lines of their stories, %d people, rows of sites %d, of groups %d, of the first page %d, of the inbox %d",
		len(sent), len(all), told, len(w.house.directory.Everybody()), rows("/sites"), rows("/groups"), rows("/"), len(w.house.desk.whole().Inbox(w.t.Context())))
}

// TestTheSameFormTwiceDoesOneThing sends every form twice, as a nervous finger or a
// reload does: whatever the first one did is not done again.
func TestTheSameFormTwiceDoesOneThing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("opens a house for every form")
	}
	var keys []string
	rehearse(t, crew, func(h *rehearsal) { keys = slices.Sorted(maps.Keys(h.walk().forms)) })
	did := 0
	for _, key := range keys {
		t.Run(key, func(t *testing.T) {
			rehearse(t, crew, func(h *rehearsal) {
				w := h.walk()
				f := w.forms[key]
				if f.action == "" {
					t.Fatal("this form is not in every house")
				}
				before := w.deeds()
				values := f.meant()
				first := w.send(http.MethodPost, f.action, values)
				once := w.deeds()
				second := w.send(http.MethodPost, f.action, values)
				if twice := w.deeds(); twice != once {
					t.Errorf("%s: the first time (%d):\n%s\nthe second time (%d):\n%s", f.page, first.Code, once, second.Code, twice)
				}
				if once != before {
					did++
				}
			})
		})
	}
	t.Logf("%d of %d forms did something", did, len(keys))
	if did < 15 {
		t.Errorf("only %d forms did something; the walk has lost its way", did)
	}
}
