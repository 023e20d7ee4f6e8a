package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"kentongan/internal/announcement"
)

const deviceLife = 365 * 24 * time.Hour

func (s *Server) routeMe(mux *http.ServeMux) {
	mux.HandleFunc("GET /e/{code}", s.enrolPage) // a preview may fetch it: changes nothing
	mux.HandleFunc("POST /e/{code}", s.enrol)
	mux.HandleFunc("GET /me", s.me)
	mux.HandleFunc("GET /me/events", s.meEvents)
	mux.HandleFunc("POST /me/subscribe", s.subscribe)
	mux.HandleFunc("POST /me/unsubscribe", s.unsubscribe)
	mux.HandleFunc("GET /sw.js", s.rooted("sw.js"))
	mux.HandleFunc("GET /app.webmanifest", s.rooted("app.webmanifest"))
}

func (s *Server) enrolPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "me", "enrol", s.page(r, "Connect this phone"))
}

func (s *Server) enrol(w http.ResponseWriter, r *http.Request) {
	device, err := s.Phone.Enrol(r.Context(), r.PathValue("code"))
	if err != nil {
		s.failUnknown(w, r, "enrol", err, "This link is not known or has expired. Ask HR for a new one.")
		return
	}
	http.SetCookie(w, s.cookie("device", device, deviceLife))
	http.Redirect(w, r, "/me", http.StatusSeeOther)
}

func device(r *http.Request) string {
	c, err := r.Cookie("device")
	if err != nil {
		return ""
	}
	return c.Value
}

type meView struct {
	page
	MePage
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	m, err := s.Phone.Me(r.Context(), device(r))
	if err != nil { // mostly an app that was never connected
		s.failUnknown(w, r, "me", err, "This phone is not connected. Open the personal link that HR gave you.")
		return
	}
	v := meView{page: s.page(r, ""), MePage: m}
	v.page.Lang = s.readersLanguage(r, m.Language)
	v.Title = v.T("My alerts")
	s.show(w, r, http.StatusOK, "me", "me", v)
}

func (s *Server) meEvents(w http.ResponseWriter, r *http.Request) {
	changes, err := s.Phone.MyChanges(r.Context(), device(r))
	if err != nil {
		s.failPhone(w, r, "my events", err)
		return
	}
	s.stream(w, r, changes, func(ctx context.Context) (event, error) {
		m, err := s.Phone.Me(ctx, device(r))
		return event{Name: "open", Data: len(m.Open)}, err
	})
}

// browserSubscription is what PushSubscription.toJSON gives (W3C Push API).
type browserSubscription struct {
	Endpoint string `json:"endpoint"`
	Keys     struct {
		P256dh string `json:"p256dh"`
		Auth   string `json:"auth"`
	} `json:"keys"`
}

func (s *Server) subscribe(w http.ResponseWriter, r *http.Request) {
	var b browserSubscription
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil || b.Endpoint == "" {
		http.Error(w, "not a subscription", http.StatusBadRequest)
		return
	}
	s.quiet(w, "subscribe", s.Phone.Subscribe(r.Context(), device(r), announcement.Subscription{
		Endpoint: b.Endpoint, P256dh: b.Keys.P256dh, Auth: b.Keys.Auth, Seen: s.Now().UTC(),
	}))
}

func (s *Server) unsubscribe(w http.ResponseWriter, r *http.Request) {
	var b browserSubscription
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil || b.Endpoint == "" {
		http.Error(w, "not a subscription", http.StatusBadRequest)
		return
	}
	s.quiet(w, "unsubscribe", s.Phone.Unsubscribe(r.Context(), device(r), b.Endpoint))
}

// quiet answers a script: a status is all it reads.
func (s *Server) quiet(w http.ResponseWriter, step string, err error) {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status, detail := statusOf(err)
	if status == http.StatusInternalServerError {
		s.Log.Error("script call failed", "step", step, "reason", err)
	}
	http.Error(w, detail, status)
}

// Heading is an alert's title, marked when it is a drill.
func (v meView) Heading(a MyAnnouncement) string {
	if a.Mode == announcement.Drill {
		return drillWord(v.page.Lang, a.Title)
	}
	return a.Title
}

// Said is what the person answered, in words.
func (v meView) Said(a MyAnnouncement) string { return v.T(answerWords(a.Answers, a.Answer)) }
