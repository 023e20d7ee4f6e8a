package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"kentongan/internal/announcement"
)

// HoldingBack is an announcement between its sending and its going out: it waits for a
// second person, or for its countdown to end.
type HoldingBack interface {
	// Prepare accepts an announcement that goes out after the countdown, by itself,
	// unless it is cancelled before. It is idempotent by key.
	Prepare(ctx context.Context, p Principal, d Draft, key string) (announcement.ID, error)
	// Approve lets an announcement that waits go out as it was seen (Countdown.Print):
	// ErrForbidden to its author, FieldErrors when words or people are others now, ErrClosed when it was
	// taken back, edited or rejected. Approving again is done already.
	Approve(ctx context.Context, p Principal, id announcement.ID, seen string) error
	// Awaited is what would happen if an announcement that waits went out now.
	Awaited(ctx context.Context, id announcement.ID) (Preview, error)
	Reject(ctx context.Context, p Principal, id announcement.ID, reason string) error
	// SendAlone is for its author, when nobody has approved it within ten minutes;
	// ErrConflict before.
	SendAlone(ctx context.Context, p Principal, id announcement.ID, reason string) error
	// Cancel takes a prepared announcement back, which then is a draft of the same
	// id; ErrClosed when it has gone out.
	Cancel(ctx context.Context, p Principal, id announcement.ID) error
}

// Countdown is an announcement that was confirmed and goes out in a moment. Its
// status is countdown, open (it has gone out, or does this instant) or draft (it
// was cancelled, and nobody was called).
type Countdown struct {
	ID          announcement.ID
	Status      announcement.Status
	Draft       Draft
	Severity    announcement.Severity
	Text        map[announcement.Language]announcement.Text
	People      int // as it was confirmed
	By          string
	Due         time.Time
	Left        time.Duration
	CancelledBy string
	CancelledAt time.Time
	Fault       string // why it could not go out yet; it is tried again

	Author     announcement.Actor
	Print      string    // names the words and the people of one that waits
	Asked      time.Time // of one that a second person has to approve: since when it waits
	Approvers  []string  // who may, while it waits
	ApprovedBy string
	Alone      bool      // the author sent it after nobody came
	AloneAt    time.Time // from when on they may
	Rejected   bool      // CancelledBy did, for Reason
	Reason     string
	Lapsed     bool // nobody came at all
}

func (s *Server) routeCountdown() {
	s.on("POST /alerts/{id}/cancel", to(Announce).notesNothing(isAFact), s.cancelNow)
}

// startsWithin is how long after its countdown an announcement may need until
// its board is there.
const startsWithin = time.Minute

type countdownView struct {
	page
	Countdown
}

// Real reports whether this is no drill.
func (v countdownView) Real() bool { return v.Draft.Mode == announcement.Live }

// Seconds are left, the last one begun counts whole.
func (v countdownView) Seconds() int { return int((v.Left + time.Second - 1) / time.Second) }

// Milliseconds are left.
func (v countdownView) Milliseconds() int64 { return v.Left.Milliseconds() }

// counting shows the countdown at the address of the board until the board is
// there, and what became of it when it was cancelled.
func (s *Server) counting(board http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.boards(r.Context()).Countdown(r.Context(), announcement.ID(r.PathValue("id")))
		if err != nil { // it was not sent from the console, or long ago
			board(w, r)
			return
		}
		v := countdownView{page: s.page(r, ""), Countdown: c}
		switch {
		case c.Status == announcement.StatusAwaiting:
			s.showAwaiting(w, r, c, nil)
			return
		case c.Status == announcement.StatusDraft && c.Lapsed:
			v.Title = v.T("Nobody approved it. Nothing was sent.")
			s.show(w, r, http.StatusOK, "countdown", "cancelled", v)
			return
		case c.Status == announcement.StatusDraft && c.Rejected:
			v.Title = v.T("Rejected. Nothing was sent.")
			s.show(w, r, http.StatusOK, "countdown", "cancelled", v)
			return
		case c.Status == announcement.StatusDraft:
			v.Title = v.T("Cancelled. Nothing was sent.")
			s.show(w, r, http.StatusOK, "countdown", "cancelled", v)
			return
		case c.Status == announcement.StatusCountdown && c.Left > 0:
			v.Title = v.T("Sending to %s {person|people} in %s s", v.N(c.People), v.N(v.Seconds()))
		case c.Fault == "" && s.Now().Sub(c.Due) > startsWithin || s.exists(r, c.ID):
			board(w, r)
			return
		default:
			v.Title = v.T("Sending to %s {person|people} now", v.N(c.People))
		}
		// Only here a page loads itself again: the time to cancel runs out, whatever
		// the browser does. The script takes over where there is one.
		w.Header().Set("Refresh", "1")
		s.show(w, r, http.StatusOK, "countdown", "countdown", v)
	}
}

func (s *Server) exists(r *http.Request, id announcement.ID) bool {
	_, err := s.boards(r.Context()).Glance(r.Context(), id)
	return err == nil
}

// cancelNow takes an announcement back before anybody was called.
func (s *Server) cancelNow(w http.ResponseWriter, r *http.Request) {
	id := announcement.ID(r.PathValue("id"))
	err := s.Desk.Cancel(r.Context(), principalOf(r.Context()), id)
	if errors.Is(err, ErrClosed) {
		http.Redirect(w, r, "/alerts/"+string(id)+"?done=sent-already", http.StatusSeeOther)
		return
	}
	s.back(w, r, "cancel", "/alerts/"+string(id), err)
}
