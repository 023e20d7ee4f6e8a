package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/templates"
)

// views holds every page, parsed once at start.
type views struct {
	pages     map[string]*template.Template
	words     *vocabulary
	icons     map[string]template.HTML
	assets    map[string]asset // by path below static/
	policy    string           // Content-Security-Policy
	answerCSS template.CSS
	answerJS  template.JS
	phoneCSS  template.CSS // of the pages of an employee's own phone
	teamCSS   template.CSS // of those of a manager
}

// loadViews parses the embedded pages. Pages that a phone opens on a weak
// network carry their style and script inside, allowed by their hashes.
func loadViews() (*views, error) {
	v := &views{pages: map[string]*template.Template{}}
	read := func(name string) (string, error) {
		b, err := templates.Files.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("read embedded page: %w", err)
		}
		return string(b), nil
	}
	css, err := read("web/answer.css")
	if err != nil {
		return nil, err
	}
	js, err := read("web/answer.js")
	if err != nil {
		return nil, err
	}
	css, js = inline(css), inline(js)
	more, err := read("web/phone.css")
	if err != nil {
		return nil, err
	}
	phoneCSS := css + "\n" + inline(more)
	if more, err = read("web/team.css"); err != nil {
		return nil, err
	}
	_, more, _ = strings.Cut(more, "*/")
	teamCSS := phoneCSS + "\n" + inline(more)
	words, err := read("web/words.json")
	if err != nil {
		return nil, err
	}
	if v.words, err = loadVocabulary([]byte(words)); err != nil {
		return nil, err
	}
	if v.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	drawings, err := read("web/icons.txt")
	if err != nil {
		return nil, err
	}
	v.icons = loadIcons(drawings)
	v.answerCSS, v.answerJS, v.phoneCSS, v.teamCSS = template.CSS(css), template.JS(js), template.CSS(phoneCSS), template.CSS(teamCSS)
	v.policy = "default-src 'none'; script-src 'self' " + hashSource(js) + "; style-src 'self' " + hashSource(css) + " " + hashSource(phoneCSS) + " " + hashSource(teamCSS) +
		"; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; worker-src 'self'" +
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

	names, err := fs.Glob(templates.Files, "web/*.html")
	if err != nil {
		return nil, fmt.Errorf("list embedded pages: %w", err)
	}
	for _, name := range names {
		short := strings.TrimSuffix(strings.TrimPrefix(name, "web/"), ".html")
		if short == "layout" {
			continue
		}
		t, err := template.New(short).ParseFS(templates.Files, "web/layout.html", name)
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", short, err)
		}
		v.pages[short] = t
	}
	return v, nil
}

