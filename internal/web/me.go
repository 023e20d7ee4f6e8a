package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"kentongan/internal/announcement"
)

const deviceLife = 365 * 24 * time.Hour

func (s *Server) routeMe() {
	s.on("GET /me", byDevice, s.me)
	s.on("GET /me/events", byDevice, s.meEvents)
	s.on("POST /me/subscribe", byDevice, s.subscribe)
	s.on("POST /me/unsubscribe", byDevice, s.unsubscribe)
	s.on("GET /me/allow", byDevice, s.allow)
	s.on("GET /me/install", byDevice, s.install)
	s.on("POST /me/test", byDevice, s.test)
	s.on("GET /me/test", byDevice, s.testPage)
	s.on("GET /me/test/state", byDevice, s.testState)
	s.on("POST /me/test/came", byDevice, s.testCame)
	s.on("GET /me/settings", byDevice, s.settings)
	s.on("POST /me/language", byDevice, s.setLanguage)
	s.on("POST /me/number", byDevice, s.askNumber)
	s.on("POST /me/number/code", byDevice, s.enterNumber)
	s.on("POST /me/devices", byDevice, s.removeDevice)
	s.on("POST /me/signout", byDevice, s.disconnect)
	s.on("GET /sw.js", toAnybody, s.rooted("sw.js"))
	s.on("GET /app.webmanifest", toAnybody, s.manifest)
}

func device(r *http.Request) string {
	c, err := r.Cookie("device")
	if err != nil {
		return ""
	}
	return c.Value
}

