package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const sessionLife = 12 * time.Hour // one long shift

func (s *Server) routeSignin(mux *http.ServeMux) {
	mux.HandleFunc("GET /signin", s.signinPage)
	mux.HandleFunc("POST /signin", s.signin)
	mux.HandleFunc("POST /signout", s.signout)
}

// signinView asks who somebody is. Whoever was in the middle of something comes
// back to it: to the page they wanted, or to the form they sent, with its text.
type signinView struct {
	page
	To   string // path and query where they go afterwards
	Kept []kept // fields of the form they sent there
}

// kept is a field of a form that waits until somebody has signed in again.
type kept struct{ Name, Value string }

// keptPrefix marks those fields on the page that asks.
const keptPrefix = "kept."

// askToSignIn answers a request of somebody who has not signed in, or whose
// session ended while they were writing.
func (s *Server) askToSignIn(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("HX-Request") != "", r.Header.Get("Accept") == "text/event-stream":
		// A part of a page that is open: it stays as it is, with what was typed there.
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet || r.Method == http.MethodHead,
		strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/"): // a file has to be chosen again
		to := "/signin"
		if r.URL.Path != "/" {
			to += "?to=" + url.QueryEscape(r.URL.RequestURI())
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	default:
		if err := r.ParseForm(); err != nil {
			s.fail(w, r, "read a form", err)
			return
		}
		v := signinView{page: s.page(r, "Sign in"), To: r.URL.RequestURI()}
		for name, values := range r.PostForm {
			for _, value := range values {
				v.Kept = append(v.Kept, kept{name, value})
			}
		}
		s.askWho(w, r, v)
	}
}

func (s *Server) signinPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "signin", "signin", signinView{page: s.page(r, "Sign in"), To: ownPath(r.FormValue("to"))})
}

// askWho shows the page that asks, with what is kept in an order that stays.
func (s *Server) askWho(w http.ResponseWriter, r *http.Request, v signinView) {
	slices.SortStableFunc(v.Kept, func(a, b kept) int { return strings.Compare(a.Name, b.Name) })
	s.show(w, r, http.StatusUnauthorized, "signin", "signin", v)
}

// ownPath returns a path of this site, or nothing: nobody is sent elsewhere.
func ownPath(to string) string {
	if u, err := url.Parse(to); err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, "\\") {
		return ""
	}
	return to
}

func (s *Server) signin(w http.ResponseWriter, r *http.Request) {
	p, err := s.Access.Authenticate(r.Context(), r.PostFormValue("token"))
	v := signinView{page: s.page(r, "Sign in"), To: ownPath(r.PostFormValue("to"))}
	for name, values := range r.PostForm {
		for _, value := range values {
			if name, ok := strings.CutPrefix(name, keptPrefix); ok {
				v.Kept = append(v.Kept, kept{name, value})
			}
		}
	}
	if err != nil {
		if status, _ := statusOf(err); status >= 500 {
			s.fail(w, r, "sign in", err)
			return
		}
		v.Errors, v.Title = fault("token", "This token is not known."), v.T("Error:")+" "+v.Title
		s.askWho(w, r, v)
		return
	}
	sealed, err := s.seal.put("session", p, sessionLife)
	if err != nil {
		s.fail(w, r, "sign in", err)
		return
	}
	http.SetCookie(w, s.cookie("session", sealed, sessionLife))
	switch {
	case v.To == "":
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case len(v.Kept) == 0:
		http.Redirect(w, r, v.To, http.StatusSeeOther)
	default:
		// Nothing is sent on by itself: they may have decided otherwise meanwhile, or
		// be somebody else.
		v.Title = v.T("Signed in: go on where you were")
		s.show(w, r, http.StatusOK, "signin", "signed-in", v)
	}
}

func (s *Server) signout(w http.ResponseWriter, r *http.Request) {
	c := s.cookie("session", "", 0)
	c.MaxAge = -1
	http.SetCookie(w, c)
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}

func (s *Server) cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second), HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode}
}
