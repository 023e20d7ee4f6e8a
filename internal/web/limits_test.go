package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Whoever tries one code on each of many people is not stopped by the count of
// tries per person.
func TestRightCodeAfterManyWrongOnesIsNotLookedAt(t *testing.T) {
	t.Parallel()
	h := newHouse()
	srv := newServer(t, h)
	for range wrongCodesAllowed {
		if w := call(t, srv, "POST", "/j/code", "number=1&code=000000"); w.Code != 422 {
			t.Fatalf("got %d, want 422", w.Code)
		}
	}
	w := call(t, srv, "POST", "/j/code", "number=2210&code=482913")
	if w.Code != 429 || h.enrolled != 0 || len(h.codes) != wrongCodesAllowed {
		t.Errorf("got %d, %d phones connected, %d codes looked at; want 429, none and %d", w.Code, h.enrolled, len(h.codes), wrongCodesAllowed)
	}
	if w := call(t, srv, "POST", "/r/"+goodToken, "a=1&k=c1"); w.Code != 200 {
		t.Errorf("an answer from there: got %d, want 200", w.Code)
	}
}

// Where files of ten megabytes are taken from those who may, nothing large is read of
// anybody else, and no path is long because of how it ends.
func TestStrangersSendNothingLarge(t *testing.T) {
	t.Parallel()
	srv := newServer(t, newHouse())
	large := "x=" + strings.Repeat("%22", 1<<20)
	for _, path := range []string{"/people/import", "/r/people:import", "/people:import"} {
		w := call(t, srv, "POST", path, large)
		if w.Code < 400 || w.Body.Len() > 64<<10 {
			t.Errorf("%s: got %d and %d bytes, want it refused", path, w.Code, w.Body.Len())
		}
	}
}

func TestOneLinkHoldsFewStreams(t *testing.T) {
	t.Parallel()
	srv := newServer(t, newHouse())
	open := func(ctx context.Context, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil).WithContext(ctx)
		r.AddCookie(&http.Cookie{Name: "device", Value: "device1"})
		srv.ServeHTTP(w, r)
		return w
	}
	for _, path := range []string{"/t/" + goodToken + "/events", "/me/events"} {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		refused := make(chan struct{})
		ended := make(chan int)
		for range streamsEach + 1 {
			go func() {
				w := open(ctx, path)
				if w.Code == http.StatusTooManyRequests {
					close(refused)
				}
				ended <- w.Code
			}()
		}
		select {
		case <-refused:
			<-ended
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: nobody was refused", path)
		}
		end()
		for range streamsEach {
			if code := <-ended; code != 200 {
				t.Errorf("%s: got %d, want 200", path, code)
			}
		}
		if code := open(ctx, path).Code; code != 200 {
			t.Errorf("%s after the others ended: got %d, want 200", path, code)
		}
	}
}

// revoking is an Access that takes tokens and sessions away once they are in.
type revoking struct {
	*house
	visits *atomic.Int32
}

func (r revoking) Visitor(ctx context.Context, secret string) (Principal, error) {
	if r.visits.Add(1) > 1 {
		return Principal{}, ErrForbidden
	}
	return r.house.Visitor(ctx, secret)
}

func (r revoking) Authenticate(ctx context.Context, bearer string) (Principal, error) {
	p, err := r.house.Authenticate(ctx, bearer)
	p.Actor = "token:gone"
	return p, err
}

// TestStreamEndsWithWhatOpenedIt: a token or a session that was taken away is told
// nothing more, neither by the API nor by a board.
func TestStreamEndsWithWhatOpenedIt(t *testing.T) {
	t.Parallel()
	for path, by := range map[string][2]string{
		"/api/v1/announcements/a1/events": {"Authorization", "Bearer v"},
		"/alerts/a1/events":               {"Cookie", "session=token:viewer"},
	} {
		h := newHouse()
		close(h.changes) // else a stream that goes on would wait
		srv, err := New(Options{Desk: h, Phone: h, People: h, Hooks: h, Access: revoking{h, new(atomic.Int32)}, Privacy: h, Health: h, Trail: &trail{}, PublicURL: "http://siaga.example", Secret: []byte(strings.Repeat("k", 32))})
		if err != nil {
			t.Fatal(err)
		}
		w := call(t, srv.Handler(), "GET", path, "", by[0], by[1])
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "event:") {
			t.Errorf("%s: got %d %q, want nothing for who was shut out", path, w.Code, w.Body)
		}
	}
}
