package web

import (
	"net/http"
)

// The guides are read before there is an emergency and during one, with or
// without a signal, connected or not.
func (s *Server) routeGuides() {
	s.on("GET /guides", toAnybody, s.guides)
	s.on("GET /guides/{key}", toAnybody, s.guide)
	s.on("GET /offline", toAnybody, s.offline)
}

type guideView struct {
	page
	GuideBook
	Guide Guide
}

// emergencyNumber is whom to call for what, in Indonesia.
type emergencyNumber struct{ Dial, What string }

var emergencyNumbers = []emergencyNumber{
	{"112", "Every emergency"}, {"110", "Police"}, {"113", "Fire service"}, {"115", "Search and rescue"}, {"119", "Ambulance"},
}

// Numbers are whom to call for what: first of all the number of the reader's
// site, where it has one of its own.
func (v guideView) Numbers() []emergencyNumber {
	for _, n := range emergencyNumbers {
		if v.Dial == "" || v.Dial == n.Dial {
			return emergencyNumbers
		}
	}
	return append([]emergencyNumber{{v.Dial, "Emergency number of your site"}}, emergencyNumbers...)
}

// brand is what to set on the phones of one maker, so that the browser may run.
type brand struct {
	Name  string
	Steps []string
}

var brands = []brand{
	{"Samsung", []string{"Settings, Battery, Background usage limits: take Chrome out of the sleeping apps.", "Add Chrome to Never sleeping apps."}},
	{"Oppo, Realme", []string{"Settings, Battery, More: allow Chrome to run in the background.", "Settings, Apps, Auto launch: turn on Chrome.", "In the list of open apps hold Chrome and tap Lock."}},
	{"Vivo", []string{"Settings, Battery, Background power consumption: Chrome, do not restrict.", "Settings, Apps, Autostart: turn on Chrome."}},
	{"Xiaomi, Redmi, Poco", []string{"Settings, Apps, Permissions, Autostart: turn on Chrome.", "Settings, Apps, Chrome, Battery saver: No restrictions.", "In the list of open apps hold Chrome and tap the lock."}},
	{"Infinix, Tecno", []string{"Settings, Battery, App launch: Chrome, turn on Auto launch.", "In Phone Master do not let Chrome be cleaned."}},
}

// Brands are the makers whose phones hold notifications back.
func (guideView) Brands() []brand { return brands }

func (s *Server) guideView(r *http.Request, title string) guideView {
	v := guideView{page: s.page(r, title)}
	if _, ok := told(r); !ok {
		if m, err := s.Phone.Me(r.Context(), device(r)); err == nil {
			v.Lang = s.readersLanguage(r, m.Language)
			v.Title = v.T(title)
		}
	}
	v.GuideBook = s.Phone.Guides(r.Context(), device(r), v.Lang)
	return v
}

func (s *Server) guides(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "guides", "guides", s.guideView(r, "What to do"))
}

func (s *Server) guide(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	if key == "phone" {
		s.show(w, r, http.StatusOK, "guides", "brands", s.guideView(r, "My phone shows alerts late"))
		return
	}
	v := s.guideView(r, "What to do")
	for _, g := range v.Guides {
		if g.Key == key {
			v.Guide, v.Title = g, g.Name+" - "+v.T("What to do")
			s.show(w, r, http.StatusOK, "guides", "guide", v)
			return
		}
	}
	s.failUnknown(w, r, "guide", ErrNotFound, "There is no such guide. Open the list of guides.")
}

// offline is what a phone without a signal shows in place of a page that it has
// not kept.
func (s *Server) offline(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "guides", "offline", s.guideView(r, "No signal"))
}
