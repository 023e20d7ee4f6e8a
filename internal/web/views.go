package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/templates"
)

// views holds every page, parsed once at start.
type views struct {
	pages      map[string]*template.Template
	indonesian map[string]string // English sentence to Indonesian
	policy     string            // Content-Security-Policy
	answerCSS  template.CSS
	answerJS   template.JS
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
		return strings.TrimSpace(string(b)), nil
	}
	css, err := read("web/answer.css")
	if err != nil {
		return nil, err
	}
	js, err := read("web/answer.js")
	if err != nil {
		return nil, err
	}
	words, err := read("web/words.json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(words), &v.indonesian); err != nil {
		return nil, fmt.Errorf("decode words: %w", err)
	}
	v.answerCSS, v.answerJS = template.CSS(css), template.JS(js)
	v.policy = "default-src 'none'; script-src 'self' " + hashSource(js) + "; style-src 'self' " + hashSource(css) +
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

func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is what every page knows. Its methods are the words of the templates.
type page struct {
	Lang  announcement.Language
	House string // the company
	Path  string
	Title string
	Now   time.Time
	Zone  string // of the place, for times
	CSS   template.CSS
	JS    template.JS

	Errors  announcement.FieldErrors
	Notice  string
	Sandbox string
	Who     string // signed-in person's or token's name; empty on people's own pages
	indo    map[string]string
}

func (s *Server) page(r *http.Request, title string) page {
	lang := s.language(r)
	p := page{
		Lang: lang, House: s.Org, Path: r.URL.Path, Now: s.Now(), CSS: s.views.answerCSS, JS: s.views.answerJS,
		Sandbox: s.SandboxURL, indo: s.views.indonesian,
	}
	p.Title = p.T(title)
	return p
}

// T says an English sentence of ours in the reader's language. Verbs in args
// are filled as by fmt.Sprintf.
func (p page) T(english string, args ...any) string {
	text := english
	if p.Lang == announcement.Indonesian {
		if t, ok := p.indo[english]; ok {
			text = t
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// N writes a number of people as the reader's language does.
func (p page) N(n int) string {
	sep := ","
	if p.Lang == announcement.Indonesian {
		sep = "."
	}
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + sep + digits[i:]
	}
	return digits
}

// Clock writes the time of day at the announcement's place: "14:05 WIB".
func (p page) Clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	local := t.In(location(p.Zone))
	text := local.Format("15:04 MST")
	if local.Format("2006-01-02") != p.Now.In(local.Location()).Format("2006-01-02") {
		text = local.Format("2 Jan 15:04 MST")
	}
	if p.Lang == announcement.Indonesian {
		text = strings.Replace(text, ":", ".", 1)
	}
	return text
}

// ClockAt is Clock for a time that may be missing.
func (p page) ClockAt(t *time.Time) string {
	if t == nil {
		return ""
	}
	return p.Clock(*t)
}

// Stamp is t for a machine, RFC 3339.
func (p page) Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Other is the language the reader can switch to.
func (p page) Other() announcement.Language {
	if p.Lang == announcement.Indonesian {
		return announcement.English
	}
	return announcement.Indonesian
}

// Fault returns what is wrong with a field, or nothing.
func (p page) Fault(field string) string {
	for _, f := range p.Errors {
		if f.Field == field {
			return p.T(f.Why)
		}
	}
	return ""
}

func location(zone string) *time.Location {
	if zone == "" {
		zone = "Asia/Jakarta"
	}
	if l, err := time.LoadLocation(zone); err == nil {
		return l
	}
	return time.FixedZone("WIB", 7*60*60) // no time zone files here; Indonesia has no summer time
}

// language chooses the language of a page: ?lang=, then the cookie, then what
// the browser asks for, then Indonesian.
func (s *Server) language(r *http.Request) announcement.Language {
	if l, ok := known(r.URL.Query().Get("lang")); ok {
		return l
	}
	if c, err := r.Cookie("lang"); err == nil {
		if l, ok := known(c.Value); ok {
			return l
		}
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(tag, "-")
		if l, ok := known(strings.ToLower(primary)); ok {
			return l
		}
	}
	return announcement.Indonesian
}

func known(tag string) (announcement.Language, bool) {
	l := announcement.Language(tag)
	return l, l == announcement.Indonesian || l == announcement.English
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
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(out.Bytes())
	}
}

// static serves the style sheet, the scripts and the icons.
func (s *Server) static() http.Handler {
	files := http.FileServerFS(templates.Files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=3600")
		files.ServeHTTP(w, r)
	})
}

type trouble struct {
	page
	Status  int
	Message string
	Retry   bool
}

// fail shows what went wrong, in one calm sentence and with a way out.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, step string, err error) {
	status, detail := statusOf(err)
	if status == http.StatusInternalServerError {
		s.Log.Error("page failed", "step", step, "reason", err)
	}
	t := trouble{page: s.page(r, detail), Status: status, Retry: status >= 500}
	t.Message = t.T(detail)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	s.show(w, r, status, "trouble", "trouble", t)
}

func (s *Server) unknownPage(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, "route", ErrNotFound)
}
