package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// TestTheWatchSaysThatANewerVersionWroteSomething: whoever looks at an older node reads that
// its counts may be wrong, and no heartbeat says that all is well.
func TestTheWatchSaysThatANewerVersionWroteSomething(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		if _, err := h.house.ledger.Append(h.t.Context(), announcement.Fact{Announcement: fire, Kind: "withdrawn"}); err != nil {
			t.Fatal(err)
		}
		h.After(time.Second)
		w, hears := h.house.watch, new(hearer)
		w.heartbeat, w.client = "https://heartbeat.example/x", &http.Client{Transport: hears}
		w.walk(h.t.Context())
		if found, _, _ := w.Found(); len(found) != 1 || !strings.Contains(found[0], "newer version") || hears.beats.Load() != 0 {
			t.Errorf("found %q, %d beats, want that it is said", found, hears.beats.Load())
		}
		c := h.clerk()
		c.shows(c.get("/alerts/"+string(fire)), "Counts may be wrong here.")
	})
}

// hearer is who waits for the heartbeat.
type hearer struct {
	beats atomic.Int64
	deaf  atomic.Bool
}

func (l *hearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.deaf.Load() {
		return nil, errors.New("nobody is there")
	}
	l.beats.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("OK")), Request: r}, nil
}

// TestTheWatchGoesSilentWhenSomethingIsWrong: the heartbeat beats while all is well, and
// only then.
func TestTheWatchGoesSilentWhenSomethingIsWrong(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti manager:budi, budi", func(h *rehearsal) {
		t, w, hears := h.t, h.house.watch, new(hearer)
		w.heartbeat, w.client = "https://heartbeat.example/x", &http.Client{Transport: hears}
		ctx, stop := context.WithCancel(h.t.Context())
		ended := make(chan error)
		go func() { ended <- w.run(ctx) }()
		defer func() { stop(); <-ended }()
		id := h.Announce("Fire")
		time.Sleep(3*round + time.Second)
		if n := hears.beats.Load(); n != 3 {
			t.Errorf("%d beats in three minutes", n)
		}
		if found, _, heard := w.Found(); len(found) > 0 || !heard {
			t.Errorf("found %q, heard %t", found, heard)
		}

		// Something else writes into the working state, and siti counts as safe.
		standing, err := h.house.tracker.Standing(h.t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		lie := tracker.Op(strings.Join([]string{"answer", "0", "1", "0", "x", "0", "x", "page", "0", "", "1"}, "\x1f"))
		if err := errors.Join(h.house.working.Forget(h.t.Context(), id), h.house.working.Apply(h.t.Context(), id, 0, []tracker.Change{{Seq: standing.AsOf, Ops: []tracker.Op{lie}}})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(round)
		if found, _, _ := w.Found(); len(found) != 1 || !strings.Contains(found[0], "counted wrongly") || hears.beats.Load() != 3 {
			t.Errorf("found %q, %d beats", found, hears.beats.Load())
		}
		h.ExpectState(id, "siti", announcement.NoAnswer)
		time.Sleep(round)
		if found, _, _ := w.Found(); len(found) > 0 || hears.beats.Load() != 4 {
			t.Errorf("a round later: found %q, %d beats", found, hears.beats.Load())
		}
	})
}

// awayLedger is one that does not answer.
type awayLedger struct{ ledger.Ledger }

func (awayLedger) Last(context.Context) (uint64, error) { return 0, ledger.ErrUnavailable }

func TestTheWatchSaysWhatItFinds(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti", func(h *rehearsal) {
		w, hears := h.house.watch, new(hearer)
		w.heartbeat, w.client = "https://heartbeat.example/x", &http.Client{Transport: hears}
		w.log = slog.New(slog.DiscardHandler)
		was := w.ledger
		w.ledger = awayLedger{was}
		w.walk(h.t.Context())
		if found, _, _ := w.Found(); len(found) != 1 || hears.beats.Load() != 0 {
			h.t.Errorf("found %q, %d beats", found, hears.beats.Load())
		}
		w.ledger = was
		hears.deaf.Store(true)
		w.walk(h.t.Context())
		if found, _, heard := w.Found(); len(found) != 0 || heard {
			h.t.Errorf("found %q, heard %t", found, heard)
		}
	})
}

