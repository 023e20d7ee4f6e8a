package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"rsc.io/qr"

	"kentongan/internal/announcement"
)

func (s *Server) routeJoin() {
	s.on("GET /e/{code}", byLink, s.enrolPage) // a preview may fetch it: changes nothing
	s.on("POST /e/{code}", byLink, s.enrol)
	s.on("GET /j", toAnybody, s.joinPage)
	s.on("POST /j", toAnybody, s.askCode)
	s.on("GET /j/code", toAnybody, s.codePage)
	s.on("POST /j/code", toAnybody, s.enterCode)
	s.on("GET /people/posters", to(Keep).notesNothing(nobodys), s.posters)
}

type enrolView struct {
	page
	Who Enrolee
}

func (s *Server) enrolPage(w http.ResponseWriter, r *http.Request) {
	who, err := s.Phone.Enrolee(r.Context(), r.PathValue("code"), device(r))
	if err != nil {
		s.failEnrol(w, r, "enrol page", err)
		return
	}
	v := enrolView{page: s.page(r, ""), Who: who}
	v.Lang = s.readersLanguage(r, who.Language)
	v.Title = v.T("Connect this phone")
	s.show(w, r, http.StatusOK, "join", "enrol", v)
}

func (s *Server) enrol(w http.ResponseWriter, r *http.Request) {
	device, err := s.Phone.Enrol(r.Context(), r.PathValue("code"), browserOf(r))
	if err != nil {
		s.failEnrol(w, r, "enrol", err)
		return
	}
	s.connected(w, r, device)
}

// failEnrol says why a link connects nobody, and how to go on without it.
func (s *Server) failEnrol(w http.ResponseWriter, r *http.Request, step string, err error) {
	if !errors.Is(err, ErrOldCode) {
		s.failUnknown(w, r, step, err, "This link is not known. Ask HR for a new one.")
		return
	}
	t := trouble{page: s.page(r, ""), Status: http.StatusGone, Join: true}
	t.Message = t.T("This link has expired. Ask HR for a new one.")
	t.Title = t.Message
	s.show(w, r, t.Status, "trouble", "phone-trouble", t)
}

