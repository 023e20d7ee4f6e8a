// Package web is what people and scripts see of Kentongan: the pages, the API,
// the entries for the SMS provider's webhooks and the probes.
//
// # Decisions
//
// HTML first: every action is a form, and script only saves a reload. A GET
// changes nothing, because link previews and virus scanners fetch every link.
// The package decides nothing about announcements: it asks the interfaces in
// desk*.go, and tells people what came of it in their own language.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// Limits of what a request may carry.
const (
	maxBody       = 64 << 10 // bytes; a form or an announcement is far smaller
	maxImportBody = 10 << 20 // bytes; about 50,000 people
	maxSCIMBody   = 1 << 20  // bytes; a group of about 20,000 people
	maxImportForm = 11 << 20 // bytes; the same file with the edges of its form
)

// Options are what the pages need from the house.
type Options struct {
	Desk    Desk
	Phone   Phone
	People  People
	Hooks   Hooks
	Access  Access
	Privacy Privacy
	Health  Health
	Trail   Trail
	Metrics http.Handler
	// Evidence writes what proves an announcement, as far as its reader may see; nil: the
	// API does not offer it.
	Evidence func(ctx context.Context, p Principal, id announcement.ID, names bool, w io.Writer) error
	Verify   func(context.Context) (LedgerReport, error) // reads the whole ledger; nil: the API does not offer it
	Backup   func(context.Context, io.Writer) error      // writes the ledger and the sealed vault; nil: the API does not offer it

	PublicURL  string // as phones reach it; https makes cookies Secure
	Org        string
	Secret     []byte // authenticates cookies and form state, at least 32 bytes
	Now        func() time.Time
	Log        *slog.Logger
	Version    string
	SandboxURL string // the page of practice phones; empty when there is none
}

// Server answers HTTP requests.
type Server struct {
	Options
	seal    seal
	misses  misses
	wrong   wrongCodes
	streams streams
	asks    asks
	views   *views
	secure  bool
	table   []route        // every route, and whom it is for
	pages   *http.ServeMux // for browsers: what another site makes one send is refused
	root    *http.ServeMux // for programs, and everything else
	handler http.Handler
}

// New prepares the pages. It fails on a template that does not parse, a missing
// interface or a short secret, so that a faulty build never starts.
func New(o Options) (*Server, error) {
	if o.Desk == nil || o.Phone == nil || o.People == nil || o.Hooks == nil || o.Access == nil || o.Privacy == nil || o.Health == nil || o.Trail == nil {
		return nil, errors.New("create web server: an interface is missing")
	}
	if len(o.Secret) < 32 {
		return nil, errors.New("create web server: the secret is shorter than 32 bytes")
	}
	public, err := url.Parse(o.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("parse public URL: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	v, err := loadViews()
	if err != nil {
		return nil, err
	}
	s := &Server{Options: o, seal: seal{key: o.Secret, now: o.Now}, views: v, secure: public.Scheme == "https"}
	s.handler = s.routes()
	return s, nil
}

// Handler returns the handler for every path.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() http.Handler {
	s.pages, s.root = http.NewServeMux(), http.NewServeMux()
	s.routeAnswer()
	s.routeTeam()
	s.routeJoin()
	s.routeMe()
	s.routeEmergency()
	s.routeCrew()
	s.routeGuides()
	s.routeConsole()
	s.routeAccount()
	s.routeCompose()
	s.routeQuiet()
	s.routeCountdown()
	s.routeApproval()
	s.routeActs()
	s.routeBoard()
	s.routeReport()
	s.routePeople()
	s.routePrivacy()
	s.routeImport()
	s.routePlaces()
	s.routePrepare()
	s.routeStuck()
	s.routeEditor()
	s.routeInbox()
	s.routeTrail()
	s.routeAPI()
	s.routeSCIM()
	s.routeHooks()
	s.routeHealth()
	s.on("GET /static/{name...}", toAnybody, s.static)
	s.on("/", toAnybody, s.unknownPage)

	// A browser says where a form comes from; foreign forms are refused. The API
	// needs a bearer token that no browser sends by itself.
	s.root.Handle("/", http.NewCrossOriginProtection().Handler(s.pages))
	return s.guard(s.root)
}

// guard sets the headers every answer has, and bounds the body and what a
// panic can do.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", s.views.policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("X-Robots-Tag", "noindex")
		h.Set("Cache-Control", "no-store")
		if s.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
			// A few bytes that unpack to gigabytes: nothing that we are sent needs packing.
			h.Set("Connection", "close")
			http.Error(w, http.StatusText(http.StatusUnsupportedMediaType), http.StatusUnsupportedMediaType)
			return
		}
		limit := int64(maxBody)
		switch {
		case r.URL.Path == "/api/v1/people:import":
			limit = maxImportBody
		case r.URL.Path == "/me/emergency":
			limit = 2*maxPhoto + maxBody // as text, and escaped
		case strings.HasPrefix(r.URL.Path, scimPath):
			limit = maxSCIMBody
		case r.URL.Path == "/people/import":
			limit = maxImportForm
		}
		if r.ContentLength > limit && limit == maxBody && !strings.HasPrefix(r.URL.Path, "/api/") { // the API says so as a problem
			h.Set("Connection", "close")
			http.Error(w, http.StatusText(http.StatusRequestEntityTooLarge), http.StatusRequestEntityTooLarge)
			return
		}
		if limit == maxBody && r.Body != nil && r.Body != http.NoBody { // files may take longer
			r.Body = hurry(w, r.Body)
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v)
				}
				s.Log.Error("a page failed", "step", "serve", "reason", fmt.Sprintf("%T", v))
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// boards is what whoever asks may see.
func (s *Server) boards(ctx context.Context) Boards { return s.Desk.Boards(principalOf(ctx)) }

type contextKey int

const principalKey contextKey = iota

func withPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey, p)
}

func principalOf(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey).(Principal)
	return p
}
