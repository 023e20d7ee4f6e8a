package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	_ "image/jpeg" // the only kind of picture that is taken
	"net/http"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

func (s *Server) routeEmergency() {
	s.on("GET /me/emergency", byDevice, s.emergencyForm)
	s.on("POST /me/emergency", byDevice, s.reportEmergency)
	s.on("GET /me/emergency/{id}", byDevice, s.emergencyStatus)
	s.on("GET /inbox/{id}/photo", to(Call).notes(announcement.PhotoViewed), s.emergencyPhoto)
}

// Emergency is what an employee reports to the duty list.
type Emergency struct {
	Kind, Where, What string
	Photo             []byte // a small JPEG; empty: none
	Ref               string // the same report always has the same
	Said              time.Time
}

// EmergencyStatus is what became of a report.
type EmergencyStatus struct {
	Kind, Where, What string
	Photo             bool
	At                time.Time
	Called            bool // there was somebody on duty to call
	SeenBy, ClosedBy  string
	SeenAt, ClosedAt  time.Time
	Emergency, Zone   string
	Language          announcement.Language
}

// emergencyKind is what may have happened.
type emergencyKind struct{ Code, Word, Icon string }

var emergencyKinds = []emergencyKind{{"fire", "Fire or smoke", "flame"}, {"injured", "Somebody is hurt or ill", "heart-pulse"}, {"chemical", "Gas or chemical leak", "flask-conical"},
	{"threat", "Threat or violence", "shield-alert"}, {"water", "Flood or damage", "waves"}, {"other", "Something else", "triangle-alert"}}

// Kinds are what may be reported.
func (page) Emergencies() []emergencyKind { return emergencyKinds }

// EmergencyWord is what was reported, in words.
func (p page) EmergencyWord(code string) string {
	for _, k := range emergencyKinds {
		if k.Code == code {
			return p.T(k.Word)
		}
	}
	return ""
}

type emergencyView struct {
	meView
	Kind, Where, What, Nonce string
}

func (s *Server) emergencyForm(w http.ResponseWriter, r *http.Request) {
	if me, ok := s.mine(w, r, "Report an emergency"); ok {
		s.show(w, r, http.StatusOK, "emergency", "emergency", emergencyView{meView: me, Nonce: newNonce()})
	}
}

// maxPhoto is what a picture may weigh after the phone has shrunk it.
const maxPhoto = 150 << 10

// reportEmergency takes a report. A photo that is none is left out: the words are
// what matters.
func (s *Server) reportEmergency(w http.ResponseWriter, r *http.Request) {
	me, ok := s.mine(w, r, "Report an emergency")
	if !ok {
		return
	}
	field := func(name string, most int) string {
		text := []rune(strings.TrimSpace(strings.ToValidUTF8(r.PostFormValue(name), "")))
		return string(text[:min(len(text), most)])
	}
	v := emergencyView{meView: me, Kind: field("kind", 20), Where: field("where", 200), What: field("what", 1500), Nonce: refOf(r.PostFormValue("k"))}
	var bad announcement.FieldErrors
	if v.EmergencyWord(v.Kind) == "" {
		bad = append(bad, fault("kind", "Choose what has happened.")...)
	}
	if v.Where == "" {
		bad = append(bad, fault("where", "Write where it is.")...)
	}
	if len(bad) > 0 {
		v.Errors, v.Title = bad, v.T("Error:")+" "+v.Title
		s.show(w, r, http.StatusUnprocessableEntity, "emergency", "emergency", v)
		return
	}
	e := Emergency{Kind: v.Kind, Where: v.Where, What: v.What, Ref: v.Nonce, Said: s.saidAt(r.PostFormValue("said"), r.PostFormValue("sent"))}
	if photo, err := base64.StdEncoding.DecodeString(r.PostFormValue("photo")); err == nil && len(photo) <= maxPhoto {
		if _, kind, err := image.DecodeConfig(bytes.NewReader(photo)); err == nil && kind == "jpeg" {
			e.Photo = photo
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), writeLimit)
	defer cancel()
	id, err := s.Phone.ReportEmergency(ctx, device(r), e)
	if err != nil {
		s.failPhone(w, r, "report an emergency", err)
		return
	}
	http.Redirect(w, r, "/me/emergency/"+id, http.StatusSeeOther)
}

type emergencyStatusView struct {
	page
	EmergencyStatus
}

func (s *Server) emergencyStatus(w http.ResponseWriter, r *http.Request) {
	st, err := s.Phone.EmergencyStatus(r.Context(), device(r), r.PathValue("id"))
	if err != nil {
		s.failUnknown(w, r, "report", err, "This report is not known on this phone. In danger call 112.")
		return
	}
	v := emergencyStatusView{page: s.page(r, ""), EmergencyStatus: st}
	v.Lang, v.page.Zone = s.readersLanguage(r, st.Language), st.Zone
	v.Title = v.T("Your report")
	part := "emergency-status"
	if r.Header.Get("X-Fragment") == "1" {
		part = "progress"
	}
	s.show(w, r, http.StatusOK, "emergency", part, v)
}

func (s *Server) emergencyPhoto(w http.ResponseWriter, r *http.Request) {
	photo, err := s.boards(r.Context()).EmergencyPhoto(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, "photo", err)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(photo)
}
