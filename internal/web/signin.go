package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// sessionLife is how long a browser keeps what it holds of a session. The session
// itself may end sooner.
const sessionLife = 12 * time.Hour

// ceremonyLife is how long somebody may look for their passkey.
const ceremonyLife = 5 * time.Minute

func (s *Server) routeSignin() {
	s.on("GET /signin", toAnybody, s.signinPage)
	s.on("POST /signin", toAnybody.notesNothing(inTheDesk), s.signin)
	s.on("POST /signin/passkey/ask", toAnybody.notesNothing(asksWhatToSign), s.askForPasskey)
	s.on("POST /signin/passkey", toAnybody.notesNothing(inTheDesk), s.passkey)
	s.on("GET /signin/sso", toAnybody, s.toSSO)
	s.on("GET /signin/sso/back", toAnybody.notesNothing(inTheDesk), s.fromSSO)
	s.on("POST /signout", toAnybody.notesNothing(inTheDesk), s.signout)
}

// signinView asks who somebody is. Whoever was in the middle of something comes
// back to it: to the page they wanted, or to the form they sent, with its text.
type signinView struct {
	page
	To   string // path and query where they go afterwards
	Kept []kept // fields of the form they sent there

	Login string
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
		// Nothing of a stranger is long or slow, whatever the page takes of those it knows.
		r.Body = http.MaxBytesReader(w, hurry(w, r.Body), maxBody)
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

// signin lets in whoever has a token, or an account's password and code; or goes
// on with whoever has just shown a passkey.
func (s *Server) signin(w http.ResponseWriter, r *http.Request) {
	v := signinView{page: s.page(r, "Sign in"), To: ownPath(r.PostFormValue("to")), Login: r.PostFormValue("login")}
	for name, values := range r.PostForm {
		for _, value := range values {
			if name, ok := strings.CutPrefix(name, keptPrefix); ok {
				v.Kept = append(v.Kept, kept{name, value})
			}
		}
	}
	if how := r.PostFormValue("how"); how != "" { // they have been let in already, by a passkey or in another tab
		if _, ok := s.visitor(r); ok {
			s.goOn(w, r, v)
			return
		}
		if how == "sso" {
			v.Errors, v.Title = fault("sso", "You are not signed in yet."), v.T("Error:")+" "+v.Title
			s.askWho(w, r, v)
			return
		}
	}
	way, field, wrong := "password", "login", "Login, password or code is not right. Try again; each code counts once."
	var p Principal
	var err error
	if token := r.PostFormValue("token"); token != "" {
		way, field, wrong = "token", "token", "This token is not known."
		if p, err = s.Access.Authenticate(r.Context(), token); err == nil && !p.Enters() {
			err = ErrForbidden
		}
		if err != nil {
			s.Trail.Saw(r.Context(), "", announcement.SignInRefused, Noted{About: announcement.About{By: way}, Recipient: -1})
		}
	} else {
		p, err = s.Access.Password(r.Context(), v.Login, r.PostFormValue("password"), r.PostFormValue("code"))
	}
	if err == nil {
		if err = s.begin(w, r, p, way); err == nil {
			s.goOn(w, r, v)
			return
		}
	}
	var wait *WaitError
	status, _ := statusOf(err)
	switch {
	case errors.As(err, &wait):
		wrong = v.T("Too many tries. Try again at %s, or sign in with a passkey.", v.Clock(wait.Until))
	case status >= 500:
		s.fail(w, r, "sign in", err)
		return
	}
	v.Errors, v.Title = fault(field, wrong), v.T("Error:")+" "+v.Title
	s.askWho(w, r, v)
}

// begin begins a session. A new one at every sign-in: nobody can plant one
// beforehand.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, p Principal, way string) error {
	secret, err := s.Access.SignIn(r.Context(), p, browserName(r.UserAgent()))
	if err != nil {
		return err
	}
	// Beside, as a look: nobody is kept from an alert because the trail lags.
	s.Trail.Saw(r.Context(), p.Actor, announcement.SignedIn, Noted{About: announcement.About{By: way}, Recipient: -1})
	http.SetCookie(w, s.cookie("session", secret, sessionLife))
	return nil
}