// TestStuckDeliveryIsSeenAndSent: a delivery at which the program fails takes nobody else
// with it. It is in the list, the watch finds it, /readyz, the metric and the pages say so,
// and the heartbeat is silent; once it is tried again it is sent, and all is well.
func TestStuckDeliveryIsSeenAndSent(t *testing.T) {
	rehearse(t, "siti manager:budi, budi", func(h *rehearsal) {
		t, w, hears := h.t, h.house.watch, new(hearer)
		w.heartbeat, w.client = "https://heartbeat.example/x", &http.Client{Transport: hears}
		right := h.house.dispatcher.Composer
		h.house.dispatcher.Composer = failsFor{right, 0}
		id := h.Announce("Fire")
		time.Sleep(30 * time.Second)
		w.walk(h.t.Context())

		operated := health{h.house}
		jobs, err := operated.Stuck(h.t.Context())
		if err != nil || len(jobs) != len(announcement.Channels) {
			t.Fatalf("stuck: %+v, %v; want one on each channel", jobs, err)
		}
		for _, j := range jobs {
			if j.Announcement != id || j.Why != "panicked" || j.From != 0 || j.To != 1 || j.Lane != announcement.Emergency {
				t.Errorf("stuck: %+v", j)
			}
		}
		if got := operated.Found(); len(got) != 1 || got[0] != "stuck" || hears.beats.Load() != 0 {
			t.Errorf("found %q, %d beats", got, hears.beats.Load())
		}
		said := false
		for _, c := range operated.Ready(h.t.Context()) {
			said = said || c.Name == "watch" && c.OK && strings.Contains(c.Hint, "stuck")
		}
		if !said {
			t.Error("/readyz does not say it, or takes the node out of service")
		}
		get := func(path string) string {
			page := httptest.NewRecorder()
			h.house.server.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, path, nil))
			return page.Body.String()
		}
		if page := get("/metrics"); !strings.Contains(page, fmt.Sprintf("kentongan_stuck_jobs %d\n", len(jobs))) || !strings.Contains(page, "kentongan_watch_found 1\n") {
			t.Error("the metrics do not say it")
		}

		h.house.dispatcher.Composer = right
		for _, j := range jobs {
			if err := operated.TryAgain(h.t.Context(), j.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := operated.TryAgain(h.t.Context(), jobs[0].ID); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("a second time: %v", err)
		}
		time.Sleep(settled)
		w.walk(h.t.Context())
		if got := operated.Found(); len(got) != 0 || hears.beats.Load() != 1 {
			t.Errorf("afterwards: found %q, %d beats", got, hears.beats.Load())
		}
		bits, err := h.house.tracker.Settled(h.t.Context(), id, 0, announcement.SMS, 0, 2)
		if err != nil || !bits[0] || !bits[1] {
			t.Errorf("called: %v, %v", bits, err)
		}
	})
}

// failsFor is a composer that fails at one target.
type failsFor struct {
	dispatch.Composer
	n int
}

func (f failsFor) Compose(r announcement.Round, n int, lang announcement.Language) announcement.Message {
	if r.Decided.Round == 0 && n == f.n {
		panic("no text for this one")
	}
	return f.Composer.Compose(r, n, lang)
}

