package sandbox

import (
	"bytes"
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

// perPage is how many phones are shown at once.
const perPage = 48

// view is what the page shows.
type view struct {
	Nonce    string
	Query    string
	Page     int
	Prev     int // 0: none
	Next     int // 0: none
	Found    int
	Phones   []phoneView
	Total    int
	Enrolled int
	Messages int
	Answers  int
	Auto     auto
	Within   int // seconds
	Behave   Behaviour
	Version  uint64
}

type phoneView struct {
	Number, Name, Mobile, Language string
	Query                          string
	Push                           bool
	Changed                        uint64
	Bubbles                        []bubbleView
	Stopped                        bool
	AskPush                        bool    // a notification has buttons
	Read                           bool    // they say "Understood"
	Digits                         []digit // how the newest SMS wants to be answered
}

type bubbleView struct {
	bubble
	At    string
	Open  string // URL of the page behind it
	Saids string // the person's answer in words
}

// Push reports whether the notification is a push message.
func (b bubbleView) Push() bool { return b.Channel == "webpush" }

var said = map[announcement.Answer]string{announcement.Safe: "I'm safe", announcement.NeedHelp: "Need help", announcement.NotOnSite: "Not here"}

// said is the person's answer in words: those of the SMS, or of the buttons.
func (b bubble) said() string {
	for _, d := range digits(b.Text) {
		if b.Channel == "sms" && d.Answer == b.Answered {
			return d.Says
		}
	}
	if b.Read {
		return map[int]string{1: "Understood", 2: "I have a problem"}[b.Answered]
	}
	return said[announcement.Answer(b.Answered)]
}

func (s *Sandbox) look(query string, number int) view {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := view{Query: query, Page: max(number, 1), Total: len(s.phones), Messages: len(s.log.items), Answers: len(s.answers.items), Auto: s.auto, Behave: s.behave, Version: s.version}
	v.Within = int(time.Duration(s.auto.Within) / time.Second)
	needle := strings.ToLower(strings.TrimSpace(query))
	var found []*phone
	for _, ph := range s.phones {
		if ph.enrolled {
			v.Enrolled++
		}
		if needle == "" || strings.Contains(strings.ToLower(ph.Name), needle) || strings.Contains(strings.ToLower(ph.Number), needle) || strings.Contains(ph.Mobile, needle) {
			found = append(found, ph)
		}
	}
	v.Found = len(found)
	from := min((v.Page-1)*perPage, len(found))
	to := min(from+perPage, len(found))
	if v.Page > 1 {
		v.Prev = v.Page - 1
	}
	if to < len(found) {
		v.Next = v.Page + 1
	}
	for _, ph := range found[from:to] {
		v.Phones = append(v.Phones, s.lookAt(ph, query))
	}
	return v
}

// lookAt needs s.mu.
func (s *Sandbox) lookAt(ph *phone, query string) phoneView {
	pv := phoneView{
		Number: ph.Number, Name: ph.Name, Mobile: ph.Mobile, Language: ph.Language, Query: query,
		Push: len(ph.devices) > 0, Changed: ph.changed, Stopped: s.optedOut[ph.Mobile],
	}
	for _, b := range ph.bubbles {
		bv := bubbleView{bubble: b, At: b.Time.Local().Format("15:04:05"), Saids: b.said()}
		if path := pathOf(b.Link); b.Link != "" && path != "" && !b.Mine {
			bv.Open = s.o.PublicURL + path
		}
		if b.Token != "" && !b.Mine {
			switch b.Channel {
			case "webpush":
				pv.AskPush, pv.Read = true, b.Read
			case "sms":
				pv.Digits = digits(b.Text)
			}
		}
		pv.Bubbles = append(pv.Bubbles, bv)
	}
	return pv
}

func (s *Sandbox) showPhones(w http.ResponseWriter, r *http.Request) { s.render(w, r, "page") }

// showGrid renders only the phones, for the script of the page.
func (s *Sandbox) showGrid(w http.ResponseWriter, r *http.Request) { s.render(w, r, "grid") }

func (s *Sandbox) render(w http.ResponseWriter, r *http.Request, name string) {
	n, _ := strconv.Atoi(r.FormValue("page"))
	v := s.look(r.FormValue("q"), n)
	v.Nonce = newID()
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, name, v); err != nil {
		s.o.Log.Error("page of phones could not be shown", "reason", err)
		http.Error(w, "The page could not be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+v.Nonce+"'; script-src 'nonce-"+v.Nonce+
		"'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Write(b.Bytes())
}

// showState says whether anything changed, and how far things are.
func (s *Sandbox) showState(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	enrolled := 0
	for _, ph := range s.phones {
		if ph.enrolled {
			enrolled++
		}
	}
	state := map[string]any{
		"version": s.version, "phones": len(s.phones), "enrolled": enrolled,
		"messages": len(s.log.items), "answers": len(s.answers.items), "acting": s.acting.Load(), "auto": s.auto,
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, state)
}

// actFromPage acts and shows the page again.
func (s *Sandbox) actFromPage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form could not be read.", http.StatusBadRequest)
		return
	}
	a, err := actOf(r.PostForm)
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
		defer cancel()
		_, err = s.act(ctx, a)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q := url.Values{}
	for _, k := range []string{"q", "page"} {
		if x := r.PostFormValue(k); x != "" {
			q.Set(k, x)
		}
	}
	back := "/phones"
	if len(q) > 0 {
		back += "?" + q.Encode()
	}
	http.Redirect(w, r, back+"#"+url.PathEscape("p-"+a.Number), http.StatusSeeOther)
}

// Ways lists the ways that the form for automatic answers offers, for the template.
func (a auto) Ways() []struct {
	Name string
	On   bool
} {
	var ways []struct {
		Name string
		On   bool
	}
	for _, n := range []string{"push", "sms", "link"} {
		ways = append(ways, struct {
			Name string
			On   bool
		}{n, slices.Contains(a.ways(), n)})
	}
	return ways
}
