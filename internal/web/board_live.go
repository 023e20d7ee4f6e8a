package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// pulse is what a board is told, at most once a second: numbers, and which of
// its parts it should ask for again. Words and names are in those parts, so that
// an event stays short however much happens.
type pulse struct {
	announcement.Counts
	At     int   `json:"at"`
	Rows   []int `json:"rows,omitempty"`
	Help   bool  `json:"help,omitempty"`
	Closed bool  `json:"closed,omitempty"`
}

func pulseOf(p Pulse) pulse {
	return pulse{Counts: p.Counts, At: p.At, Rows: p.Rows, Help: p.Help, Closed: p.Status == announcement.StatusClosed}
}

// boardBeat tells the script that the connection lives: a browser notices
// nothing when a network falls silent, and does not show it comments.
const boardBeat = "event: beat\ndata: 1\n\n"

// streamBoard sends pulses.
func (s *Server) streamBoard(w http.ResponseWriter, r *http.Request) {
	id, after, rows := announcement.ID(r.PathValue("id")), afterOf(r), rowsOf(r)
	s.consoleStream(w, r, id, boardBeat, func(ctx context.Context) (event, error) {
		p, err := s.boards(ctx).Pulse(ctx, id, after, rows)
		if err != nil {
			return event{}, err
		}
		after = p.At
		return event{Name: "pulse", ID: strconv.FormatUint(p.AsOf, 10), Data: pulseOf(p)}, nil
	})
}

// pulseNow is one pulse, for a board that has lost its stream.
func (s *Server) pulseNow(w http.ResponseWriter, r *http.Request) {
	p, err := s.boards(r.Context()).Pulse(r.Context(), announcement.ID(r.PathValue("id")), afterOf(r), rowsOf(r))
	if err != nil {
		status, _ := statusOf(err)
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(pulseOf(p)) // a reader that has gone asks again
}

func afterOf(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// rowsOf reads which recipients a board shows: "17.4.250".
func rowsOf(r *http.Request) []int {
	out := []int{}
	for text := range strings.SplitSeq(r.URL.Query().Get("rows"), ".") {
		if n, err := strconv.Atoi(text); err == nil && n >= 0 && len(out) < rowsPerPage {
			out = append(out, n)
		}
	}
	return out
}

// boardPart is a part of the board that renews itself.
func (s *Server) boardPart(w http.ResponseWriter, r *http.Request) {
	part := r.PathValue("part")
	v, err := s.boardView(r)
	if err == nil {
		switch part {
		case "help":
			err = v.calls(s, r)
		case "side":
			err = v.aside(s, r)
		case "rows":
			v.Renewed = true
			v.People, err = s.boards(r.Context()).Recipients(r.Context(), v.ID, RecipientFilter{Only: rowsOf(r), Limit: rowsPerPage})
		default:
			err = ErrNotFound
		}
	}
	if err != nil {
		s.fail(w, r, "part of a board", err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	s.show(w, r, http.StatusOK, "board", map[string]string{"help": "help", "side": "side", "rows": "people-rows"}[part], v)
}

// person is one row of the list of people.
type person struct {
	boardView
	R Recipient
}

// Row is a recipient with the page around them.
func (v boardView) Row(r Recipient) person { return person{v, r} }

// Shown names the recipients on this page, for the stream.
func (v boardView) Shown() string {
	out := make([]string, len(v.People.Recipients))
	for i, r := range v.People.Recipients {
		out[i] = strconv.Itoa(r.Index)
	}
	return strings.Join(out, ".")
}

// Sending says how far the first round is, while it goes out.
func (v boardView) Sending() string {
	waiting, all := 0, 0
	for _, d := range v.Deliveries {
		waiting, all = waiting+d.Queued, all+d.Recipients
	}
	if !v.Live || waiting == 0 || all == 0 {
		return ""
	}
	return v.T("Sending. %s of %s {call|calls} handed over.", v.N(all-waiting), v.N(all))
}

// Away says that the SMS provider is down, what becomes of the texts, and how many
// people that leaves without any call.
func (v boardView) Away() string {
	switch {
	case !v.SMSAway:
		return ""
	case v.SMSOnly == 0:
		return v.T("The SMS provider takes no messages at the moment. They wait here and go out by themselves when it is back; whoever waits for one is called in another way too.")
	}
	return v.T("The SMS provider takes no messages at the moment. They wait here and go out by themselves when it is back; %s {person waits|people wait} for one and {has|have} no other channel.", v.N(v.SMSOnly))
}

// maxSiteChoices is how many sites a list offers to choose from.
const maxSiteChoices = 100

// SiteChoices are the sites to choose from, when there is more than one.
func (v boardView) SiteChoices() []string {
	var out []string
	for _, s := range v.Sites {
		if s.Name != "" {
			out = append(out, s.Name)
		}
	}
	slices.Sort(out)
	if len(out) < 2 || len(out) > maxSiteChoices {
		return nil
	}
	return out
}

// Here is this page again, with what was chosen.
func (v boardView) Here() string {
	q := url.Values{}
	for _, k := range []string{"q", "state", "site", "team", "offset"} {
		if v.query.Get(k) != "" {
			q.Set(k, v.query.Get(k))
		}
	}
	if len(q) == 0 {
		return v.Path
	}
	return v.Path + "?" + q.Encode()
}

// Seconds is a time of day with its seconds at the place of the alert, as the
// script writes it too.
func (v boardView) Seconds(t time.Time) string {
	return t.In(announcement.Location(v.Summary.Zone)).Format(time.TimeOnly) + " " + v.ZoneWord()
}

// Age says how long ago the alert was sent, while it is open.
func (v boardView) Age() string {
	minutes := int(v.Now.Sub(v.OpenedAt).Minutes())
	switch {
	case !v.Live || minutes < 1:
		return ""
	case minutes < 120:
		return v.T("%s {minute|minutes} ago", v.N(minutes))
	case minutes < 48*60:
		return v.T("%s {hour|hours} ago", v.N(minutes/60))
	}
	return v.T("%s {day|days} ago", v.N(minutes/60/24))
}

// rung is how far one channel has come with a person, and when.
type rung struct{ Text, At string }

// Rungs are the ladder with its times.
func (v personView) Rungs(r Recipient) []rung {
	var out []rung
	for _, c := range announcement.Channels {
		one := Recipient{Channels: map[announcement.Channel]Ladder{}}
		if l, ok := r.Channels[c]; ok {
			one.Channels[c] = l
			for _, text := range v.Ladder(one) {
				out = append(out, rung{text, v.ClockAt(l.At)})
			}
		}
	}
	return out
}

// Silent reports whether this person may be called again.
func (v personView) Silent() bool {
	return v.Live && (v.Person.State == announcement.NoAnswer || v.Person.State == announcement.HasOpened || v.Person.State == announcement.Unreachable)
}
