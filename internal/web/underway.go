package web

import (
	"net/http"
	"time"
)

// Underway says that something takes longer than a page may. It goes on by itself;
// whoever asks again hears how far it is, or what came of it.
type Underway struct{ Percent int }

func (u *Underway) Error() string { return "still under way" }

// Errand is something that is done while nobody has to wait for it, on whichever
// node.
type Errand struct {
	ID      string
	Percent int
	Done    bool
	Fault   string // why it came to nothing
	Result  string
	At      time.Time
	Until   time.Time // when its result is erased
}

// going is how far something is, on its page.
type going struct {
	Doing   string
	Percent int
}

// Again is the address of this page with what was asked of it.
func (p page) Again() string {
	if len(p.query) == 0 {
		return p.Path
	}
	return p.Path + "?" + p.query.Encode()
}

// showGoing shows a page that looks again by itself where there is a script, and
// with a link where there is none. It can be closed and opened again.
func (s *Server) showGoing(w http.ResponseWriter, r *http.Request, file, page string, v any) {
	w.Header().Set("Cache-Control", "no-store")
	s.show(w, r, http.StatusOK, file, page, v)
}
