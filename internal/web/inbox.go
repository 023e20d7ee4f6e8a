package web

import "net/http"

func (s *Server) routeInbox(mux *http.ServeMux) {
	mux.HandleFunc("GET /inbox", s.signedIn(s.inboxPage))
	mux.HandleFunc("POST /inbox/{id}", s.signedIn(s.handleText))
}

type inboxView struct {
	page
	Texts []Text
}

func (s *Server) inboxPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "inbox", "inbox", inboxView{page: s.page(r, "SMS inbox"), Texts: s.Desk.Inbox(r.Context())})
}

func (s *Server) handleText(w http.ResponseWriter, r *http.Request) {
	s.back(w, r, "handle text", "/inbox?done=handled", s.Desk.HandleText(r.Context(), principalOf(r.Context()), r.PathValue("id")))
}

// Asking is how many of the waiting texts may be calls for help.
func (v homeView) Asking() int {
	n := 0
	for _, t := range v.Texts {
		if t.Help {
			n++
		}
	}
	return n
}
