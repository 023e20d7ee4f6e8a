package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryRouteForEveryRole walks the table of routes: every route, with nobody,
// with each role alone by a session and by a bearer token, and asks that exactly
// those come in whom the rule names. There is no list here: a new route is walked
// because it is served.
func TestEveryRouteForEveryRole(t *testing.T) {
	h := newHouse()
	s := serverOf(t, h)
	if len(s.table) < 100 {
		t.Fatalf("the table has %d routes", len(s.table))
	}
	roles := append([]Role{"", Provisioner}, Roles...)
	walked := map[gate]int{}
	for _, route := range s.table {
		methods := []string{route.Method}
		if route.Method == "" {
			methods = []string{http.MethodGet, http.MethodPost}
		}
		for _, method := range methods {
			for _, role := range roles {
				may := role != "" && (len(route.rights) == 0 || role.Gives(route.rights...))
				walked[route.gate]++
				switch route.gate {
				case gateConsole:
					got := s.knock(t, method, route, func(r *http.Request) {
						if role != "" {
							r.AddCookie(&http.Cookie{Name: "session", Value: "token:" + string(role)})
						}
					})
					known := role != "" && As(role).Enters()
					want := "asked to sign in"
					if known {
						want = "refused"
					}
					if known && may {
						want = "in"
					}
					if came := outcome(got); came != want {
						t.Errorf("%s %s as %q by a session: %s (%d), want %s", method, route.Path, role, came, got.Code, want)
					}
				case gateToken:
					got := s.knock(t, method, route, func(r *http.Request) {
						if role != "" {
							r.Header.Set("Authorization", "Bearer "+string(role))
						}
					})
					want := map[bool]string{true: "in", false: "refused"}[may]
					if role == "" {
						want = "asked to sign in"
					}
					if came := outcome(got); came != want {
						t.Errorf("%s %s as %q by a token: %s (%d), want %s", method, route.Path, role, came, got.Code, want)
					}
				case gateLink, gateDevice, gateNetwork:
					// What somebody may do at the console opens nobody's own link, phone
					// or webhook.
					got := s.knock(t, method, route, func(r *http.Request) {
						if role != "" {
							r.AddCookie(&http.Cookie{Name: "session", Value: "token:" + string(role)})
							r.Header.Set("Authorization", "Bearer "+string(role))
						}
					})
					if !closed(route, got) {
						t.Errorf("%s %s as %q without the %s: %d", method, route.Path, role, route.gate, got.Code)
					}
				}
			}
		}
	}
	for _, g := range []gate{gateConsole, gateToken, gateLink, gateDevice, gateNetwork} {
		if walked[g] == 0 {
			t.Errorf("no route has the gate %q", g)
		}
		t.Logf("%4d knocks at %s", walked[g], g)
	}
}

// knock sends an empty request, with a value of the right shape in each blank.
func (s *Server) knock(t *testing.T, method string, to route, as func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	path := hole.ReplaceAllString(strings.TrimSuffix(to.Path, "{$}"), "zzzzzzzz")
	r := httptest.NewRequest(method, path, strings.NewReader("a=1&n=0"))
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if to.gate == gateToken {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	knocks.n++ // each from elsewhere: whoever guesses links is slowed down by address
	r.RemoteAddr = fmt.Sprintf("[2001:db8:%x::1]:443", knocks.n)
	as(r)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

var knocks struct{ n int }

var hole = regexp.MustCompile(`\{[^}]*\}`)

// outcome says how a gate answered.
func outcome(w *httptest.ResponseRecorder) string {
	switch {
	case w.Code == http.StatusUnauthorized, w.Code == http.StatusSeeOther && strings.HasPrefix(w.Header().Get("Location"), "/signin"):
		return "asked to sign in"
	case w.Code == http.StatusForbidden:
		return "refused"
	}
	return "in"
}

// closed reports whether somebody without the key was shown nothing of anybody.
func closed(to route, w *httptest.ResponseRecorder) bool {
	switch to.gate {
	case gateLink:
		return w.Code == http.StatusNotFound || w.Code == http.StatusGone
	case gateNetwork:
		return w.Code == http.StatusForbidden || w.Code == http.StatusMethodNotAllowed || w.Code == http.StatusUnsupportedMediaType
	}
	return w.Code == http.StatusUnauthorized || w.Code == http.StatusSeeOther && strings.HasPrefix(w.Header().Get("Location"), "/j")
}

// TestNothingIsServedBesideTheTable: a handler that is given to a mux directly has
// no rule.
func TestNothingIsServedBesideTheTable(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(source), "\n") {
			if regexp.MustCompile(`\.Handle(Func)?\(`).MatchString(line) {
				direct++
				t.Log(fmt.Sprintf("%s:%d", f, i+1), strings.TrimSpace(line))
			}
		}
	}
	// on itself, the pages behind the programs, and what answers for unknown calls.
	if direct != 3 {
		t.Errorf("%d handlers are given to a mux directly, want 3", direct)
	}
	defer func() {
		if recover() == nil {
			t.Error("a route without a rule was served")
		}
	}()
	(&Server{pages: http.NewServeMux()}).on("GET /x", rule{}, func(http.ResponseWriter, *http.Request) {})
}