// connected gives a browser its cookie and leads on. An alert that waits for an
// answer comes before everything that is to be set up.
func (s *Server) connected(w http.ResponseWriter, r *http.Request, device string) {
	http.SetCookie(w, s.cookie("device", device, deviceLife))
	next := "/me/allow"
	if m, err := s.Phone.Me(r.Context(), device); err == nil {
		for _, a := range m.Open {
			if a.Answer == 0 {
				next = "/me"
			}
		}
		if m.VAPIDKey == "" { // nothing to turn on
			next = "/me"
		}
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// browserOf says what asks to be connected, in words that its owner knows.
func browserOf(r *http.Request) Browser {
	return Browser{Device: device(r), Name: browserName(r.UserAgent())}
}

// browserName names a browser and what it runs on, as far as it is one of those
// that nearly everybody has.
func browserName(agent string) string {
	find := func(marks ...string) string {
		for i := 0; i+1 < len(marks); i += 2 {
			if strings.Contains(agent, marks[i]) {
				return marks[i+1]
			}
		}
		return ""
	}
	// Order matters: most browsers also claim to be Chrome and Safari.
	name := find("SamsungBrowser", "Samsung Internet", "Edg", "Edge", "OPR", "Opera", "UCBrowser", "UC Browser", "MiuiBrowser", "Mi Browser",
		"Firefox", "Firefox", "FxiOS", "Firefox", "CriOS", "Chrome", "Chrome", "Chrome", "Safari", "Safari")
	on := find("Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Macintosh", "Mac", "Linux", "Linux")
	return strings.Trim(name+", "+on, ", ")
}

type joinView struct {
	page
	Number, Code string
	NotMe        bool // they came from a link of somebody else
	Sent         bool // a code was asked for
	Fails        bool // no SMS goes out now
}

func (s *Server) joinPage(w http.ResponseWriter, r *http.Request) {
	v := joinView{page: s.page(r, "Connect this phone"), NotMe: r.URL.Query().Get("not") == "me"}
	s.show(w, r, http.StatusOK, "join", "join", v)
}

// refuseJoin shows a form again with what was typed and what is wrong with it.
func (s *Server) refuseJoin(w http.ResponseWriter, r *http.Request, status int, part string, v joinView, bad announcement.FieldErrors) {
	v.Errors, v.Title = bad, v.T("Error:")+" "+v.Title
	s.show(w, r, status, "join", part, v)
}

// joinSeal keeps the employee number between the two steps, so that a reload
// and the language switch do not lose it. It is no secret: it opens nothing.
const joinSeal = "join"

// askCode asks for a code. The next page says the same whoever was typed.
func (s *Server) askCode(w http.ResponseWriter, r *http.Request) {
	v := joinView{page: s.page(r, "Connect this phone"), Number: strings.TrimSpace(r.PostFormValue("number"))}
	if v.Number == "" || len([]rune(v.Number)) > 40 {
		s.refuseJoin(w, r, http.StatusUnprocessableEntity, "join", v, fault("number", "Enter your employee number."))
		return
	}
	if until, ok := s.asks.allow(address(r), s.Now()); !ok {
		w.Header().Set("Retry-After", "60")
		s.refuseJoin(w, r, http.StatusTooManyRequests, "join", v, announcement.FieldErrors{{Field: "number", Why: v.T("Too many codes were asked for from here. Try again at %s.", v.ClockIn(until, "Asia/Jakarta"))}})
		return
	}
	s.Phone.AskCode(r.Context(), v.Number)
	sealed, err := s.seal.put(joinSeal, v.Number, time.Hour)
	if err != nil {
		s.failPhone(w, r, "ask code", err)
		return
	}
	http.SetCookie(w, s.cookie(joinSeal, sealed, time.Hour))
	http.Redirect(w, r, "/j/code", http.StatusSeeOther)
}

func (s *Server) codeView(r *http.Request) joinView {
	v := joinView{page: s.page(r, "Enter the code"), Fails: s.Phone.SMSFails()}
	if c, err := r.Cookie(joinSeal); err == nil {
		v.Sent = s.seal.get(joinSeal, c.Value, &v.Number)
	}
	return v
}

func (s *Server) codePage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "join", "code", s.codeView(r))
}

// onlyDigits leaves the digits of what people type or paste: "482 913".
func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case r >= '０' && r <= '９': // some keyboards write them wide
			return r - '０' + '0'
		case unicode.IsLetter(r):
			return 'x' // not a code: it must not become one
		}
		return -1
	}, s)
}

// codeFault says what is wrong with a code that was typed; nothing for an error
// that is not about the code.
func (s *Server) codeFault(p page, err error) (int, announcement.FieldErrors) {
	var wait *WaitError
	switch {
	case errors.Is(err, ErrWrongCode):
		return http.StatusUnprocessableEntity, fault("code", "This is not the code we sent. Look at it again.")
	case errors.Is(err, ErrOldCode):
		return http.StatusUnprocessableEntity, fault("code", "This code has expired. Ask for a new one.")
	case errors.As(err, &wait):
		return http.StatusTooManyRequests, announcement.FieldErrors{{Field: "code", Why: p.T("Too many tries. Try again at %s, or use the link that HR gives you.", p.ClockIn(wait.Until, "Asia/Jakarta"))}}
	}
	return 0, nil
}