// goOn brings somebody who has signed in to where they were.
func (s *Server) goOn(w http.ResponseWriter, r *http.Request, v signinView) {
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

// passkeyAsked is a ceremony as a browser gets it. State is sealed: it comes back as it was.
type passkeyAsked struct {
	Options json.RawMessage `json:"options"`
	State   string          `json:"state"`
}

// passkeySaid is what a browser says about a passkey.
type passkeySaid struct {
	State    string          `json:"state"`
	Response json.RawMessage `json:"response"`
}

func (s *Server) ask(w http.ResponseWriter, r *http.Request, purpose string, c Ceremony, err error) {
	if err != nil {
		s.fail(w, r, "ask for a passkey", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(passkeyAsked{c.Options, s.seal.putBytes(purpose, c.State, ceremonyLife)})
}

// said reads what a browser says about a passkey, for the purpose it was asked.
func (s *Server) said(r *http.Request, purpose string) (state, response []byte, err error) {
	var got passkeySaid
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		return nil, nil, fmt.Errorf("%w: read a passkey: %w", ErrForbidden, err)
	}
	state, ok := s.seal.bytes(purpose, got.State)
	if !ok {
		return nil, nil, ErrForbidden
	}
	return state, got.Response, nil
}

func (s *Server) askForPasskey(w http.ResponseWriter, r *http.Request) {
	c, err := s.Access.AskForPasskey(r.Context())
	s.ask(w, r, "passkey", c, err)
}

// passkey lets in whoever has a passkey of an account; the script of the page
// then sends the form.
func (s *Server) passkey(w http.ResponseWriter, r *http.Request) {
	state, response, err := s.said(r, "passkey")
	if err == nil {
		var p Principal
		if p, err = s.Access.Passkey(r.Context(), state, response); err == nil {
			err = s.begin(w, r, p, "passkey")
		}
	}
	s.tellScript(w, err)
}

// ssoKept is what the browser keeps while somebody is at the company's sign-in.
type ssoKept struct {
	State []byte `json:"state"`
	To    string `json:"to,omitempty"`
}

// ssoLife is how long somebody may take there.
const ssoLife = 15 * time.Minute

// toSSO sends somebody to the company's own sign-in.
func (s *Server) toSSO(w http.ResponseWriter, r *http.Request) {
	address, state, err := s.Access.BeginSSO(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	sealed, err := s.seal.put("sso", ssoKept{state, ownPath(r.FormValue("to"))}, ssoLife)
	if err != nil {
		s.fail(w, r, "sign in", err)
		return
	}
	http.SetCookie(w, s.cookie("sso", sealed, ssoLife))
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// fromSSO takes somebody who comes back from there.
func (s *Server) fromSSO(w http.ResponseWriter, r *http.Request) {
	var kept ssoKept
	if c, err := r.Cookie("sso"); err != nil || !s.seal.get("sso", c.Value, &kept) {
		s.refuse(w, r, ErrForbidden)
		return
	}
	spent := s.cookie("sso", "", 0)
	spent.MaxAge = -1
	http.SetCookie(w, spent)
	p, err := s.Access.FinishSSO(r.Context(), kept.State, r.URL.Query())
	if err == nil {
		err = s.begin(w, r, p, "sso")
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.goOn(w, r, signinView{page: s.page(r, "Sign in"), To: kept.To})
}

// refuse says why the company's sign-in let nobody in, on the page with the other
// ways.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	why := "The company's sign-in did not let you in. Try again, or sign in below."
	switch {
	case errors.Is(err, ErrNotFound):
		s.fail(w, r, "sign in", err)
		return
	case errors.Is(err, ErrNoRole):
		why = "The company's sign-in knows you, but nobody has given you a right to this console. Ask an administrator."
	case errors.Is(err, ErrNotYet):
		why = "The company's sign-in does not answer now. Try again in a moment, or sign in below."
		s.Log.Warn("the company's sign-in does not answer", "step", "sso", "reason", err)
	default:
		s.Log.Warn("a sign-in was refused", "step", "sso", "reason", err)
	}
	v := signinView{page: s.page(r, "Sign in")}
	v.Errors, v.Title = fault("sso", why), v.T("Error:")+" "+v.Title
	s.askWho(w, r, v)
}

// tellScript tells a script how it went.
func (s *Server) tellScript(w http.ResponseWriter, err error) {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status, _ := statusOf(err)
	if status >= 500 {
		s.Log.Error("a passkey could not be taken", "step", "passkey", "reason", err)
	}
	w.WriteHeader(status)
}

func (s *Server) signout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie("session"); err == nil {
		if err := s.Access.SignOut(r.Context(), c.Value); err != nil {
			s.fail(w, r, "sign out", err) // the browser would forget it, and whoever copied it would not
			return
		}
	}
	c := s.cookie("session", "", 0)
	c.MaxAge = -1
	http.SetCookie(w, c)
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}

func (s *Server) cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second), HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode}
}