// TestTheWatchFindsWhatHasNoResult: a decision that does not become jobs, and a job that is
// not urgent and goes nowhere.
func TestTheWatchFindsWhatHasNoResult(t *testing.T) {
	rehearse(t, "siti", func(h *rehearsal) {
		w, waiting := h.house.watch, 1
		w.unplanned = func(context.Context) (int, error) { return waiting, nil }
		left := dispatch.NewMemoryQueue(time.Now)
		w.queue = left
		if err := left.Publish(h.t.Context(), []dispatch.Job{{Announcement: "a123456789bcdefg", Channel: announcement.SMS, Lane: announcement.Routine, Hi: 1}}); err != nil {
			h.t.Fatal(err)
		}
		for _, c := range []struct {
			after time.Duration
			want  string
		}{{0, ""}, {time.Minute, "unplanned"}, {23 * time.Hour, "unplanned"}, {2 * time.Hour, "routine unplanned"}} {
			time.Sleep(c.after)
			w.walk(h.t.Context())
			if got := strings.Join(w.codes(), " "); got != c.want {
				h.t.Errorf("%v later: found %q, want %q", c.after, got, c.want)
			}
		}
		waiting = 0
		w.walk(h.t.Context())
		if got := strings.Join(w.codes(), " "); got != "routine" {
			h.t.Errorf("found %q, want routine", got)
		}
	})
}

// forgetful is a queue on a disk that loses what it was given.
type forgetful struct {
	dispatch.Queue
	loses, blind bool
}

func (q *forgetful) Publish(ctx context.Context, jobs []dispatch.Job) error {
	if q.loses {
		return nil
	}
	return q.Queue.Publish(ctx, jobs)
}

func (q *forgetful) Oldest(ctx context.Context) (map[announcement.Lane]map[announcement.Channel]time.Time, error) {
	if q.blind {
		return nil, errors.New("no such stream")
	}
	return q.Queue.Oldest(ctx)
}

// TestCallsThatAreInNoQueueAreMadeAnew: an alert was taken and planned, and what was to
// be called is lost with the queue. The watch finds it, puts it there again, and stays
// silent towards the heartbeat until it is well again. What a person dropped stays dropped.
func TestCallsThatAreInNoQueueAreMadeAnew(t *testing.T) {
	rehearse(t, crew, func(h *rehearsal) {
		t, w, hears := h.t, h.house.watch, new(hearer)
		w.heartbeat, w.client, w.log = "https://heartbeat.example/x", &http.Client{Transport: hears}, slog.New(slog.DiscardHandler)
		q := &forgetful{Queue: h.house.dispatcher.Queue, loses: true}
		h.house.dispatcher.Queue, w.queue = q, q
		h.Announce("Fire in hall 3", steps(time.Hour))
		h.NothingElse()
		h.Phone("siti").Reply("1") // knows it from somebody else
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		q.loses = false
		w.walk(h.t.Context())
		if got := w.codes(); len(got) != 0 {
			t.Errorf("at once: found %q, and a job may still be on its way", got)
		}
		time.Sleep(mayWait)
		w.walk(h.t.Context()) // from now on they are missing
		time.Sleep(round)
		w.walk(h.t.Context())
		if got := strings.Join(w.codes(), " "); got != "lost" || hears.beats.Load() != 2 {
			t.Errorf("found %q, %d beats; want lost, and 2 of before", got, hears.beats.Load())
		}
		h.settle()
		for _, name := range []string{"agus", "dewi", "budi", "chief"} {
			h.Phone(name).ExpectSMS("Fire in hall 3")
		}
		w.walk(h.t.Context())
		if got := w.codes(); len(got) != 0 || hears.beats.Load() != 3 {
			t.Errorf("afterwards: found %q, %d beats", got, hears.beats.Load())
		}
		q.blind = true
		w.walk(h.t.Context())
		if got := strings.Join(w.codes(), " "); got != "queue" || hears.beats.Load() != 3 {
			t.Errorf("while the queue does not answer: found %q, %d beats", got, hears.beats.Load())
		}

		q.blind, q.loses = false, true
		h.Announce("Fire in hall 4", steps(time.Hour))
		if err := h.house.desk.Note(t.Context(), hr.Actor, announcement.JobDropped, web.Noted{Recipient: -1}); err != nil {
			t.Fatal(err)
		}
		q.loses = false
		for range 3 {
			time.Sleep(mayWait)
			w.walk(h.t.Context())
			if got := w.codes(); len(got) != 0 {
				t.Errorf("after a delivery was dropped: found %q", got)
			}
		}
		h.NothingElse()
	})
}
