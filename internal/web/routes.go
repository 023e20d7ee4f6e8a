package web

import (
	"net/http"
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

// A rule says who comes in by a route. No route is served without one, so that
// nobody can add a page and forget whom it is for; TestEveryRouteForEveryRole walks
// them all.
type rule struct {
	gate   gate
	rights []Right // behind the gate of the console or of tokens: one of them is enough

	act    func(*http.Request) announcement.Act // what the audit trail tells of it; nil: nothing,
	silent string                               // because of this
}

// gate is how somebody shows who they are.
type gate string

const (
	gateOpen    gate = "anybody"  // shows nothing of anybody
	gateLink    gate = "link"     // the secret in the path is the key; any other is a 404
	gateDevice  gate = "device"   // the cookie of a connected phone; any other is a 401
	gateConsole gate = "console"  // a session, and a right
	gateToken   gate = "token"    // a bearer token, and a right
	gateNetwork gate = "provider" // the signature of the SMS provider
)

var (
	toAnybody = rule{gate: gateOpen}.notesNothing(nobodys)
	byLink    = rule{gate: gateLink}.notesNothing(theirOwn)
	byDevice  = rule{gate: gateDevice}.notesNothing(theirOwn)
	byNetwork = rule{gate: gateNetwork}.notesNothing(byProvider)
	// toSignedIn is for one's own account, whatever one may do.
	toSignedIn = rule{gate: gateConsole}
)

// to lets in whoever has signed in and has one of the rights.
func to(rights ...Right) rule { return rule{gate: gateConsole, rights: rights} }

// byToken is the same for the holder of a bearer token.
func byToken(rights ...Right) rule { return rule{gate: gateToken, rights: rights} }

// route is a row of the table.
type route struct {
	Method, Path string // Method is empty where every method is taken
	rule
}

// on serves a pattern of http.ServeMux to those whom its rule lets in.
func (s *Server) on(pattern string, r rule, serve http.HandlerFunc) {
	s.list(pattern, r)
	mux := s.pages
	switch r.gate {
	case gateConsole:
		serve = s.signedIn(r, s.noted(r, serve))
	case gateDevice:
		serve = s.onPhone(s.noted(r, serve))
	case gateToken:
		mux, serve = s.root, s.holding(r, s.noted(r, serve))
	case gateNetwork:
		mux = s.root
	}
	mux.HandleFunc(pattern, serve)
}

// list writes a row of the table.
func (s *Server) list(pattern string, r rule) {
	if r.gate == "" {
		panic("nobody said whom " + pattern + " is for")
	}
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = "", pattern
	}
	s.table = append(s.table, route{method, path, r})
}

// opens reports whether the holder of a grant comes in by GET at a path of the
// console that has no blanks.
func (s *Server) opens(g Grant, path string) bool {
	return slices.ContainsFunc(s.table, func(r route) bool {
		return r.Method == http.MethodGet && r.Path == path && (len(r.rights) == 0 || g.May(r.rights...))
	})
}

// ConsoleRoutes lists what the console serves, as "GET /path/{blank}".
func (s *Server) ConsoleRoutes() (out []string) {
	for _, r := range s.table {
		if r.gate == gateConsole {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	return out
}

// signedIn lets people in who have signed in, or everybody where the installation
// is open, and who may do what the rule asks for.
func (s *Server) signedIn(rl rule, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, ok := s.visitor(r)
		if !ok {
			s.askToSignIn(w, r)
			return
		}
		r = r.WithContext(withPrincipal(r.Context(), p))
		if len(rl.rights) > 0 && !p.May(rl.rights...) {
			s.forbid(w, r, rl.rights)
			return
		}
		next(w, r)
	}
}

// onPhone is for phones that are connected. One that was removed, or whose holder
// has left, is so no longer from the next request on.
func (s *Server) onPhone(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.Phone.Connected(r.Context(), device(r)); err != nil {
			s.failUnknown(w, r, "device", err, notConnected)
			return
		}
		next(w, r)
	}
}

// forbid says which role is needed, and who has it.
func (s *Server) forbid(w http.ResponseWriter, r *http.Request, rights []Right) {
	t := trouble{page: s.page(r, "Your role does not allow this."), Status: http.StatusForbidden}
	var roles []string
	for _, role := range Roles {
		if role.Gives(rights...) {
			roles = append(roles, t.T(roleNames[role]))
		}
	}
	t.Message = t.Title + " " + t.T("It needs one of these: %s.", strings.Join(roles, ", "))
	if who := s.Access.Holders(r.Context(), rights...); len(who) > 0 {
		t.Message += " " + t.T("Ask %s.", strings.Join(who, ", "))
	}
	s.show(w, r, t.Status, "trouble", "trouble", t)
}

// roleNames are the names of the roles on a page, and roleWhat is what each is for.
var roleNames = map[Role]string{
	Administrator: "Administrator", Sender: "Sender", Approver: "Approver", Auditor: "Auditor", Operator: "Operator", Viewer: "Viewer",
}

var roleWhat = map[Role]string{
	Sender:        "alarms people, sees their numbers, keeps people and texts",
	Approver:      "lets alerts of others go out",
	Administrator: "lets others in, keeps people and texts, erases; does not send",
	Auditor:       "sees who did and looked at what; no numbers",
	Operator:      "looks after the installation and its channels; no people",
	Viewer:        "sees alerts and who has answered; no numbers",
}
