package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"kentongan/internal/announcement"
)

const (
	eventPause = time.Second      // between two events: numbers are read by people
	heartbeat  = 15 * time.Second // proxies close connections that stay silent
	writeLimit = 10 * time.Second // a reader this slow has gone
)

// quietBeat is a comment, which scripts do not see.
const quietBeat = ": still here\n\n"

// streamsEach is how many live streams one link or device may hold: whoever has
// more pages open looks at none of the others. Each costs a look at the state at
// every change.
const streamsEach = 12

// streams counts the live streams of whoever needs no sign-in.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

// enter reports whether one more stream is allowed. leave must be called if so.
func (s *streams) enter(who string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]int{}
	}
	if s.open[who] >= streamsEach {
		return nil, false
	}
	s.open[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[who]--; s.open[who] == 0 {
			delete(s.open, who)
		}
	}, true
}

// personalStream is stream for the holder of a link or a device.
func (s *Server) personalStream(w http.ResponseWriter, r *http.Request, who string, changes <-chan struct{}, now func(context.Context) (event, error)) {
	leave, ok := s.streams.enter(who)
	if !ok {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	defer leave()
	s.stream(w, r, changes, quietBeat, now)
}

// event is one Server-Sent Event (WHATWG HTML, section 9.2).
type event struct {
	Name string
	ID   string
	Data any
}

// progress is where an announcement stands, short enough to be sent every
// second to everybody who watches.
type progress struct {
	ID         announcement.ID       `json:"id"`
	Status     announcement.Status   `json:"status"`
	ClosedAs   announcement.ClosedAs `json:"closed_as,omitempty"`
	Mode       announcement.Mode     `json:"mode"`
	AsOf       uint64                `json:"as_of"`
	Rebuilding bool                  `json:"rebuilding,omitempty"`
	Counts     announcement.Counts   `json:"counts"`
}

// streamProgress sends where an announcement stands as it changes. A reader that
// comes back is sent the present, not the history: only that matters.
func (s *Server) streamProgress(w http.ResponseWriter, r *http.Request, id announcement.ID) {
	s.consoleStream(w, r, id, quietBeat, func(ctx context.Context) (event, error) {
		sum, err := s.boards(ctx).Glance(ctx, id)
		if err != nil {
			return event{}, err
		}
		return event{Name: "progress", ID: strconv.FormatUint(sum.AsOf, 10), Data: progress{ID: sum.ID, Status: sum.Status, ClosedAs: sum.ClosedAs, Mode: sum.Mode, AsOf: sum.AsOf, Rebuilding: sum.Rebuilding, Counts: sum.Counts}}, nil
	})
}

// consoleStream is stream about an announcement, for whoever came in by a session or a
// token, as long as they are let in.
func (s *Server) consoleStream(w http.ResponseWriter, r *http.Request, id announcement.ID, beating string, now func(context.Context) (event, error)) {
	by := principalOf(r.Context()).Actor
	s.stream(w, r, s.Desk.Changes(r.Context(), id), beating, func(ctx context.Context) (event, error) {
		if err := s.stillIn(ctx, r, by); err != nil {
			return event{}, err
		}
		return now(ctx)
	})
}

// stillIn fails when whoever opened a stream has been shut out since: a token that
// was taken away, a session that was ended, end what they had opened.
func (s *Server) stillIn(ctx context.Context, r *http.Request, by announcement.Actor) error {
	if by == announcement.ByConsole {
		return nil
	}
	if c, err := r.Cookie("session"); err == nil && r.Header.Get("Authorization") == "" {
		_, err := s.Access.Visitor(ctx, c.Value)
		return err
	}
	_, err := s.Access.Principal(ctx, by)
	return err
}

// stream sends what now returns, once and then after each change, at most once
// a second, until the reader goes or changes is closed. beating is sent while
// nothing happens.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, changes <-chan struct{}, beating string, now func(context.Context) (event, error)) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	write := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writeLimit)) // not every test writer has deadlines
		if _, err := fmt.Fprint(w, text); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !write("retry: 2000\n\n") {
		return
	}
	ctx, last := r.Context(), r.Header.Get("Last-Event-ID")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		e, err := now(ctx)
		if err != nil {
			return // the browser comes back by itself
		}
		if e.ID == "" || e.ID != last {
			data, err := json.Marshal(e.Data)
			if err != nil || !write(fmt.Sprintf("event: %s\nid: %s\ndata: %s\n\n", e.Name, e.ID, data)) {
				return
			}
			last = e.ID
			select {
			case <-ctx.Done():
				return
			case <-time.After(eventPause):
			}
		}
		for changed := false; !changed; {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
				if !write(beating) {
					return
				}
			case _, open := <-changes:
				if !open {
					return
				}
				changed = true
			}
		}
	}
}