// inline takes off what only readers of the source need: a phone on a weak
// network pays for every byte.
func inline(source string) string {
	var out []string
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is what every page knows. Its methods are the words of the templates.
type page struct {
	Lang    announcement.Language
	House   string // the company
	Path    string
	settled string // where to read the page again, if not at the address that was asked for
	Title   string
	Now     time.Time
	Zone    string // of the place, for times
	CSS     template.CSS
	JS      template.JS

	PhoneCSS template.CSS
	TeamCSS  template.CSS

	Errors  announcement.FieldErrors
	Notice  string // what has just been done
	Sandbox string
	Who     string // who has signed in to the console; empty on all other pages
	Leaves  bool   // they signed in, so they can sign out
	grant   Grant
	reader  announcement.Actor
	wrong   []string               // with the service, as the watch found it; for those who send or look after it
	opens   func(path string) bool // whether a page of the console lets the reader in
	Keys    bool                   // passkeys work here
	SSO     bool                   // the company has a sign-in of its own
	query   url.Values
	words   *vocabulary
	icons   map[string]template.HTML
	assets  map[string]asset
}

func (s *Server) page(r *http.Request, title string) page {
	lang := s.language(r)
	p := page{
		Lang: lang, House: s.Org, Path: r.URL.Path, Now: s.Now(), CSS: s.views.answerCSS, JS: s.views.answerJS, PhoneCSS: s.views.phoneCSS, TeamCSS: s.views.teamCSS,
		Sandbox: s.SandboxURL, query: r.URL.Query(), words: s.views.words, icons: s.views.icons, assets: s.views.assets,
	}
	who := principalOf(r.Context())
	p.opens = func(path string) bool { return s.opens(who.Grant, path) }
	p.Who, p.reader, p.grant, p.Leaves = who.Name, who.Actor, who.Grant, !s.Access.OpenConsole()
	if who.May(Announce, Operate, Administer) {
		p.wrong = s.Health.Found()
	}
	p.Keys, p.SSO = s.Access.Passkeys(), s.Access.SSO()
	p.Title = p.T(title)
	p.Notice = p.T(notices[p.query.Get("done")])
	return p
}

// What the reader may do, for the templates.
func (p page) Sends() bool    { return p.grant.May(Announce) }
func (p page) Calls() bool    { return p.grant.May(Call) }
func (p page) Keeps() bool    { return p.grant.May(Keep) }
func (p page) Sees() bool     { return p.grant.May(See) }
func (p page) Operates() bool { return p.grant.May(Operate) }
func (p page) Approves() bool { return p.grant.May(Approve) }
func (p page) Runs() bool     { return p.grant.May(Administer) }

// Within says which page of the bar is the present one: "page" itself, or "true"
// for a page below it.
func (p page) Within(paths ...string) string {
	for i, path := range paths {
		switch {
		case p.Path == path && i == 0:
			return "page"
		case p.Path == path, strings.HasPrefix(p.Path, path+"/"):
			return "true"
		}
	}
	return ""
}

// corner is one of the links of the second row.
type corner struct{ Path, Label, Icon, Current string }

// Handled says who looks after somebody's call for help since when, or how it ended.
func (p page) Handled(r Recipient) string {
	switch {
	case r.Claimed == "":
		return ""
	case r.Resolved != "":
		return p.T("Resolved by %s, %s: %s", p.Say(r.Claimed), p.ClockAt(r.ClaimedAt), p.Say(string(r.Resolved)))
	}
	return p.T("%s is handling this", p.Say(r.Claimed)) + ", " + p.ClockAt(r.ClaimedAt)
}

// Endings are the ways in which a call for help can have been resolved.
func (p page) Endings() []announcement.Resolution { return announcement.Resolutions }

// Company are the pages about the company.
func (p page) Company() []corner {
	all := slices.DeleteFunc([]corner{
		{Path: "/people", Label: "People", Icon: "users"}, {Path: "/sites", Label: "Sites", Icon: "building-2"}, {Path: "/groups", Label: "Groups", Icon: "user-check"},
		{Path: "/templates", Label: "Templates", Icon: "layout-template"}, {Path: "/readiness", Label: "Readiness", Icon: "gauge"}, {Path: "/setup", Label: "Setup", Icon: "list-checks"},
		{Path: "/accounts", Label: "Access", Icon: "lock"},
		{Path: "/retention", Label: "Retention", Icon: "clock"},
		{Path: "/audit", Label: "Audit trail", Icon: "history"},
		{Path: "/stuck", Label: "Stuck deliveries", Icon: "triangle-alert"},
	}, func(c corner) bool { return !p.opens(c.Path) })
	for i, c := range all {
		all[i].Current = p.Within(c.Path)
		if c.Path == "/people" && p.Within("/person") != "" {
			all[i].Current = "true"
		}
	}
	return all
}

// show writes a page. It is made completely before the first byte goes out, so
// that a fault never leaves half a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, name, part string, data any) {
	var out bytes.Buffer
	if err := s.views.pages[name].ExecuteTemplate(&out, part, data); err != nil {
		s.Log.Error("page not made", "step", name, "reason", err)
		http.Error(w, "Something went wrong. In danger: call 112.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.URL.Query().Has("lang") {
		http.SetCookie(w, &http.Cookie{Name: "lang", Value: string(s.language(r)), Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode, Secure: s.secure, HttpOnly: true})
	}
	writePage(w, r, status, out.Bytes())
}

// smallPage is a page that fits in one packet anyway.
const smallPage = 1400 // bytes

var compressors = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails only on a level that does not exist
	return z
}}

// writePage sends a page, compressed where the browser can read that: in a
// crowded cell every packet counts. Nothing a stranger chooses stands on a page
// beside a secret, so its size tells them nothing.
func writePage(w http.ResponseWriter, r *http.Request, status int, html []byte) {
	w.Header().Add("Vary", "Accept-Encoding")
	if len(html) <= smallPage || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(html)
		}
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(w)
	_, _ = z.Write(html)
	_ = z.Close()
}

type trouble struct {
	page
	Status  int
	Message string
	Retry   bool
	Join    bool // offers to connect this phone by employee number
}

// Head is what has happened, the first sentence.
func (t trouble) Head() string {
	head, _, _ := strings.Cut(t.Message, ". ")
	return strings.TrimSuffix(head, ".") + "."
}

// Rest is what to do about it.
func (t trouble) Rest() string {
	_, rest, _ := strings.Cut(t.Message, ". ")
	return rest
}

// fail shows what went wrong, in one calm sentence and with a way out.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, step string, err error) {
	status, detail := statusOf(err)
	if status == http.StatusInternalServerError {
		s.Log.Error("page failed", "step", step, "reason", err)
	}
	s.failSaying(w, r, status, detail, faults(err))
}

// failSaying is fail with words for a page that knows better what to do next.
func (s *Server) failSaying(w http.ResponseWriter, r *http.Request, status int, detail string, errs announcement.FieldErrors) {
	t := trouble{page: s.page(r, detail), Status: status, Retry: status >= 500}
	t.Message = t.T(detail)
	t.Errors = errs
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	s.show(w, r, status, "trouble", "trouble", t)
}

func (s *Server) unknownPage(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, "route", ErrNotFound)
}
