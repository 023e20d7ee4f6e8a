package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
)

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
	rehearse(t, "siti manager:budi, budi", func(h *rehearsal) {
		t, w, hears := h.t, h.house.watch, new(hearer)
		w.heartbeat, w.client = "https://heartbeat.example/x", &http.Client{Transport: hears}
		ctx, stop := context.WithCancel(t.Context())
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
		standing, err := h.house.tracker.Standing(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		lie := tracker.Op(strings.Join([]string{"answer", "0", "1", "0", "x", "0", "x", "page", "0", "", "1"}, "\x1f"))
		if err := errors.Join(h.house.working.Forget(t.Context(), id), h.house.working.Apply(t.Context(), id, 0, standing.AsOf, []tracker.Op{lie})); err != nil {
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