func (s *Server) enterCode(w http.ResponseWriter, r *http.Request) {
	v := s.codeView(r)
	if typed := strings.TrimSpace(r.PostFormValue("number")); typed != "" {
		v.Sent = v.Sent && typed == v.Number
		v.Number = typed
	}
	v.Code = strings.TrimSpace(r.PostFormValue("code"))
	code := onlyDigits(v.Code)
	var bad announcement.FieldErrors
	if v.Number == "" {
		bad = append(bad, fault("number", "Enter your employee number.")...)
	}
	if len(code) != 6 || strings.Contains(code, "x") {
		bad = append(bad, fault("code", "The code has 6 digits.")...)
	}
	if len(bad) > 0 {
		s.refuseJoin(w, r, http.StatusUnprocessableEntity, "code", v, bad)
		return
	}
	if until, held := s.wrong.held(r, s.Now()); held {
		w.Header().Set("Retry-After", "60")
		s.refuseJoin(w, r, http.StatusTooManyRequests, "code", v, announcement.FieldErrors{{Field: "code",
			Why: v.T("Too many tries. Try again at %s, or use the link that HR gives you.", v.ClockIn(until, "Asia/Jakarta"))}})
		return
	}
	device, err := s.Phone.EnterCode(r.Context(), v.Number, code, browserOf(r))
	if err == nil {
		c := s.cookie(joinSeal, "", 0)
		c.MaxAge = -1
		http.SetCookie(w, c)
		s.connected(w, r, device)
		return
	}
	status, bad := s.codeFault(v.page, err)
	if bad == nil {
		s.failPhone(w, r, "enter code", err)
		return
	}
	if status == http.StatusUnprocessableEntity {
		s.wrong.note(r, s.Now())
	}
	s.refuseJoin(w, r, status, "code", v, bad)
}

// asks bounds how many codes are asked for from one address: each may cost an
// SMS. A whole shift behind one address at a toolbox meeting is below it.
type asks struct {
	mu    sync.Mutex
	since time.Time
	count map[string]int
}

const asksAllowed = 120 // in asksWindow

const asksWindow = 10 * time.Minute

func (a *asks) allow(from string, now time.Time) (until time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.since) >= asksWindow || len(a.count) > missAddresses {
		a.since, a.count = now, map[string]int{}
	}
	a.count[from]++
	return a.since.Add(asksWindow), a.count[from] <= asksAllowed
}

type posterView struct {
	page
	Sites   []Choice
	Address string // as a person types it
	code    template.HTML
}

func (s *Server) posters(w http.ResponseWriter, r *http.Request) {
	address := strings.TrimSuffix(s.PublicURL, "/") + "/j"
	code, err := qrCode(address)
	if err != nil {
		s.fail(w, r, "poster", err)
		return
	}
	_, plain, _ := strings.Cut(address, "://")
	v := posterView{page: s.page(r, "Posters to connect phones"), Sites: s.Desk.Sitelist(), Address: plain, code: code}
	if only := r.URL.Query().Get("site"); only != "" {
		v.Sites = []Choice{{Name: only}}
	}
	if len(v.Sites) == 0 {
		v.Sites = []Choice{{}}
	}
	s.show(w, r, http.StatusOK, "join", "posters", v)
}

// QR is the address as a code for cameras.
func (v posterView) QR() template.HTML { return v.code }

// Sample is what a real SMS looks like, so that the first one is not taken for
// fraud.
func (v posterView) Sample(site string) string {
	if site == "" {
		site = v.T("your site")
	}
	return v.T("%s: FIRE at %s. Leave by the stairs. Answer: %s", v.House, site, strings.TrimSuffix(v.Address, "/j")+"/r/7Kq2mX9b")
}

// qrCode draws text as a QR code of one path. Level M bears a poster that is a
// little torn or dirty.
func qrCode(text string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("make QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+4, y+4, x-from, x-from)
			}
		}
	}
	side := code.Size + 8                                                                                                                                                                                          // four light modules all around, as the standard asks
	return template.HTML(fmt.Sprintf(`<svg class="qr" viewBox="0 0 %d %d" role="img" aria-label="QR: %s" shape-rendering="crispEdges"><rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="%s"/></svg>`, // #nosec G203 -- numbers, and the address escaped
		side, side, template.HTMLEscapeString(text), side, side, path.String())), nil
}