// manifest describes the app that a phone installs, under the company's name.
func (s *Server) manifest(w http.ResponseWriter, r *http.Request) {
	p := s.page(r, "")
	icon := func(name, size, purpose string) map[string]string {
		return map[string]string{"src": p.Asset(name), "sizes": size, "type": "image/png", "purpose": purpose}
	}
	short := []rune(s.Org)
	b, err := json.Marshal(map[string]any{
		"id": "/me", "name": s.Org + " - " + p.T("Emergency alerts"), "short_name": string(short[:min(len(short), 12)]), "lang": p.Lang, "dir": "ltr",
		"start_url": "/me", "scope": "/", "display": "standalone", "background_color": "#ffffff", "theme_color": "#8f0a1c",
		"icons": []map[string]string{icon("icon-192.png", "192x192", "any"), icon("icon-512.png", "512x512", "any"),
			icon("icon-192.png", "192x192", "maskable"), icon("icon-512.png", "512x512", "maskable")},
	})
	if err != nil {
		s.fail(w, r, "manifest", err)
		return
	}
	w.Header().Set("Content-Type", "application/manifest+json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(b)
}

type meView struct {
	page
	MePage
}

// Badge is the person's employee number as a code. Their manager's camera finds
// them by it on the roll call; it opens nothing and answers nothing.
func (v meView) Badge() (template.HTML, error) { return qrCode(v.Number) }

// mine returns a person's own page, or shows why there is none.
func (s *Server) mine(w http.ResponseWriter, r *http.Request, title string) (meView, bool) {
	m, err := s.Phone.Me(r.Context(), device(r))
	if err != nil { // mostly an app that was never connected
		s.failUnknown(w, r, "me", err, notConnected)
		return meView{}, false
	}
	v := meView{page: s.page(r, ""), MePage: m}
	v.page.Lang = s.readersLanguage(r, m.Language)
	v.page.Zone = m.Zone
	v.Title, v.Notice = v.T(title), v.T(notices[v.query.Get("done")])
	return v, true
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.mine(w, r, "My alerts"); ok {
		s.show(w, r, http.StatusOK, "me", "me", v)
	}
}

func (s *Server) meEvents(w http.ResponseWriter, r *http.Request) {
	changes, err := s.Phone.MyChanges(r.Context(), device(r))
	if err != nil {
		s.failPhone(w, r, "my events", err)
		return
	}
	s.personalStream(w, r, "me "+device(r), changes, func(ctx context.Context) (event, error) {
		m, err := s.Phone.Me(ctx, device(r))
		return event{Name: "open", Data: len(m.Open)}, err
	})
}

// setupView is a step after connecting: notifications, the Home Screen, a test.
type setupView struct {
	meView
	Link    string // of the person, to open in another browser
	Push    bool   // a test can be sent
	Example Guide
	At      int64 // when the test was sent, milliseconds since 1970
	Came    bool
}

func (s *Server) setup(w http.ResponseWriter, r *http.Request, title string) (setupView, bool) {
	m, ok := s.mine(w, r, title)
	return setupView{meView: m, Push: m.Devices > 0}, ok
}

func (s *Server) allow(w http.ResponseWriter, r *http.Request) {
	v, ok := s.setup(w, r, "Turn on emergency alerts")
	if !ok {
		return
	}
	v.Link = v.EnrolLink
	for _, g := range s.Phone.Guides(r.Context(), device(r), v.page.Lang).Guides {
		if g.Key == "fire" {
			v.Example = g
		}
	}
	s.show(w, r, http.StatusOK, "setup", "allow", v)
}

func (s *Server) install(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.setup(w, r, "Put it on your Home Screen"); ok {
		s.show(w, r, http.StatusOK, "setup", "install", v)
	}
}

// test sends a notification and leads to the page that waits for it. A phone
// without notifications has nothing to wait for.
func (s *Server) test(w http.ResponseWriter, r *http.Request) {
	at := s.Now().UnixMilli()
	err := s.Phone.TryPush(r.Context(), device(r))
	switch {
	case errors.Is(err, ErrNotFound):
		http.Redirect(w, r, "/me", http.StatusSeeOther) // says itself if the phone is not known
	case err != nil:
		s.failPhone(w, r, "test notification", err)
	default:
		http.Redirect(w, r, "/me/test?at="+strconv.FormatInt(at, 10), http.StatusSeeOther)
	}
}

func (s *Server) cameSince(r *http.Request) (at int64, came bool, err error) {
	at, _ = strconv.ParseInt(r.URL.Query().Get("at"), 10, 64)
	shown, err := s.Phone.Shown(r.Context(), device(r))
	return at, at > 0 && shown.UnixMilli() >= at, err
}

func (s *Server) testPage(w http.ResponseWriter, r *http.Request) {
	v, ok := s.setup(w, r, "A test is on its way")
	if !ok {
		return
	}
	v.At, v.Came, _ = s.cameSince(r)
	s.show(w, r, http.StatusOK, "setup", "test", v)
}

// testState tells the waiting page whether its test was shown.
func (s *Server) testState(w http.ResponseWriter, r *http.Request) {
	_, came, err := s.cameSince(r)
	if err != nil {
		s.quiet(w, "test state", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"came":%t}`, came)
}

// testCame takes a person's word that the test arrived: some phones show a
// notification without telling anybody.
func (s *Server) testCame(w http.ResponseWriter, r *http.Request) {
	if err := s.Phone.Arrived(r.Context(), device(r)); err != nil {
		s.failUnknown(w, r, "test came", err, notConnected)
		return
	}
	http.Redirect(w, r, "/me?done=arrived", http.StatusSeeOther)
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

type settingsView struct {
	page
	Settings
	Typed string // a number that could not be taken
}

// Last reports whether nothing would reach the person any more without a device.
func (v settingsView) Last(d Device) bool {
	others := slices.ContainsFunc(v.Devices, func(o Device) bool { return o.ID != d.ID && o.Push })
	return !v.SMS && d.Push && !others
}

// Alone reports whether nothing but the device that asks could reach the person.
func (v settingsView) Alone() bool {
	return !v.SMS && !slices.ContainsFunc(v.Devices, func(d Device) bool { return d.Push && !d.This })
}

func (s *Server) settingsView(w http.ResponseWriter, r *http.Request) (settingsView, bool) {
	set, err := s.Phone.Settings(r.Context(), device(r))
	if err != nil {
		s.failUnknown(w, r, "settings", err, notConnected)
		return settingsView{}, false
	}
	v := settingsView{page: s.page(r, ""), Settings: set}
	v.page.Lang = s.readersLanguage(r, set.Language)
	v.page.Path, v.page.settled = "/me/settings", "/me/settings"
	v.Title, v.Notice = v.T("Settings"), v.T(notices[v.query.Get("done")])
	return v, true
}

func (s *Server) settings(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.settingsView(w, r); ok {
		s.show(w, r, http.StatusOK, "me", "settings", v)
	}
}

// changed leads back after a change, or shows what was wrong with it.
func (s *Server) changed(w http.ResponseWriter, r *http.Request, step, done, typed string, err error) {
	if err == nil {
		http.Redirect(w, r, "/me/settings?done="+done, http.StatusSeeOther)
		return
	}
	v, ok := s.settingsView(w, r)
	if !ok {
		return
	}
	status, bad := s.codeFault(v.page, err)
	if bad == nil {
		status, bad = http.StatusUnprocessableEntity, faults(err)
	}
	if bad == nil {
		s.failUnknown(w, r, step, err, notConnected)
		return
	}
	v.Errors, v.Typed, v.Title = bad, typed, v.T("Error:")+" "+v.Title
	s.show(w, r, status, "me", "settings", v)
}

func (s *Server) setLanguage(w http.ResponseWriter, r *http.Request) {
	lang, ok := known(r.PostFormValue("lang"))
	if !ok {
		s.changed(w, r, "language", "", "", announcement.FieldErrors{{Field: "lang", Why: "Choose a language."}})
		return
	}
	err := s.Phone.SetLanguage(r.Context(), device(r), lang)
	if err == nil {
		http.SetCookie(w, &http.Cookie{Name: "lang", Value: string(lang), Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode, Secure: s.secure, HttpOnly: true})
	}
	s.changed(w, r, "language", "saved", "", err)
}

func (s *Server) askNumber(w http.ResponseWriter, r *http.Request) {
	typed := r.PostFormValue("mobile")
	if typed == "" {
		s.changed(w, r, "number", "", "", announcement.FieldErrors{{Field: "mobile", Why: "Enter your new number."}})
		return
	}
	s.changed(w, r, "number", "code-sent", typed, s.Phone.AskNumber(r.Context(), device(r), typed))
}

func (s *Server) enterNumber(w http.ResponseWriter, r *http.Request) {
	code := onlyDigits(r.PostFormValue("code"))
	if len(code) != 6 {
		s.changed(w, r, "number code", "", "", fault("code", "The code has 6 digits."))
		return
	}
	s.changed(w, r, "number code", "number", "", s.Phone.EnterNumber(r.Context(), device(r), code))
}

func (s *Server) removeDevice(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	if id == "" {
		s.changed(w, r, "remove device", "", "", ErrNotFound)
		return
	}
	s.changed(w, r, "remove device", "removed", "", s.Phone.RemoveDevice(r.Context(), device(r), id))
}

// disconnect ends what this phone may do, and takes what it kept from it.
func (s *Server) disconnect(w http.ResponseWriter, r *http.Request) {
	if err := s.Phone.RemoveDevice(r.Context(), device(r), ""); err != nil && !errors.Is(err, ErrNotFound) {
		s.failPhone(w, r, "disconnect", err)
		return
	}
	c := s.cookie("device", "", 0)
	c.MaxAge = -1
	http.SetCookie(w, c)
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	http.Redirect(w, r, "/j?done=signed-out", http.StatusSeeOther)
}

// Day is a date as people say it, "12 Nov", with the year when it is another.
func (p page) Day(t time.Time) string {
	place := announcement.Location(p.Zone)
	there, now := t.In(place), p.Now.In(place)
	switch {
	case there.Format(time.DateOnly) == now.Format(time.DateOnly):
		return p.T("today")
	case there.Year() != now.Year():
		return announcement.FormatDay(t, p.Lang, p.Zone) + " " + strconv.Itoa(there.Year())
	}
	return announcement.FormatDay(t, p.Lang, p.Zone)
}
